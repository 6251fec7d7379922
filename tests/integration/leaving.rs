//! The client leaves, at every place of an answer.

use crate::books::{by_case, is_gone, usage};
use crate::gateway::TestGateway;
use crate::held::{Case, Held};
use crate::samples::{STATED, Sample, bodies, streams};
use crate::socket::{Ask, Heard};
use crate::upstream::{Framing, Step, piece};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::task::JoinSet;

const CANCEL: (&str, &str) = ("UPSTREAM__ON_CLIENT_DISCONNECT", "cancel");

/// Has clients leave at every place of every sample, and returns the cases once the gateway noticed.
pub(crate) async fn leave_everywhere<'a>(
    held: &Held,
    samples: &'a [Sample],
    framing: Framing,
    action: &str,
) -> Vec<Case<'a>> {
    let (cases, mut leaving) = (held.everywhere(samples, framing, &Step::Hold), JoinSet::new());
    for case in &cases {
        let (ask, at) = (case.ask(), held.gateway.server.data());
        let sent = case.sample.body[..case.place].to_vec();
        leaving.spawn(async move { leave(&ask, at, &sent).await });
    }
    while let Some(left) = leaving.join_next().await {
        left.unwrap();
    }
    held.noticed(cases.len(), action).await;
    cases
}

/// Has a client leave once it has seen that much of an answer.
async fn leave(ask: &Ask, at: SocketAddr, sent: &[u8]) {
    let mut stream = ask.open(at).await;
    let heard = Heard::read_body(&mut stream, sent.len()).await;
    assert!(heard.status == 200 && heard.body == sent, "{heard:?}");
}

/// Asserts that every call is as good as one whose client stayed.
fn assert_drained(cases: &[Case<'_>], records: &BTreeMap<String, Value>) {
    for Case { name, sample, .. } in cases {
        let record = &records[name];
        assert!(record["outcome"] == "ok" && is_gone(record), "{record}");
        assert_eq!(usage(record), (STATED.0, STATED.1, sample.source()), "{record}");
    }
}

#[tokio::test]
async fn what_a_client_leaves_is_drained() {
    for framing in [Framing::Chunks, Framing::OneChunk, Framing::Length] {
        for samples in [streams().await, bodies().await] {
            let held = Held::start(&[]).await;
            let cases = leave_everywhere(&held, &samples, framing, "drained").await;
            held.upstream.go_on();
            assert_drained(&cases, &by_case(&held.gateway, cases.len()).await);
            held.stop().await;
        }
    }
}

#[tokio::test]
async fn what_a_client_leaves_is_cancelled() {
    for framing in [Framing::Chunks, Framing::OneChunk, Framing::Length] {
        for samples in [streams().await, bodies().await] {
            let held = Held::start(&[CANCEL]).await;
            let cases = leave_everywhere(&held, &samples, framing, "cancelled").await;
            let records = by_case(&held.gateway, cases.len()).await;
            for Case { name, sample, place } in &cases {
                held.upstream.left(name).await;
                let record = &records[name];
                assert!(record["outcome"] == "client_gone" && is_gone(record), "{record}");
                assert_eq!(usage(record), sample.usage_at(*place), "{name} {record}");
            }
            held.stop().await;
        }
    }
}

/// Has a client leave before the head of every sample.
async fn leave_before_the_head<'a>(held: &Held, samples: &'a [Sample], action: &str) -> Vec<Case<'a>> {
    let cases = held.before_the_head(samples);
    for case in &cases {
        let stream = case.ask().open(held.gateway.server.data()).await;
        held.upstream.begun(&case.name).await;
        drop(stream);
    }
    held.noticed(cases.len(), action).await;
    cases
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_drained_too() {
    let (held, samples) = (Held::start(&[]).await, streams().await);
    let cases = leave_before_the_head(&held, &samples, "drained").await;
    held.upstream.go_on();
    assert_drained(&cases, &by_case(&held.gateway, cases.len()).await);
    held.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_can_cancel() {
    let (held, samples) = (Held::start(&[CANCEL]).await, streams().await);
    let cases = leave_before_the_head(&held, &samples, "cancelled").await;
    for (case, record) in by_case(&held.gateway, cases.len()).await {
        held.upstream.left(&case).await;
        assert!(record["outcome"] == "client_gone" && is_gone(&record), "{record}");
        assert!(usage(&record) == (3, 0, "estimated") && record.get("status").is_none(), "{record}");
    }
    held.stop().await;
}

#[tokio::test]
async fn a_drain_has_a_time_limit() {
    let samples = streams().await;
    for framing in [Framing::Chunks, Framing::Length] {
        let held = Held::start(&[("UPSTREAM__DRAIN_TIMEOUT", "50ms")]).await;
        let cases = leave_everywhere(&held, &samples, framing, "drained").await;
        assert_limited(&held, &cases, |case| case.sample.usage_at(case.place)).await;
        held.stop().await;
    }
    let held = Held::start(&[("UPSTREAM__DRAIN_TIMEOUT", "50ms")]).await;
    let cases = leave_before_the_head(&held, &samples, "drained").await;
    assert_limited(&held, &cases, |_| (3, 0, "estimated")).await;
    held.stop().await;
}

#[tokio::test]
async fn a_drain_that_upstream_lets_down_has_a_time_limit() {
    let held = Held::start(&[("UPSTREAM__IDLE_TIMEOUT", "1500ms")]).await;
    let samples = streams().await;
    let cases = leave_everywhere(&held, &samples, Framing::Chunks, "drained").await;
    assert_limited(&held, &cases, |case| case.sample.usage_at(case.place)).await;
    held.stop().await;
}

/// Asserts that every call was given up, with the usage that it is to have.
async fn assert_limited<'a>(
    held: &Held,
    cases: &'a [Case<'a>],
    expected: impl Fn(&Case<'a>) -> (u64, u64, &'static str),
) {
    let records = by_case(&held.gateway, cases.len()).await;
    for case in cases {
        held.upstream.left(&case.name).await;
        let record = &records[&case.name];
        assert!(record["outcome"] == "timeout" && is_gone(record), "{record}");
        assert_eq!(usage(record), expected(case), "{} {record}", case.name);
    }
}

#[tokio::test]
async fn a_drain_has_a_length_limit() {
    const LIMIT: usize = 600;
    let limit = LIMIT.to_string();
    let held = Held::start(&[("UPSTREAM__DRAIN_LIMIT_BYTES", limit.as_str())]).await;
    let samples = streams().await;
    for (number, sample) in samples.iter().enumerate() {
        let name = number.to_string();
        let mut script = vec![Step::Send(sample.head(Framing::Chunks)), Step::Hold];
        let starts = [0].iter().chain(&sample.ends);
        let pieces = starts.zip(&sample.ends).map(|(start, end)| &sample.body[*start..*end]);
        script.extend(pieces.map(|bytes| Step::Send(piece(Framing::Chunks, bytes))));
        script.push(Step::Stay);
        held.upstream.script(&name, script);
        leave(&Ask::new(&sample.path, &name), held.gateway.server.data(), &[]).await;
    }
    held.noticed(samples.len(), "drained").await;
    held.upstream.go_on();
    for (case, record) in by_case(&held.gateway, samples.len()).await {
        held.upstream.left(&case).await;
        assert!(record["outcome"] == "timeout" && is_gone(&record), "{record}");
        let sample = &samples[case.parse::<usize>().unwrap()];
        // The message in which the limit lies may come in two pieces.
        let over = sample.ends.iter().position(|end| *end > LIMIT).unwrap();
        let before = over.checked_sub(1).map_or(0, |at| sample.ends[at]);
        let fitting = [before, sample.ends[over]].map(|place| sample.usage_at(place));
        assert!(fitting.contains(&usage(&record)), "{record}");
    }
    held.stop().await;
}

#[tokio::test]
async fn clients_that_come_and_go_cost_what_bedrock_stated() {
    let gateway = TestGateway::start().await;
    let mut leaving = JoinSet::new();
    let samples = streams().await;
    for (number, sample) in samples.iter().enumerate() {
        for length in (0..sample.body.len()).step_by(128) {
            let ask = Ask::new(&sample.path, &format!("{number}-{length}"));
            let ask = ask.with("x-sim-split", "128").with("x-sim-pace-ms", "2");
            let (ask, at) = (ask.with("x-sim-output-tokens", &length.to_string()), gateway.server.data());
            leaving.spawn(async move {
                Heard::read_body(&mut ask.open(at).await, length).await;
            });
        }
    }
    let count = leaving.len();
    while let Some(left) = leaving.join_next().await {
        left.unwrap();
    }
    let records = by_case(&gateway, count).await;
    let stated: BTreeMap<_, _> = gateway.simulator.stated_by_request().into_iter().collect();
    assert_eq!(stated.len(), count);
    for record in records.values() {
        let stated = stated[record["aws_request_id"].as_str().unwrap()];
        let (input, output, source) = usage(record);
        assert_eq!((input, output), (stated.input, stated.output), "{record}");
        assert!(record["outcome"] == "ok" && source != "estimated", "{record}");
    }
    gateway.stop().await;
}
