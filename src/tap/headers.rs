//! What the response's head says about usage.

use crate::domain::Tokens;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use serde::Serialize;

const INPUT: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");
const OUTPUT: HeaderName = HeaderName::from_static("x-amzn-bedrock-output-token-count");
const CACHE_READ: HeaderName = HeaderName::from_static("x-amzn-bedrock-cache-read-input-token-count");
const CACHE_WRITE: HeaderName = HeaderName::from_static("x-amzn-bedrock-cache-write-input-token-count");

/// The service tier that was used.
pub(super) const SERVICE_TIER: HeaderName = HeaderName::from_static("x-amzn-bedrock-service-tier");

/// The latency tier that was used.
pub(super) const LATENCY: HeaderName = HeaderName::from_static("x-amzn-bedrock-performanceconfig-latency");

/// Token counts of an InvokeModel response's headers.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct HeaderCounts {
    #[serde(rename = "x-amzn-bedrock-input-token-count", skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    #[serde(rename = "x-amzn-bedrock-output-token-count", skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    #[serde(rename = "x-amzn-bedrock-cache-read-input-token-count", skip_serializing_if = "Option::is_none")]
    cache_read: Option<u64>,
    #[serde(
        rename = "x-amzn-bedrock-cache-write-input-token-count",
        skip_serializing_if = "Option::is_none"
    )]
    cache_write: Option<u64>,
}

impl HeaderCounts {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let count = |name: HeaderName| text(headers, name)?.trim().parse().ok();
        Self {
            input: count(INPUT),
            output: count(OUTPUT),
            cache_read: count(CACHE_READ),
            cache_write: count(CACHE_WRITE),
        }
    }

    /// Tells whether the headers say nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens() == Tokens::default()
    }

    /// Returns the counts; headers do not tell lifetimes apart, so all writes are for five minutes.
    pub(super) fn tokens(&self) -> Tokens {
        Tokens {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write_5m: self.cache_write,
            cache_write_1h: None,
        }
    }
}

/// Returns a header's value where it is text.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Tells whether the body is as it was written, not compressed.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.is_empty() || coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Tells whether the body is an event stream.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let media_type = text(headers, CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/vnd.amazon.eventstream")
}
