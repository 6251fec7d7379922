//! Verifies what clients sign with access keys of ours: AWS Signature Version 4, from the server's side.
//!
//! The head of a request is checked at once; the signature itself covers the body, and is verified when that is there.
//! What the canonical form of `SigV4` erases cannot be told from what was signed: the order of query pairs, runs of
//! slashes and dot segments in the path, spaces around and runs of spaces within header values.

#[cfg(test)]
mod tests;

use super::authorization::Authorization;
use crate::domain::stamp::{amz_date, parse_amz_date};
use crate::hex::hex;
use crate::keys::AccessKey;
use crate::sigv4::{ALGORITHM, SERVICE, extend_collapsed, pairs, push_canonical_path, push_canonical_query};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// How far `x-amz-date` may be from the clock (IAM User Guide, "Elements of an AWS API request signature").
const MAX_SKEW: Duration = Duration::from_mins(5);

/// What stands for the body's hash where the body is not signed.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The name under which the SDK for JavaScript signs the host of HTTP/2.
const AUTHORITY: &str = ":authority";

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// A signature that is still to be verified, with an access key that counts.
#[derive(Debug)]
pub struct Claim {
    access_key: Arc<AccessKey>,
    authorization: HeaderValue,
    signed_at: Duration,
}

/// What a signature covers of a request, as it came on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path.
    pub path: &'a str,
    /// The query, without `?`.
    pub query: &'a str,
    /// Host and port, where the request's line or `:authority` names them.
    pub authority: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// SHA-256 of the whole body.
    pub body_sha256: &'a [u8; 32],
}

/// Why a signature does not hold, in AWS's words where AWS has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is another one.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
         and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// It was made too long ago.
    #[error("Signature expired: {signed} is now earlier than {earliest} ({now} - 5 min.)")]
    Expired {
        /// When it was made.
        signed: String,
        /// From when on it would count.
        earliest: String,
        /// The time here.
        now: String,
    },
    /// It was made in the future.
    #[error("Signature not yet current: {signed} is still later than {latest} ({now} + 5 min.)")]
    NotYetCurrent {
        /// When it was made.
        signed: String,
        /// Until when it would count.
        latest: String,
        /// The time here.
        now: String,
    },
    /// The `authorization` header, or the date, is not whole.
    #[error("the AWS signature cannot be read: {0}")]
    Malformed(&'static str),
    /// Something that has a meaning is not covered.
    #[error("'{0}' must be a signed header: it could be changed on the way")]
    NotCovered(String),
    /// The body is not the one that was signed.
    #[error("x-amz-content-sha256 is not the SHA-256 of the body as it came")]
    OtherBody,
    /// The body is not signed.
    #[error("the body must be signed: UNSIGNED-PAYLOAD and signed chunks are not accepted here")]
    UnsignedBody,
}

impl Claim {
    /// Takes up a signature whose head is in order.
    pub(super) fn new(
        signed: &Authorization<'_>,
        access_key: &Arc<AccessKey>,
        headers: &HeaderMap,
        now: OffsetDateTime,
    ) -> Result<Self, SignatureError> {
        let malformed = SignatureError::Malformed;
        let scope =
            signed.scope().ok_or(malformed("Credential must be ID/YYYYMMDD/REGION/bedrock/aws4_request"))?;
        if scope.service != SERVICE {
            return Err(malformed("Credential should be scoped to the service 'bedrock'"));
        }
        signed.signature().ok_or(malformed("Signature must be 64 hexadecimal digits in lower case"))?;
        let stamp = only(headers, &X_AMZ_DATE).ok_or(malformed("x-amz-date is missing, or there twice"))?;
        if stamp.get(..8) != Some(scope.day) {
            return Err(malformed("the date of Credential is not that of x-amz-date"));
        }
        let signed_at = parse_amz_date(stamp).ok_or(malformed("x-amz-date must be YYYYMMDDTHHMMSSZ"))?;
        check_skew(signed_at, now)?;
        let names = signed
            .signed_headers()
            .ok_or(malformed("SignedHeaders must be names in lower case and in order, parted by ;"))?;
        check_coverage(headers, &names)?;
        let authorization = headers.get_all(AUTHORIZATION).iter();
        let authorization = authorization
            .into_iter()
            .find(|value| Authorization::parse(value.as_bytes()).as_ref() == Some(signed))
            .cloned()
            .ok_or(malformed("the authorization header is malformed"))?;
        let signed_at = (signed_at - OffsetDateTime::UNIX_EPOCH).unsigned_abs();
        Ok(Self { access_key: Arc::clone(access_key), authorization, signed_at })
    }

    /// Verifies the signature, now that the body is there. `unsigned_payload` tells whether it may leave that out.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, covered: Covered<'_>, unsigned_payload: Payload) -> Result<(), SignatureError> {
        let malformed = SignatureError::Malformed("the authorization header is malformed");
        let signed = Authorization::parse(self.authorization.as_bytes()).ok_or(malformed.clone())?;
        let (Some(scope), Some(names), Some(signature)) =
            (signed.scope(), signed.signed_headers(), signed.signature())
        else {
            return Err(malformed);
        };
        let payload = payload(covered, unsigned_payload)?;
        let stamp = only(covered.headers, &X_AMZ_DATE).ok_or(malformed)?;
        let deriving = self.access_key.secret.derive(self.signed_at, scope.region);
        let head = [ALGORITHM, "\n", stamp, "\n", scope.text, "\n"].concat();
        let is_it = |request: &[u8]| {
            let to_sign = [&head, hex(&Sha256::digest(request)).as_str()].concat();
            let expected = deriving.signature(to_sign.as_bytes());
            verify_slices_are_equal(&expected, signature.as_bytes()).is_ok()
        };
        if fits(covered, &names, &payload, is_it) {
            self.access_key.secret.keep(&deriving);
            return Ok(());
        }
        Err(SignatureError::Mismatch)
    }
}

/// Tells whether one of the canonical requests that signers may have made is the one.
fn fits(covered: Covered<'_>, names: &[&str], payload: &str, is_it: impl Fn(&[u8]) -> bool) -> bool {
    paths(covered.path).any(|path| {
        queries(covered.query).any(|query| {
            let request = canonical_request(covered, names, (&path, &query), payload);
            request.is_some_and(|request| is_it(&request))
        })
    })
}

/// What of the body a signature has to cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// All of it.
    Signed,
    /// Nothing, where it says so.
    MayBeUnsigned,
}

fn check_skew(signed_at: OffsetDateTime, at: OffsetDateTime) -> Result<(), SignatureError> {
    let (signed, now) = (amz_date(signed_at), amz_date(at));
    if signed_at < at - MAX_SKEW {
        return Err(SignatureError::Expired { signed, earliest: amz_date(at - MAX_SKEW), now });
    }
    if signed_at > at + MAX_SKEW {
        return Err(SignatureError::NotYetCurrent { signed, latest: amz_date(at + MAX_SKEW), now });
    }
    Ok(())
}

/// Refuses where something with a meaning could be changed without breaking the signature. The content type has none that
/// the body does not have, and not every signer covers it (aws4fetch, in the AI SDK).
fn check_coverage(headers: &HeaderMap, signed: &[&str]) -> Result<(), SignatureError> {
    if !signed.contains(&HOST.as_str()) && !signed.contains(&AUTHORITY) {
        return Err(SignatureError::NotCovered(HOST.to_string()));
    }
    if !signed.contains(&X_AMZ_DATE.as_str()) {
        return Err(SignatureError::NotCovered(X_AMZ_DATE.to_string()));
    }
    let matters = |name: &HeaderName| {
        *name == X_AMZ_CONTENT_SHA256
            || name == "x-amz-target"
            || name == "x-tollgate-labels"
            || name.as_str().starts_with("x-amzn-bedrock-")
    };
    let open = headers.keys().find(|name| matters(name) && !signed.contains(&name.as_str()));
    open.map_or(Ok(()), |name| Err(SignatureError::NotCovered(name.to_string())))
}

/// Returns what stands for the body in the canonical request.
fn payload(covered: Covered<'_>, unsigned: Payload) -> Result<String, SignatureError> {
    let hash = hex(covered.body_sha256);
    let stated = only(covered.headers, &X_AMZ_CONTENT_SHA256);
    match stated {
        None if covered.headers.contains_key(&X_AMZ_CONTENT_SHA256) => {
            Err(SignatureError::Malformed("x-amz-content-sha256 is there twice"))
        }
        None => Ok(hash),
        Some(UNSIGNED_PAYLOAD) if unsigned == Payload::MayBeUnsigned => Ok(UNSIGNED_PAYLOAD.to_owned()),
        Some(stated) if stated == UNSIGNED_PAYLOAD || stated.starts_with("STREAMING-") => {
            Err(SignatureError::UnsignedBody)
        }
        Some(stated) if stated.eq_ignore_ascii_case(&hash) => Ok(stated.to_owned()),
        Some(_) => Err(SignatureError::OtherBody),
    }
}

/// Returns the canonical forms that signers make of a wire path: encoded once more, as AWS demands for all services
/// but S3, without and with what there is of `//`, `.` and `..`; and as it is, which curl makes of it.
fn paths(wire: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let encoded = |path: &str| {
        let mut text = String::with_capacity(2 * path.len());
        push_canonical_path(&mut text, path);
        text
    };
    let normal = encoded(&normalized(wire));
    let kept = Some(encoded(wire)).filter(|kept| *kept != normal);
    [Cow::Owned(normal)].into_iter().chain(kept.map(Cow::Owned)).chain([Cow::Borrowed(wire)])
}

/// Takes dot segments and repeated slashes out of a path (RFC 3986, section 5.2.4).
fn normalized(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let tail = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    Cow::Owned(format!("/{}{tail}", segments.join("/")))
}

/// Returns the canonical forms that signers make of a query: sorted and encoded anew, or sorted as it is.
fn queries(wire: &str) -> impl Iterator<Item = String> {
    let mut anew = String::with_capacity(wire.len());
    push_canonical_query(&mut anew, wire);
    let mut kept: Vec<(&str, &str)> = pairs(wire).collect();
    kept.sort_unstable();
    let kept: Vec<String> = kept.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let kept = Some(kept.join("&")).filter(|kept| *kept != anew);
    [anew].into_iter().chain(kept)
}

/// Returns the canonical request.
fn canonical_request(
    covered: Covered<'_>,
    names: &[&str],
    (path, query): (&str, &str),
    payload: &str,
) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(512 + path.len() + query.len());
    for line in [covered.method.as_str(), path, query] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    for name in names {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        push_values(&mut text, covered, name)?;
        text.push(b'\n');
    }
    text.push(b'\n');
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            text.push(b';');
        }
        text.extend_from_slice(name.as_bytes());
    }
    text.push(b'\n');
    text.extend_from_slice(payload.as_bytes());
    Some(text)
}

/// Appends the values of a signed header, which must be there.
fn push_values(text: &mut Vec<u8>, covered: Covered<'_>, name: &str) -> Option<()> {
    let mut values = covered.headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        // Over HTTP/2 the host is in `:authority`, whatever its signer calls it.
        let authority = covered.authority.filter(|_| [AUTHORITY, HOST.as_str()].contains(&name));
        let host = || only(covered.headers, &HOST).filter(|_| name == AUTHORITY);
        let value = authority.or_else(host)?;
        extend_collapsed(text, value.as_bytes());
        return Some(());
    }
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(b',');
        }
        extend_collapsed(text, value.as_bytes());
    }
    Some(())
}

/// Returns the value of a header that is there once.
fn only(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}
