//! What `SigV4` covers of a request: shared by who signs calls and by who verifies those of clients.
//!
//! AWS Signature Version 4, "Create a canonical request". Bedrock's wire path is encoded once more, so `%3A` on the
//! wire is `%253A` here.

use crate::hex::digest_hex;
use crate::operation::{decode, push_encoded};
use aws_lc_rs::hmac;
use aws_sigv4::sign::v4::generate_signing_key;
use std::time::{Duration, SystemTime};

/// The signing name of both Bedrock endpoints (bedrock-runtime service model, `signingName`).
pub(crate) const SERVICE: &str = "bedrock";

/// What an `authorization` header of this version begins with.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A derived key, with what of HMAC-SHA256 depends on it alone computed already.
#[derive(Clone)]
pub(crate) struct DerivedKey(hmac::Key);

impl DerivedKey {
    /// Derives the key of a secret for a day, the one that `since_epoch` is in, and a region.
    pub(crate) fn derive(secret: &str, since_epoch: Duration, region: &str) -> Self {
        let key = generate_signing_key(secret, SystemTime::UNIX_EPOCH + since_epoch, region, SERVICE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// Returns the signature of a string to sign, given in parts, in lower-case hex.
    pub(crate) fn signature(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut mac = hmac::Context::with_key(&self.0);
        for part in parts {
            mac.update(part);
        }
        digest_hex(mac.sign().as_ref().first_chunk().unwrap_or(&[0; 32]))
    }
}

/// Appends the wire path, encoded once more, slash by slash.
pub(crate) fn push_canonical_path(text: &mut String, path: &str) {
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            text.push('/');
        }
        push_encoded(text, segment);
    }
}

/// Appends the query's pairs, sorted, each name and value encoded anew; a raw `+` is a space, as in forms.
pub(crate) fn push_canonical_query(text: &mut String, query: &str) {
    let recode = |part: &str| {
        let part = part.replace('+', "%20");
        let mut encoded = String::with_capacity(part.len());
        push_encoded(&mut encoded, &decode(&part).unwrap_or(part.as_str().into()));
        encoded
    };
    let mut pairs: Vec<(String, String)> =
        pairs(query).map(|(name, value)| (recode(name), recode(value))).collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        text.extend([name, "=", value]);
    }
}

/// Returns a query's names and values as they are on the wire.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Appends a header's value without outer spaces, and with each inner run of spaces as one.
pub(crate) fn extend_collapsed(text: &mut Vec<u8>, value: &[u8]) {
    let value = value.trim_ascii();
    if memchr::memchr(b' ', value).is_none() {
        text.extend_from_slice(value);
        return;
    }
    let mut after_space = false;
    for &byte in value {
        if !(after_space && byte == b' ') {
            text.push(byte);
        }
        after_space = byte == b' ';
    }
}
