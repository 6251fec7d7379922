//! Which certificate a client is shown.

use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use webpki::EndEntityCert;

/// Shows the first certificate that is for the name that a client asks for (RFC 6066, section 3), or else the first;
/// those whose kind of key the client does not know are left out.
#[derive(Debug)]
pub(super) struct ByName(Vec<Arc<CertifiedKey>>);

impl ByName {
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>) -> Self {
        Self(certificates)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_known =
            |certified: &&Arc<CertifiedKey>| certified.key.choose_scheme(hello.signature_schemes()).is_some();
        let mut known = self.0.iter().filter(is_known);
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let fitting = name.and_then(|name| known.clone().find(|certified| is_for(certified, &name)));
        fitting.or_else(|| known.next()).map(Arc::clone)
    }
}

fn is_for(certified: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = certified.end_entity_cert().ok().and_then(|der| EndEntityCert::try_from(der).ok());
    parsed.is_some_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
}
