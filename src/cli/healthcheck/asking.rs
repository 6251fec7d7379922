//! One question to a gateway of this machine.

use super::Target;
use crate::config::TlsSettings;
use anyhow::Context as _;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What came of it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// Whether the answer came by a certificate of the config's files, or needed none.
    pub(super) is_known: bool,
}

/// Returns the certificates that a gateway shows by its files; what cannot be read is not among them.
pub(super) fn shown(tls: &TlsSettings) -> Vec<CertificateDer<'static>> {
    let first = |file| CertificateDer::pem_file_iter(file).ok()?.next()?.ok();
    tls.certificates.iter().filter_map(|files| first(&files.chain)).collect()
}

/// Asks.
pub(super) async fn ask(target: &Target) -> anyhow::Result<Answered> {
    let authority = target.url.authority().context("a URL with a host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let Some(certificates) = &target.certificates else {
        return Ok(Answered { status: get(stream, &target.url).await?, is_known: true });
    };
    // An address is not sent as a name (RFC 6066, section 3): the gateway shows its first certificate.
    let name = ServerName::from(host.parse().unwrap_or(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let stream = TlsConnector::from(Arc::new(config()?)).connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let is_known = shown.is_some_and(|shown| certificates.contains(shown));
    Ok(Answered { status: get(stream, &target.url).await?, is_known })
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    url: &Uri,
) -> anyhow::Result<StatusCode> {
    let host = url.authority().context("a URL with a host")?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(sender.send_request(request));
    tokio::select! {
        answer = &mut answer => Ok(answer?.status()),
        ended = &mut connection => {
            ended?;
            Ok(answer.await?.status())
        }
    }
}

fn config() -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(WhoeverAnswers(provider));
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Accepts whoever has the key of the certificate that it shows, for which name and by which CA ever: what listens on an
/// address of this machine is told no secret, and its certificate is compared afterwards.
#[derive(Debug)]
struct WhoeverAnswers(Arc<CryptoProvider>);

impl ServerCertVerifier for WhoeverAnswers {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
