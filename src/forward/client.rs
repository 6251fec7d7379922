//! The pooled connections to upstream: HTTP/1.1, with or without TLS.

use bytes::Bytes;
use http::Uri;
use http_body::{Body, Frame, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

/// A client with its pool of connections.
pub type Client = hyper_util::client::legacy::Client<PromptConnector, Pieces>;

/// How long an idle connection is kept: less than load balancers do, since who loses that race loses a call.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// How often the kernel probes a silent connection; a dead peer is noticed long before the idle timeout.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);

/// Makes the client. TCP and TLS together have `connect_timeout` to come about.
///
/// # Errors
/// There are no CA certificates on this machine.
pub fn client(connect_timeout: Duration) -> std::io::Result<Client> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    let tls =
        HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().wrap_connector(tcp);
    let connector = PromptConnector { inner: tls, timeout: connect_timeout };
    Ok(hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .set_host(false)
        .build(connector))
}

/// A connector that gives up after a while, wherever it is stuck.
#[derive(Debug, Clone)]
pub struct PromptConnector {
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
        let connecting = self.inner.call(uri);
        let timeout = self.timeout;
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(format!("no connection within {}", humantime::format_duration(timeout)).into()),
            }
        })
    }
}

/// A request body of known buffers.
#[derive(Debug)]
pub struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl Pieces {
    /// Makes a body of buffers that are `len` bytes long together.
    pub fn new(pieces: Vec<Bytes>, len: u64) -> Self {
        Self { pieces: pieces.into_iter(), left: len }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.next() else { return Poll::Ready(None) };
        self.left = self.left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
