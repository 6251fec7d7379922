//! What is done from time to time, without any traffic: healing, deleting, rotating by age.

use super::dir_lock::{DirLock, leads_to};
use super::log::{Log, Shared};
use super::overdue::Late;
use super::segment;
use super::settings::Fsync;
use crate::clock::Clock;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How old a segment may become before it is followed by the next. What is delivered a second time after a crash is
/// never older than the oldest call that was open, and this.
const MAX_AGE: Duration = Duration::from_hours(1);

/// How many waiting closings are written before callers get their turn.
const ROUND: usize = 256;

/// What a disk must take before it counts as healed, in bytes: room for some calls.
static PROBE: [u8; 64 << 10] = [0; 64 << 10];

/// Whether there is more to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    More,
    Nothing,
}

impl Shared {
    /// Makes the journal writable again where it is not.
    pub(super) fn heal(&self) {
        self.look_after_place();
        if !self.lock().needs_healing(self.ceiling()) {
            return;
        }
        match self.probe() {
            Ok(()) => while self.try_heal() == Left::More {},
            Err((path, error)) => drop(self.lock().fail(&path, &error)),
        }
    }

    /// Where somebody deleted or moved the files, what is in them can still be read, but the next entries need others.
    fn look_after_place(&self) {
        let mut log = self.lock();
        let active = log.active.and_then(|sequence| Some((sequence, log.segments.get(&sequence)?)));
        let is_lost = active
            .is_some_and(|(sequence, segment)| !leads_to(&segment::path(&self.dir, sequence), &segment.file));
        let has_moved = !log.lock.is_in_place();
        if is_lost || has_moved {
            tracing::warn!(dir = %self.place, "the journal's files were deleted or moved: it begins anew");
            log.seal();
            log.failure.get_or_insert_with(|| "its files were deleted or moved".into());
        }
        if has_moved {
            match DirLock::acquire(&self.dir) {
                Ok(lock) => log.lock = lock,
                Err(error) => drop(log.fail(&self.dir, &io::Error::other(error))),
            }
        }
    }

    /// Finds out whether the disk takes something. Nobody waits for it: a disk that is ill can take its time.
    fn probe(&self) -> Result<(), (PathBuf, io::Error)> {
        let path = self.dir.join("probe");
        let written = File::create(&path).and_then(|file| {
            self.disk.write(&file, &PROBE, 0)?;
            if self.settings.fsync == Fsync::Never { Ok(()) } else { self.disk.sync(&file) }
        });
        // It means nothing to anybody; what is left of it is overwritten by the next.
        let _ = std::fs::remove_file(&path);
        written.map_err(|error| (path, error))
    }

    fn try_heal(&self) -> Left {
        let mut log = self.lock();
        match self.write_anew(&mut log) {
            Ok(Left::More) => Left::More,
            Ok(Left::Nothing) => {
                if log.failure.take().is_some() {
                    tracing::info!(dir = %self.place, "the journal can be written again");
                }
                Left::Nothing
            }
            Err((path, error)) => {
                log.fail(&path, &error);
                Left::Nothing
            }
        }
    }

    fn write_anew(&self, log: &mut Log) -> Result<Left, (PathBuf, io::Error)> {
        if !log.lock.is_in_place() {
            return Err((self.dir.clone(), io::ErrorKind::NotFound.into()));
        }
        if log.active.is_none() {
            self.begin_segment(log)?;
        }
        for _ in 0..ROUND {
            if log.bytes >= self.ceiling() {
                return Ok(Left::Nothing);
            }
            let Some(late) = log.overdue.pop() else { return Ok(Left::Nothing) };
            self.write_late(log, late)?;
        }
        Ok(Left::More)
    }

    fn write_late(&self, log: &mut Log, late: Late) -> Result<(), (PathBuf, io::Error)> {
        match self.try_append(log, &late.frame) {
            Ok(end) => {
                log.closed(end.sequence, late.id);
                Ok(())
            }
            Err(failed) => {
                log.overdue.put_back(late);
                Err(failed)
            }
        }
    }

    /// Begins the next segment where the active one is old, or is drained and holds what a full journal needs.
    pub(super) fn rotate(&self) {
        let mut log = self.lock();
        let now = Clock::system().since_epoch();
        let active = log.active.and_then(|sequence| log.segments.get(&sequence));
        let is_due = active.is_some_and(|segment| {
            let is_in_the_way = log.full && segment.pending == 0;
            !segment.is_empty() && (is_in_the_way || now.saturating_sub(segment.created) >= MAX_AGE)
        });
        if is_due && let Err((path, error)) = self.begin_segment(&mut log) {
            log.fail(&path, &error);
        }
    }

    /// Deletes the segments of which nothing is needed any more.
    ///
    /// They go in any order. An opening whose closing was drained from another segment, and went with that, can
    /// outlive it: at worst the next start makes an interrupted call of it, which the store has under the same id and
    /// leaves as it is. What closed the openings is synced first: a loss of power cannot take the one without the other.
    pub(super) fn sweep(&self) {
        let done = self.lock().done();
        if done.is_empty() || (self.settings.fsync != Fsync::Never && self.sync().is_err()) {
            return;
        }
        for sequence in done {
            let path = segment::path(&self.dir, sequence);
            let deleted = match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            };
            self.lock().deleted(sequence, &path.display(), deleted, self.settings.limit_bytes);
        }
    }

    /// Writes what waits, syncs, and deletes what is not needed, the active segment too.
    pub(super) fn finish(&self) {
        self.sweep();
        self.heal();
        if self.settings.fsync != Fsync::Never {
            // A failure is in the log.
            let _: Result<(), Arc<str>> = self.sync();
        }
        self.lock().seal();
        self.sweep();
        let left = self.lock().overdue.len();
        if left > 0 {
            tracing::error!(records = left, "records are lost: the journal did not take them to the end");
        }
    }
}

impl Log {
    fn needs_healing(&self, ceiling: u64) -> bool {
        let could_take_more = self.overdue.len() > 0 && self.bytes < ceiling;
        self.failure.is_some() || self.active.is_none() || could_take_more
    }

    fn done(&self) -> Vec<u64> {
        let others = self.segments.iter().filter(|(sequence, _)| self.active != Some(**sequence));
        others.filter(|(_, segment)| segment.is_done()).map(|(sequence, _)| *sequence).collect()
    }

    fn deleted(
        &mut self,
        sequence: u64,
        path: &dyn std::fmt::Display,
        deleted: io::Result<()>,
        limit_bytes: u64,
    ) {
        let Some(segment) = self.segments.get_mut(&sequence) else { return };
        match deleted {
            Ok(()) => {
                self.bytes = self.bytes.saturating_sub(segment.len);
                self.segments.remove(&sequence);
                self.full = self.full && self.bytes >= limit_bytes;
            }
            Err(error) => {
                if !std::mem::replace(&mut segment.resists, true) {
                    tracing::error!(file = %path, %error, "a segment of the journal cannot be deleted");
                }
            }
        }
    }
}
