//! Frames, heads and shortcuts for the tests.

use super::{End, Reading, Tap};
use crate::domain::{ModelId, Operation, Tokens};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// One event-stream message with string headers.
pub(super) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(block.len() + payload.len() + 16).unwrap();
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&block);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

/// An event of a type of its own.
pub(super) fn event(kind: &str, json: &str) -> Vec<u8> {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, json.as_bytes())
}

/// A model's own JSON inside a `chunk` event.
pub(super) fn chunk(json: &str) -> Vec<u8> {
    event("chunk", &format!(r#"{{"bytes":"{}","p":"abcdef"}}"#, STANDARD.encode(json)))
}

/// An exception message.
pub(super) fn exception(kind: &str) -> Vec<u8> {
    let headers = [(":exception-type", kind), (":message-type", "exception")];
    frame(&headers, br#"{"message":"slow"}"#)
}

pub(super) fn head(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// The head of an event stream.
pub(super) fn stream_head() -> HeaderMap {
    head(&[("content-type", "application/vnd.amazon.eventstream")])
}

/// A tap on a call with 41 bytes of request text.
pub(super) fn tap(operation: Operation, model: &str, headers: &HeaderMap) -> Tap {
    Tap::new(operation, ModelId::parse(model).ok().as_ref(), 200, headers, 41)
}

/// Reads a JSON body.
pub(super) fn read_body(operation: Operation, model: &str, pairs: &[(&str, &str)], body: &str) -> Reading {
    let mut tap = tap(operation, model, &head(pairs));
    tap.feed(&Bytes::from(body.to_owned()));
    tap.finish(End::Complete)
}

/// Reads an event stream.
pub(super) fn read_stream(operation: Operation, model: &str, frames: &[Vec<u8>], end: End) -> Reading {
    let mut tap = tap(operation, model, &stream_head());
    for frame in frames {
        tap.feed(&Bytes::from(frame.clone()));
    }
    tap.finish(end)
}

/// Tokens as input, output, cache read, written for 5 minutes, written for 1 hour; -1 is not said.
pub(super) fn tokens(counts: [i64; 5]) -> Tokens {
    let said = counts.map(|count| u64::try_from(count).ok());
    Tokens {
        input: said[0],
        output: said[1],
        cache_read: said[2],
        cache_write_5m: said[3],
        cache_write_1h: said[4],
    }
}
