//! Upstream breaks off or falls silent, at every place of an answer.

use crate::books::{by_case, is_gone, usage};
use crate::gateway::TestGateway;
use crate::samples::{Sample, bodies, message_header, messages, streams};
use crate::upstream::{Framing, Step, Upstream};
use crate::wire::{Ask, Heard, send_all};

/// How upstream fails, and what that is called.
#[derive(Debug, Clone)]
struct Failure {
    step: Step,
    outcome: &'static str,
    exception: &'static str,
}

const FRAMINGS: [Framing; 3] = [Framing::Chunks, Framing::OneChunk, Framing::Length];

fn reset() -> Failure {
    Failure { step: Step::Reset, outcome: "upstream_reset", exception: "internalServerException" }
}

fn closed() -> Failure {
    Failure { step: Step::Close, ..reset() }
}

fn silent() -> Failure {
    Failure { step: Step::Hold, outcome: "timeout", exception: "serviceUnavailableException" }
}

#[tokio::test]
async fn a_stream_is_reset() {
    let gateway = [("UPSTREAM__IDLE_TIMEOUT", "1h")];
    fail_everywhere(&streams().await, &reset(), &gateway).await;
}

#[tokio::test]
async fn a_stream_is_closed_early() {
    fail_everywhere(&streams().await, &closed(), &[]).await;
}

#[tokio::test]
async fn a_stream_falls_silent() {
    fail_everywhere(&streams().await, &silent(), &[("UPSTREAM__IDLE_TIMEOUT", "500ms")]).await;
}

#[tokio::test]
async fn a_body_is_reset() {
    fail_everywhere(&bodies().await, &reset(), &[]).await;
}

#[tokio::test]
async fn a_body_is_closed_early() {
    fail_everywhere(&bodies().await, &closed(), &[]).await;
}

#[tokio::test]
async fn a_body_falls_silent() {
    fail_everywhere(&bodies().await, &silent(), &[("UPSTREAM__IDLE_TIMEOUT", "500ms")]).await;
}

/// Fails answers of every framing at every place.
async fn fail_everywhere(samples: &[Sample], failure: &Failure, overrides: &[(&str, &str)]) {
    for framing in FRAMINGS {
        let upstream = Upstream::start().await;
        let endpoint = upstream.endpoint();
        let overrides: Vec<_> =
            overrides.iter().copied().chain([("UPSTREAM__ENDPOINT", endpoint.as_str())]).collect();
        let gateway = TestGateway::start_with(&overrides).await;
        let (mut asks, mut failed) = (Vec::new(), Vec::new());
        for (number, sample) in samples.iter().enumerate() {
            for place in sample.places() {
                if framing == Framing::Length && sample.is_stated_by(place) {
                    // Nothing is left to fail.
                    continue;
                }
                let case = format!("{number}-{place}");
                upstream.script(&case, sample.script(framing, place, failure.step.clone()));
                asks.push(Ask::new(&sample.path, &case));
                failed.push((case, sample, place));
            }
        }
        let heard = send_all(asks, gateway.server.data()).await;
        let records = by_case(&gateway, heard.len()).await;
        for ((case, sample, place), heard) in failed.iter().zip(&heard) {
            assert_told(heard, sample, *place, framing, failure);
            let record = &records[case];
            assert_eq!(record["outcome"], failure.outcome, "{framing:?} {case}");
            assert_eq!(usage(record), sample.usage_at(*place), "{framing:?} {case} {record}");
            assert!(!is_gone(record));
        }
        gateway.stop().await;
        upstream.stop().await;
    }
}

/// Asserts what the client of a failed answer saw: a message where one can be understood, else a broken connection.
fn assert_told(heard: &Heard, sample: &Sample, place: usize, framing: Framing, failure: &Failure) {
    let sent = &sample.body[..place];
    if framing == Framing::Length || !sample.is_boundary(place) {
        assert!(heard.was_broken_off(), "{framing:?} {} {place}: {heard:?}", sample.path);
        assert!(sent.starts_with(&heard.body), "{framing:?} {} {place}: {heard:?}", sample.path);
        return;
    }
    assert!(heard.status == 200 && heard.ended_well(), "{framing:?} {} {place}: {heard:?}", sample.path);
    let words = heard.body.strip_prefix(sent).unwrap();
    let [(_, message)] = &messages(words)[..] else { panic!("{} {place}: {heard:?}", sample.path) };
    assert_eq!(message_header(message, ":message-type"), "exception");
    assert_eq!(message_header(message, ":exception-type"), failure.exception);
    let payload: serde_json::Value = serde_json::from_slice(message.payload()).unwrap();
    assert!(payload["message"].as_str().unwrap().starts_with("tollgate: "));
}
