//! Closings that the disk did not take: they wait in memory until it does.

use crate::domain::RequestId;
use std::collections::VecDeque;

/// A closing that waits.
#[derive(Debug)]
pub(super) struct Late {
    /// Its entry.
    pub(super) frame: Box<[u8]>,
    /// The record's id.
    pub(super) id: RequestId,
}

/// Closings in the order in which they came, of bounded size in memory.
#[derive(Debug)]
pub(super) struct Overdue {
    waiting: VecDeque<Late>,
    bytes: usize,
    limit: usize,
}

impl Overdue {
    /// Makes an empty queue of at most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, limit }
    }

    /// Returns how many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a closing, unless that is beyond the limit. Returns whether it was added.
    ///
    /// The opening of a closing that is lost stays open: where it is in the journal, the next start makes an
    /// interrupted call of it.
    pub(super) fn push(&mut self, id: RequestId, frame: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(frame.len());
        if bytes > self.limit {
            tracing::error!(%id, "a record is lost: the journal takes none, and memory for those that wait is full");
            return false;
        }
        self.bytes = bytes;
        self.waiting.push_back(Late { frame: frame.into(), id });
        true
    }

    /// Takes the closing that came first.
    pub(super) fn pop(&mut self) -> Option<Late> {
        let late = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(late.frame.len());
        Some(late)
    }

    /// Puts a closing back to where it was taken from.
    pub(super) fn put_back(&mut self, late: Late) {
        self.bytes = self.bytes.saturating_add(late.frame.len());
        self.waiting.push_front(late);
    }
}
