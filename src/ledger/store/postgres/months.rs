//! Months of UTC as ranges of record ids, which begin with the milliseconds since the epoch.

use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// The last month there is: also of every id that claims a later time.
const LAST: Month = Month(9999 * 12 + 11);

/// A month, as the number of months since the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Month(i32);

impl Month {
    /// Returns the month in which an id was made.
    pub(super) fn of(id: Uuid) -> Self {
        let seconds = i64::try_from((id.as_u128() >> 80) / 1000).unwrap_or(i64::MAX);
        OffsetDateTime::from_unix_timestamp(seconds).map_or(LAST, |at| {
            Self(at.year().saturating_mul(12).saturating_add(i32::from(u8::from(at.month())) - 1))
        })
    }

    /// Returns the month after.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1)).min(LAST)
    }

    /// Returns the first id of the month.
    pub(super) fn first_id(self) -> Uuid {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12).saturating_add(1));
        let month = u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok());
        let date = month.and_then(|month| Date::from_calendar_date(year, month, 1).ok());
        date.map_or(Uuid::max(), |date| first_id_at(date.midnight().assume_utc()))
    }

    /// Returns the first id after the month; `None` after the last.
    pub(super) fn end(self) -> Option<Uuid> {
        (self < LAST).then(|| self.next().first_id())
    }

    /// Returns the name of the month's partition.
    pub(super) fn partition(self) -> String {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12).saturating_add(1));
        format!("records_{year:04}_{month:02}")
    }

    /// Returns the month whose partition has that name.
    pub(super) fn of_partition(name: &str) -> Option<Self> {
        let (year, month) = name.strip_prefix("records_")?.split_once('_')?;
        let (year, month): (i32, i32) = (year.parse().ok()?, month.parse().ok()?);
        let found = Self(year.checked_mul(12)?.checked_add(month)?.checked_sub(1)?);
        (found.partition() == name).then_some(found)
    }
}

/// Returns the first id that can be made in the millisecond in which `at` falls.
pub(super) fn first_id_at(at: OffsetDateTime) -> Uuid {
    Uuid::from_u128(millis(at.unix_timestamp_nanos().div_euclid(1_000_000)) << 80)
}

/// Returns an id before which all are that are made before `at`, and some of those made in the same millisecond.
pub(super) fn end_id_at(at: OffsetDateTime) -> Uuid {
    let millis_up = at.unix_timestamp_nanos().saturating_add(999_999).div_euclid(1_000_000);
    Uuid::from_u128(millis(millis_up) << 80)
}

fn millis(millis: i128) -> u128 {
    u128::try_from(millis).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first of December 2026, and of January 2027, in seconds since the epoch.
    const DECEMBER_AND_JANUARY: [i64; 2] = [1_796_083_200, 1_798_761_600];

    fn month(at: OffsetDateTime) -> Month {
        Month::of(first_id_at(at))
    }

    #[test]
    fn a_month_begins_at_its_first_millisecond() {
        let [first, next] = DECEMBER_AND_JANUARY.map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
        assert_eq!(month(first).partition(), "records_2026_12");
        assert_eq!(month(first - time::Duration::MILLISECOND).partition(), "records_2026_11");
        assert_eq!(month(first).first_id(), first_id_at(first));
        assert_eq!(month(first).end(), Some(first_id_at(next)));
    }

    #[test]
    fn every_id_has_a_month() {
        assert_eq!(Month::of(Uuid::nil()).partition(), "records_1970_01");
        assert_eq!(Month::of(Uuid::nil()).first_id(), Uuid::nil());
        assert_eq!((Month::of(Uuid::max()), LAST.end(), LAST.next()), (LAST, None, LAST));
        assert_eq!(LAST.partition(), "records_9999_12");
    }

    #[test]
    fn only_names_of_partitions_name_months() {
        for name in [
            "records",
            "records_2026",
            "records_2026_13",
            "records_2026_1",
            "rollups_2026_01",
            "records_x_01",
        ] {
            assert_eq!(Month::of_partition(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_within_its_month(bytes in any::<u128>()) {
            let id = Uuid::from_u128(bytes);
            let month = Month::of(id);
            prop_assert!(month.first_id() <= id);
            prop_assert!(month.end().is_none_or(|end| id < end));
            prop_assert_eq!(Month::of_partition(&month.partition()), Some(month));
        }
    }
}
