//! Hours, days and months as a time zone has them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use time::OffsetDateTime;

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour of the clock.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Period {
    /// Returns when the period that holds a moment began. The hour that a clock shows twice is two periods, the day on
    /// which it does so is one.
    pub fn start(self, at: OffsetDateTime, zone: &TimeZone) -> OffsetDateTime {
        let local = to_zoned(at, zone);
        let start = match self {
            Self::Hour => local.with().minute(0).second(0).subsec_nanosecond(0).build(),
            Self::Day => local.start_of_day(),
            Self::Month => local.first_of_month().and_then(|first| first.start_of_day()),
        };
        // There is none at the very edge of what the calendar knows.
        start.map_or(at, |start| from_timestamp(start.timestamp()))
    }
}

/// Returns a moment as a zone's clocks show it; what the calendar does not know is its nearest edge.
pub fn to_zoned(at: OffsetDateTime, zone: &TimeZone) -> ZonedDateTime {
    let edge = if at < OffsetDateTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_nanosecond(at.unix_timestamp_nanos()).unwrap_or(edge).to_zoned_datetime(zone.clone())
}

/// Returns a moment in UTC; what no record can have is its nearest edge.
pub fn from_timestamp(at: Timestamp) -> OffsetDateTime {
    let edge = if at < Timestamp::UNIX_EPOCH { time::Date::MIN } else { time::Date::MAX };
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanosecond()).unwrap_or(edge.midnight().assume_utc())
}
