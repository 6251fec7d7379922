//! Totals, added up by the database.

use super::connection::Connection;
use super::months::{end_id_at, first_id_at};
use super::reading::Vocabulary;
use super::{From, Grain, Slice, Span, fault};
use crate::domain::Money;
use crate::ledger::store::Totals;
use crate::ledger::store::row::map_of;
use postgres::{Error, Row};
use uuid::Uuid;

/// Numbers of calls: in records, and in rollups.
const CALLS: [(&str, &str); 5] = [
    ("count(*)", "calls"),
    ("count(*) FILTER (WHERE outcome <> 'ok')", "failed_calls"),
    ("count(*) FILTER (WHERE usage_source = 'estimated')", "estimated_calls"),
    ("count(*) FILTER (WHERE usage_source = 'missing')", "missing_calls"),
    ("count(*) FILTER (WHERE unpriced IS NOT NULL)", "unpriced_calls"),
];

/// Amounts, under the same names in records and in rollups.
const AMOUNTS: [&str; 10] = [
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
];

/// The last sum: in records, and in rollups.
const COST_OF_ESTIMATES: (&str, &str) =
    ("sum(cost) FILTER (WHERE usage_source = 'estimated')", "sum(cost_of_estimates)");

/// Sums as the database made them, with the dimensions that they refer to.
pub(super) struct Sums {
    rows: Vec<Row>,
    known: Vocabulary,
}

/// Adds up a span.
pub(super) fn sums(connection: &mut Connection, span: Span, grain: Grain, from: From) -> Result<Sums, Error> {
    let Span { since, until } = span;
    let rows = match from {
        From::Rollups => connection.client.query(&of_rollups(grain), &[&since, &until])?,
        From::Records => {
            let (first, end) = (first_id_at(since), end_id_at(until));
            connection.client.query(&of_records(grain), &[&since, &until, &first, &end])?
        }
    };
    let mut known = Vocabulary::default();
    let dimensions: Result<Vec<Uuid>, Error> = rows.iter().map(|row| row.try_get(0)).collect();
    known.learn(&mut connection.client, dimensions?)?;
    Ok(Sums { rows, known })
}

fn of_rollups(grain: Grain) -> String {
    let at = piece(grain, "hour");
    let sums = all_sums(CALLS.map(|(_, calls)| format!("sum({calls})")), COST_OF_ESTIMATES.1);
    format!(
        "SELECT dimensions, labels, {at}, {sums} FROM rollups
         WHERE hour >= $1 AND hour < $2 GROUP BY 1, 2, 3"
    )
}

fn of_records(grain: Grain) -> String {
    let at = piece(grain, "started_at");
    let sums = all_sums(CALLS.map(|(calls, _)| calls.to_owned()), COST_OF_ESTIMATES.0);
    format!(
        "SELECT dimensions, COALESCE(labels, '{{}}'), {at}, {sums} FROM records
         WHERE started_at >= $1 AND started_at < $2 AND id >= $3 AND id < $4 GROUP BY 1, 2, 3"
    )
}

/// Returns all sums as SQL, in the order of [`totals_of`]: exact, so as texts.
fn all_sums(calls: [String; 5], cost_of_estimates: &str) -> String {
    let amounts = AMOUNTS.map(|amount| format!("sum({amount})"));
    let all = calls.into_iter().chain(amounts).chain([cost_of_estimates.to_owned()]);
    all.map(|sum| format!("({sum})::text")).collect::<Vec<_>>().join(", ")
}

/// Returns when the piece of time began in which a moment falls, as SQL.
fn piece(grain: Grain, moment: &str) -> String {
    let stride = match grain {
        Grain::Whole => return "NULL::timestamptz".to_owned(),
        Grain::Hour => "1 hour",
        Grain::Quarter => "15 minutes",
    };
    format!("date_bin('{stride}', {moment}, 'epoch')")
}

/// Returns sums as slices; the error says what is wrong with one.
pub(super) fn slices(sums: &Sums) -> Result<Vec<Slice>, String> {
    sums.rows.iter().map(|row| slice(row, &sums.known)).collect()
}

fn slice(row: &Row, known: &Vocabulary) -> Result<Slice, String> {
    let broken = |error: Error| fault::reason(&error);
    Ok(Slice {
        dimensions: known.find(row.try_get(0).map_err(broken)?)?,
        labels: map_of(row.try_get(1).map_err(broken)?)?,
        at: row.try_get(2).map_err(broken)?,
        totals: totals_of(row).map_err(broken)?,
    })
}

fn totals_of(row: &Row) -> Result<Totals, Error> {
    let sum = |column: usize| {
        let sum: Option<&str> = row.try_get(column)?;
        Ok(sum.map_or(0, clamped))
    };
    let count = |column| sum(column).map(|sum| u64::try_from(sum.max(0)).unwrap_or(u64::MAX));
    let money = |column| sum(column).map(Money::from_picos);
    Ok(Totals {
        calls: count(3)?,
        failed_calls: count(4)?,
        estimated_calls: count(5)?,
        missing_calls: count(6)?,
        unpriced_calls: count(7)?,
        input_tokens: count(8)?,
        output_tokens: count(9)?,
        cache_read_tokens: count(10)?,
        cache_write_5m_tokens: count(11)?,
        cache_write_1h_tokens: count(12)?,
        images: count(13)?,
        queries: count(14)?,
        text_units: count(15)?,
        guardrail_images: count(16)?,
        cost: money(17)?,
        cost_of_estimates: money(18)?,
    })
}

/// Returns an integer; what 128 bits cannot hold is clamped.
fn clamped(digits: &str) -> i128 {
    let limit = if digits.starts_with('-') { i128::MIN } else { i128::MAX };
    digits.parse().unwrap_or(limit)
}
