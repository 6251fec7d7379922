//! Calls to upstream over TLS: by the gateway's own HTTP/1.1 client and by hyper's HTTP/2 client, and what a handshake
//! costs, whole and resumed. `cargo bench --bench upstream -- SECONDS`; CPU is that of the client's thread alone.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up is to fail")]
#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::float_arithmetic, reason = "figures are for people")]
#![expect(clippy::as_conversions, reason = "figures are for people")]
#![expect(clippy::cast_precision_loss, reason = "figures are for people")]

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tollgate::clock::Clock;
use tollgate::config::load;
use tollgate::forward::{Client, Endpoint, Outbound, RequestHead};
use tollgate::metrics::Metrics;

/// What a request carries, and what an answer does.
const SENT: &[u8] = &[b'q'; 1024];
const ANSWERED: &[u8] = &[b'a'; 600];

/// Headers as a signed call has them.
const HEADERS: [(&str, &str); 8] = [
    ("host", "localhost"),
    ("content-type", "application/json"),
    ("content-length", "1024"),
    ("accept-encoding", "identity"),
    (
        "user-agent",
        "Boto3/1.35.39 md/Botocore#1.35.39 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.10.12",
    ),
    ("x-amz-date", "20261126T120000Z"),
    ("amz-sdk-invocation-id", "5f0ac1d4-3d3d-4e63-8a4f-2f3c0c3b1a11"),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/us-west-2/bedrock/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    ),
];

const PATH: &str =
    "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fp1/converse";

/// Who makes the calls.
enum Caller {
    Own(Client, Arc<Endpoint>),
    Hyper(Vec<SendRequest<Full<Bytes>>>),
}

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let address = serve(&certificate);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        handshakes(&certificate, address).await;
        versions(&certificate, address, Duration::from_secs(seconds)).await;
    });
}

async fn versions(certificate: &CertifiedKey<rcgen::KeyPair>, address: SocketAddr, each: Duration) {
    let tls = TlsConnector::from(Arc::new(client_config(certificate, b"h2", Resumption::default())));
    let mut callers = vec![("HTTP/1.1, own client".to_owned(), own(certificate, address))];
    for connections in [1, 4] {
        let mut requests = Vec::new();
        for _ in 0..connections {
            requests.push(http2(&tls, address).await);
        }
        callers.push((format!("HTTP/2, hyper, {connections} connections"), Caller::Hyper(requests)));
    }
    let callers: Vec<(String, Arc<Caller>)> =
        callers.into_iter().map(|(name, caller)| (name, Arc::new(caller))).collect();
    for at_once in [1, 32, 128] {
        let mut rows: Vec<Vec<(f64, f64, u128, u128)>> = vec![Vec::new(); callers.len()];
        for round in 0..6 {
            for (row, (_, caller)) in rows.iter_mut().zip(&callers) {
                let figures = calls(caller, at_once, each).await;
                // The first is for warming up.
                if round > 0 {
                    row.push(figures);
                }
            }
        }
        for (mut row, (name, _)) in rows.into_iter().zip(&callers) {
            row.sort_by(|one, other| one.0.total_cmp(&other.0));
            let (cpu, rate, middle, late) = row.swap_remove(row.len() / 2);
            println!(
                "{at_once:>4} at once  {name:32} {cpu:6.1} us CPU  {rate:8.0}/s  p50 {middle} us  p99 {late} us"
            );
        }
    }
}

/// Makes calls for a while; returns CPU per call in microseconds, calls per second, and latencies in microseconds.
async fn calls(caller: &Arc<Caller>, at_once: usize, lasting: Duration) -> (f64, f64, u128, u128) {
    let (began, cpu) = (now(), thread_cpu());
    let mut tasks = JoinSet::new();
    for number in 0..at_once {
        let caller = Arc::clone(caller);
        tasks.spawn_local(async move {
            let mut latencies = Vec::new();
            loop {
                let sent = now();
                caller.call(number).await;
                latencies.push(sent.elapsed().as_micros());
                if began.elapsed() > lasting {
                    return latencies;
                }
            }
        });
    }
    let mut latencies: Vec<u128> = tasks.join_all().await.concat();
    let (cpu, took, count) = (thread_cpu() - cpu, began.elapsed(), latencies.len());
    latencies.sort_unstable();
    let at = |percent| latencies.get(count * percent / 100).copied().unwrap_or_default();
    (cpu as f64 / 1000.0 / count as f64, count as f64 / took.as_secs_f64(), at(50), at(99))
}

impl Caller {
    async fn call(&self, number: usize) {
        let headers: HeaderMap = HEADERS
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        let body = Bytes::from_static(SENT);
        let answered = match self {
            Self::Own(client, endpoint) => {
                let mut head = RequestHead::new(&Method::POST, &PATH.to_owned().into(), None);
                for (name, value) in &headers {
                    head.line(name.as_str(), value.as_bytes());
                }
                let request = Outbound::new(head, vec![body]);
                let answer = client.call(endpoint, request).await.unwrap();
                answer.into_body().collect().await.unwrap().to_bytes()
            }
            Self::Hyper(connections) => {
                let mut connection = connections.get(number % connections.len()).unwrap().clone();
                let mut request =
                    Request::post(format!("https://localhost{PATH}")).body(Full::new(body)).unwrap();
                *request.headers_mut() = headers;
                connection
                    .send_request(request)
                    .await
                    .unwrap()
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
            }
        };
        assert_eq!(answered.len(), ANSWERED.len());
    }
}

fn own(certificate: &CertifiedKey<rcgen::KeyPair>, address: SocketAddr) -> Caller {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(folder.path().join("services.toml"), "").unwrap();
    std::fs::write(folder.path().join("tollgate.toml"), "upstream.ca_bundle = 'ca.pem'").unwrap();
    let loaded = load(&folder.path().join("tollgate.toml"), Vec::new()).unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let client = Client::new(&loaded.config.upstream, &loaded.egress, Clock::system(), metrics).unwrap();
    let origin = format!("https://localhost:{}", address.port());
    let uri = origin.parse().unwrap();
    let endpoint = Endpoint { uri, origin: origin.into(), host: HeaderValue::from_static("localhost") };
    Caller::Own(client, Arc::new(endpoint))
}

async fn connect(tls: &TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    tls.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

async fn http2(tls: &TlsConnector, address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let io = TokioIo::new(connect(tls, address).await);
    let (requests, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::task::spawn_local(connection);
    requests
}

fn client_config(
    certificate: &CertifiedKey<rcgen::KeyPair>,
    protocol: &[u8],
    resumption: Resumption,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = resumption;
    config
}

/// Measures handshakes, each followed by one HTTP/1.1 call, since tickets come with the first answer.
async fn handshakes(certificate: &CertifiedKey<rcgen::KeyPair>, address: SocketAddr) {
    for (name, resumption) in
        [("whole", Resumption::disabled()), ("resumed", Resumption::in_memory_sessions(512))]
    {
        let config = Arc::new(client_config(certificate, b"http/1.1", resumption));
        let tls = TlsConnector::from(config);
        let (mut spent, mut took, count) = (0, Duration::ZERO, 500);
        for round in 0..=count {
            let (began, cpu) = (now(), thread_cpu());
            let stream = connect(&tls, address).await;
            let (cpu, lasted) = (thread_cpu() - cpu, began.elapsed());
            if round > 0 {
                (spent, took) = (spent + cpu, took + lasted);
            }
            let (mut requests, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            let driving = tokio::task::spawn_local(connection);
            let request = Request::post("/").header("host", "localhost");
            let request = request.body(Full::new(Bytes::from_static(SENT))).unwrap();
            requests.send_request(request).await.unwrap().into_body().collect().await.unwrap();
            drop(requests);
            driving.await.unwrap().unwrap();
        }
        let (cpu, took) =
            (spent as f64 / 1000.0 / f64::from(count), took.as_secs_f64() * 1e6 / f64::from(count));
        println!("a {name} handshake with TCP: {cpu:.0} us CPU, {took:.0} us");
    }
}

/// Serves in a thread of its own.
fn serve(certificate: &CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let chain = vec![certificate.cert.der().clone()];
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
                });
            }
        });
    });
    told.recv().unwrap()
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), SENT.len());
    Ok(Response::new(Full::new(Bytes::from_static(ANSWERED))))
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

/// Returns the CPU time of this thread, in nanoseconds.
fn thread_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
