//! What a call does to the journal: its opening, and its closing.

use super::entry::{self, Kind};
use super::error::JournalUnavailable;
use super::log::{Log, Shared};
use super::payload;
use crate::domain::{Record, RequestId};
use crate::ledger::opening::OpeningRef;
use std::cell::RefCell;

thread_local! {
    /// Where entries are laid out.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An opening in the journal that owes a closing.
///
/// One that is dropped becomes an interrupted call at the next start.
#[derive(Debug)]
#[must_use = "an opening without a closing is an interrupted call at the next start"]
pub struct Ticket(());

impl Shared {
    /// Writes an opening.
    pub(super) fn open(&self, opening: &OpeningRef<'_>) -> Result<Ticket, JournalUnavailable> {
        let laid_out = |buffer: &mut Vec<u8>| {
            entry::begin(buffer, Kind::Opening, opening.id);
            payload::write_opening(opening, buffer)?;
            entry::seal(buffer, self.salt)
        };
        let number = BUFFER.with_borrow_mut(|buffer| match laid_out(buffer) {
            Some(()) => self.append_opening(opening.id, buffer),
            None => Err(JournalUnavailable::Failing("an opening is too long for an entry".into())),
        })?;
        self.commit(number).inspect_err(|_| self.take_back(opening.id))?;
        Ok(Ticket(()))
    }

    /// Refuses a call whose opening is written but not synced.
    fn take_back(&self, id: RequestId) {
        let mut frame = Vec::new();
        entry::begin(&mut frame, Kind::Refused, id);
        let is_sealed = entry::seal(&mut frame, self.salt).is_some();
        let mut log = self.lock();
        if let Some(opened_in) = log.open.get(&id).copied().filter(|_| is_sealed) {
            // Behind the opening, since its segment has what a sync is missing anyway. Where the disk does not take
            // it, the next start makes an interrupted call of the opening if the process dies before its time.
            let _ = self.write(&mut log, opened_in, &frame);
        }
        log.refuse(id);
    }

    /// Returns the number of the entry.
    fn append_opening(&self, id: RequestId, frame: &[u8]) -> Result<u64, JournalUnavailable> {
        let mut log = self.lock();
        match self.try_append_opening(&mut log, frame) {
            Ok(sequence) => {
                log.opened(sequence, id);
                Ok(log.unsynced.appended)
            }
            Err(unavailable) => {
                log.refuse(id);
                Err(unavailable)
            }
        }
    }

    fn try_append_opening(&self, log: &mut Log, frame: &[u8]) -> Result<u64, JournalUnavailable> {
        if let Some(reason) = &log.failure {
            return Err(JournalUnavailable::Failing(reason.clone()));
        }
        let limit_bytes = self.settings.limit_bytes;
        if log.bytes.saturating_add(super::entries::size(frame.len())) > limit_bytes {
            if !log.full {
                tracing::error!(dir = %self.place, limit_bytes, "the journal is full: calls are refused");
            }
            log.full = true;
            return Err(JournalUnavailable::Full { dir: self.place.clone(), limit_bytes });
        }
        self.append(log, frame).map_err(JournalUnavailable::Failing)
    }

    /// Writes a closing while all segments have so many bytes at most, or keeps it until it can be written.
    pub(super) fn close(&self, limit_bytes: u64, record: &Record) {
        let number = self.append_closing(limit_bytes, record);
        // What is not synced is in the system's hands, where the reader finds it; the failure shows in the health.
        let _ = self.commit(number);
    }

    /// Returns the size in bytes of all segments from which on no closing is taken but those that openings are owed.
    pub(super) fn ceiling(&self) -> u64 {
        self.settings.limit_bytes.saturating_mul(2)
    }

    /// Returns the number of the last entry.
    pub(super) fn append_closing(&self, limit_bytes: u64, record: &Record) -> u64 {
        let laid_out = |buffer: &mut Vec<u8>| {
            entry::begin(buffer, Kind::Closing, record.id);
            payload::write_record(record, buffer)?;
            entry::seal(buffer, self.salt)
        };
        BUFFER.with_borrow_mut(|buffer| {
            let is_laid_out = laid_out(buffer).is_some();
            let mut log = self.lock();
            if is_laid_out {
                self.append_or_keep(&mut log, limit_bytes, record.id, buffer);
            } else {
                log.counts.lost_closings = log.counts.lost_closings.saturating_add(1);
                tracing::error!(id = %record.id, "a record is lost: it is too long for the journal");
            }
            log.unsynced.appended
        })
    }

    fn append_or_keep(&self, log: &mut Log, limit_bytes: u64, id: RequestId, frame: &[u8]) {
        let has_room = log.bytes.saturating_add(super::entries::size(frame.len())) <= limit_bytes;
        if log.failure.is_none()
            && has_room
            && let Ok(sequence) = self.append(log, frame)
        {
            log.closed(sequence, id);
            return;
        }
        log.counts.overdue_closings = log.counts.overdue_closings.saturating_add(1);
        if !log.overdue.push(id, frame) {
            log.counts.lost_closings = log.counts.lost_closings.saturating_add(1);
        }
    }
}

impl Log {
    fn refuse(&mut self, id: RequestId) {
        self.counts.refused_openings = self.counts.refused_openings.saturating_add(1);
        self.release(id);
    }
}
