//! Where a body ends (RFC 9112, section 6), and its bytes without their framing.

use super::lines::{END, trailers};
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use memchr::memchr;

/// The longest line that tells a chunk's size, with its extensions, in bytes.
const MAX_SIZE_LINE: usize = 256;

/// The longest trailer section, in bytes.
const MAX_TRAILERS: usize = 64 << 10;

/// How a body is framed, and where in it the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks, until one of no bytes.
    Chunked(Place),
    /// Until the connection ends.
    UntilClose,
}

/// A place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the line that tells a chunk's size.
    Size,
    /// So many bytes before the end of a chunk.
    Chunk(u64),
    /// Before the line break that follows a chunk.
    ChunkEnd,
    /// After the last chunk.
    Trailers,
    /// After all.
    End,
}

/// What comes next in a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes of the body.
    Data(Bytes),
    /// The trailer section, with which the body ends.
    Trailers(HeaderMap),
    /// The end.
    End,
    /// More has to be read.
    Starved,
}

/// What was read is not HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed HTTP/1.1")]
pub(crate) struct Malformed;

impl Framing {
    /// Returns how many bytes are to come, where that is known.
    pub(crate) fn left(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Tells whether the body has come to its end.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Place::End))
    }

    /// Takes what comes next off the front of what was read.
    pub(crate) fn next(&mut self, unread: &mut BytesMut) -> Result<Step, Malformed> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(take(unread, left)),
            Self::UntilClose if unread.is_empty() => Ok(Step::Starved),
            Self::UntilClose => Ok(Step::Data(unread.split().freeze())),
            Self::Chunked(place) => place.next(unread),
        }
    }
}

impl Place {
    fn next(&mut self, unread: &mut BytesMut) -> Result<Step, Malformed> {
        loop {
            match self {
                Self::Size => match size_line(unread)? {
                    Some(0) => *self = Self::Trailers,
                    Some(size) => *self = Self::Chunk(size),
                    None => return Ok(Step::Starved),
                },
                Self::Chunk(left) => {
                    let step = take(unread, left);
                    if *left == 0 {
                        *self = Self::ChunkEnd;
                    }
                    return Ok(step);
                }
                Self::ChunkEnd => match unread.get(..2) {
                    Some(b"\r\n") => {
                        unread.advance(2);
                        *self = Self::Size;
                    }
                    Some(_) => return Err(Malformed),
                    None => return Ok(Step::Starved),
                },
                Self::Trailers => {
                    let step = trailer_section(unread)?;
                    if step != Step::Starved {
                        *self = Self::End;
                    }
                    return Ok(step);
                }
                Self::End => return Ok(Step::End),
            }
        }
    }
}

/// Takes as many of `left` bytes as are there.
fn take(unread: &mut BytesMut, left: &mut u64) -> Step {
    let there = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
    if there == 0 {
        return Step::Starved;
    }
    *left = left.saturating_sub(u64::try_from(there).unwrap_or(u64::MAX));
    Step::Data(unread.split_to(there).freeze())
}

/// Takes the line that tells a chunk's size, if it is there whole.
fn size_line(unread: &mut BytesMut) -> Result<Option<u64>, Malformed> {
    let Some(end) = memchr(b'\n', unread) else {
        return if unread.len() > MAX_SIZE_LINE { Err(Malformed) } else { Ok(None) };
    };
    if end > MAX_SIZE_LINE {
        return Err(Malformed);
    }
    let line = unread.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Malformed)?;
    if line.contains(&b'\r') {
        return Err(Malformed);
    }
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    let digits = digits.trim_end_matches([' ', '\t']);
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    let size = u64::from_str_radix(digits, 16).map_err(|_| Malformed)?;
    unread.advance(end + 1);
    Ok(Some(size))
}

/// Takes what follows the last chunk, if it is there whole.
fn trailer_section(unread: &mut BytesMut) -> Result<Step, Malformed> {
    if unread.starts_with(b"\r\n") {
        unread.advance(2);
        return Ok(Step::End);
    }
    match END.find(unread) {
        Some(end) => Ok(Step::Trailers(trailers(&unread.split_to(end + 4).freeze())?)),
        None if unread.len() > MAX_TRAILERS => Err(Malformed),
        None => Ok(Step::Starved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNKED: Framing = Framing::Chunked(Place::Size);

    /// Reads a body that arrives in pieces of those sizes, and returns its bytes, its trailers and how it stands.
    fn read(
        mut framing: Framing,
        wire: &[u8],
        sizes: &[usize],
    ) -> Result<(Vec<u8>, usize, Framing), Malformed> {
        let (mut unread, mut body, mut trailers) = (BytesMut::new(), Vec::new(), 0);
        let mut rest = wire;
        for size in sizes.iter().copied().cycle().map(|size| size.max(1)) {
            loop {
                match framing.next(&mut unread)? {
                    Step::Data(data) => body.extend_from_slice(&data),
                    Step::Trailers(map) => trailers += map.len(),
                    Step::End => {
                        assert!(framing.is_over());
                        return Ok((body, trailers, framing));
                    }
                    Step::Starved => break,
                }
            }
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(size.min(rest.len()));
            unread.extend_from_slice(now);
            rest = later;
        }
        Ok((body, trailers, framing))
    }

    #[test]
    fn what_is_no_chunk_is_malformed() {
        for wire in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\na\r\n",
            "0x1\r\na\r\n",
            "1\na\r\n",
            "1\r\r\na\r\n",
            "1;\r\r\na\r\n",
            "1\x0c\r\na\r\n",
            "1\r\nab\r\n",
            "11111111111111111\r\n",
            "1 1\r\n",
            "0\r\nbad header\r\n\r\n",
        ] {
            assert_eq!(read(CHUNKED, wire.as_bytes(), &[1]), Err(Malformed), "{wire:?}");
            assert_eq!(read(CHUNKED, wire.as_bytes(), &[99]), Err(Malformed), "{wire:?}");
        }
        let long = format!("1;{}\r\n", "x".repeat(MAX_SIZE_LINE));
        assert_eq!(read(CHUNKED, long.as_bytes(), &[100]), Err(Malformed));
        let endless = format!("0\r\n{}", "a: b\r\n".repeat(MAX_TRAILERS / 6 + 1));
        assert_eq!(read(CHUNKED, endless.as_bytes(), &[10_000]), Err(Malformed));
    }

    #[test]
    fn a_cut_body_is_not_over() {
        let wire = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nx-a: 1\r\n\r\n";
        for end in 0..wire.len() {
            let (_, _, framing) = read(CHUNKED, &wire[..end], &[1]).unwrap();
            assert!(!framing.is_over(), "{end}");
        }
        let (body, trailers, framing) = read(CHUNKED, wire, &[1]).unwrap();
        assert_eq!((body.as_slice(), trailers, framing.is_over()), (&b"abcde"[..], 1, true));
    }

    proptest! {
        #[test]
        fn any_framing_in_any_pieces_gives_the_same_bytes(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..20),
            extension in "(;[a-z=]{0,9})?",
            sizes in proptest::collection::vec(1_usize..40, 1..5),
            trailer in any::<bool>(),
        ) {
            let body = chunks.concat();
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend(format!("{:X}{extension}\r\n", chunk.len()).into_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(if trailer { b"0\r\nx-t: 1\r\n\r\n" } else { b"0\r\n\r\n" });
            let (got, trailers, framing) = read(CHUNKED, &wire, &sizes).unwrap();
            prop_assert_eq!((&got, trailers, framing.is_over()), (&body, usize::from(trailer), true));
            let length = Framing::Length(body.len().try_into().unwrap());
            let (got, _, framing) = read(length, &body, &sizes).unwrap();
            prop_assert_eq!((&got, framing.is_over()), (&body, true));
            let (got, _, framing) = read(Framing::UntilClose, &body, &sizes).unwrap();
            prop_assert_eq!((&got, framing.is_over()), (&body, false));
        }

        #[test]
        fn no_bytes_make_it_panic(
            wire in "[0-9a-f;\r\n: x]{0,200}",
            sizes in proptest::collection::vec(1_usize..40, 1..5),
        ) {
            let _ = read(CHUNKED, wire.as_bytes(), &sizes);
        }
    }
}
