//! Totals, from rollups or from records. They are added up here, not in SQL: a scan is what either costs, SQLite would
//! sort before it groups, and its integers overflow.

use super::columns::{self, RECORD_TO_SUM, SUMS};
use super::fault::Fault;
use super::known::Known;
use super::records::IdRange;
use crate::ledger::store::rollup::HOUR;
use crate::ledger::store::row::{map_of, micros, time_of};
use crate::ledger::store::{Grain, Slice, Span, Totals};
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Totals by what calls share.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Each text of labels, and its number.
    labels: HashMap<String, usize>,
    sums: HashMap<Group, Totals>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group {
    dimensions: i64,
    labels: usize,
    at: Option<i64>,
}

impl Sums {
    fn add(&mut self, dimensions: i64, labels: &str, at: Option<i64>, totals: &Totals) {
        let labels = self.number(labels);
        self.sums.entry(Group { dimensions, labels, at }).or_default().add(totals);
    }

    fn number(&mut self, labels: &str) -> usize {
        let next = self.labels.len();
        if let Some(number) = self.labels.get(labels) {
            return *number;
        }
        self.labels.insert(labels.to_owned(), next);
        next
    }

    /// Returns one slice per group.
    pub(super) fn slices(self, connection: &Connection, known: &mut Known) -> Result<Vec<Slice>, Fault> {
        let texts: HashMap<usize, String> =
            self.labels.into_iter().map(|(labels, number)| (number, labels)).collect();
        let mut slices = Vec::with_capacity(self.sums.len());
        for (group, totals) in self.sums {
            let labels = texts.get(&group.labels).map_or("{}", String::as_str);
            slices.push(Slice {
                dimensions: known.dimensions(connection, group.dimensions)?,
                labels: map_of(labels)?,
                at: group.at.and_then(time_of),
                totals,
            });
        }
        Ok(slices)
    }
}

/// Adds up the rollups of a span.
pub(super) fn of_rollups(connection: &Connection, span: Span, grain: Grain) -> Result<Sums, Fault> {
    let sql = format!(
        "SELECT dimensions, labels, hour, {} FROM rollups WHERE hour >= ? AND hour < ?",
        SUMS.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([micros(span.since), micros(span.until)])?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next()? {
        let at = piece(grain, row.get(2)?);
        sums.add(row.get(0)?, row.get_ref(1)?.as_str()?, at, &columns::read_sums(row, 3)?);
    }
    Ok(sums)
}

/// Adds up the records of a span.
pub(super) fn of_records(connection: &Connection, span: Span, grain: Grain) -> Result<Sums, Fault> {
    let ids = IdRange::of(span);
    let mut statement = connection.prepare(&format!(
        "SELECT {RECORD_TO_SUM} FROM records WHERE id >= ? AND id < ? AND started_at >= ? AND started_at < ?"
    ))?;
    let mut rows = statement.query(params![ids.first, ids.end, micros(span.since), micros(span.until)])?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next()? {
        let (dimensions, row) = columns::read(row)?;
        let labels = row.labels.as_deref().unwrap_or("{}");
        sums.add(dimensions, labels, piece(grain, row.started_at), &row.totals()?);
    }
    Ok(sums)
}

/// Returns when the piece of time that a moment lies in began.
fn piece(grain: Grain, moment: i64) -> Option<i64> {
    let length = match grain {
        Grain::Whole => return None,
        Grain::Hour => HOUR,
        Grain::Quarter => HOUR / 4,
    };
    Some(moment.saturating_sub(moment.rem_euclid(length)))
}
