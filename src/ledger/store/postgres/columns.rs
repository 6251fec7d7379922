//! Rows turned into columns: one array for each, which `unnest` turns into rows again.

use crate::domain::Record;
use crate::ledger::store::rollup::RollupKey;
use crate::ledger::store::row::{Row, count, time_of};
use crate::ledger::store::{Dimensions, DimensionsId, Totals};
use postgres::types::ToSql;
use std::borrow::Cow;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// One array.
pub(super) type Column<'r> = Box<dyn ToSql + Sync + 'r>;

/// A record that may be new, with all that its columns need.
pub(super) struct NewRecord<'r> {
    /// The record.
    pub(super) record: &'r Record,
    /// Its id.
    pub(super) id: Uuid,
    /// Its rollup.
    pub(super) rollup: RollupKey<DimensionsId>,
    /// What it adds there.
    pub(super) totals: Totals,
    row: Row<'r>,
}

impl<'r> NewRecord<'r> {
    /// Returns a record with its columns; `labels` are the keys of the labels that enter rollups.
    pub(super) fn of(record: &'r Record, dimensions: DimensionsId, labels: &[String]) -> Self {
        Self {
            record,
            id: Uuid::from_bytes(record.id.to_bytes()),
            rollup: RollupKey::of(record, dimensions, labels),
            totals: Totals::of(record),
            row: Row::of(record),
        }
    }
}

/// Returns columns as parameters of a statement.
pub(super) fn refs<'c>(columns: &'c [Column<'_>]) -> Vec<&'c (dyn ToSql + Sync)> {
    columns.iter().map(|column| -> &(dyn ToSql + Sync) { column.as_ref() }).collect()
}

fn column<'r, R, T: ToSql + Sync + 'r>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Column<'r> {
    Box::new(rows.iter().map(of).collect::<Vec<T>>())
}

/// Returns the columns of records, in the order of the statement that adds them.
pub(super) fn of_records<'r>(batch: &'r [NewRecord<'r>]) -> Vec<Column<'r>> {
    vec![
        column(batch, |new| new.id),
        column(batch, |new| new.record.started_at),
        column(batch, |new| new.record.finished_at),
        column(batch, |new| Uuid::from_bytes(new.rollup.dimensions.0)),
        column(batch, |new| new.row.duration),
        column(batch, |new| new.row.time_to_first_byte),
        column(batch, |new| new.row.input_tokens),
        column(batch, |new| new.row.output_tokens),
        column(batch, |new| new.row.cache_read_tokens),
        column(batch, |new| new.row.cache_write_5m_tokens),
        column(batch, |new| new.row.cache_write_1h_tokens),
        column(batch, |new| if_any(new.totals.images)),
        column(batch, |new| if_any(new.totals.queries)),
        column(batch, |new| if_any(new.totals.text_units)),
        column(batch, |new| if_any(new.totals.guardrail_images)),
        column(batch, |new| new.row.cost),
        column(batch, |new| new.row.status),
        column(batch, |new| new.row.client_gone),
        column(batch, |new| new.row.outcome),
        column(batch, |new| new.row.usage_source),
        column(batch, |new| new.row.usage_missing),
        column(batch, |new| new.row.price_id.map(storable)),
        column(batch, |new| new.row.unpriced.map(storable)),
        column(batch, |new| new.row.service_tier.map(storable)),
        column(batch, |new| new.row.latency_tier.map(storable)),
        column(batch, |new| new.row.invoked_model),
        column(batch, |new| new.row.aws_request_id.as_deref().map(storable)),
        column(batch, |new| new.row.labels.as_deref()),
        column(batch, |new| new.rollup.labels_of_record()),
        column(batch, |new| new.row.extras.as_deref()),
        column(batch, |new| new.row.usage_raw),
    ]
}

/// Returns the columns of dimensions, in the order of the statement that adds them.
pub(super) fn of_dimensions(dimensions: &BTreeMap<DimensionsId, Dimensions>) -> Vec<Column<'_>> {
    let ids: Vec<Uuid> = dimensions.keys().map(|id| Uuid::from_bytes(id.0)).collect();
    let rows = || dimensions.values().map(Dimensions::row);
    vec![
        Box::new(ids),
        Box::new(rows().map(|row| row.service).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.tags).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.operation).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.requested_model).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.source_model).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.profile_arn).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.region).collect::<Vec<_>>()),
        Box::new(rows().map(|row| row.key_id.map(storable)).collect::<Vec<_>>()),
    ]
}

/// Returns the columns of rollups, in the order of the statement that adds to them.
pub(super) fn of_rollups(rollups: &[(RollupKey<DimensionsId>, Totals)]) -> Vec<Column<'_>> {
    vec![
        column(rollups, |(key, _)| hour(key)),
        column(rollups, |(key, _)| Uuid::from_bytes(key.dimensions.0)),
        column(rollups, |(key, _)| key.labels.as_ref()),
        column(rollups, |(_, sums)| count(sums.calls)),
        column(rollups, |(_, sums)| count(sums.failed_calls)),
        column(rollups, |(_, sums)| count(sums.estimated_calls)),
        column(rollups, |(_, sums)| count(sums.missing_calls)),
        column(rollups, |(_, sums)| count(sums.unpriced_calls)),
        column(rollups, |(_, sums)| count(sums.input_tokens)),
        column(rollups, |(_, sums)| count(sums.output_tokens)),
        column(rollups, |(_, sums)| count(sums.cache_read_tokens)),
        column(rollups, |(_, sums)| count(sums.cache_write_5m_tokens)),
        column(rollups, |(_, sums)| count(sums.cache_write_1h_tokens)),
        column(rollups, |(_, sums)| count(sums.images)),
        column(rollups, |(_, sums)| count(sums.queries)),
        column(rollups, |(_, sums)| count(sums.text_units)),
        column(rollups, |(_, sums)| count(sums.guardrail_images)),
        column(rollups, |(_, sums)| sums.cost.picos().to_string()),
        column(rollups, |(_, sums)| sums.cost_of_estimates.picos().to_string()),
    ]
}

/// Returns when a rollup's hour begins.
pub(super) fn hour<D>(key: &RollupKey<D>) -> OffsetDateTime {
    time_of(key.hour).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Returns a text as PostgreSQL can hold it: without the character NUL, which an upstream may have written as
/// `\u0000`.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn if_any(units: u64) -> Option<i64> {
    (units > 0).then(|| count(units))
}
