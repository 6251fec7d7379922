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
    let padding = length.wrapping_mul(17).checked_rem(PADDING.len()).unwrap_or(0);
    merge(&mut payload, json!({ "p": PADDING.get(..=padding) }));
    message([":event-type", kind], "event", &payload)
}

/// Writes a `chunk` event around a model's own JSON.
pub(super) fn chunk(json: &Value) -> Result<Bytes, Refusal> {
    event("chunk", json!({ "bytes": STANDARD.encode(json.to_string()) }))
}

/// Writes an exception.
pub(super) fn exception(kind: &str) -> Result<Bytes, Refusal> {
    let payload = json!({ "message": format!("The simulator was told to end the stream with {kind}.") });
    message([":exception-type", kind], "exception", &payload)
}

/// Writes a message with the headers in the service's own order.
fn message(kind: [&str; 2], message_type: &str, payload: &Value) -> Result<Bytes, Refusal> {
    let string =
        |name: &str, value: &str| Header::new(name.to_owned(), HeaderValue::String(value.to_owned().into()));
    let [name, kind] = kind;
    let message = Message::new(payload.to_string())
        .add_header(string(name, kind))
        .add_header(string(":content-type", "application/json"))
        .add_header(string(":message-type", message_type));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).map_err(|_| Refusal::of_status(500))?;
    Ok(frame.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recorded frame's checksums (aws-doc-sdk-examples issue 5541, as botocore computes them).
    #[test]
    fn a_published_frame_is_written() {
        let payload = json!({ "bytes": STANDARD.encode(r#"{"type":"message_stop"}"#), "p": "abcd" });
        let frame = message([":event-type", "chunk"], "event", &payload).unwrap();
        assert_eq!((frame.len(), &frame[8..12]), (146, &[0x2f, 0xea, 0x33, 0x01][..]));
        assert_eq!(frame[142..], [0x42, 0xb7, 0x24, 0x80]);
    }

    #[test]
    fn padding_varies_with_the_payload() {
        let lengths: std::collections::BTreeSet<usize> =
            (0..20).map(|n| event("e", json!({ "t": "x".repeat(n) })).unwrap().len() - n).collect();
        assert!(lengths.len() > 10);
    }
}
