//! The `x-sim-*` headers with which a request steers its own answer.
//!
//! | header | meaning |
//! |---|---|
//! | `x-sim-input-tokens`, `-output-tokens`, `-cache-read-tokens`, `-cache-write-tokens` (five minutes), `-cache-write-1h-tokens` | the numbers to state |
//! | `x-sim-chunks` | number of content deltas of a stream, at least 1 |
//! | `x-sim-text-bytes` | length of the reply's text |
//! | `x-sim-pace-ms` | pause between two pieces of the body |
//! | `x-sim-split` | write the body in pieces of that many bytes, each flushed |
//! | `x-sim-content-length: 1` | give a stream a `content-length` |
//! | `x-sim-fault` | see [`Fault`] |

use super::refusal::Refusal;
use super::truth::TokenTotals;
use http::HeaderMap;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

/// Content deltas of a stream, where the request names no number.
const DEFAULT_CHUNKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);
/// The most content deltas that a stream may be asked for.
const MAX_CHUNKS: usize = 100_000;
/// The longest reply text that may be asked for, in bytes.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// What a request asks of its answer.
#[derive(Debug)]
pub(super) struct Steering {
    /// Number of content deltas.
    pub(super) chunks: NonZeroUsize,
    /// Length of the reply's text, in bytes.
    pub(super) text_bytes: Option<usize>,
    /// Pause between two pieces of the body.
    pub(super) pace: Option<Duration>,
    /// Length of the body's pieces, in bytes.
    pub(super) split: Option<NonZeroUsize>,
    /// Whether a stream states its length.
    pub(super) content_length: bool,
    /// What goes wrong.
    pub(super) fault: Option<Fault>,
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
}

/// What is to go wrong, by the value of `x-sim-fault`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// `throttle` or `status:N`: an error of that status.
    Status(u16),
    /// `exception:N:kind`: after N events, an exception of that kind and the end of the stream.
    Exception {
        /// How many events come before it.
        after: usize,
        /// Its name, such as `throttlingException`.
        kind: String,
    },
    /// `reset:N`: after N bytes of the body, short of its stated length, a TCP reset.
    Reset(usize),
    /// `reset-head`: a TCP reset before any answer.
    ResetHead,
    /// `stall:N`: after N bytes of the body, silence.
    Stall(usize),
    /// `stall-head`: silence from the beginning.
    StallHead,
    /// `truncate:N`: the body ends after N bytes as if it were whole.
    Truncate(usize),
    /// `unmetered`: the answer states no usage.
    Unmetered,
}

impl Steering {
    /// Reads the headers.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let fault = match headers.get("x-sim-fault") {
            Some(value) => {
                Some(value.to_str().ok().and_then(Fault::parse).ok_or_else(|| bad("x-sim-fault"))?)
            }
            None => None,
        };
        let chunks: Option<NonZeroUsize> = number(headers, "x-sim-chunks")?;
        let text_bytes: Option<usize> = number(headers, "x-sim-text-bytes")?;
        let pace: Option<u64> = number(headers, "x-sim-pace-ms")?;
        if chunks.is_some_and(|chunks| chunks.get() > MAX_CHUNKS) {
            return Err(bad("x-sim-chunks"));
        }
        if text_bytes.is_some_and(|bytes| bytes > MAX_TEXT) {
            return Err(bad("x-sim-text-bytes"));
        }
        Ok(Self {
            chunks: chunks.unwrap_or(DEFAULT_CHUNKS),
            text_bytes,
            pace: pace.map(Duration::from_millis),
            split: number(headers, "x-sim-split")?,
            content_length: number::<u8>(headers, "x-sim-content-length")? == Some(1),
            fault,
            input: number(headers, "x-sim-input-tokens")?,
            output: number(headers, "x-sim-output-tokens")?,
            cache_read: number(headers, "x-sim-cache-read-tokens")?,
            cache_write_5m: number(headers, "x-sim-cache-write-tokens")?,
            cache_write_1h: number(headers, "x-sim-cache-write-1h-tokens")?,
        })
    }

    /// Returns the tokens to state: four bytes of text to a token, rounded up, where the request gives no number.
    pub(super) fn tokens(&self, request_text: u64, reply_text: u64) -> TokenTotals {
        TokenTotals {
            input: self.input.unwrap_or(request_text.div_ceil(4)),
            output: self.output.unwrap_or(reply_text.div_ceil(4)),
            cache_read: self.cache_read.unwrap_or(0),
            cache_write_5m: self.cache_write_5m.unwrap_or(0),
            cache_write_1h: self.cache_write_1h.unwrap_or(0),
        }
    }

    /// Tells whether the answer is to state its usage.
    pub(super) fn is_metered(&self) -> bool {
        self.fault != Some(Fault::Unmetered)
    }
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "throttle" if rest.is_empty() => Some(Self::Status(429)),
            "status" => rest.parse().ok().filter(|status| (400..600).contains(status)).map(Self::Status),
            "exception" => {
                let (after, kind) = rest.split_once(':').filter(|(_, kind)| !kind.is_empty())?;
                Some(Self::Exception { after: after.parse().ok()?, kind: kind.to_owned() })
            }
            "reset" => rest.parse().ok().map(Self::Reset),
            "reset-head" if rest.is_empty() => Some(Self::ResetHead),
            "stall" => rest.parse().ok().map(Self::Stall),
            "stall-head" if rest.is_empty() => Some(Self::StallHead),
            "truncate" => rest.parse().ok().map(Self::Truncate),
            "unmetered" if rest.is_empty() => Some(Self::Unmetered),
            _ => None,
        }
    }
}

/// Returns a header's number, if the header is there.
fn number<T: FromStr>(headers: &HeaderMap, name: &str) -> Result<Option<T>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| bad(name))
}

/// A steering header that makes no sense is an error, lest a test pass for the wrong reason.
fn bad(name: &str) -> Refusal {
    Refusal::validation(format!("the simulator does not understand the value of {name}"))
}
