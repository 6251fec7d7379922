//! What is settled for a call goes out from here: to ledger, metrics and access log. The only such place.

mod line;

pub use line::line;

use crate::access_log::AccessLog;
use crate::domain::{Record, UsageSource};
use crate::ledger::journal::{JournalUnavailable, Ticket};
use crate::ledger::{Ledger, OpeningRef};
use crate::metrics::RouteMetrics;

/// Takes the record of every call that went, or tried to go, upstream.
#[derive(Debug)]
pub struct Recorder {
    ledger: Option<Ledger>,
    access_log: Option<AccessLog>,
}

impl Recorder {
    /// Makes a recorder that writes records to the ledger, if there is one, and as one JSON line each to the access
    /// log, if there is one.
    pub fn new(ledger: Option<Ledger>, access_log: Option<AccessLog>) -> Self {
        Self { ledger, access_log }
    }

    /// Returns the ledger, if there is one.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    /// Takes note of a call that is about to go upstream.
    ///
    /// # Errors
    /// The journal does not take it, and it is not to go without.
    pub async fn open(&self, opening: &OpeningRef<'_>) -> Result<Option<Ticket>, JournalUnavailable> {
        match &self.ledger {
            Some(ledger) => ledger.open(opening).await,
            None => Ok(None),
        }
    }

    /// Returns how many lines of the access log were lost to a reader that is too slow.
    pub fn dropped_lines(&self) -> usize {
        self.access_log.as_ref().map_or(0, AccessLog::dropped_lines)
    }

    /// Counts the record of a call that was [`opened`](Self::open) and hands it to the access log, as the first half of
    /// what becomes of it; [`write`](Self::write) is the other.
    pub fn count(&self, record: &Record, metrics: &RouteMetrics) {
        count(record, metrics);
        if let Some(log) = &self.access_log {
            log.add(&line(record));
        }
    }

    /// Writes a record that was counted to the ledger.
    pub fn write(&self, ticket: Option<Ticket>, record: Box<Record>) {
        if let Some(ledger) = &self.ledger {
            ledger.close(ticket, record);
        }
    }

    /// Does the same, together with calls that end at the same time, and also where the caller leaves meanwhile.
    pub async fn write_with_others(&self, ticket: Option<Ticket>, record: Box<Record>) {
        if let Some(ledger) = &self.ledger {
            ledger.close_with_others(ticket, record).await;
        }
    }
}

fn count(record: &Record, metrics: &RouteMetrics) {
    let usage = &record.usage;
    if record.usage_source == UsageSource::Estimated {
        metrics.add_estimated_tokens(&usage.tokens);
    } else if record.operation.is_billable() {
        metrics.add_tokens(&usage.tokens);
    }
    metrics.add_units(&usage.units);
    if let Some(reason) = record.usage_missing {
        metrics.all().usage_missing(&record.service, reason);
    }
    if let Some(cost) = record.cost {
        metrics.add_cost(cost);
    }
    if record.unpriced.is_some() {
        metrics.unpriced();
    }
    metrics.ended(record.operation, record.status, record.outcome, record.duration);
}
