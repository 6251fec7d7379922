//! What a connection counts for from its opening to its end, and when it is to go.

use crate::metrics::{End, UpstreamMetrics};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What all connections of one pool to one endpoint share.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) metrics: UpstreamMetrics,
    /// How many there are, busy or at rest.
    open: AtomicUsize,
}

impl Origin {
    pub(super) fn new(metrics: UpstreamMetrics) -> Self {
        Self { metrics, open: AtomicUsize::new(0) }
    }

    /// Returns how many connections there are, busy or at rest.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// A connection's place among those to its endpoint; dropped with the connection.
#[derive(Debug)]
pub(super) struct Standing {
    origin: Arc<Origin>,
    retires_at: Instant,
    end: End,
}

impl Standing {
    /// Counts a connection that has just come about, and is to go when it is as old as `age`.
    pub(super) fn new(origin: Arc<Origin>, now: Instant, age: Duration) -> Self {
        origin.open.fetch_add(1, Ordering::Relaxed);
        Self { origin, retires_at: now + within_a_fifth_below(age), end: End::Cut }
    }

    /// Tells whether it is time to go; never within a call, which asks only before and after.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.retires_at
    }

    /// Says what the connection ends by, which is dropped next.
    pub(super) fn ends_by(&mut self, end: End) {
        self.end = end;
    }

    /// Returns what its endpoint's connections share.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.origin.open.fetch_sub(1, Ordering::Relaxed);
        self.origin.metrics.ended(self.end);
    }
}

/// Returns a time of which the longest is `age`, so that connections that were opened together do not go together.
fn within_a_fifth_below(age: Duration) -> Duration {
    let permille = 1000 - getrandom::u32().unwrap_or(0) % 201;
    age.saturating_mul(permille) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn connections_do_not_go_together() {
        let age = Duration::from_mins(5);
        let ages: BTreeSet<Duration> = (0..200).map(|_| within_a_fifth_below(age)).collect();
        assert!(ages.first().unwrap() >= &Duration::from_mins(4) && ages.last().unwrap() <= &age);
        assert!(ages.len() > 20);
    }
}
