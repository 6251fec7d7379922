//! What goes upstream of a call, and what comes back of the answer.

use crate::bad_input::A;
use crate::gateway::{Answer, NOVA, TestGateway, converse_body};
use crate::wire::{Headers, Scripted, Wire, head, request};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest, Sha256};

fn line() -> String {
    format!("POST /model/{NOVA}/converse")
}

/// Returns all headers but `unless`, as `name: value`, sorted.
fn list(headers: &HeaderMap, unless: &[&str]) -> Vec<String> {
    let all = headers.iter().filter(|(name, _)| !unless.contains(&name.as_str()));
    let mut all: Vec<String> =
        all.map(|(name, value)| format!("{name}: {}", value.as_bytes().escape_ascii())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn headers_go_upstream_but_for_those_that_may_not() {
    let gateway = TestGateway::start().await;
    let body = converse_body("hi");
    let pass: Headers<'_> = &[
        ("accept", b"application/json"),
        ("amz-sdk-invocation-id", b"1"),
        ("anthropic-beta", b"one"),
        ("anthropic-beta", b"two"),
        ("content-type", b"application/json"),
        ("user-agent", b"my-app/1.0 lang/rust"),
        ("x-amzn-bedrock-trace", b"ENABLED"),
        ("x-amzn-trace-id", b"Root=1-2-3"),
        ("x-mine", b"caf\xc3\xa9"),
        ("x-mine", b"second"),
        ("x-sim-input-tokens", b"7"),
    ];
    let stay: Headers<'_> = &[
        A,
        ("accept-encoding", b"gzip, br"),
        ("authorization", b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request"),
        ("connection", b"keep-alive, X-Hop"),
        ("connection", b"x-hop-2"),
        ("keep-alive", b"timeout=5"),
        ("proxy-authorization", b"Basic eDp5"),
        ("proxy-connection", b"keep-alive"),
        ("proxy-mine", b"1"),
        ("te", b"trailers"),
        ("trailer", b"x-later"),
        ("upgrade", b"websocket"),
        ("x-amz-content-sha256", b"0000"),
        ("x-amz-date", b"20200101T000000Z"),
        ("x-amz-security-token", b"the client's"),
        ("x-api-key", b"sk-1"),
        ("x-hop", b"1"),
        ("x-hop-2", b"1"),
        ("x-tollgate-anything", b"1"),
        ("x-tollgate-labels", b"a=b"),
    ];
    let all: Vec<_> = stay.iter().chain(pass).copied().collect();
    let mut wire = Wire::connect(gateway.server.data()).await;
    wire.send(request(&line(), &all, body.as_bytes())).await;
    let answer = wire.answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = gateway.simulator.seen().remove(0);
    let host = gateway.simulator.address().to_string();
    let length = body.len().to_string();
    let own = [("accept-encoding", "identity"), ("content-length", &length), ("host", &host)];
    let mut expected: Vec<String> = own.map(|(name, value)| format!("{name}: {value}")).into();
    expected.extend(pass.iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii())));
    expected.sort();
    assert_eq!(list(&seen.headers, &["authorization", "x-amz-date"]), expected);
    let mine: Vec<_> = seen.headers.get_all("anthropic-beta").iter().collect();
    assert_eq!(mine, ["one", "two"]);
    let signed = seen.headers["authorization"].to_str().unwrap();
    assert!(signed.contains("Credential=AKIASIMULATOR/"), "{signed}");
    assert!(signed.contains("SignedHeaders=content-type;host;x-amz-date;x-amzn-bedrock-trace,"), "{signed}");
    assert_eq!(seen.headers.get_all("x-amz-date").iter().count(), 1);
    drop(wire);
    gateway.stop().await;
}

#[tokio::test]
async fn another_identity_header_takes_the_place_of_ours() {
    let gateway = TestGateway::start_with(&[("IDENTITY__HEADER", "x-team")]).await;
    let body = converse_body("hi");
    let ours = gateway.post(&format!("/model/{NOVA}/converse"), &[("x-tollgate-service", "a")], &body).await;
    assert_eq!(ours.header("x-tollgate-error"), "service_missing");
    let theirs = gateway.post(&format!("/model/{NOVA}/converse"), &[("x-team", "a")], &body).await;
    assert_eq!((theirs.status.as_u16(), theirs.header("x-tollgate-service").as_str()), (200, "a"));
    assert!(!gateway.simulator.seen()[0].headers.contains_key("x-team"));
    gateway.stop().await;
}

#[tokio::test]
async fn body_bytes_are_not_changed() {
    let gateway = TestGateway::start().await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    let mut seed = 42_u32;
    let mut sizes: Vec<usize> = vec![0, 1, 2, 1000, 16_384, 65_535, 65_536, 1_000_000, 8_000_000];
    sizes.extend((0..10).map(|_| usize::try_from(xorshift(&mut seed) % 200_000).unwrap()));
    for size in sizes {
        let body: Vec<u8> = (0..size).map(|_| xorshift(&mut seed).to_le_bytes()[0]).collect();
        let mut chunked = head(&line(), &[A, ("transfer-encoding", b"chunked")]);
        for chunk in body.chunks(size / 7 + 1) {
            chunked.extend(format!("{:x};ext=1\r\n", chunk.len()).into_bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\nx-trailer: 1\r\n\r\n");
        for bytes in [request(&line(), &[A], &body), chunked] {
            wire.send(bytes).await;
            // It is no JSON: that is Bedrock's to say.
            let answer = wire.answer().await;
            assert_eq!((answer.status.as_u16(), answer.header("x-tollgate-error").as_str()), (400, ""));
            let last = gateway.simulator.seen().pop().unwrap();
            assert_eq!(last.body_sha256, <[u8; 32]>::from(Sha256::digest(&body)), "{size}");
            assert_eq!(last.headers["content-length"], size.to_string().as_str());
            assert!(!last.headers.contains_key("transfer-encoding"));
            let record = gateway.record(&answer).await;
            assert_eq!((&record["outcome"], &record["status"]), (&"client_error".into(), &400.into()));
            assert_eq!(record["aws_request_id"], last.aws_request_id.as_str());
        }
    }
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    drop(wire);
    gateway.stop().await;
}

fn xorshift(seed: &mut u32) -> u32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    *seed
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is_with_three_headers_more() {
    let same = "HTTP/1.1 218 Odd\r\ncontent-type: application/json; x=y\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
        date: Fri, 02 Jan 2026 03:04:05 GMT\r\nserver: odd\r\nx-amzn-requestid: r-1\r\nx-empty:\r\n\
        x-high: \u{fc}\r\nx-Upper: CaSe\r\ncontent-encoding: gzip\r\nvia: 1.1 bedrock\r\ntrailer: x-t\r\n";
    let hop =
        "connection: keep-alive, x-hop\r\nkeep-alive: timeout=9\r\nx-hop: 1\r\nx-tollgate-profile: fake\r\n";
    let chunked =
        "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;e=1\r\ndefg\r\n0\r\nx-t: 1\r\n\r\n".to_owned();
    for body in ["content-length: 7\r\n\r\nabcdefg".to_owned(), chunked] {
        let upstream = Scripted::answering(format!("{same}{hop}{body}")).await;
        let gateway = TestGateway::start_with(&[("UPSTREAM__ENDPOINT", &upstream.endpoint())]).await;
        let mut wire = Wire::connect(gateway.server.data()).await;
        for _ in 0..2 {
            wire.send(request(&line(), &[A], b"{}")).await;
            let answer = wire.answer().await;
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (218, &b"abcdefg"[..]));
            let added = ["x-tollgate-request-id", "x-tollgate-service", "x-tollgate-profile"];
            assert!(added.iter().all(|name| answer.headers.get_all(*name).iter().count() == 1));
            assert!(answer.header("x-tollgate-profile").ends_with("/anova"));
            let framing = ["content-length", "transfer-encoding"];
            let unless: Vec<&str> = added.into_iter().chain(framing).collect();
            let mut expected: Vec<String> = same
                .lines()
                .skip(1)
                .map(|line| line.split_once(':').unwrap())
                .map(|(name, value)| {
                    format!("{}: {}", name.to_lowercase(), value.trim().as_bytes().escape_ascii())
                })
                .collect();
            expected.sort();
            assert_eq!(list(&answer.headers, &unless), expected);
            assert_eq!(gateway.record(&answer).await["aws_request_id"], "r-1");
        }
        drop(wire);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn old_and_new_http_get_the_same_answer() {
    let gateway = TestGateway::start().await;
    let body = converse_body("hi");
    for operation in ["converse", "converse-stream"] {
        let path = format!("/s/a/model/{NOVA}/{operation}");
        let steer = [("x-sim-split", "7"), ("x-sim-input-tokens", "1")];
        let plain = gateway.post(&path, &steer, &body).await;
        let h2 = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
        let sent =
            Request::post(gateway.url(&path)).header("x-sim-split", "7").header("x-sim-input-tokens", "1");
        let sent = sent.header("te", "trailers").body(Full::from(body.clone())).unwrap();
        let answer = h2.request(sent).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        let h2 = Answer::read(answer).await;
        let mut wire = Wire::connect(gateway.server.data()).await;
        let length = body.len();
        let sent = format!(
            "POST {path} HTTP/1.0\r\nx-sim-split: 7\r\nx-sim-input-tokens: 1\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        wire.send(sent).await;
        let old = wire.answer().await;
        assert!(!old.headers.contains_key("transfer-encoding"), "{old:?}");
        assert!(wire.is_closed().await, "HTTP/1.0 ends with the connection");
        for answer in [&h2, &old] {
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (plain.status, plain.header("content-type"))
            );
            assert_eq!(answer.body.len(), plain.body.len());
            assert_eq!(gateway.record(answer).await["usage"]["input_tokens"], 1);
        }
    }
    assert!(gateway.simulator.seen().iter().all(|seen| !seen.headers.contains_key("te")));
    gateway.stop().await;
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let gateway = TestGateway::start().await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    for _ in 0..50 {
        for (operation, status) in [("converse", 200), ("invoke-with-response-stream", 200), ("none", 404)] {
            let line = format!("POST /model/{NOVA}/{operation}");
            wire.send(request(&line, &[A], converse_body("hi").as_bytes())).await;
            let answer = wire.answer().await;
            assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        }
    }
    drop(wire);
    assert_eq!(gateway.records(100).await.len(), 100);
    gateway.stop().await;
}
