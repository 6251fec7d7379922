//! New records, and what they add to rollups.

use super::columns::{NewRecord, RECORD, SUMS, bind, sums};
use super::fault::Fault;
use super::known::Known;
use crate::domain::Record;
use crate::ledger::store::Totals;
use crate::ledger::store::rollup::{RollupKey, Rollups};
use crate::ledger::store::row::Row;
use rusqlite::Transaction;

/// Adds the records whose ids are new; returns how many those were.
pub(super) fn append<'r>(
    transaction: &Transaction<'_>,
    known: &mut Known,
    records: impl IntoIterator<Item = &'r Record>,
    allowed: &[String],
) -> Result<u64, Fault> {
    let mut insert = transaction.prepare(&insert_sql())?;
    let mut rollups = Rollups::default();
    let mut added = 0;
    let mut before = None;
    for record in records {
        let new = new(transaction, known, record, allowed)?;
        bind(&mut insert, &new, before.as_ref())?;
        if insert.raw_execute()? == 1 {
            rollups.add(&new.rollup, &Totals::of(record));
            added += 1;
        }
        before = Some(new);
    }
    write(transaction, rollups)?;
    Ok(added)
}

fn new<'r>(
    transaction: &Transaction<'_>,
    known: &mut Known,
    record: &'r Record,
    allowed: &[String],
) -> Result<NewRecord<'r>, Fault> {
    let dimensions = known.dimensions_key(transaction, record)?;
    let price = record.price_id.as_ref().map(|id| known.price_key(transaction, id)).transpose()?;
    Ok(NewRecord { row: Row::of(record), rollup: RollupKey::of(record, dimensions, allowed), price })
}

fn insert_sql() -> String {
    let values = vec!["?"; RECORD.split(',').count()].join(", ");
    format!("INSERT INTO records ({RECORD}) VALUES ({values}) ON CONFLICT (id) DO NOTHING")
}

fn write(transaction: &Transaction<'_>, rollups: Rollups<i64>) -> Result<(), Fault> {
    let mut upsert = transaction.prepare(&upsert_sql())?;
    for (key, totals) in rollups {
        upsert.raw_bind_parameter(1, key.hour)?;
        upsert.raw_bind_parameter(2, key.dimensions)?;
        upsert.raw_bind_parameter(3, &key.labels)?;
        for (column, sum) in (4_usize..).zip(sums(&totals)) {
            upsert.raw_bind_parameter(column, sum)?;
        }
        upsert.raw_execute()?;
    }
    Ok(())
}

/// Sums stop at the end of 64 bits: beyond it SQLite would go on with a float, and then refuse to store that.
fn upsert_sql() -> String {
    let columns = SUMS.join(", ");
    let values = vec!["?"; SUMS.len()].join(", ");
    let added = SUMS.map(|sum| format!("{sum} = min({}, {sum} + excluded.{sum})", i64::MAX)).join(", ");
    format!(
        "INSERT INTO rollups (hour, dimensions, labels, {columns}) VALUES (?, ?, ?, {values})
         ON CONFLICT (hour, dimensions, labels) DO UPDATE SET {added}"
    )
}
