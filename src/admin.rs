//! The admin plane: metrics and health.

mod scrapes;

use crate::config::AdminToken;
use crate::domain::Peer;
use crate::gateway::{ClientLine, Gateway};
use crate::ledger::Ledger;
use crate::server::plain;
use crate::server::reception::{Protocol, Reception};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use scrapes::Scrapes;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The text format of Prometheus.
const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";

/// What stands before a token.
const BEARER: &[u8] = b"bearer ";

/// How long to wait when the machine has no room for one more connection.
const BREATHER: Duration = Duration::from_millis(50);

/// How many connections are open at the same time; others wait.
const MAX_CONNECTIONS: usize = 512;

/// How long a client may take for a request's head, and stay silent between two requests.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a connection of HTTP/2 may last: whoever scrapes makes another, and nobody can hold all of them.
const LIFE: Duration = Duration::from_mins(5);

/// The admin plane's listener.
#[derive(Debug)]
pub struct AdminPlane {
    reception: Reception,
    router: Router,
}

impl AdminPlane {
    /// Returns the plane of a gateway.
    pub(crate) fn new(gateway: Arc<Gateway>, reception: Reception) -> Self {
        let scrapes = Scrapes::of(Arc::clone(&gateway.metrics));
        let router = Router::new()
            .route("/metrics", get(move |gateway| metrics(gateway, scrapes)))
            .route(HEALTHZ, get(|| async { plain(StatusCode::OK, "ok\n") }))
            .route(READYZ, get(ready))
            .layer(from_fn_with_state(Arc::clone(&gateway), authorize))
            .with_state(gateway);
        Self { reception, router }
    }

    /// Serves until `end`.
    pub async fn serve(self, listener: TcpListener, end: CancellationToken) {
        let plane = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, address)) => {
                        let plane = Arc::clone(&plane);
                        connections.spawn(async move { plane.converse(stream, Peer::at(address.ip())).await });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(BREATHER).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = end.cancelled() => return,
            }
        }
    }

    /// Serves one connection to its end, which is the client's affair.
    async fn converse(&self, stream: TcpStream, peer: Peer) {
        let Some(received) = self.reception.receive(stream, ClientLine::to(peer)).await else { return };
        let (io, service) = (TokioIo::new(received.stream), TowerToHyperService::new(self.router.clone()));
        match received.protocol {
            Protocol::Http1 => {
                let mut http1 = http1::Builder::new();
                http1.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                let _ = http1.serve_connection(io, service).await;
            }
            Protocol::Http2 => {
                let mut http2 = http2::Builder::new(TokioExecutor::new());
                http2.timer(TokioTimer::new()).keep_alive_interval(PATIENCE);
                let mut connection = pin!(http2.serve_connection(io, service));
                // It has no limit for silence of its own.
                if tokio::time::timeout(LIFE, connection.as_mut()).await.is_err() {
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(PATIENCE, connection).await;
                }
            }
        }
    }
}

/// Lets through whoever shows the token, where there is one; probes cannot show any, and tell nothing.
async fn authorize(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let is_free = [HEALTHZ, READYZ].contains(&request.uri().path());
    let ingress = gateway.ingress.load_full();
    let shows = |token: &AdminToken| bearer(request.headers()).is_some_and(|shown| token.is(shown));
    if is_free || ingress.admin_token.as_ref().is_none_or(shows) {
        return next.run(request).await;
    }
    let mut response =
        plain(StatusCode::UNAUTHORIZED, "send the admin token: authorization: Bearer <token>\n");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Returns the token that a request shows (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then(|| token.trim_ascii())
}

async fn metrics(State(gateway): State<Arc<Gateway>>, scrapes: Scrapes) -> Response {
    gateway.metrics.access_log_dropped(gateway.recorder.dropped_lines());
    gateway.forward.client().say(&gateway.metrics);
    if let Some(ledger) = gateway.recorder.ledger() {
        gateway.metrics.ledger(ledger.state());
    }
    if let Some(progress) = &gateway.discovery {
        let age = progress.taken_at().map(|at| (gateway.clock.utc() - at).unsigned_abs());
        gateway.metrics.discovery(age, gateway.snapshot.load().catalog.findings());
    }
    match scrapes.next().await {
        Ok(text) => {
            let mut response = Response::new(text.into());
            response.headers_mut().insert(CONTENT_TYPE, PROMETHEUS_TEXT);
            response
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be rendered");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be rendered\n")
        }
    }
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    if gateway.shutdown.stopping.is_cancelled() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    if gateway.recorder.ledger().is_some_and(Ledger::is_refusing) {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the journal takes no call\n");
    }
    if gateway.discovery.as_ref().is_some_and(|progress| !progress.is_ready()) {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "profiles are being read from AWS\n");
    }
    plain(StatusCode::OK, "ready\n")
}
