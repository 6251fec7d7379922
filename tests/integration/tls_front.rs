//! TLS in front of an upstream of a test: certificates of a CA of its own, and what each handshake came to.

use crate::gateway::TestGateway;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{DEFAULT_VERSIONS, crypto::aws_lc_rs::default_provider};
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion, ServerConfig, SupportedProtocolVersion};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A CA, with its certificate in a file.
pub(crate) struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A TLS server that hands everything on to an upstream.
#[derive(Debug)]
pub(crate) struct TlsFront {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Handshake>>>,
    _stopping: DropGuard,
}

/// What a handshake came to, as the server sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Handshake {
    pub(crate) protocol: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) kind: Option<HandshakeKind>,
    pub(crate) version: Option<ProtocolVersion>,
}

/// What becomes of the TLS session when the upstream closes its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtTheEnd {
    /// It is closed in order, by a `close_notify`.
    Closed,
    /// Its connection is.
    Cut,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a private CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate: &rcgen::Certificate = issuer.as_ref();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Returns the file that holds its certificate.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns what a server of a host needs, with a certificate up to the end of a year.
    pub(crate) fn server(
        &self,
        host: &str,
        until: i32,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// Starts a server of `localhost` in front of an upstream.
    pub(crate) async fn front(&self, behind: SocketAddr, at_the_end: AtTheEnd) -> TlsFront {
        TlsFront::start(self.server("localhost", 2100, DEFAULT_VERSIONS), behind, at_the_end).await
    }

    /// Starts a gateway that trusts this CA, in front of an endpoint, with more variables of the environment.
    pub(crate) async fn gateway(&self, endpoint: &str, more: &[(&str, &str)]) -> TestGateway {
        let bundle = self.bundle();
        let own = [
            ("TOLLGATE__UPSTREAM__ENDPOINT", endpoint),
            ("TOLLGATE__UPSTREAM__CA_BUNDLE", bundle.to_str().unwrap()),
        ];
        let variables = own.iter().chain(more);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TestGateway::start_in("", variables).await
    }
}

impl TlsFront {
    pub(crate) async fn start(config: ServerConfig, behind: SocketAddr, at_the_end: AtTheEnd) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Arc::new(Mutex::new(Vec::new())));
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        let front = Self { address, seen: Arc::clone(&seen), _stopping: stopping.clone().drop_guard() };
        tasks.clone().spawn(async move {
            while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
                let (acceptor, seen, stopping) = (acceptor.clone(), Arc::clone(&seen), stopping.clone());
                let serving = serve(acceptor, accepted.unwrap().0, behind, at_the_end, seen);
                tasks.spawn(async move { stopping.run_until_cancelled(serving).await });
            }
        });
        front
    }

    /// Returns its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns its base URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.port())
    }

    /// Returns the handshakes that came about.
    pub(crate) fn handshakes(&self) -> Vec<Handshake> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    behind: SocketAddr,
    at_the_end: AtTheEnd,
    seen: Arc<Mutex<Vec<Handshake>>>,
) {
    // The gateway may refuse the certificate.
    let Ok(mut tls) = acceptor.accept(stream).await else { return };
    let session = tls.get_ref().1;
    seen.lock().unwrap().push(Handshake {
        protocol: session.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap()),
        name: session.server_name().map(str::to_owned),
        kind: session.handshake_kind(),
        version: session.protocol_version(),
    });
    let mut upstream = TcpStream::connect(behind).await.unwrap();
    match at_the_end {
        AtTheEnd::Closed => {
            // Whoever leaves first is what the test is about.
            let _ = copy_bidirectional(&mut tls, &mut upstream).await;
            let _ = tls.shutdown().await;
        }
        AtTheEnd::Cut => {
            let (mut tls_read, mut tls_write) = tokio::io::split(tls);
            let (mut read, mut write) = upstream.split();
            // Dropped without a shutdown, it sends no close_notify.
            tokio::select! {
                _ = tokio::io::copy(&mut read, &mut tls_write) => { let _ = tls_write.flush().await; }
                _ = tokio::io::copy(&mut tls_read, &mut write) => {}
            }
        }
    }
}
