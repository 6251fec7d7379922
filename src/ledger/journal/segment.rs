//! A segment: one file of the journal, its name and its header.
//!
//! The header: `magic 8 bytes | format u32 | salt u32 | created u64 | crc32 u32`, integers little-endian, `created` in
//! seconds since the Unix epoch.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a header.
pub(super) const HEADER: u64 = 28;

/// The format that this version writes, and the only one that it reads.
pub(super) const FORMAT: u32 = 2;

const MAGIC: [u8; 8] = *b"tgjrnl\r\n";
const EXTENSION: &str = "journal";

/// What is known of a segment while its file exists.
#[derive(Debug)]
pub(super) struct Segment {
    /// The file, which stays open: what a call wrote can be read even where somebody deletes the file.
    pub(super) file: Arc<File>,
    /// What its checksums begin from.
    pub(super) salt: u32,
    /// Bytes up to the end of the last whole entry.
    pub(super) len: u64,
    /// Since the Unix epoch.
    pub(super) created: Duration,
    /// Openings without a closing: so many are in `Log::open`.
    pub(super) open: u64,
    /// Closings that the store has not confirmed.
    pub(super) pending: u64,
    /// The offset before which it has all closings confirmed.
    pub(super) confirmed: u64,
    /// Whether it could not be deleted before, so that this is said once.
    pub(super) resists: bool,
}

impl Segment {
    /// Returns a segment of which nothing but the file is known.
    pub(super) fn new(file: Arc<File>, header: Header, len: u64) -> Self {
        Self {
            file,
            salt: header.salt,
            len,
            created: header.created,
            open: 0,
            pending: 0,
            confirmed: HEADER,
            resists: false,
        }
    }

    /// Tells whether it has no entry.
    pub(super) fn is_empty(&self) -> bool {
        self.len <= HEADER
    }

    /// Tells whether nothing in it is needed any more.
    pub(super) fn is_done(&self) -> bool {
        self.open == 0 && self.pending == 0
    }
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What the checksums of the segment's entries begin from.
    pub(super) salt: u32,
    /// Since the Unix epoch, in whole seconds.
    pub(super) created: Duration,
}

/// What the beginning of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A segment's header.
    Header(Header),
    /// A header that was never written whole: the segment holds nothing.
    Torn,
    /// Of a format that is not known.
    OtherFormat(u32),
    /// A segment's, but damaged.
    Damaged,
    /// Something else.
    Foreign,
}

impl Header {
    /// Returns the header's bytes.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.created.as_secs().to_le_bytes());
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

impl Beginning {
    /// Tells what the beginning of a file is, from its first [`HEADER`] bytes or all there are.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.iter().all(|byte| *byte == 0) {
            return Self::Torn;
        }
        let Some(fields) = bytes.strip_prefix(&MAGIC) else {
            return if MAGIC.starts_with(bytes) { Self::Torn } else { Self::Foreign };
        };
        let Some((format, fields)) = fields.split_first_chunk::<4>() else { return Self::Torn };
        match u32::from_le_bytes(*format) {
            FORMAT => Self::fields(bytes, fields),
            format => Self::OtherFormat(format),
        }
    }

    fn fields(bytes: &[u8], fields: &[u8]) -> Self {
        let Some((salt, fields)) = fields.split_first_chunk::<4>() else { return Self::Torn };
        let Some((created, checksum)) = fields.split_first_chunk::<8>() else { return Self::Torn };
        let Some(checksum) = checksum.first_chunk::<4>() else { return Self::Torn };
        let covered = bytes.get(..bytes.len().saturating_sub(4)).unwrap_or_default();
        if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
            return Self::Damaged;
        }
        let created = Duration::from_secs(u64::from_le_bytes(*created));
        Self::Header(Header { salt: u32::from_le_bytes(*salt), created })
    }
}

/// Returns the path of a segment.
pub(super) fn path(dir: &Path, sequence: u64) -> PathBuf {
    dir.join(format!("{sequence:016x}.{EXTENSION}"))
}

/// Returns the sequence number in a segment's file name; `None` where the name is no segment's.
pub(super) fn sequence(path: &Path) -> Option<u64> {
    let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
    let stem = path.file_stem()?.to_str().filter(|stem| is_segment && stem.len() == 16)?;
    let legal = stem.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    u64::from_str_radix(stem, 16).ok().filter(|_| legal)
}
