//! Keeps a few connections ready where calls come, and closes what nobody needs.

use super::pool::MAX_REST;
use super::{Client, Endpoint};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

impl Client {
    /// Expects calls to these endpoints: those that are new get connections, as if a call had come just now.
    pub fn expect(&self, endpoints: &[Arc<Endpoint>]) {
        self.pool.expect(endpoints, self.clock.instant());
        self.expecting.notify_one();
    }

    /// Closes connections that nobody uses any more, and replaces those that calls are likely to need, until the gateway
    /// stops.
    ///
    /// An endpoint whose last call is a minute ago gets none: nothing is opened again and again for nobody.
    pub async fn keep(&self, stopping: CancellationToken) {
        let mut pace = interval(MAX_REST / 4);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut opening = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = pace.tick() => self.pool.sweep(self.clock.instant()),
                () = self.expecting.notified() => {}
                Some(()) = opening.next() => continue,
            }
            let lacking = self.pool.lacking(self.warm, self.clock.instant());
            opening.extend(lacking.into_iter().map(|endpoint| self.warm_up(endpoint)));
        }
    }

    /// Opens a connection that rests until a call takes it. Nothing is sent on it.
    async fn warm_up(&self, endpoint: Arc<Endpoint>) {
        match self.open(&endpoint).await {
            Ok(connection) => self.pool.opened(&endpoint.origin, connection, self.clock.instant()),
            Err(error) => {
                if self.pool.not_opened(&endpoint.origin) {
                    tracing::warn!(endpoint = %endpoint.origin, %error, "no connection can be kept ready");
                }
            }
        }
    }
}
