//! The way of records out of the journal, for the drainer: from memory while it keeps up, else from the files.

use super::common::Memo;
use super::confirmed;
use super::entries::{Entries, Next, size};
use super::entry::Kind;
use super::error::JournalError;
use super::fresh::Fresh;
use super::log::{Log, Shared};
use super::payload;
use super::segment;
use crate::domain::Record;
use std::fs::File;
use std::sync::Arc;

/// Reads records in the order in which they were written. There is one per journal; it belongs to a thread that may
/// block.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    /// Everything before is confirmed.
    confirmed: Position,
    /// The number of the closing that comes next.
    next: u64,
    /// What was taken from memory and is not handed out yet.
    fresh: Fresh,
    memo: Memo,
    /// Where the next batch's records go: as much memory as the largest one needed.
    spare: Vec<Record>,
}

/// Records that were read, and that [`Reader::confirm`] takes off the journal.
#[derive(Debug)]
pub struct Batch {
    /// The records, in the order in which they were written.
    pub records: Vec<Record>,
    /// How many of them are from which segment.
    from: Vec<(u64, u64)>,
    end: Position,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    sequence: u64,
    offset: u64,
}

/// A part of a segment that is wholly written.
struct Piece {
    file: Arc<File>,
    salt: u32,
    end: u64,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            confirmed: Position { sequence: 0, offset: 0 },
            next: 0,
            fresh: Fresh::default(),
            memo: Memo::default(),
            spare: Vec::new(),
        }
    }

    /// Reads the records after those that were confirmed: so many at most, and no more once their entries have
    /// `max_bytes`. None: there are no others.
    ///
    /// # Errors
    /// A segment cannot be read; the next call tries the same again. What is before that place is handed out first.
    pub fn next_batch(&mut self, max_records: usize, max_bytes: usize) -> Result<Batch, JournalError> {
        let mut batch =
            Batch { records: std::mem::take(&mut self.spare), from: Vec::new(), end: self.confirmed };
        self.take_fresh();
        if self.fresh.hand_out(max_records, &mut batch) {
            return Ok(batch);
        }
        batch.records.reserve(self.pending().min(max_records));
        let mut room = max_bytes;
        while batch.records.len() < max_records && room > 0 {
            let Some(piece) = self.shared.lock().piece(&mut batch.end) else { break };
            match self.read(&piece, &mut batch, max_records, room) {
                Ok(left) => room = left,
                Err(_) if !batch.records.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        if batch.records.is_empty() {
            self.confirmed = batch.end;
        }
        Ok(batch)
    }

    /// Returns how many records the journal has besides those of a batch that is not confirmed.
    pub fn left_by(&self, batch: &Batch) -> usize {
        self.pending().saturating_sub(batch.records.len())
    }

    fn pending(&self) -> usize {
        usize::try_from(self.shared.lock().pending).unwrap_or(usize::MAX)
    }

    /// Takes from memory what follows on what is confirmed. What was taken and handed out, but not confirmed, is read
    /// from the files.
    fn take_fresh(&mut self) {
        if !self.fresh.records.is_empty() && self.fresh.first == self.next {
            return;
        }
        self.fresh.clear();
        let mut log = self.shared.lock();
        if log.fresh.first <= self.next {
            std::mem::swap(&mut log.fresh, &mut self.fresh);
            drop(log);
            self.fresh.skip_to(self.next);
        }
    }

    /// Reads on in a piece, and returns how much room is left.
    fn read(
        &mut self,
        piece: &Piece,
        batch: &mut Batch,
        max_records: usize,
        mut room: usize,
    ) -> Result<usize, JournalError> {
        let sequence = batch.end.sequence;
        let Self { shared, memo, .. } = self;
        let file = || segment::path(&shared.dir, sequence);
        let mut entries = Entries::new(Arc::clone(&piece.file), piece.salt, batch.end.offset, piece.end);
        while batch.records.len() < max_records && room > 0 {
            let offset = entries.offset();
            let damaged = |reason: String| JournalError::Damaged { file: file(), offset, reason };
            match entries.next().map_err(|source| JournalError::Segment { file: file(), source })? {
                Next::End => break,
                Next::Broken => return Err(damaged("the entry there is broken".to_owned())),
                Next::Entry(frame) if frame.kind == Kind::Closing => {
                    let record = payload::read_record(frame.id, entries.payload(), memo);
                    batch.records.push(record.map_err(|error| damaged(error.to_string()))?);
                    batch.count(sequence);
                    room = room.saturating_sub(frame.len);
                }
                Next::Entry(_) => {}
            }
            batch.end.offset = entries.offset();
        }
        Ok(room)
    }

    /// Takes off the journal what the store has for good: what survives there what the journal is to survive here.
    pub fn confirm(&mut self, batch: Batch) {
        let Batch { mut records, from, end } = batch;
        self.next = self.next.saturating_add(size(records.len()));
        records.clear();
        self.spare = records;
        self.confirmed = end;
        if from.is_empty() {
            return;
        }
        let mut log = self.shared.lock();
        log.confirm(from, end);
        let confirmations = log.confirmations();
        drop(log);
        // Where this fails, the same records are handed out again after a crash.
        let _ = confirmed::write(&self.shared.dir, &confirmations);
    }
}

impl Log {
    fn confirm(&mut self, from: Vec<(u64, u64)>, end: Position) {
        for (sequence, count) in from {
            if let Some(segment) = self.segments.get_mut(&sequence) {
                segment.pending = segment.pending.saturating_sub(count);
            }
            self.pending = self.pending.saturating_sub(count);
        }
        for (sequence, segment) in self.segments.range_mut(..=end.sequence) {
            segment.confirmed = if *sequence < end.sequence { segment.len } else { end.offset };
        }
    }
}

impl Fresh {
    /// Moves so many records at most into a batch; tells whether there were any.
    fn hand_out(&mut self, max_records: usize, batch: &mut Batch) -> bool {
        let count = self.records.len().min(max_records);
        batch.records.extend(self.records.drain(..count).map(|record| *record));
        for end in self.ends.drain(..count) {
            batch.count(end.sequence);
            batch.end = Position { sequence: end.sequence, offset: end.offset };
        }
        self.first = self.first.saturating_add(size(count));
        count > 0
    }
}

impl Batch {
    fn count(&mut self, sequence: u64) {
        match self.from.last_mut() {
            Some((last, count)) if *last == sequence => *count = count.saturating_add(1),
            Some(_) | None => self.from.push((sequence, 1)),
        }
    }
}

impl Log {
    /// Returns what can be read at a position, which is moved to the next segment where one is read to its end.
    fn piece(&self, position: &mut Position) -> Option<Piece> {
        for (sequence, segment) in self.segments.range(position.sequence..) {
            if *sequence > position.sequence {
                *position = Position { sequence: *sequence, offset: 0 };
            }
            position.offset = position.offset.max(segment.confirmed);
            if position.offset < segment.len {
                return Some(Piece { file: Arc::clone(&segment.file), salt: segment.salt, end: segment.len });
            }
        }
        None
    }
}
