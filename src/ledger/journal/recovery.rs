//! The start of a journal: what the last process left behind is looked at, then repaired, then taken over.

use super::Journal;
use super::dir_lock::DirLock;
use super::disk::Disk;
use super::entries::{Entries, Next};
use super::error::JournalError;
use super::fresh::Fresh;
use super::gather::Group;
use super::keeper::Keeper;
use super::log::{Counts, Log, Shared, Unsynced};
use super::overdue::Overdue;
use super::payload;
use super::reader::Reader;
use super::scan::{Found, Place, Tail, scan};
use super::segment;
use super::settings::{Fsync, Settings};
use super::sync::Synced;
use crate::domain::Record;
use crate::ledger::folder::can_be_made;
use crate::ledger::opening::Opening;
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What the last process left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// How many calls it left open; their records are in the journal.
    pub interrupted: usize,
    /// Records that are to be drained, those of the interrupted calls among them. The store may have some of them.
    pub pending_records: u64,
    /// What was cut off.
    pub tails: Vec<Tail>,
}

/// A journal that was started.
#[derive(Debug)]
pub struct Started {
    /// Where calls are written.
    pub journal: Journal,
    /// Where the drainer reads.
    pub reader: Reader,
    /// What was found.
    pub recovery: Recovery,
}

/// The journal of a directory, as it was found.
#[derive(Debug)]
pub struct Looked {
    dir: PathBuf,
    /// What is there; nothing yet, where there is no directory.
    left: Option<Left>,
}

/// What the last process left, which nobody else can change.
#[derive(Debug)]
struct Left {
    lock: DirLock,
    found: Found,
    open: Vec<(u64, Opening)>,
}

/// Looks at the journal of a directory and keeps others from it, but repairs nothing and makes no directory.
///
/// # Errors
/// The directory cannot be used or made, or holds what the death of a process does not leave behind.
pub fn look(dir: &Path) -> Result<Looked, JournalError> {
    let left = if is_there(dir)? { Some(Left::take(dir)?) } else { None };
    Ok(Looked { dir: dir.to_owned(), left })
}

impl Looked {
    /// Starts the journal as [`Journal::start`] does, without reading it again.
    ///
    /// # Errors
    /// What is to be repaired cannot be.
    pub fn start(
        self,
        settings: Settings,
        record_of: &mut dyn FnMut(Opening) -> Record,
    ) -> Result<Started, JournalError> {
        let left = self.left.map_or_else(|| Left::take(&self.dir), Ok)?;
        take_over(&self.dir, left, (settings, Disk::default()), record_of)
    }
}

impl Left {
    fn take(dir: &Path) -> Result<Self, JournalError> {
        let lock = DirLock::acquire(dir)?;
        let mut found = scan(dir)?;
        let open = found.take_open(dir)?;
        Ok(Self { lock, found, open })
    }
}

/// Starts the journal of a directory.
pub(super) fn start(
    dir: &Path,
    settings: Settings,
    disk: Disk,
    record_of: &mut dyn FnMut(Opening) -> Record,
) -> Result<Started, JournalError> {
    take_over(dir, Left::take(dir)?, (settings, disk), record_of)
}

fn take_over(
    dir: &Path,
    left: Left,
    (settings, disk): (Settings, Disk),
    record_of: &mut dyn FnMut(Opening) -> Record,
) -> Result<Started, JournalError> {
    let Left { lock, mut found, open } = left;
    let tails = std::mem::take(&mut found.tails);
    tails.iter().try_for_each(cut)?;
    let interrupted = open.len();
    let log = log(lock, found, settings);
    let shared = Arc::new(shared(dir, settings, disk, log));
    shared.heal();
    for (sequence, opening) in open {
        shared.lock().opened(sequence, opening.id);
        shared.append_closing(u64::MAX, Box::new(record_of(opening)));
    }
    if settings.fsync != Fsync::Never {
        // A failure is in the log and in the health, and heals.
        let _ = shared.sync();
    }
    let pending_records = shared.health().pending_records;
    let keeper = Keeper::start(Arc::clone(&shared)).map_err(JournalError::Thread)?;
    Ok(Started {
        reader: Reader::new(Arc::clone(&shared)),
        journal: Journal::new(shared, keeper),
        recovery: Recovery { interrupted, pending_records, tails },
    })
}

/// Looks at the journal of a directory, and changes nothing.
///
/// # Errors
/// What [`Journal::start`] would fail for, as far as can be seen without writing.
pub fn check(dir: &Path) -> Result<(), JournalError> {
    if !is_there(dir)? {
        return Ok(());
    }
    DirLock::probe(dir)?;
    scan(dir)?.take_open(dir).map(drop)
}

/// Tells whether there is a directory; where there is none, it can be made.
fn is_there(dir: &Path) -> Result<bool, JournalError> {
    let set_up = |source| JournalError::SetUp { path: dir.to_owned(), source };
    let is_there = dir.is_dir();
    if !is_there {
        can_be_made(dir).map_err(set_up)?;
    }
    Ok(is_there)
}

impl Found {
    /// Returns the openings without a closing in the order in which they were made, each with its segment.
    fn take_open(&mut self, dir: &Path) -> Result<Vec<(u64, Opening)>, JournalError> {
        let places: HashMap<_, Place> = std::mem::take(&mut self.open);
        let mut open = Vec::with_capacity(places.len());
        for place in places.into_values() {
            let Some(segment) = self.segments.get(&place.sequence) else { continue };
            let mut entries =
                Entries::new(Arc::clone(&segment.file), segment.salt, place.offset, segment.len);
            open.push((place.sequence, read_opening(dir, place, &mut entries)?));
        }
        open.sort_unstable_by_key(|(_, opening)| opening.id);
        Ok(open)
    }
}

fn read_opening(dir: &Path, place: Place, entries: &mut Entries) -> Result<Opening, JournalError> {
    let file = segment::path(dir, place.sequence);
    let offset = place.offset;
    match entries.next() {
        Ok(Next::Entry(frame)) => payload::read_opening(frame.id, entries.payload())
            .map_err(|error| JournalError::Damaged { file, offset, reason: error.to_string() }),
        Ok(Next::End | Next::Broken) => {
            let reason = "the entry there changed while it was read".to_owned();
            Err(JournalError::Damaged { file, offset, reason })
        }
        Err(source) => Err(JournalError::Segment { file, source }),
    }
}

/// Cuts off what a crash left unfinished.
fn cut(tail: &Tail) -> Result<(), JournalError> {
    let Tail { file, offset, bytes } = tail;
    let done = match offset {
        0 => std::fs::remove_file(file),
        _ => File::options().write(true).open(file).and_then(|segment| {
            segment.set_len(*offset)?;
            segment.sync_data()
        }),
    };
    done.map_err(|source| JournalError::Segment { file: file.clone(), source })?;
    tracing::warn!(file = %file.display(), offset, bytes, "cut off an entry that was never written whole");
    Ok(())
}

fn log(lock: DirLock, found: Found, settings: Settings) -> Log {
    let pending = found.segments.values().map(|segment| segment.pending).sum();
    Log {
        lock,
        bytes: found.segments.values().map(|segment| segment.len).sum(),
        pending,
        closings: pending,
        fresh: Fresh::default(),
        group: Group::default(),
        segments: found.segments,
        open: HashMap::default(),
        active: None,
        next_sequence: found.next_sequence,
        overdue: Overdue::new(settings.overdue_bytes),
        failure: None,
        full: false,
        counts: Counts::default(),
        unsynced: Unsynced::default(),
    }
}

fn shared(dir: &Path, settings: Settings, disk: Disk, log: Log) -> Shared {
    Shared {
        dir: dir.to_owned(),
        place: dir.display().to_string().into(),
        settings: Settings {
            segment_bytes: settings.segment_bytes.min(settings.limit_bytes / 4),
            ..settings
        },
        salt: random(),
        disk,
        log: Mutex::new(log),
        synced: Mutex::new(Synced::default()),
    }
}

/// Returns a number that no client can know: what the standard library keys its hash maps with.
fn random() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
