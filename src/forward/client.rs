//! Calls to upstream: over connections that are kept, without a task or a queue of their own.

use super::answer::{Answer, Line};
use super::connection::{CallError, Connection};
use super::dial::Dialer;
use super::outbound::Outbound;
use super::pool::{MAX_REST, Pool};
use super::proxy::{ProxyError, root_cause};
use super::{Endpoint, ForwardError, certificate, connect};
use crate::clock::Clock;
use crate::config::Egress;
use connect::PromptConnector;
use http::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Makes calls to upstream, each on a connection of its own for as long as it lasts.
///
/// A call runs wholly in the task that makes it: hyper's client would give each connection a task, and hand request
/// and answer to and fro by queues of 9 KiB.
#[derive(Debug)]
pub struct Client {
    connector: PromptConnector,
    pool: Arc<Pool>,
    clock: Clock,
}

impl Client {
    /// Makes a client that leaves so. TCP, a proxy's tunnel and TLS together have `connect_timeout` to come about.
    ///
    /// # Errors
    /// There are no CA certificates, neither on this machine nor in a bundle.
    pub fn new(connect_timeout: Duration, egress: &Egress, clock: Clock) -> std::io::Result<Self> {
        let connector = connect::connector(connect_timeout, egress, Dialer::default())?;
        Ok(Self { connector, pool: Arc::default(), clock })
    }

    /// Sends a request once, and returns its answer as soon as the head is there.
    pub(super) async fn call(
        &self,
        endpoint: &Endpoint,
        mut request: Outbound,
    ) -> Result<Response<Answer>, ForwardError> {
        while let Some(mut connection) = self.pool.take(&endpoint.origin, self.clock.instant()) {
            match connection.call(&mut request).await {
                Ok(head) => return Ok(self.answer(endpoint, head, connection, request)),
                Err(CallError::Broken) => return Err(ForwardError::Reset),
                Err(CallError::Unsent) => {}
            }
        }
        let connecting = self.connector.clone().oneshot(endpoint.uri.clone());
        let stream = connecting.await.map_err(|error| unreachable(&*error))?;
        let mut connection = Connection::new(stream);
        let head = connection.call(&mut request).await.map_err(|error| match error {
            CallError::Broken => ForwardError::Reset,
            CallError::Unsent => {
                ForwardError::Unreachable("it took nothing of the request; try again".to_owned())
            }
        })?;
        Ok(self.answer(endpoint, head, connection, request))
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

    /// Closes connections that nobody uses any more, until the gateway stops.
    pub async fn sweep(&self, stopping: CancellationToken) {
        let mut pace = tokio::time::interval(MAX_REST / 4);
        while stopping.run_until_cancelled(pace.tick()).await.is_some() {
            self.pool.sweep(self.clock.instant());
        }
    }
}

fn unreachable(error: &(dyn std::error::Error + 'static)) -> ForwardError {
    let of_proxy = error.downcast_ref::<ProxyError>().map(ToString::to_string);
    let cause = of_proxy.or_else(|| certificate::fault(error));
    ForwardError::Unreachable(cause.unwrap_or_else(|| format!("{}; try again", root_cause(error))))
}
