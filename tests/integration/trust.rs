//! What AWS, or whoever answers in its place, makes of the gateway, and it of them: clocks and certificates.

use crate::program::{Running, Workplace};
use crate::socket::{Ask, Heard};
use crate::upstream::{Step, Upstream};
use rcgen::{CertificateParams, CertifiedKey, DnType, KeyPair, date_time_ymd};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_util::task::TaskTracker;

const SERVICES: &str = "[services.a.profiles]
'amazon.nova-lite-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p1'
";

/// Starts a gateway in front of an endpoint.
fn start(place: &Workplace, endpoint: &str, more: &[(&str, &str)]) -> (Running, std::net::SocketAddr) {
    let env = [
        ("TOLLGATE__LISTEN__DATA", "127.0.0.1:0"),
        ("TOLLGATE__LISTEN__ADMIN", "127.0.0.1:0"),
        ("TOLLGATE__LOG__ACCESS", "off"),
        ("TOLLGATE__UPSTREAM__ENDPOINT", endpoint),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    let gateway = place.start(&["serve"], &[&env, more].concat());
    let address = gateway.serving().parse().unwrap();
    (gateway, address)
}

fn ask(case: &str) -> Ask {
    Ask::new("/s/a/model/amazon.nova-lite-v1:0/converse", case)
}

fn refusal(date: &str) -> Vec<Step> {
    let body = r#"{"message":"Signature expired"}"#;
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: InvalidSignatureException\r\ndate: {date}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    vec![Step::Send(answer.into_bytes())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_named() {
    let (upstream, place) = (Upstream::start(), Workplace::with("", SERVICES));
    let (gateway, address) = start(&place, &upstream.endpoint(), &[]);
    let dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 06 Nov 2076 08:49:37 GMT"];
    for (case, date) in [("past", dates[0]), ("again", dates[0]), ("future", dates[1])] {
        upstream.script(case, refusal(date));
        let heard = ask(case).send(address).await;
        // The answer itself is AWS's own.
        assert!(heard.status == 403 && heard.body == br#"{"message":"Signature expired"}"#, "{heard:?}");
        assert!(heard.header("date") == date && heard.header("x-tollgate-error").is_empty(), "{heard:?}");
    }
    let warning = gateway.logged("AWS refuses a call, and this machine's clock is ahead of AWS's");
    assert!(warning["hint"].as_str().unwrap().starts_with("set this machine's clock"), "{warning}");
    assert_eq!(gateway.end_and_count("AWS refuses a call"), 0, "said more than once a minute");
    upstream.stop().await;
}

/// A TLS server on loopback that accepts connections with a certificate, and its URL by the name `localhost`.
async fn tls_server(certificate: &CertifiedKey<KeyPair>) -> String {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let chain = vec![certificate.cert.der().clone()];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    TaskTracker::new().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client refuses the certificate.
            let _ = acceptor.accept(stream).await;
        }
    });
    format!("https://localhost:{port}")
}

/// Returns a certificate that is its own CA, good for a host up to the end of a year.
fn self_signed(host: &str, until: i32) -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, format!("CA of {host}"));
    params.not_after = date_time_ymd(until, 12, 31);
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

/// Returns what a call says through a gateway that trusts one certificate, to a server that shows another.
async fn told(trusted: &CertifiedKey<KeyPair>, shown: &CertifiedKey<KeyPair>) -> String {
    let place = Workplace::with("", SERVICES);
    let bundle = place.path("ca.pem");
    std::fs::write(&bundle, trusted.cert.pem()).unwrap();
    let endpoint = tls_server(shown).await;
    let (gateway, address) = start(&place, &endpoint, &[("SSL_CERT_FILE", text(&bundle))]);
    let heard: Heard = ask("tls").send(address).await;
    assert_eq!((heard.status, heard.header("x-tollgate-error").as_str()), (503, "upstream_unreachable"));
    let body: serde_json::Value = serde_json::from_slice(&heard.body).unwrap();
    let message = body["message"].as_str().unwrap().to_owned();
    assert_eq!(gateway.logged("no answer of Bedrock's")["error"], message);
    message
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_accepted_is_named() {
    let (here, elsewhere, old) =
        (self_signed("localhost", 2100), self_signed("elsewhere.test", 2100), self_signed("localhost", 2001));
    let message = told(&elsewhere, &here).await;
    assert!(
        message.starts_with("Bedrock cannot be reached: its certificate is signed by no CA"),
        "{message}"
    );
    assert!(message.contains("upstream.ca_bundle"), "{message}");
    let message = told(&elsewhere, &elsewhere).await;
    assert!(
        message.contains("its certificate is for another host") && message.contains("elsewhere.test"),
        "{message}"
    );
    let message = told(&old, &old).await;
    assert!(message.contains("check this machine's clock, and renew the certificate"), "{message}");
}
