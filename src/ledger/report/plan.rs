//! Which part of a span is read from where.

use super::dimension::Dimension;
use super::period::to_zoned;
use super::{Period, Query};
use crate::ledger::store::{From, Grain, Span};
use jiff::tz::TimeZone;
use time::{Duration, OffsetDateTime};

/// How many parts records are read in at least, where there are as many hours: so often progress is told.
const RECORD_PARTS: i64 = 100;

/// A part of a span, and what its totals are added up from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The part.
    pub span: Span,
    /// Where it is read from.
    pub from: From,
}

/// How a span is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How finely totals are split by time.
    pub grain: Grain,
    /// The parts: adjoining, oldest first, and together the span.
    pub parts: Vec<Part>,
}

impl Plan {
    /// Returns how a query is answered by a store whose rollups have the labels `label_keys`: whole hours of UTC from
    /// rollups, the rest from records; all of it from records where rollups do not tell enough.
    pub fn of(query: &Query, label_keys: &[String]) -> Self {
        let grain = grain_of(query);
        let needs_records =
            |dimension: &Dimension| matches!(dimension, Dimension::Label(key) if !label_keys.contains(key));
        let parts = if grain == Grain::Quarter || query.by.iter().any(needs_records) {
            from_records(query.span)
        } else {
            mostly_from_rollups(query.span)
        };
        Self { grain, parts }
    }
}

fn grain_of(query: &Query) -> Grain {
    let periods: Vec<Period> = query.by.iter().filter_map(Dimension::period).collect();
    if periods.is_empty() {
        Grain::Whole
    } else if is_whole_hours(&query.zone, query.span) {
        Grain::Hour
    } else {
        Grain::Quarter
    }
}

/// Tells whether a zone is whole hours from UTC throughout a span.
fn is_whole_hours(zone: &TimeZone, span: Span) -> bool {
    let (since, until) = (to_zoned(span.since, zone), to_zoned(span.until, zone));
    let changes =
        zone.following(since.timestamp()).take_while(|change| change.timestamp() < until.timestamp());
    changes.map(|change| change.offset()).chain([since.offset()]).all(|offset| offset.seconds() % 3600 == 0)
}

fn mostly_from_rollups(span: Span) -> Vec<Part> {
    let (first, last) = (next_hour(span.since), this_hour(span.until));
    if first >= last {
        return from_records(span);
    }
    let rollups = Part { span: Span { since: first, until: last }, from: From::Rollups };
    let mut parts = from_records(Span { since: span.since, until: first });
    parts.push(rollups);
    parts.extend(from_records(Span { since: last, until: span.until }));
    parts
}

fn from_records(span: Span) -> Vec<Part> {
    let step = Duration::hours(((span.until - span.since).whole_hours() / RECORD_PARTS).max(1));
    let mut parts = Vec::new();
    let mut since = span.since;
    while since < span.until {
        let until = this_hour(since).checked_add(step).map_or(span.until, |until| until.min(span.until));
        parts.push(Part { span: Span { since, until }, from: From::Records });
        since = until;
    }
    parts
}

fn this_hour(at: OffsetDateTime) -> OffsetDateTime {
    at.to_offset(time::UtcOffset::UTC).truncate_to_hour()
}

/// Returns the moment itself where it begins an hour, else the beginning of the next.
fn next_hour(at: OffsetDateTime) -> OffsetDateTime {
    let hour = this_hour(at);
    if hour == at { at } else { hour.checked_add(Duration::HOUR).unwrap_or(at) }
}
