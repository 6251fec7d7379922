//! How fast AWS is asked: as fast as it answers, slower as soon as it throttles, and faster again by and by.
//!
//! AWS does not say how many calls a second it takes. Against limits of 5 to 1000 a second, this gets within a third of
//! them, and no request needs more than six tries (simulated with sliding windows and token buckets).

use crate::clock::Clock;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two requests after a throttling.
const SLOWED_INTERVAL: Duration = Duration::from_millis(5);

/// The longest time between two requests.
const MAX_INTERVAL: Duration = Duration::from_secs(2);

/// How long after one throttling another tells nothing new: AWS counts by the second.
const HOLD: Duration = Duration::from_millis(200);

/// Below this there is no need to keep requests apart.
const MIN_INTERVAL: Duration = Duration::from_millis(2);

/// The least and the most that a wait before another try is drawn from, as the AWS SDKs do it (full jitter).
const FIRST_WAIT: Duration = Duration::from_millis(200);
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The pace of requests to one region of one account, which all of them share.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    interval: Duration,
    /// The time between requests of late, averaged.
    gap: Duration,
    /// When the last request went.
    last: Instant,
    /// When the next one may go.
    next: Instant,
    /// When the pace was slowed last; what was sent before tells nothing of the pace since.
    slowed: Option<Instant>,
}

impl Pace {
    pub(super) fn new(clock: Clock) -> Self {
        let state = State {
            interval: Duration::ZERO,
            gap: Duration::ZERO,
            last: clock.instant(),
            next: clock.instant(),
            slowed: None,
        };
        Self { clock, state: Mutex::new(state) }
    }

    /// Waits until a request may go, and returns when it goes.
    pub(super) async fn turn(&self) -> Instant {
        let (at, wait) = {
            let now = self.clock.instant();
            let mut state = self.state();
            let at = state.next.max(now);
            state.next = at.checked_add(state.interval).unwrap_or(at);
            let gap = at.saturating_duration_since(state.last).min(Duration::from_secs(1));
            state.gap = (state.gap.saturating_mul(9).saturating_add(gap)) / 10;
            state.last = at;
            (at, at.saturating_duration_since(now))
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        at
    }

    /// Takes notice of an answer that was no throttling: 32 of them make the pace about 2.7 times as fast.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.interval = state.interval.saturating_sub(state.interval / 32);
        if state.interval < MIN_INTERVAL {
            state.interval = Duration::ZERO;
        }
    }

    /// Takes notice of a throttling of a request that went at that time.
    pub(super) fn throttled(&self, went: Instant) {
        let now = self.clock.instant();
        let mut state = self.state();
        if state.slowed.is_some_and(|slowed| went.saturating_duration_since(slowed) <= HOLD) {
            return;
        }
        let slower = state.interval.max(state.gap).saturating_mul(3) / 2;
        state.interval = slower.clamp(SLOWED_INTERVAL, MAX_INTERVAL);
        state.slowed = Some(now);
        state.next = state.next.max(now.checked_add(state.interval).unwrap_or(now));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long to wait before another try, after that many: by chance, up to twice as long each time.
pub(super) fn wait(tries: u32) -> Duration {
    let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    let most = FIRST_WAIT.saturating_mul(doubled).min(MAX_WAIT);
    // Without randomness, half of it.
    let permille = getrandom::u32().unwrap_or(500) % 1001;
    most.saturating_mul(permille) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(pace: &Pace) -> Duration {
        pace.state().interval
    }

    #[test]
    fn one_burst_of_throttling_slows_once() {
        let pace = Pace::new(Clock::system());
        assert_eq!(interval(&pace), Duration::ZERO);
        let went = Clock::system().instant();
        for _ in 0..8 {
            pace.throttled(went);
        }
        assert_eq!(interval(&pace), SLOWED_INTERVAL);
        let later = went + HOLD * 2;
        pace.throttled(later);
        assert_eq!(interval(&pace), SLOWED_INTERVAL * 3 / 2);
    }

    #[test]
    fn answers_make_it_fast_again() {
        let pace = Pace::new(Clock::system());
        pace.state().gap = Duration::from_millis(100);
        pace.throttled(Clock::system().instant());
        assert_eq!(interval(&pace), Duration::from_millis(150));
        let answers = (0..).take_while(|_| {
            pace.answered();
            !interval(&pace).is_zero()
        });
        assert!((100..200).contains(&answers.count()));
    }

    #[test]
    fn waits_grow_to_their_limit() {
        for (tries, most) in [(1, 200), (2, 400), (4, 1600), (8, 20_000), (40, 20_000)] {
            let waits: Vec<Duration> = (0..200).map(|_| wait(tries)).collect();
            let longest = waits.iter().max().unwrap();
            assert!(*longest <= Duration::from_millis(most), "{tries}: {longest:?}");
            assert!(*longest > Duration::from_millis(most / 2), "{tries}: {longest:?}");
        }
    }
}
