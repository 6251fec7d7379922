//! Clients that ask for nothing, or do not take what they asked for.

use crate::bad_input::A;
use crate::gateway::{DEADLINE, NOVA, TestGateway, converse_body};
use crate::socket::{Ask, Heard};
use crate::wire::{Wire, request};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const SHORT: [(&str, &str); 2] =
    [("LISTEN__HEADER_READ_TIMEOUT", "100ms"), ("LISTEN__IDLE_TIMEOUT", "300ms")];

#[tokio::test]
async fn an_idle_http2_connection_is_closed_though_it_answers_pings() {
    let gateway = TestGateway::start_with(&SHORT).await;
    let stream = TcpStream::connect(gateway.server.data()).await.unwrap();
    let (mut requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let ended = tokio::task::JoinSet::from_iter([async move { connection.await.is_ok() }]).join_all();
    let call = async {
        // The answer takes several idle timeouts, in which the connection is not idle.
        let asked = Instant::now();
        let request = Request::post(format!("http://gateway/s/a/model/{NOVA}/converse-stream"))
            .header("x-sim-pace-ms", "100")
            .header("x-sim-chunks", "10");
        let body = Full::new(Bytes::from(converse_body("hi")));
        let answer = requests.send_request(request.body(body).unwrap()).await.unwrap();
        assert!(answer.into_body().collect().await.is_ok());
        assert!(asked.elapsed() > Duration::from_secs(1));
        // The client does not close it.
        requests
    };
    let (_requests, ended) = timeout(DEADLINE, async { tokio::join!(call, ended) }).await.unwrap();
    assert_eq!(ended, [true]);
    assert_eq!(gateway.records(1).await[0]["outcome"], "ok");
    gateway.stop().await;
}

#[tokio::test]
async fn an_idle_http1_connection_is_closed() {
    let gateway = TestGateway::start_with(&SHORT).await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    wire.send(request(&format!("POST /model/{NOVA}/converse"), &[A], converse_body("hi").as_bytes())).await;
    assert_eq!(wire.answer().await.status, 200);
    assert!(timeout(DEADLINE, wire.is_closed()).await.unwrap());
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_does_not_hold_its_call_forever() {
    let gateway = TestGateway::start_with(&[("LISTEN__WRITE_TIMEOUT", "300ms")]).await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    let line = format!("POST /model/{NOVA}/converse-stream");
    // More than the sockets on the way take in.
    let headers = [A, ("x-sim-text-bytes", b"16000000"), ("x-sim-chunks", b"2000")];
    wire.send(request(&line, &headers, converse_body("hi").as_bytes())).await;
    let record = gateway.records(1).await.remove(0);
    assert!(record["outcome"] == "ok" && record["client_gone"] == true, "{record}");
    assert_eq!(record["usage"]["output_tokens"], 4_000_000);
    assert_eq!(gateway.sum("tollgate_client_gone_total", &[r#"action="drained""#]).await.to_string(), "1");
    drop(wire);
    gateway.stop().await;
}

#[tokio::test]
async fn http2_is_known_by_its_whole_preface() {
    let gateway = TestGateway::start_with(&SHORT).await;
    let mut stream = TcpStream::connect(gateway.server.data()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
    }
    // A SETTINGS frame comes first (RFC 9113, section 3.4).
    let mut frame = [0; 9];
    timeout(DEADLINE, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "{frame:?}");
    // Less of it is no head, and as late as one can be.
    let mut half = Wire::connect(gateway.server.data()).await;
    half.send("PRI * HTTP/2").await;
    assert!(timeout(DEADLINE, half.is_closed()).await.unwrap());
    drop((stream, half));
    gateway.stop().await;
}

/// A call whose answer is more than the sockets on the way take in.
const LARGE: [(&str, &str); 2] = [("x-sim-text-bytes", "16000000"), ("x-sim-chunks", "2000")];

#[tokio::test]
async fn an_http2_client_that_opens_no_window_does_not_hold_its_call_forever() {
    let gateway = TestGateway::start_with(&[("LISTEN__WRITE_TIMEOUT", "300ms")]).await;
    let stream = TcpStream::connect(gateway.server.data()).await.unwrap();
    let (mut requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let _driver = tokio::task::JoinSet::from_iter([connection]);
    let mut request = Request::post(format!("http://gateway/s/a/model/{NOVA}/converse-stream"));
    for (name, value) in LARGE {
        request = request.header(name, value);
    }
    let body = Full::new(Bytes::from(converse_body("hi")));
    let answer = requests.send_request(request.body(body).unwrap()).await.unwrap();
    let record = gateway.records(1).await.remove(0);
    assert!(record["outcome"] == "ok" && record["client_gone"] == true, "{record}");
    // The connection goes on.
    assert!(answer.into_body().collect().await.is_err());
    let request = Request::get("http://gateway/healthz").body(Full::default()).unwrap();
    assert_eq!(requests.send_request(request).await.unwrap().status(), 200);
    drop(requests);
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_client_of_old_does_not_read_in_time_never_looks_whole() {
    let path = format!("/s/a/model/{NOVA}/converse-stream");
    let ask = LARGE.iter().fold(Ask::new(&path, "0").of_old(), |ask, (name, value)| ask.with(name, value));
    let gateway = TestGateway::start_with(&[("LISTEN__WRITE_TIMEOUT", "300ms")]).await;
    let stream = ask.open(gateway.server.data()).await;
    gateway.records(1).await;
    assert!(Heard::read(stream).await.was_broken_off());
    gateway.stop().await;
    // The same at the gateway's end.
    let gateway = TestGateway::start_with(&[("LISTEN__SHUTDOWN_GRACE", "300ms")]).await;
    let mut stream = ask.open(gateway.server.data()).await;
    let mut first = [0; 1000];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(gateway.stop().await[0]["outcome"], "shutdown");
    assert!(Heard::read_on(stream, first.to_vec()).await.was_broken_off());
}

#[tokio::test]
async fn a_connection_is_idle_from_the_end_of_its_last_call() {
    let timeouts = [("LISTEN__HEADER_READ_TIMEOUT", "100ms"), ("LISTEN__IDLE_TIMEOUT", "2s")];
    let gateway = TestGateway::start_with(&timeouts).await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    // It ends shortly before the second look at the connection.
    let headers = [A, ("x-sim-pace-ms", b"380".as_slice()), ("x-sim-chunks", b"10")];
    let line = format!("POST /model/{NOVA}/converse-stream");
    wire.send(request(&line, &headers, converse_body("hi").as_bytes())).await;
    assert_eq!(wire.answer().await.status, 200);
    let ended = Instant::now();
    assert!(timeout(DEADLINE, wire.is_closed()).await.unwrap());
    assert!(ended.elapsed() > Duration::from_millis(1900), "{:?}", ended.elapsed());
    gateway.stop().await;
}

#[tokio::test]
async fn half_a_head_does_not_hold_up_the_end() {
    let gateway = TestGateway::start_with(&[("LISTEN__SHUTDOWN_GRACE", "20s")]).await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    wire.send("POST /mod").await;
    // It has been read once a later connection is served.
    assert_eq!(gateway.send(Method::GET, "/healthz", &[], Bytes::new()).await.status, 200);
    let told = Instant::now();
    gateway.stop().await;
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
}
