//! Times as the fixed-width text of records and of signatures.

use time::{Date, Month, OffsetDateTime};

/// Returns a UTC time to the millisecond, by RFC 3339: `2026-01-02T03:04:05.678Z`.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    rfc3339_ascii(at).map(char::from).iter().collect()
}

/// Returns the same as the bytes of ASCII.
pub(crate) fn rfc3339_ascii(at: OffsetDateTime) -> [u8; 24] {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, milli) = at.to_hms_milli();
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let year = year.unsigned_abs();
    // Of a number with more digits than its place has, the last are written.
    set(&mut text, 0, year / 100);
    set(&mut text, 2, year);
    set(&mut text, 5, u32::from(u8::from(month)));
    set(&mut text, 8, u32::from(day));
    set(&mut text, 11, u32::from(hour));
    set(&mut text, 14, u32::from(minute));
    set(&mut text, 17, u32::from(second));
    set(&mut text, 20, u32::from(milli) / 10);
    set(&mut text, 21, u32::from(milli));
    text
}

/// Writes the last two digits of a number at a place.
fn set(text: &mut [u8; 24], at: usize, number: u32) {
    if let Some([tens, ones]) = text.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        (*tens, *ones) = (digit(number / 10), digit(number));
    }
}

/// Returns the last digit of a number.
fn digit(number: u32) -> u8 {
    u8::try_from(number % 10).map_or(b'0', |digit| b'0'.saturating_add(digit))
}

/// Returns a UTC time to the second, by RFC 3339: `2026-01-02T03:04:05Z`.
pub(crate) fn rfc3339_seconds(at: OffsetDateTime) -> String {
    to_the_second(at).chain(['Z']).collect()
}

/// Returns a UTC time as `x-amz-date` has it: `20260102T030405Z`.
pub(crate) fn amz_date(at: OffsetDateTime) -> String {
    to_the_second(at).filter(|sign| !matches!(sign, '-' | ':')).chain(['Z']).collect()
}

fn to_the_second(at: OffsetDateTime) -> impl Iterator<Item = char> {
    rfc3339_ascii(at).into_iter().take("0000-00-00T00:00:00".len()).map(char::from)
}

/// Returns the UTC time that `20260102T030405Z` stands for.
pub(crate) fn parse_amz_date(stamp: &str) -> Option<OffsetDateTime> {
    let is_whole = stamp.len() == 16 && stamp.get(8..9) == Some("T") && stamp.ends_with('Z');
    let digits = |range: std::ops::Range<usize>| {
        stamp.get(range).filter(|digits| is_whole && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let part = |range| digits(range)?.parse::<u8>().ok();
    let year = digits(0..4)?.parse().ok()?;
    let month = Month::try_from(part(4..6)?).ok()?;
    let date = Date::from_calendar_date(year, month, part(6..8)?).ok()?;
    Some(date.with_hms(part(9..11)?, part(11..13)?, part(13..15)?).ok()?.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

    proptest! {
        #[test]
        fn stamps_have_their_width_and_are_the_same_time(
            millis in 0..253_402_300_799_999_i64, // 1970 to 9999
        ) {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap();
            let text = rfc3339(at);
            prop_assert_eq!(text.len(), 24);
            prop_assert_eq!(OffsetDateTime::parse(&text, &Rfc3339).unwrap(), at);
            let digits: String = text.chars().take(19).filter(|c| !"-:".contains(*c)).collect();
            prop_assert_eq!(amz_date(at), digits + "Z");
            let whole_seconds = at.replace_nanosecond(0).unwrap();
            prop_assert_eq!(parse_amz_date(&amz_date(at)), Some(whole_seconds));
        }

        #[test]
        fn other_text_is_no_stamp(text in "\\PC{0,18}|[0-9T]{15}Z|[+0-9]{8}T[-0-9]{6}Z") {
            if let Some(at) = parse_amz_date(&text) {
                prop_assert_eq!(amz_date(at), text);
            }
        }
    }
}
