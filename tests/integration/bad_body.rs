//! Bodies that are too long, cut or malformed, and HTTP that is none.

use crate::bad_input::{A, Refusing, TOO_LARGE, UNKNOWN, UNREADABLE};
use crate::gateway::{NOVA, TestGateway, converse_body};
use crate::wire::{Headers, Wire, head, request};
use serde_json::json;
use sha2::{Digest, Sha256};

const EXPECT: (&str, &[u8]) = ("expect", b"100-continue");
const CHUNKED: (&str, &[u8]) = ("transfer-encoding", b"chunked");
/// A limit that a body comes to soon.
const SMALL: [(&str, &str); 1] = [("LISTEN__BODY_LIMIT_BYTES", "1000")];

fn line() -> String {
    format!("POST /model/{NOVA}/converse")
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn a_body_that_is_declared_too_long_is_refused_before_it_comes() {
    let mut refusing = Refusing::start(&SMALL).await;
    for length in [&b"1001"[..], b"9223372036854775807"] {
        for expect in [false, true] {
            let mut headers = vec![A, ("content-length", length)];
            headers.extend(expect.then_some(EXPECT));
            let mut wire = refusing.wire().await;
            wire.send(head(&line(), &headers)).await;
            let answer = wire.answer().await;
            refusing.is_refusal(&format!("{length:?} {expect}"), &answer, TOO_LARGE, "a").await;
        }
    }
    refusing.stop().await;
}

#[tokio::test]
async fn a_body_that_grows_too_long_is_refused_where_it_does() {
    let mut refusing = Refusing::start(&SMALL).await;
    let mut wire = refusing.wire().await;
    wire.send(head(&line(), &[A, CHUNKED])).await;
    wire.send(chunk(&[b' '; 1000])).await;
    wire.send(chunk(b" ")).await;
    let answer = wire.answer().await;
    refusing.is_refusal("chunked", &answer, TOO_LARGE, "a").await;
    // The rest is read away, and the connection goes on.
    wire.send(chunk(&[b' '; 5000])).await;
    wire.send("0\r\n\r\n").await;
    wire.send(request(&line(), &[("x-tollgate-service", b"nobody")], &[b' '; 5000])).await;
    let answer = wire.answer().await;
    refusing.is_refusal("after it", &answer, UNKNOWN, "unknown").await;
    drop(wire);
    refusing.stop().await;
}

#[tokio::test]
async fn a_body_of_just_the_limit_passes() {
    let gateway = TestGateway::start_with(&SMALL).await;
    let mut body = converse_body("hi");
    body.extend(std::iter::repeat_n(' ', 1000 - body.len()));
    let mut wire = Wire::connect(gateway.server.data()).await;
    wire.send(request(&line(), &[A], body.as_bytes())).await;
    assert_eq!(wire.answer().await.status, 200);
    wire.send(head(&line(), &[A, CHUNKED])).await;
    wire.send([chunk(body.as_bytes()), b"0\r\n\r\n".to_vec()].concat()).await;
    assert_eq!(wire.answer().await.status, 200);
    drop(wire);
    gateway.stop().await;
}

#[tokio::test]
async fn who_asks_before_sending_is_told_to_go_on_or_refused() {
    let mut refusing = Refusing::start(&[]).await;
    let mut wire = refusing.wire().await;
    wire.send(head(&line(), &[("x-tollgate-service", b"nobody"), ("content-length", b"30"), EXPECT])).await;
    let answer = wire.answer().await;
    refusing.is_refusal("expect", &answer, UNKNOWN, "unknown").await;
    assert_eq!(answer.header("connection"), "close");
    assert!(wire.is_closed().await, "what would come next is a body or a request: nobody knows");
    let gateway = &refusing.gateway;
    let body = converse_body("hi");
    let length = body.len().to_string();
    let mut wire = refusing.wire().await;
    wire.send(head(&line(), &[A, ("content-length", length.as_bytes()), EXPECT])).await;
    assert_eq!(wire.answer().await.status, 100);
    assert_eq!(gateway.simulator.seen().len(), 0);
    wire.send(body).await;
    assert_eq!(wire.answer().await.status, 200);
    let seen = gateway.simulator.seen();
    assert!(seen.len() == 1 && !seen[0].headers.contains_key("expect"), "{seen:?}");
    assert_eq!(gateway.records(1).await.len(), 1);
    drop(wire);
    refusing.gateway.stop().await;
}

#[tokio::test]
async fn a_cut_or_malformed_body_is_refused() {
    let mut refusing = Refusing::start(&[]).await;
    let whole = chunk(b"{\"messages\":");
    let hidden = b"0\r\nbad trailer\r\n\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n";
    let cases: [(&str, Headers<'_>, Vec<u8>, bool); 8] = [
        ("length, half", &[A, ("content-length", b"100")], b"{\"messages\":".to_vec(), true),
        ("length, none", &[A, ("content-length", b"100")], Vec::new(), true),
        ("chunks, no end", &[A, CHUNKED], whole.clone(), true),
        ("chunks, half of one", &[A, CHUNKED], [&whole[..], b"ff\r\n{"].concat(), true),
        ("chunks, none", &[A, CHUNKED], Vec::new(), true),
        ("chunk size", &[A, CHUNKED], [&whole[..], b"zz\r\n{}\r\n0\r\n\r\n"].concat(), false),
        ("chunk end", &[A, CHUNKED], b"2\r\n{}xx0\r\n\r\n".to_vec(), false),
        ("trailers", &[A, CHUNKED], hidden.to_vec(), false),
    ];
    for (what, headers, body, half_closes) in cases {
        let mut wire = refusing.wire().await;
        wire.send(head(&line(), headers)).await;
        wire.send(body).await;
        if half_closes {
            wire.half_close().await;
        }
        let answer = wire.answer().await;
        refusing.is_refusal(what, &answer, UNREADABLE, "a").await;
        assert!(wire.is_closed().await, "{what}");
    }
    refusing.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_costs_nothing() {
    let refusing = Refusing::start(&[]).await;
    for _ in 0..20 {
        let mut wire = refusing.wire().await;
        wire.send(head(&line(), &[A, ("content-length", b"100")])).await;
        wire.send("{").await;
    }
    refusing.stop().await;
}

#[tokio::test]
async fn what_is_not_http_keeps_its_bare_answer() {
    let refusing = Refusing::start(&[]).await;
    let many: Vec<(String, &[u8])> = (0..200).map(|n| (format!("x-{n}"), &b"1"[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let (long, huge) = (vec![b'a'; 100_000], vec![b'a'; 1_000_000]);
    let line = line();
    let cases = [
        (400, head("POST /model/a\0b/converse", &[A])),
        (400, head("POST /model/a b/converse", &[A])),
        (400, head(&line, &[A, ("x\0", b"1")])),
        (400, head(&line, &[A, ("x-a", b"1\0")])),
        (400, head(&line, &[A, ("content-length", b"-1")])),
        (400, head(&line, &[A, ("content-length", b"1"), ("content-length", b"2")])),
        (400, head(&line, &[A, ("transfer-encoding", b"gzip")])),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n".to_vec()),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        (400, b"GET /\r\n".to_vec()),
        (400, format!("{line} HTTP/1.1\nhost: a\n\n").into_bytes()),
        (400, format!("{line} HTTP/1.1\r\nhost: a\ncontent-length: 9\r\n\r\n").into_bytes()),
        (414, head(&format!("POST /{}", "a".repeat(70_000)), &[A])),
        (431, head(&line, &many)),
        (431, head(&line, &[A, ("x-long", &long)])),
        (431, head(&line, &[A, ("x-huge", &huge)])),
    ];
    for (status, bytes) in cases {
        let mut wire = refusing.wire().await;
        wire.send(&bytes).await;
        let answer = wire.answer().await;
        let shown = bytes[..bytes.len().min(80)].escape_ascii();
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        assert!(answer.body.is_empty() && answer.header("connection") == "close", "{shown}: {answer:?}");
        assert!(wire.is_closed().await, "{shown}");
    }
    refusing.stop().await;
}

#[tokio::test]
async fn two_lengths_are_never_two_requests() {
    let gateway = TestGateway::start().await;
    // Both framings at once are no request, and neither is what either of them would leave.
    let body = converse_body("hi");
    let smuggled = request(&line(), &[A], body.as_bytes());
    let mut wire = Wire::connect(gateway.server.data()).await;
    wire.send(head(&line(), &[A, CHUNKED, ("content-length", b"5")])).await;
    wire.send([chunk(body.as_bytes()), b"0\r\n\r\n".to_vec()].concat()).await;
    assert_eq!(wire.answer().await.status.as_u16(), 400);
    assert!(wire.is_closed().await);
    let seen = gateway.simulator.seen();
    assert!(seen.is_empty(), "{seen:?}");
    // Pipelined requests are two, answered in order.
    let mut wire = Wire::connect(gateway.server.data()).await;
    wire.send([smuggled.clone(), smuggled].concat()).await;
    let (one, two) = (wire.answer().await, wire.answer().await);
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
    let first = gateway.record(&one).await;
    assert_eq!(first["id"], json!(one.header("x-tollgate-request-id")));
    drop(wire);
    gateway.stop().await;
}

#[tokio::test]
async fn the_body_of_a_get_is_no_request_of_its_own() {
    let gateway = TestGateway::start().await;
    let mut wire = Wire::connect(gateway.server.data()).await;
    let hidden = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    wire.send(request("GET /async-invoke", &[A], hidden)).await;
    assert_eq!(wire.answer().await.status, 200);
    // Another service's call, over the same connection to upstream.
    let answer = gateway.post(&format!("/s/b/model/{NOVA}/converse"), &[], &converse_body("hi")).await;
    assert!(answer.json()["output"].is_object(), "{answer:?}");
    let seen = gateway.simulator.seen();
    let bodies: Vec<[u8; 32]> = seen.iter().map(|seen| seen.body_sha256).collect();
    let expected: [[u8; 32]; 2] =
        [&hidden[..], converse_body("hi").as_bytes()].map(|body| Sha256::digest(body).into());
    assert_eq!(bodies, expected);
    drop(wire);
    gateway.stop().await;
}
