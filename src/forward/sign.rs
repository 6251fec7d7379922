//! `SigV4` for the service `bedrock`: our own canonical request over aws-sigv4's key derivation and signature.
//!
//! The whole of aws-sigv4 is the oracle in the tests below. What is signed is what is sent: the wire path is
//! encoded once more, so `%3A` on the wire is `%253A` here.

use crate::domain::stamp::amz_date;
use crate::hex::hex;
use crate::sigv4::{SERVICE, extend_collapsed, push_canonical_path, push_canonical_query};
use arc_swap::ArcSwap;
use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Headers of Bedrock's own that are part of what a call means, and so are signed.
const BEDROCK_HEADERS: &str = "x-amzn-bedrock-";

const SECONDS_PER_DAY: u64 = 86_400;

/// How many derived keys are kept beside the newest: a gateway serves few regions with one credential.
const MAX_KEYS: usize = 31;

/// When `x-amz-date` says that a request was signed.
pub const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// The session token of temporary credentials.
pub const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A request about to be sent, as far as its signature covers it.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path exactly as it goes on the wire.
    pub path: &'a str,
    /// The query exactly as it goes on the wire, without `?`.
    pub query: &'a str,
    /// SHA-256 of the whole body.
    pub body_sha256: &'a [u8; 32],
}

/// Who signs, for where, and when.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The signer's credentials.
    pub credentials: &'a Credentials,
    /// The region of the endpoint.
    pub region: &'a str,
    /// The time of signing, since the Unix epoch.
    pub since_epoch: Duration,
}

/// Signing keys already derived: one serves all calls of a day, a region and an access key.
#[derive(Debug, Default)]
pub struct SigningKeys(ArcSwap<Vec<Arc<SigningKey>>>);

/// A key derived for one day, region and access key.
struct SigningKey {
    /// Days since the Unix epoch.
    day: u64,
    region: String,
    /// `{day}/{region}/bedrock/aws4_request`.
    scope: String,
    credentials: Credentials,
    key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("day", &self.day)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl SigningKeys {
    fn derive(&self, scope: Scope<'_>) -> Arc<SigningKey> {
        let Scope { credentials, region, since_epoch } = scope;
        let day = since_epoch.as_secs() / SECONDS_PER_DAY;
        let fits = |key: &&Arc<SigningKey>| {
            key.day == day
                && key.region == region
                && key.credentials.access_key_id() == credentials.access_key_id()
                && key.credentials.secret_access_key() == credentials.secret_access_key()
        };
        if let Some(key) = self.0.load().iter().find(fits) {
            return Arc::clone(key);
        }
        let time = SystemTime::UNIX_EPOCH + since_epoch;
        let key = generate_signing_key(credentials.secret_access_key(), time, region, SERVICE);
        let stamp = amz_date(OffsetDateTime::UNIX_EPOCH + since_epoch);
        let key = Arc::new(SigningKey {
            day,
            region: region.to_owned(),
            scope: format!("{}/{region}/{SERVICE}/aws4_request", stamp.get(..8).unwrap_or_default()),
            credentials: credentials.clone(),
            key: Zeroizing::new(key.as_ref().to_vec()),
        });
        self.0.rcu(|known| {
            let others = known.iter().rev().take(MAX_KEYS).rev().cloned();
            others.chain([Arc::clone(&key)]).collect::<Vec<_>>()
        });
        key
    }
}

/// Why a request could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header that must be signed holds bytes that no header may hold")]
pub struct SignError;

/// Adds `x-amz-date`, `authorization` and, with temporary credentials, `x-amz-security-token`.
///
/// `headers` must hold `host` already; `host`, `content-type` and `x-amzn-bedrock-*` are covered.
pub fn sign(
    request: Signable<'_>,
    headers: &mut HeaderMap,
    keys: &SigningKeys,
    scope: Scope<'_>,
) -> Result<(), SignError> {
    let credentials = scope.credentials;
    let stamp = amz_date(OffsetDateTime::UNIX_EPOCH + scope.since_epoch);
    headers.insert(X_AMZ_DATE, HeaderValue::from_str(&stamp).map_err(|_| SignError)?);
    headers.remove(X_AMZ_SECURITY_TOKEN);
    if let Some(token) = credentials.session_token() {
        let mut token = HeaderValue::from_str(token).map_err(|_| SignError)?;
        token.set_sensitive(true);
        headers.insert(X_AMZ_SECURITY_TOKEN, token);
    }
    let (canonical, signed_headers) = canonical_request(request, headers);
    let key = keys.derive(scope);
    let hash = hex(&Sha256::digest(&canonical));
    let string_to_sign = ["AWS4-HMAC-SHA256\n", &stamp, "\n", &key.scope, "\n", &hash].concat();
    let signature = calculate_signature(&key.key, string_to_sign.as_bytes());
    let authorization = [
        "AWS4-HMAC-SHA256 Credential=",
        credentials.access_key_id(),
        "/",
        &key.scope,
        ", SignedHeaders=",
        &signed_headers,
        ", Signature=",
        &signature,
    ];
    let authorization = HeaderValue::try_from(authorization.concat()).map_err(|_| SignError)?;
    headers.insert(AUTHORIZATION, authorization);
    Ok(())
}

/// Returns the canonical request and the list of signed headers.
fn canonical_request(request: Signable<'_>, headers: &HeaderMap) -> (Vec<u8>, String) {
    let signed = signed_headers(headers);
    let names: Vec<&str> = signed.iter().map(|name| name.as_str()).collect();
    let names = names.join(";");
    let mut line = String::with_capacity(512 + 2 * request.path.len());
    line.push_str(request.method.as_str());
    line.push('\n');
    push_canonical_path(&mut line, request.path);
    line.push('\n');
    push_canonical_query(&mut line, request.query);
    line.push('\n');
    let mut text = line.into_bytes();
    for name in signed {
        text.extend_from_slice(name.as_str().as_bytes());
        for (at, value) in headers.get_all(name).iter().enumerate() {
            text.push(if at == 0 { b':' } else { b',' });
            extend_collapsed(&mut text, value.as_bytes());
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(names.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(hex(request.body_sha256).as_bytes());
    (text, names)
}

/// Returns the names of the headers that the signature covers, sorted.
fn signed_headers(headers: &HeaderMap) -> Vec<&HeaderName> {
    let mut names: Vec<&HeaderName> = headers
        .keys()
        .filter(|name| {
            [HOST, CONTENT_TYPE, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN].contains(name)
                || name.as_str().starts_with(BEDROCK_HEADERS)
        })
        .collect();
    names.sort_unstable_by_key(|name| name.as_str());
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::encode;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
    use aws_sigv4::sign::v4;
    use proptest::prelude::*;

    /// 2026-01-02T03:04:05Z, the time of the worked example.
    const AT: Duration = Duration::from_secs(1_767_323_045);
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test")
    }

    fn signature(
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
        token: Option<&str>,
    ) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let hash = Sha256::digest(body).into();
        let request = Signable { method: &Method::POST, path, query, body_sha256: &hash };
        let credentials = credentials(token);
        let scope = Scope { credentials: &credentials, region: "us-east-1", since_epoch: AT };
        sign(request, &mut map, &SigningKeys::default(), scope).unwrap();
        map[AUTHORIZATION].to_str().unwrap().rsplit_once("Signature=").unwrap().1.to_owned()
    }

    fn oracle(
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
        token: Option<&str>,
    ) -> String {
        let identity = credentials(token).into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(SERVICE)
            .time(SystemTime::UNIX_EPOCH + AT)
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let uri = format!("https://bedrock-runtime.us-east-1.amazonaws.com{path}?{query}");
        let uri = uri.trim_end_matches('?');
        let request =
            SignableRequest::new("POST", uri, headers.iter().copied(), SignableBody::Bytes(body)).unwrap();
        aws_sigv4::http_request::sign(request, &params.into()).unwrap().signature().to_owned()
    }

    const HOST_AND_TYPE: [(&str, &str); 2] =
        [("host", "bedrock-runtime.us-east-1.amazonaws.com"), ("content-type", "application/json")];

    /// The worked example of the Bedrock facts: botocore and aws-sigv4 give the same signatures.
    #[test]
    fn the_worked_example_holds() {
        let encoded = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123def456/converse";
        assert_eq!(
            signature(encoded, "", &HOST_AND_TYPE, b"{}", None),
            "9b8281724ab37efc71cd6faffd95a04aeaf8253781e81fa06724f610eab60a53"
        );
        let raw_colons = "/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc123def456/converse";
        assert_eq!(
            signature(raw_colons, "", &HOST_AND_TYPE, b"{}", None),
            "bd4fe147aaab1f5241000051f698d8db4bf63ca9a4aec6d3dbdc8fe303a5ce3f"
        );
    }

    #[test]
    fn a_query_is_sorted_and_encoded() {
        let query = "submitTimeAfter=2026-01-01T00%3A00%3A00Z&maxResults=10&nextToken=a%2Bb%2F";
        let (path, body) = ("/async-invoke", b"");
        assert_eq!(
            signature(path, query, &HOST_AND_TYPE, body, None),
            oracle(path, query, &HOST_AND_TYPE, body, None)
        );
    }

    proptest! {
        #[test]
        fn aws_sigv4_agrees_on_queries(query in "([a-c+=&._~/:@!$'()*,;-]|%[2-7][0-9A-Fa-f]){0,30}") {
            let (path, body) = ("/async-invoke", b"");
            prop_assert_eq!(
                signature(path, &query, &HOST_AND_TYPE, body, None),
                oracle(path, &query, &HOST_AND_TYPE, body, None)
            );
        }

        #[test]
        fn aws_sigv4_agrees(
            id in "[A-Za-z0-9._:/-]{1,60}",
            metadata in "[ -~]{0,40}",
            body in proptest::collection::vec(any::<u8>(), 0..64),
            token in proptest::option::of("[A-Za-z0-9/+=]{1,40}"),
        ) {
            // No id climbs: `ModelId` refuses it.
            prop_assume!(!matches!(id.as_str(), "." | ".."));
            let path = format!("/model/{}/invoke", encode(&id));
            let mut headers = HOST_AND_TYPE.to_vec();
            headers.push(("x-amzn-bedrock-request-metadata", &metadata));
            headers.push(("x-amzn-bedrock-accept", "a"));
            prop_assert_eq!(
                signature(&path, "", &headers, &body, token.as_deref()),
                oracle(&path, "", &headers, &body, token.as_deref())
            );
        }
    }
}
