//! Records by time, a page at a time: nobody holds a snapshot of the database while a page is dealt with, which may
//! take as long as a reader of a pipe takes.

use super::columns::{self, RECORD_TO_READ};
use super::fault::Fault;
use super::known::Known;
use crate::domain::{Record, RequestId};
use crate::ledger::store::row::micros;
use crate::ledger::store::{RecordFilter, Span};
use rusqlite::{Connection, named_params};

/// Records of a page.
const PAGE: usize = 1000;

/// Reads the records that a filter lets through, oldest first.
#[derive(Debug)]
pub(super) struct Pages {
    ids: IdRange,
    span: (i64, i64),
    service: Option<String>,
}

/// The ids that calls of a span have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdRange {
    /// The first.
    pub(super) first: [u8; 16],
    /// The first after.
    pub(super) end: [u8; 16],
}

impl IdRange {
    /// Returns the range of a span: wider by what of a millisecond the span leaves out.
    pub(super) fn of(span: Span) -> Self {
        let last_millis = micros(span.until).saturating_add(999).div_euclid(1000);
        Self { first: first_id(micros(span.since).div_euclid(1000)), end: first_id(last_millis) }
    }
}

/// Returns the first id of a call that started so many milliseconds after the epoch.
fn first_id(millis: i64) -> [u8; 16] {
    let millis = u128::try_from(millis).unwrap_or_default().min((1 << 48) - 1);
    (millis << 80).to_be_bytes()
}

impl Pages {
    pub(super) fn new(filter: &RecordFilter) -> Self {
        let mut ids = IdRange::of(filter.span);
        if let Some(id) = filter.id {
            ids.first = ids.first.max(id.to_bytes());
            ids.end = ids.end.min(after(id.to_bytes()));
        }
        Self {
            ids,
            span: (micros(filter.span.since), micros(filter.span.until)),
            service: filter.service.as_ref().map(ToString::to_string),
        }
    }

    /// Returns the next records; none at the end.
    pub(super) fn next(&mut self, connection: &Connection, known: &mut Known) -> Result<Vec<Record>, Fault> {
        let whose = match self.service {
            Some(_) => "dimensions IN (SELECT key FROM dimensions WHERE service = :service)",
            None => ":service IS NULL",
        };
        let mut statement = connection.prepare(&format!(
            "SELECT {RECORD_TO_READ} FROM records
             WHERE id >= :first AND id < :end AND started_at >= :since AND started_at < :until AND {whose}
             ORDER BY id LIMIT {PAGE}"
        ))?;
        let mut rows = statement.query(named_params! {
            ":first": self.ids.first, ":end": self.ids.end,
            ":since": self.span.0, ":until": self.span.1, ":service": self.service,
        })?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, row) = columns::read(row)?;
            page.push(row.record(&*known.dimensions(connection, key)?)?);
        }
        if let Some(last) = page.last() {
            self.ids.first = after(RequestId::to_bytes(last.id));
        }
        Ok(page)
    }
}

/// Returns the id that follows.
fn after(id: [u8; 16]) -> [u8; 16] {
    u128::from_be_bytes(id).saturating_add(1).to_be_bytes()
}
