//! Reads an event stream while it passes.

use super::Exception;
use super::body::{add_units, input_may, is_stated};
use super::counts::{self, InputMay, TopCounts};
use super::event_stream::{Kind, Message, Scanner};
use super::family::{Family, Winner};
use super::lenient::{Maybe, from_json};
use super::shapes::{BlockDelta, Converse, Invoke};
use super::statements::Statements;
use crate::domain::{ModelId, Tokens, Usage, UsageSource};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::borrow::Cow;

/// A stream as far as it came.
#[derive(Debug)]
pub(super) struct Stream {
    scanner: Scanner,
    seen: Seen,
}

/// What the messages said.
#[derive(Debug)]
pub(super) struct Seen {
    family: &'static Family,
    /// The JSON inside the chunk at hand.
    scratch: Vec<u8>,
    /// Bytes of text that were streamed.
    pub(super) text_bytes: u64,
    /// What a `metadata` event states.
    metadata: Tokens,
    /// What the invocation metrics state.
    metrics: Tokens,
    /// What `message_start` states, without its output, which is only the first tokens.
    start: Tokens,
    /// What other chunks state; cumulative.
    chunks: Tokens,
    top: TopCounts,
    /// Whether a chunk's numbers are the last of their kind.
    closed: bool,
    /// Units of guardrails; the tokens are settled at the end.
    pub(super) usage: Usage,
    pub(super) service_tier: Option<String>,
    pub(super) latency_tier: Option<String>,
    pub(super) invoked_model: Option<ModelId>,
    pub(super) exception: Option<Exception>,
    /// Whether something could not be read.
    pub(super) unreadable: bool,
    pub(super) raw: Statements,
}

/// A `chunk` event's payload; its padding is skipped.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    bytes: Cow<'a, str>,
}

impl Stream {
    pub(super) fn new(family: &'static Family) -> Self {
        let seen = Seen {
            family,
            scratch: Vec::new(),
            text_bytes: 0,
            metadata: Tokens::default(),
            metrics: Tokens::default(),
            start: Tokens::default(),
            chunks: Tokens::default(),
            top: TopCounts::default(),
            closed: false,
            usage: Usage::default(),
            service_tier: None,
            latency_tier: None,
            invoked_model: None,
            exception: None,
            unreadable: false,
            raw: Statements::default(),
        };
        Self { scanner: Scanner::default(), seen }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let seen = &mut self.seen;
        self.scanner.feed(chunk, |message| seen.read(message));
    }

    pub(super) fn at_message_boundary(&self) -> bool {
        self.scanner.at_boundary()
    }

    pub(super) fn has_statement(&self) -> bool {
        self.seen.has_statement()
    }

    /// Returns what was seen once the stream is over.
    pub(super) fn into_seen(mut self) -> Seen {
        self.seen.unreadable |= self.scanner.is_lost() || !self.scanner.at_boundary();
        self.seen.raw.put_counts("chunk", &self.seen.top);
        self.seen
    }
}

impl Seen {
    /// Tells whether the final statement came.
    pub(super) fn has_statement(&self) -> bool {
        is_stated(&self.metadata) || is_stated(&self.metrics)
    }

    /// Returns the tokens that were stated for good, and where.
    pub(super) fn stated(&self) -> Option<(Tokens, UsageSource)> {
        if is_stated(&self.metadata) {
            return Some((self.metadata, UsageSource::StreamMetadata));
        }
        let chunks = self.chunk_tokens();
        if !is_stated(&self.metrics) {
            let whole = self.closed || self.exception.is_none();
            return (whole && chunks.output.is_some()).then_some((chunks, UsageSource::StreamChunks));
        }
        // Only Anthropic's streams have a `message_start`, whatever id the model was called by.
        if self.family.winner == Winner::Chunks || is_stated(&self.start) {
            let differs = chunks.output.is_some() && chunks.output != self.metrics.output;
            let source = if differs { UsageSource::StreamChunks } else { UsageSource::InvocationMetrics };
            return Some((counts::fill(chunks, self.metrics), source));
        }
        let mut tokens = counts::fill(self.metrics, chunks);
        if counts::sum(chunks.input, chunks.cache_read) == self.metrics.input {
            // The metrics' input includes what the chunks say came from a cache.
            tokens.input = chunks.input;
        }
        Some((tokens, UsageSource::InvocationMetrics))
    }

    /// Returns what the chunks said about the input so far.
    pub(super) fn early_input(&self) -> Tokens {
        Tokens { output: None, ..self.chunk_tokens() }
    }

    fn chunk_tokens(&self) -> Tokens {
        counts::fill(counts::cumulate(self.start, self.chunks), self.top.tokens())
    }

    fn read(&mut self, message: Message<'_>) {
        match message.kind {
            Kind::Event("chunk") => self.read_chunk(message.payload),
            Kind::Event("contentBlockDelta") => match from_json::<BlockDelta>(message.payload) {
                Ok(block) => self.add_text(block.text()),
                Err(_) => self.unreadable = true,
            },
            Kind::Event("metadata") => match from_json::<Maybe<Converse>>(message.payload) {
                Ok(metadata) => self.take_metadata(metadata.0.unwrap_or_default()),
                Err(_) => self.unreadable = true,
            },
            Kind::Event(_) => {}
            Kind::Exception(kind) => {
                self.exception.get_or_insert_with(|| Exception::new(kind));
            }
        }
    }

    fn read_chunk(&mut self, payload: &[u8]) {
        self.scratch.clear();
        let decoded = from_json::<Envelope<'_>>(payload)
            .is_ok_and(|envelope| STANDARD.decode_vec(&*envelope.bytes, &mut self.scratch).is_ok());
        match from_json::<Maybe<Invoke>>(&self.scratch) {
            Ok(chunk) if decoded => self.take_chunk(chunk.0.unwrap_or_default()),
            _ => self.unreadable = true,
        }
    }

    fn take_metadata(&mut self, metadata: Converse) {
        if let Some(stated) = metadata.usage {
            self.metadata = counts::tokens(&stated, input_may(self.family));
            self.raw.put("metadata", stated);
        }
        if let Some(trace) = metadata.trace.0 {
            self.invoked_model = trace.invoked_model();
            add_units(&mut self.usage, trace.guardrail.0);
        }
        self.service_tier = metadata.service_tier.0.and_then(|tier| tier.name.0);
        self.latency_tier = metadata.performance_config.0.and_then(|config| config.latency.0);
    }

    fn take_chunk(&mut self, chunk: Invoke) {
        self.add_text(chunk.streamed_text());
        let top = chunk.top_counts();
        self.top.cumulate(top);
        self.closed |= top.titan_output.0.is_some() || chunk.stop_reason.0 > 0;
        if let Some(stated) = chunk.message.0.and_then(|message| message.usage) {
            self.start = Tokens { output: None, ..counts::tokens(&stated, InputMay::ExcludeCached) };
            self.raw.put("message_start", stated);
        }
        let place = if is_stated(&self.start) { "message_delta" } else { "usage" };
        let metadata = chunk.metadata.0.and_then(|metadata| metadata.usage);
        for (place, stated) in [(place, chunk.usage), ("metadata", metadata)] {
            if let Some(stated) = stated {
                let tokens = counts::tokens(&stated, InputMay::ExcludeCached);
                self.chunks = counts::cumulate(self.chunks, tokens);
                self.closed |= tokens.output.is_some();
                self.raw.put(place, stated);
            }
        }
        if let Some(stated) = chunk.metrics {
            self.metrics = counts::tokens(&stated, InputMay::ExcludeCached);
            self.raw.put("invocationMetrics", stated);
        }
        if let Some(trace) = chunk.trace.0 {
            add_units(&mut self.usage, trace.guardrail.0);
        }
    }

    fn add_text(&mut self, bytes: u64) {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
    }
}
