//! Calls to upstream: over connections that are kept, without a task or a queue of their own.

use super::answer::{Answer, Line};
use super::connection::{CallError, Connection};
use super::dial::{DialError, Dialer};
use super::outbound::Outbound;
use super::pool::Pool;
use super::proxy::{ProxyError, root_cause};
use super::standing::Standing;
use super::{Endpoint, ForwardError, certificate, connect};
use crate::clock::Clock;
use crate::config::{Egress, Upstream};
use crate::metrics::{ConnectFault, Metrics};
use connect::{PromptConnector, TooSlow};
use http::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tower::ServiceExt;

/// Makes calls to upstream, each on a connection of its own for as long as it lasts.
///
/// A call runs wholly in the task that makes it: hyper's client would give each connection a task, and hand request
/// and answer to and fro by queues of 9 KiB.
#[derive(Debug)]
pub struct Client {
    connector: PromptConnector,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
    /// How old a connection may become.
    age: Duration,
    /// How many connections are kept to an endpoint that has calls.
    pub(super) warm: usize,
    /// Wakes whoever opens them.
    pub(super) expecting: Notify,
}

impl Client {
    /// Makes a client that leaves so. Name, TCP, a proxy's tunnel and TLS together have `connect_timeout` to come about.
    ///
    /// # Errors
    /// There are no CA certificates, neither on this machine nor in a bundle.
    pub fn new(
        upstream: &Upstream,
        egress: &Egress,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        Self::with(upstream, egress, clock, metrics, Dialer::default())
    }

    /// The same, with a resolver of its own.
    pub(super) fn with(
        upstream: &Upstream,
        egress: &Egress,
        clock: Clock,
        metrics: Arc<Metrics>,
        dialer: Dialer,
    ) -> std::io::Result<Self> {
        let connector = connect::connector(upstream.connect_timeout, egress, dialer)?;
        Ok(Self {
            connector,
            pool: Arc::new(Pool::new(metrics)),
            clock,
            age: upstream.connection_age,
            warm: upstream.warm_connections,
            expecting: Notify::new(),
        })
    }

    /// Sends a request once, and returns its answer as soon as the head is there.
    pub async fn call(
        &self,
        endpoint: &Arc<Endpoint>,
        mut request: Outbound,
    ) -> Result<Response<Answer>, ForwardError> {
        loop {
            let taken_at = self.clock.instant();
            let Some(mut connection) = self.pool.take(&endpoint.origin, taken_at) else { break };
            match connection.call(&mut request).await {
                Ok(head) => {
                    connection.standing.origin().metrics.kept.inc();
                    return Ok(self.answer(endpoint, head, connection, request));
                }
                Err(error) => {
                    self.pool.suspect(&endpoint.origin, taken_at);
                    if error == CallError::Broken {
                        connection.standing.origin().metrics.kept.inc();
                        return Err(ForwardError::Reset);
                    }
                }
            }
        }
        // Boxed, as it is rare: calls need not have room for it.
        let mut connection = Box::pin(self.open(endpoint)).await?;
        connection.standing.origin().metrics.opened.inc();
        let head = connection.call(&mut request).await.map_err(|error| match error {
            CallError::Broken => ForwardError::Reset,
            CallError::Unsent => {
                ForwardError::Unreachable("it took nothing of the request; try again".to_owned())
            }
        })?;
        Ok(self.answer(endpoint, head, connection, request))
    }

    /// Opens a connection.
    pub(super) async fn open(&self, endpoint: &Arc<Endpoint>) -> Result<Connection, ForwardError> {
        let began = self.clock.instant();
        let origin = self.pool.origin(endpoint, began);
        match self.connector.clone().oneshot(endpoint.uri.clone()).await {
            Ok(stream) => {
                let now = self.clock.instant();
                origin.metrics.connected(now.duration_since(began));
                Ok(Connection::new(stream, Standing::new(origin, now, self.age)))
            }
            Err(error) => {
                origin.metrics.not_connected(fault(&*error));
                Err(unreachable(&*error))
            }
        }
    }

    /// Says how many connections there are to each endpoint.
    pub fn say(&self, metrics: &Metrics) {
        for (origin, busy, resting) in self.pool.counts() {
            metrics.upstream_connections(&origin, busy, resting);
        }
    }

    fn answer(
        &self,
        endpoint: &Endpoint,
        head: super::head::Head,
        connection: Connection,
        request: Outbound,
    ) -> Response<Answer> {
        let line = Line {
            connection,
            request,
            keep_alive: head.keep_alive,
            origin: Arc::clone(&endpoint.origin),
            pool: Arc::clone(&self.pool),
            clock: self.clock,
        };
        let mut response = Response::new(Answer::new(head.framing, line));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}

fn unreachable(error: &(dyn std::error::Error + 'static)) -> ForwardError {
    let of_proxy = error.downcast_ref::<ProxyError>().map(ToString::to_string);
    let cause = of_proxy.or_else(|| certificate::fault(error));
    ForwardError::Unreachable(cause.unwrap_or_else(|| format!("{}; try again", root_cause(error))))
}

/// Returns where an attempt to connect failed.
fn fault(error: &(dyn std::error::Error + 'static)) -> ConnectFault {
    match error.downcast_ref() {
        Some(DialError::Unresolved(_)) => ConnectFault::Dns,
        Some(DialError::Unconnected(_)) => ConnectFault::Tcp,
        None if error.is::<TooSlow>() => ConnectFault::Timeout,
        None if error.is::<ProxyError>() => ConnectFault::Proxy,
        // TLS comes last.
        None => ConnectFault::Tls,
    }
}
