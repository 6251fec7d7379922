//! An answer to a client, as the bytes that go on the wire.

use crate::clock::Clock;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderName, Method, StatusCode, Version};
use httpdate::HttpDate;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IoSlice, Write as _};
use std::time::SystemTime;

/// Room for a head, in bytes: most are shorter.
const HEAD: usize = 1024;

/// The most that is taken of a body before it is written, in bytes; and in how many buffers.
const MAX_TOGETHER: (usize, usize) = (64 << 10, 20);

/// Room for how many buffers is kept for the next answer.
const KEPT_PARTS: usize = 4;

/// How an answer tells where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has none.
    Bodiless,
    /// Its head says how long it is.
    Told,
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What an answer has to know of its request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its method.
    pub(super) method: Method,
    /// Its version.
    pub(super) version: Version,
    /// Whether the connection is to carry another one.
    pub(super) keep_alive: bool,
}

/// Bytes on their way to a client: the head of an answer, and buffers of its body, which stay as they came.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    head: BytesMut,
    parts: VecDeque<Part>,
    remaining: usize,
}

/// A buffer of a body, with what frames it.
#[derive(Debug)]
struct Part {
    /// What comes before it: a chunk's size.
    before: SizeLine,
    data: Bytes,
    /// What comes after it.
    after: &'static [u8],
}

/// The line that tells a chunk's size; or nothing.
#[derive(Debug)]
struct SizeLine {
    text: [u8; 18],
    from: u8,
    to: u8,
}

impl Outbox {
    /// Writes the head of an answer whose body has so many bytes, if that is known; returns how its end is told. An answer
    /// that says `connection: close` is the connection's last.
    pub(super) fn begin(
        &mut self,
        answer: &Parts,
        len: Option<u64>,
        asked: &mut Asked,
        clock: Clock,
    ) -> Framing {
        let bodiless = is_bodiless(answer.status);
        let framing = match len {
            _ if bodiless || asked.method == Method::HEAD => Framing::Bodiless,
            Some(_) => Framing::Told,
            None if asked.version == Version::HTTP_11 => Framing::Chunked,
            None => Framing::UntilClose,
        };
        asked.keep_alive &= framing != Framing::UntilClose && !answer.headers.contains_key(CONNECTION);
        self.head.reserve(HEAD);
        self.status_line(answer.status, asked.version);
        let mut len = len.filter(|_| !bodiless);
        for (name, value) in &answer.headers {
            if *name == CONTENT_LENGTH {
                self.content_length(len.take());
            } else if !is_own(name) {
                self.line(name.as_str(), value.as_bytes());
            }
        }
        self.content_length(len);
        if framing == Framing::Chunked {
            self.line("transfer-encoding", b"chunked");
        }
        match (asked.keep_alive, asked.version == Version::HTTP_11) {
            (false, true) => self.line("connection", b"close"),
            (true, false) => self.line("connection", b"keep-alive"),
            (true, true) | (false, false) => {}
        }
        if !answer.headers.contains_key(DATE) {
            let now = HttpDate::from(SystemTime::UNIX_EPOCH + clock.since_epoch());
            // A buffer takes all that is written to it.
            let _ = write!(self.head, "date: {now}\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
        self.remaining = self.remaining.saturating_add(self.head.len());
        framing
    }

    /// Tells whether more of the body is to be taken before what there is is written.
    pub(super) fn has_room(&self) -> bool {
        let (bytes, buffers) = MAX_TOGETHER;
        self.remaining < bytes && self.parts.len() < buffers
    }

    /// Takes a buffer of the body.
    pub(super) fn push(&mut self, data: Bytes, framing: Framing) {
        if data.is_empty() {
            // As a chunk, it would be the end.
            return;
        }
        self.add(match framing {
            Framing::Chunked => Part { before: SizeLine::of(data.len()), data, after: b"\r\n" },
            Framing::Told | Framing::UntilClose | Framing::Bodiless => {
                Part { before: SizeLine::none(), data, after: b"" }
            }
        });
    }

    /// Takes note of the body's end.
    pub(super) fn end(&mut self, framing: Framing) {
        if framing == Framing::Chunked {
            self.add(Part { before: SizeLine::none(), data: Bytes::new(), after: b"0\r\n\r\n" });
        }
    }

    /// Gives the memory back that a long answer took.
    pub(super) fn rest(&mut self) {
        if self.parts.is_empty() && self.parts.capacity() > KEPT_PARTS {
            self.parts = VecDeque::new();
        }
    }

    fn add(&mut self, part: Part) {
        self.remaining = self.remaining.saturating_add(part.len());
        self.parts.push_back(part);
    }

    fn status_line(&mut self, status: StatusCode, version: Version) {
        let minor: &[u8] = if version == Version::HTTP_11 { b"HTTP/1.1 " } else { b"HTTP/1.0 " };
        let reason = status.canonical_reason().unwrap_or("Unknown");
        for part in [minor, status.as_str().as_bytes(), b" ", reason.as_bytes(), b"\r\n"] {
            self.head.extend_from_slice(part);
        }
    }

    fn content_length(&mut self, len: Option<u64>) {
        if let Some(len) = len {
            self.line("content-length", itoa::Buffer::new().format(len).as_bytes());
        }
    }

    fn line(&mut self, name: &str, value: &[u8]) {
        self.head.reserve(name.len().saturating_add(value.len()).saturating_add(4));
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.head.extend_from_slice(part);
        }
    }
}

/// Tells whether a header is not the answer's, but this connection's.
fn is_own(name: &HeaderName) -> bool {
    *name == CONNECTION || *name == TRANSFER_ENCODING
}

/// Tells whether an answer has neither a body nor its length (RFC 9110, sections 8.6 and 15.4.5).
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

impl Part {
    fn len(&self) -> usize {
        self.before.rest().len().saturating_add(self.data.len()).saturating_add(self.after.len())
    }

    fn slices(&self) -> [&[u8]; 3] {
        [self.before.rest(), &self.data, self.after]
    }

    /// Takes away so many bytes, which it has.
    fn advance(&mut self, count: usize) {
        let count = self.before.advance(count);
        let of_data = count.min(self.data.len());
        self.data.advance(of_data);
        self.after = self.after.get(count.saturating_sub(of_data)..).unwrap_or_default();
    }
}

impl SizeLine {
    fn none() -> Self {
        Self { text: [0; 18], from: 0, to: 0 }
    }

    fn of(size: usize) -> Self {
        let mut line = Self::none();
        let room = line.text.len();
        let mut rest = line.text.as_mut_slice();
        // 16 digits and a line break always fit.
        let _ = write!(rest, "{size:x}\r\n");
        line.to = u8::try_from(room.saturating_sub(rest.len())).unwrap_or_default();
        line
    }

    fn rest(&self) -> &[u8] {
        self.text.get(usize::from(self.from)..usize::from(self.to)).unwrap_or_default()
    }

    /// Takes away as many of so many bytes as it has; returns how many are left to be taken.
    fn advance(&mut self, count: usize) -> usize {
        let taken = count.min(self.rest().len());
        self.from = self.from.saturating_add(u8::try_from(taken).unwrap_or(u8::MAX));
        count.saturating_sub(taken)
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        let parts = self.parts.iter().flat_map(Part::slices);
        [self.head.as_ref()].into_iter().chain(parts).find(|slice| !slice.is_empty()).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.parts.iter().flat_map(Part::slices);
        let all = [self.head.as_ref()].into_iter().chain(parts).filter(|slice| !slice.is_empty());
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(all) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        self.remaining = self.remaining.saturating_sub(count);
        let of_head = count.min(self.head.len());
        self.head.advance(of_head);
        if self.head.is_empty() {
            // What is written is let go of at once.
            self.head = BytesMut::new();
        }
        let mut count = count.saturating_sub(of_head);
        while let Some(part) = self.parts.front_mut() {
            let len = part.len();
            if count < len {
                return part.advance(count);
            }
            count = count.saturating_sub(len);
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::framing::{self, Place, Step};
    use http::Response;
    use proptest::prelude::*;

    fn asked(version: Version) -> Asked {
        Asked { method: Method::POST, version, keep_alive: true }
    }

    fn parts(status: u16, headers: &[(&str, &str)]) -> Parts {
        let builder = Response::builder().status(status);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    /// Takes everything out, so many bytes each time.
    fn written(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while outbox.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 64];
            let filled = outbox.chunks_vectored(&mut slices);
            let joined: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            assert!(joined.len() == outbox.remaining() || filled == 64);
            assert!(joined.starts_with(outbox.chunk()) && !outbox.chunk().is_empty());
            let count = step.min(joined.len());
            written.extend_from_slice(&joined[..count]);
            outbox.advance(count);
        }
        written
    }

    fn head(answer: &Parts, len: Option<u64>, asked: &mut Asked) -> (Framing, String) {
        let mut outbox = Outbox::default();
        let framing = outbox.begin(answer, len, asked, Clock::system());
        (framing, String::from_utf8(written(&mut outbox, usize::MAX)).unwrap())
    }

    const DATED: (&str, &str) = ("date", "Fri, 27 Nov 2026 08:00:00 GMT");

    #[test]
    fn a_head_says_what_follows() {
        let (new, old) = (Version::HTTP_11, Version::HTTP_10);
        let date = "date: Fri, 27 Nov 2026 08:00:00 GMT\r\n";
        for (version, keep_alive, len, framing, line, tail) in [
            (new, true, Some(3), Framing::Told, "HTTP/1.1", "content-length: 3\r\n"),
            (new, false, Some(0), Framing::Told, "HTTP/1.1", "content-length: 0\r\nconnection: close\r\n"),
            (new, true, None, Framing::Chunked, "HTTP/1.1", "transfer-encoding: chunked\r\n"),
            (
                old,
                true,
                Some(3),
                Framing::Told,
                "HTTP/1.0",
                "content-length: 3\r\nconnection: keep-alive\r\n",
            ),
            (old, false, Some(3), Framing::Told, "HTTP/1.0", "content-length: 3\r\n"),
            (old, true, None, Framing::UntilClose, "HTTP/1.0", ""),
        ] {
            let mut asked = Asked { keep_alive, ..asked(version) };
            let found = head(&parts(200, &[DATED]), len, &mut asked);
            assert_eq!(found, (framing, format!("{line} 200 OK\r\n{date}{tail}\r\n")));
            assert_eq!(asked.keep_alive, keep_alive && framing != Framing::UntilClose);
        }
    }

    #[test]
    fn what_belongs_to_the_connection_is_its_own() {
        let headers =
            [("connection", "close"), ("content-length", "9"), ("transfer-encoding", "x"), ("x-a", "1")];
        let answer = parts(599, &[&headers[..], &[DATED]].concat());
        let mut asked = asked(Version::HTTP_11);
        let (_, text) = head(&answer, Some(3), &mut asked);
        let (date, value) = DATED;
        let lines = format!("content-length: 3\r\nx-a: 1\r\n{date}: {value}\r\nconnection: close\r\n\r\n");
        assert_eq!((text, asked.keep_alive), (format!("HTTP/1.1 599 Unknown\r\n{lines}"), false));
    }

    #[test]
    fn an_answer_without_a_body_has_none() {
        for status in [204, 304] {
            let (framing, text) = head(&parts(status, &[DATED]), Some(0), &mut asked(Version::HTTP_11));
            assert!(framing == Framing::Bodiless && !text.contains("content-length"), "{text}");
        }
        let mut asked = Asked { method: Method::HEAD, ..asked(Version::HTTP_11) };
        let (framing, text) = head(&parts(404, &[]), Some(7), &mut asked);
        assert!(framing == Framing::Bodiless && text.contains("content-length: 7\r\n"), "{text}");
        assert!(text.contains("\r\ndate: ") && text.contains(" GMT\r\n"), "{text}");
    }

    proptest! {
        #[test]
        fn any_buffers_by_any_steps_are_the_body(
            body in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..12),
            is_chunked in any::<bool>(),
            step in 1_usize..99,
        ) {
            let mut outbox = Outbox::default();
            let whole = body.concat();
            let len = (!is_chunked).then(|| whole.len().try_into().unwrap());
            let framing = outbox.begin(&parts(200, &[DATED]), len, &mut asked(Version::HTTP_11), Clock::system());
            for piece in &body {
                outbox.push(piece.clone().into(), framing);
            }
            outbox.end(framing);
            let mut wire = BytesMut::from(&written(&mut outbox, step)[..]);
            let head = memchr::memmem::find(&wire, b"\r\n\r\n").unwrap();
            wire.advance(head + 4);
            let mut reading = if is_chunked {
                framing::Framing::Chunked(Place::Size)
            } else {
                framing::Framing::Length(whole.len().try_into().unwrap())
            };
            let mut read = Vec::new();
            loop {
                match reading.next(&mut wire).unwrap() {
                    Step::Data(data) => read.extend_from_slice(&data),
                    Step::End => break,
                    step @ (Step::Trailers(_) | Step::Starved) => panic!("{step:?}"),
                }
            }
            prop_assert_eq!(read, whole);
            prop_assert!(wire.is_empty() && outbox.parts.is_empty() && outbox.head.is_empty());
        }
    }
}
