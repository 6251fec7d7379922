//! A request on its way out, as the bytes that go on the wire.

use super::WirePath;
use super::connection::TURN;
use bytes::{Buf, Bytes};
use http::Method;
use std::io::{IoSlice, Write};
use std::vec;

/// Room for a head, in bytes: most are shorter.
const HEAD: usize = 1024;

/// The head of an HTTP/1.1 request, as the bytes that go on the wire.
#[derive(Debug)]
pub struct RequestHead(Vec<u8>);

impl RequestHead {
    /// Writes the request line.
    pub fn new(method: &Method, path: &WirePath<'_>, query: Option<&str>) -> Self {
        let mut head = Vec::with_capacity(HEAD);
        let [stem, leaf] = path.wire();
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        for part in [method.as_str(), " ", stem, leaf, mark, query, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        Self(head)
    }

    /// Writes a header. Name and value hold only what a header may.
    pub fn line(&mut self, name: &str, value: &[u8]) {
        self.0.reserve(name.len().saturating_add(value.len()).saturating_add(4));
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }

    /// Writes how long the body is, in bytes.
    pub fn content_length(&mut self, len: u64) {
        // A vector takes all that is written to it.
        let _ = write!(self.0, "content-length: {len}\r\n");
    }
}

/// The head and the body's buffers of an HTTP/1.1 request, as far as they are not written yet.
///
/// The buffers stay as they came, and go out by vectored writes.
#[derive(Debug)]
pub struct Outbound {
    /// What is next: the head, then one buffer of the body after the other.
    next: Bytes,
    others: vec::IntoIter<Bytes>,
    remaining: usize,
    /// Whether a byte of it may have been written.
    pub(super) has_begun: bool,
    /// Whether the connection holds nothing of it back.
    pub(super) is_out: bool,
}

impl Outbound {
    /// Puts a body behind its head.
    pub fn new(RequestHead(mut head): RequestHead, body: Vec<Bytes>) -> Self {
        head.extend_from_slice(b"\r\n");
        let remaining = body.iter().map(Bytes::len).fold(head.len(), usize::saturating_add);
        Self { next: head.into(), others: body.into_iter(), remaining, has_begun: false, is_out: false }
    }
}

impl Buf for Outbound {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        &self.next
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let (mut filled, mut bytes) = (0, 0_usize);
        let buffers = [&self.next].into_iter().chain(self.others.as_slice());
        for (slice, buffer) in slices.iter_mut().zip(buffers.filter(|buffer| !buffer.is_empty())) {
            *slice = IoSlice::new(buffer);
            filled += 1;
            bytes = bytes.saturating_add(buffer.len());
            if bytes >= TURN {
                break;
            }
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        self.has_begun |= count > 0;
        self.remaining = self.remaining.saturating_sub(count);
        // What is written is let go of at once.
        while count >= self.next.len() {
            count = count.saturating_sub(self.next.len());
            // Not `clear`, which would keep its memory for as long as the answer takes.
            let Some(next) = self.others.next() else {
                self.next = Bytes::new();
                return;
            };
            self.next = next;
        }
        self.next.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_laid_out_and_taken_away_by_any_steps() {
        let body = vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")];
        let expected = b"GET /p?q=1 HTTP/1.1\r\nx-a: 1\r\ncontent-length: 3\r\n\r\nabc";
        for step in 1..=expected.len() {
            let mut head = RequestHead::new(&Method::GET, &"/p".to_owned().into(), Some("q=1"));
            head.line("x-a", b"1");
            head.content_length(3);
            let mut outbound = Outbound::new(head, body.clone());
            assert!(!outbound.has_begun);
            let mut written = Vec::new();
            while outbound.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = outbound.chunks_vectored(&mut slices);
                let joined: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                assert_eq!(joined.len(), outbound.remaining());
                let count = step.min(joined.len());
                written.extend_from_slice(&joined[..count]);
                outbound.advance(count);
                assert!(outbound.has_begun);
            }
            assert_eq!(written, expected);
        }
    }
}
