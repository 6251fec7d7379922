//! A report as one JSON document: amounts are decimal strings, exact; what there is not is null.

use super::Failure;
use super::measures::{Value, data, measures, percent, zone_name};
use crate::cli::write_json;
use crate::domain::{Money, ServiceName};
use crate::ledger::report::{Dimension, Query, Report, to_zoned};
use crate::ledger::store::Totals;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::io::Write;
use time::OffsetDateTime;

/// The document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    since: String,
    until: String,
    time_zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a ServiceName>,
    currency: &'static str,
    by: Vec<String>,
    groups: Vec<OneGroup>,
    totals: Numbers,
}

#[derive(Debug, Serialize)]
struct OneGroup {
    by: Shared,
    #[serde(flatten)]
    numbers: Numbers,
}

/// What a group's calls share, by dimension.
#[derive(Debug)]
struct Shared(Vec<(String, Option<String>)>);

/// The numbers of totals, where all groups together cost so much.
#[derive(Debug)]
struct Numbers(Totals, Money);

/// Writes the document.
pub(super) fn write(out: &mut dyn Write, query: &Query, report: &Report) -> Result<(), Failure> {
    let names: Vec<String> = query.by.iter().map(Dimension::to_string).collect();
    let groups = report.groups.iter().map(|group| {
        let cells = group.cells.iter().map(|cell| data(cell, &query.zone));
        let by = Shared(names.iter().cloned().zip(cells).collect());
        OneGroup { by, numbers: Numbers(group.totals, report.totals.cost) }
    });
    let document = Document {
        since: utc(query.span.since),
        until: utc(query.span.until),
        time_zone: zone_name(&query.zone),
        service: query.service.as_ref(),
        currency: "USD",
        groups: groups.collect(),
        by: names.clone(),
        totals: Numbers(report.totals, report.totals.cost),
    };
    write_json(out, &document)
}

fn utc(at: OffsetDateTime) -> String {
    to_zoned(at, &TimeZone::UTC).timestamp().to_string()
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, cell)| (name, cell)))
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in measures(&self.0, self.1) {
            match value {
                Value::Count(count) => map.serialize_entry(name, &count)?,
                Value::Usd(amount) => map.serialize_entry(name, &amount)?,
                Value::Percent(share) => map.serialize_entry(name, &share.map(percent))?,
            }
        }
        map.end()
    }
}
