//! How clients come in, beside what the config file says: shown which certificates, trusted by whom, with which token.

mod by_name;
mod certificate;
mod revocations;
#[cfg(test)]
mod tests;
mod token;

pub use token::AdminToken;

use super::Listen;
use super::ca_bundle::CaBundle;
use super::file_read::FileRead;
use super::tls::{CertificateFiles, ClientAuth, ClientTrust, TlsSettings, TlsVersion};
use crate::clock::Clock;
use crate::sheet::Sheet;
use by_name::ByName;
use certificate::Certified;
use revocations::Revocations;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::path::Path;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How soon a certificate's end is worth a warning.
const SOON: Duration = Duration::days(30);

/// How clients come in; by default in clear, and without a token.
#[derive(Debug, Clone, Default)]
pub struct Ingress {
    /// TLS on the data plane.
    pub data: Option<ServerTls>,
    /// TLS on the admin plane.
    pub admin: Option<ServerTls>,
    /// What the admin plane asks for.
    pub admin_token: Option<AdminToken>,
}

/// TLS of a listener, as its files are.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// How it is spoken.
    pub config: Arc<ServerConfig>,
    /// When the first of its certificates ends.
    pub ends_at: OffsetDateTime,
    /// When the first of its revocation lists is out of date, where one says so.
    pub revocations_end_at: Option<OffsetDateTime>,
}

impl Ingress {
    /// Returns what takes this one's place: whether there is TLS on a plane is settled by a start, and a token is never
    /// given up by a listener that may be bound where it needs one.
    #[must_use]
    pub fn succeeded_by(&self, new: &Self) -> Self {
        let tls = |old: &Option<ServerTls>, new: &Option<ServerTls>| {
            old.as_ref().map(|old| new.as_ref().unwrap_or(old).clone())
        };
        Self {
            data: tls(&self.data, &new.data),
            admin: tls(&self.admin, &new.admin),
            admin_token: new.admin_token.as_ref().or(self.admin_token.as_ref()).cloned(),
        }
    }
}

/// What is wrong with files, and with which.
#[derive(Debug)]
struct Wrong<'a> {
    message: String,
    files: Vec<&'a Path>,
}

impl<'a> Wrong<'a> {
    fn new(message: impl Into<String>, files: &[&'a Path]) -> Self {
        Self { message: message.into(), files: files.to_vec() }
    }
}

/// Reads the files that a listen section names, and returns which they are.
pub(super) fn read(listen: &Listen, sheet: &mut Sheet) -> (Ingress, Vec<FileRead>) {
    let now = Clock::system().utc();
    let mut reader = Reader { sheet, files: Vec::new(), now };
    let ingress = Ingress {
        data: listen.tls.as_ref().and_then(|tls| reader.tls("listen.tls", tls)),
        admin: listen.admin_tls.as_ref().and_then(|tls| reader.tls("listen.admin_tls", tls)),
        admin_token: listen.admin_token_file.as_deref().and_then(|file| reader.token(file)),
    };
    (ingress, reader.files)
}

struct Reader<'a> {
    sheet: &'a mut Sheet,
    files: Vec<FileRead>,
    now: OffsetDateTime,
}

impl Reader<'_> {
    fn tls(&mut self, section: &str, tls: &TlsSettings) -> Option<ServerTls> {
        let certificates: Vec<Option<Certified>> =
            tls.certificates.iter().map(|files| self.certificate(section, files)).collect();
        let trust = tls.clients.as_ref().map(|clients| self.clients(section, clients));
        // All are looked at, so that all mistakes are told.
        let certificates: Vec<Certified> = certificates.into_iter().collect::<Option<_>>()?;
        let (verifier, revocations_end_at) = match trust {
            Some(trust) => {
                let trust = trust?;
                (Some(trust.verifier), trust.revocations_end_at)
            }
            None => (None, None),
        };
        let ends_at = certificates.iter().map(|certified| certified.validity.ends_at).min()?;
        let keys = certificates.into_iter().map(|certified| certified.key).collect();
        match configure(tls.min_version, ByName::new(keys), verifier) {
            Ok(config) => Some(ServerTls { config: Arc::new(config), ends_at, revocations_end_at }),
            Err(error) => {
                self.sheet.wrong_key(section, format!("TLS cannot be set up: {error}"));
                None
            }
        }
    }

    fn certificate(&mut self, section: &str, files: &CertificateFiles) -> Option<Certified> {
        let key = format!("{section}.certificates");
        self.files.extend([&files.chain, &files.key].map(|file| FileRead::begin(file)));
        let certified = Certified::read(files);
        let certified = self.keep(&key, certified)?;
        let (chain, validity) = (files.chain.display(), &certified.validity);
        if self.now < validity.begins_at {
            let begins = validity.begins_at.date();
            self.sheet
                .warn_key(&key, format!("{chain} holds only from {begins} on: check this machine's clock"));
        } else if validity.ends_at <= self.now {
            let message = format!(
                "{chain} has ended on {}, and clients refuse it: renew it; a new one is taken up at once",
                validity.ends_at.date()
            );
            self.sheet.warn_key(&key, message);
        } else if validity.ends_at - self.now < SOON {
            let days = (validity.ends_at - self.now).whole_days();
            let message = format!("{chain} ends on {}, in {days} days: renew it", validity.ends_at.date());
            self.sheet.warn_key(&key, message);
        }
        Some(certified)
    }

    fn clients(&mut self, section: &str, clients: &ClientTrust) -> Option<Trust> {
        let key = format!("{section}.client_ca");
        self.files.push(FileRead::begin(&clients.ca));
        let bundle = CaBundle::read(&clients.ca).map_err(|message| Wrong::new(message, &[&clients.ca]));
        let bundle = self.keep(&key, bundle);
        let lists: Vec<Option<Revocations>> =
            clients.crl.iter().map(|file| self.revocations(section, file)).collect();
        let lists: Vec<Revocations> = lists.into_iter().collect::<Option<_>>()?;
        let revocations_end_at = lists.iter().filter_map(|list| list.ends_at).min();
        let verifier = verifier(&bundle?, lists, clients.auth);
        let verifier = self.keep(&key, verifier.map_err(|error| Wrong::new(error, &[&clients.ca])))?;
        Some(Trust { verifier, revocations_end_at })
    }

    fn revocations(&mut self, section: &str, file: &Path) -> Option<Revocations> {
        let key = format!("{section}.client_crl");
        self.files.push(FileRead::begin(file));
        let revocations = self.keep(&key, Revocations::read(file))?;
        if let Some(ended) = revocations.ends_at.filter(|ends_at| *ends_at <= self.now) {
            let message = format!(
                "{} is out of date since {}: what it lists stays refused, what was revoked since is not; take a new one",
                file.display(),
                ended.date()
            );
            self.sheet.warn_key(&key, message);
        }
        Some(revocations)
    }

    fn token(&mut self, file: &Path) -> Option<AdminToken> {
        const KEY: &str = "listen.admin_token_file";
        self.files.push(FileRead::begin(file));
        let token = AdminToken::read(file).map_err(|message| Wrong::new(message, &[file]));
        let token = self.keep(KEY, token)?;
        if token::is_open_to_all(file) {
            let file = file.display();
            self.sheet.warn_key(
                KEY,
                format!("{file} can be read by every user of this machine: `chmod o-r {file}`"),
            );
        }
        Some(token)
    }

    /// Returns what was read, or takes note of what is wrong with it.
    fn keep<T>(&mut self, key: &str, read: Result<T, Wrong<'_>>) -> Option<T> {
        read.map_err(|wrong| {
            let problem = self.sheet.problem_of(key, wrong.message).about(&wrong.files);
            self.sheet.problems.push(problem);
        })
        .ok()
    }
}

/// Whose client certificates are accepted.
struct Trust {
    verifier: Arc<dyn ClientCertVerifier>,
    revocations_end_at: Option<OffsetDateTime>,
}

fn verifier(
    bundle: &CaBundle,
    lists: Vec<Revocations>,
    auth: ClientAuth,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.certificates().iter().cloned());
    let provider = Arc::new(default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists.into_iter().flat_map(|list| list.lists));
    let builder = match auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        ClientAuth::Required => builder,
    };
    builder.build().map_err(|error| format!("client certificates cannot be verified: {error}"))
}

fn configure(
    min_version: TlsVersion,
    certificates: ByName,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[&SupportedProtocolVersion] = match min_version {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(versions)?;
    let asks_clients = verifier.is_some();
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if asks_clients {
        // A resumed session would not be asked whether its certificate still holds.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}
