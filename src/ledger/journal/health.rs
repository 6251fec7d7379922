//! How a journal is doing.

use super::log::{Log, Shared};
use std::sync::Arc;

/// How a journal is doing; counts are since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Why calls are refused at present, if they are.
    pub failing: Option<Arc<str>>,
    /// Records that the store has not confirmed, those that wait in memory among them.
    pub pending_records: u64,
    /// Files.
    pub segments: usize,
    /// Bytes in them.
    pub bytes: u64,
    /// Openings that were refused.
    pub refused_openings: u64,
    /// Writes and syncs that failed.
    pub failures: u64,
    /// Closings that the disk did not take when they came; they are written when it heals.
    pub overdue_closings: u64,
    /// Closings that were lost, because too many were overdue.
    pub lost_closings: u64,
}

impl Shared {
    /// Returns how the journal is doing.
    pub(super) fn health(&self) -> Health {
        let log = self.lock();
        let overdue = u64::try_from(log.overdue.len()).unwrap_or(u64::MAX);
        Health {
            failing: self.failing(&log),
            pending_records: log.pending.saturating_add(overdue),
            segments: log.segments.len(),
            bytes: log.bytes,
            refused_openings: log.counts.refused_openings,
            failures: log.counts.failures,
            overdue_closings: log.counts.overdue_closings,
            lost_closings: log.counts.lost_closings,
        }
    }

    fn failing(&self, log: &Log) -> Option<Arc<str>> {
        let limit = self.settings.limit_bytes;
        let is_full = log.full || log.bytes >= limit;
        let full = || format!("its {} bytes have reached the limit of {limit}", log.bytes).into();
        log.failure.clone().or_else(|| is_full.then(full))
    }
}
