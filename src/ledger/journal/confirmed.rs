//! Up to where the store has confirmed each segment: a file beside the segments, so that a start does not hand out again
//! what was drained.
//!
//! `crc32 u32 | count u32`, then `sequence u64 | salt u32 | offset u64` for each segment, integers little-endian. The
//! checksum covers the count and so many segments. It is overwritten in place and never synced: a file that is torn,
//! old, absent or another journal's means that records are handed out again, which the store takes once.

use super::log::Log;
use super::segment::HEADER;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const NAME: &str = "confirmed";

/// Bytes before the segments.
const HEAD: usize = 8;

/// Bytes per segment.
const SEGMENT: usize = 20;

/// Offsets before which all closings are confirmed, by the sequence number and salt of their segment: a number that a
/// later process gives to another segment comes with another salt.
#[derive(Debug, Default)]
pub(super) struct Confirmed(HashMap<(u64, u32), u64>);

impl Confirmed {
    /// Reads what a directory has; nothing is confirmed where that says nothing.
    pub(super) fn read(dir: &Path) -> Self {
        let bytes = std::fs::read(dir.join(NAME)).unwrap_or_default();
        Self::parse(&bytes).unwrap_or_default()
    }

    /// Returns the offset in a segment before which all closings are confirmed.
    pub(super) fn offset(&self, sequence: u64, salt: u32) -> u64 {
        self.0.get(&(sequence, salt)).copied().unwrap_or(HEADER)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (stated, rest) = bytes.split_first_chunk::<4>()?;
        let (count, segments) = rest.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(SEGMENT)?;
        let segments = segments.get(..len)?;
        let covered = rest.get(..len.checked_add(count.len())?)?;
        if crc32fast::hash(covered) != u32::from_le_bytes(*stated) {
            return None;
        }
        segments.chunks_exact(SEGMENT).map(segment).collect::<Option<_>>().map(Self)
    }
}

fn segment(bytes: &[u8]) -> Option<((u64, u32), u64)> {
    let (sequence, rest) = bytes.split_first_chunk::<8>()?;
    let (salt, rest) = rest.split_first_chunk::<4>()?;
    let offset = rest.first_chunk::<8>()?;
    Some(((u64::from_le_bytes(*sequence), u32::from_le_bytes(*salt)), u64::from_le_bytes(*offset)))
}

impl Log {
    /// Returns what the file is to hold.
    pub(super) fn confirmations(&self) -> Vec<u8> {
        let confirmed = self.segments.iter().filter(|(_, segment)| segment.confirmed > HEADER);
        let mut bytes = vec![0; HEAD];
        let mut count = 0_u32;
        for (sequence, segment) in confirmed {
            bytes.extend_from_slice(&sequence.to_le_bytes());
            bytes.extend_from_slice(&segment.salt.to_le_bytes());
            bytes.extend_from_slice(&segment.confirmed.to_le_bytes());
            count = count.saturating_add(1);
        }
        if let Some((stated, covered)) = bytes.split_first_chunk_mut::<4>() {
            if let Some(at) = covered.first_chunk_mut::<4>() {
                *at = count.to_le_bytes();
            }
            *stated = crc32fast::hash(covered).to_le_bytes();
        }
        bytes
    }
}

/// Overwrites the file.
pub(super) fn write(dir: &Path, confirmations: &[u8]) -> io::Result<()> {
    let file = File::options().create(true).truncate(false).write(true).open(dir.join(NAME))?;
    file.write_all_at(confirmations, 0)
}
