//! A call's entries, laid out; and the way of a closing into the journal that waits for no others.

use super::entries::size;
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

impl Ticket {
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// Lays an opening's entry out for as long as `write` takes.
pub(super) fn with_opening<T>(
    opening: &OpeningRef<'_>,
    salt: u32,
    write: impl FnOnce(&[u8]) -> Result<T, JournalUnavailable>,
) -> Result<T, JournalUnavailable> {
    BUFFER.with_borrow_mut(|buffer| {
        entry::begin(buffer, Kind::Opening, opening.id);
        let is_laid_out = payload::write_opening(opening, buffer).and_then(|()| entry::seal(buffer, salt));
        if is_laid_out.is_none() {
            return Err(JournalUnavailable::Failing("an opening is too long for an entry".into()));
        }
        write(buffer)
    })
}

/// Lays a closing's entry out for as long as `write` takes, which gets none where it is too long for one.
pub(super) fn with_closing<T>(
    record: Box<Record>,
    salt: u32,
    write: impl FnOnce(Box<Record>, Option<&[u8]>) -> T,
) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        entry::begin(buffer, Kind::Closing, record.id);
        let laid_out = payload::write_record(&record, buffer).and_then(|()| entry::seal(buffer, salt));
        write(record, laid_out.map(|()| buffer.as_slice()))
    })
}

impl Shared {
    /// Writes a closing while all segments have so many bytes at most, or keeps it until it can be written.
    pub(super) fn close(&self, limit_bytes: u64, record: Box<Record>) {
        let number = self.append_closing(limit_bytes, record);
        // What is not synced is in the system's hands, where the reader finds it; the failure shows in the health.
        let _ = self.commit(number);
    }

    /// Returns the size in bytes of all segments from which on no closing is taken but those that openings are owed.
    pub(super) fn ceiling(&self) -> u64 {
        self.settings.limit_bytes.saturating_mul(2)
    }

    /// Returns the number of the last entry.
    pub(super) fn append_closing(&self, limit_bytes: u64, record: Box<Record>) -> u64 {
        with_closing(record, self.salt, |record, frame| {
            let mut log = self.lock();
            match frame {
                Some(frame) => self.append_or_keep(&mut log, limit_bytes, record, frame),
                None => log.lose(record.id),
            }
            log.unsynced.appended
        })
    }

    fn append_or_keep(&self, log: &mut Log, limit_bytes: u64, record: Box<Record>, frame: &[u8]) {
        let len = frame.len();
        let has_room = log.bytes.saturating_add(size(len)) <= limit_bytes;
        if log.failure.is_none()
            && has_room
            && let Ok(end) = self.append(log, frame)
        {
            log.closed(end.sequence, record.id);
            log.keep(end, record, len, self.settings.fresh_records);
            return;
        }
        log.postpone(record.id, frame);
    }
}

impl Log {
    /// Counts a call that is refused, and takes note that its opening, if there is one, is not needed.
    pub(super) fn refuse(&mut self, id: RequestId) {
        self.counts.refused_openings = self.counts.refused_openings.saturating_add(1);
        self.release(id);
    }

    /// Keeps a closing that cannot be written until it can.
    pub(super) fn postpone(&mut self, id: RequestId, frame: &[u8]) {
        self.counts.overdue_closings = self.counts.overdue_closings.saturating_add(1);
        if !self.overdue.push(id, frame) {
            self.counts.lost_closings = self.counts.lost_closings.saturating_add(1);
        }
    }

    /// Counts a record that no entry can hold.
    pub(super) fn lose(&mut self, id: RequestId) {
        self.counts.lost_closings = self.counts.lost_closings.saturating_add(1);
        tracing::error!(%id, "a record is lost: it is too long for the journal");
    }
}
