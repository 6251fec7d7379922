//! What `tollgate serve` would trip over, found without changing anything.

use super::LedgerError;
use super::journal::{self, JournalError};
use super::store::{self, Access, StoreError};
use crate::config::LedgerSettings;

/// What is wrong with a part of the ledger, or may be.
#[derive(Debug)]
pub struct Finding {
    /// The setting that names the part.
    pub key: &'static str,
    /// What is wrong with it.
    pub error: LedgerError,
}

impl Finding {
    /// Tells whether a gateway starts all the same: it waits for a store that is away.
    pub fn is_passing(&self) -> bool {
        matches!(self.error, LedgerError::Store(StoreError::Away { .. }))
    }
}

/// Looks at journal and store, also beside a gateway that uses them. What is not made yet is nothing to find.
pub fn check(settings: &LedgerSettings) -> Vec<Finding> {
    if !settings.enabled {
        return Vec::new();
    }
    let journal = match journal::check(&settings.journal) {
        Ok(()) | Err(JournalError::InUse { .. }) => None,
        Err(error) => Some(Finding { key: "ledger.journal", error: error.into() }),
    };
    let store = match store::open(&settings.store, Access::Read, &settings.label_keys) {
        Ok(_) | Err(StoreError::Unprepared { .. }) => None,
        Err(error) => Some(Finding { key: "ledger.store", error: error.into() }),
    };
    [journal, store].into_iter().flatten().collect()
}
