//! What the ledger says of itself.

use super::families::Families;
use super::{counter, gauge};
use prometheus::{IntCounterVec, IntGaugeVec};

/// How the ledger fares; said anew at every scrape.
#[derive(Debug)]
pub(super) struct LedgerFamilies {
    pending: IntGaugeVec,
    bytes: IntGaugeVec,
    refusing: IntGaugeVec,
    errors: IntCounterVec,
    lost: IntCounterVec,
}

/// What the ledger says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerState {
    /// Records in the journal that the store does not have yet.
    pub pending_records: u64,
    /// The size of the journal, in bytes.
    pub journal_bytes: u64,
    /// Whether the journal takes no call.
    pub is_refusing: bool,
    /// Entries that the journal and batches that the store did not take, each of which was or will be tried again.
    pub errors: u64,
    /// Records that were lost for good.
    pub lost_records: u64,
}

impl LedgerFamilies {
    /// Registers them.
    pub(super) fn register(to: &Families) -> Result<Self, prometheus::Error> {
        Ok(Self {
            pending: gauge(
                to,
                "journal_pending_records",
                "Records in the journal that the store does not have yet.",
                &[],
            )?,
            bytes: gauge(to, "journal_bytes", "The size of the journal.", &[])?,
            refusing: gauge(to, "journal_refusing", "1 while the journal takes no call.", &[])?,
            errors: counter(
                to,
                "ledger_errors_total",
                "Entries that the journal, and batches that the store did not take; each is tried again.",
                &[],
            )?,
            lost: counter(
                to,
                "ledger_lost_records_total",
                "Records lost for good, because journal and memory were full; each is in the log.",
                &[],
            )?,
        })
    }

    /// Says how it fares.
    pub(super) fn say(&self, state: LedgerState) {
        let set = |family: &IntGaugeVec, value: u64| {
            family.with_label_values::<&str>(&[]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let raise = |family: &IntCounterVec, value: u64| {
            let counter = family.with_label_values::<&str>(&[]);
            counter.inc_by(value.saturating_sub(counter.get()));
        };
        set(&self.pending, state.pending_records);
        set(&self.bytes, state.journal_bytes);
        set(&self.refusing, u64::from(state.is_refusing));
        raise(&self.errors, state.errors);
        raise(&self.lost, state.lost_records);
    }
}
