//! The journal from the outside, over real files.

mod closings;
mod confirm;
mod crash;
mod fresh;
mod healing;
mod payload;
mod samples;
mod space;
mod threads;
mod together;

use super::{Fsync, Health, Journal, JournalError, Reader, Settings, Started};
use crate::domain::RequestId;
use crate::ledger::opening::Opening;
use samples::{interrupted, opening, record};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const SMALL: Settings = Settings {
    fsync: Fsync::Never,
    segment_bytes: 2048,
    limit_bytes: 1 << 30,
    overdue_bytes: 1 << 20,
    fresh_records: 5,
};

fn start(dir: &Path, settings: Settings) -> Started {
    try_start(dir, settings).unwrap()
}

fn try_start(dir: &Path, settings: Settings) -> Result<Started, JournalError> {
    Journal::start(dir, settings, &mut |opening: Opening| interrupted(&opening))
}

/// Writes a call from its opening to its closing.
fn call(journal: &Journal, number: u64) -> RequestId {
    let opening = opening(number);
    let ticket = journal.opening(&opening.view()).unwrap();
    journal.closing(Some(ticket), record(number));
    opening.id
}

/// Takes everything off the journal.
fn drain(reader: &mut Reader) -> Vec<RequestId> {
    let mut ids = Vec::new();
    loop {
        let batch = reader.next_batch(7, 1 << 20).unwrap();
        if batch.records.is_empty() {
            return ids;
        }
        ids.extend(batch.records.iter().map(|record| record.id));
        reader.confirm(batch);
    }
}

/// Returns a directory as the death of the process would leave it at this moment.
fn killed(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()) {
        std::fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    copy
}

/// Looks until the journal's health is as wished; the journal's own thread brings it about.
fn until(journal: &Journal, mut wished: impl FnMut(&Health) -> bool) -> Health {
    for _ in 0..400 {
        let health = journal.health();
        if wished(&health) {
            return health;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("never as wished: {:?}", journal.health());
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some());
    files.sort();
    files
}
