//! Answers of the simulator's, and what is known of them at each byte.

use crate::gateway::{CLAUDE, NOVA, TestGateway, converse_body};
use crate::socket::TEXT;
use crate::upstream::{Framing, Step, end, head, piece};
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use tollgate::tap::TextCounter;

/// What every sample states. No estimate comes near.
pub(crate) const STATED: (u64, u64) = (1000, 2000);

/// An answer as the simulator gave it.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) operation: &'static str,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// Where messages end; a body that is no event stream is one message.
    pub(crate) ends: Vec<usize>,
    /// Bytes of text in each message.
    texts: Vec<u64>,
    is_claude: bool,
}

/// Returns a Claude and a Nova stream of each streaming operation.
pub(crate) async fn streams() -> Vec<Sample> {
    samples(&["converse-stream", "invoke-with-response-stream"]).await
}

/// Returns a Claude and a Nova answer of each operation that does not stream.
pub(crate) async fn bodies() -> Vec<Sample> {
    samples(&["converse", "invoke"]).await
}

async fn samples(operations: &[&'static str]) -> Vec<Sample> {
    let gateway = TestGateway::start().await;
    let mut samples = Vec::new();
    for operation in operations {
        for model in [CLAUDE, NOVA] {
            samples.push(Sample::of(&gateway, operation, model).await);
        }
    }
    gateway.stop().await;
    samples
}

impl Sample {
    async fn of(gateway: &TestGateway, operation: &'static str, model: &str) -> Self {
        let path = format!("/s/a/model/{model}/{operation}");
        let (input, output) = (STATED.0.to_string(), STATED.1.to_string());
        let headers = [
            ("x-sim-input-tokens", input.as_str()),
            ("x-sim-output-tokens", output.as_str()),
            ("x-sim-chunks", "3"),
            ("x-sim-text-bytes", "70"),
        ];
        let answer = gateway.post(&path, &headers, &converse_body(TEXT)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.body.to_vec();
        let (ends, texts) = if operation.ends_with("stream") {
            messages(&body).iter().map(|(end, message)| (*end, text_bytes(message))).unzip()
        } else {
            (vec![body.len()], vec![0])
        };
        assert_eq!(ends.last(), Some(&body.len()));
        Self { operation, path, body, ends, texts, is_claude: model == CLAUDE }
    }

    /// Tells whether the answer is an event stream.
    pub(crate) fn is_stream(&self) -> bool {
        self.operation.ends_with("stream")
    }

    /// Returns the places where a fault may make a difference: around every boundary, and some within each message.
    pub(crate) fn places(&self) -> BTreeSet<usize> {
        let starts = [0].iter().chain(&self.ends);
        let mut places: BTreeSet<usize> =
            starts.flat_map(|end| [*end, *end + 1, *end + 5, *end + 13]).collect();
        places.extend(self.ends.iter().map(|end| end - 1));
        places.extend((0..self.body.len()).step_by(97));
        places.retain(|place| *place <= self.body.len());
        places
    }

    /// Tells whether a message ends here, or the first begins.
    pub(crate) fn is_boundary(&self, place: usize) -> bool {
        self.is_stream() && (place == 0 || self.ends.contains(&place))
    }

    /// Tells whether the final statement is whole by then.
    pub(crate) fn is_stated_by(&self, place: usize) -> bool {
        place == self.body.len()
    }

    /// Returns what a record owes of an answer that was cut: input, output and their source.
    pub(crate) fn usage_at(&self, place: usize) -> (u64, u64, &'static str) {
        if self.is_stated_by(place) {
            return (STATED.0, STATED.1, self.source());
        }
        let text_bytes = if self.is_stream() {
            let whole = self.ends.iter().zip(&self.texts).filter(|(end, _)| **end <= place);
            whole.map(|(_, text)| text).sum()
        } else {
            let mut counter = TextCounter::default();
            counter.feed(&self.body[..place]);
            counter.bytes()
        };
        let starts = self.is_claude && self.operation.starts_with("invoke-") && place >= self.ends[0];
        let input = if starts { STATED.0 } else { u64::try_from(TEXT.len()).unwrap().div_ceil(4) };
        (input, text_bytes.div_ceil(4), "estimated")
    }

    /// Returns where a whole answer's usage is found.
    pub(crate) fn source(&self) -> &'static str {
        match self.operation {
            "converse-stream" => "stream_metadata",
            "invoke-with-response-stream" => "invocation_metrics",
            "converse" => "converse",
            _ => "invoke_body",
        }
    }

    /// Returns a script that sends the first bytes, does `then`, and sends the rest.
    pub(crate) fn script(&self, framing: Framing, place: usize, then: Step) -> Vec<Step> {
        let (first, rest) = self.body.split_at(place);
        vec![
            Step::Send(self.head(framing)),
            Step::Send(piece(framing, first)),
            then,
            Step::Send(piece(framing, rest)),
            Step::Send(end(framing)),
        ]
    }

    /// Returns the bytes of the answer's head.
    pub(crate) fn head(&self, framing: Framing) -> Vec<u8> {
        let is_stream = self.is_stream();
        let kind = if is_stream { "application/vnd.amazon.eventstream" } else { "application/json" };
        head(kind, framing, self.body.len())
    }
}

/// Takes an event stream apart, and says where each message ends; bytes that are no whole message are an error.
pub(crate) fn messages(body: &[u8]) -> Vec<(usize, Message)> {
    let (mut rest, mut decoder, mut messages) = (body, MessageFrameDecoder::new(), Vec::new());
    while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut rest).unwrap() {
        messages.push((body.len() - rest.len(), message));
    }
    assert_eq!(messages.last().map_or(0, |(end, _)| *end), body.len(), "bytes are left over");
    messages
}

/// Returns a message's header.
pub(crate) fn message_header(message: &Message, name: &str) -> String {
    let mut headers = message.headers().iter().filter(|header| header.name().as_str() == name);
    headers.next().map_or_else(String::new, |header| header.value().as_string().unwrap().as_str().to_owned())
}

fn text_bytes(message: &Message) -> u64 {
    let mut json: Value = serde_json::from_slice(message.payload()).unwrap();
    if let Some(inner) = json["bytes"].as_str() {
        json = serde_json::from_slice(&STANDARD.decode(inner).unwrap()).unwrap();
    }
    let places = ["/delta/text", "/contentBlockDelta/delta/text"];
    let text = places.iter().find_map(|place| json.pointer(place)?.as_str()).unwrap_or_default();
    u64::try_from(text.len()).unwrap()
}
