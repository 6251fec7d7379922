//! Which headers pass, in both directions.

use crate::http1::lines::options;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What goes upstream of a client's headers.
///
/// Left out are what belongs to one hop, what identifies the caller to the gateway, and what signed the client's own
/// request; and `host` and `accept-encoding`, which the gateway has its own of.
#[derive(Debug)]
pub struct Passing<'a> {
    headers: &'a HeaderMap,
    identity_header: &'a HeaderName,
    /// What `connection` says belongs to one hop.
    named: Vec<HeaderName>,
}

impl<'a> Passing<'a> {
    /// Returns what goes upstream of these headers.
    pub fn of(headers: &'a HeaderMap, identity_header: &'a HeaderName) -> Self {
        Self { headers, identity_header, named: names(headers.get_all(CONNECTION)).collect() }
    }

    /// Returns the headers one by one, each value of several by itself.
    pub fn iter(&self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        self.headers.iter().filter(|(name, _)| {
            passes_upstream(name) && *name != self.identity_header && !self.named.contains(name)
        })
    }
}

fn passes_upstream(name: &HeaderName) -> bool {
    match name.as_str() {
        "authorization" | "x-amz-date" | "x-amz-security-token" | "x-amz-content-sha256" | "x-api-key" => {
            false
        }
        other => {
            *name != EXPECT
                && *name != HOST
                && *name != ACCEPT_ENCODING
                && *name != CONTENT_LENGTH
                && *name != TRAILER
                && !is_of_one_hop(name)
                && !other.starts_with("proxy-")
                && !other.starts_with("x-tollgate-")
        }
    }
}

/// Tells whether a header belongs to one hop, and not to the message (RFC 9110, section 7.6.1).
pub(super) fn is_of_one_hop(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == TE
        || *name == TRANSFER_ENCODING
        || *name == UPGRADE
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Takes out of a message what `connection` says belongs to one hop.
pub(super) fn remove_named(headers: &mut HeaderMap, connection: &[HeaderValue]) {
    for name in names(connection) {
        headers.remove(name);
    }
}

/// Returns the headers that `connection` says belong to one hop.
///
/// A message's framing is not for `connection` to take away.
fn names<'a>(connection: impl IntoIterator<Item = &'a HeaderValue>) -> impl Iterator<Item = HeaderName> {
    let is_a_name =
        |option: &&str| !option.eq_ignore_ascii_case("keep-alive") && !option.eq_ignore_ascii_case("close");
    let names = options(connection).filter(is_a_name).filter_map(|name| name.parse().ok());
    names.filter(|name| *name != CONTENT_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        map
    }

    fn sent(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        let identity = HeaderName::from_static("x-team");
        let headers = map(headers);
        let kept = Passing::of(&headers, &identity);
        let pairs = kept.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn what_is_not_named_goes_upstream() {
        assert_eq!(
            sent(&[
                ("authorization", "x"),
                ("x-amz-date", "x"),
                ("x-amz-security-token", "x"),
                ("x-amz-content-sha256", "x"),
                ("host", "x"),
                ("expect", "100-continue"),
                ("accept-encoding", "gzip"),
                ("x-api-key", "x"),
                ("x-team", "a"),
                ("x-team", "b"),
                ("x-tollgate-service", "a"),
                ("x-tollgate-labels", "a=b"),
                ("connection", "x-hop, close"),
                ("x-hop", "1"),
                ("keep-alive", "1"),
                ("proxy-authorization", "x"),
                ("te", "trailers"),
                ("trailer", "x"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("content-length", "3"),
            ]),
            []
        );
        let kept =
            sent(&[("content-type", "a"), ("x-mine", "1"), ("x-mine", "2"), ("x-amzn-bedrock-accept", "b")]);
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "x-amzn-bedrock-accept", "x-mine", "x-mine"]);
    }
}
