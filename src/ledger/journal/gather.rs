//! Openings and closings of calls that come at the same time: they share one `write(2)`.

use super::append::{self, Ticket};
use super::entries::size;
use super::entry::{self, Kind};
use super::error::JournalUnavailable;
use super::fresh::End;
use super::log::{Log, Shared};
use crate::domain::{Record, RequestId};
use crate::ledger::opening::OpeningRef;
use std::ops::Range;

/// From how many open calls on an opening waits for others to come: with fewer, none does.
const COMPANY: usize = 4;

/// The same for a closing. With fewer, the further turn that a wait takes costs more than the writes that it saves.
const COMPANY_OF_CLOSINGS: usize = 8;

/// From how many bytes on no others are waited for.
const ENOUGH_BYTES: usize = 64 << 10;

/// Entries that are written next.
#[derive(Debug, Default)]
pub(super) struct Group {
    number: u64,
    frames: Vec<u8>,
    /// The calls of the openings.
    openings: Vec<RequestId>,
    /// The records of the closings, and where among the frames theirs are.
    closings: Vec<(Box<Record>, Range<usize>)>,
}

/// An opening among others that are written next. Dropped before that, because the caller left, it is taken back.
#[derive(Debug)]
struct Gathered<'a> {
    shared: &'a Shared,
    group: u64,
    id: RequestId,
    is_undecided: bool,
}

/// A closing among others that are written next. Its drop writes it, if nobody else has: so it is written too where the
/// caller leaves.
#[derive(Debug)]
struct Owed<'a> {
    shared: &'a Shared,
    group: u64,
}

impl Shared {
    /// Writes an opening at once.
    pub(super) fn open(&self, opening: &OpeningRef<'_>) -> Result<Ticket, JournalUnavailable> {
        self.gather(opening)?.0.write()
    }

    /// Writes an opening, together with those of other calls where there are some.
    pub(super) async fn open_with_others(
        &self,
        opening: &OpeningRef<'_>,
    ) -> Result<Ticket, JournalUnavailable> {
        let (gathered, has_company) = self.gather(opening)?;
        if has_company {
            // Whoever else is ready comes before this is polled again.
            tokio::task::yield_now().await;
        }
        gathered.write()
    }

    /// Takes an opening in, to be written next; tells whether it is worth waiting for others.
    fn gather(&self, opening: &OpeningRef<'_>) -> Result<(Gathered<'_>, bool), JournalUnavailable> {
        append::with_opening(opening, self.salt, |frame| {
            let mut log = self.lock();
            if let Err(unavailable) = self.takes(&mut log, frame.len()) {
                log.refuse(opening.id);
                return Err(unavailable);
            }
            let Log { group, open, .. } = &mut *log;
            group.frames.extend_from_slice(frame);
            group.openings.push(opening.id);
            let has_company = group.has_company(open.len(), COMPANY);
            let gathered = Gathered { shared: self, group: group.number, id: opening.id, is_undecided: true };
            Ok((gathered, has_company))
        })
    }

    /// Writes a closing that an opening is owed, together with the entries of other calls where there are some.
    pub(super) async fn close_with_others(&self, record: Box<Record>) {
        let Some((owed, has_company)) = self.gather_closing(record) else { return };
        if has_company {
            tokio::task::yield_now().await;
        }
        drop(owed);
    }

    /// Takes a closing in, to be written next; tells whether it is worth waiting for others. `None`: it is lost.
    fn gather_closing(&self, record: Box<Record>) -> Option<(Owed<'_>, bool)> {
        append::with_closing(record, self.salt, |record, frame| {
            let mut log = self.lock();
            let Some(frame) = frame else {
                log.lose(record.id);
                return None;
            };
            let Log { group, open, .. } = &mut *log;
            let begin = group.frames.len();
            group.frames.extend_from_slice(frame);
            group.closings.push((record, begin..group.frames.len()));
            let has_company = group.has_company(open.len(), COMPANY_OF_CLOSINGS);
            Some((Owed { shared: self, group: group.number }, has_company))
        })
    }

    /// Finds out whether an opening of so many bytes may be written.
    fn takes(&self, log: &mut Log, len: usize) -> Result<(), JournalUnavailable> {
        if let Some(reason) = &log.failure {
            return Err(JournalUnavailable::Failing(reason.clone()));
        }
        let limit_bytes = self.settings.limit_bytes;
        let owed = size(log.group.frames.len().saturating_add(len));
        if log.bytes.saturating_add(owed) <= limit_bytes {
            return Ok(());
        }
        if !log.full {
            tracing::error!(dir = %self.place, limit_bytes, "the journal is full: calls are refused");
        }
        log.full = true;
        Err(JournalUnavailable::Full { dir: self.place.clone(), limit_bytes })
    }

    /// Writes a group, if it was not written yet. Those of its openings that are in [`Log::open`] afterwards are in the
    /// journal; its closings are, or wait until they can be.
    fn write_group(&self, log: &mut Log, number: u64) {
        if log.group.number != number {
            return;
        }
        let mut group = std::mem::take(&mut log.group);
        // As with a single closing: one that comes while nothing can be written waits behind those that do already.
        let written = log.failure.is_none().then(|| self.append(log, &group.frames));
        match written {
            Some(Ok(end)) => log.took(&mut group, end, self.settings.fresh_records),
            Some(Err(_)) | None => {
                for (record, frame) in group.closings.drain(..) {
                    log.postpone(record.id, group.frames.get(frame).unwrap_or_default());
                }
            }
        }
        group.clear();
        log.group = group;
    }

    /// Says in the journal that a call whose opening is written did not go upstream.
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
        log.release(id);
    }
}

impl Gathered<'_> {
    /// Writes the opening, if nobody else has done so.
    fn write(mut self) -> Result<Ticket, JournalUnavailable> {
        self.is_undecided = false;
        let mut log = self.shared.lock();
        self.shared.write_group(&mut log, self.group);
        if !log.open.contains_key(&self.id) {
            log.refuse(self.id);
            let reason = log.failure.clone().unwrap_or_else(|| "it could not be written".into());
            return Err(JournalUnavailable::Failing(reason));
        }
        let number = log.unsynced.appended;
        drop(log);
        let committed = self.shared.commit(number);
        committed.inspect_err(|_| {
            self.shared.take_back(self.id);
            self.shared.lock().refuse(self.id);
        })?;
        Ok(Ticket::new())
    }
}

impl Drop for Gathered<'_> {
    /// The caller left while others were waited for.
    fn drop(&mut self) {
        if self.is_undecided {
            self.shared.write_group(&mut self.shared.lock(), self.group);
            self.shared.take_back(self.id);
        }
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        let mut log = self.shared.lock();
        self.shared.write_group(&mut log, self.group);
        let number = log.unsynced.appended;
        drop(log);
        // What is not synced is in the system's hands, as with a closing that waits for nobody.
        let _ = self.shared.commit(number);
    }
}

impl Group {
    fn has_company(&self, open: usize, company: usize) -> bool {
        let calls = open.saturating_add(self.openings.len());
        calls >= company && self.frames.len() < ENOUGH_BYTES
    }

    /// Begins the next one, with memory for as many entries as are ever waited for.
    fn clear(&mut self) {
        self.number = self.number.wrapping_add(1);
        self.frames.clear();
        self.frames.shrink_to(2 * ENOUGH_BYTES);
        self.openings.clear();
    }
}

impl Log {
    /// Takes note that the entries of a group are in a segment, the last one up to `end`.
    fn took(&mut self, group: &mut Group, end: End, max_records: usize) {
        let Group { frames, openings, closings, .. } = group;
        let others = openings.len().saturating_add(closings.len()).saturating_sub(1);
        self.unsynced.appended = self.unsynced.appended.saturating_add(size(others));
        for id in openings {
            self.opened(end.sequence, *id);
        }
        for (record, frame) in closings.drain(..) {
            let behind = size(frames.len().saturating_sub(frame.end));
            let end = End { offset: end.offset.saturating_sub(behind), ..end };
            self.closed(end.sequence, record.id);
            self.keep(end, record, frame.len(), max_records);
        }
    }
}
