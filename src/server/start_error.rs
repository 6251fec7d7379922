//! Why a gateway does not start, and what to do about it.

use crate::forward::endpoint::EndpointError;
use crate::keys::KeyringError;
use crate::ledger::LedgerError;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key})")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The config's key for it.
        key: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// There are no CA certificates to tell Bedrock's by.
    #[error("cannot set up TLS towards Bedrock")]
    Tls(#[source] io::Error),
    /// A region has no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The ledger cannot be used as it is.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The keys of the services file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// A part of the gateway cannot be set up: a bug.
    #[error("cannot set up {0}: {1}")]
    Internal(&'static str, String),
}

impl StartError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Listen { address, key, source } => listen_hint(*address, key, source),
            Self::Tls(_) => "install the system's CA certificates (package ca-certificates), or name a \
                             bundle of them with upstream.ca_bundle or SSL_CERT_FILE"
                .to_owned(),
            Self::Endpoint(_) => {
                "check upstream.region, use_fips and use_dual_stack, and the regions of the \
                                  profiles' ARNs; upstream.endpoint serves any region"
                    .to_owned()
            }
            Self::Ledger(error) => error.hint(),
            Self::Keys(_) => "name the right secrets key with identity.secrets_key_file or TOLLGATE_SECRETS_KEY; a secret \
                              whose key is lost is revoked, and made anew (`tollgate keys revoke`, `keys create`)"
                .to_owned(),
            Self::Internal(..) => "this is a bug: report it with what `tollgate --version` prints".to_owned(),
        }
    }
}

fn listen_hint(address: SocketAddr, key: &str, error: &io::Error) -> String {
    let variable = format!("TOLLGATE__{}", key.to_ascii_uppercase().replace('.', "__"));
    let kind = error.kind();
    if kind == ErrorKind::AddrInUse {
        let other = SocketAddr::new(address.ip(), address.port().saturating_add(1));
        return format!(
            "another program has that port, perhaps another tollgate: stop it, or set {key} to another port, as in \
             {variable}={other}"
        );
    }
    if kind == ErrorKind::AddrNotAvailable {
        return format!(
            "this machine has no such address: set {key} to one that it has, or to 0.0.0.0 for all"
        );
    }
    if kind == ErrorKind::PermissionDenied {
        return format!(
            "ports below 1024 take a privilege: set {key} to a higher one, or grant CAP_NET_BIND_SERVICE"
        );
    }
    format!("set {key} to another address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_not_to_listen_has_its_hint() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        for (kind, expected) in [
            (ErrorKind::AddrInUse, "as in TOLLGATE__LISTEN__DATA=127.0.0.1:8081"),
            (ErrorKind::AddrNotAvailable, "set listen.data to one that it has"),
            (ErrorKind::PermissionDenied, "ports below 1024"),
            (ErrorKind::Other, "set listen.data to another address"),
        ] {
            let hint = listen_hint(address, "listen.data", &kind.into());
            assert!(hint.contains(expected), "{hint}");
        }
    }
}
