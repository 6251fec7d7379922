//! Where a database is, and how a connection to it is made.

use super::StoreError;
use super::fault;
use super::tls;
use crate::ledger::store::StoreUrl;
use postgres::config::{Host, SslMode};
use postgres::{Client, Config};
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long an address may take to accept a connection, unless the URL says `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long what was sent may stay unacknowledged, unless the URL says `tcp_user_timeout`.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// After how long a silence the server's machine is probed, how often, and how many probes may be lost: one that has
/// vanished is noticed after a minute.
const PROBES: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// The idle time of a connection whose URL does not say `keepalives_idle`.
const UNSET_IDLE: Duration = Duration::from_hours(2);

/// The parameter for the CA certificates to trust, as libpq calls it.
const ROOT_CERTIFICATES: &str = "sslrootcert";

/// The address of a database.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    root_certificates: Option<PathBuf>,
    place: String,
}

impl Address {
    /// Reads a URL; `password` is used where it has none.
    pub(super) fn parse(url: &str, password: Option<&str>) -> Result<Self, StoreError> {
        let place = StoreUrl::Postgres(url.to_owned()).to_string();
        let (url, root_certificates) = without_libpq_terms(url);
        let wrong = |reason: String| StoreError::Unusable {
            place: place.clone(),
            reason,
            hint: "write postgres://user@host:5432/database, and put %40 for @, %3A for : and %2F for / \
                   in a user's name or password"
                .to_owned(),
        };
        let mut config: Config = url.parse().map_err(|error| wrong(fault::reason(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("its URL names no host".to_owned()));
        }
        complete(&mut config, password);
        Ok(Self { config, root_certificates, place })
    }

    /// Returns the URL without its password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Returns the database's name.
    pub(super) fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }

    /// Connects.
    pub(super) fn connect(&self) -> Result<Client, StoreError> {
        let has_tls = self.config.get_ssl_mode() != SslMode::Disable
            && self.config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
        let connected = if has_tls {
            let tls =
                tls::client(self.root_certificates.as_deref()).map_err(|reason| self.untrusting(reason))?;
            self.config.connect(MakeRustlsConnect::new(tls))
        } else {
            self.config.connect(postgres::NoTls)
        };
        connected.map_err(|error| fault::of(self, &error))
    }

    fn untrusting(&self, reason: String) -> StoreError {
        StoreError::Unusable {
            place: self.place.clone(),
            reason,
            hint: format!("name a PEM file of CA certificates with {ROOT_CERTIFICATES}=<file> in the URL"),
        }
    }
}

/// Takes out of a URL what only libpq knows: the file of CA certificates, and the modes of TLS that say in libpq's
/// words that the server's certificate is checked, as it always is here.
fn without_libpq_terms(url: &str) -> (String, Option<PathBuf>) {
    let Some((base, parameters)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut root_certificates = None;
    let mut kept = Vec::new();
    for parameter in parameters.split('&') {
        match parameter.split_once('=') {
            Some((ROOT_CERTIFICATES, path)) => root_certificates = Some(PathBuf::from(path)),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(parameter),
        }
    }
    let mark = if kept.is_empty() { "" } else { "?" };
    (format!("{base}{mark}{}", kept.join("&")), root_certificates)
}

/// Sets what the URL leaves open.
fn complete(config: &mut Config, password: Option<&str>) {
    if let (None, Some(password)) = (config.get_password(), password) {
        config.password(password);
    }
    if config.get_application_name().is_none() {
        config.application_name("tollgate");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    let (idle, interval, retries) = PROBES;
    if config.get_keepalives_idle() == UNSET_IDLE {
        config.keepalives_idle(idle);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(interval);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(retries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Address::parse(url, None) {
            Err(StoreError::Unusable { place, reason, .. }) => format!("{place}: {reason}"),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{url} is taken"),
        }
    }

    #[test]
    fn a_wrong_url_is_named_without_its_password() {
        let shown = refused("postgres://u:secret@h:port/db");
        assert_eq!(
            shown,
            "postgres://u:***@h:port/db: invalid connection string: invalid value for option `port`"
        );
        assert!(refused("postgres://h/db?sslmode=perhaps").contains("sslmode"));
        assert!(refused("postgres://h/db?colour=red").contains("colour"));
        assert!(refused("postgres:///db?user=u").contains("no host"));
    }

    #[test]
    fn the_password_of_the_url_goes_before_that_of_the_environment() {
        let password = |url| {
            let address = Address::parse(url, Some("other")).unwrap();
            String::from_utf8(address.config.get_password().unwrap().to_vec()).unwrap()
        };
        assert_eq!(password("postgres://u:own@h/db"), "own");
        assert_eq!(password("postgres://u@h/db"), "other");
    }

    #[test]
    fn what_only_libpq_knows_is_understood() {
        let url = "postgres://u@h/db?sslmode=verify-full&sslrootcert=/ca.pem&application_name=x";
        let address = Address::parse(url, None).unwrap();
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.root_certificates.as_deref(), Some(std::path::Path::new("/ca.pem")));
        assert_eq!(address.config.get_application_name(), Some("x"));
        let alone = Address::parse("postgres://u@h/db?sslrootcert=ca.pem", None).unwrap();
        assert_eq!(alone.config.get_dbname(), Some("db"));
    }

    #[test]
    fn what_the_url_leaves_open_is_set() {
        let address = Address::parse("postgres://u@h/db?connect_timeout=9", None).unwrap();
        assert_eq!(address.config.get_connect_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(address.config.get_tcp_user_timeout(), Some(&UNACKNOWLEDGED));
        assert_eq!(address.config.get_keepalives_idle(), PROBES.0);
    }
}
