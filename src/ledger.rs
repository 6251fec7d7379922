//! The ledger: every call that went upstream, once, whatever dies.
//!
//! A call is written to the [`journal`] before it goes upstream (its [`Opening`]) and again before its client sees the
//! answer's end (its [`Record`]). The drainer moves records from the journal into the [`store`], which reports are
//! read from.

mod check;
mod drainer;
mod folder;
pub mod journal;
mod opening;
pub mod report;
pub mod rerate;
pub mod store;
#[cfg(test)]
mod tests;

pub use check::{Finding, check};
pub use opening::{Opening, OpeningRef};

use crate::clock::Clock;
use crate::config::{LedgerSettings, OnJournalFailure};
use crate::domain::Record;
use crate::metrics::LedgerState;
use drainer::{Destination, Drainer};
use journal::{Journal, JournalError, JournalUnavailable, Recovery, Started, Ticket};
use std::time::Duration;
use store::{Access, StoreError};

/// The running ledger of a gateway.
#[derive(Debug)]
pub struct Ledger {
    journal: Journal,
    drainer: Drainer,
    on_failure: OnJournalFailure,
    clock: Clock,
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("cannot start the ledger's thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl LedgerError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Journal(error) => error.hint(),
            Self::Store(StoreError::Unusable { hint, .. } | StoreError::Unprepared { hint, .. }) => {
                hint.clone()
            }
            Self::Store(StoreError::Away { .. }) => "it may be there in a moment: try again".to_owned(),
            Self::Thread(_) => "the system gives this user no more threads: end some, or raise the limit \
                                (`ulimit -u`)"
                .to_owned(),
        }
    }
}

impl Ledger {
    /// Opens journal and store, and repairs what a process that died has left. `interrupted` makes the record of a
    /// call that was open then. A store that is merely away is waited for, in the background.
    ///
    /// # Errors
    /// A journal or store that cannot be used as it is; nothing is changed then.
    pub fn start(
        settings: &LedgerSettings,
        clock: Clock,
        mut interrupted: impl FnMut(Opening) -> Record,
    ) -> Result<Self, LedgerError> {
        let destination = Destination {
            store: settings.store.clone(),
            label_keys: settings.label_keys.clone(),
            keep_records: settings.keep_records,
            keep_rollups: settings.keep_rollups,
        };
        // Before the store is opened, which may make it; the journal is changed after that.
        let found = journal::look(&settings.journal)?;
        let store = match store::open(&destination.store, Access::Write, &destination.label_keys) {
            Ok(store) => Some(store),
            Err(error @ StoreError::Away { .. }) => {
                tracing::warn!(%error, "records stay in the journal until the store is there");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let own = journal::Settings {
            fsync: settings.fsync,
            limit_bytes: settings.journal_limit_bytes,
            ..journal::Settings::default()
        };
        let Started { journal, reader, recovery } = found.start(own, &mut interrupted)?;
        tell(&recovery);
        let drainer = Drainer::start(reader, destination, store, clock)?;
        let on_failure = settings.on_journal_failure;
        Ok(Self { journal, drainer, on_failure, clock })
    }

    /// Takes note of a call that is about to go upstream.
    ///
    /// # Errors
    /// The journal does not take it, and `on_journal_failure` is `refuse`.
    pub async fn open(&self, opening: &OpeningRef<'_>) -> Result<Option<Ticket>, JournalUnavailable> {
        match (self.journal.opening_with_others(opening).await, self.on_failure) {
            (Ok(ticket), _) => Ok(Some(ticket)),
            (Err(unavailable), OnJournalFailure::Refuse) => Err(unavailable),
            (Err(_), OnJournalFailure::Serve) => Ok(None),
        }
    }

    /// Writes the record of a call. What the journal does not take is kept in memory until it does.
    pub fn close(&self, ticket: Option<Ticket>, record: Box<Record>) {
        self.journal.closing(ticket, record);
    }

    /// Does the same, together with calls that come at the same time, and also where the caller leaves meanwhile.
    pub async fn close_with_others(&self, ticket: Option<Ticket>, record: Box<Record>) {
        self.journal.closing_with_others(ticket, record).await;
    }

    /// Tells whether calls are refused for the journal's sake.
    pub fn is_refusing(&self) -> bool {
        self.on_failure == OnJournalFailure::Refuse && self.journal.health().failing.is_some()
    }

    /// Returns how the ledger fares.
    pub fn state(&self) -> LedgerState {
        let health = self.journal.health();
        LedgerState {
            pending_records: health.pending_records,
            journal_bytes: health.bytes,
            is_refusing: self.is_refusing(),
            errors: [
                health.failures,
                health.refused_openings,
                health.overdue_closings,
                self.drainer.errors(),
            ]
            .into_iter()
            .fold(0, u64::saturating_add),
            lost_records: health.lost_closings,
        }
    }

    /// Moves what is left into the store, for as long as `patience` lasts, and ends the ledger's threads. What is not
    /// moved by then stays in the journal for the next start.
    pub fn stop(&self, patience: Duration) {
        self.drainer.stop(self.clock.instant() + patience);
        self.journal.stop();
    }
}

/// Says what a process that died has left.
fn tell(recovery: &Recovery) {
    let Recovery { interrupted, pending_records, tails } = recovery;
    for tail in tails {
        tracing::warn!(?tail, "the journal ended in the middle of an entry; that was cut off");
    }
    if *interrupted > 0 || *pending_records > 0 {
        tracing::info!(interrupted, pending_records, "calls were found in the journal");
    }
}
