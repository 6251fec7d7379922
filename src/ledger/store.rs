//! Where records are kept and asked for: one trait, implemented for SQLite and for PostgreSQL.
//!
//! Everything here blocks, and runs on threads of its own: the drainer's, or a command's.

mod dimensions;
#[cfg(test)]
pub(crate) mod laws;
mod postgres;
mod rollup;
mod row;
#[cfg(test)]
pub(crate) mod samples;
mod sqlite;
mod totals;
mod url;

pub use dimensions::{Dimensions, DimensionsId, DimensionsRow};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub use totals::Totals;
pub use url::{Access, StoreUrl};

pub use crate::domain::Charge;

use crate::domain::{Record, RequestId, ServiceName};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// From when, and until before when, a call started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub since: OffsetDateTime,
    /// The first moment after.
    pub until: OffsetDateTime,
}

/// Which records are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFilter {
    /// When they started.
    pub span: Span,
    /// Whose they are.
    pub service: Option<ServiceName>,
    /// One of them.
    pub id: Option<RequestId>,
}

/// What totals are added up from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The hourly rollups: both ends of the span must be whole hours of UTC. Labels beyond the allow-list are not
    /// in them.
    Rollups,
    /// The records themselves.
    Records,
}

/// How finely totals are split by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Not at all.
    Whole,
    /// By the hour of UTC in which calls started.
    Hour,
    /// By the quarter of an hour, for time zones that are no whole hours from UTC; from records alone.
    Quarter,
}

/// Totals of the calls that share dimensions, labels and a piece of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// What the calls share.
    pub dimensions: Arc<Dimensions>,
    /// Their labels; from rollups only those on the allow-list.
    pub labels: BTreeMap<String, String>,
    /// When their piece of time began; `None` for [`Grain::Whole`].
    pub at: Option<OffsetDateTime>,
    /// What they add up to.
    pub totals: Totals,
}

/// A record whose cost was computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerated {
    /// The record.
    pub id: RequestId,
    /// Its cost as it was read: where the store has another one by now, nothing is changed.
    pub old: Charge,
    /// Its cost at present prices.
    pub new: Charge,
}

/// Why a store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is away or busy for now: worth another try.
    #[error("{place} is not available: {reason}")]
    Away {
        /// The store, without any password.
        place: String,
        /// What it or the system said.
        reason: String,
    },
    /// It will not do as it is: somebody has to mend it, or name another.
    #[error("{place} cannot be used: {reason}")]
    Unusable {
        /// The store, without any password.
        place: String,
        /// What is wrong.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// It was never made, or is of an older version: `tollgate serve` makes it what it is to be.
    #[error("{place} cannot be used: {reason}")]
    Unprepared {
        /// The store, without any password.
        place: String,
        /// What is missing.
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

/// A place of records and of their hourly rollups, which stay exactly in step.
pub trait Store: Send {
    /// Adds the records that it does not have yet, all or none, and returns how many those were. A record that it
    /// has, by its id, is left as it is, and changes no rollup.
    fn append(&mut self, records: &[Record]) -> Result<u64, StoreError> {
        self.append_with_breaks(records, &mut || {})
    }

    /// Does the same, and calls `between` where others may go first: a store that keeps the core busy does so at every
    /// record.
    fn append_with_breaks(
        &mut self,
        records: &[Record],
        between: &mut dyn FnMut(),
    ) -> Result<u64, StoreError>;

    /// Hands over the records that a filter lets through, oldest first. Ends early, with that error, where `each`
    /// fails.
    fn records(
        &mut self,
        filter: &RecordFilter,
        each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Returns the totals of a span, in no particular order.
    fn totals(&mut self, span: Span, grain: Grain, from: From) -> Result<Vec<Slice>, StoreError>;

    /// Changes costs, all or none, in records and rollups, and keeps the old ones with the time `at`. Returns how many
    /// were changed.
    fn rerate(&mut self, rerated: &[Rerated], at: OffsetDateTime) -> Result<u64, StoreError>;

    /// Forgets records that started before a moment, with the history of their costs, and rollups whose whole hour lies
    /// before another, a bounded number at a time; returns how many rows went. Zero: nothing is left to forget.
    fn retain(
        &mut self,
        records_since: Option<OffsetDateTime>,
        rollups_since: Option<OffsetDateTime>,
    ) -> Result<u64, StoreError>;
}

/// Opens a store. `label_keys` are the labels that enter rollups. A PostgreSQL URL without a password uses that of the
/// environment's `PGPASSWORD`.
pub fn open(url: &StoreUrl, access: Access, label_keys: &[String]) -> Result<Box<dyn Store>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Box::new(SqliteStore::open(path, access, label_keys)?)),
        StoreUrl::Postgres(url) => {
            let password = std::env::var("PGPASSWORD").ok();
            Ok(Box::new(PostgresStore::open(url, password.as_deref(), access, label_keys)?))
        }
    }
}
