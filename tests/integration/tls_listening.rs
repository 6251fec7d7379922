//! TLS with clients: what is spoken, which certificate is shown, and what becomes of both when files change.

use crate::gateway::{DEADLINE, NOVA, TestGateway, converse_body, until};
use crate::pki::{HOLDS, Pki, TlsClient};
use crate::samples::streams;
use crate::socket::{Ask, Heard};
use crate::upstream::{Framing, Step, Upstream};
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{AlertDescription, Error as TlsError, SignatureScheme};

/// A CA with a certificate for `localhost`, in `a.crt` and `a.key`.
fn pki() -> Pki {
    let pki = Pki::new("a CA");
    pki.server("a", &["localhost"], &HOLDS);
    pki
}

/// Returns a config file that shows certificates of a CA.
fn config(pki: &Pki, stems: &[&str], more: &str) -> String {
    let pairs = stems.iter().map(|stem| {
        format!("\"{}\" = \"{}\"", pki.text(&format!("{stem}.crt")), pki.text(&format!("{stem}.key")))
    });
    let pairs: Vec<String> = pairs.collect();
    format!("[listen.tls]\ncertificates = {{ {} }}\n{more}\n", pairs.join(", "))
}

async fn start(pki: &Pki, more: &str, overrides: &[(&str, &str)]) -> TestGateway {
    TestGateway::start_configured(&config(pki, &["a"], more), overrides).await
}

fn converse() -> Ask {
    Ask::new(&format!("/s/a/model/{NOVA}/converse"), "0")
}

async fn send(ask: &Ask, client: &TlsClient, at: SocketAddr) -> Heard {
    let mut stream = client.connect(at).await.unwrap();
    stream.write_all(&ask.wire()).await.unwrap();
    Heard::read(stream).await
}

/// Returns the certificate that a client is shown which asks for a name.
async fn shown(client: &TlsClient, name: &str, at: SocketAddr) -> Vec<u8> {
    let stream = client.connect_to(name, at).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn failures(gateway: &TestGateway, plane: &str) -> u32 {
    let label = format!("plane=\"{plane}\"");
    gateway.sum("tollgate_tls_handshake_failures_total", &[&label]).await.to_string().parse().unwrap()
}

async fn failed(gateway: &TestGateway, count: u32) {
    tokio::time::timeout(DEADLINE, async {
        while failures(gateway, "data").await != count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

/// Returns the alert that a handshake ended with.
fn alert<T: std::fmt::Debug>(result: std::io::Result<T>) -> AlertDescription {
    let error = result.unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    let Some(TlsError::AlertReceived(alert)) = inner else { panic!("{error:?}") };
    *alert
}

#[tokio::test]
async fn the_protocol_is_chosen_by_alpn() {
    let pki = pki();
    let gateway = start(&pki, "", &[]).await;
    let at = gateway.server.data();
    let request = || {
        let request = Request::post(format!("https://localhost/s/a/model/{NOVA}/converse"));
        request.header("host", "localhost").body(Full::new(Bytes::from(converse_body("hi")))).unwrap()
    };
    let mut drivers = JoinSet::new();
    let stream = pki.trusting().offering("h2").offering("http/1.1").connect(at).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    drivers.spawn(async move { drop(connection.await) });
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    drop((sender, answer));
    for client in [pki.trusting().offering("http/1.1"), pki.trusting()] {
        let stream = client.connect(at).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        drivers.spawn(async move { drop(connection.await) });
        let answer = sender.send_request(request()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_11));
    }
    let refused = pki.trusting().offering("spdy/3").connect(at).await;
    assert_eq!(alert(refused), AlertDescription::NoApplicationProtocol);
    assert_eq!(failures(&gateway, "data").await, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn old_versions_are_refused() {
    let pki = pki();
    let gateway = start(&pki, "", &[]).await;
    let at = gateway.server.data();
    for version in [&TLS12, &TLS13] {
        let client = pki.trusting().speaking(version);
        assert_eq!(send(&converse(), &client, at).await.status, 200);
    }
    // A ClientHello of TLS 1.1 (RFC 4346): version, random, no session, a cipher suite, no compression.
    let hello = [&[0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    // A fatal alert, protocol_version or handshake_failure.
    assert!(told.len() == 7 && told[0] == 0x15 && told[5] == 2 && [70, 40].contains(&told[6]), "{told:?}");
    failed(&gateway, 1).await;
    gateway.stop().await;

    let gateway = start(&pki, "min_version = '1.3'", &[]).await;
    let at = gateway.server.data();
    let refused = pki.trusting().speaking(&TLS12).connect(at).await;
    assert_eq!(alert(refused), AlertDescription::ProtocolVersion);
    assert_eq!(send(&converse(), &pki.trusting(), at).await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn each_name_has_its_certificate() {
    let pki = pki();
    pki.server("b", &["*.b.test", "b.test"], &HOLDS);
    // What no client gets to see whose name fits no certificate.
    pki.server("c", &["127.0.0.1", "c.test"], &HOLDS);
    let gateway = TestGateway::start_configured(&config(&pki, &["c", "a", "b"], ""), &[]).await;
    let at = gateway.server.data();
    let client = pki.trusting();
    for (name, file) in [
        ("localhost", "a.crt"),
        ("b.test", "b.crt"),
        ("X.b.test", "b.crt"),
        ("c.test", "c.crt"),
        ("127.0.0.1", "c.crt"),
    ] {
        assert_eq!(shown(&client, name, at).await, pki.certificate(file).to_vec(), "{name}");
    }
    // The first, which is for another name, so that the client leaves.
    let error = client.connect_to("elsewhere.test", at).await.unwrap_err();
    assert!(error.to_string().contains("elsewhere.test"), "{error}");
    failed(&gateway, 1).await;
    gateway.stop().await;
}

#[tokio::test]
async fn each_client_is_shown_a_certificate_that_it_understands() {
    let pki = pki();
    pki.ed25519("e");
    let gateway = TestGateway::start_configured(&config(&pki, &["e", "a"], ""), &[]).await;
    let (at, modern) = (gateway.server.data(), pki.trusting());
    assert_eq!(shown(&modern, "localhost", at).await, pki.certificate("e.crt").to_vec());
    let old = pki.trusting().not_knowing(SignatureScheme::ED25519);
    assert_eq!(shown(&old, "localhost", at).await, pki.certificate("a.crt").to_vec());
    gateway.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_while_a_stream_goes_on() {
    let pki = pki();
    let gateway = start(&pki, "", &[]).await;
    let (at, client) = (gateway.server.data(), pki.trusting());
    let first = pki.certificate("a.crt").to_vec();
    let expires = |gateway: &TestGateway| {
        let text = String::from_utf8(gateway.server.gateway().metrics.render().unwrap()).unwrap();
        let line = text.lines().find(|line| line.starts_with("tollgate_tls_certificate_not_after")).unwrap();
        assert!(line.contains("plane=\"data\""), "{line}");
        line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap()
    };
    let before = expires(&gateway);
    let ask = Ask::new(&format!("/s/a/model/{NOVA}/converse-stream"), "0")
        .with("x-sim-pace-ms", "100")
        .with("x-sim-chunks", "25")
        .with("x-sim-output-tokens", "77");
    let mut stream = client.connect(at).await.unwrap();
    stream.write_all(&ask.wire()).await.unwrap();
    let begun = Heard::bytes_of_body(&mut stream, 1).await;
    let idle = client.connect(at).await.unwrap();

    pki.server("a", &["localhost"], &(-1..200));
    let renewed = pki.certificate("a.crt").to_vec();
    assert_ne!(first, renewed);
    until_shown(&client, at, &renewed).await;
    assert!(expires(&gateway) - before > 100 * 86_400);
    assert!(gateway.records(0).await.is_empty(), "the stream was to outlast the reload");
    let heard = Heard::read_on(stream, begun).await;
    assert!(heard.status == 200 && heard.ended_well(), "{heard:?}");
    assert_eq!(gateway.records(1).await[0]["usage"]["output_tokens"], 77);
    // Connections of before go on being served.
    assert_eq!(speak(converse(), idle).await.status, 200);

    // Broken files change nothing.
    let key = std::fs::read_to_string(pki.file("a.key")).unwrap();
    for (broken, count) in [("", "1"), ("-----BEGIN", "2")] {
        pki.put("a.key", broken);
        counted(&gateway, "failed", count).await;
        assert_eq!(shown(&client, "localhost", at).await, renewed);
    }
    pki.put("a.key", &key);
    counted(&gateway, "ok", "2").await;
    assert_eq!(shown(&client, "localhost", at).await, renewed);
    gateway.stop().await;
}

async fn speak(ask: Ask, mut stream: tokio_rustls::client::TlsStream<TcpStream>) -> Heard {
    stream.write_all(&ask.wire()).await.unwrap();
    Heard::read(stream).await
}

async fn until_shown(client: &TlsClient, at: SocketAddr, certificate: &[u8]) {
    tokio::time::timeout(DEADLINE, async {
        while shown(client, "localhost", at).await != certificate {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

/// Waits until as many reloads have come out so.
async fn counted(gateway: &TestGateway, result: &str, count: &str) {
    let line = format!("tollgate_config_reloads_total{{result=\"{result}\"}} {count}");
    let metrics = &gateway.server.gateway().metrics;
    until(|| {
        String::from_utf8(metrics.render().unwrap()).unwrap().lines().any(|found| found == line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn turning_tls_off_takes_a_restart() {
    let pki = pki();
    let gateway = start(&pki, "", &[]).await;
    std::fs::write(gateway.folder.path().join("tollgate.toml"), "").unwrap();
    counted(&gateway, "ok", "1").await;
    assert_eq!(send(&converse(), &pki.trusting(), gateway.server.data()).await.status, 200);
    gateway.stop().await;
    let gateway = TestGateway::start().await;
    std::fs::write(gateway.folder.path().join("tollgate.toml"), config(&pki, &["a"], "")).unwrap();
    counted(&gateway, "ok", "1").await;
    assert_eq!(converse().send(gateway.server.data()).await.status, 200);
    assert!(!gateway.metrics().await.keys().any(|name| name.contains("not_after")));
    gateway.stop().await;
}

#[tokio::test]
async fn whoever_comes_to_no_tls_is_left() {
    let pki = pki();
    let gateway = start(&pki, "", &[("LISTEN__HEADER_READ_TIMEOUT", "300ms")]).await;
    let at = gateway.server.data();
    let mut told = Vec::new();
    // Half a ClientHello.
    let mut slow = TcpStream::connect(at).await.unwrap();
    slow.write_all(&[0x16, 3, 1, 0, 200, 1, 0]).await.unwrap();
    assert_eq!(slow.read_to_end(&mut told).await.unwrap(), 0);
    failed(&gateway, 1).await;
    // HTTP is answered so that its client understands.
    let heard = converse().send(at).await;
    let message = String::from_utf8(heard.body.clone()).unwrap();
    assert!(heard.status == 400 && heard.ended_well() && message.contains("https://"), "{heard:?}");
    failed(&gateway, 2).await;
    // What is neither gets an alert.
    let mut other = TcpStream::connect(at).await.unwrap();
    other.write_all(b"\0\0\0\0\0\0\0\0").await.unwrap();
    other.read_to_end(&mut told).await.unwrap();
    assert_eq!(told.first(), Some(&0x15), "{told:?}");
    failed(&gateway, 3).await;
    // A load balancer that looks whether the port is open has done nothing wrong.
    for _ in 0..3 {
        drop(TcpStream::connect(at).await.unwrap());
    }
    assert_eq!(send(&converse(), &pki.trusting(), at).await.status, 200);
    assert_eq!(failures(&gateway, "data").await, 3);
    gateway.stop().await;
}

#[tokio::test]
async fn a_cut_answer_never_looks_whole() {
    let (pki, samples) = (pki(), streams().await);
    let upstream = Upstream::start();
    let gateway = start(&pki, "", &[("UPSTREAM__ENDPOINT", &upstream.endpoint())]).await;
    let (at, sample) = (gateway.server.data(), &samples[0]);
    // Within a message: nothing can be said any more.
    let place = sample.ends[0] + 5;
    for (number, framing) in [Framing::Chunks, Framing::Length].into_iter().enumerate() {
        for of in ["old", "new"] {
            let case = format!("{number}{of}");
            upstream.script(&case, sample.script(framing, place, Step::Reset));
            let ask = Ask::new(&sample.path, &case);
            let ask = if of == "old" { ask.of_old() } else { ask };
            let heard = send(&ask, &pki.trusting(), at).await;
            assert!(!heard.is_whole && heard.error == Some(ErrorKind::ConnectionReset), "{case}: {heard:?}");
        }
    }
    gateway.stop().await;
    upstream.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let pki = pki();
    let gateway = start(&pki, "", &[("LISTEN__WRITE_TIMEOUT", "300ms")]).await;
    let ask = Ask::new(&format!("/s/a/model/{NOVA}/converse-stream"), "0").of_old();
    let ask = ask.with("x-sim-text-bytes", "16000000").with("x-sim-chunks", "2000");
    let mut stream = pki.trusting().connect(gateway.server.data()).await.unwrap();
    stream.write_all(&ask.wire()).await.unwrap();
    let record = gateway.records(1).await.remove(0);
    assert!(record["outcome"] == "ok" && record["client_gone"] == true, "{record}");
    let heard = Heard::read(stream).await;
    assert!(!heard.is_whole && heard.error == Some(ErrorKind::ConnectionReset), "{:?}", heard.error);
    gateway.stop().await;
}

#[tokio::test]
async fn connections_end_in_order_when_the_gateway_stops() {
    let pki = pki();
    let gateway = start(&pki, "", &[]).await;
    let at = gateway.server.data();
    let ask = Ask::new(&format!("/s/a/model/{NOVA}/converse-stream"), "0");
    let ask = ask.with("x-sim-pace-ms", "50").with("x-sim-chunks", "10");
    let mut stream = pki.trusting().connect(at).await.unwrap();
    stream.write_all(&ask.wire()).await.unwrap();
    let begun = Heard::bytes_of_body(&mut stream, 1).await;
    // One that is in the middle of its handshake does not hold the end up.
    let half = TcpStream::connect(at).await.unwrap();
    let (records, heard) = tokio::join!(gateway.stop(), Heard::read_on(stream, begun));
    assert!(heard.status == 200 && heard.ended_well(), "{heard:?}");
    assert_eq!(records[0]["outcome"], "ok");
    drop(half);
}
