//! The `x-sim-*` headers with which a request steers its own answer.
//!
//! A client that cannot add headers writes them into its prompt, as words such as `x-sim-chunks=20`: a word anywhere
//! in the body stands for the header where that is absent, and of several the last.
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
use memchr::memmem;
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
    /// Reads the headers and the words of the body.
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let said = Said { headers, body: memmem::find(body, b"x-sim-").map(|_| body) };
        let chunks: Option<NonZeroUsize> = said.number("x-sim-chunks")?;
        let text_bytes: Option<usize> = said.number("x-sim-text-bytes")?;
        let pace: Option<u64> = said.number("x-sim-pace-ms")?;
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
            split: said.number("x-sim-split")?,
            content_length: said.number::<u8>("x-sim-content-length")? == Some(1),
            fault: said.value("x-sim-fault", Fault::parse)?,
            input: said.number("x-sim-input-tokens")?,
            output: said.number("x-sim-output-tokens")?,
            cache_read: said.number("x-sim-cache-read-tokens")?,
            cache_write_5m: said.number("x-sim-cache-write-tokens")?,
            cache_write_1h: said.number("x-sim-cache-write-1h-tokens")?,
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

/// Where a request may say how it is to be answered.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    headers: &'a HeaderMap,
    /// The body, if any steering word is in it.
    body: Option<&'a [u8]>,
}

impl Said<'_> {
    /// Returns what a header says, or the body in its place, if either does.
    fn value<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        let text = match self.headers.get(name) {
            Some(value) => value.to_str().ok(),
            None => match self.body.and_then(|body| word(body, name)) {
                Some(value) => std::str::from_utf8(value).ok(),
                None => return Ok(None),
            },
        };
        text.and_then(parse).map(Some).ok_or_else(|| bad(name))
    }

    fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.value(name, |text| text.parse().ok())
    }
}

/// Returns the value of a body's last word of that name; it ends where JSON or the text goes on.
fn word<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let name = format!("{name}=");
    let (_, rest) =
        body.split_at_checked(memmem::rfind(body, name.as_bytes())?.saturating_add(name.len()))?;
    rest.split(|byte| !byte.is_ascii_alphanumeric() && !b":-".contains(byte)).next()
}

/// Steering that makes no sense is an error, lest a test pass for the wrong reason.
fn bad(name: &str) -> Refusal {
    Refusal::validation(format!("the simulator does not understand the value of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn steering(headers: &[(&'static str, &'static str)], prompt: &str) -> Result<Steering, Refusal> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let body = serde_json::json!({ "messages": [{ "content": [{ "text": prompt }] }] }).to_string();
        Steering::of(&headers.collect(), body.as_bytes())
    }

    #[test]
    fn words_of_the_body_stand_for_absent_headers() {
        let steered = steering(
            &[("x-sim-chunks", "3")],
            "Hi.\nx-sim-chunks=4 x-sim-fault=exception:2:throttlingException, x-sim-pace-ms=7\n\
             x-sim-input-tokens=1 x-sim-input-tokens=2",
        );
        let steered = steered.unwrap();
        assert_eq!((steered.chunks.get(), steered.pace), (3, Some(Duration::from_millis(7))));
        assert_eq!(
            steered.fault,
            Some(Fault::Exception { after: 2, kind: "throttlingException".to_owned() })
        );
        assert_eq!(steered.tokens(0, 0).input, 2);
        assert_eq!(steering(&[], "chunks=4 sim-chunks=4").unwrap().chunks, DEFAULT_CHUNKS);
    }

    #[test]
    fn words_that_make_no_sense_are_refused() {
        for prompt in
            ["x-sim-chunks=", "x-sim-chunks=0", "x-sim-fault=throttled", "x-sim-pace-ms= 5", "x-sim-split=é"]
        {
            assert!(steering(&[], prompt).unwrap_err().message.contains("x-sim-"), "{prompt}");
        }
    }
}
