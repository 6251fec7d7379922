//! A request on its way out, as the bytes that go on the wire.

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Room for the request line and for what stands between names and values, in bytes.
const LINE: usize = 64;

/// The head and the body's buffers of an HTTP/1.1 request, as far as they are not written yet.
///
/// The buffers stay as they came, and go out by vectored writes.
#[derive(Debug)]
pub struct Outbound {
    /// None is empty.
    buffers: VecDeque<Bytes>,
    remaining: usize,
    /// Whether a byte of it may have been written.
    pub(super) has_begun: bool,
    /// Whether the connection holds nothing of it back.
    pub(super) is_out: bool,
}

impl Outbound {
    /// Lays out a request. `path` is encoded; the headers say how long the body is.
    pub fn new(
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Vec<Bytes>,
    ) -> Self {
        let mut buffers = VecDeque::with_capacity(body.len() + 1);
        buffers.push_back(head(method, path, query, headers));
        buffers.extend(body.into_iter().filter(|piece| !piece.is_empty()));
        let remaining = buffers.iter().map(Bytes::len).sum();
        Self { buffers, remaining, has_begun: false, is_out: false }
    }
}

fn head(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Bytes {
    let of_headers: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let query_len = query.map_or(0, str::len);
    let mut head = Vec::with_capacity(LINE + path.len() + query_len + of_headers);
    head.extend_from_slice(method.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(path.as_bytes());
    if let Some(query) = query {
        head.push(b'?');
        head.extend_from_slice(query.as_bytes());
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

impl Buf for Outbound {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.buffers.front().map_or(&[], |buffer| buffer)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, buffer) in slices.iter_mut().zip(&self.buffers) {
            *slice = IoSlice::new(buffer);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        self.has_begun |= count > 0;
        self.remaining = self.remaining.saturating_sub(count);
        while let Some(first) = self.buffers.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.buffers.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_request_is_laid_out_and_taken_away_by_any_steps() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let body = vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")];
        let expected = b"GET /p?q=1 HTTP/1.1\r\nx-a: 1\r\nx-a: 2\r\n\r\nabc";
        for step in 1..=expected.len() {
            let mut outbound = Outbound::new(&Method::GET, "/p", Some("q=1"), &headers, body.clone());
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
