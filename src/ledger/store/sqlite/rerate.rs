//! Corrected costs: in records, in rollups, and in the history.

use super::fault::Fault;
use super::known::Known;
use crate::domain::{RequestId, UsageSource};
use crate::ledger::store::rollup::{Correction, RollupKey};
use crate::ledger::store::row::{known, micros, picos};
use crate::ledger::store::{Charge, Rerated};
use rusqlite::{OptionalExtension, Statement, Transaction, params};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Corrects the records whose charge is still the old one; returns how many.
pub(super) fn rerate(
    transaction: &Transaction<'_>,
    prices: &mut Known,
    rerated: &[Rerated],
    at: OffsetDateTime,
) -> Result<u64, Fault> {
    let mut change = Change::prepare(transaction)?;
    let mut corrections: BTreeMap<RollupKey<i64>, Correction> = BTreeMap::new();
    let mut changed = 0;
    for one in rerated.iter().filter(|one| one.old != one.new) {
        let Some(found) = change.find(one.id)? else { continue };
        if found.charge != columns(&one.old) {
            continue;
        }
        let price = one.new.price_id.as_ref().map(|id| prices.price_key(transaction, id)).transpose()?;
        change.write(one, price, at)?;
        let source = known("usage source", &found.usage_source, UsageSource::from_name)?;
        corrections.entry(found.rollup).or_default().add(&Correction::between(&one.old, &one.new, source));
        changed += 1;
    }
    correct(transaction, &corrections)?;
    Ok(changed)
}

/// A charge as its columns.
type Columns = (Option<i64>, Option<String>, Option<String>);

fn columns(charge: &Charge) -> Columns {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    (charge.cost.map(picos), text(&charge.price_id), text(&charge.unpriced))
}

/// What a change needs to know of a record.
struct Found {
    rollup: RollupKey<i64>,
    usage_source: String,
    charge: Columns,
}

/// The statements of a change.
struct Change<'t> {
    find: Statement<'t>,
    update: Statement<'t>,
    keep: Statement<'t>,
}

impl<'t> Change<'t> {
    fn prepare(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            find: transaction.prepare(
                "SELECT dimensions, started_at, rollup_labels, usage_source, cost,
                 (SELECT prices.id FROM prices WHERE key = price), unpriced FROM records WHERE id = ?",
            )?,
            update: transaction
                .prepare("UPDATE records SET cost = ?, price = ?, unpriced = ? WHERE id = ?")?,
            // Changed twice at the same moment: what it was before, and what it is in the end.
            keep: transaction.prepare(
                "INSERT INTO reratings VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (record, at) DO UPDATE SET new_cost = excluded.new_cost,
                 new_price_id = excluded.new_price_id, new_unpriced = excluded.new_unpriced",
            )?,
        })
    }

    fn find(&mut self, id: RequestId) -> rusqlite::Result<Option<Found>> {
        let found = self.find.query_row([id.to_bytes()], |row| {
            Ok(Found {
                rollup: RollupKey::new(row.get(0)?, row.get(1)?, row.get(2)?),
                usage_source: row.get(3)?,
                charge: (row.get(4)?, row.get(5)?, row.get(6)?),
            })
        });
        found.optional()
    }

    fn write(&mut self, rerated: &Rerated, price: Option<i64>, at: OffsetDateTime) -> rusqlite::Result<()> {
        let id = rerated.id.to_bytes();
        let (old, new) = (columns(&rerated.old), columns(&rerated.new));
        self.update.execute(params![new.0, price, new.2, id])?;
        self.keep.execute(params![id, micros(at), old.0, old.1, old.2, new.0, new.1, new.2])?;
        Ok(())
    }
}

/// Corrects rollups; those that are forgotten already stay so.
fn correct(
    transaction: &Transaction<'_>,
    corrections: &BTreeMap<RollupKey<i64>, Correction>,
) -> rusqlite::Result<()> {
    let most = i64::MAX;
    let mut update = transaction.prepare(&format!(
        "UPDATE rollups SET unpriced_calls = unpriced_calls + ?, cost = min({most}, cost + ?),
         cost_of_estimates = min({most}, cost_of_estimates + ?)
         WHERE hour = ? AND dimensions = ? AND labels = ?"
    ))?;
    for (key, correction) in corrections {
        let Correction { unpriced_calls, cost, cost_of_estimates } = *correction;
        update.execute(params![
            unpriced_calls,
            picos(cost),
            picos(cost_of_estimates),
            key.hour,
            key.dimensions,
            key.labels
        ])?;
    }
    Ok(())
}
