//! Tells when it is the machine's clock that makes AWS refuse signatures.

use crate::clock::Clock;
use http::HeaderMap;
use http::header::DATE;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How far the clocks may be apart: AWS takes signatures for five minutes, and its answer has been under way.
const TOLERANCE: Duration = Duration::from_mins(4);

/// How often it is said.
const PACE: Duration = Duration::from_mins(1);

/// What to do about it.
const HINT: &str = "set this machine's clock, and keep it set (`timedatectl` tells whether NTP does)";

/// Watches refused calls for clocks that are apart.
#[derive(Debug, Default)]
pub struct ClockSkew {
    /// When it was last said, in seconds since the Unix epoch.
    said: AtomicU64,
}

impl ClockSkew {
    /// Warns if the `date` of an answer that refuses a call is far from the time here, once a minute at most.
    pub(super) fn look(&self, headers: &HeaderMap, clock: Clock) {
        let now = clock.utc();
        let Some(there) = date(headers) else { return };
        let apart = (now - there).unsigned_abs();
        if apart <= TOLERANCE || !self.is_due(clock.since_epoch()) {
            return;
        }
        let way = if now > there { "ahead" } else { "behind" };
        let apart = humantime::format_duration(Duration::from_secs(apart.as_secs()));
        tracing::warn!(
            %apart,
            hint = HINT,
            "AWS refuses a call, and this machine's clock is {way} of AWS's: signatures count for five minutes"
        );
    }

    fn is_due(&self, now: Duration) -> bool {
        let (said, now) = (self.said.load(Ordering::Relaxed), now.as_secs());
        let due = said == 0 || now.abs_diff(said) >= PACE.as_secs();
        due && self.said.compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Returns the time that an answer states.
fn date(headers: &HeaderMap) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(headers.get(DATE)?.to_str().ok()?, &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_date_of_an_answer_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert(DATE, HeaderValue::from_static("Tue, 24 Nov 2026 14:35:52 GMT"));
        assert_eq!(date(&headers).unwrap().unix_timestamp(), 1_795_530_952);
        headers.insert(DATE, HeaderValue::from_static("today"));
        assert_eq!(date(&headers), None);
    }

    #[test]
    fn it_is_said_once_a_minute() {
        let (skew, at) = (ClockSkew::default(), Duration::from_secs);
        let due: Vec<bool> = [100, 101, 159, 160, 161, 40].map(|now| skew.is_due(at(now))).to_vec();
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
