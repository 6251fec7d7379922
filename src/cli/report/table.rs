//! A report for people: a table with totals and shares, and on a terminal with bars.

use super::Failure;
use super::measures::{Value, data, measures, percent, zone_name};
use crate::cli::amount::Decimals;
use crate::cli::grid::{Align, Column, Grid, thousands};
use crate::cli::screen::{Paint, Screen};
use crate::cli::table::counted;
use crate::domain::Money;
use crate::ledger::report::{Cell, Dimension, Period, Query, Report, to_zoned};
use crate::ledger::store::Totals;
use std::io::{self, Write};

/// The narrowest and the widest bar, in characters.
const BAR: std::ops::RangeInclusive<usize> = 8..=40;

/// The narrowest terminal on which there are bars.
const ROOM_FOR_BARS: usize = 60;

/// The numbers that a table shows: under which heading, and when they are left out for want of width.
const SHOWN: [(&str, &str, u8); 13] = [
    ("calls", "CALLS", 0),
    ("failed_calls", "FAILED", 5),
    ("input_tokens", "INPUT", 3),
    ("output_tokens", "OUTPUT", 4),
    ("cache_read_tokens", "CACHE READ", 7),
    ("cache_write_5m_tokens", "CACHE WRITE 5M", 8),
    ("cache_write_1h_tokens", "CACHE WRITE 1H", 9),
    ("images", "IMAGES", 6),
    ("queries", "QUERIES", 6),
    ("text_units", "TEXT UNITS", 6),
    ("guardrail_images", "GUARD IMAGES", 6),
    ("estimated_cost_usd", "COST USD", 0),
    ("share_percent", "SHARE", 2),
];

/// Writes the table, and below it what the numbers do not say.
pub(super) fn write(
    out: &mut dyn Write,
    query: &Query,
    report: &Report,
    screen: Screen,
) -> Result<(), Failure> {
    writeln!(out, "{}", title(query))?;
    if report.groups.is_empty() {
        writeln!(out, "no calls")?;
        return Ok(());
    }
    let lines = Lines::of(query, report);
    let rows = lines.rows.iter().chain([&lines.total]).map(Vec::as_slice);
    let room = screen.width.map(|width| if width < ROOM_FOR_BARS { width } else { width - BAR.start() - 2 });
    let grid = Grid::new(lines.columns.clone(), rows, room);
    let bar = screen.width.filter(|width| *width >= ROOM_FOR_BARS);
    let bar = bar.map_or(0, |width| width.saturating_sub(grid.width() + 2).min(*BAR.end()));
    let largest = report.groups.iter().map(|group| group.totals.cost).max().unwrap_or_default();
    writeln!(out, "{}", screen.paint.bold(grid.headings().trim_end()))?;
    for (row, group) in lines.rows.iter().zip(&report.groups) {
        let bar = screen.paint.bar(&bar_of(group.totals.cost, largest, bar));
        writeln!(out, "{}", format!("{}  {bar}", grid.line(row)).trim_end())?;
    }
    writeln!(out, "{}", screen.paint.bold(grid.line(&lines.total).trim_end()))?;
    write_notes(out, &report.totals, &grid, screen.paint)?;
    Ok(())
}

fn title(query: &Query) -> String {
    let show = |at| to_zoned(at, &query.zone).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let (since, until) = (show(query.span.since), show(query.span.until));
    let whose = query.service.as_ref().map_or_else(String::new, |service| format!(", service {service}"));
    format!("Estimated cost from {since} to {until} {}{whose}\n", zone_name(&query.zone))
}

/// The cells of a table as text.
struct Lines {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    total: Vec<String>,
}

impl Lines {
    fn of(query: &Query, report: &Report) -> Self {
        let all = report.totals.cost;
        let decimals = Decimals::of(report.groups.iter().map(|group| group.totals.cost).chain([all]));
        let shown = shown(&report.totals);
        let numbers = |totals: &Totals| -> Vec<String> {
            let values = measures(totals, all);
            let value = |name: &str| values.iter().find(|(one, _)| *one == name).map(|(_, value)| *value);
            shown.iter().filter_map(|(name, ..)| Some(text(value(name)?, decimals))).collect()
        };
        let names = query.by.iter().map(|dimension| column(&dimension.to_string(), Align::Left, 0));
        let columns =
            names.chain(shown.iter().map(|(_, heading, rank)| column(heading, Align::Right, *rank)));
        let rows = report.groups.iter().map(|group| {
            let cells = group.cells.iter().zip(&query.by).map(|(cell, by)| name(cell, by, query));
            cells.chain(numbers(&group.totals)).collect()
        });
        let total = (0..query.by.len()).map(|at| if at == 0 { "total".to_owned() } else { String::new() });
        Self {
            columns: columns.collect(),
            rows: rows.collect(),
            total: total.chain(numbers(&report.totals)).collect(),
        }
    }
}

fn column(heading: &str, align: Align, rank: u8) -> Column {
    Column { heading: heading.to_uppercase(), align, rank }
}

/// Returns the columns of numbers that say something: a count that is zero everywhere does not.
fn shown(totals: &Totals) -> Vec<(&'static str, &'static str, u8)> {
    let all = measures(totals, totals.cost);
    let is_empty = |name: &str| all.iter().any(|(one, value)| *one == name && *value == Value::Count(0));
    SHOWN.into_iter().filter(|(name, ..)| !is_empty(name)).collect()
}

fn text(value: Value, decimals: Decimals) -> String {
    match value {
        Value::Count(count) => thousands(&count.to_string()),
        Value::Usd(amount) => decimals.show(amount),
        Value::Percent(None) => "-".to_owned(),
        Value::Percent(Some(hundredths)) => {
            // Tenths of a percent are enough to the eye.
            let tenths = percent(hundredths.saturating_add(5).div_euclid(10).saturating_mul(10));
            format!("{}%", tenths.get(..tenths.len().saturating_sub(1)).unwrap_or_default())
        }
    }
}

fn name(cell: &Cell, by: &Dimension, query: &Query) -> String {
    if let (Cell::Time(at), Some(period)) = (cell, by.period()) {
        let form = match period {
            Period::Hour if zone_name(&query.zone) == "UTC" => "%Y-%m-%d %H:%M",
            Period::Hour => "%Y-%m-%d %H:%M%:z",
            Period::Day => "%Y-%m-%d",
            Period::Month => "%Y-%m",
        };
        return to_zoned(*at, &query.zone).strftime(form).to_string();
    }
    data(cell, &query.zone).unwrap_or_else(|| "(none)".to_owned())
}

/// Returns a bar in proportion to the largest, in eighths of a character.
fn bar_of(cost: Money, largest: Money, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let whole = u128::try_from(width).unwrap_or(0).saturating_mul(8);
    let (cost, largest) = (cost.picos().max(0).unsigned_abs(), largest.picos().max(0).unsigned_abs());
    let eighths = cost.saturating_mul(whole).checked_div(largest).unwrap_or(0);
    let part = usize::try_from(eighths % 8).unwrap_or(0);
    "█".repeat(usize::try_from(eighths / 8).unwrap_or(0)) + EIGHTHS.get(part).unwrap_or(&"")
}

fn write_notes(out: &mut dyn Write, totals: &Totals, grid: &Grid, paint: Paint) -> io::Result<()> {
    let mut notes = Vec::new();
    if totals.unpriced_calls > 0 {
        notes.push(paint.warning(&format!(
            "without a price, and not in the cost: {}; `tollgate prices check` names the models",
            counted_calls(totals.unpriced_calls)
        )));
    }
    if totals.missing_calls > 0 {
        notes.push(paint.warning(&format!(
            "without a word on their usage, and in no sum: {}; `tollgate records --format jsonl` says why, in \
             `usage_missing`",
            counted_calls(totals.missing_calls)
        )));
    }
    if totals.estimated_calls > 0 {
        let cost = Decimals::of([totals.cost_of_estimates]).show(totals.cost_of_estimates);
        let calls = counted_calls(totals.estimated_calls);
        notes.push(format!(
            "on estimated usage, of calls that were cut short: {cost} USD of the cost, {calls}"
        ));
    }
    let left_out = grid.left_out();
    if !left_out.is_empty() {
        notes.push(format!("left out for want of width: {} (--format csv has all)", left_out.join(", ")));
    }
    if !notes.is_empty() {
        writeln!(out)?;
    }
    notes.into_iter().try_for_each(|note| writeln!(out, "{note}"))
}

fn counted_calls(calls: u64) -> String {
    usize::try_from(calls).map_or_else(|_| format!("{calls} calls"), |calls| counted(calls, "call"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion() {
        let bar = |cost, largest| bar_of(Money::from_picos(cost), Money::from_picos(largest), 4);
        assert_eq!([bar(4, 4), bar(2, 4), bar(1, 32), bar(0, 4), bar(0, 0)], ["████", "██", "▏", "", ""]);
        assert_eq!(bar(31, 32), "███▉");
        assert_eq!(bar(-1, 4), "");
    }

    #[test]
    fn shares_have_one_decimal() {
        let shown = |hundredths| text(Value::Percent(Some(hundredths)), Decimals::MOST);
        assert_eq!([shown(10_000), shown(4), shown(5), shown(3333)], ["100.0%", "0.0%", "0.1%", "33.3%"]);
        assert_eq!(text(Value::Percent(None), Decimals::MOST), "-");
    }
}
