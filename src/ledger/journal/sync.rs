//! Making what was written survive a loss of power. Whoever syncs does so for all that came before.

use super::error::JournalUnavailable;
use super::log::{Log, Shared};
use super::segment::Segment;
use super::settings::Fsync;
use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Up to where entries, by their number since the start, are on the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Synced {
    upto: u64,
    /// The last sync that failed: entries after the first number up to the second. The system may have dropped them,
    /// so that a later sync proves nothing.
    failed: (u64, u64),
}

impl Shared {
    /// Returns once the entry of that number is on the disk, where `fsync` is `always`; at once otherwise.
    pub(super) fn commit(&self, number: u64) -> Result<(), JournalUnavailable> {
        if self.settings.fsync != Fsync::Always {
            return Ok(());
        }
        let is_on_a_worker =
            Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let committed = if is_on_a_worker {
            tokio::task::block_in_place(|| self.sync_upto(number))
        } else {
            self.sync_upto(number)
        };
        committed.map_err(JournalUnavailable::Failing)
    }

    /// Syncs all that was written.
    pub(super) fn sync(&self) -> Result<(), Arc<str>> {
        self.sync_written(&mut self.synced.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sync_upto(&self, number: u64) -> Result<(), Arc<str>> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let (after, upto) = synced.failed;
        if number > after && number <= upto {
            return Err("the disk did not sync it".into());
        }
        if number <= synced.upto { Ok(()) } else { self.sync_written(&mut synced) }
    }

    fn sync_written(&self, synced: &mut Synced) -> Result<(), Arc<str>> {
        let covered = self.lock().take_unsynced();
        match self.sync_all(&covered) {
            Ok(()) => {
                synced.upto = covered.appended;
                Ok(())
            }
            Err(error) => {
                let mut log = self.lock();
                synced.failed = (synced.upto, log.unsynced.appended);
                log.put_back(covered);
                Err(log.fail(&self.dir, &error))
            }
        }
    }

    fn sync_all(&self, covered: &Covered) -> io::Result<()> {
        covered.files.iter().try_for_each(|file| self.disk.sync(file))?;
        if covered.directory { File::open(&self.dir)?.sync_all() } else { Ok(()) }
    }
}

/// What a sync is to cover.
struct Covered {
    /// Entries up to this number.
    appended: u64,
    /// The files that have them.
    files: Vec<Arc<File>>,
    /// Whether the directory.
    directory: bool,
}

impl Log {
    fn take_unsynced(&mut self) -> Covered {
        let mut files = std::mem::take(&mut self.unsynced.sealed);
        files.extend(
            self.active_segment().filter(|_| self.unsynced.active).map(|active| Arc::clone(&active.file)),
        );
        self.unsynced.active = false;
        let directory = std::mem::take(&mut self.unsynced.directory);
        Covered { appended: self.unsynced.appended, files, directory }
    }

    /// Leaves to the next sync what one did not cover. What comes next goes into another segment: the system may have
    /// dropped a part of what it did not write, and nothing whole is to follow that.
    fn put_back(&mut self, covered: Covered) {
        if self.active_segment().is_some_and(|active| !active.is_empty()) {
            self.seal();
        }
        self.unsynced.sealed.extend(covered.files);
        self.unsynced.directory |= covered.directory;
    }

    fn active_segment(&self) -> Option<&Segment> {
        self.active.and_then(|sequence| self.segments.get(&sequence))
    }
}
