//! The exception message that ends an event stream which the gateway cannot bring to its own end.

use super::exchange::Ending;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;

/// Returns the message for an ending, as Bedrock would word it (bedrock-runtime service model, exceptions of
/// `ConverseStreamOutput` and `ResponseStream`).
pub(super) fn message(ending: Ending) -> Bytes {
    let (kind, text) = match ending {
        Ending::Silent => (
            "serviceUnavailableException",
            "tollgate: Bedrock was silent for too long; the stream is not whole",
        ),
        Ending::GraceOver => {
            ("serviceUnavailableException", "tollgate: the gateway shut down; the stream is not whole")
        }
        Ending::Complete | Ending::Broken | Ending::Unreachable | Ending::ClientGone => {
            ("internalServerException", "tollgate: the connection to Bedrock broke; the stream is not whole")
        }
    };
    let payload = serde_json::json!({ "message": text }).to_string();
    let header =
        |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload)
        .add_header(header(":message-type", "exception"))
        .add_header(header(":exception-type", kind))
        .add_header(header(":content-type", "application/json"));
    let mut framed = Vec::new();
    // Three short headers and a sentence are within what a message may hold.
    let _ = write_message_to(&message, &mut framed);
    framed.into()
}
