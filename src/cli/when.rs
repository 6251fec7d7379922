//! Moments as people name them: `7d`, `yesterday`, `2026-11-01`.

use super::Failure;
use crate::ledger::report::{from_timestamp, to_zoned};
use crate::ledger::store;
use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use time::OffsetDateTime;

/// What a moment may look like, for messages.
const FORMS: &str = "give how long ago, as in 1h, 90m, 7d or 2w; or now, today, yesterday, this-month, last-month; \
                     or a date or time, as in 2026-11-01, 2026-11-01T09:00 or 2026-11-01T09:00:00Z";

/// A moment that a command line names.
#[derive(Debug, Clone)]
pub(super) enum When {
    /// `now`
    Now,
    /// So long ago; days and weeks are those of the calendar.
    Ago(Box<Span>),
    /// The beginning of the day that was so many days ago.
    Day(i64),
    /// The beginning of the month that was so many months ago.
    Month(i64),
    /// What a clock of the time zone shows.
    Local(DateTime),
    /// A moment by itself.
    Exact(Timestamp),
}

/// From when to when a command looks.
#[derive(Debug, Args)]
pub(super) struct Between {
    /// The beginning: how long ago (1h, 90m, 7d, 2w), today, yesterday, this-month, last-month, a date (2026-11-01) or
    /// a time (2026-11-01T09:00, RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub since: Option<When>,
    /// The first moment that is left out, in the same forms: a day or a month means its beginning, so that
    /// `--since yesterday --until today` is yesterday alone [default: now].
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub until: Option<When>,
    /// The time zone of dates, days and months: its IANA name, as in Europe/Berlin, or `local` for this machine's.
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = time_zone)]
    pub timezone: TimeZone,
}

impl Between {
    /// Returns the span, which begins at `since` where none is given.
    pub(super) fn span(&self, since: &When, now: OffsetDateTime) -> Result<store::Span, Failure> {
        let now = to_zoned(now, &self.timezone);
        let since =
            self.since.as_ref().unwrap_or(since).resolve(&now).ok_or_else(|| out_of_range("--since"))?;
        let until = self.until.as_ref().unwrap_or(&When::Now).resolve(&now);
        let until = until.ok_or_else(|| out_of_range("--until"))?;
        if since < until {
            return Ok(store::Span { since: from_timestamp(since), until: from_timestamp(until) });
        }
        Err(Failure::Unusable {
            message: format!("the span ends where it begins, or before: from {since} to {until}"),
            hint: "give a --since before --until; a date means its beginning, and without --until the span ends now"
                .to_owned(),
        })
    }
}

fn out_of_range(argument: &str) -> Failure {
    Failure::Unusable {
        message: format!("{argument} is before or after all that the calendar knows"),
        hint: FORMS.to_owned(),
    }
}

impl When {
    /// So many days ago.
    pub(super) fn days_ago(days: i8) -> Self {
        Self::Ago(Box::new(Span::new().days(days)))
    }

    /// So many hours ago.
    pub(super) fn hours_ago(hours: i8) -> Self {
        Self::Ago(Box::new(Span::new().hours(hours)))
    }

    /// Returns the moment, seen from `now` and with the clocks of its time zone; `None` where the calendar has none.
    fn resolve(&self, now: &ZonedDateTime) -> Option<Timestamp> {
        let zoned = match self {
            Self::Now => Ok(now.clone()),
            Self::Ago(span) => now.checked_sub(**span),
            Self::Day(ago) => Span::new().try_days(*ago).and_then(|ago| now.checked_sub(ago)?.start_of_day()),
            Self::Month(ago) => Span::new()
                .try_months(*ago)
                .and_then(|ago| now.first_of_month()?.checked_sub(ago)?.start_of_day()),
            Self::Local(local) => local.to_zoned_datetime(now.time_zone().clone()),
            Self::Exact(at) => return Some(*at),
        };
        zoned.ok().map(|zoned| zoned.timestamp())
    }
}

/// Parses a moment for clap.
pub(super) fn when(text: &str) -> Result<When, String> {
    let word = match text {
        "now" => Some(When::Now),
        "today" => Some(When::Day(0)),
        "yesterday" => Some(When::Day(1)),
        "this-month" => Some(When::Month(0)),
        "last-month" => Some(When::Month(1)),
        _ => None,
    };
    word.or_else(|| text.parse().ok().map(When::Exact))
        .or_else(|| text.parse().ok().map(When::Local))
        .or_else(|| text.parse().ok().filter(Span::is_positive).map(|span| When::Ago(Box::new(span))))
        .ok_or_else(|| FORMS.to_owned())
}

/// Parses a time zone's name for clap.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    if name == "local" {
        return TimeZone::try_system()
            .map_err(|error| format!("this machine's time zone is not known: {error}"));
    }
    TimeZone::get(name)
        .map_err(|_| "no such time zone: give an IANA name, as in Europe/Berlin, or UTC, or local".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, half past nine in Berlin, in the week after summer time has ended.
    const NOW: &str = "2026-10-26T08:30:00Z";

    fn moment(text: &str, zone: &str) -> String {
        let now: Timestamp = NOW.parse().unwrap();
        let now = now.to_zoned_datetime(time_zone(zone).unwrap());
        when(text).unwrap().resolve(&now).unwrap().to_string()
    }

    #[test]
    fn moments_are_named_in_many_ways() {
        for (text, utc, berlin) in [
            ("now", NOW, NOW),
            ("1h", "2026-10-26T07:30:00Z", "2026-10-26T07:30:00Z"),
            ("90m", "2026-10-26T07:00:00Z", "2026-10-26T07:00:00Z"),
            ("1h30m", "2026-10-26T07:00:00Z", "2026-10-26T07:00:00Z"),
            // The same time of day, though a night of 25 hours lies between.
            ("2d", "2026-10-24T08:30:00Z", "2026-10-24T07:30:00Z"),
            ("48h", "2026-10-24T08:30:00Z", "2026-10-24T08:30:00Z"),
            ("2w", "2026-10-12T08:30:00Z", "2026-10-12T07:30:00Z"),
            ("today", "2026-10-26T00:00:00Z", "2026-10-25T23:00:00Z"),
            ("yesterday", "2026-10-25T00:00:00Z", "2026-10-24T22:00:00Z"),
            ("this-month", "2026-10-01T00:00:00Z", "2026-09-30T22:00:00Z"),
            ("last-month", "2026-09-01T00:00:00Z", "2026-08-31T22:00:00Z"),
            ("2026-10-25", "2026-10-25T00:00:00Z", "2026-10-24T22:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z", "2026-10-31T23:00:00Z"),
            ("2026-11-01T09:00", "2026-11-01T09:00:00Z", "2026-11-01T08:00:00Z"),
            ("2026-11-01T09:00:00.5+01:00", "2026-11-01T08:00:00.5Z", "2026-11-01T08:00:00.5Z"),
        ] {
            assert_eq!(
                (moment(text, "UTC"), moment(text, "Europe/Berlin")),
                (utc.to_owned(), berlin.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_day_or_a_month_without_midnight_begins_when_it_does() {
        let now: Timestamp = "2024-04-26T12:00:00Z".parse().unwrap();
        let now = now.to_zoned_datetime(time_zone("Africa/Cairo").unwrap());
        assert_eq!(when("today").unwrap().resolve(&now).unwrap().to_string(), "2024-04-25T22:00:00Z");
    }

    #[test]
    fn other_texts_are_refused_with_examples() {
        for bad in
            ["", "7", "d", "-1h", "0s", "tomorrow", "2026-13-01", "11/01/2026", "1h ago", "noon", "1.5.2026"]
        {
            assert!(when(bad).unwrap_err().contains("as in 1h, 90m"), "{bad}: {:?}", when(bad));
        }
        assert!(time_zone("Berlin").unwrap_err().contains("Europe/Berlin"));
        assert!(time_zone("local").is_ok());
    }

    #[test]
    fn a_span_has_to_begin_before_it_ends() {
        let span = |since: &str, until: Option<&str>| {
            let now = from_timestamp(NOW.parse().unwrap());
            let until = until.map(|text| when(text).unwrap());
            let between = Between { since: Some(when(since).unwrap()), until, timezone: TimeZone::UTC };
            between
                .span(&When::Now, now)
                .map(|span| span.until - span.since)
                .map_err(|failure| format!("{failure:?}"))
        };
        assert_eq!(span("yesterday", Some("today")), Ok(time::Duration::DAY));
        assert_eq!(span("today", None), Ok(time::Duration::minutes(510)));
        assert!(span("today", Some("today")).unwrap_err().contains("ends where it begins"));
        assert!(span("19998y", None).is_err() && span("2026-11-24", None).is_err());
    }
}
