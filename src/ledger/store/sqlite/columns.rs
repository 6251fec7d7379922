//! The columns of a record and of a rollup's sums, in the order in which statements name them.

use super::fault::Fault;
use super::upstream_id::UpstreamId;
use crate::domain::Money;
use crate::ledger::store::Totals;
use crate::ledger::store::rollup::RollupKey;
use crate::ledger::store::row::{Row, count, picos};
use rusqlite::{Statement, ToSql};
use std::borrow::Cow;

/// A record's columns, to write.
pub(super) const RECORD: &str = "id, dimensions, started_at, finished_after, status, outcome, client_gone, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, \
    extras, usage_source, usage_missing, usage_raw, service_tier, latency_tier, invoked_model, \
    cost, price, unpriced, time_to_first_byte, duration, aws_request_id, labels, rollup_labels";

/// A record's columns, to read.
pub(super) const RECORD_TO_READ: &str = "id, dimensions, started_at, finished_after, status, outcome, client_gone, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, \
    extras, usage_source, usage_missing, usage_raw, service_tier, latency_tier, invoked_model, \
    cost, (SELECT prices.id FROM prices WHERE key = price), unpriced, time_to_first_byte, duration, \
    aws_request_id, labels";

/// A record's columns, with `NULL` for those that no sum needs.
pub(super) const RECORD_TO_SUM: &str = "id, dimensions, started_at, 0, NULL, outcome, 0, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, \
    extras, usage_source, NULL, NULL, NULL, NULL, NULL, \
    cost, NULL, unpriced, NULL, 0, NULL, labels";

/// The sums of a rollup.
pub(super) const SUMS: [&str; 16] = [
    "calls",
    "failed_calls",
    "estimated_calls",
    "missing_calls",
    "unpriced_calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "images",
    "queries",
    "text_units",
    "guardrail_images",
    "cost",
    "cost_of_estimates",
];

/// A record that may be new, with all that its columns need.
#[derive(Debug)]
pub(super) struct NewRecord<'r> {
    /// Its own columns.
    pub(super) row: Row<'r>,
    /// Its rollup, and the key of its dimensions.
    pub(super) rollup: RollupKey<i64>,
    /// The key of its prices.
    pub(super) price: Option<i64>,
}

/// Gives a statement the values of [`RECORD`], save those that it has from the record before: most are the same in many
/// records, and SQLite copies each text.
pub(super) fn bind(
    to: &mut Statement<'_>,
    record: &NewRecord<'_>,
    before: Option<&NewRecord<'_>>,
) -> rusqlite::Result<()> {
    let row = &record.row;
    let mut values = Values { to, record, before, column: 0 };
    values.bind_new(row.id)?;
    values.bind(|of| of.rollup.dimensions)?;
    values.bind(|of| of.row.started_at)?;
    values.bind(|of| of.row.finished_at.saturating_sub(of.row.started_at))?;
    values.bind(|of| of.row.status)?;
    values.bind(|of| of.row.outcome)?;
    values.bind(|of| of.row.client_gone)?;
    values.bind(|of| of.row.input_tokens)?;
    values.bind(|of| of.row.output_tokens)?;
    values.bind(|of| of.row.cache_read_tokens)?;
    values.bind(|of| of.row.cache_write_5m_tokens)?;
    values.bind(|of| of.row.cache_write_1h_tokens)?;
    values.bind(|of| of.row.extras.as_deref())?;
    values.bind(|of| of.row.usage_source)?;
    values.bind(|of| of.row.usage_missing)?;
    values.bind_new(row.usage_raw)?;
    values.bind(|of| of.row.service_tier)?;
    values.bind(|of| of.row.latency_tier)?;
    values.bind(|of| of.row.invoked_model)?;
    values.bind(|of| of.row.cost)?;
    values.bind(|of| of.price)?;
    values.bind(|of| of.row.unpriced)?;
    values.bind(|of| of.row.time_to_first_byte)?;
    values.bind(|of| of.row.duration)?;
    values.bind_new(row.aws_request_id.as_deref().map(UpstreamId::of))?;
    values.bind(|of| of.row.labels.as_deref())?;
    values.bind(|of| of.rollup.labels_of_record())
}

/// The values of a statement, column by column.
struct Values<'v, 's> {
    to: &'v mut Statement<'s>,
    record: &'v NewRecord<'v>,
    before: Option<&'v NewRecord<'v>>,
    column: usize,
}

impl<'v> Values<'v, '_> {
    /// Gives the next column its value, unless it has it.
    fn bind<T: ToSql + PartialEq>(&mut self, of: impl Fn(&'v NewRecord<'v>) -> T) -> rusqlite::Result<()> {
        let value = of(self.record);
        if self.before.is_some_and(|before| of(before) == value) {
            self.column += 1;
            return Ok(());
        }
        self.bind_new(value)
    }

    /// Gives the next column a value that hardly any two records share.
    fn bind_new(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.column += 1;
        self.to.raw_bind_parameter(self.column, value)
    }
}

/// Reads [`RECORD_TO_READ`] or [`RECORD_TO_SUM`]: the key of its dimensions, and the rest.
pub(super) fn read<'r>(row: &'r rusqlite::Row<'_>) -> Result<(i64, Row<'r>), Fault> {
    let integer = |column| row.get_ref(column)?.as_i64().map_err(Fault::from);
    let count = |column| row.get_ref(column)?.as_i64_or_null().map_err(Fault::from);
    let text = |column| row.get_ref(column)?.as_str().map_err(Fault::from);
    let some_text = |column| row.get_ref(column)?.as_str_or_null().map_err(Fault::from);
    let started_at = integer(2)?;
    let record = Row {
        id: row.get(0)?,
        started_at,
        finished_at: started_at.saturating_add(integer(3)?),
        status: row.get(4)?,
        outcome: text(5)?,
        client_gone: row.get(6)?,
        input_tokens: count(7)?,
        output_tokens: count(8)?,
        cache_read_tokens: count(9)?,
        cache_write_5m_tokens: count(10)?,
        cache_write_1h_tokens: count(11)?,
        extras: some_text(12)?.map(Cow::Borrowed),
        usage_source: text(13)?,
        usage_missing: some_text(14)?,
        usage_raw: some_text(15)?,
        service_tier: some_text(16)?,
        latency_tier: some_text(17)?,
        invoked_model: some_text(18)?,
        cost: count(19)?,
        price_id: some_text(20)?,
        unpriced: some_text(21)?,
        time_to_first_byte: count(22)?,
        duration: integer(23)?,
        aws_request_id: UpstreamId::read(row.get_ref(24)?)?,
        labels: some_text(25)?.map(Cow::Borrowed),
    };
    Ok((integer(1)?, record))
}

/// Returns totals as the values of [`SUMS`].
pub(super) fn sums(totals: &Totals) -> [i64; 16] {
    [
        count(totals.calls),
        count(totals.failed_calls),
        count(totals.estimated_calls),
        count(totals.missing_calls),
        count(totals.unpriced_calls),
        count(totals.input_tokens),
        count(totals.output_tokens),
        count(totals.cache_read_tokens),
        count(totals.cache_write_5m_tokens),
        count(totals.cache_write_1h_tokens),
        count(totals.images),
        count(totals.queries),
        count(totals.text_units),
        count(totals.guardrail_images),
        picos(totals.cost),
        picos(totals.cost_of_estimates),
    ]
}

/// Reads [`SUMS`], the first of which is in column `first`.
pub(super) fn read_sums(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Totals> {
    let mut columns = first..;
    let mut integer = || row.get::<_, i64>(columns.next().unwrap_or(first));
    let mut count = || Ok::<_, rusqlite::Error>(u64::try_from(integer()?).unwrap_or_default());
    Ok(Totals {
        calls: count()?,
        failed_calls: count()?,
        estimated_calls: count()?,
        missing_calls: count()?,
        unpriced_calls: count()?,
        input_tokens: count()?,
        output_tokens: count()?,
        cache_read_tokens: count()?,
        cache_write_5m_tokens: count()?,
        cache_write_1h_tokens: count()?,
        images: count()?,
        queries: count()?,
        text_units: count()?,
        guardrail_images: count()?,
        cost: Money::from_picos(integer()?.into()),
        cost_of_estimates: Money::from_picos(integer()?.into()),
    })
}
