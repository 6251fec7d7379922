//! The stamp in the request metadata of a service's calls.

use crate::gateway::{Answer, NOVA, TestGateway, converse_body};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use tollgate::simulator::Seen;

/// A service whose calls are stamped.
const STAMPED: &str = r#"
[services.shop]
tags = { team = "red", "cost center" = "cc-1", owner = "Zoë" }
stamp_request_metadata = true
[services.shop.profiles]
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/snova"
"#;

const HEADER: &str = "x-amzn-bedrock-request-metadata";

/// Returns the stamp of an answer's call.
fn stamp(answer: &Answer) -> Value {
    json!({
        "tollgate.service": "shop",
        "tollgate.request_id": answer.header("x-tollgate-request-id"),
        "tollgate.tag.cost center": "cc-1",
        "tollgate.tag.team": "red",
    })
}

fn with(mut metadata: Value, key: &str, value: &str) -> Value {
    metadata[key] = value.into();
    metadata
}

struct Stamping(TestGateway);

impl Stamping {
    async fn start() -> Self {
        Self(TestGateway::start_serving(STAMPED, &[]).await)
    }

    /// Calls, and returns the answer with what upstream got.
    async fn call(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (Answer, Seen) {
        let answer = self.0.post(path, headers, body).await;
        (answer, self.0.simulator.seen().pop().unwrap())
    }

    async fn stop(self) {
        // Whatever was changed was signed as it went.
        assert_eq!(self.0.simulator.bad_signatures(), 0);
        self.0.stop().await;
    }
}

fn body(seen: &Seen) -> &[u8] {
    let body = seen.body.as_ref().unwrap();
    assert_eq!(seen.headers["content-length"], body.len().to_string().as_str());
    assert_eq!(seen.body_sha256, <[u8; 32]>::from(Sha256::digest(body)));
    body
}

#[tokio::test]
async fn invoke_model_has_it_in_a_header() {
    let run = Stamping::start().await;
    for operation in ["invoke", "invoke-with-response-stream"] {
        let path = format!("/s/shop/model/{NOVA}/{operation}");
        let sent = converse_body("hi");
        let (answer, seen) = run.call(&path, &[], &sent).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let header: Value = serde_json::from_slice(seen.headers[HEADER].as_bytes()).unwrap();
        assert_eq!(header, stamp(&answer));
        assert_eq!(body(&seen), sent.as_bytes());
        // A client's own entries stay, but not under the gateway's keys.
        let own = r#"{"tollgate.service":"other","feature": "search"}"#;
        let (answer, seen) = run.call(&path, &[(HEADER, own)], &sent).await;
        let header: Value = serde_json::from_slice(seen.headers[HEADER].as_bytes()).unwrap();
        assert_eq!(header, with(stamp(&answer), "feature", "search"));
        // What is no object is replaced.
        let (answer, seen) = run.call(&path, &[(HEADER, "{feature}")], &sent).await;
        let header: Value = serde_json::from_slice(seen.headers[HEADER].as_bytes()).unwrap();
        assert_eq!(header, stamp(&answer));
    }
    let removed =
        run.0.sum("tollgate_stamps_removed_total", &[r#"place="header""#, r#"service="shop""#]).await;
    assert!((removed - 4.0).abs() < 0.1, "{removed}");
    run.stop().await;
}

#[tokio::test]
async fn converse_has_it_in_its_body() {
    let run = Stamping::start().await;
    for operation in ["converse", "converse-stream"] {
        let path = format!("/s/shop/model/{NOVA}/{operation}");
        let sent =
            r#"{ "messages": [ {"role":"user","content":[{"text":"say \"requestMetadata\":{} \u00e9"}]} ] }"#;
        let (answer, seen) = run.call(&path, &[], sent).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let got = body(&seen);
        let value: Value = serde_json::from_slice(got).unwrap();
        assert_eq!(value["requestMetadata"], stamp(&answer));
        // The rest is what the client sent, byte for byte.
        assert!(got.starts_with(b"{\"requestMetadata\":{") && got.ends_with(&sent.as_bytes()[1..]));
        assert!(!seen.headers.contains_key(HEADER));
        let own = r#"{"requestMetadata":{"feature" : "se\u0061rch","tollgate.x":"y"}, "messages":[]}"#;
        let (answer, seen) = run.call(&path, &[], own).await;
        let got = String::from_utf8(body(&seen).to_vec()).unwrap();
        let value: Value = serde_json::from_str(&got).unwrap();
        assert_eq!(value["requestMetadata"], with(stamp(&answer), "feature", "search"));
        assert!(got.ends_with(r#","feature" : "se\u0061rch"}, "messages":[]}"#), "{got}");
    }
    let removed = run.0.sum("tollgate_stamps_removed_total", &[r#"place="body""#, r#"service="shop""#]).await;
    assert!((removed - 2.0).abs() < 0.1, "{removed}");
    run.stop().await;
}

#[tokio::test]
async fn what_takes_no_stamp_does_not_go_without() {
    let run = Stamping::start().await;
    let before = run.0.simulator.seen().len();
    let often = format!("{{{}\"messages\":[]}}", "\"requestMetadata\":{},".repeat(65));
    for sent in ["", "{", "[]", "{\"messages\":[],}", "{\"messages\":[]}}", &often] {
        let answer = run.0.post(&format!("/s/shop/model/{NOVA}/converse"), &[], sent).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{sent}");
        assert_eq!(answer.header("x-tollgate-error"), "body_unreadable", "{sent}");
    }
    assert_eq!(run.0.simulator.seen().len(), before);
    run.stop().await;
}

#[tokio::test]
async fn entries_without_room_are_told() {
    let run = Stamping::start().await;
    let path = format!("/s/shop/model/{NOVA}/converse");
    for (count, own) in [(14, 2), (15, 1), (16, 0)] {
        let entries: serde_json::Map<String, Value> =
            (0..count).map(|n| (format!("k{n}"), "v".into())).collect();
        let mut sent: Value = serde_json::from_str(&converse_body("hi")).unwrap();
        sent["requestMetadata"] = entries.into();
        let sent = sent.to_string();
        let (answer, seen) = run.call(&path, &[], &sent).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let value: Value = serde_json::from_slice(body(&seen)).unwrap();
        assert_eq!(value["requestMetadata"].as_object().unwrap().len(), count + own);
    }
    let short = run.0.sum("tollgate_stamps_short_total", &[r#"place="body""#, r#"service="shop""#]).await;
    assert!((short - 2.0).abs() < 0.1, "{short}");
    run.stop().await;
}

#[tokio::test]
async fn nothing_of_other_services_or_operations_is_touched() {
    let run = Stamping::start().await;
    let own = converse_body("hi").replacen('{', r#"{"requestMetadata":{"tollgate.service":"mine"},"#, 1);
    let header = r#"{"tollgate.service":"mine"}"#;
    for operation in ["converse", "converse-stream", "invoke", "invoke-with-response-stream"] {
        let path = format!("/s/b/model/{NOVA}/{operation}");
        let (answer, seen) = run.call(&path, &[(HEADER, header)], &own).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(body(&seen), own.as_bytes());
        assert_eq!(seen.headers[HEADER], header);
    }
    let counted = json!({ "input": { "converse": { "messages": [] } } }).to_string();
    let (_, seen) = run.call(&format!("/s/shop/model/{NOVA}/count-tokens"), &[], &counted).await;
    assert_eq!(body(&seen), counted.as_bytes());
    assert!(!seen.headers.contains_key(HEADER));
    assert!(run.0.sum("tollgate_stamps_removed_total", &[]).await < 0.1);
    run.stop().await;
}

#[tokio::test]
async fn a_long_body_in_many_buffers_keeps_its_bytes() {
    let run = Stamping::start().await;
    let image = "QUJD".repeat(400_000);
    let tail = format!(
        r#""messages":[{{"role":"user","content":[{{"text":"{image}"}}]}}],"requestMetadata" : null }}"#
    );
    let sent = format!("{{{tail}");
    // In chunks of an odd length, so that the member's name may be in two of them.
    let chunks: Vec<Result<Frame<Bytes>, Infallible>> =
        sent.as_bytes().chunks(9_973).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let uri = run.0.url(&format!("/s/shop/model/{NOVA}/converse"));
    let request = Request::post(uri).body(StreamBody::new(stream::iter(chunks))).unwrap();
    let answer = Answer::read(client.request(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let seen = run.0.simulator.seen().pop().unwrap();
    let order = ["service", "request_id", "tag.cost center", "tag.team"].map(|key| format!("tollgate.{key}"));
    let stamp = stamp(&answer);
    let entries = order.map(|key| format!("\"{key}\":{}", stamp[&key])).join(",");
    let expected = sent.replace("null", &format!("{{{entries}}}"));
    assert_eq!(seen.headers["content-length"], expected.len().to_string().as_str());
    assert_eq!(seen.body_sha256, <[u8; 32]>::from(Sha256::digest(&expected)));
    run.stop().await;
}
