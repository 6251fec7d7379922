//! Typed settings of the gateway and of its services: read once, checked whole, never read again by name.
//!
//! [`load`] reads the config file, and the services file and the prices that it names, all of them TOML, and reports
//! every mistake of all at once, each with its file, line and key.

mod ca_bundle;
mod egress;
mod file_read;
mod identity;
mod ingress;
mod keys;
mod load;
#[cfg(test)]
mod long_tests;
mod proxies;
mod rules;
mod secrets;
mod services;
mod sessions;
mod settings;
pub(crate) mod tags;
#[cfg(test)]
mod tests;
mod tls;

pub use crate::sheet::{Problem, Problems};
pub use ca_bundle::CaBundle;
pub use egress::{Egress, is_variable};
pub use file_read::{FileRead, FileState};
pub use identity::{Identity, Method};
pub use ingress::{AdminToken, Ingress, ServerTls};
pub(crate) use keys::moment;
pub use keys::{KeyLimits, KeySpec, Proof};
pub(crate) use load::load_looking;
pub use load::{Loaded, load, load_access, load_edited, load_files, load_secrets, load_settings};
pub use proxies::{Proxies, Proxy};
pub(crate) use services::{operation, pattern};
pub use tls::{CertificateFiles, ClientAuth, ClientTrust, TlsSettings, TlsVersion};

use crate::domain::{
    CertificateName, ModelId, ModelPattern, Operation, ProfileArn, Region, RoleArn, RoleSession, ServiceName,
};
use crate::keys::bearer_id;
use crate::ledger::journal::Fsync;
use crate::ledger::store::StoreUrl;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a gateway; [`Config::default`] holds the default of every key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Where it listens, and what it accepts.
    pub listen: Listen,
    /// Where it sends calls, and how long it waits.
    pub upstream: Upstream,
    /// How callers are identified.
    pub identity: Identity,
    /// Which services there are, and what fits none of their profiles.
    pub catalog: CatalogSettings,
    /// Where calls are recorded.
    pub ledger: LedgerSettings,
    /// What calls cost.
    pub prices: PriceSettings,
    /// What it writes about itself.
    pub log: Log,
}

/// Where the gateway listens, and what it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address of the data plane, which applications call; port 0 takes any free port.
    pub data: SocketAddr,
    /// The address of the admin plane, a loopback one unless there is a token; port 0 takes any free port.
    pub admin: SocketAddr,
    /// The file of the token that the admin plane asks for; as loaded, a relative path was joined to the config file's
    /// folder.
    pub admin_token_file: Option<PathBuf>,
    /// How the data plane speaks TLS; in clear where it is `None`.
    pub tls: Option<TlsSettings>,
    /// How the admin plane speaks TLS, without client certificates; in clear where it is `None`.
    pub admin_tls: Option<TlsSettings>,
    /// How many connections the data plane holds open at the same time, 1 to 1,000,000.
    pub max_connections: usize,
    /// How long a client may take to send a request's head; more than zero.
    pub header_read_timeout: Duration,
    /// How long a connection may wait for its next request: longer than SDKs and load balancers keep an idle one,
    /// since whoever closes first may lose a request that is on its way.
    pub idle_timeout: Duration,
    /// How long a client may take no byte of an answer that is ready for it.
    pub write_timeout: Duration,
    /// The longest request body, in bytes, 1 to 1,073,741,824.
    pub body_limit_bytes: u64,
    /// How long calls may go on after the gateway was told to stop; more than zero.
    pub shutdown_grace: Duration,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            data: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9090)),
            admin_token_file: None,
            tls: None,
            admin_tls: None,
            max_connections: 10_000,
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(350),
            write_timeout: Duration::from_mins(5),
            body_limit_bytes: 26_000_000,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// Where calls are sent, and how long the gateway waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The region of calls that leave without a profile; a profile's own region wins.
    pub region: Region,
    /// What serves every region in place of the regions' own endpoints: scheme, host and port, nothing else.
    pub endpoint: Option<http::Uri>,
    /// What serves Bedrock's control plane, STS and Cost Explorer for every region in place of AWS's own endpoints:
    /// scheme, host and port, nothing else.
    pub control_endpoint: Option<http::Uri>,
    /// Whether the FIPS endpoints are used; never together with `endpoint` or `control_endpoint`.
    pub use_fips: bool,
    /// Whether the dual-stack endpoints are used; never together with `endpoint` or `control_endpoint`.
    pub use_dual_stack: bool,
    /// A file of CA certificates that are trusted beside the machine's own; as loaded, a relative path was joined
    /// to the config file's folder.
    pub ca_bundle: Option<PathBuf>,
    /// How long connecting may take; more than zero.
    pub connect_timeout: Duration,
    /// How old a connection may become, more than zero; each goes up to a fifth earlier, by chance, and never within a call.
    pub connection_age: Duration,
    /// How many connections are kept open to each endpoint that has calls, 0 to 100.
    pub warm_connections: usize,
    /// How long no byte may arrive; more than zero. A call as a whole has no time limit.
    pub idle_timeout: Duration,
    /// What becomes of a call whose client went away.
    pub on_client_disconnect: OnClientDisconnect,
    /// How long such a call may still be read; more than zero.
    pub drain_timeout: Duration,
    /// How many bytes of such a call may still be read; at least 1.
    pub drain_limit_bytes: u64,
    /// The roles that calls with profiles of other accounts are signed with, each of the account that is its key.
    pub roles: BTreeMap<String, RoleArn>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            region: Region::default(),
            endpoint: None,
            control_endpoint: None,
            use_fips: false,
            use_dual_stack: false,
            ca_bundle: None,
            connect_timeout: Duration::from_secs(5),
            connection_age: Duration::from_mins(5),
            warm_connections: 2,
            idle_timeout: Duration::from_mins(65),
            on_client_disconnect: OnClientDisconnect::Drain,
            drain_timeout: Duration::from_mins(10),
            drain_limit_bytes: 67_108_864,
            roles: BTreeMap::new(),
        }
    }
}

/// What becomes of a call whose client went away. AWS bills it either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnClientDisconnect {
    /// It is read to its end, so that its usage is known.
    #[default]
    Drain,
    /// It is broken off, and its usage estimated.
    Cancel,
}

/// Which services there are, and what becomes of a model id that fits none of their profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSettings {
    /// The services file. As loaded, a relative path was joined to the config file's folder; the default is
    /// not joined to anything.
    pub services: PathBuf,
    /// What becomes of a model id that no profile of the service fits.
    pub unmapped_model: UnmappedModel,
    /// Other names for models, for every service; a service's own aliases win.
    pub aliases: BTreeMap<String, ModelId>,
    /// Whether application inference profiles are read from AWS, too.
    pub discover: bool,
    /// The tag of a profile that names its service: a key that AWS takes.
    pub service_tag: String,
    /// How long after one look at AWS the next one begins, 10 seconds or more; within a tenth of it, by chance.
    pub refresh: Duration,
    /// Where the last good look at AWS is kept for a start without it; as loaded, a relative path was joined to the
    /// config file's folder.
    pub snapshot: PathBuf,
    /// Regions to look in, beside `upstream.region` and those of the services file's profiles.
    pub regions: Vec<Region>,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        Self {
            services: PathBuf::from("services.toml"),
            unmapped_model: UnmappedModel::Reject,
            aliases: BTreeMap::new(),
            discover: false,
            service_tag: "Service".to_owned(),
            refresh: Duration::from_mins(5),
            snapshot: PathBuf::from("data/catalog.json"),
            regions: Vec::new(),
        }
    }
}

/// Where calls are recorded, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Whether they are recorded at all; metrics and the access log do not depend on it.
    pub enabled: bool,
    /// The folder of the journal; as loaded, a relative path was joined to the config file's folder.
    pub journal: PathBuf,
    /// When what is written to the journal is also on the disk.
    pub fsync: Fsync,
    /// What becomes of calls while the journal takes none.
    pub on_journal_failure: OnJournalFailure,
    /// How large the journal may grow while the store is away, in bytes; beyond that it takes no call.
    pub journal_limit_bytes: u64,
    /// Where records and their hourly sums are kept.
    pub store: StoreUrl,
    /// The labels that the hourly sums tell apart, at most 16: each multiplies their number by that of its values.
    pub label_keys: Vec<String>,
    /// How long records are kept; for ever where it is `None`.
    pub keep_records: Option<Duration>,
    /// How long hourly sums are kept; for ever where it is `None`.
    pub keep_rollups: Option<Duration>,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            journal: PathBuf::from("data/journal"),
            fsync: Fsync::Interval,
            on_journal_failure: OnJournalFailure::Refuse,
            journal_limit_bytes: 1 << 30,
            store: StoreUrl::Sqlite(PathBuf::from("data/ledger.db")),
            label_keys: Vec::new(),
            keep_records: Some(Duration::from_hours(400 * 24)),
            keep_rollups: None,
        }
    }
}

/// What becomes of calls while the journal takes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnJournalFailure {
    /// They are refused, so that nothing is spent unseen.
    #[default]
    Refuse,
    /// They go on; should the process die as well, they are lost to the ledger.
    Serve,
}

/// What calls cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceSettings {
    /// The file of prices that win over the built-in ones; as loaded, a relative path was joined to the config
    /// file's folder.
    pub overrides: Option<PathBuf>,
}

/// What the gateway writes about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What is logged: a level (`info`), or `target=level` directives, separated by commas.
    pub level: String,
    /// Where the access log goes, one line per call.
    pub access: AccessLog,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), access: AccessLog::Stdout }
    }
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// To the standard output.
    Stdout,
    /// Nowhere.
    Off,
    /// To a file; as loaded, a relative path was joined to the config file's folder.
    File(PathBuf),
}

/// What becomes of a model id that no profile of the service fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnmappedModel {
    /// The call is refused.
    #[default]
    Reject,
    /// The call is forwarded as asked, attributed in the ledger only.
    Passthrough,
    /// The profile is made, if the service may use the model, and then the call is forwarded under it.
    Provision,
}

/// The services, as a services file declares them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicesFile {
    /// One entry per service, in the order of the file.
    pub services: Vec<ServiceSpec>,
}

/// One service, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// The service's name.
    pub name: ServiceName,
    /// Its tags.
    pub tags: Arc<BTreeMap<String, String>>,
    /// The foundation models and system-defined profiles, by id, that it is to have a profile of; each once.
    pub models: Vec<ModelId>,
    /// Its profiles by source model.
    pub profiles: Vec<(ModelId, ProfileArn)>,
    /// What the model id `default` means.
    pub default_model: Option<ModelId>,
    /// Other names for models.
    pub aliases: BTreeMap<String, ModelId>,
    /// SHA-256 hashes of its service keys, each of a whole key as it is sent.
    pub key_sha256: Vec<[u8; 32]>,
    /// Its keys with an end, with limits, or with a secret.
    pub keys: Vec<KeySpec>,
    /// Operations beyond those that every service may use.
    pub allowed_operations: Vec<Operation>,
    /// The models that it may use, by patterns of their ids; none is all.
    pub allowed_models: Vec<ModelPattern>,
    /// Which client certificates are the service's, by the names that they certify.
    pub client_certificates: Vec<CertificateName>,
    /// The role that its calls are signed with, in a session of its own; of the account of its profiles.
    pub session_role: Option<RoleArn>,
    /// Whether its calls say in their request metadata whose they are.
    pub stamp_request_metadata: bool,
}

impl ServiceSpec {
    /// Returns the ids of all its keys.
    pub fn key_ids(&self) -> impl Iterator<Item = String> {
        self.key_sha256.iter().map(bearer_id).chain(self.keys.iter().map(|key| key.id.clone()))
    }

    /// Returns the session in which its calls are signed, if it has a role for that: its tags are those of the services
    /// file and, under `service_tag`, its name. Tags that profiles have in AWS are not among them, so that what the session
    /// has is what was checked.
    pub fn session(&self, service_tag: &str) -> Option<RoleSession> {
        let role = self.session_role.clone()?;
        let mut tags = BTreeMap::clone(&self.tags);
        tags.insert(service_tag.to_owned(), self.name.to_string());
        Some(RoleSession::of_service(role, &self.name, tags))
    }

    /// Returns a service of which nothing is said but its name.
    pub fn new(name: ServiceName) -> Self {
        Self {
            name,
            tags: Arc::default(),
            models: Vec::new(),
            profiles: Vec::new(),
            default_model: None,
            aliases: BTreeMap::new(),
            key_sha256: Vec::new(),
            keys: Vec::new(),
            allowed_operations: Vec::new(),
            allowed_models: Vec::new(),
            client_certificates: Vec::new(),
            session_role: None,
            stamp_request_metadata: false,
        }
    }
}
