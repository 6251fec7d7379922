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

/// How long connections to an endpoint are kept ready after its last call.
const TRAFFIC: Duration = Duration::from_mins(1);

/// The connections at rest, by their origin (scheme, host and port), the one that rested last on top.
#[derive(Debug)]
pub(super) struct Pool {
    lanes: Mutex<HashMap<Arc<str>, Lane>>,
    metrics: Arc<Metrics>,
}

/// The connections of one origin.
#[derive(Debug)]
struct Lane {
    endpoint: Arc<Endpoint>,
    origin: Arc<Origin>,
    resting: Vec<Resting>,
    /// When a call last came, or was said to come.
    called_at: Instant,
    /// How many are being opened that no call waits for.
    opening: usize,
    /// Whether the last of these did not come about.
    is_failing: bool,
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

impl Lane {
    fn take(&mut self, now: Instant) -> Option<Resting> {
        self.called_at = now;
        self.resting.pop()
    }
}

impl Pool {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { lanes: Mutex::default(), metrics }
    }

    /// Takes an open connection, if there is one.
    pub(super) fn take(&self, origin: &str, now: Instant) -> Option<Connection> {
        loop {
            let mut resting = self.lock().get_mut(origin)?.take(now)?;
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
    pub(super) fn origin(&self, endpoint: &Arc<Endpoint>, now: Instant) -> Arc<Origin> {
        Arc::clone(&self.lane(&mut self.lock(), endpoint, now).origin)
    }

    /// Expects calls to endpoints that had none yet.
    pub(super) fn expect(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        let mut lanes = self.lock();
        for endpoint in endpoints {
            self.lane(&mut lanes, endpoint, now);
        }
    }

    /// Returns the endpoints that lack connections where calls come, each as often as it lacks one; they count as being
    /// opened until [`Self::opened`] or [`Self::not_opened`].
    pub(super) fn lacking(&self, least: usize, now: Instant) -> Vec<Arc<Endpoint>> {
        let mut lacking = Vec::new();
        for lane in self.lock().values_mut() {
            if now.saturating_duration_since(lane.called_at) < TRAFFIC {
                let lacks = least.saturating_sub(lane.origin.open().saturating_add(lane.opening));
                lane.opening += lacks;
                lacking.extend(std::iter::repeat_n(&lane.endpoint, lacks).map(Arc::clone));
            }
        }
        lacking
    }

    /// Takes a connection that [`Self::lacking`] asked for.
    pub(super) fn opened(&self, origin: &str, connection: Connection, now: Instant) {
        self.put(origin, connection, now);
        if let Some(lane) = self.lock().get_mut(origin) {
            lane.opening = lane.opening.saturating_sub(1);
            lane.is_failing = false;
        }
    }

    /// Takes note that such a connection did not come about, and tells whether that is news.
    pub(super) fn not_opened(&self, origin: &str) -> bool {
        self.lock().get_mut(origin).is_some_and(|lane| {
            lane.opening = lane.opening.saturating_sub(1);
            !std::mem::replace(&mut lane.is_failing, true)
        })
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

    fn lane<'a>(
        &self,
        lanes: &'a mut HashMap<Arc<str>, Lane>,
        endpoint: &Arc<Endpoint>,
        now: Instant,
    ) -> &'a mut Lane {
        lanes.entry(Arc::clone(&endpoint.origin)).or_insert_with(|| Lane {
            endpoint: Arc::clone(endpoint),
            origin: Arc::new(Origin::new(self.metrics.upstream(&endpoint.origin))),
            resting: Vec::new(),
            called_at: now,
            opening: 0,
            is_failing: false,
        })
    }

    /// Nothing that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
