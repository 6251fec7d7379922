//! What the response's head says about usage.

use crate::domain::Tokens;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::Serialize;

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
        let count = |name: &str| text(headers, name)?.trim().parse().ok();
        Self {
            input: count("x-amzn-bedrock-input-token-count"),
            output: count("x-amzn-bedrock-output-token-count"),
            cache_read: count("x-amzn-bedrock-cache-read-input-token-count"),
            cache_write: count("x-amzn-bedrock-cache-write-input-token-count"),
        }
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
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
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
    let media_type = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/vnd.amazon.eventstream")
}
