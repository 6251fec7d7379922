//! The journal: what happens to calls, written down before it happens.
//!
//! A directory of segments, files that are appended to until they are large enough. A call has two entries: its opening,
//! before its first byte goes upstream, and its closing, the whole record, before its client sees the end. An entry is
//! written once `write(2)` has returned: the death of the process loses nothing, and [`Fsync`] says what a loss of
//! power can take.
//!
//! The [`Reader`] takes records out. A segment is deleted once all its openings have closings, wherever those are,
//! and all its closings are confirmed; so a long call holds one segment, and others go before it. Where such segments
//! become many, what is open in them is written once more, at the journal's end. Records reach the store at least once,
//! and it takes each once, by id.
//!
//! Nothing here waits for the store. Where the disk takes nothing, openings are refused, closings wait in memory, and a
//! thread of the journal's own tries again until all is well.

mod append;
mod carry;
mod common;
mod confirmed;
mod dir_lock;
mod disk;
mod entries;
mod entry;
mod error;
mod fresh;
mod gather;
mod health;
mod id_hash;
mod keeper;
mod log;
mod overdue;
mod payload;
mod reader;
mod recovery;
mod scan;
mod segment;
mod settings;
mod sync;
#[cfg(test)]
mod tests;
mod upkeep;
mod words;

pub use append::Ticket;
pub use error::{JournalError, JournalUnavailable};
pub use health::Health;
pub use reader::{Batch, Reader};
pub use recovery::{Looked, Recovery, Started, check, look};
pub use scan::Tail;
pub use settings::{Fsync, Settings};

use super::opening::{Opening, OpeningRef};
use crate::domain::Record;
use keeper::Keeper;
use log::Shared;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A journal that is written to, from any number of threads.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    keeper: Mutex<Option<Keeper>>,
}

impl Journal {
    /// Starts the journal of a directory, which is made where there is none.
    ///
    /// What a crash left unfinished at the end of a segment is cut off. For each call that the last process left
    /// open, `record_of` makes the record, which is then drained like any other.
    ///
    /// # Errors
    /// The directory cannot be used, or holds what the death of a process does not leave behind; then nothing in it
    /// was changed. A disk that is full is no error: the journal starts, [failing](Health::failing).
    pub fn start(
        dir: &Path,
        settings: Settings,
        record_of: &mut dyn FnMut(Opening) -> Record,
    ) -> Result<Started, JournalError> {
        recovery::start(dir, settings, disk::Disk::default(), record_of)
    }

    fn new(shared: Arc<Shared>, keeper: Keeper) -> Self {
        Self { shared, keeper: Mutex::new(Some(keeper)) }
    }

    /// Writes that a call is about to go upstream. Blocks for a `write(2)`, and for a sync where `fsync` is `always`.
    pub fn opening(&self, opening: &OpeningRef<'_>) -> Result<Ticket, JournalUnavailable> {
        self.shared.open(opening)
    }

    /// Does the same, but lets calls that come at the same time share a write.
    pub async fn opening_with_others(&self, opening: &OpeningRef<'_>) -> Result<Ticket, JournalUnavailable> {
        self.shared.open_with_others(opening).await
    }

    /// Writes a call's record, and uses up the ticket of its opening if that was written. Blocks as an opening does.
    ///
    /// A record without a ticket is not written where the journal has twice its limit. What cannot be written waits in
    /// memory until it can, and is lost where too much waits; both are counted.
    pub fn closing(&self, ticket: Option<Ticket>, record: Box<Record>) {
        let limit_bytes = ticket.map_or_else(|| self.shared.ceiling(), |_owed| u64::MAX);
        self.shared.close(limit_bytes, record);
    }

    /// Does the same, but lets calls that come at the same time share a write. It is done too where the caller leaves
    /// before the end of it.
    pub async fn closing_with_others(&self, ticket: Option<Ticket>, record: Box<Record>) {
        match ticket {
            Some(_owed) => self.shared.close_with_others(record).await,
            None => self.closing(None, record),
        }
    }

    /// Returns how the journal is doing.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Ends the journal's thread, after it has written and synced what waits and deleted what is not needed.
    ///
    /// Blocks. Nothing is to be written after it.
    pub fn stop(&self) {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(keeper);
    }
}
