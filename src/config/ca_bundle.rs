//! CA certificates that are trusted beside the machine's own.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;

/// The certificates of a CA bundle; at least one, and each can be trusted. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    pem: Arc<[u8]>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl CaBundle {
    /// Reads a bundle; an error says what is wrong with the file, and what would be right.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let file = path.display();
        let pem = std::fs::read(path).map_err(|error| {
            format!("cannot read {file} ({error}): name a file of CA certificates that this user may read")
        })?;
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{file} is no valid PEM ({error}): take the certificates anew"))?;
        if certificates.is_empty() {
            return Err(format!(
                "{file} holds no certificate: use PEM, which begins with -----BEGIN CERTIFICATE-----; \
                 `openssl x509 -inform der` makes it of DER"
            ));
        }
        for (index, certificate) in certificates.iter().enumerate() {
            RootCertStore::empty().add(certificate.clone()).map_err(|error| {
                let number = index.saturating_add(1);
                format!("certificate {number} of {file} is none ({error}): leave it out, or take it anew")
            })?;
        }
        Ok(Self { pem: pem.into(), certificates: certificates.into() })
    }

    /// Returns the file's text.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// Returns the certificates.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}
