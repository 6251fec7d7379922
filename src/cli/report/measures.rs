//! What is told of each group, in the order and with the names of the data formats.

use crate::domain::Money;
use crate::ledger::report::{Cell, Dimension, Group, Query, Report, share_of, to_zoned};
use crate::ledger::store::Totals;
use jiff::tz::TimeZone;
use time::OffsetDateTime;

/// A number of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// How many there are.
    Count(u64),
    /// US dollars.
    Usd(Money),
    /// Hundredths of a percent, rounded; `None` where the whole is nothing.
    Percent(Option<i128>),
}

/// Returns the numbers of totals, where all groups together cost `all`.
pub(super) fn measures(totals: &Totals, all: Money) -> [(&'static str, Value); 17] {
    [
        ("calls", Value::Count(totals.calls)),
        ("failed_calls", Value::Count(totals.failed_calls)),
        ("estimated_calls", Value::Count(totals.estimated_calls)),
        ("missing_calls", Value::Count(totals.missing_calls)),
        ("unpriced_calls", Value::Count(totals.unpriced_calls)),
        ("input_tokens", Value::Count(totals.input_tokens)),
        ("output_tokens", Value::Count(totals.output_tokens)),
        ("cache_read_tokens", Value::Count(totals.cache_read_tokens)),
        ("cache_write_5m_tokens", Value::Count(totals.cache_write_5m_tokens)),
        ("cache_write_1h_tokens", Value::Count(totals.cache_write_1h_tokens)),
        ("images", Value::Count(totals.images)),
        ("queries", Value::Count(totals.queries)),
        ("text_units", Value::Count(totals.text_units)),
        ("guardrail_images", Value::Count(totals.guardrail_images)),
        ("estimated_cost_usd", Value::Usd(totals.cost)),
        ("cost_of_estimated_usage_usd", Value::Usd(totals.cost_of_estimates)),
        ("share_percent", Value::Percent(share_of(totals.cost, all))),
    ]
}

/// Returns a share with its two decimals.
pub(super) fn percent(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let size = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

/// Returns a cell as data: times by RFC 3339 with the zone's offset; `None` where there is nothing.
pub(super) fn data(cell: &Cell, zone: &TimeZone) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.clone()),
        Cell::Time(at) => Some(stamped(*at, zone)),
        Cell::Nothing => None,
        Cell::Other => Some("(other)".to_owned()),
    }
}

fn stamped(at: OffsetDateTime, zone: &TimeZone) -> String {
    let local = to_zoned(at, zone);
    let form = if local.offset().is_zero() { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
    local.strftime(form).to_string()
}

/// Returns the names of all columns: the dimensions, then the numbers.
pub(super) fn columns(query: &Query) -> Vec<String> {
    let numbers = measures(&Totals::default(), Money::ZERO);
    let names = query.by.iter().map(Dimension::to_string);
    names.chain(numbers.map(|(name, _)| name.to_owned())).collect()
}

/// Returns the numbers of a report's group.
pub(super) fn of_group(group: &Group, report: &Report) -> [(&'static str, Value); 17] {
    measures(&group.totals, report.totals.cost)
}

/// Returns a time zone's IANA name.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("local").to_owned()
}
