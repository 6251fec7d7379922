//! A CA, and a server's certificate that it has signed.

use crate::clock::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Date, Duration, OffsetDateTime};

/// How far before now certificates begin: clocks of clients may be behind.
const LEEWAY: Duration = Duration::hours(1);

/// What is to be made.
pub(super) struct Wish<'a> {
    /// What the server is found by; names and addresses.
    pub(super) names: &'a [String],
    /// How long both certificates hold.
    pub(super) days: u16,
}

/// What was made, in PEM.
pub(super) struct Made {
    pub(super) ca: String,
    pub(super) ca_key: String,
    pub(super) certificate: String,
    pub(super) key: String,
    /// The last day that both certificates hold on, at least in part.
    pub(super) ends_on: Date,
}

/// Makes keys and certificates anew.
pub(super) fn make(wish: &Wish<'_>) -> Result<Made, Error> {
    let now = Clock::system().utc();
    let (begins_at, ends_at) = (now - LEEWAY, now + Duration::days(wish.days.into()));
    let (ca_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
    let ca = CertifiedIssuer::self_signed(ca(begins_at, ends_at), ca_key)?;
    let certificate = server(wish.names, begins_at, ends_at)?.signed_by(&key, &ca)?;
    Ok(Made {
        ca: ca.pem(),
        ca_key: ca.key().serialize_pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        ends_on: ends_at.date(),
    })
}

fn ca(begins_at: OffsetDateTime, ends_at: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Its own name each time: clients that trust two of them do not take one for the other.
    let name = format!("tollgate trial CA {}", begins_at.unix_timestamp());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (begins_at, ends_at);
    params
}

fn server(
    names: &[String],
    begins_at: OffsetDateTime,
    ends_at: OffsetDateTime,
) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "tollgate");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python 3.13 refuses certificates without it.
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (begins_at, ends_at);
    Ok(params)
}
