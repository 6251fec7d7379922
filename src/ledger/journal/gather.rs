//! Openings of calls that come at the same time: they share one `write(2)`.

use super::append::{self, Ticket};
use super::entries::size;
use super::entry::{self, Kind};
use super::error::JournalUnavailable;
use super::log::{Log, Shared};
use crate::domain::RequestId;
use crate::ledger::opening::OpeningRef;

/// From how many open calls on an opening waits for others to come: with fewer, none does.
const COMPANY: usize = 4;

/// From how many bytes on no others are waited for.
const ENOUGH_BYTES: usize = 64 << 10;

/// Openings that are written next.
#[derive(Debug, Default)]
pub(super) struct Group {
    number: u64,
    frames: Vec<u8>,
    ids: Vec<RequestId>,
}

/// An opening among others that are written next. Dropped before that, because the caller left, it is taken back.
#[derive(Debug)]
struct Gathered<'a> {
    shared: &'a Shared,
    group: u64,
    id: RequestId,
    is_undecided: bool,
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
            group.ids.push(opening.id);
            let calls = open.len().saturating_add(group.ids.len());
            let has_company = calls >= COMPANY && group.frames.len() < ENOUGH_BYTES;
            let gathered = Gathered { shared: self, group: group.number, id: opening.id, is_undecided: true };
            Ok((gathered, has_company))
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

    /// Writes the group. Those of its openings that are in [`Log::open`] afterwards are in the journal.
    fn write_group(&self, log: &mut Log) {
        let Group { number, mut frames, mut ids } = std::mem::take(&mut log.group);
        if let Ok(sequence) = self.append(log, &frames) {
            let others = size(ids.len()).saturating_sub(1);
            log.unsynced.appended = log.unsynced.appended.saturating_add(others);
            for id in &ids {
                log.opened(sequence, *id);
            }
        }
        frames.clear();
        ids.clear();
        log.group = Group { number: number.wrapping_add(1), frames, ids };
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
        self.write_group(&mut log);
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

    fn write_group(&self, log: &mut Log) {
        if log.group.number == self.group {
            self.shared.write_group(log);
        }
    }
}

impl Drop for Gathered<'_> {
    /// The caller left while others were waited for.
    fn drop(&mut self) {
        if self.is_undecided {
            self.write_group(&mut self.shared.lock());
            self.shared.take_back(self.id);
        }
    }
}
