//! Checks a request's signature, with the whole of aws-sigv4 as the judge.

use super::calls::Call;
use super::control::{ControlPlane, Plane, Signed};
use crate::domain::Region;
use crate::domain::stamp::parse_amz_date;
use crate::hex::hex;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::HeaderMap;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;

/// How far `x-amz-date` may be from the clock (AWS General Reference, "Signature validity").
const MAX_SKEW: Duration = Duration::from_mins(5);

/// The parts of an `authorization` header.
#[derive(Debug, PartialEq, Eq)]
struct Authorization<'a> {
    access_key: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Takes apart `AWS4-HMAC-SHA256 Credential=k/day/region/service/aws4_request, SignedHeaders=a;b, Signature=s`.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("AWS4-HMAC-SHA256 ")?.split(',').map(str::trim);
        let scope = parts.next()?.strip_prefix("Credential=")?;
        let signed_headers = parts.next()?.strip_prefix("SignedHeaders=")?.split(';').collect();
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let mut scope = scope.split('/');
        let parsed = Self {
            access_key: scope.next()?,
            day: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            terminator: scope.next()?,
            signed_headers,
            signature,
        };
        (scope.next().is_none() && parts.next().is_none()).then_some(parsed)
    }
}

/// Returns by whom and for which region the request was signed, or what is wrong with its signature.
pub(super) fn check(
    call: &Call,
    control: &ControlPlane,
    since_epoch: Duration,
) -> Result<Signed, &'static str> {
    let authorization = text(&call.headers, "authorization")
        .and_then(Authorization::parse)
        .ok_or("the authorization header is missing or malformed")?;
    let stamp = text(&call.headers, "x-amz-date").ok_or("x-amz-date is missing")?;
    let caller = control.caller(authorization.access_key).ok_or("the access key is unknown")?;
    let credentials = &caller.credentials;
    let region = check_scope(&authorization, Plane::of(call), stamp)?;
    check_token(&call.headers, credentials)?;
    if caller.expires.is_some_and(|expires| expires <= since_epoch) {
        return Err("The security token included in the request is expired");
    }
    check_coverage(&call.headers, &authorization.signed_headers)?;
    let signed_at = parse_amz_date(stamp).ok_or("x-amz-date is malformed")?;
    let signed_at = (signed_at - OffsetDateTime::UNIX_EPOCH).unsigned_abs();
    if signed_at.abs_diff(since_epoch) > MAX_SKEW {
        return Err("x-amz-date is more than five minutes off");
    }
    let expected = expected_signature(call, &authorization, credentials, signed_at)
        .ok_or("the request cannot be signed as it came")?;
    if expected == authorization.signature {
        Ok(Signed { region, caller })
    } else {
        Err("The request signature we calculated does not match the signature you provided.")
    }
}

fn check_scope(authorization: &Authorization<'_>, plane: Plane, stamp: &str) -> Result<Region, &'static str> {
    if stamp.get(..8) != Some(authorization.day) {
        return Err("the scope's date is not that of x-amz-date");
    }
    if authorization.service != plane.signing_name() || authorization.terminator != "aws4_request" {
        return Err("the scope's service is not the one that the request is for");
    }
    Region::parse(authorization.region).ok_or("the scope's region is malformed")
}

fn check_token(headers: &HeaderMap, credentials: &Credentials) -> Result<(), &'static str> {
    if text(headers, "x-amz-security-token") == credentials.session_token() {
        Ok(())
    } else {
        Err("the security token is not the credentials'")
    }
}

/// Refuses where something that matters could be changed without breaking the signature.
fn check_coverage(headers: &HeaderMap, signed: &[&str]) -> Result<(), &'static str> {
    if !signed.contains(&"host") || !signed.contains(&"x-amz-date") {
        return Err("host and x-amz-date must be signed");
    }
    let matters = |name: &str| {
        matches!(name, "content-type" | "x-amz-security-token" | "x-amz-target")
            || name.starts_with("x-amzn-bedrock-")
    };
    if headers.keys().any(|name| matters(name.as_str()) && !signed.contains(&name.as_str())) {
        return Err(
            "content-type, x-amz-security-token, x-amz-target and x-amzn-bedrock-* must be signed where present",
        );
    }
    Ok(())
}

/// Returns the signature that the request would have, were it signed with these credentials.
fn expected_signature(
    call: &Call,
    authorization: &Authorization<'_>,
    credentials: &Credentials,
    signed_at: Duration,
) -> Option<String> {
    let mut headers = Vec::new();
    for name in &authorization.signed_headers {
        // aws-sigv4 adds these two by itself.
        if matches!(*name, "x-amz-date" | "x-amz-security-token") {
            continue;
        }
        for value in call.headers.get_all(*name) {
            headers.push((*name, value.to_str().ok()?));
        }
    }
    let host = text(&call.headers, "host")?;
    let uri = format!("http://{host}{}?{}", call.path, call.query);
    let uri = uri.trim_end_matches('?');
    let body = SignableBody::Precomputed(hex(&call.body_sha256));
    let request = SignableRequest::new(call.method.as_str(), uri, headers.into_iter(), body).ok()?;
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    let identity = credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(authorization.region)
        .name(authorization.service)
        .time(SystemTime::UNIX_EPOCH + signed_at)
        .settings(settings)
        .build()
        .ok()?;
    Some(sign(request, &params.into()).ok()?.signature().to_owned())
}

/// Returns a header's value where it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
