//! Where a ledger is, as the configuration names it.

use std::fmt;
use std::ops::Range;
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

/// Returns a URL with `***` in place of what may be a password: after the user's name, and in a parameter. Of a URL that
/// can be read in several ways it shows what is no password in any of them.
fn without_passwords(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let hidden = passwords(rest);
    let mut shown = format!("{scheme}://");
    let mut was_hidden = false;
    for (at, letter) in rest.char_indices() {
        let is_hidden = hidden.iter().any(|password| password.contains(&at));
        if !is_hidden {
            shown.push(letter);
        } else if !was_hidden {
            shown.push_str("***");
        }
        was_hidden = is_hidden;
    }
    shown
}

/// Returns where passwords may stand in what follows a URL's scheme. An `@`, a `?` or a `&` may belong to one.
fn passwords(rest: &str) -> Vec<Range<usize>> {
    let of_user = rest.find(':').zip(rest.rfind('@')).map(|(colon, end)| colon + 1..end);
    let parameters = rest.match_indices(['?', '&']).filter_map(|(mark, _)| {
        let (key, value) = rest.get(mark + 1..)?.split_once('=')?;
        let value = value.split('&').next()?;
        let start = mark + key.len() + 2;
        key.to_ascii_lowercase().contains("pass").then_some(start..start + value.len())
    });
    of_user.into_iter().chain(parameters).collect()
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
            ("postgres://u:sec?ret@127.0.0.1:1/db", "postgres://u:***@127.0.0.1:1/db"),
            ("postgres://u:se?c@ret@h/db?a=b", "postgres://u:***@h/db?a=b"),
            ("postgres://u:s&password=x@h/db", "postgres://u:***"),
            ("postgres://u@h/db?password=sec@ret&a=b", "postgres://u@h/db?password=***&a=b"),
            ("postgres://u:secret@h/db?application_name=a@b", "postgres://u:***@b"),
            (
                "postgres://h/db?sslPassword=secret&passfile=secret",
                "postgres://h/db?sslPassword=***&passfile=***",
            ),
            ("postgres://h/db?sslmode", "postgres://h/db?sslmode"),
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
