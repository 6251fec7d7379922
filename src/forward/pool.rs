//! Connections that wait for their next call.

use super::connection::Connection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection waits: less than load balancers let it, since who loses that race loses a call.
pub(super) const MAX_REST: Duration = Duration::from_secs(20);

/// The connections at rest, by their origin (scheme, host and port), the one that rested last on top.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<HashMap<Arc<str>, Vec<Resting>>>);

#[derive(Debug)]
struct Resting {
    connection: Connection,
    since: Instant,
}

impl Resting {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.since) < MAX_REST
    }
}

impl Pool {
    /// Takes an open connection, if there is one.
    pub(super) fn take(&self, origin: &str, now: Instant) -> Option<Connection> {
        loop {
            let mut resting = self.lock().get_mut(origin)?.pop()?;
            if resting.is_fresh(now) && resting.connection.is_open() {
                return Some(resting.connection);
            }
        }
    }

    /// Takes a connection back.
    pub(super) fn put(&self, origin: &Arc<str>, mut connection: Connection, now: Instant) {
        connection.rest();
        let resting = Resting { connection, since: now };
        let mut pool = self.lock();
        match pool.get_mut(origin) {
            Some(of_origin) => of_origin.push(resting),
            None => drop(pool.insert(Arc::clone(origin), vec![resting])),
        }
    }

    /// Closes those that have rested for too long, or that upstream has closed.
    pub(super) fn sweep(&self, now: Instant) {
        let mut swept = Vec::new();
        for of_origin in self.lock().values_mut() {
            swept.extend(of_origin.extract_if(.., |one| !one.is_fresh(now) || !one.connection.is_open()));
        }
        // Closed here, where nobody waits for the lock.
        drop(swept);
    }

    /// Nothing that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Resting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
