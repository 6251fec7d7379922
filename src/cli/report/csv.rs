//! A report as comma-separated values (RFC 4180): exact amounts, times by RFC 3339, nothing where there is nothing.

use super::Failure;
use super::measures::{Value, columns, data, of_group, percent};
use crate::cli::output::io_error;
use crate::ledger::report::{Group, Query, Report};
use std::io::Write;

/// Writes the groups under the names of their columns.
pub(super) fn write(out: &mut dyn Write, query: &Query, report: &Report) -> Result<(), Failure> {
    let mut rows = csv::Writer::from_writer(out);
    let written = rows.write_record(columns(query)).and_then(|()| {
        let mut groups = report.groups.iter();
        groups.try_for_each(|group| rows.write_record(row(group, query, report)))
    });
    written.map_err(io_error)?;
    rows.flush()?;
    Ok(())
}

fn row(group: &Group, query: &Query, report: &Report) -> Vec<String> {
    let names = group.cells.iter().map(|cell| data(cell, &query.zone).unwrap_or_default());
    names.chain(of_group(group, report).map(|(_, value)| text(value))).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::Count(count) => count.to_string(),
        Value::Usd(amount) => amount.to_string(),
        Value::Percent(share) => share.map_or_else(String::new, percent),
    }
}
