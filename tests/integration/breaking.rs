//! Upstream breaks off or falls silent, at every place of an answer.

use crate::books::{by_case, is_gone, usage};
use crate::held::{Case, Held};
use crate::samples::{Sample, bodies, message_header, messages, streams};
use crate::socket::{Ask, Heard, send_all};
use crate::upstream::{Framing, Step};
use serde_json::Value;
use std::convert::identity;

/// How upstream fails, and what that is called.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) outcome: &'static str,
    pub(crate) exception: &'static str,
}

const FRAMINGS: [Framing; 3] = [Framing::Chunks, Framing::OneChunk, Framing::Length];

/// Longer than it takes to open all calls of a test on a busy machine: before their heads, too, it runs.
const IDLE: (&str, &str) = ("UPSTREAM__IDLE_TIMEOUT", "1500ms");

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
    fail_everywhere(&streams().await, &reset(), &[]).await;
}

#[tokio::test]
async fn a_stream_is_closed_early() {
    fail_everywhere(&streams().await, &closed(), &[]).await;
}

#[tokio::test]
async fn a_stream_falls_silent() {
    fail_everywhere(&streams().await, &silent(), &[IDLE]).await;
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
    fail_everywhere(&bodies().await, &silent(), &[IDLE]).await;
}

#[tokio::test]
async fn an_end_of_the_connection_that_would_look_like_the_end_of_the_body() {
    let samples = streams().await;
    for framing in FRAMINGS {
        fail_each(&samples, framing, &reset(), &[], Ask::of_old).await;
    }
}

/// Fails answers of every framing at every place.
async fn fail_everywhere(samples: &[Sample], failure: &Failure, overrides: &[(&str, &str)]) {
    for framing in FRAMINGS {
        fail_each(samples, framing, failure, overrides, identity).await;
    }
}

/// Fails answers at every place.
async fn fail_each(
    samples: &[Sample],
    framing: Framing,
    failure: &Failure,
    overrides: &[(&str, &str)],
    prepare: fn(Ask) -> Ask,
) {
    let held = Held::start(overrides).await;
    let cases = held.everywhere(samples, framing, &failure.step);
    let heard =
        send_all(cases.iter().map(|case| prepare(case.ask())).collect(), held.gateway.server.data()).await;
    let records = by_case(&held.gateway, cases.len()).await;
    for (case, heard) in cases.iter().zip(&heard) {
        assert_told(heard, case, framing, failure);
        assert_recorded(&records[&case.name], case, failure);
    }
    held.stop().await;
}

/// Asserts what the record of a failed answer says.
pub(crate) fn assert_recorded(record: &Value, case: &Case<'_>, failure: &Failure) {
    assert_eq!(record["outcome"], failure.outcome, "{case:?}");
    assert_eq!(usage(record), case.sample.usage_at(case.place), "{} {record}", case.name);
    assert!(!is_gone(record), "{record}");
}

/// Asserts what the client of a failed answer saw: a message where one can be understood, else a broken connection.
pub(crate) fn assert_told(heard: &Heard, case: &Case<'_>, framing: Framing, failure: &Failure) {
    let Case { sample, place, .. } = case;
    let about = format!("{framing:?} {} {place}: {heard:?}", sample.path);
    let sent = &sample.body[..*place];
    if framing == Framing::Length || !sample.is_boundary(*place) {
        assert!(heard.was_broken_off(), "{about}");
        // A reset overtakes what was not sent yet; silence leaves time for all.
        let all_came = sent == heard.body;
        assert!(all_came || failure.outcome == "upstream_reset" && sent.starts_with(&heard.body), "{about}");
        return;
    }
    assert!(heard.status == 200 && heard.ended_well(), "{about}");
    let words = heard.body.strip_prefix(sent).unwrap();
    let [(_, message)] = &messages(words)[..] else { panic!("{about}") };
    assert_eq!(message_header(message, ":message-type"), "exception");
    assert_eq!(message_header(message, ":exception-type"), failure.exception);
    let payload: Value = serde_json::from_slice(message.payload()).unwrap();
    assert!(payload["message"].as_str().unwrap().starts_with("tollgate: "));
}
