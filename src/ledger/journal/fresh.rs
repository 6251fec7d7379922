//! Records that were just written: while the reader keeps up, it takes them from here and reads no file.

use super::log::Log;
use crate::domain::Record;

/// The most bytes that the entries of what is kept may have.
const MAX_BYTES: usize = 8 << 20;

/// The records of consecutive closings, of bounded number and size. What is not kept is read from the files.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// The number of the first one's closing among all that were to be read.
    pub(super) first: u64,
    /// The records.
    #[expect(clippy::vec_box, reason = "they are large, and moved from hand to hand")]
    pub(super) records: Vec<Box<Record>>,
    /// Where each of their entries ends.
    pub(super) ends: Vec<End>,
    bytes: usize,
}

/// Where an entry ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// The segment.
    pub(super) sequence: u64,
    /// The offset after it.
    pub(super) offset: u64,
}

impl Log {
    /// Keeps the record of the closing that was written last, where it follows on what is kept and there is room.
    pub(super) fn keep(&mut self, end: End, record: Box<Record>, len: usize, max_records: usize) {
        let number = self.closings.saturating_sub(1);
        self.fresh.push(number, (record, end, len), max_records);
    }
}

impl Fresh {
    fn push(&mut self, number: u64, (record, end, len): (Box<Record>, End, usize), max_records: usize) {
        if self.records.is_empty() {
            self.first = number;
            self.bytes = 0;
        }
        let follows = self.next() == number;
        let bytes = self.bytes.saturating_add(len);
        if follows && self.records.len() < max_records && bytes <= MAX_BYTES {
            self.records.push(record);
            self.ends.push(end);
            self.bytes = bytes;
        }
    }

    /// Returns the number of the closing after those that are kept.
    pub(super) fn next(&self) -> u64 {
        let kept = u64::try_from(self.records.len()).unwrap_or(u64::MAX);
        self.first.saturating_add(kept)
    }

    /// Drops everything up to the closing of a number.
    pub(super) fn skip_to(&mut self, number: u64) {
        let gone = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let gone = gone.min(self.records.len());
        self.records.drain(..gone);
        self.ends.drain(..gone);
        self.first = self.first.max(number);
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.ends.clear();
    }
}
