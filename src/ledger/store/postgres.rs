//! The ledger in PostgreSQL: many gateways, one ledger.
//!
//! Everything is in the schema `tollgate` of the database that the URL names. Writers take rows in the order of their
//! keys, table after table, so that none waits for another in a circle. No table is ever locked against reading or
//! writing but a partition of records that retention drops, and for that it gives up after two seconds.
//!
//! The crate `postgres` runs the connection itself: on a thread of an asynchronous runtime a store may neither be called
//! nor dropped.

mod address;
mod append;
mod columns;
mod connection;
mod fault;
mod migrations;
mod months;
mod partitions;
mod reading;
mod rerating;
mod retention;
#[cfg(test)]
mod tests;
mod tls;
mod totals;

use super::{Access, From, Grain, RecordFilter, Rerated, Slice, Span, Store, StoreError};
use crate::domain::Record;
use address::Address;
use connection::Connection;
use std::fmt;
use time::OffsetDateTime;

/// A ledger in a PostgreSQL database. A connection that fails is left; the next call makes another.
pub struct PostgresStore {
    address: Address,
    access: Access,
    labels: Vec<String>,
    connection: Option<Connection>,
}

impl PostgresStore {
    /// Connects to the database that a URL names and brings its schema up to date, if `access` allows that. `labels`
    /// are the keys of the labels that enter rollups; `password` is used where the URL has none.
    pub fn open(
        url: &str,
        password: Option<&str>,
        access: Access,
        labels: &[String],
    ) -> Result<Self, StoreError> {
        let address = Address::parse(url, password)?;
        let connection = Some(Connection::open(&address, access)?);
        Ok(Self { address, access, labels: labels.to_vec(), connection })
    }

    /// Does something over the connection there is, or a fresh one, which is kept only if it went well.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Connection, &[String]) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.address, self.access)?,
        };
        let done = act(&mut connection, &self.labels).map_err(|error| fault::of(&self.address, &error))?;
        self.connection = Some(connection);
        Ok(done)
    }

    /// Returns the error for a row that this version cannot read.
    fn unreadable(&self, reason: String) -> StoreError {
        StoreError::Unusable {
            place: self.address.place().to_owned(),
            reason,
            hint: "use the version of tollgate that wrote it, or a later one".to_owned(),
        }
    }
}

impl Store for PostgresStore {
    fn append_with_breaks(&mut self, records: &[Record], _: &mut dyn FnMut()) -> Result<u64, StoreError> {
        self.with(|connection, labels| append::append(connection, records, labels))
    }

    fn records(
        &mut self,
        filter: &RecordFilter,
        each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(mut pages) = self.with(|connection, _| reading::Pages::of(connection, filter))? else {
            return Ok(());
        };
        while let Some(rows) = self.with(|connection, _| pages.next(connection))? {
            for row in rows {
                each(pages.record(&row).map_err(|reason| self.unreadable(reason))?)?;
            }
        }
        Ok(())
    }

    fn totals(&mut self, span: Span, grain: Grain, from: From) -> Result<Vec<Slice>, StoreError> {
        let sums = self.with(|connection, _| totals::sums(connection, span, grain, from))?;
        totals::slices(&sums).map_err(|reason| self.unreadable(reason))
    }

    fn rerate(&mut self, rerated: &[Rerated], at: OffsetDateTime) -> Result<u64, StoreError> {
        self.with(|connection, _| rerating::rerate(connection, rerated, at))
    }

    fn retain(
        &mut self,
        records_since: Option<OffsetDateTime>,
        rollups_since: Option<OffsetDateTime>,
    ) -> Result<u64, StoreError> {
        self.with(|connection, _| retention::forget(connection, records_since, rollups_since))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresStore").field(&self.address.place()).finish()
    }
}
