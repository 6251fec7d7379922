//! Where a ledger is, as the configuration names it.

use std::fmt;
use std::path::{Path, PathBuf};

/// What a store's name may look like, for messages.
const FORMS: &str =
    "write sqlite:<path>, as in sqlite:data/ledger.db, or postgres://user:password@host/database";

/// The address of a store. Prints no password.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:<path>`: one file.
    Sqlite(PathBuf),
    /// `postgres://...` or `postgresql://...`, whole and with its password.
    Postgres(String),
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To add to it: it is made or brought up to date where it needs to be.
    Write,
    /// To ask it, and to correct costs: it must be there already.
    Read,
}

impl StoreUrl {
    /// Returns the address that a text states; a relative path is relative to `folder`. The error says what is wrong
    /// and what would be right, without repeating a password.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return sqlite(path, folder);
        }
        match text.split_once("://") {
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
                Ok(Self::Postgres(text.to_owned()))
            }
            _ => Err(format!("no such kind of store: {FORMS}")),
        }
    }

    /// Returns the same, with a relative path made relative to a folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(folder.join(path)),
            postgres @ Self::Postgres(_) => postgres,
        }
    }
}

fn sqlite(path: &str, folder: &Path) -> Result<StoreUrl, String> {
    if path.is_empty() {
        return Err(format!("the path is missing: {FORMS}"));
    }
    if path.starts_with("//") {
        return Err("a path follows sqlite: without slashes of its own: \
                    write sqlite:data/ledger.db or sqlite:/var/lib/tollgate/ledger.db"
            .to_owned());
    }
    Ok(StoreUrl::Sqlite(folder.join(path)))
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_passwords(url)),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

/// Returns a URL with `***` in place of what may be a password: after the user's name, and in a parameter.
fn without_passwords(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (address, parameters) = match rest.split_once('?') {
        Some((address, parameters)) => (address, Some(parameters)),
        None => (rest, None),
    };
    let mut shown = format!("{scheme}://");
    match address.rsplit_once('@') {
        Some((user, host)) => {
            let (name, password) = user.split_once(':').map_or((user, ""), |(name, _)| (name, ":***"));
            shown.extend([name, password, "@", host]);
        }
        None => shown.push_str(address),
    }
    for (at, parameter) in parameters.iter().flat_map(|all| all.split('&')).enumerate() {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = if key.contains("password") { "***" } else { value };
        shown.extend([if at == 0 { "?" } else { "&" }, key, "=", value]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        StoreUrl::parse(text, Path::new("/etc/tollgate")).map(|url| url.to_string())
    }

    #[test]
    fn a_relative_path_is_relative_to_the_folder() {
        assert_eq!(parse("sqlite:data/ledger.db").unwrap(), "sqlite:/etc/tollgate/data/ledger.db");
        assert_eq!(parse("sqlite:/var/ledger.db").unwrap(), "sqlite:/var/ledger.db");
    }

    #[test]
    fn no_password_is_printed() {
        for (url, shown) in [
            ("postgres://u:secret@h:5432/db", "postgres://u:***@h:5432/db"),
            ("postgresql://u:s@cr@t@h/db", "postgresql://u:***@h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://h/db?user=u&password=secret", "postgres://h/db?user=u&password=***"),
            ("postgres:///db?host=/run/postgresql", "postgres:///db?host=/run/postgresql"),
        ] {
            assert_eq!(parse(url).unwrap(), shown);
            let url = StoreUrl::parse(url, Path::new("")).unwrap();
            assert!(!format!("{url:?}").contains("secret"));
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_would_be_right() {
        for bad in ["", "ledger.db", "mysql://h/db", "sqlite:", "sqlite://data/ledger.db", "postgres://"] {
            assert!(parse(bad).unwrap_err().contains("sqlite:"), "{bad}");
        }
    }
}
