//! Forgetting what is old. Pages that become free are used again; the file does not shrink by itself.

use super::fault::Fault;
use super::records::IdRange;
use crate::ledger::store::Span;
use crate::ledger::store::rollup::HOUR;
use crate::ledger::store::row::micros;
use rusqlite::{Transaction, params};
use time::OffsetDateTime;

/// The most rows of a table that go at once, so that nobody waits long.
const CHUNK: usize = 5000;

/// Forgets some of what is old; returns how many rows went.
pub(super) fn retain(
    transaction: &Transaction<'_>,
    records_since: Option<OffsetDateTime>,
    rollups_since: Option<OffsetDateTime>,
) -> Result<u64, Fault> {
    let mut gone = 0;
    if let Some(since) = records_since {
        let ids = IdRange::of(Span { since, until: since });
        gone += transaction.execute(
            &format!(
                "DELETE FROM records WHERE id IN
                 (SELECT id FROM records WHERE id < ? AND started_at < ? ORDER BY id LIMIT {CHUNK})"
            ),
            params![ids.end, micros(since)],
        )?;
        gone += transaction.execute(
            &format!(
                "DELETE FROM reratings WHERE (record, at) IN
                 (SELECT record, at FROM reratings WHERE record < ? ORDER BY record LIMIT {CHUNK})"
            ),
            [ids.first],
        )?;
    }
    if let Some(since) = rollups_since {
        gone += transaction.execute(
            &format!(
                "DELETE FROM rollups WHERE (hour, dimensions, labels) IN
                 (SELECT hour, dimensions, labels FROM rollups WHERE hour <= ? ORDER BY hour LIMIT {CHUNK})"
            ),
            [micros(since).saturating_sub(HOUR)],
        )?;
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}
