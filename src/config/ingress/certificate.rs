//! A certificate with its intermediate CAs, and its private key.

use super::Wrong;
use crate::config::tls::CertificateFiles;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::time::Time;
use zeroize::Zeroizing;

/// A certificate that its key fits.
#[derive(Debug)]
pub(super) struct Certified {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) validity: Validity,
}

/// When a chain of certificates holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    /// When the last of them begins.
    pub(super) begins_at: OffsetDateTime,
    /// When the first of them ends.
    pub(super) ends_at: OffsetDateTime,
}

impl Certified {
    /// Reads both files; an error says what is wrong with them, and what would be right.
    pub(super) fn read(files: &CertificateFiles) -> Result<Self, Wrong<'_>> {
        let CertificateFiles { chain: chain_file, key: key_file } = files;
        let chain = read_chain(chain_file).map_err(|message| Wrong::new(message, &[chain_file]))?;
        let validity = Validity::of(&chain).ok_or_else(|| Wrong::new(is_none(chain_file), &[chain_file]))?;
        let key = read_key(key_file).map_err(|message| Wrong::new(message, &[key_file]))?;
        let key = any_supported_type(&key).map_err(|error| {
            let message = format!(
                "the key in {} cannot be used ({error}): use RSA, ECDSA or Ed25519",
                key_file.display()
            );
            Wrong::new(message, &[key_file])
        })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self { key: Arc::new(certified), validity })
            }
            Err(TlsError::InconsistentKeys(_)) => {
                let message = format!(
                    "the key in {} is not that of the first certificate in {}: put both in place together, the server's \
                     own certificate before those of its CAs",
                    key_file.display(),
                    chain_file.display()
                );
                Err(Wrong::new(message, &[chain_file, key_file]))
            }
            Err(error) => Err(Wrong::new(format!("{} ({error})", is_none(chain_file)), &[chain_file])),
        }
    }
}

impl Validity {
    /// Returns when all of a chain hold; `None` where one of them is no certificate.
    fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let parsed = chain.iter().map(|der| Certificate::from_der(der).ok());
        let parsed: Vec<Certificate> = parsed.collect::<Option<_>>()?;
        let validities = || parsed.iter().map(|certificate| &certificate.tbs_certificate.validity);
        Some(Self {
            begins_at: validities().map(|validity| utc(validity.not_before)).max()?,
            ends_at: validities().map(|validity| utc(validity.not_after)).min()?,
        })
    }
}

/// Returns a time of a certificate.
pub(super) fn utc(time: Time) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time.to_unix_duration()
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = file.display();
    let pem = std::fs::read(file).map_err(|error| {
        format!("cannot read {name} ({error}): name the file of the certificate, which this user may read")
    })?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{name} is no valid PEM ({error}): take the certificate anew"))?;
    if chain.is_empty() {
        return Err(format!(
            "{name} holds no certificate: use PEM, which begins with -----BEGIN CERTIFICATE-----"
        ));
    }
    Ok(chain)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let name = file.display();
    let pem = std::fs::read(file).map(Zeroizing::new).map_err(|error| {
        format!(
            "cannot read {name} ({error}): name the file of the certificate's key, which this user may read"
        )
    })?;
    if is_encrypted(&pem) {
        return Err(format!(
            "the key in {name} is encrypted: `openssl pkey -in {name} -out FILE` decrypts it; let nobody but this user \
             read that file"
        ));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        if matches!(error, PemError::NoItemsFound) {
            return format!(
                "{name} holds no private key: use PEM, which begins with -----BEGIN PRIVATE KEY-----, -----BEGIN RSA \
                 PRIVATE KEY----- or -----BEGIN EC PRIVATE KEY-----"
            );
        }
        format!("{name} is no valid PEM ({error}): take the key anew")
    })
}

/// Tells whether a key takes a passphrase (RFC 5958; RFC 1421, section 4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn is_none(file: &Path) -> String {
    format!("{} holds what is no certificate for TLS: take it anew", file.display())
}
