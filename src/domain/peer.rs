//! Who is at the other end of a client's connection, as far as the connection itself tells.

use super::ClientCertificate;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The other end of a client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address: the client's own, or that of the proxy before it.
    pub address: IpAddr,
    /// The client certificate that TLS has verified, if one was shown.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Peer {
    /// Returns whoever calls from an address, without a certificate.
    pub fn at(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), certificate: None }
    }
}

impl Default for Peer {
    /// Nobody: of no network.
    fn default() -> Self {
        Self::at(Ipv4Addr::UNSPECIFIED.into())
    }
}
