//! Recorded traffic from outside the project, replayed through the gateway: the folder is `TOLLGATE_CORPUS`.

use crate::gateway::{Answer, TestGateway};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What the recorder, or a hop of its own, may have changed: bodies were decoded, connections ended.
const OF_ONE_HOP: [&str; 5] =
    ["connection", "transfer-encoding", "content-encoding", "content-length", "keep-alive"];

type Cases = Arc<HashMap<String, Value>>;

#[tokio::test]
async fn recorded_traffic_passes_unchanged_and_is_counted() {
    let Some(folder) = std::env::var_os("TOLLGATE_CORPUS") else {
        eprintln!("SKIPPED: TOLLGATE_CORPUS names no folder of recorded traffic");
        return;
    };
    let cases = Arc::new(read(Path::new(&folder)));
    assert!(!cases.is_empty(), "no cases in {}", Path::new(&folder).display());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = Arc::clone(&cases);
    let router = axum::Router::new().fallback(move |request: Request<Body>| {
        let served = Arc::clone(&served);
        async move { replay(&served, &request) }
    });
    let upstream = axum::serve(listener, router).into_future();
    let _upstream = AbortOnDropHandle::new(TaskTracker::new().spawn(upstream));
    let overrides = [("UPSTREAM__ENDPOINT", endpoint.as_str()), ("CATALOG__UNMAPPED_MODEL", "passthrough")];
    let gateway = TestGateway::start_with(&overrides).await;
    let (mut passed, mut refused, mut faults) = (0, 0, Vec::new());
    for (id, case) in cases.iter() {
        let answer = call(&gateway, id, case).await;
        if answer.header("x-tollgate-error").is_empty() {
            passed += 1;
            faults.extend(fault(&gateway, case, &answer).await.map(|fault| format!("{id}: {fault}")));
        } else if case["category"] == "mantle" {
            refused += 1;
        } else {
            faults.push(format!("{id}: refused: {:?}", answer.body));
        }
    }
    eprintln!(
        "{passed} recorded calls passed, {refused} of no known operation refused, {} differ",
        faults.len()
    );
    assert!(faults.is_empty(), "{faults:#?}");
    gateway.stop().await;
}

fn read(folder: &Path) -> HashMap<String, Value> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let cases = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let cases = cases.map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap());
    cases.filter_map(|case| Some((case.get("id")?.as_str()?.to_owned(), case))).collect()
}

async fn call(gateway: &TestGateway, id: &str, case: &Value) -> Answer {
    let request = &case["request"];
    let method: Method = request["method"].as_str().unwrap().to_uppercase().parse().unwrap();
    let body = STANDARD.decode(request["body_b64"].as_str().unwrap_or_default()).unwrap();
    let mut headers = vec![("x-tollgate-service", "a"), ("x-replay", id)];
    let own = request["headers"].as_object().unwrap().iter();
    let own = own.filter(|(name, _)| !OF_ONE_HOP.contains(&name.as_str()) && *name != "host");
    headers.extend(own.map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
    gateway.send(method, request["path"].as_str().unwrap(), &headers, body.into()).await
}

/// Says where the answer, or its record, is not as it was recorded.
async fn fault(gateway: &TestGateway, case: &Value, answer: &Answer) -> Option<String> {
    let response = &case["response"];
    let body = STANDARD.decode(response["body_b64"].as_str().unwrap()).unwrap();
    if answer.body != body || u64::from(answer.status.as_u16()) != response["status"].as_u64().unwrap() {
        return Some("the answer is not as upstream sent it".to_owned());
    }
    for (name, value) in response["headers"].as_object().unwrap() {
        if !OF_ONE_HOP.contains(&name.as_str()) && answer.header(name) != value.as_str().unwrap() {
            return Some(format!("header {name}: {}", answer.header(name)));
        }
    }
    if case["category"] != "ok" && case["category"] != "stream-exception" {
        return None;
    }
    let record = gateway.record(answer).await;
    let (found, expected) = (&record["usage"], &case["expected_usage"]);
    let count = |name: &str| found[name].as_u64();
    let written = count("cache_write_5m_tokens").unwrap_or(0) + count("cache_write_1h_tokens").unwrap_or(0);
    let expects = |name: &str| expected[name].as_u64();
    let same = count("input_tokens") == expects("input_tokens")
        && count("output_tokens") == expects("output_tokens")
        && count("cache_read_tokens").unwrap_or(0) == expects("cache_read_input_tokens").unwrap_or(0)
        && written == expects("cache_write_input_tokens").unwrap_or(0);
    (!same).then(|| format!("usage {found} instead of {expected}"))
}

/// Answers as it was recorded: with content-length where there was one, else in pieces.
fn replay(cases: &Cases, request: &Request<Body>) -> Response<Body> {
    let case = &cases[request.headers()["x-replay"].to_str().unwrap()];
    let response = &case["response"];
    let body = STANDARD.decode(response["body_b64"].as_str().unwrap()).unwrap();
    let headers = response["headers"].as_object().unwrap();
    let body = if headers.contains_key("content-length") {
        Body::from(body)
    } else {
        Body::new(Pieces(body.chunks(1000).map(Bytes::copy_from_slice).collect()))
    };
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        if !OF_ONE_HOP.contains(&name.as_str()) {
            answer = answer.header(name, value.as_str().unwrap());
        }
    }
    answer.body(body).unwrap()
}

/// A body in pieces of unknown number.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
