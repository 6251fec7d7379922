//! The upstream side of a call: headers, signature, connection.

mod answer;
mod certificate;
mod client;
mod connect;
mod connection;
pub mod credentials;
mod dial;
pub mod endpoint;
mod head;
pub mod headers;
mod outbound;
mod pool;
mod proxy;
pub mod sign;
pub mod signers;
mod standing;
#[cfg(test)]
mod tests;
mod trust;
mod warm;
mod wire_path;

pub use answer::{Answer, AnswerBroken};
pub use client::Client;
pub use outbound::{Outbound, RequestHead};
pub(crate) use proxy::root_cause;
pub use trust::check_trust;
pub(crate) use trust::{aws_trust, read_native};
pub use wire_path::{Stem, WirePath};

use crate::clock::Clock;
use bytes::Bytes;
use credentials::CredentialsCache;
use headers::Passing;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Response, Uri};
use sign::{Scope, Signable, SigningKeys};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sends signed requests upstream.
#[derive(Debug)]
pub struct Forward {
    client: Client,
    keys: SigningKeys,
    clock: Clock,
}

/// Where a region's calls go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Scheme, host and port.
    pub uri: Uri,
    /// The same, as connections are told apart by it.
    pub origin: Arc<str>,
    /// Host and, where it is not the scheme's own, port, for the `host` header.
    pub host: HeaderValue,
}

/// A signed request, and where it goes.
#[derive(Debug)]
pub struct Signed {
    endpoint: Arc<Endpoint>,
    request: Outbound,
}

/// A request for upstream, not yet signed.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// Who signs it.
    pub signer: &'a Arc<CredentialsCache>,
    /// The method.
    pub method: &'a Method,
    /// Where it goes.
    pub endpoint: &'a Arc<Endpoint>,
    /// The region that the signature names.
    pub region: &'a str,
    /// The path.
    pub path: WirePath<'a>,
    /// The query as the client sent it, without `?`.
    pub query: Option<&'a str>,
    /// What passes of the client's headers.
    pub headers: Passing<'a>,
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
    #[error("Bedrock cannot be reached: {0}")]
    Unreachable(String),
    /// There are no credentials to sign with, so nothing was sent.
    #[error("the gateway has no AWS credentials to call Bedrock with: its log tells which it looked for")]
    Credentials,
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
    pub fn new(client: Client, clock: Clock) -> Self {
        Self { client, keys: SigningKeys::default(), clock }
    }

    /// Lays a request out, and signs it with its signer's credentials.
    pub async fn sign(&self, outgoing: Outgoing<'_>) -> Result<Signed, ForwardError> {
        let credentials = outgoing.signer.get().await?;
        let Outgoing { method, endpoint, region, path, query, headers, pieces, len, sha256, .. } = outgoing;
        let since_epoch = self.clock.since_epoch();
        let signable =
            Signable { method, path: &path, query: query.unwrap_or_default(), body_sha256: &sha256 };
        let mut head = RequestHead::new(method, &path, query);
        let mut signed = vec![(HOST.as_str(), endpoint.host.as_bytes())];
        head.line(HOST.as_str(), endpoint.host.as_bytes());
        head.line(ACCEPT_ENCODING.as_str(), b"identity");
        for (name, value) in headers.iter() {
            head.line(name.as_str(), value.as_bytes());
            if sign::covers(name) {
                signed.push((name.as_str(), value.as_bytes()));
            }
        }
        if *method == Method::POST || len > 0 {
            head.content_length(len);
        }
        let scope = Scope { credentials: &credentials, region, since_epoch };
        let signature = sign::sign(signable, signed, &self.keys, scope)
            .map_err(|_| ForwardError::Unsendable("header"))?;
        head.line(sign::X_AMZ_DATE, signature.amz_date.as_bytes());
        if let Some(token) = credentials.session_token() {
            head.line(sign::X_AMZ_SECURITY_TOKEN, token.as_bytes());
        }
        head.line(AUTHORIZATION.as_str(), &signature.authorization);
        Ok(Signed { endpoint: Arc::clone(endpoint), request: Outbound::new(head, pieces) })
    }

    /// Sends a request and waits for the head of its answer, `patience` at most.
    ///
    /// Sent once: only a request of which a kept connection took nothing goes out on another.
    pub async fn send(
        &self,
        Signed { endpoint, request }: Signed,
        patience: Duration,
        grace_over: &CancellationToken,
    ) -> Result<Response<Answer>, ForwardError> {
        let answer = tokio::time::timeout(patience, self.client.call(&endpoint, request));
        tokio::select! {
            biased;
            answer = answer => answer.unwrap_or(Err(ForwardError::Silent(patience))),
            () = grace_over.cancelled() => Err(ForwardError::GraceOver),
        }
    }

    /// Returns what makes the calls.
    pub fn client(&self) -> &Client {
        &self.client
    }
}
