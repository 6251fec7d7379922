//! How connections to upstream come about: TCP, then TLS where the endpoint says https.

use super::trust;
use crate::config::Egress;
use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

/// How often the kernel probes a silent connection; a dead peer is noticed long before the idle timeout.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);

/// Returns the connector. TCP and TLS together have `timeout` to come about.
pub(super) fn connector(timeout: Duration, egress: &Egress) -> std::io::Result<PromptConnector> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    let tls = trust::tls(egress.ca_bundle.as_ref())?;
    Ok(PromptConnector { inner: HttpsConnector::from((tcp, tls)), timeout })
}

/// A connector that gives up after a while, wherever it is stuck.
#[derive(Debug, Clone)]
pub(super) struct PromptConnector {
    inner: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

impl Service<Uri> for PromptConnector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let timeout = self.timeout;
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            let connected = tokio::time::timeout(timeout, connecting).await;
            connected.unwrap_or_else(|_| {
                Err(format!("no connection within {}", humantime::format_duration(timeout)).into())
            })
        })
    }
}
