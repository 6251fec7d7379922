//! TCP connections to upstream, straight or through an HTTP proxy's tunnel.
//!
//! Which connection goes through a proxy is hyper-util's word, which the AWS SDK's own client takes as well. The tunnel
//! is not: hyper-util's tells a proxy's refusals (403, 502) not apart, and takes an http endpoint's port to be 443.

use super::dial::Dialer;
use crate::config::{Proxies, Proxy};
use http::{HeaderValue, StatusCode, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{BoxError, Service};

/// The longest answer of a proxy, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// The most header lines of it.
const MAX_HEADERS: usize = 64;

/// Why a proxy gave no connection, and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// There is no connection to the proxy itself.
    #[error(
        "the proxy {proxy} cannot be reached ({cause}): check that {} names it rightly and that it runs, or name \
         Bedrock's host in NO_PROXY", proxy.variable
    )]
    Unreachable { proxy: Proxy, cause: String },
    /// It wants credentials, or others.
    #[error(
        "the proxy {proxy} wants credentials, or others (407): put them into {}, as in http://user:password@host:port",
        proxy.variable
    )]
    Unauthorized { proxy: Proxy },
    /// It opens no tunnel.
    #[error(
        "the proxy {proxy} opens no tunnel to {target} ({status}): let it allow that host, and see in its log what \
         kept it"
    )]
    Refused { proxy: Proxy, target: String, status: StatusCode },
    /// What answers is no HTTP proxy.
    #[error(
        "the proxy {proxy} does not answer as an HTTP proxy ({cause}): check the host and port in {}",
        proxy.variable
    )]
    Malformed { proxy: Proxy, cause: &'static str },
}

/// Opens connections, each through the proxy that is named for its target.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    dialer: Dialer,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    matcher: Matcher,
    proxies: Proxies,
}

/// A tunnel that is to be opened.
#[derive(Debug)]
struct Tunnel {
    proxy: Proxy,
    /// Where the proxy is.
    uri: Uri,
    authorization: Option<HeaderValue>,
    /// Host and port that it is to lead to.
    target: String,
}

impl Outlet {
    pub(super) fn new(dialer: Dialer, proxies: &Proxies) -> Self {
        let url = |proxy: &Option<Proxy>| proxy.as_ref().map_or("", Proxy::secret_url).to_owned();
        let (https, http) = (url(&proxies.https), url(&proxies.http));
        let matcher = Matcher::builder().https(https).http(http).no(proxies.no_proxy.as_str()).build();
        Self { dialer, rules: Arc::new(Rules { matcher, proxies: proxies.clone() }) }
    }

    /// Returns the proxy that connections to a target go through.
    pub(super) fn proxy_of(&self, uri: &Uri) -> Option<&Proxy> {
        self.rules.matcher.intercept(uri)?;
        self.rules.proxies.of_scheme(uri.scheme_str()?)
    }

    fn tunnel(&self, uri: &Uri) -> Option<Tunnel> {
        let proxy = self.proxy_of(uri)?.clone();
        let intercept = self.rules.matcher.intercept(uri)?;
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let target = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(default_port));
        let authorization = intercept.basic_auth().cloned();
        Some(Tunnel { proxy, uri: intercept.uri().clone(), authorization, target })
    }
}

impl Service<Uri> for Outlet {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (dialer, tunnel) = (self.dialer.clone(), self.tunnel(&uri));
        Box::pin(async move {
            let Some(tunnel) = tunnel else { return Ok(TokioIo::new(dialer.dial(&uri).await?)) };
            let dialled = dialer.dial(&tunnel.uri).await;
            let stream = dialled.map_err(|error| tunnel.unreachable(root_cause(&error)))?;
            Ok(TokioIo::new(tunnel.open(stream).await?))
        })
    }
}

impl Tunnel {
    /// Asks the proxy for the tunnel; what is written to the stream afterwards goes to the target.
    async fn open(self, mut stream: TcpStream) -> Result<TcpStream, ProxyError> {
        let broken = |error: io::Error| self.unreachable(error.to_string());
        stream.write_all(&self.request()).await.map_err(broken)?;
        let mut answer = Vec::with_capacity(1 << 10);
        loop {
            if let Some(status) = self.status(&answer)? {
                self.check(status)?;
                return Ok(stream);
            }
            if answer.len() > MAX_HEAD {
                return Err(self.malformed("its head is too long"));
            }
            if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
                return Err(self.malformed("it closes the connection"));
            }
        }
    }

    fn request(&self) -> Vec<u8> {
        let target = &self.target;
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"proxy-authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }

    /// Returns the answer's status once its head is whole.
    fn status(&self, answer: &[u8]) -> Result<Option<StatusCode>, ProxyError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(answer).map_err(|_| self.malformed("it speaks no HTTP"))?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| self.malformed("it speaks no HTTP"))?;
        // Through an open tunnel nothing comes before the target was spoken to.
        if status.is_success() && length < answer.len() {
            return Err(self.malformed("it sends more than a head"));
        }
        Ok(Some(status))
    }

    fn check(&self, status: StatusCode) -> Result<(), ProxyError> {
        let (proxy, target) = (self.proxy.clone(), self.target.clone());
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(ProxyError::Unauthorized { proxy }),
            _ => Err(ProxyError::Refused { proxy, target, status }),
        }
    }

    fn unreachable(&self, cause: String) -> ProxyError {
        ProxyError::Unreachable { proxy: self.proxy.clone(), cause }
    }

    fn malformed(&self, cause: &'static str) -> ProxyError {
        ProxyError::Malformed { proxy: self.proxy.clone(), cause }
    }
}

/// Returns what is at the bottom of an error.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
