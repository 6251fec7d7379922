//! Event streams: how they end, how they are cut up, and what they may not do to us.

use super::event_stream::{Kind, Scanner};
use super::fixtures::{chunk, event, exception, frame, head, read_stream, stream_head, tap, tokens};
use super::{End, Reading};
use crate::domain::{MissingReason, ModelId, Operation, Policy, Unit, UsageSource};
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::Bytes;
use proptest::prelude::*;

const CLAUDE: &str = "anthropic.claude-x";
const INVOKE: Operation = Operation::InvokeModelWithResponseStream;

fn claude() -> Vec<Vec<u8>> {
    [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":2,
            "cache_creation_input_tokens":9,"cache_read_input_tokens":4,
            "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":6}}}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"caf\u00e9"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"message_delta","usage":{"input_tokens":0,"cache_creation_input_tokens":9,"output_tokens":13}}"#,
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":25,
            "outputTokenCount":13,"cacheReadInputTokenCount":4,"cacheWriteInputTokenCount":9}}"#,
    ]
    .map(chunk)
    .to_vec()
}

fn converse() -> Vec<Vec<u8>> {
    vec![
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"four"},"p":"abc"}"#),
        event("contentBlockDelta", r#"{"delta":{"reasoningContent":{"text":"five5"}}}"#),
        event("contentBlockDelta", r#"{"delta":{"toolUse":{"input":"{\"a\":1}"}}}"#),
        event("messageStop", r#"{"stopReason":"end_turn"}"#),
        event(
            "metadata",
            r#"{"usage":{"inputTokens":6,"outputTokens":81,"totalTokens":87},"serviceTier":{"type":"flex"},
                "trace":{"promptRouter":{"invokedModelId":"us.anthropic.claude-y"},"guardrail":{"inputAssessment":{"g":{"invocationMetrics":{
                "usage":{"topicPolicyUnits":2}}}}}}}"#,
        ),
    ]
}

fn show(reading: &Reading) -> String {
    format!("{reading:?}")
}

#[test]
fn a_converse_stream_states_its_usage_last() {
    let reading = read_stream(Operation::ConverseStream, CLAUDE, &converse(), End::Complete);
    assert_eq!(reading.usage.tokens, tokens([6, 81, -1, -1, -1]));
    assert_eq!(reading.usage.units, [(Unit::TextUnits, 2)]);
    assert_eq!(reading.usage.policies, [(Policy::Topic, 2)]);
    assert_eq!(reading.invoked_model.as_ref().map(ModelId::as_str), Some("us.anthropic.claude-y"));
    assert_eq!(reading.source, UsageSource::StreamMetadata);
    assert_eq!(reading.service_tier.as_deref(), Some("flex"));
    let cut = read_stream(Operation::ConverseStream, CLAUDE, &converse()[..5], End::Cut);
    assert_eq!(cut.usage.tokens, tokens([11, 4, -1, -1, -1]));
    assert_eq!((cut.source, cut.missing), (UsageSource::Estimated, None));
    let ended = read_stream(Operation::ConverseStream, CLAUDE, &converse()[..5], End::Complete);
    assert_eq!((ended.missing, ended.usage.is_empty()), (Some(MissingReason::NoStatement), true));
}

#[test]
fn both_readings_of_a_claude_stream_are_kept() {
    let reading = read_stream(INVOKE, CLAUDE, &claude(), End::Complete);
    assert_eq!(reading.usage.tokens, tokens([25, 13, 4, 3, 6]));
    assert_eq!(reading.source, UsageSource::InvocationMetrics);
    let raw: serde_json::Value = serde_json::from_str(reading.raw.unwrap().get()).unwrap();
    assert_eq!(raw["message_start"]["input_tokens"], 25);
    assert_eq!(raw["message_delta"]["output_tokens"], 13);
    assert_eq!(raw["invocationMetrics"]["outputTokenCount"], 13);
}

#[test]
fn a_cut_stream_keeps_the_input_that_it_stated() {
    let whole = read_stream(INVOKE, CLAUDE, &claude(), End::Cut);
    assert_eq!(whole.source, UsageSource::InvocationMetrics);
    // 5 bytes of text, 5 of tool input and 2 of thinking are 3 tokens.
    let cut = read_stream(INVOKE, CLAUDE, &claude()[..5], End::Cut);
    assert_eq!((cut.source, cut.usage.tokens), (UsageSource::Estimated, tokens([25, 3, 4, 3, 6])));
    let without_metrics = read_stream(INVOKE, CLAUDE, &claude()[..5], End::Complete);
    assert_eq!(without_metrics.source, UsageSource::StreamChunks);
    assert_eq!(without_metrics.usage.tokens, tokens([25, 13, 4, 3, 6]));
    let only_started = read_stream(INVOKE, CLAUDE, &claude()[..4], End::Complete);
    assert_eq!(only_started.missing, Some(MissingReason::NoStatement));
}

#[test]
fn streamed_text_is_counted_in_every_spelling() {
    let pieces = [
        r#"{"completion":"1234"}"#,
        r#"{"generation":"1234"}"#,
        r#"{"outputText":"1234"}"#,
        r#"{"outputs":[{"text":"12"},{"text":"34"}]}"#,
        r#"{"text":"1234"}"#,
        r#"{"choices":[{"delta":{"content":"1234"}},{"delta":{"content":null}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"12"}},{"function":{"arguments":"34"}}]}}]}"#,
        r#"{"contentBlockDelta":{"delta":{"text":"1234"}}}"#,
    ];
    for piece in pieces {
        let cut = read_stream(INVOKE, "", &[chunk(piece)], End::Cut);
        assert_eq!(cut.usage.tokens.output, Some(1), "{piece}");
    }
}

#[test]
fn an_exception_is_reported_and_its_usage_missing() {
    let frames = [claude()[..2].to_vec(), vec![exception("throttlingException")]].concat();
    for end in [End::Complete, End::Cut] {
        let reading = read_stream(INVOKE, CLAUDE, &frames, end);
        assert_eq!(reading.missing, Some(MissingReason::Exception));
        let exception = reading.exception.unwrap();
        assert_eq!((exception.kind.as_str(), exception.throttling), ("throttlingException", true));
    }
    let error = frame(&[(":message-type", "error"), (":error-code", "InternalError")], b"");
    let reading = read_stream(INVOKE, CLAUDE, &[error], End::Complete);
    assert_eq!(reading.exception.map(|e| (e.kind, e.throttling)), Some(("InternalError".to_owned(), false)));
    let frames = [claude(), vec![exception("internalServerException")]].concat();
    assert_eq!(read_stream(INVOKE, CLAUDE, &frames, End::Complete).source, UsageSource::InvocationMetrics);
}

#[test]
fn every_flipped_byte_loses_the_stream_and_nothing_else() {
    let body = claude().concat();
    for at in 0..body.len() {
        let mut flipped = body.clone();
        flipped[at] ^= 1;
        let mut tap = tap(INVOKE, CLAUDE, &stream_head());
        tap.feed(&Bytes::from(flipped));
        assert!(!tap.at_message_boundary() && !tap.has_statement(), "{at}");
        let reading = tap.finish(End::Complete);
        assert!(
            reading.source == UsageSource::StreamChunks || reading.missing == Some(MissingReason::Unreadable)
        );
    }
}

#[test]
fn a_stream_may_end_at_any_byte() {
    for (operation, frames) in [(INVOKE, claude()), (Operation::ConverseStream, converse())] {
        let body = Bytes::from(frames.concat());
        let ends: Vec<usize> = frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            })
            .collect();
        for len in 0..=body.len() {
            let mut tap = tap(operation, CLAUDE, &stream_head());
            tap.feed(&body.slice(..len));
            assert_eq!(tap.at_message_boundary(), len == 0 || ends.contains(&len));
            assert_eq!(tap.has_statement(), len == body.len());
            let estimated = tap.finish(End::Cut).source == UsageSource::Estimated;
            assert_eq!(estimated, len < body.len());
        }
    }
}

#[test]
fn a_published_frame_is_read() {
    let mut scanner = Scanner::default();
    let bytes = frame(
        &[(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")],
        br#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=","p":"abcd"}"#,
    );
    // The checksums that botocore computes for this frame.
    assert_eq!(bytes[8..12], [0x2f, 0xea, 0x33, 0x01]);
    assert_eq!(bytes[142..], [0x42, 0xb7, 0x24, 0x80]);
    let mut kinds = 0;
    scanner.feed(&bytes, |message| kinds += u32::from(message.kind == Kind::Event("chunk")));
    assert_eq!(kinds, 1);
}

/// Feeds the body cut at the given places and reads it.
fn read_cut(operation: Operation, body: &Bytes, cuts: &[prop::sample::Index], end: End) -> Reading {
    let is_stream = operation != Operation::Converse;
    let headers = if is_stream { stream_head() } else { head(&[]) };
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    let mut tap = tap(operation, CLAUDE, &headers);
    for pair in places.windows(2) {
        tap.feed(&body.slice(pair[0]..pair[1]));
    }
    tap.finish(end)
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let header = ("[a-z:-]{1,12}", "[ -~]{0,20}");
    (prop::collection::vec(header, 0..4), prop::collection::vec(any::<u8>(), 0..200)).prop_map(
        |(headers, payload)| {
            let pairs: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            frame(&pairs, &payload)
        },
    )
}

/// The payloads that AWS's own decoder finds, and whether it met a fault.
fn oracle(body: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = MessageFrameDecoder::new();
    let mut segment = body;
    let mut found = Vec::new();
    loop {
        match decoder.decode_frame(&mut segment) {
            Ok(DecodedFrame::Complete(message)) => found.push(message.payload().to_vec()),
            Ok(DecodedFrame::Incomplete) => return (found, false),
            Err(_) => return (found, true),
        }
    }
}

proptest! {
    #[test]
    fn chunking_changes_no_reading(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        cut_off in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let bodies = [
            (INVOKE, claude().concat()),
            (Operation::ConverseStream, converse().concat()),
            (Operation::Converse, br#"{"text":"caf\u00e9","usage":{"inputTokens":1,"outputTokens":2.0}}"#.to_vec()),
        ];
        let end = if is_cut { End::Cut } else { End::Complete };
        for (operation, body) in bodies {
            let len = cut_off.index(body.len() + 1);
            for body in [Bytes::from(body[..len].to_vec()), Bytes::from(body)] {
                let whole = read_cut(operation, &body, &[], end);
                let pieces = read_cut(operation, &body, &cuts, end);
                prop_assert_eq!(show(&whole), show(&pieces));
            }
        }
    }

    #[test]
    fn the_scanner_agrees_with_the_sdk(
        messages in prop::collection::vec(message(), 0..6),
        flip in prop::option::of((any::<prop::sample::Index>(), 0..8_u8)),
        step in 1..64_usize,
    ) {
        let mut body = messages.concat();
        if let Some((at, bit)) = flip.filter(|_| !body.is_empty()) {
            let at = at.index(body.len());
            body[at] ^= 1 << bit;
        }
        let (expected, fault) = oracle(&body);
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        for piece in body.chunks(step) {
            scanner.feed(piece, |message| found.push(message.payload.to_vec()));
        }
        prop_assert_eq!(found, expected);
        // The SDK looks at lengths only once as many bytes came, so it may still wait where we are lost.
        prop_assert!(scanner.is_lost() || !fault);
        prop_assert!(flip.is_some() || scanner.at_boundary());
    }

    #[test]
    fn nothing_that_arrives_makes_it_fail(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..6),
        payload in prop::collection::vec(any::<u8>(), 0..60),
        json in r#"[\[\]{}":,a-z0-9\\ ]{0,60}"#,
    ) {
        let framed = [
            frame(&[(":event-type", "metadata")], json.as_bytes()),
            frame(&[(":event-type", "chunk")], &payload),
            chunk(&json),
        ]
        .concat();
        for operation in Operation::ALL {
            for headers in [head(&[]), stream_head()] {
                for end in [End::Complete, End::Cut] {
                    let mut tap = tap(operation, "", &headers);
                    tap.feed(&Bytes::from(framed.clone()));
                    for piece in &pieces {
                        tap.feed(&Bytes::from(piece.clone()));
                        tap.has_statement();
                    }
                    tap.finish(end);
                }
            }
        }
    }
}
