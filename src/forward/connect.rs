//! How connections to upstream come about: TCP, perhaps through a proxy, then TLS where the endpoint says https.

use super::dial::Dialer;
use super::proxy::Outlet;
use super::trust;
use crate::config::Egress;
use http::Uri;
use hyper_rustls::HttpsConnector;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

/// Returns the connector. Name, TCP, tunnel and TLS together have `timeout` to come about.
pub(super) fn connector(
    timeout: Duration,
    egress: &Egress,
    dialer: Dialer,
) -> std::io::Result<PromptConnector> {
    let outlet = Outlet::new(dialer, &egress.proxies);
    let tls = trust::tls(egress.ca_bundle.as_ref())?;
    Ok(PromptConnector { inner: HttpsConnector::from((outlet.clone(), tls)), outlet, timeout })
}

/// No connection came about in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {limit}{through}")]
pub(super) struct TooSlow {
    limit: humantime::FormattedDuration,
    through: String,
}

/// A connector that gives up after a while, wherever it is stuck.
#[derive(Debug, Clone)]
pub(super) struct PromptConnector {
    inner: HttpsConnector<Outlet>,
    /// The same as within, to name the proxy of a connection that does not come about.
    outlet: Outlet,
    timeout: Duration,
}

impl Service<Uri> for PromptConnector {
    type Response = <HttpsConnector<Outlet> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (timeout, proxy) = (self.timeout, self.outlet.proxy_of(&uri).cloned());
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            let connected = tokio::time::timeout(timeout, connecting).await;
            connected.unwrap_or_else(|_| {
                let limit = humantime::format_duration(timeout);
                let through = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
                Err(TooSlow { limit, through }.into())
            })
        })
    }
}
