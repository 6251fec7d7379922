//! Frames of `application/vnd.amazon.eventstream`, found in passing.
//!
//! A frame is `u32 total | u32 headers | u32 crc of both | headers | payload | u32 crc of all before`, big endian,
//! CRC-32 as in zlib (<https://smithy.io/2.0/aws/amazon-eventstream.html>, checked 2026-11-24).

/// Two lengths and their checksum.
const PRELUDE: usize = 12;
/// Prelude and closing checksum: the shortest frame.
const OVERHEAD: usize = 16;
/// The longest headers, in bytes (botocore `eventstream.py`, checked 2026-11-24).
const MAX_HEADERS: usize = 128 * 1024;
/// The longest payload, in bytes (botocore `eventstream.py`, checked 2026-11-24).
const MAX_PAYLOAD: usize = 24 * 1024 * 1024;
/// A buffer that grew beyond this, in bytes, is given back after its message.
const KEPT_BUFFER: usize = 64 * 1024;

/// What a message says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An event of that type; empty where none is named.
    Event(&'a str),
    /// An exception of that type, or an error of that code.
    Exception(&'a str),
}

/// One whole message with intact checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) payload: &'a [u8],
}

/// Finds messages in a stream of chunks. Copies only messages that span chunks; after one bad frame it is lost
/// for good, because nothing marks the beginning of the next.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    partial: Vec<u8>,
    lost: bool,
}

impl Scanner {
    /// Hands each message that the chunk completes to `each`.
    pub(super) fn feed(&mut self, mut rest: &[u8], mut each: impl FnMut(Message<'_>)) {
        while !rest.is_empty() && !self.lost {
            let step = if self.partial.is_empty() {
                self.take_in_place(rest, &mut each)
            } else {
                self.complete_partial(rest, &mut each)
            };
            match step {
                Some(tail) => rest = tail,
                None => self.lost = true,
            }
        }
        if self.lost {
            self.partial = Vec::new();
        }
    }

    /// Tells whether a frame was malformed.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Tells whether the last byte fed ended a message, or none was fed.
    pub(super) fn at_boundary(&self) -> bool {
        !self.lost && self.partial.is_empty()
    }

    fn take_in_place<'a>(&mut self, rest: &'a [u8], each: &mut impl FnMut(Message<'_>)) -> Option<&'a [u8]> {
        let Some((frame, tail)) = frame_len(rest)?.and_then(|len| rest.split_at_checked(len)) else {
            self.partial.extend_from_slice(rest);
            return Some(&[]);
        };
        each(open(frame)?);
        Some(tail)
    }

    fn complete_partial<'a>(
        &mut self,
        rest: &'a [u8],
        each: &mut impl FnMut(Message<'_>),
    ) -> Option<&'a [u8]> {
        let wanted = frame_len(&self.partial)?.unwrap_or(PRELUDE);
        let missing = wanted.saturating_sub(self.partial.len());
        let (more, tail) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
        self.partial.extend_from_slice(more);
        if frame_len(&self.partial)? == Some(self.partial.len()) {
            each(open(&self.partial)?);
            self.partial.clear();
            self.partial.shrink_to(KEPT_BUFFER);
        }
        Some(tail)
    }
}

/// Returns the length of the frame that begins here: `Some(None)` while its prelude is short, `None` where it is
/// no frame.
#[expect(clippy::option_option, reason = "three answers: a length, not yet, never")]
fn frame_len(bytes: &[u8]) -> Option<Option<usize>> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else {
        return Some(None);
    };
    let (lengths, checksum) = prelude.split_at_checked(8)?;
    let total = number(lengths.get(..4)?)?;
    let headers = number(lengths.get(4..)?)?;
    let payload = total.checked_sub(headers)?.checked_sub(OVERHEAD)?;
    let sound = crc32fast::hash(lengths).to_be_bytes() == *checksum
        && headers <= MAX_HEADERS
        && payload <= MAX_PAYLOAD;
    sound.then_some(Some(total))
}

/// Returns the message in a whole frame whose prelude is sound.
fn open(frame: &[u8]) -> Option<Message<'_>> {
    let (signed, checksum) = frame.split_last_chunk::<4>()?;
    if crc32fast::hash(signed).to_be_bytes() != *checksum {
        return None;
    }
    let headers = number(signed.get(4..8)?)?;
    let (headers, payload) = signed.get(PRELUDE..)?.split_at_checked(headers)?;
    Some(Message { kind: kind(headers)?, payload })
}

fn number(four: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(four.try_into().ok()?)).ok()
}

/// Returns what the headers say the message is, or `None` where they are malformed.
fn kind(mut headers: &[u8]) -> Option<Kind<'_>> {
    let (mut message, mut event, mut exception, mut error) = ("", "", "", "");
    while !headers.is_empty() {
        let name_len = usize::from(*take(&mut headers, 1)?.first()?);
        let name = take(&mut headers, name_len)?;
        let value = value(&mut headers)?;
        match name {
            b":message-type" => message = value,
            b":event-type" => event = value,
            b":exception-type" => exception = value,
            b":error-code" => error = value,
            _ => {}
        }
    }
    Some(match message {
        "exception" => Kind::Exception(exception),
        "error" => Kind::Exception(error),
        _ => Kind::Event(event),
    })
}

/// Takes a header's value; one that is no string is skipped and empty.
fn value<'a>(headers: &mut &'a [u8]) -> Option<&'a str> {
    let len = match *take(headers, 1)?.first()? {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        6 => u16_len(headers)?,
        7 => {
            let len = u16_len(headers)?;
            return std::str::from_utf8(take(headers, len)?).ok();
        }
        9 => 16,
        _ => return None,
    };
    take(headers, len).map(|_| "")
}

fn u16_len(headers: &mut &[u8]) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(take(headers, 2)?.try_into().ok()?)))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}
