//! Which headers pass, in both directions.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Room for what signing adds.
const SIGNING_HEADERS: usize = 6;

/// Returns what goes upstream of a client's headers, with our own `host` and `accept-encoding`.
///
/// Left out are what belongs to one hop, what identifies the caller to the gateway, and what signed the
/// client's own request.
pub fn for_upstream(headers: HeaderMap, identity_header: &HeaderName, host: HeaderValue) -> HeaderMap {
    let named = connection_names(&headers);
    let mut kept = HeaderMap::with_capacity(headers.len().saturating_add(SIGNING_HEADERS));
    let mut passing = None;
    for (name, value) in headers {
        if let Some(name) = name {
            let passes = passes_upstream(&name) && name != identity_header && !named.contains(&name);
            passing = passes.then_some(name);
        }
        if let Some(name) = &passing {
            kept.append(name, value);
        }
    }
    kept.insert(HOST, host);
    kept.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    kept
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

/// Takes out of upstream's answer what belongs to one hop.
pub fn for_client(headers: &mut HeaderMap) {
    let named = connection_names(headers);
    for name in [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    for name in named {
        headers.remove(name);
    }
}

fn is_of_one_hop(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == TE
        || *name == TRANSFER_ENCODING
        || *name == UPGRADE
        || name.as_str() == "keep-alive"
}

/// Returns the headers that `connection` says belong to one hop.
///
/// A message's framing is not for `connection` to take away.
fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    if !headers.contains_key(CONNECTION) {
        return Vec::new();
    }
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != CONTENT_LENGTH)
        .collect()
}

/// Tells whether a request carries the header that a client sends before a body it would rather not send in vain.
pub fn expects_continue(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
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
        let kept = for_upstream(map(headers), &identity, HeaderValue::from_static("upstream"));
        let pairs = kept.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn what_is_not_named_goes_upstream() {
        let own = [("accept-encoding", "identity"), ("host", "upstream")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
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
            own
        );
        let kept =
            sent(&[("content-type", "a"), ("x-mine", "1"), ("x-mine", "2"), ("x-amzn-bedrock-accept", "b")]);
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["accept-encoding", "content-type", "host", "x-amzn-bedrock-accept", "x-mine", "x-mine"]
        );
    }

    #[test]
    fn an_answer_loses_only_its_hop() {
        let mut headers = map(&[
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("content-type", "a"),
            ("x-amzn-requestid", "r"),
        ]);
        for_client(&mut headers);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-amzn-requestid"]);
    }
}
