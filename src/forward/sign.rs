//! `SigV4` for the service `bedrock`: our own canonical request over aws-sigv4's key derivation and signature.
//!
//! The whole of aws-sigv4 is the oracle in the tests below. What is signed is what is sent: the wire path is
//! encoded once more, so `%3A` on the wire is `%253A` here.

use super::WirePath;
use crate::domain::stamp::amz_date;
use crate::hex::digest_hex;
use crate::sigv4::{ALGORITHM, DerivedKey, SERVICE, extend_collapsed, push_canonical_query};
use arc_swap::ArcSwap;
use aws_credential_types::Credentials;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, Method};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// Headers of Bedrock's own that are part of what a call means, and so are signed.
const BEDROCK_HEADERS: &str = "x-amzn-bedrock-";

const SECONDS_PER_DAY: u64 = 86_400;

/// How many derived keys are kept beside the newest: a gateway serves few regions with one credential.
const MAX_KEYS: usize = 31;

/// When `x-amz-date` says that a request was signed.
pub const X_AMZ_DATE: &str = "x-amz-date";

/// The session token of temporary credentials.
pub const X_AMZ_SECURITY_TOKEN: &str = "x-amz-security-token";

/// A request about to be sent, as far as its signature covers it.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path.
    pub path: &'a WirePath<'a>,
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
    key: DerivedKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("day", &self.day)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Returns the value of `x-amz-date` for a time of the key's day.
    fn amz_date(&self, since_epoch: Duration) -> String {
        let second = since_epoch.as_secs() % SECONDS_PER_DAY;
        let mut stamp = String::with_capacity(16);
        stamp.push_str(self.scope.get(..8).unwrap_or_default());
        for (separator, number) in [("T", second / 3600), ("", second / 60 % 60), ("", second % 60)] {
            stamp.push_str(separator);
            for digit in [number / 10, number % 10] {
                stamp.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
            }
        }
        stamp.push('Z');
        stamp
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
        let stamp = amz_date(OffsetDateTime::UNIX_EPOCH + since_epoch);
        let key = Arc::new(SigningKey {
            day,
            region: region.to_owned(),
            scope: format!("{}/{region}/{SERVICE}/aws4_request", stamp.get(..8).unwrap_or_default()),
            credentials: credentials.clone(),
            key: DerivedKey::derive(credentials.secret_access_key(), since_epoch, region),
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

/// What signing adds to a request, beside the session token of temporary credentials.
#[derive(Debug)]
pub struct Signature {
    /// The value of `x-amz-date`.
    pub amz_date: String,
    /// The value of `authorization`.
    pub authorization: Vec<u8>,
}

/// Tells whether a signature covers a header of the client's, or `host`.
pub fn covers(name: &HeaderName) -> bool {
    *name == HOST || *name == CONTENT_TYPE || name.as_str().starts_with(BEDROCK_HEADERS)
}

/// Signs a request. `headers` are those that it [`covers`]; `x-amz-date` and the session token are covered as well.
pub fn sign(
    request: Signable<'_>,
    headers: Vec<(&str, &[u8])>,
    keys: &SigningKeys,
    scope: Scope<'_>,
) -> Result<Signature, SignError> {
    let credentials = scope.credentials;
    let key = keys.derive(scope);
    let amz_date = key.amz_date(scope.since_epoch);
    let mut headers: Vec<(&str, &[u8])> = headers;
    if let Some(token) = credentials.session_token() {
        headers.push((X_AMZ_SECURITY_TOKEN, token.as_bytes()));
    }
    headers.push((X_AMZ_DATE, amz_date.as_bytes()));
    // Several of one name stay as they came.
    headers.sort_by_key(|(name, _)| *name);
    let hash = Sha256::digest(canonical_request(request, &headers));
    let head = [ALGORITHM, "\n", &amz_date, "\n", &key.scope, "\n"].concat();
    let signature = key.key.signature(&[head.as_bytes(), &digest_hex(&hash.into())]);
    let mut authorization = Vec::with_capacity(AUTHORIZATION_ROOM);
    for part in [ALGORITHM, " Credential=", credentials.access_key_id(), "/", &key.scope, ", SignedHeaders="]
    {
        authorization.extend_from_slice(part.as_bytes());
    }
    push_names(&mut authorization, &headers);
    authorization.extend_from_slice(b", Signature=");
    authorization.extend_from_slice(&signature);
    let token = credentials.session_token().unwrap_or_default();
    if is_legal(&authorization) && is_legal(token.as_bytes()) {
        Ok(Signature { amz_date, authorization })
    } else {
        Err(SignError)
    }
}

/// Tells whether a header may hold a value. Looks at all of it, so that many bytes are looked at in one step.
fn is_legal(value: &[u8]) -> bool {
    value.iter().fold(true, |legal, byte| legal & (b' '..=b'~').contains(byte))
}

/// Room for most `authorization` headers, in bytes.
const AUTHORIZATION_ROOM: usize = 384;

/// Returns the canonical request, with headers that are sorted.
fn canonical_request(request: Signable<'_>, headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    let [stem, leaf] = request.path.canonical();
    for part in [request.method.as_str(), "\n", stem, leaf, "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    if !request.query.is_empty() {
        let mut query = String::new();
        push_canonical_query(&mut query, request.query);
        text.extend_from_slice(query.as_bytes());
    }
    text.push(b'\n');
    for of_one_name in headers.chunk_by(|(one, _), (other, _)| one == other) {
        for (at, (name, value)) in of_one_name.iter().enumerate() {
            text.extend_from_slice(if at == 0 { name.as_bytes() } else { b"" });
            text.push(if at == 0 { b':' } else { b',' });
            extend_collapsed(&mut text, value);
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    push_names(&mut text, headers);
    text.push(b'\n');
    text.extend_from_slice(&digest_hex(request.body_sha256));
    text
}

/// Writes each name once, of headers that are sorted.
fn push_names(text: &mut Vec<u8>, headers: &[(&str, &[u8])]) {
    let names = headers.chunk_by(|(one, _), (other, _)| one == other).filter_map(|of_one| of_one.first());
    for (at, (name, _)) in names.enumerate() {
        text.extend_from_slice(if at == 0 { b"" } else { b";" });
        text.extend_from_slice(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::encode;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
    use aws_sigv4::sign::v4;
    use proptest::prelude::*;
    use std::time::SystemTime;

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
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let hash = Sha256::digest(body).into();
        let path = WirePath::from(path.to_owned());
        let request = Signable { method: &Method::POST, path: &path, query, body_sha256: &hash };
        let credentials = credentials(token);
        let scope = Scope { credentials: &credentials, region: "us-east-1", since_epoch: AT };
        let signature = sign(request, headers, &SigningKeys::default(), scope).unwrap();
        let authorization = String::from_utf8(signature.authorization).unwrap();
        authorization.rsplit_once("Signature=").unwrap().1.to_owned()
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
