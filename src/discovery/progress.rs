//! How discovery fares: whether it has been tried, and how old what it found is.

use super::Place;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;
use tokio::sync::Notify;

/// No time at all: long before there was AWS.
const NEVER: i64 = i64::MIN;

/// How the discovery of a running gateway fares.
#[derive(Debug)]
pub struct Progress {
    tried: AtomicBool,
    /// Seconds since the Unix epoch, or `NEVER`.
    taken_at: AtomicI64,
    demand: Notify,
    /// The places that this process has listed whole at least once.
    listed: Mutex<BTreeSet<Place>>,
}

impl Progress {
    /// Begins with what was found at an earlier time, if there is that.
    pub fn since(taken_at: Option<OffsetDateTime>) -> Self {
        let taken_at = taken_at.map_or(NEVER, OffsetDateTime::unix_timestamp);
        Self {
            tried: AtomicBool::new(false),
            taken_at: AtomicI64::new(taken_at),
            demand: Notify::new(),
            listed: Mutex::default(),
        }
    }

    /// Asks for a look at AWS before it is due.
    pub fn ask(&self) {
        self.demand.notify_one();
    }

    /// Waits until somebody asks for a look.
    pub async fn asked(&self) {
        self.demand.notified().await;
    }

    /// Tells whether AWS was looked at, or did not answer in time: what is known then serves.
    pub fn is_ready(&self) -> bool {
        self.tried.load(Relaxed)
    }

    /// Says that AWS was looked at, or did not answer in time.
    pub fn tried(&self) {
        self.tried.store(true, Relaxed);
    }

    /// Says which places were listed whole.
    pub fn listed(&self, places: &BTreeSet<Place>) {
        self.lock().extend(places.iter().cloned());
    }

    /// Returns the places that were listed whole since the start.
    pub fn places(&self) -> BTreeSet<Place> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Place>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when AWS was last looked at without a failure.
    pub fn taken_at(&self) -> Option<OffsetDateTime> {
        let taken_at = self.taken_at.load(Relaxed);
        OffsetDateTime::from_unix_timestamp(taken_at).ok()
    }

    /// Says that AWS was looked at without a failure.
    pub fn taken(&self, at: OffsetDateTime) {
        self.taken_at.store(at.unix_timestamp(), Relaxed);
    }
}
