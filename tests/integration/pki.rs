//! Certificates of a test's own CA, in files, and clients that speak TLS.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, DEFAULT_VERSIONS, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

/// A CA, and a folder that it writes to.
pub(crate) struct Pki {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// When a certificate holds, in days from now.
pub(crate) type Days = std::ops::Range<i64>;

/// A certificate that holds.
pub(crate) const HOLDS: Days = -1..90;

/// A client: whom it trusts, and what it shows and speaks.
#[derive(Clone)]
pub(crate) struct TlsClient {
    roots: RootCertStore,
    certificate: Option<(PathBuf, PathBuf)>,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
    provider: CryptoProvider,
}

impl Pki {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(pki.file("ca.pem"), pki.issuer.pem()).unwrap();
        pki
    }

    /// Returns the path of a file; `ca.pem` is there.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the same as text, for a config file.
    pub(crate) fn text(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// Writes `{stem}.crt` and `{stem}.key` of a server.
    pub(crate) fn server(&self, stem: &str, names: &[&str], days: &Days) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(stem, params, days);
    }

    /// Writes `{stem}.crt` and `{stem}.key` of a client; its serial number is what a CRL names.
    pub(crate) fn client(&self, stem: &str, serial: u64, days: &Days) {
        let mut params = CertificateParams::new([format!("{stem}.internal")]).unwrap();
        let uri = format!("spiffe://corp.example/sa/{stem}");
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        self.issue(stem, params, days);
    }

    /// Writes `{stem}.crt` and `{stem}.key` of a server of `localhost`, whose key is for Ed25519.
    pub(crate) fn ed25519(&self, stem: &str) {
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        self.sign(stem, &params, &KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    }

    fn issue(&self, stem: &str, mut params: CertificateParams, days: &Days) {
        let at = |days: i64| OffsetDateTime::now_utc() + Duration::days(days);
        (params.not_before, params.not_after) = (at(days.start), at(days.end));
        self.sign(stem, &params, &KeyPair::generate().unwrap());
    }

    fn sign(&self, stem: &str, params: &CertificateParams, key: &KeyPair) {
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        // As it is to be done where a gateway looks: each file changes whole.
        self.put(&format!("{stem}.crt"), &certificate.pem());
        self.put(&format!("{stem}.key"), &key.serialize_pem());
    }

    /// Writes a CRL that lists serial numbers, and is out of date some days from now.
    pub(crate) fn revoke(&self, name: &str, serials: &[u64], until: i64) {
        let now = OffsetDateTime::now_utc();
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now - Duration::days(10),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now - Duration::days(10),
            next_update: now + Duration::days(until),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).unwrap();
        if Path::new(name).extension().is_some_and(|extension| extension == "der") {
            std::fs::write(self.file(name), list.der()).unwrap();
        } else {
            self.put(name, &list.pem().unwrap());
        }
    }

    /// Replaces a file.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let draft = self.file(&format!("{name}.new"));
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, self.file(name)).unwrap();
    }

    /// Returns the first certificate of a file.
    pub(crate) fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(name)).unwrap()
    }

    /// Returns a client that trusts the CA.
    pub(crate) fn trusting(&self) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        TlsClient {
            roots,
            certificate: None,
            versions: DEFAULT_VERSIONS.to_vec(),
            alpn: Vec::new(),
            provider: default_provider(),
        }
    }
}

impl TlsClient {
    /// The same, showing a certificate of a CA's.
    pub(crate) fn showing(mut self, pki: &Pki, stem: &str) -> Self {
        self.certificate = Some((pki.file(&format!("{stem}.crt")), pki.file(&format!("{stem}.key"))));
        self
    }

    /// The same, speaking this version alone.
    pub(crate) fn speaking(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// The same, offering a protocol.
    pub(crate) fn offering(mut self, protocol: &str) -> Self {
        self.alpn.push(protocol.as_bytes().to_vec());
        self
    }

    /// The same, not knowing a way to sign.
    pub(crate) fn not_knowing(mut self, scheme: SignatureScheme) -> Self {
        let known = &mut self.provider.signature_verification_algorithms;
        let others = known.mapping.iter().filter(|(found, _)| *found != scheme).copied();
        // Providers are made of what lives as long as the process.
        known.mapping = Vec::leak(others.collect());
        self
    }

    /// Connects to `localhost`.
    pub(crate) async fn connect(&self, at: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_to("localhost", at).await
    }

    /// Connects to a name; that of an address is not sent.
    pub(crate) async fn connect_to(
        &self,
        name: &str,
        at: SocketAddr,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider.clone()));
        let builder = builder.with_protocol_versions(&self.versions).unwrap();
        let builder = builder.with_root_certificates(self.roots.clone());
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TcpStream::connect(at).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}
