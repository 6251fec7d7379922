//! What is found in a journal's directory at start. Nothing is changed here.

use super::confirmed::Confirmed;
use super::entries::{Entries, Next, size};
use super::entry::{self, Kind, Parsed};
use super::error::JournalError;
use super::segment::{self, Beginning, FORMAT, HEADER, Header, Segment};
use crate::domain::RequestId;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All that is found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The segments by sequence number.
    pub(super) segments: BTreeMap<u64, Segment>,
    /// Openings without a closing, and where they are. All memory that grows with what is found.
    pub(super) open: HashMap<RequestId, Place>,
    /// What is to be cut off.
    pub(super) tails: Vec<Tail>,
    /// The first sequence number that no file has.
    pub(super) next_sequence: u64,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The segment.
    pub(super) sequence: u64,
    /// Its offset there.
    pub(super) offset: u64,
}

/// The end of a segment that a crash left unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The segment.
    pub file: PathBuf,
    /// Where it is cut off; zero where not even the header is whole, and the file is deleted.
    pub offset: u64,
    /// How many bytes go.
    pub bytes: u64,
}

/// Reads all segments in a directory.
pub(super) fn scan(dir: &Path) -> Result<Found, JournalError> {
    let mut found = Found::default();
    let confirmed = Confirmed::read(dir);
    for (sequence, file) in segments(dir)? {
        found.next_sequence = sequence.saturating_add(1);
        found.read(sequence, &file, &confirmed)?;
    }
    Ok(found)
}

fn segments(dir: &Path) -> Result<BTreeMap<u64, PathBuf>, JournalError> {
    let failed = |source| JournalError::SetUp { path: dir.to_owned(), source };
    let mut segments = BTreeMap::new();
    for file in std::fs::read_dir(dir).map_err(failed)? {
        let path = file.map_err(failed)?.path();
        if let Some(sequence) = segment::sequence(&path) {
            segments.insert(sequence, path);
        }
    }
    Ok(segments)
}

impl Found {
    fn read(&mut self, sequence: u64, path: &Path, confirmed: &Confirmed) -> Result<(), JournalError> {
        let failed = |source| JournalError::Segment { file: path.to_owned(), source };
        let file = File::options().read(true).write(true).open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let file = Arc::new(file);
        let Some(header) = header(path, &file, len)? else {
            self.tails.push(Tail { file: path.to_owned(), offset: 0, bytes: len });
            return Ok(());
        };
        let mut entries = Entries::new(Arc::clone(&file), header.salt, HEADER, len);
        let confirmed = confirmed.offset(sequence, header.salt);
        let pending = self.take(sequence, &mut entries, confirmed).map_err(failed)?;
        let whole = entries.offset();
        if whole < len {
            self.tails.push(tail(path, header.salt, &mut entries)?);
        }
        self.segments.insert(sequence, Segment { pending, confirmed, ..Segment::new(file, header, whole) });
        Ok(())
    }

    /// Takes all whole entries, and returns how many closings are among them that are not confirmed.
    fn take(&mut self, sequence: u64, entries: &mut Entries, confirmed: u64) -> io::Result<u64> {
        let mut closings = 0_u64;
        loop {
            let offset = entries.offset();
            let Next::Entry(frame) = entries.next()? else { return Ok(closings) };
            match frame.kind {
                Kind::Opening => {
                    self.open.insert(frame.id, Place { sequence, offset });
                }
                Kind::Closing => {
                    self.open.remove(&frame.id);
                    closings = closings.saturating_add(u64::from(offset >= confirmed));
                }
                Kind::Refused => {
                    self.open.remove(&frame.id);
                }
            }
        }
    }
}

/// Returns the header of a file, or `None` where it was never written whole and nothing else is there.
fn header(path: &Path, handle: &Arc<File>, len: u64) -> Result<Option<Header>, JournalError> {
    let mut bytes = vec![0; usize::try_from(len.min(HEADER)).unwrap_or_default()];
    let failed = |source| JournalError::Segment { file: path.to_owned(), source };
    handle.read_exact_at(&mut bytes, 0).map_err(failed)?;
    let file = path.to_owned();
    match Beginning::of(&bytes) {
        Beginning::Header(header) => Ok(Some(header)),
        Beginning::Torn | Beginning::Damaged if len <= HEADER => Ok(None),
        Beginning::Torn if is_zero(handle, len).map_err(failed)? => Ok(None),
        Beginning::OtherFormat(version) => Err(JournalError::OtherFormat { file, version, known: FORMAT }),
        Beginning::Damaged => {
            Err(JournalError::Damaged { file, offset: 0, reason: "its header is".to_owned() })
        }
        Beginning::Torn | Beginning::Foreign => Err(JournalError::NotASegment { file }),
    }
}

/// Tells whether a file holds nothing but zeros: what a loss of power leaves of one that was never synced.
fn is_zero(file: &Arc<File>, len: u64) -> io::Result<bool> {
    let mut all = Entries::new(Arc::clone(file), 0, 0, len);
    Ok(all.rest()?.iter().all(|byte| *byte == 0))
}

/// Returns what is to be cut off a segment whose next entry is broken, unless whole entries follow.
fn tail(path: &Path, salt: u32, entries: &mut Entries) -> Result<Tail, JournalError> {
    let offset = entries.offset();
    let file = path.to_owned();
    let rest = match entries.rest() {
        Ok(rest) => rest,
        Err(source) => return Err(JournalError::Segment { file, source }),
    };
    match whole_entry(rest, salt) {
        None => Ok(Tail { file, offset, bytes: size(rest.len()) }),
        Some(after) => {
            let next = offset.saturating_add(size(after));
            let reason = format!("the entry there is broken, and the one at byte {next} is whole");
            Err(JournalError::Damaged { file, offset, reason })
        }
    }
}

/// Returns where a whole entry begins among bytes whose first is known to begin none.
fn whole_entry(bytes: &[u8], salt: u32) -> Option<usize> {
    let begins =
        |at: &usize| matches!(entry::parse(bytes.get(*at..).unwrap_or_default(), salt), Parsed::Whole(_));
    (1..bytes.len()).find(begins)
}
