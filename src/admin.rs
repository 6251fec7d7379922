//! The admin plane: metrics and health.

use crate::gateway::Gateway;
use crate::ledger::Ledger;
use crate::server::plain;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The text format of Prometheus.
const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves until `end`.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, end: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { plain(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(ready))
        .with_state(gateway);
    let serving = axum::serve(listener, router);
    tokio::select! {
        result = serving.into_future() => {
            if let Err(error) = result {
                tracing::error!(%error, "the admin plane failed");
            }
        }
        () = end.cancelled() => {}
    }
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    gateway.metrics.access_log_dropped(gateway.recorder.dropped_lines());
    if let Some(ledger) = gateway.recorder.ledger() {
        gateway.metrics.ledger(ledger.state());
    }
    if let Some(progress) = &gateway.discovery {
        let age = progress.taken_at().map(|at| (gateway.clock.utc() - at).unsigned_abs());
        gateway.metrics.discovery(age, gateway.snapshot.load().catalog.findings());
    }
    match gateway.metrics.render() {
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
