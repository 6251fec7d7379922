//! An entry's frame: `length u32 | crc32 u32 | kind u8 | id 16 bytes | payload`, integers little-endian.
//!
//! `length` counts what follows the checksum. The checksum covers length, kind, id and payload, and begins from the
//! segment's salt, which no client knows: text in a payload cannot pass for an entry.

use crate::domain::RequestId;

/// Bytes before what `length` counts.
const PREFIX: usize = 8;

/// Bytes of kind and id.
const HEAD: usize = 17;

/// The longest entry, in bytes; entries are around 500.
pub(super) const MAX_ENTRY: usize = 16 << 20;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call goes upstream.
    Opening,
    /// A call's record.
    Closing,
    /// A call whose opening is written was refused after all, and owes no record.
    Refused,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Opening => 1,
            Self::Closing => 2,
            Self::Refused => 3,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Opening, Self::Closing, Self::Refused].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// An entry's frame without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it says.
    pub(super) kind: Kind,
    /// Of which call.
    pub(super) id: RequestId,
    /// Its length in bytes, with everything.
    pub(super) len: usize,
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A whole entry.
    Whole(Frame),
    /// Perhaps an entry, of so many bytes; there are fewer.
    Short(usize),
    /// No entry.
    Broken,
}

/// Begins a frame in `buffer`, which is emptied; the payload is to be appended.
pub(super) fn begin(buffer: &mut Vec<u8>, kind: Kind, id: RequestId) {
    buffer.clear();
    buffer.extend_from_slice(&[0; PREFIX]);
    buffer.push(kind.byte());
    buffer.extend_from_slice(&id.to_bytes());
}

/// Fills in length and checksum once the payload is in place; `None` where the entry is too long.
pub(super) fn seal(buffer: &mut [u8], salt: u32) -> Option<()> {
    let length = buffer.len().checked_sub(PREFIX).filter(|_| buffer.len() <= MAX_ENTRY)?;
    let length = u32::try_from(length).ok()?.to_le_bytes();
    let (prefix, body) = buffer.split_at_mut_checked(PREFIX)?;
    let checksum = checksum(salt, length, body).to_le_bytes();
    let filled = length.into_iter().chain(checksum);
    prefix.iter_mut().zip(filled).for_each(|(to, from)| *to = from);
    Some(())
}

/// Tells what stands at the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8], salt: u32) -> Parsed {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Parsed::Short(PREFIX) };
    let Some((stated, body)) = rest.split_first_chunk::<4>() else { return Parsed::Short(PREFIX) };
    let Ok(len) = usize::try_from(u32::from_le_bytes(*length)) else { return Parsed::Broken };
    if !(HEAD..=MAX_ENTRY).contains(&len) {
        return Parsed::Broken;
    }
    let Some(body) = body.get(..len) else { return Parsed::Short(PREFIX.saturating_add(len)) };
    let Some((kind, id)) = head(body) else { return Parsed::Broken };
    if checksum(salt, *length, body) != u32::from_le_bytes(*stated) {
        return Parsed::Broken;
    }
    Parsed::Whole(Frame { kind, id, len: PREFIX.saturating_add(len) })
}

/// Returns the payload of a whole entry.
pub(super) fn payload(entry: &[u8]) -> &[u8] {
    entry.get(PREFIX + HEAD..).unwrap_or_default()
}

fn head(body: &[u8]) -> Option<(Kind, RequestId)> {
    let (kind, rest) = body.split_first()?;
    let (id, _) = rest.split_first_chunk::<16>()?;
    Some((Kind::of(*kind)?, RequestId::from_bytes(*id)))
}

fn checksum(salt: u32, length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}
