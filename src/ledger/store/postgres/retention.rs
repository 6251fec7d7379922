//! Forgetting what is old: whole partitions where nothing in them is to be kept, else rows, a number at a time.

use super::connection::{Connection, Lock};
use super::months::{Month, end_id_at, first_id_at};
use super::partitions;
use postgres::{Error, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

/// The most rows that are deleted at once.
const CHUNK: i64 = 10_000;

/// Dropping a partition waits for the readers of all of them, and whoever comes after waits for it: not for long.
const PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

const RECORDS: &str = "WITH gone AS (
        DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id < $1 AND started_at < $2 LIMIT $3) RETURNING id
    ), rerated AS (
        DELETE FROM reratings WHERE record IN (SELECT id FROM gone)
    )
    SELECT count(*) FROM gone";

const ROLLUPS: &str = "DELETE FROM rollups WHERE (hour, dimensions, labels) IN (
        SELECT hour, dimensions, labels FROM rollups WHERE hour <= $1::timestamptz - interval '1 hour' LIMIT $2
    )";

/// Forgets records and rollups from before these moments; returns how many rows went: none as well while
/// another gateway is at it, or costs are being changed.
pub(super) fn forget(
    connection: &mut Connection,
    records_since: Option<OffsetDateTime>,
    rollups_since: Option<OffsetDateTime>,
) -> Result<u64, Error> {
    let mut gone = 0_u64;
    if let Some(since) = records_since {
        gone = gone.saturating_add(drop_partitions(connection, since)?);
    }
    let mut transaction = connection.client.transaction()?;
    if !is_alone(&mut transaction)? {
        return Ok(gone);
    }
    if let Some(since) = records_since {
        let row = transaction.query_one(RECORDS, &[&end_id_at(since), &since, &CHUNK])?;
        gone = gone.saturating_add(counted(row.try_get(0)?));
    }
    if let Some(since) = rollups_since {
        gone = gone.saturating_add(transaction.execute(ROLLUPS, &[&since, &CHUNK])?);
    }
    transaction.commit()?;
    Ok(gone)
}

fn is_alone(transaction: &mut Transaction<'_>) -> Result<bool, Error> {
    transaction.query_one("SELECT pg_try_advisory_xact_lock($1)", &[&Lock::Records.key()])?.try_get(0)
}

/// Drops the partitions all of whose records started before a moment; returns how many records those were.
fn drop_partitions(connection: &mut Connection, since: OffsetDateTime) -> Result<u64, Error> {
    let limit = first_id_at(since);
    let mut gone = 0_u64;
    for month in partitions::months(&mut connection.client)? {
        if let Some(end) = month.end().filter(|end| *end <= limit) {
            let mut transaction = connection.client.transaction()?;
            if !is_alone(&mut transaction)? {
                return Ok(gone);
            }
            gone = gone.saturating_add(drop_partition(&mut transaction, month, end)?);
            transaction.commit()?;
            connection.months.remove(&month);
        }
    }
    Ok(gone)
}

fn drop_partition(transaction: &mut Transaction<'_>, month: Month, end: Uuid) -> Result<u64, Error> {
    let name = month.partition();
    let rows = transaction.query_one(&format!("SELECT count(*) FROM {name}"), &[])?;
    transaction.execute("DELETE FROM reratings WHERE record < $1", &[&end])?;
    transaction.batch_execute(&format!("{PATIENCE}; DROP TABLE {name}"))?;
    Ok(counted(rows.try_get(0)?))
}

fn counted(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}
