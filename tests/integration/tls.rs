//! TLS towards upstream: what is offered, resumed, accepted and refused.

use crate::gateway::{NOVA, TestGateway};
use crate::socket::{Ask, Heard};
use crate::tls_front::{AtTheEnd, Ca, Handshake, TlsFront};
use crate::upstream::{Framing, Step, Upstream, end, head, piece};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use tokio_util::task::TaskTracker;

/// A whole answer, after which the connection is closed.
const LAST_ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
    content-length: 2\r\n\r\n{}";

pub(crate) fn ask(case: &str) -> Ask {
    Ask::new(&format!("/s/a/model/{NOVA}/converse"), case)
}

/// Returns the message of a call that upstream could not be reached for.
pub(crate) fn unreachable(heard: &Heard) -> String {
    let kind = (heard.status, heard.header("x-tollgate-error"));
    assert_eq!(kind, (503, "upstream_unreachable".to_owned()), "{heard:?}");
    let body: serde_json::Value = serde_json::from_slice(&heard.body).unwrap();
    body["message"].as_str().unwrap().to_owned()
}

fn address(upstream: &Upstream) -> SocketAddr {
    upstream.endpoint().strip_prefix("http://").unwrap().parse().unwrap()
}

/// Makes two calls on a connection each, and returns their handshakes.
async fn two_calls(version: &'static SupportedProtocolVersion) -> Vec<Handshake> {
    let (upstream, ca) = (Upstream::start(), Ca::new());
    upstream.script("last", vec![Step::Send(LAST_ANSWER.into()), Step::Close]);
    let config = ca.server("localhost", 2100, &[version]);
    let front = TlsFront::start(config, address(&upstream), AtTheEnd::Closed).await;
    let gateway = ca.gateway(&front.endpoint(), &[]).await;
    for _ in 0..2 {
        let heard = ask("last").send(gateway.server.data()).await;
        assert!(heard.status == 200 && heard.body == b"{}" && heard.ended_well(), "{heard:?}");
    }
    gateway.stop().await;
    upstream.stop().await;
    front.handshakes()
}

#[tokio::test]
async fn http_1_1_is_agreed_on_and_sessions_are_resumed() {
    for (version, protocol) in [(&TLS13, ProtocolVersion::TLSv1_3), (&TLS12, ProtocolVersion::TLSv1_2)] {
        let handshakes = two_calls(version).await;
        let kinds: Vec<_> = handshakes.iter().map(|one| one.kind.unwrap()).collect();
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed], "{handshakes:?}");
        for one in handshakes {
            assert_eq!(one.protocol.as_deref(), Some("http/1.1"), "{one:?}");
            assert_eq!((one.name.as_deref(), one.version), (Some("localhost"), Some(protocol)), "{one:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_knows_no_alpn_is_spoken_to() {
    let (upstream, ca) = (Upstream::start(), Ca::new());
    upstream.script("last", vec![Step::Send(LAST_ANSWER.into()), Step::Close]);
    let mut config = ca.server("localhost", 2100, &[&TLS13]);
    config.alpn_protocols.clear();
    let front = TlsFront::start(config, address(&upstream), AtTheEnd::Closed).await;
    let gateway = ca.gateway(&front.endpoint(), &[]).await;
    assert_eq!(ask("last").send(gateway.server.data()).await.status, 200);
    gateway.stop().await;
    upstream.stop().await;
}

/// Returns what a call says through a gateway that trusts `trusted`, to a server of a host with a certificate of
/// `issuer`'s.
async fn told(trusted: &Ca, issuer: &Ca, host: &str, until: i32) -> String {
    let upstream = Upstream::start();
    let config = issuer.server(host, until, &[&TLS13]);
    let front = TlsFront::start(config, address(&upstream), AtTheEnd::Closed).await;
    let gateway = trusted.gateway(&front.endpoint(), &[]).await;
    let message = unreachable(&ask("none").send(gateway.server.data()).await);
    assert_eq!(front.handshakes(), []);
    gateway.stop().await;
    upstream.stop().await;
    message
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let (ours, other) = (Ca::new(), Ca::new());
    let message = told(&ours, &other, "localhost", 2100).await;
    assert!(message.contains("name a bundle that holds that CA with upstream.ca_bundle"), "{message}");
    let message = told(&ours, &ours, "elsewhere.test", 2100).await;
    assert!(message.contains("its certificate is for another host"), "{message}");
    let message = told(&ours, &ours, "localhost", 2001).await;
    assert!(message.contains("check this machine's clock, and renew the certificate"), "{message}");
}

#[tokio::test]
async fn a_server_of_another_protocol_is_refused() {
    let (upstream, ca) = (Upstream::start(), Ca::new());
    let mut config = ca.server("localhost", 2100, &[&TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let front = TlsFront::start(config, address(&upstream), AtTheEnd::Closed).await;
    let gateway = ca.gateway(&front.endpoint(), &[]).await;
    let message = unreachable(&ask("none").send(gateway.server.data()).await);
    assert!(message.contains("TLS does not come about"), "{message}");
    gateway.stop().await;
    upstream.stop().await;
}

/// Returns what a call says to a server that answers whatever it hears with some bytes, and closes.
async fn told_by_bytes(answer: &[u8]) -> String {
    let answer = answer.to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The handshake's first message is taken, so that closing is no reset.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    let gateway = TestGateway::start_with(&[("UPSTREAM__ENDPOINT", &endpoint)]).await;
    let message = unreachable(&ask("none").send(gateway.server.data()).await);
    gateway.stop().await;
    message
}

#[tokio::test]
async fn what_is_no_tls_or_an_old_one_is_named() {
    let message = told_by_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert!(message.contains("what answers there speaks no TLS"), "{message}");
    // An alert, protocol_version, as servers answer that end at TLS 1.1.
    let message = told_by_bytes(&[0x15, 3, 2, 0, 2, 2, 70]).await;
    assert!(message.contains("let it speak TLS 1.2 or 1.3"), "{message}");
    // The same by a ServerHello of TLS 1.1: version, random, no session, a cipher suite, no compression.
    let hello = [&[0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[0; 32], &[0, 0, 0x2f, 0]].concat();
    let message = told_by_bytes(&hello).await;
    assert!(message.contains("let it speak TLS 1.2 or 1.3"), "{message}");
    let message = told_by_bytes(b"").await;
    assert!(message.starts_with("Bedrock cannot be reached: "), "{message}");
}

#[tokio::test]
async fn a_large_stream_comes_byte_for_byte() {
    let (upstream, ca) = (Upstream::start(), Ca::new());
    let body: Vec<u8> =
        (0..8_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut steps = vec![Step::Send(head("application/json", Framing::Chunks, body.len()))];
    steps.extend(body.chunks(70_001).map(|bytes| Step::Send(piece(Framing::Chunks, bytes))));
    steps.push(Step::Send(end(Framing::Chunks)));
    upstream.script("large", steps);
    let front = ca.front(address(&upstream), AtTheEnd::Closed).await;
    let gateway = ca.gateway(&front.endpoint(), &[]).await;
    for _ in 0..2 {
        let heard = ask("large").send(gateway.server.data()).await;
        assert!(
            heard.status == 200 && heard.ended_well() && heard.body == body,
            "{} bytes",
            heard.body.len()
        );
    }
    assert_eq!(front.handshakes().len(), 1, "the connection is kept");
    gateway.stop().await;
    upstream.stop().await;
}

#[tokio::test]
async fn signatures_hold_behind_tls() {
    let ca = Ca::new();
    let first = TestGateway::start().await;
    let front = ca.front(first.simulator.address(), AtTheEnd::Closed).await;
    let gateway = ca.gateway(&front.endpoint(), &[]).await;
    let heard = ask("sim").send(gateway.server.data()).await;
    assert_eq!((heard.status, first.simulator.bad_signatures()), (200, 0), "{heard:?}");
    gateway.stop().await;
    first.stop().await;
}
