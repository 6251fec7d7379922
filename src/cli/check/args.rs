//! The arguments of `tollgate check`.

use crate::cli::Format;
use clap::Args;
use std::time::Duration;
use time::{Date, Month, OffsetDateTime, Time};

/// What is checked, and mended.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also ask AWS: whose credentials these are, whether the profiles are there as the services file has them, whether
    /// the bill splits by their tags, and which permissions are missing. Calls no model, and costs nothing.
    #[arg(long)]
    pub(super) aws: bool,
    /// Activate the tag of `catalog.service_tag` as a cost allocation tag, if it is inactive.
    #[arg(long, requires = "aws")]
    pub(super) fix: bool,
    /// Have AWS split the bill by its active cost allocation tags from the beginning of that month on, at most twelve
    /// months back.
    #[arg(long, value_name = "YYYY-MM", requires = "fix", value_parser = month)]
    pub(super) backfill_from: Option<OffsetDateTime>,
    /// How long AWS may take to answer everything, as in 30s or 10m.
    #[arg(long, value_name = "DURATION", requires = "aws", default_value = "2m", value_parser = limit)]
    pub(super) timeout: Duration,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// The longest time that may be waited for.
const MAX_LIMIT: Duration = Duration::from_hours(24);

fn limit(text: &str) -> Result<Duration, String> {
    let limit =
        humantime::parse_duration(text).map_err(|_| "no duration; one looks like 30s or 10m".to_owned())?;
    if limit.is_zero() || limit > MAX_LIMIT {
        return Err("use more than 0s, and at most 24h".to_owned());
    }
    Ok(limit)
}

/// Returns the first moment of a month.
fn month(text: &str) -> Result<OffsetDateTime, String> {
    let wrong = || "no month; one looks like 2026-01".to_owned();
    let (year, month) =
        text.split_once('-').filter(|(year, month)| (year.len(), month.len()) == (4, 2)).ok_or_else(wrong)?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (Some(year), Some(month)) = (number(year), number(month)) else { return Err(wrong()) };
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok()).ok_or_else(wrong)?;
    let first = Date::from_calendar_date(year, month, 1).map_err(|_| wrong())?;
    Ok(first.with_time(Time::MIDNIGHT).assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_its_first_moment() {
        assert_eq!(month("2026-01").unwrap().to_string(), "2026-01-01 0:00:00.0 +00:00:00");
        for wrong in ["", "2026", "2026-13", "2026-00", "26-01", "2026-1", "2026-01-01", "+026-01", "2026-+1"]
        {
            assert!(month(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_is_always_a_limit() {
        assert_eq!(limit("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "0s", "2days", "soon"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }
}
