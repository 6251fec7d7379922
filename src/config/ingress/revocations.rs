//! Lists of revoked certificates.

use super::Wrong;
use super::certificate::utc;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use time::OffsetDateTime;
use webpki::BorrowedCertRevocationList;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

/// What begins a list in DER: a SEQUENCE.
const DER: u8 = 0x30;

/// The lists of a file.
#[derive(Debug)]
pub(super) struct Revocations {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    /// When the first of them is out of date, where one says so.
    pub(super) ends_at: Option<OffsetDateTime>,
}

impl Revocations {
    /// Reads a file; an error says what is wrong with it, and what would be right.
    pub(super) fn read(file: &Path) -> Result<Self, Wrong<'_>> {
        read(file).map_err(|message| Wrong::new(message, &[file]))
    }
}

fn read(file: &Path) -> Result<Revocations, String> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| {
        format!("cannot read {name} ({error}): name a file of revoked certificates that this user may read")
    })?;
    let lists: Vec<CertificateRevocationListDer<'static>> = if bytes.first() == Some(&DER) {
        vec![bytes.into()]
    } else {
        CertificateRevocationListDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{name} is no valid PEM ({error}): take the list anew"))?
    };
    if lists.is_empty() {
        return Err(format!(
            "{name} holds no list of revoked certificates: use DER, or PEM, which begins with -----BEGIN X509 CRL-----"
        ));
    }
    let mut ends_at: Option<OffsetDateTime> = None;
    for list in &lists {
        let parsed = CertificateList::from_der(list)
            .map_err(|error| format!("{name} is no list of revoked certificates ({error}): take it anew"))?;
        BorrowedCertRevocationList::from_der(list).map_err(|error| {
            format!("{name} is a list that cannot be used ({error}): take a whole, direct one")
        })?;
        let next = parsed.tbs_cert_list.next_update.map(utc);
        ends_at = [ends_at, next].into_iter().flatten().min();
    }
    Ok(Revocations { lists, ends_at })
}
