//! The stamp of a call for AWS's invocation logs: whose call it is, as request metadata.
//!
//! `InvokeModel` and its stream take request metadata as a header, `Converse` and its stream as the member
//! `requestMetadata` of their body (bedrock-runtime service model 2023-09-30, `requestMetadata`). The keys that begin with
//! `tollgate.` are the gateway's own: a client's entries under them are taken out, and all that it says otherwise stays as
//! it stands, byte for byte.
//!
//! - Bedrock takes 16 entries. The client's come first; then `tollgate.service`, `tollgate.request_id`, and as many of the
//!   service's tags as there is room for and as fit Bedrock's rules, as `tollgate.tag.{key}`. Beside 15 entries of the
//!   client's there is room for the service alone, beside 16 for nothing: what is left out is told, never refused.
//! - Metadata that is no JSON object, or has more than 64 entries, gives way to the stamp; so does `null`, which says nothing.
//! - A body that has the member several times has each stamped, since nothing tells which of them counts; more than 64 times,
//!   it is refused.
//! - A body that is no JSON object is refused: nobody knows what another parser would make of it.

use crate::domain::{RequestId, ServiceName};
use crate::intake::RequestBody;
use crate::intake::members::{copied, members};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where `InvokeModel` takes request metadata.
pub const HEADER: HeaderName = HeaderName::from_static("x-amzn-bedrock-request-metadata");

/// Where `Converse` takes it.
const MEMBER: &str = "requestMetadata";

/// What the keys begin with that are the gateway's own.
const OWN: &str = "tollgate.";

/// The most entries (bedrock-runtime service model, `RequestMetadata`).
const MAX_ENTRIES: usize = 16;

/// The longest key and the longest value of an entry, in characters (as above, `RequestMetadataKeyString`).
const MAX_TEXT: usize = 256;

/// The longest header, in characters (as above, `InvokeModelRequest`).
const MAX_HEADER: usize = 8500;

/// What says whose call it is.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The calling service.
    pub service: &'a ServiceName,
    /// The call's id, which is that of its record.
    pub id: RequestId,
    /// The service's tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// What stamping came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamped {
    /// How many entries of the client's were taken out.
    pub removed: u64,
    /// Whether there was no room for the service's name and the call's id.
    pub is_short: bool,
}

/// What is to stand in the place of a span.
type Edit = (Range<usize>, Bytes);

/// Why a body takes no stamp. It is not let through without: a parser less strict than ours might see what it hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unstampable {
    /// It is no JSON object, or something follows it.
    #[error("the body must be one JSON object: the gateway puts request metadata of this service's into it")]
    NoObject,
    /// It names its request metadata again and again.
    #[error("the body has the member requestMetadata more than 64 times: once will do")]
    TooOften,
}

/// Metadata with the stamp in it.
struct Merged {
    /// The JSON object; `None` where it stays as it is.
    text: Option<Vec<u8>>,
    stamped: Stamped,
}

impl Stamp<'_> {
    /// Puts the stamp into the header.
    pub fn head(&self, headers: &mut HeaderMap) -> Stamped {
        let values: Vec<&[u8]> = headers.get_all(&HEADER).iter().map(HeaderValue::as_bytes).collect();
        // Several are one, with commas between them (RFC 9110, 5.3): no JSON object.
        let Merged { text, stamped } = self.merged(&values.join(&b','), MAX_HEADER);
        // Of what came as a header, and our own ASCII, nothing is illegal in one.
        if let Some(value) = text.and_then(|text| HeaderValue::from_bytes(&text).ok()) {
            headers.insert(HEADER, value);
        }
        stamped
    }

    /// Puts the stamp into the body; its length and SHA-256 are computed anew, where it changes.
    ///
    /// # Errors
    /// The body takes no stamp; it is as it was.
    pub async fn body(&self, body: &mut RequestBody) -> Result<Stamped, Unstampable> {
        let (edits, stamped) = self.edits(&body.pieces)?;
        if edits.is_empty() {
            return Ok(stamped);
        }
        body.pieces = spliced(std::mem::take(&mut body.pieces), edits);
        let mut sha256 = Sha256::default();
        body.len = 0;
        for piece in &body.pieces {
            body.len = body.len.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            sha256.update(piece);
            // A large body does not hold up others.
            tokio::task::consume_budget().await;
        }
        body.sha256 = sha256.finalize().into();
        Ok(stamped)
    }

    /// Returns what is to stand in the place of which span of a body, in ascending order.
    fn edits(&self, pieces: &[Bytes]) -> Result<(Vec<Edit>, Stamped), Unstampable> {
        let mut stamped = Stamped::default();
        let members = members(pieces, |name| name == MEMBER).ok_or(Unstampable::NoObject)?;
        if members.is_cut {
            return Err(Unstampable::TooOften);
        }
        if members.found.is_empty() {
            let Merged { text, stamped } = self.merged(b"", usize::MAX);
            let comma: &[u8] = if members.count == 0 { b"" } else { b"," };
            let member = [b"\"", MEMBER.as_bytes(), b"\":", &text.unwrap_or_default(), comma].concat();
            return Ok((vec![(members.start..members.start, member.into())], stamped));
        }
        let mut edits = Vec::new();
        for member in members.found {
            let merged = self.merged(&copied(pieces, &member.value), usize::MAX);
            stamped.removed = stamped.removed.saturating_add(merged.stamped.removed);
            stamped.is_short |= merged.stamped.is_short;
            edits.extend(merged.text.map(|text| (member.value, text.into())));
        }
        Ok((edits, stamped))
    }

    /// Puts the stamp before what a client says, in as many bytes.
    fn merged(&self, value: &[u8], limit: usize) -> Merged {
        let (kept, removed) = match value.trim_ascii() {
            b"" | b"null" => (Kept::default(), 0),
            value => match Kept::of(value) {
                // More than Bedrock takes, and more than are looked at: what they hide is not let through.
                Some((kept, removed)) if kept.is_cut => {
                    let more = u64::try_from(kept.count).unwrap_or(u64::MAX);
                    (Kept::default(), removed.saturating_add(more))
                }
                Some(kept) => kept,
                None => (Kept::default(), 1),
            },
        };
        let mut room = MAX_ENTRIES.saturating_sub(kept.count);
        let mut text = vec![b'{'];
        let mut is_short = false;
        for (at, (key, value)) in self.entries().into_iter().enumerate() {
            let entry = format!("\"{key}\":\"{value}\"");
            // With two commas and the closing brace.
            let len =
                [text.len(), entry.len(), kept.text.len(), 3].into_iter().fold(0, usize::saturating_add);
            if room == 0 || len > limit {
                is_short = at < 2;
                break;
            }
            room = room.saturating_sub(1);
            if text.len() > 1 {
                text.push(b',');
            }
            text.extend_from_slice(entry.as_bytes());
        }
        let is_unchanged = text.len() == 1 && removed == 0;
        if text.len() > 1 && !kept.text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(&kept.text);
        text.push(b'}');
        Merged { text: (!is_unchanged).then_some(text), stamped: Stamped { removed, is_short } }
    }

    /// Returns the stamp's entries, the most important ones first. None of their characters needs escaping in JSON.
    fn entries(&self) -> Vec<(String, String)> {
        let own = |key: &str, value: String| (format!("{OWN}{key}"), value);
        let mut entries =
            vec![own("service", self.service.to_string()), own("request_id", self.id.to_string())];
        let tags = self.tags.iter().map(|(key, value)| own(&format!("tag.{key}"), value.clone()));
        entries.extend(tags.filter(|(key, value)| is_legal(key) && is_legal(value)));
        entries
    }
}

/// What is kept of a client's entries.
#[derive(Debug, Default)]
struct Kept {
    count: usize,
    /// As they stand, with what is between them.
    text: Vec<u8>,
    /// Whether there are more than are looked at.
    is_cut: bool,
}

impl Kept {
    /// Takes the gateway's own keys out of a client's metadata, and counts them; `None` where it is no JSON object.
    fn of(value: &[u8]) -> Option<(Self, u64)> {
        let members = members(&[Bytes::copy_from_slice(value)], |_| true)?;
        let is_own = |name: &str| name.starts_with(OWN);
        let kept = members.found.iter().filter(|member| !is_own(&member.name));
        let kept: Vec<&[u8]> = kept.filter_map(|member| value.get(member.span.clone())).collect();
        let removed = members.found.len().saturating_sub(kept.len());
        let text = if kept.is_empty() {
            Vec::new()
        } else if removed == 0 {
            value.get(members.start..value.len().saturating_sub(1)).unwrap_or_default().to_vec()
        } else {
            kept.join(&b',')
        };
        let removed = u64::try_from(removed).unwrap_or(u64::MAX);
        Some((Self { count: kept.len(), text, is_cut: members.is_cut }, removed))
    }
}

/// Tells whether Bedrock takes a key or a value: up to 256 of `[a-zA-Z0-9\s:_@$#=/+,-.]` (bedrock-runtime service model,
/// `RequestMetadataKeyString`). Of white space, no more than spaces are put in.
fn is_legal(text: &str) -> bool {
    text.len() <= MAX_TEXT && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" :_@$#=/+,-.".contains(&b))
}

/// Puts other bytes in the place of spans, which are in ascending order: buffers are split, and none is copied.
fn spliced(pieces: Vec<Bytes>, edits: Vec<(Range<usize>, Bytes)>) -> Vec<Bytes> {
    let mut out = Vec::with_capacity(pieces.len().saturating_add(edits.len().saturating_mul(2)));
    let mut rest = Rest { piece: Bytes::new(), others: pieces.into_iter() };
    let mut at = 0;
    for (span, bytes) in edits {
        rest.pass(span.start.saturating_sub(at), |piece| out.push(piece));
        out.push(bytes);
        rest.pass(span.len(), drop);
        at = span.end;
    }
    rest.pass(usize::MAX, |piece| out.push(piece));
    out
}

/// What is left of a list of buffers.
struct Rest {
    piece: Bytes,
    others: std::vec::IntoIter<Bytes>,
}

impl Rest {
    /// Hands over that many bytes, or all.
    fn pass(&mut self, mut count: usize, mut take: impl FnMut(Bytes)) {
        while count > 0 {
            if self.piece.is_empty() {
                let Some(next) = self.others.next() else { return };
                self.piece = next;
            }
            let part = self.piece.split_to(count.min(self.piece.len()));
            count = count.saturating_sub(part.len());
            if !part.is_empty() {
                take(part);
            }
        }
    }
}

#[cfg(test)]
mod tests;
