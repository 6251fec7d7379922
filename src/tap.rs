//! Reads what a response says it used, from a copy of the bytes that pass by.
//!
//! Pure: it is fed chunks and asked at the end. Chunks are shared, never copied, except an event-stream message
//! that spans two of them. It cannot change a byte, and nothing that upstream sends makes it fail: what it cannot
//! read is a reading that says so.

mod body;
mod counts;
mod event_stream;
mod family;
mod guardrail;
mod headers;
mod lenient;
mod picture;
mod shapes;
mod statements;
mod stream;
mod text;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

use crate::domain::{MissingReason, ModelId, Operation, Tokens, Unit, Usage, UsageSource};
use body::Statement;
use bytes::Bytes;
use family::Billed;
pub use family::Family;
use headers::HeaderCounts;
use http::HeaderMap;
pub use picture::picture;
use serde_json::value::RawValue;
use statements::Statements;
use stream::{Seen, Stream};
pub use text::TextCounter;

/// Follows one response.
#[derive(Debug)]
pub struct Tap {
    operation: Operation,
    family: &'static Family,
    request_text_bytes: u64,
    head: HeaderCounts,
    service_tier: Option<String>,
    latency_tier: Option<String>,
    body: Body,
}

/// What is done with the body.
#[derive(Debug)]
enum Body {
    /// Nothing is due.
    Free,
    /// It is not looked at: it cannot be read, or the head has said it all. Whether a byte of it came.
    Skipped(bool),
    /// One JSON document, in the pieces that it came in.
    Whole(Vec<Bytes>),
    /// An event stream.
    Stream(Box<Stream>),
}

/// What a response said it used.
#[derive(Debug)]
pub struct Reading {
    /// What was used; empty where it is missing or nothing is due.
    pub usage: Usage,
    /// Where `usage` comes from.
    pub source: UsageSource,
    /// Why `usage` is missing, where `source` says that it is.
    pub missing: Option<MissingReason>,
    /// Every statement as upstream made it: a JSON object with one member per place that spoke.
    pub raw: Option<Box<RawValue>>,
    /// The service tier that the response says was used.
    pub service_tier: Option<String>,
    /// The latency tier that the response says was used.
    pub latency_tier: Option<String>,
    /// The model that a prompt router says it called.
    pub invoked_model: Option<ModelId>,
    /// The exception that ended the stream, if one did.
    pub exception: Option<Exception>,
}

/// An exception message, or an error message, inside a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The exception's name as the message spells it, such as `throttlingException`.
    pub kind: String,
    /// Whether it says that the caller was throttled.
    pub throttling: bool,
}

impl Exception {
    fn new(kind: &str) -> Self {
        let throttling = kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("throttlin"));
        Self { kind: kind.to_owned(), throttling }
    }
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was read to its end.
    Complete,
    /// It was broken off, drained to a limit, cancelled, or the process shut down.
    Cut,
}

impl Tap {
    /// Makes a tap for a response with that head. `model` is the source model, which tells the family;
    /// `request_text_bytes` is what a `TextCounter` counted in the request.
    pub fn new(
        operation: Operation,
        model: Option<&ModelId>,
        status: u16,
        headers: &HeaderMap,
        request_text_bytes: u64,
    ) -> Self {
        Self::of_family(operation, Family::of(model), status, headers, request_text_bytes)
    }

    /// Does the same for a model whose family is known.
    pub fn of_family(
        operation: Operation,
        family: &'static Family,
        status: u16,
        headers: &HeaderMap,
        request_text_bytes: u64,
    ) -> Self {
        let is_invoke =
            matches!(operation, Operation::InvokeModel | Operation::InvokeModelWithResponseStream);
        let head = if is_invoke { HeaderCounts::of(headers) } else { HeaderCounts::default() };
        let told_by_head = family.place == family::Place::Headers
            && family.billed == Billed::InputTokens
            && head.tokens().input.is_some();
        let body = if !(200..300).contains(&status) || !operation.is_billable() {
            Body::Free
        } else if told_by_head || !headers::is_plain(headers) || operation == Operation::StartAsyncInvoke {
            Body::Skipped(false)
        } else if headers::is_event_stream(headers) {
            Body::Stream(Box::new(Stream::new(family)))
        } else {
            Body::Whole(Vec::new())
        };
        let tier = |name| headers::text(headers, name).map(str::to_owned);
        Self {
            operation,
            family,
            request_text_bytes,
            head,
            service_tier: tier(headers::SERVICE_TIER),
            latency_tier: tier(headers::LATENCY),
            body,
        }
    }

    /// Takes the body's next chunk.
    pub fn feed(&mut self, chunk: &Bytes) {
        match &mut self.body {
            _ if chunk.is_empty() => {}
            Body::Free => {}
            Body::Skipped(received) => *received = true,
            Body::Whole(pieces) => pieces.push(chunk.clone()),
            Body::Stream(stream) => stream.feed(chunk),
        }
    }

    /// Tells whether the body is an event stream with intact framing whose last byte so far ended a message, or
    /// of which no byte came.
    pub fn at_message_boundary(&self) -> bool {
        matches!(&self.body, Body::Stream(stream) if stream.at_message_boundary())
    }

    /// Tells whether the final statement came whole: the metadata message, the invocation metrics, or all of the
    /// body. Of a body that looks whole all is read again, so ask at an end, not at every chunk.
    pub fn has_statement(&self) -> bool {
        match &self.body {
            Body::Free | Body::Skipped(_) => false,
            Body::Whole(pieces) => body::is_whole(pieces),
            Body::Stream(stream) => stream.has_statement(),
        }
    }

    /// Returns what the response said.
    pub fn finish(mut self, end: End) -> Reading {
        match std::mem::replace(&mut self.body, Body::Free) {
            Body::Free => self.reading(Usage::default(), UsageSource::NotApplicable),
            Body::Skipped(_) if end == End::Cut => self.cut(0),
            Body::Skipped(received) => {
                let unread = received && self.operation != Operation::StartAsyncInvoke;
                let reason = if unread { MissingReason::Unreadable } else { MissingReason::NoStatement };
                self.stated(Err(reason), Statements::default())
            }
            Body::Whole(pieces) => self.finish_pieces(&pieces, end),
            Body::Stream(stream) => self.finish_stream(stream.into_seen(), end),
        }
    }

    fn finish_pieces(self, pieces: &[Bytes], end: End) -> Reading {
        if end == End::Cut && !body::is_whole(pieces) {
            let mut text = TextCounter::default();
            for piece in pieces {
                text.feed(piece);
            }
            return self.cut(text.bytes());
        }
        let mut raw = Statements::default();
        let unread = if pieces.is_empty() { MissingReason::NoStatement } else { MissingReason::Unreadable };
        let statement = body::read(self.operation, self.family, pieces, &mut raw).ok_or(unread);
        self.stated(statement, raw)
    }

    /// Returns what is known of a body that broke off.
    fn cut(self, text_bytes: u64) -> Reading {
        let mut raw = Statements::default();
        if !self.head.is_empty() {
            raw.put_counts("headers", &self.head);
        }
        let early = Tokens { output: None, ..self.head.tokens() };
        Reading { raw: raw.into_raw(), ..self.estimate(early, text_bytes) }
    }

    /// Returns what the body and the head state; the body may have been no use for the given reason.
    fn stated(mut self, body: Result<Statement, MissingReason>, mut raw: Statements) -> Reading {
        if !self.head.is_empty() {
            raw.put_counts("headers", &self.head);
        }
        let head = self.head.tokens();
        let reason = body.as_ref().err().copied().unwrap_or(MissingReason::NoStatement);
        let Statement { mut usage, source, service_tier, latency_tier, invoked_model } =
            body.unwrap_or_default();
        self.service_tier = service_tier.or(self.service_tier);
        self.latency_tier = latency_tier.or(self.latency_tier);
        let by_head = !body::is_stated(&usage.tokens) && body::is_stated(&head);
        usage.tokens = counts::fill(usage.tokens, head);
        let reading = match source {
            _ if by_head => self.reading(usage, UsageSource::InvokeHeaders),
            Some(source) => self.reading(usage, source),
            None => self.missing(usage, reason),
        };
        Reading { raw: raw.into_raw(), invoked_model, ..reading }
    }

    fn finish_stream(mut self, seen: Seen, end: End) -> Reading {
        let as_stated = end == End::Complete || seen.has_statement() || seen.exception.is_some();
        self.service_tier = seen.service_tier.clone().or(self.service_tier);
        self.latency_tier = seen.latency_tier.clone().or(self.latency_tier);
        let mut usage = seen.usage.clone();
        let mut reading = if !as_stated {
            let mut reading = self.estimate(seen.early_input(), seen.text_bytes);
            reading.usage.units.append(&mut usage.units);
            reading.usage.policies.append(&mut usage.policies);
            reading
        } else if let Some((tokens, source)) = seen.stated() {
            usage.tokens = tokens;
            self.reading(usage, source)
        } else if seen.exception.is_some() {
            self.missing(usage, MissingReason::Exception)
        } else if seen.unreadable {
            self.missing(usage, MissingReason::Unreadable)
        } else {
            self.missing(usage, MissingReason::NoStatement)
        };
        reading.exception = seen.exception;
        reading.invoked_model = seen.invoked_model;
        reading.raw = seen.raw.into_raw();
        reading
    }

    /// Returns an estimate, four bytes of text to a token, around the input that was stated early. What is billed
    /// by something else than tokens or queries cannot be estimated, and is missing.
    fn estimate(self, early: Tokens, text_bytes: u64) -> Reading {
        let mut usage = Usage::default();
        let is_model_call = match self.operation {
            Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream => true,
            Operation::CountTokens
            | Operation::ApplyGuardrail
            | Operation::InvokeGuardrailChecks
            | Operation::StartAsyncInvoke
            | Operation::GetAsyncInvoke
            | Operation::ListAsyncInvokes => false,
        };
        if !is_model_call || self.family.billed == Billed::Images {
            return self.missing(usage, MissingReason::NoStatement);
        }
        if self.family.billed == Billed::Query {
            usage.add(Unit::Queries, 1);
            return self.reading(usage, UsageSource::Estimated);
        }
        let output = (self.family.billed == Billed::Tokens).then(|| text_bytes.div_ceil(4));
        let input = early.input.or(Some(self.request_text_bytes.div_ceil(4)));
        usage.tokens = Tokens { input, output, ..early };
        self.reading(usage, UsageSource::Estimated)
    }

    fn missing(self, usage: Usage, reason: MissingReason) -> Reading {
        Reading { missing: Some(reason), ..self.reading(usage, UsageSource::Missing) }
    }

    fn reading(self, usage: Usage, source: UsageSource) -> Reading {
        Reading {
            usage,
            source,
            missing: None,
            raw: None,
            service_tier: self.service_tier,
            latency_tier: self.latency_tier,
            invoked_model: None,
            exception: None,
        }
    }
}
