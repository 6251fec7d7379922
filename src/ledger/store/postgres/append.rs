//! New records, their dimensions and their rollups: one transaction.

use super::columns::{self, NewRecord};
use super::connection::Connection;
use super::partitions;
use crate::domain::Record;
use crate::ledger::store::rollup::Rollups;
use crate::ledger::store::{Dimensions, DimensionsId};
use postgres::{Error, Statement, Transaction};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

const DIMENSIONS: &str = "INSERT INTO dimensions
    (id, service, tags, operation, requested_model, source_model, profile_arn, region, key_id)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[])
    ON CONFLICT DO NOTHING";

const RECORDS: &str = "INSERT INTO records
    (id, started_at, finished_at, dimensions, duration, time_to_first_byte, input_tokens, output_tokens,
     cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, images, queries, text_units, guardrail_images,
     cost, status, client_gone, outcome, usage_source, usage_missing, price_id, unpriced, service_tier, latency_tier,
     invoked_model, aws_request_id, labels, rollup_labels, extras, usage_raw)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::int8[], $6::int8[],
        $7::int8[], $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[],
        $15::int8[], $16::int8[], $17::int2[], $18::bool[], $19::text[], $20::text[], $21::text[], $22::text[],
        $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[],
        $31::text[])
    ON CONFLICT DO NOTHING RETURNING id";

const ROLLUPS: &str = "INSERT INTO rollups AS r
    (hour, dimensions, labels, calls, failed_calls, estimated_calls, missing_calls, unpriced_calls, input_tokens,
     output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, images, queries, text_units,
     guardrail_images, cost, cost_of_estimates)
    SELECT hour, dimensions, labels, calls, failed, estimated, missing, unpriced, input, output, cache_read,
        cache_write_5m, cache_write_1h, images, queries, text_units, guardrail_images, cost::numeric,
        cost_of_estimates::numeric
    FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
        $9::int8[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[], $15::int8[], $16::int8[],
        $17::int8[], $18::text[], $19::text[])
        AS new (hour, dimensions, labels, calls, failed, estimated, missing, unpriced, input, output, cache_read,
            cache_write_5m, cache_write_1h, images, queries, text_units, guardrail_images, cost, cost_of_estimates)
    ON CONFLICT (hour, dimensions, labels) DO UPDATE SET
        calls = r.calls + excluded.calls,
        failed_calls = r.failed_calls + excluded.failed_calls,
        estimated_calls = r.estimated_calls + excluded.estimated_calls,
        missing_calls = r.missing_calls + excluded.missing_calls,
        unpriced_calls = r.unpriced_calls + excluded.unpriced_calls,
        input_tokens = r.input_tokens + excluded.input_tokens,
        output_tokens = r.output_tokens + excluded.output_tokens,
        cache_read_tokens = r.cache_read_tokens + excluded.cache_read_tokens,
        cache_write_5m_tokens = r.cache_write_5m_tokens + excluded.cache_write_5m_tokens,
        cache_write_1h_tokens = r.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
        images = r.images + excluded.images,
        queries = r.queries + excluded.queries,
        text_units = r.text_units + excluded.text_units,
        guardrail_images = r.guardrail_images + excluded.guardrail_images,
        cost = r.cost + excluded.cost,
        cost_of_estimates = r.cost_of_estimates + excluded.cost_of_estimates";

/// The statements of one batch.
struct Statements {
    dimensions: Statement,
    records: Statement,
    rollups: Statement,
}

/// Adds the records that are new; returns how many.
pub(super) fn append(
    connection: &mut Connection,
    records: &[Record],
    labels: &[String],
) -> Result<u64, Error> {
    let (dimensions, batch) = in_order(records, labels);
    let ids: Vec<Uuid> = batch.iter().map(|new| new.id).collect();
    partitions::ensure(connection, &ids)?;
    let statements = Statements {
        dimensions: connection.prepare(DIMENSIONS)?,
        records: connection.prepare(RECORDS)?,
        rollups: connection.prepare(ROLLUPS)?,
    };
    let mut transaction = connection.client.transaction()?;
    transaction.execute(&statements.dimensions, &columns::refs(&columns::of_dimensions(&dimensions)))?;
    let added = add(&mut transaction, &statements.records, &batch)?;
    let mut rollups = Rollups::default();
    for new in batch.iter().filter(|new| added.contains(&new.id)) {
        rollups.add(&new.rollup, &new.totals);
    }
    let rollups: Vec<_> = rollups.into_iter().collect();
    transaction.execute(&statements.rollups, &columns::refs(&columns::of_rollups(&rollups)))?;
    transaction.commit()?;
    Ok(u64::try_from(added.len()).unwrap_or(u64::MAX))
}

/// Returns the records in the order of their ids, each id once, and their dimensions in the order of theirs.
fn in_order<'r>(
    records: &'r [Record],
    labels: &[String],
) -> (BTreeMap<DimensionsId, Dimensions>, Vec<NewRecord<'r>>) {
    let mut dimensions: BTreeMap<DimensionsId, Dimensions> = BTreeMap::new();
    let mut batch = Vec::with_capacity(records.len());
    let mut last: Option<(Dimensions, DimensionsId)> = None;
    for record in records {
        let (of, id) = last.take().filter(|(last, _)| last.fit(record)).unwrap_or_else(|| {
            let of = Dimensions::of(record);
            let id = of.id();
            dimensions.entry(id).or_insert_with(|| of.clone());
            (of, id)
        });
        batch.push(NewRecord::of(record, id, labels));
        last = Some((of, id));
    }
    batch.sort_by_key(|new| new.id);
    batch.dedup_by_key(|new| new.id);
    (dimensions, batch)
}

fn add(
    transaction: &mut Transaction<'_>,
    statement: &Statement,
    batch: &[NewRecord<'_>],
) -> Result<HashSet<Uuid>, Error> {
    let columns = columns::of_records(batch);
    let rows = transaction.query(statement, &columns::refs(&columns))?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
