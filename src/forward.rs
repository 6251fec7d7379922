//! The upstream side of a call: headers, signature, connection.

pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod headers;
pub mod sign;

use crate::clock::Clock;
use bytes::Bytes;
use client::{Client, Pieces};
use credentials::CredentialsCache;
use http::header::CONTENT_LENGTH;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use sign::{Scope, Signable, SigningKeys};
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sends signed requests upstream.
#[derive(Debug)]
pub struct Forward {
    client: Client,
    credentials: Arc<CredentialsCache>,
    keys: SigningKeys,
    clock: Clock,
}

/// Where a region's calls go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and, where it is not the scheme's own, port.
    pub authority: Authority,
    /// The same, for the `host` header.
    pub host: HeaderValue,
}

/// A request for upstream, not yet signed.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub endpoint: &'a Endpoint,
    /// The region that the signature names.
    pub region: &'a str,
    /// The path, encoded.
    pub path: &'a str,
    /// The query as the client sent it, without `?`.
    pub query: Option<&'a str>,
    /// The headers, filtered.
    pub headers: HeaderMap,
    /// The body's buffers.
    pub pieces: Vec<Bytes>,
    /// Their length together.
    pub len: u64,
    /// SHA-256 of them together.
    pub sha256: [u8; 32],
}

/// Why upstream gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// No connection came about, so nothing was sent.
    #[error("Bedrock cannot be reached: {0}; try again")]
    Unreachable(String),
    /// There are no credentials to sign with, so nothing was sent.
    #[error("the gateway has no AWS credentials to call Bedrock with: {0}")]
    Credentials(String),
    /// Upstream sent no head in time.
    #[error("Bedrock sent nothing for {}; the call may have been executed", humantime::format_duration(*.0))]
    Silent(Duration),
    /// The connection broke before a head came.
    #[error("the connection to Bedrock broke before it answered; the call may have been executed")]
    Reset,
    /// The shutdown grace ran out before a head came.
    #[error("the gateway shut down before Bedrock answered; the call may have been executed")]
    GraceOver,
    /// The request cannot be put on the wire: a bug.
    #[error("the request cannot be sent: its {0} is not valid")]
    Unsendable(&'static str),
}

impl Forward {
    /// Makes the upstream side of the gateway.
    pub fn new(client: Client, credentials: Arc<CredentialsCache>, clock: Clock) -> Self {
        Self { client, credentials, keys: SigningKeys::default(), clock }
    }

    /// Signs a request with the gateway's credentials.
    pub async fn sign(&self, outgoing: Outgoing<'_>) -> Result<Request<Pieces>, ForwardError> {
        let credentials = self.credentials.get().await?;
        let Outgoing { method, endpoint, path, mut headers, .. } = outgoing;
        let path_and_query = match outgoing.query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        if method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(outgoing.len));
        }
        let query = outgoing.query.unwrap_or_default();
        let signable = Signable { method: &method, path, query, body_sha256: &outgoing.sha256 };
        let since_epoch = self.clock.since_epoch();
        let scope = Scope { credentials: &credentials, region: outgoing.region, since_epoch };
        sign::sign(signable, &mut headers, &self.keys, scope)
            .map_err(|_| ForwardError::Unsendable("header"))?;
        let uri = Uri::builder()
            .scheme(endpoint.scheme.clone())
            .authority(endpoint.authority.clone())
            .path_and_query(path_and_query)
            .build()
            .map_err(|_| ForwardError::Unsendable("path"))?;
        let mut request = Request::new(Pieces::new(outgoing.pieces, outgoing.len));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Sends a request and waits for the head of its answer, `patience` at most.
    ///
    /// Sent once: only a request that a pooled connection hands back unsent goes out on another.
    pub async fn send(
        &self,
        request: Request<Pieces>,
        patience: Duration,
        grace_over: &CancellationToken,
    ) -> Result<Response<Incoming>, ForwardError> {
        tokio::select! {
            biased;
            answer = self.client.request(request) => answer.map_err(|error| {
                let cause = root_cause(&error);
                if error.is_connect() { ForwardError::Unreachable(cause) } else { ForwardError::Reset }
            }),
            () = tokio::time::sleep(patience) => Err(ForwardError::Silent(patience)),
            () = grace_over.cancelled() => Err(ForwardError::GraceOver),
        }
    }
}

fn root_cause(error: &hyper_util::client::legacy::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match error.source() {
        Some(_) => cause.to_string(),
        None => error.to_string(),
    }
}
