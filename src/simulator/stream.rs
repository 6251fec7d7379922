//! Messages of `application/vnd.amazon.eventstream`.

use super::calls::merge;
use super::refusal::Refusal;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// What padding is cut from.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Writes an event, with the padding `p` against guessing from lengths that every event of Bedrock's has.
pub(super) fn event(kind: &str, mut payload: Value) -> Result<Bytes, Refusal> {
    let length = payload.to_string().len();
    // The service's lengths are random; these only have to vary.
    let padding = length.wrapping_mul(31).checked_rem(PADDING.len()).unwrap_or(0);
    merge(&mut payload, json!({ "p": PADDING.get(..=padding) }));
    message(&[(":event-type", kind), (":message-type", "event")], &payload)
}

/// Writes a `chunk` event around a model's own JSON.
pub(super) fn chunk(json: &Value) -> Result<Bytes, Refusal> {
    event("chunk", json!({ "bytes": STANDARD.encode(json.to_string()) }))
}

/// Writes an exception.
pub(super) fn exception(kind: &str) -> Result<Bytes, Refusal> {
    let payload = json!({ "message": format!("The simulator was told to end the stream with {kind}.") });
    message(&[(":exception-type", kind), (":message-type", "exception")], &payload)
}

fn message(headers: &[(&'static str, &str)], payload: &Value) -> Result<Bytes, Refusal> {
    let string =
        |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let mut message =
        Message::new(payload.to_string()).add_header(string(":content-type", "application/json"));
    for (name, value) in headers {
        message = message.add_header(string(name, value));
    }
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).map_err(|_| Refusal::of_status(500))?;
    Ok(frame.into())
}
