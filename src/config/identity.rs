//! How callers are identified.

use super::settings::{choice, file, header};
use crate::sheet::Section;
use http::HeaderName;
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A way in which a caller can name its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A service key, as bearer token or `x-api-key`.
    Key,
    /// An AWS signature with an access key that tollgate issued.
    Signature,
    /// A client certificate.
    Certificate,
    /// The path prefix `/s/{service}`.
    Path,
    /// The identity header.
    Header,
}

impl Method {
    /// All ways, the strongest first.
    pub const ALL: [Self; 5] = [Self::Key, Self::Signature, Self::Certificate, Self::Path, Self::Header];

    /// Returns its name in the config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Signature => "sigv4",
            Self::Certificate => "mtls",
            Self::Path => "path",
            Self::Header => "header",
        }
    }
}

/// How callers are identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The accepted ways; at least one.
    pub methods: Vec<Method>,
    /// The identity header's name.
    pub header: HeaderName,
    /// From where each way is accepted; what has no entry here is accepted from everywhere.
    pub networks: Vec<(Method, Vec<IpNet>)>,
    /// The proxies whose `x-forwarded-for` tells where a call comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether a signature may leave the body out (`UNSIGNED-PAYLOAD`).
    pub allow_unsigned_payload: bool,
    /// The file of the keys that secrets in the services file are sealed with; as loaded, a relative path was joined to
    /// the config file's folder.
    pub secrets_key_file: Option<PathBuf>,
}

impl Identity {
    /// Tells whether a way is accepted at all.
    pub fn accepts(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }

    /// Tells whether a way is accepted from an address.
    pub fn accepts_from(&self, method: Method, address: Option<IpAddr>) -> bool {
        let networks = self.networks.iter().find(|(limited, _)| *limited == method);
        networks.is_none_or(|(_, networks)| {
            address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
        })
    }
}

impl Default for Identity {
    /// All ways, from everywhere, with the header `x-tollgate-service`.
    fn default() -> Self {
        Self {
            methods: Method::ALL.to_vec(),
            header: HeaderName::from_static("x-tollgate-service"),
            networks: Vec::new(),
            trusted_proxies: Vec::new(),
            allow_unsigned_payload: false,
            secrets_key_file: None,
        }
    }
}

/// Reads the section; what is wrong or absent keeps its default.
pub(super) fn read(mut section: Section<'_>, identity: &mut Identity, folder: &Path) {
    let ways = Method::ALL.map(|method| (method.name(), method));
    if let Some(methods) = section.read_list("methods", |word| choice(word, &ways)) {
        if methods.is_empty() {
            let names = Method::ALL.map(Method::name).join(", ");
            section.wrong_key("methods", format!("must hold at least one of {names}"));
        }
        identity.methods = methods;
    }
    section.read_text("header", &mut identity.header, header);
    let mut networks = section.section("networks");
    for method in Method::ALL {
        if let Some(accepted) = networks.read_list(method.name(), network) {
            identity.networks.push((method, accepted));
        }
    }
    networks.finish();
    identity.trusted_proxies = section.read_list("trusted_proxies", network).unwrap_or_default();
    section.read("allow_unsigned_payload", &mut identity.allow_unsigned_payload, Ok);
    section
        .read_text("secrets_key_file", &mut identity.secrets_key_file, |path| file(path, folder).map(Some));
    section.finish();
}

/// Reads a network, or an address as the network of it alone.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network
        .map_err(|_| format!("'{text}' is no network; one looks like 10.0.0.0/8, fd00::/8 or 192.0.2.7"))?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!("'{text}' has bits set beyond its prefix: write {}", network.trunc()))
    }
}
