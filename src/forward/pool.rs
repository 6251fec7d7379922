//! Connections that wait for their next call.

use super::Endpoint;
use super::connection::Connection;
use super::standing::Origin;
use crate::metrics::{End, Metrics};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection waits: less than servers and load balancers let it (S3: 20 s; Application Load Balancers: 60 s;
/// NAT gateways and Network Load Balancers: 350 s; Bedrock says nothing), since who loses that race loses a call.
pub(super) const MAX_REST: Duration = Duration::from_secs(15);

/// The connections at rest, by their origin (scheme, host and port), the one that rested last on top.
#[derive(Debug)]
pub(super) struct Pool {
    lanes: Mutex<HashMap<Arc<str>, Lane>>,
    metrics: Arc<Metrics>,
}

/// The connections of one origin.
#[derive(Debug)]
struct Lane {
    origin: Arc<Origin>,
    resting: Vec<Resting>,
}

#[derive(Debug)]
struct Resting {
    connection: Connection,
    since: Instant,
}

impl Resting {
    /// Returns why it is to carry no call any more, if so.
    fn fault(&mut self, now: Instant) -> Option<End> {
        if now.saturating_duration_since(self.since) >= MAX_REST {
            Some(End::Idle)
        } else if self.connection.standing.is_over(now) {
            Some(End::Age)
        } else if self.connection.is_open() {
            None
        } else {
            Some(End::Closed)
        }
    }
}

impl Pool {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { lanes: Mutex::default(), metrics }
    }

    /// Takes an open connection, if there is one.
    pub(super) fn take(&self, origin: &str, now: Instant) -> Option<Connection> {
        loop {
            let mut resting = self.lock().get_mut(origin)?.resting.pop()?;
            match resting.fault(now) {
                None => return Some(resting.connection),
                Some(end) => resting.connection.retire(end),
            }
        }
    }

    /// Takes a connection back.
    pub(super) fn put(&self, origin: &str, mut connection: Connection, now: Instant) {
        if connection.standing.is_over(now) {
            return connection.retire(End::Age);
        }
        connection.rest();
        if let Some(lane) = self.lock().get_mut(origin) {
            lane.resting.push(Resting { connection, since: now });
        }
    }

    /// Closes those that have rested for too long, are too old, or that upstream has closed.
    pub(super) fn sweep(&self, now: Instant) {
        let mut swept = Vec::new();
        for lane in self.lock().values_mut() {
            swept.extend(lane.resting.extract_if(.., |one| {
                one.fault(now).map(|end| one.connection.standing.ends_by(end)).is_some()
            }));
        }
        // Closed here, where nobody waits for the lock.
        drop(swept);
    }

    /// Closes those that rest since before a time: one of them, which looked well, turned out to be dead, and what
    /// ended it (a failover, a NAT that forgot) has seldom ended it alone.
    pub(super) fn suspect(&self, origin: &str, before: Instant) {
        let suspects: Vec<Resting> = match self.lock().get_mut(origin) {
            Some(lane) => lane.resting.extract_if(.., |one| one.since <= before).collect(),
            None => Vec::new(),
        };
        for resting in suspects {
            resting.connection.retire(End::Suspect);
        }
    }

    /// Returns what the connections to an endpoint share.
    pub(super) fn origin(&self, endpoint: &Endpoint) -> Arc<Origin> {
        let mut lanes = self.lock();
        let lane = lanes.entry(Arc::clone(&endpoint.origin)).or_insert_with(|| Lane {
            origin: Arc::new(Origin::new(self.metrics.upstream(&endpoint.origin))),
            resting: Vec::new(),
        });
        Arc::clone(&lane.origin)
    }

    /// Says how many connections there are to each endpoint: how many with a call, how many without.
    pub(super) fn counts(&self) -> Vec<(Arc<str>, usize, usize)> {
        let lanes = self.lock();
        let counts = lanes.iter().map(|(origin, lane)| {
            let resting = lane.resting.len();
            (Arc::clone(origin), lane.origin.open().saturating_sub(resting), resting)
        });
        counts.collect()
    }

    /// Nothing that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
