//! Records for people.

use super::Sink;
use crate::cli::amount::Decimals;
use crate::cli::grid::{Align, Column, Grid, thousands};
use crate::cli::screen::Screen;
use crate::domain::{ModelId, Outcome, Record, UsageSource};
use crate::ledger::report::to_zoned;
use jiff::tz::TimeZone;
use std::io::{self, Write};

/// How many records are held back to find out how wide the columns are.
const BLOCK: usize = 500;

/// The narrowest terminal on which times have years.
const ROOM_FOR_YEARS: usize = 100;

/// The columns: their headings, alignment, and when they are left out for want of width.
const COLUMNS: [(&str, Align, u8); 9] = [
    ("TIME", Align::Right, 0),
    ("SERVICE", Align::Left, 0),
    ("MODEL", Align::Left, 0),
    ("OUTCOME", Align::Right, 0),
    ("IN", Align::Right, 0),
    ("OUT", Align::Right, 0),
    ("COST USD", Align::Right, 0),
    ("MS", Align::Right, 2),
    ("ID", Align::Right, 1),
];

/// Records under headings, in blocks whose columns are as wide as they need to be.
pub(super) struct Table<'a> {
    out: &'a mut dyn Write,
    screen: Screen,
    zone: &'a TimeZone,
    waiting: Vec<Vec<String>>,
    has_begun: bool,
    left_out: Vec<String>,
}

impl<'a> Table<'a> {
    pub(super) fn new(out: &'a mut dyn Write, screen: Screen, zone: &'a TimeZone) -> Self {
        Self { out, screen, zone, waiting: Vec::new(), has_begun: false, left_out: Vec::new() }
    }

    fn row(&self, record: &Record) -> Vec<String> {
        let tokens = &record.usage.tokens;
        let written = [tokens.cache_write_5m, tokens.cache_write_1h];
        let input = [tokens.input, tokens.cache_read]
            .into_iter()
            .chain(written)
            .flatten()
            .reduce(u64::saturating_add);
        let is_estimate = record.usage_source == UsageSource::Estimated;
        let count = |tokens: Option<u64>| match tokens {
            Some(tokens) => {
                format!("{}{}", if is_estimate { "~" } else { "" }, thousands(&tokens.to_string()))
            }
            None => "-".to_owned(),
        };
        let model = record.source_model.as_ref().or(record.requested_model.as_ref());
        let is_narrow = self.screen.width.is_some_and(|width| width < ROOM_FOR_YEARS);
        let time = if is_narrow { "%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        vec![
            to_zoned(record.started_at, self.zone).strftime(time).to_string(),
            record.service.to_string(),
            model.map_or_else(|| record.operation.to_string(), ModelId::to_string),
            outcome(record),
            count(input),
            count(tokens.output),
            cost(record),
            thousands(&record.duration.as_millis().to_string()),
            record.id.to_string(),
        ]
    }

    fn write_block(&mut self) -> io::Result<()> {
        let columns =
            COLUMNS.map(|(heading, align, rank)| Column { heading: heading.to_owned(), align, rank });
        let rows = self.waiting.iter().map(Vec::as_slice);
        let grid = Grid::new(columns.to_vec(), rows, self.screen.width);
        if !std::mem::replace(&mut self.has_begun, true) {
            writeln!(self.out, "{}", self.screen.paint.bold(grid.headings().trim_end()))?;
        }
        for row in self.waiting.drain(..) {
            writeln!(self.out, "{}", grid.line(&row).trim_end())?;
        }
        self.left_out = grid.left_out().into_iter().map(str::to_owned).collect();
        Ok(())
    }
}

impl Sink for Table<'_> {
    fn take(&mut self, record: &Record) -> io::Result<()> {
        self.waiting.push(self.row(record));
        if self.waiting.len() < BLOCK { Ok(()) } else { self.write_block() }
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write_block()?;
        }
        if !self.has_begun {
            writeln!(self.out, "no calls")?;
        }
        if !self.left_out.is_empty() {
            let left_out = self.left_out.join(", ");
            writeln!(self.out, "\nleft out for want of width: {left_out} (--format jsonl has all)")?;
        }
        self.out.flush()
    }
}

/// Returns the status where all went well, else what happened, with the status if there was one.
fn outcome(record: &Record) -> String {
    let status = record.status.map_or_else(String::new, |status| status.to_string());
    if record.outcome == Outcome::Ok {
        return status;
    }
    format!("{status} {}", record.outcome.name()).trim_start().to_owned()
}

fn cost(record: &Record) -> String {
    match (record.cost, &record.unpriced, record.usage_source) {
        (Some(cost), _, _) => Decimals::MOST.show(cost),
        (None, Some(_), _) => "no price".to_owned(),
        (None, None, UsageSource::Missing) => "unknown".to_owned(),
        (None, None, _) => "-".to_owned(),
    }
}
