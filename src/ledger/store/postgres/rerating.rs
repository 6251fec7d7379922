//! Costs computed again: in the records, and by the difference in their rollups.

use super::columns::{self, Column, hour, storable};
use super::connection::{Connection, Lock};
use crate::domain::UsageSource;
use crate::ledger::store::rollup::{Correction, RollupKey};
use crate::ledger::store::row::picos;
use crate::ledger::store::{Charge, DimensionsId, Rerated};
use postgres::{Error, Row, Transaction};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use time::OffsetDateTime;
use uuid::Uuid;

/// Changes those records that still cost what they did when they were read.
const RECORDS: &str = "UPDATE records r SET cost = n.cost, price_id = n.price_id, unpriced = n.unpriced
    FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::text[])
        AS n (id, old_cost, old_price_id, old_unpriced, cost, price_id, unpriced)
    WHERE r.id = n.id AND r.cost IS NOT DISTINCT FROM n.old_cost
        AND r.price_id IS NOT DISTINCT FROM n.old_price_id AND r.unpriced IS NOT DISTINCT FROM n.old_unpriced
    RETURNING r.id, date_bin('1 hour', r.started_at, 'epoch'), r.dimensions, COALESCE(r.rollup_labels, '{}'),
        r.usage_source";

const RERATINGS: &str = "INSERT INTO reratings (record, at, cost, price_id, unpriced)
    SELECT record, $5, cost, price_id, unpriced
    FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[]) AS old (record, cost, price_id, unpriced)";

const ROLLUP: &str =
    "UPDATE rollups SET unpriced_calls = unpriced_calls + $4, cost = cost + $5::text::numeric,
        cost_of_estimates = cost_of_estimates + $6::text::numeric
    WHERE hour = $1 AND dimensions = $2 AND labels = $3";

/// Changes costs; returns how many changes that were. While nobody else changes or forgets any.
pub(super) fn rerate(
    connection: &mut Connection,
    rerated: &[Rerated],
    at: OffsetDateTime,
) -> Result<u64, Error> {
    let rollup = connection.prepare(ROLLUP)?;
    let mut transaction = connection.client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&Lock::Records.key()])?;
    let mut changed = Vec::new();
    for round in rounds(rerated) {
        changed.extend(change(&mut transaction, &round)?);
    }
    keep_old(&mut transaction, &changed, at)?;
    for (key, Correction { unpriced_calls, cost, cost_of_estimates }) in corrections(&changed) {
        let (cost, estimated) = (cost.picos().to_string(), cost_of_estimates.picos().to_string());
        let dimensions = Uuid::from_bytes(key.dimensions.0);
        transaction
            .execute(&rollup, &[&hour(&key), &dimensions, &key.labels, &unpriced_calls, &cost, &estimated])?;
    }
    transaction.commit()?;
    Ok(u64::try_from(changed.len()).unwrap_or(u64::MAX))
}

/// Changes by their record's id, each record at most once.
type Round<'r> = HashMap<Uuid, &'r Rerated>;

/// Returns the changes in as many rounds as a record has, in their order.
fn rounds(rerated: &[Rerated]) -> Vec<Round<'_>> {
    let mut rounds: Vec<Round<'_>> = Vec::new();
    for one in rerated.iter().filter(|one| one.old != one.new) {
        let id = Uuid::from_bytes(one.id.to_bytes());
        match rounds.iter_mut().find(|round| !round.contains_key(&id)) {
            Some(round) => {
                round.insert(id, one);
            }
            None => rounds.push(HashMap::from([(id, one)])),
        }
    }
    rounds
}

/// A record that was changed.
struct Changed<'r> {
    id: Uuid,
    rerated: &'r Rerated,
    rollup: RollupKey<DimensionsId>,
    usage_source: UsageSource,
}

fn change<'r>(transaction: &mut Transaction<'_>, wanted: &Round<'r>) -> Result<Vec<Changed<'r>>, Error> {
    let ids: Vec<Uuid> = wanted.keys().copied().collect();
    let old: Vec<&Charge> = wanted.values().map(|rerated| &rerated.old).collect();
    let new: Vec<&Charge> = wanted.values().map(|rerated| &rerated.new).collect();
    let mut parameters: Vec<Column<'_>> = vec![Box::new(ids)];
    parameters.extend(of_charges(&old));
    parameters.extend(of_charges(&new));
    let rows = transaction.query(RECORDS, &columns::refs(&parameters))?;
    let changed = rows.iter().map(|row| changed(row, wanted)).collect::<Result<Vec<_>, Error>>()?;
    Ok(changed.into_iter().flatten().collect())
}

fn changed<'r>(row: &Row, wanted: &Round<'r>) -> Result<Option<Changed<'r>>, Error> {
    let id: Uuid = row.try_get(0)?;
    let at: OffsetDateTime = row.try_get(1)?;
    let dimensions: Uuid = row.try_get(2)?;
    let labels: String = row.try_get(3)?;
    let usage_source = UsageSource::from_name(row.try_get(4)?).unwrap_or(UsageSource::NotApplicable);
    let rollup = RollupKey {
        hour: crate::ledger::store::row::micros(at),
        dimensions: DimensionsId(dimensions.into_bytes()),
        labels: Cow::Owned(labels),
    };
    Ok(wanted.get(&id).map(|rerated| Changed { id, rerated, rollup, usage_source }))
}

/// Keeps what the changed records cost before.
fn keep_old(
    transaction: &mut Transaction<'_>,
    changed: &[Changed<'_>],
    at: OffsetDateTime,
) -> Result<(), Error> {
    let ids: Vec<Uuid> = changed.iter().map(|changed| changed.id).collect();
    let old: Vec<&Charge> = changed.iter().map(|changed| &changed.rerated.old).collect();
    let mut parameters: Vec<Column<'_>> = vec![Box::new(ids)];
    parameters.extend(of_charges(&old));
    parameters.push(Box::new(at));
    transaction.execute(RERATINGS, &columns::refs(&parameters)).map(|_| ())
}

/// Returns what changes in each rollup, in the order in which all writers take them.
fn corrections(changed: &[Changed<'_>]) -> BTreeMap<RollupKey<DimensionsId>, Correction> {
    let mut corrections = BTreeMap::<_, Correction>::new();
    for Changed { rerated, rollup, usage_source, .. } in changed {
        let correction = Correction::between(&rerated.old, &rerated.new, *usage_source);
        corrections.entry(rollup.clone()).or_default().add(&correction);
    }
    corrections
}

fn of_charges<'r>(charges: &[&'r Charge]) -> [Column<'r>; 3] {
    [
        Box::new(charges.iter().map(|charge| charge.cost.map(picos)).collect::<Vec<_>>()),
        Box::new(charges.iter().map(|charge| charge.price_id.as_deref().map(storable)).collect::<Vec<_>>()),
        Box::new(charges.iter().map(|charge| charge.unpriced.as_deref().map(storable)).collect::<Vec<_>>()),
    ]
}
