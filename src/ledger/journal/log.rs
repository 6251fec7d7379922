//! What the journal knows while it runs, behind one lock.

use super::dir_lock::DirLock;
use super::disk::Disk;
use super::entries::size;
use super::fresh::{End, Fresh};
use super::gather::Group;
use super::id_hash::BuildIdHasher;
use super::overdue::Overdue;
use super::segment::{self, HEADER, Header, Segment};
use super::settings::{Fsync, Settings};
use super::sync::Synced;
use crate::clock::Clock;
use crate::domain::RequestId;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What callers, the keeper and the reader share.
///
/// Of the two locks `synced` is taken first.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    /// The directory for messages.
    pub(super) place: Arc<str>,
    pub(super) settings: Settings,
    /// What the checksums of all segments of this process begin from.
    pub(super) salt: u32,
    pub(super) disk: Disk,
    pub(super) log: Mutex<Log>,
    pub(super) synced: Mutex<Synced>,
}

/// The state of the journal.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) lock: DirLock,
    /// Every segment whose file exists.
    pub(super) segments: BTreeMap<u64, Segment>,
    /// The one that is appended to; none where it could not be made or was given up.
    pub(super) active: Option<u64>,
    pub(super) next_sequence: u64,
    /// Which segment has the opening of each call that is open.
    pub(super) open: HashMap<RequestId, u64, BuildIdHasher>,
    /// Bytes of all segments.
    pub(super) bytes: u64,
    /// Closings in segments that the store has not confirmed.
    pub(super) pending: u64,
    /// Closings that were, or are, to be read since the start.
    pub(super) closings: u64,
    pub(super) fresh: Fresh,
    /// Entries that are written next.
    pub(super) group: Group,
    pub(super) overdue: Overdue,
    /// Why nothing can be written at present.
    pub(super) failure: Option<Arc<str>>,
    /// Whether a call was refused because of the limit, and nothing was deleted since.
    pub(super) full: bool,
    pub(super) counts: Counts,
    pub(super) unsynced: Unsynced,
}

/// What went wrong since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) refused_openings: u64,
    pub(super) failures: u64,
    pub(super) overdue_closings: u64,
    pub(super) lost_closings: u64,
}

/// What a loss of power could take.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// Entries appended since the start.
    pub(super) appended: u64,
    /// Whether the active segment has entries that are not synced.
    pub(super) active: bool,
    /// Whether files were made that the directory may forget.
    pub(super) directory: bool,
    /// Segments that are no longer active and not synced.
    pub(super) sealed: Vec<Arc<File>>,
}

impl Shared {
    /// Nothing that holds the lock can panic half way.
    pub(super) fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an entry, and returns where it ends. Where that fails, the journal is failing.
    pub(super) fn append(&self, log: &mut Log, frame: &[u8]) -> Result<End, Arc<str>> {
        self.try_append(log, frame).map_err(|(path, error)| log.fail(&path, &error))
    }

    pub(super) fn try_append(&self, log: &mut Log, frame: &[u8]) -> Result<End, (PathBuf, io::Error)> {
        let sequence = match log.active_with_room(size(frame.len()), self.settings.segment_bytes) {
            Some(sequence) => sequence,
            None => self.begin_segment(log)?,
        };
        self.write(log, sequence, frame)
    }

    /// Writes an entry to a segment's end, and returns where it ends.
    pub(super) fn write(
        &self,
        log: &mut Log,
        sequence: u64,
        frame: &[u8],
    ) -> Result<End, (PathBuf, io::Error)> {
        let len = size(frame.len());
        let Some(segment) = log.segments.get_mut(&sequence) else {
            return Err((self.dir.clone(), ErrorKind::NotFound.into()));
        };
        if let Err(error) = self.disk.write(&segment.file, frame, segment.len) {
            if segment.file.set_len(segment.len).is_err() {
                log.seal();
            }
            return Err((segment::path(&self.dir, sequence), error));
        }
        segment.len = segment.len.saturating_add(len);
        let end = End { sequence, offset: segment.len };
        log.bytes = log.bytes.saturating_add(len);
        log.unsynced.appended = log.unsynced.appended.saturating_add(1);
        log.unsynced.active = self.settings.fsync != Fsync::Never;
        Ok(end)
    }

    /// Makes the next segment the active one.
    pub(super) fn begin_segment(&self, log: &mut Log) -> Result<u64, (PathBuf, io::Error)> {
        let sequence = log.next_sequence;
        let path = segment::path(&self.dir, sequence);
        log.next_sequence = sequence.saturating_add(1);
        let header = Header { salt: self.salt, created: Clock::system().since_epoch() };
        let file = self.create(&path, header).map_err(|error| (path, error))?;
        log.seal();
        log.segments.insert(sequence, Segment::new(Arc::new(file), header, HEADER));
        log.active = Some(sequence);
        log.bytes = log.bytes.saturating_add(HEADER);
        log.unsynced.directory = self.settings.fsync != Fsync::Never;
        Ok(sequence)
    }

    fn create(&self, path: &Path, header: Header) -> io::Result<File> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        if let Err(error) = self.disk.write(&file, &header.encode(), 0) {
            // It holds nothing; where even this fails, the next start deletes it.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(file)
    }
}

impl Log {
    fn active_with_room(&self, len: u64, segment_bytes: u64) -> Option<u64> {
        let sequence = self.active?;
        let segment = self.segments.get(&sequence)?;
        let has_room = segment.is_empty() || segment.len.saturating_add(len) <= segment_bytes;
        has_room.then_some(sequence)
    }

    /// Leaves the active segment as it is; the next entry begins another.
    pub(super) fn seal(&mut self) {
        let active = self.active.take().and_then(|sequence| self.segments.get(&sequence));
        if let Some(segment) = active.filter(|_| self.unsynced.active) {
            self.unsynced.sealed.push(Arc::clone(&segment.file));
        }
        self.unsynced.active = false;
    }

    /// Takes note of a failure, and returns it in words.
    pub(super) fn fail(&mut self, path: &Path, error: &io::Error) -> Arc<str> {
        self.counts.failures = self.counts.failures.saturating_add(1);
        let reason: Arc<str> = format!("{}: {error}", path.display()).into();
        if self.failure.is_none() {
            tracing::error!(%reason, "the journal cannot be written; it is tried again four times a second");
        }
        self.failure = Some(Arc::clone(&reason));
        reason
    }

    /// Takes note that a call's opening is in a segment.
    pub(super) fn opened(&mut self, sequence: u64, id: RequestId) {
        let before = self.open.insert(id, sequence);
        self.unhold(before);
        if let Some(segment) = self.segments.get_mut(&sequence) {
            segment.open = segment.open.saturating_add(1);
        }
    }

    /// Takes note that a call's closing is in a segment.
    pub(super) fn closed(&mut self, sequence: u64, id: RequestId) {
        if let Some(segment) = self.segments.get_mut(&sequence) {
            segment.pending = segment.pending.saturating_add(1);
            self.pending = self.pending.saturating_add(1);
            self.closings = self.closings.saturating_add(1);
        }
        self.release(id);
    }

    /// Takes note that a call's opening, if there is one, is not needed any more.
    pub(super) fn release(&mut self, id: RequestId) {
        let opened_in = self.open.remove(&id);
        self.unhold(opened_in);
    }

    fn unhold(&mut self, opened_in: Option<u64>) {
        if let Some(segment) = opened_in.and_then(|sequence| self.segments.get_mut(&sequence)) {
            segment.open = segment.open.saturating_sub(1);
        }
    }
}
