//! What upstream says is passed on as it is, errors too, and counts for what it says.

use crate::books::{by_case, usage};
use crate::gateway::{CLAUDE, NOVA, TestGateway};
use crate::held::Held;
use crate::samples::{STATED, Sample, bodies, streams};
use crate::socket::{Ask, send_all};
use crate::upstream::{Framing, Step, end, head, piece};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::Value;

/// An exception message as Bedrock writes one.
fn exception(kind: &str) -> Vec<u8> {
    let header =
        |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let message = Message::new(r#"{"message":"no more"}"#)
        .add_header(header(":exception-type", kind))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", "exception"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

/// Tells whether the chunks of a sample have said by then how many tokens there are in all.
fn is_told_by_chunks(sample: &Sample, place: usize) -> bool {
    let delta = sample.ends.len().checked_sub(2).map(|at| sample.ends[at]);
    sample.path.contains(CLAUDE)
        && sample.operation.starts_with("invoke-")
        && delta.is_some_and(|end| place >= end)
}

/// Asserts what is recorded of an answer that came to an end of its own without all of its messages.
fn assert_missing(record: &Value, sample: &Sample, place: usize, reason: &str) {
    if sample.is_stated_by(place) {
        assert_eq!(usage(record), (STATED.0, STATED.1, sample.source()), "{record}");
    } else if is_told_by_chunks(sample, place) {
        assert_eq!(usage(record), (STATED.0, STATED.1, "stream_chunks"), "{record}");
    } else {
        assert!(record["usage_source"] == "missing" && record["usage_missing"] == reason, "{place} {record}");
    }
}

#[tokio::test]
async fn an_exception_in_a_stream() {
    let samples = streams().await;
    let kinds = [
        ("throttlingException", "throttled"),
        ("modelStreamErrorException", "upstream_error"),
        ("internalServerException", "upstream_error"),
    ];
    for framing in [Framing::Chunks, Framing::OneChunk, Framing::Length] {
        let held = Held::start(&[]).await;
        let (mut cases, mut asks) = (Vec::new(), Vec::new());
        for (number, sample) in samples.iter().enumerate() {
            for place in [0].iter().chain(&sample.ends).copied() {
                for (kind, outcome) in kinds {
                    let (case, bytes) = (format!("{number}-{place}-{kind}"), exception(kind));
                    let body = [&sample.body[..place], &bytes].concat();
                    let steps = [
                        head("application/vnd.amazon.eventstream", framing, body.len()),
                        piece(framing, &sample.body[..place]),
                        piece(framing, &bytes),
                        end(framing),
                    ];
                    held.upstream.script(&case, steps.map(Step::Send).to_vec());
                    asks.push(Ask::new(&sample.path, &case));
                    cases.push((case, sample, place, body, outcome));
                }
            }
        }
        let heard = send_all(asks, held.gateway.server.data()).await;
        let records = by_case(&held.gateway, cases.len()).await;
        for ((case, sample, place, body, outcome), heard) in cases.iter().zip(&heard) {
            assert!(heard.status == 200 && heard.ended_well() && heard.body == *body, "{case} {heard:?}");
            assert_eq!(records[case]["outcome"], *outcome, "{case}");
            assert_missing(&records[case], sample, *place, "exception");
        }
        held.stop().await;
    }
}

#[tokio::test]
async fn an_answer_that_ends_too_early_in_good_order() {
    for samples in [streams().await, bodies().await] {
        let held = Held::start(&[]).await;
        let (mut cases, mut asks) = (Vec::new(), Vec::new());
        for (number, sample) in samples.iter().enumerate() {
            for place in sample.places() {
                let case = format!("{number}-{place}");
                let sent = piece(Framing::Chunks, &sample.body[..place]);
                let steps = [sample.head(Framing::Chunks), sent, end(Framing::Chunks)];
                held.upstream.script(&case, steps.map(Step::Send).to_vec());
                asks.push(Ask::new(&sample.path, &case));
                cases.push((case, sample, place));
            }
        }
        let heard = send_all(asks, held.gateway.server.data()).await;
        let records = by_case(&held.gateway, cases.len()).await;
        for ((case, sample, place), heard) in cases.iter().zip(&heard) {
            assert!(
                heard.status == 200 && heard.ended_well() && heard.body == sample.body[..*place],
                "{case}"
            );
            assert_eq!(records[case]["outcome"], "ok");
            let is_readable = *place == 0 || sample.is_boundary(*place);
            let reason = if is_readable { "no_statement" } else { "unreadable" };
            assert_missing(&records[case], sample, *place, reason);
        }
        held.stop().await;
    }
}

#[tokio::test]
async fn an_answer_without_a_statement() {
    let gateway = TestGateway::start().await;
    let mut asks = Vec::new();
    for model in [CLAUDE, NOVA] {
        for operation in ["converse", "converse-stream", "invoke", "invoke-with-response-stream"] {
            let case = format!("{operation}-{}", asks.len());
            let ask = Ask::new(&format!("/s/a/model/{model}/{operation}"), &case);
            asks.push(ask.with("x-sim-fault", "unmetered"));
        }
    }
    let heard = send_all(asks, gateway.server.data()).await;
    assert!(heard.iter().all(|heard| heard.status == 200 && heard.ended_well()));
    for record in by_case(&gateway, heard.len()).await.values() {
        assert!(record["outcome"] == "ok" && record["usage_source"] == "missing", "{record}");
        assert_eq!(record["usage_missing"], "no_statement");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_no_success() {
    let statuses = [
        ("301 Moved", "", "client_error"),
        ("400 Bad Request", "ValidationException", "client_error"),
        ("400 Bad Request", "ThrottlingException", "throttled"),
        ("403 Forbidden", "AccessDeniedException:http://internal.amazon.com/", "client_error"),
        ("404 Not Found", "ResourceNotFoundException", "client_error"),
        ("424 Failed Dependency", "ModelErrorException", "client_error"),
        ("429 Too Many Requests", "ModelNotReadyException", "throttled"),
        ("500 Internal Server Error", "InternalServerException", "upstream_error"),
        ("503 Service Unavailable", "ThrottlingException:", "throttled"),
        ("529 Beyond", "", "upstream_error"),
    ];
    let (held, samples) = (Held::start(&[]).await, bodies().await);
    let (mut asks, body) = (Vec::new(), b"{\"message\":\"\xffno\x00\r\n\"}");
    let lines =
        "retry-after: 7\r\nX-Odd: a,  b\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-amzn-requestid: 0-1\r\n";
    for (case, (status, errortype, _)) in statuses.iter().enumerate() {
        let lines = format!("{lines}x-amzn-errortype: {errortype}\r\ncontent-type: x/y\r\n");
        let answer = format!("HTTP/1.1 {status}\r\n{lines}content-length: {}\r\n\r\n", body.len());
        let steps = [answer.as_bytes(), body].map(|bytes| Step::Send(bytes.to_vec()));
        held.upstream.script(&case.to_string(), steps.to_vec());
        asks.push(Ask::new(&samples[0].path, &case.to_string()));
    }
    let heard = send_all(asks, held.gateway.server.data()).await;
    let records = by_case(&held.gateway, statuses.len()).await;
    for (case, ((status, errortype, outcome), heard)) in statuses.iter().zip(&heard).enumerate() {
        assert_eq!(heard.status.to_string(), status[..3]);
        assert!(heard.ended_well() && heard.body == body, "{heard:?}");
        assert_eq!(heard.header("x-amzn-errortype"), *errortype);
        assert!(lines.lines().all(|line| has_line(&heard.head, line)), "{heard:?}");
        let record = &records[&case.to_string()];
        assert_eq!(record["id"], heard.header("x-tollgate-request-id"));
        assert_eq!(record["aws_request_id"], "0-1");
        assert!(record["outcome"] == *outcome && record["usage_source"] == "not_applicable", "{record}");
        assert_eq!(record["status"].to_string(), status[..3]);
    }
    held.stop().await;
}

/// Tells whether a head has a line; names may be in any case.
fn has_line(head: &str, line: &str) -> bool {
    let (name, value) = line.split_once(": ").unwrap();
    head.lines()
        .any(|line| line.split_once(": ").is_some_and(|(n, v)| n.eq_ignore_ascii_case(name) && v == value))
}
