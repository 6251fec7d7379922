//! The `authorization` header of AWS Signature Version 4, taken apart.

use crate::sigv4::ALGORITHM;

/// The most headers that a signature may cover; a request has no more.
const MAX_SIGNED_HEADERS: usize = 100;

/// `AWS4-HMAC-SHA256 Credential=id/day/region/service/aws4_request, SignedHeaders=a;b, Signature=s`, its parts in any
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    credential: &'a str,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
}

/// What a signature holds for: `id/day/region/service/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CredentialScope<'a> {
    /// `day/region/service/aws4_request`
    pub(super) text: &'a str,
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl<'a> Authorization<'a> {
    /// Takes a header's value apart, as far as it says whose signature it is; `None` where it says nothing of the kind.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let rest = text.strip_prefix(ALGORITHM)?.strip_prefix([' ', '\t'])?;
        let mut parts = Parts::default();
        for part in rest.split(',').map(str::trim) {
            let (name, value) = part.split_once('=')?;
            let known = match name {
                "Credential" => &mut parts.credential,
                "SignedHeaders" => &mut parts.signed_headers,
                "Signature" => &mut parts.signature,
                _ => return None,
            };
            if known.replace(value).is_some() {
                return None;
            }
        }
        let Parts { credential, signed_headers, signature } = parts;
        Some(Self { credential: credential?, signed_headers, signature })
    }

    /// Returns the access key id.
    pub(super) fn access_key_id(&self) -> &'a str {
        self.credential.split_once('/').map_or(self.credential, |(id, _)| id)
    }

    /// Returns what the signature holds for, if that is whole.
    pub(super) fn scope(&self) -> Option<CredentialScope<'a>> {
        let (_, text) = self.credential.split_once('/')?;
        let mut parts = text.split('/');
        let (day, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next() == Some("aws4_request") && parts.next().is_none();
        is_whole.then_some(CredentialScope { text, day, region, service })
    }

    /// Returns the names of the covered headers, lower case and in ascending order, as AWS demands.
    pub(super) fn signed_headers(&self) -> Option<Vec<&'a str>> {
        let names: Vec<&str> = self.signed_headers?.split(';').collect();
        let ascends = names.is_sorted_by(|one, next| one < next);
        let lower =
            names.iter().all(|name| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase()));
        (ascends && lower && names.len() <= MAX_SIGNED_HEADERS).then_some(names)
    }

    /// Returns the signature, if it is 64 hex digits in lower case.
    pub(super) fn signature(&self) -> Option<&'a str> {
        let hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        self.signature.filter(|signature| signature.len() == 64 && signature.bytes().all(hex))
    }
}

/// The parts while they are found.
#[derive(Debug, Default)]
struct Parts<'a> {
    credential: Option<&'a str>,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = "AWS4-HMAC-SHA256 Credential=TGAKX/20260102/us-east-1/bedrock/aws4_request, \
                         SignedHeaders=:authority;host;x-amz-date, Signature=";

    #[test]
    fn its_parts_are_found_in_any_order() {
        let signature = "0a".repeat(32);
        let whole = format!("{WHOLE}{signature}");
        let (head, tail) = whole.split_once(' ').unwrap();
        let mut parts: Vec<&str> = tail.split(", ").collect();
        parts.reverse();
        for text in [whole.clone(), format!("{head} {}", parts.join(","))] {
            let parsed = Authorization::parse(text.as_bytes()).unwrap();
            assert_eq!(parsed.access_key_id(), "TGAKX");
            let scope = parsed.scope().unwrap();
            assert_eq!((scope.day, scope.region, scope.service), ("20260102", "us-east-1", "bedrock"));
            assert_eq!(parsed.signed_headers().unwrap(), [":authority", "host", "x-amz-date"]);
            assert_eq!(parsed.signature(), Some(signature.as_str()));
        }
    }

    #[test]
    fn what_is_malformed_has_no_such_part() {
        for none in [
            "",
            "Bearer x",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 x",
            "AWS4-HMAC-SHA256 Signature=a",
            "AWS4-HMAC-SHA256 Credential=a/b, Credential=c/d",
            "AWS4-HMAC-SHA256 Credential=a, X=b",
        ] {
            assert_eq!(Authorization::parse(none.as_bytes()), None, "{none}");
        }
        let of = |text: &'static str| Authorization::parse(text.as_bytes()).unwrap();
        let bare = of("AWS4-HMAC-SHA256 Credential=a");
        assert!(bare.scope().is_none() && bare.signed_headers().is_none() && bare.signature().is_none());
        assert_eq!(bare.access_key_id(), "a");
        for scope in ["a/b", "a/b/c/d", "a/b/c/d/e", "a/b/c/d/aws4_request/e"] {
            let text = format!("AWS4-HMAC-SHA256 Credential={scope}");
            assert_eq!(Authorization::parse(text.as_bytes()).unwrap().scope(), None, "{scope}");
        }
        for headers in ["host;host", "x;a", "Host", "host;", ""] {
            let text = format!("AWS4-HMAC-SHA256 Credential=a, SignedHeaders={headers}");
            assert_eq!(Authorization::parse(text.as_bytes()).unwrap().signed_headers(), None, "{headers}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..200), tail in "\\PC{0,100}") {
            for text in [value, format!("AWS4-HMAC-SHA256 Credential={tail}").into_bytes()] {
                if let Some(parsed) = Authorization::parse(&text) {
                    let _ = (parsed.access_key_id(), parsed.scope(), parsed.signed_headers(), parsed.signature());
                }
            }
        }
    }
}
