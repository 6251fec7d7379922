//! Time, handed to whoever needs it; the only caller of the system clock.

use std::time::{Duration, Instant, SystemTime};
use time::OffsetDateTime;

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock(());

impl Clock {
    /// Returns the clock of this machine.
    pub fn system() -> Self {
        Self(())
    }

    /// Returns a point in time for measuring how long something takes.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are to take")]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Returns the wall-clock time since the Unix epoch; zero where the clock is set before it.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are to take")]
    pub fn since_epoch(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Returns the wall-clock time in UTC.
    pub fn utc(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + self.since_epoch()
    }
}
