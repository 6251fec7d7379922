//! A call on its way upstream, up to the head of the answer.

use super::client_line::ClientLine;
use super::exchange::{Ending, Exchange};
use super::relay::{Relay, Surroundings};
use crate::error::GatewayError;
use crate::forward::{Answer, Forward, ForwardError, Signed};
use http::Response;
use http_body::Body as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

type Sending = Pin<Box<dyn Future<Output = Result<Response<Answer>, ForwardError>> + Send>>;

/// A request that is under way, and the account of its call: resolves to the answer with its relayed body.
///
/// Dropped before that, because the client left, it goes on in a task of its own, or is cancelled.
pub(super) struct Departure {
    under_way: Option<UnderWay>,
    around: Arc<Surroundings>,
    line: ClientLine,
}

struct UnderWay {
    sending: Sending,
    exchange: Exchange,
}

impl Departure {
    /// Sends a signed request.
    pub(super) fn new(
        forward: Arc<Forward>,
        request: Signed,
        exchange: Exchange,
        around: Arc<Surroundings>,
        line: ClientLine,
    ) -> Self {
        let (patience, grace_over) = (around.patience.idle, around.shutdown.grace_over.clone());
        let sending = Box::pin(async move { forward.send(request, patience, &grace_over).await });
        Self { under_way: Some(UnderWay { sending, exchange }), around, line }
    }
}

impl Future for Departure {
    type Output = Result<Response<Box<Relay>>, GatewayError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(under_way) = &mut this.under_way else { return Poll::Ready(Err(GatewayError::Internal)) };
        let answer = ready!(under_way.sending.as_mut().poll(context));
        let Some(UnderWay { exchange, .. }) = this.under_way.take() else {
            return Poll::Ready(Err(GatewayError::Internal));
        };
        let relayed = relayed(answer, exchange, Arc::clone(&this.around), this.line.clone());
        Poll::Ready(relayed.map_err(GatewayError::from))
    }
}

impl Drop for Departure {
    /// The client left before the head of the answer came.
    fn drop(&mut self) {
        let Some(UnderWay { sending, exchange }) = self.under_way.take() else { return };
        let around = Arc::clone(&self.around);
        self.around.client_left(exchange, |exchange| drain(sending, exchange, around));
    }
}

/// Waits on for the head; the relayed body drains the rest when it is dropped.
async fn drain(sending: Sending, exchange: Exchange, around: Arc<Surroundings>) {
    let limit = around.patience.drain_timeout;
    let answer = tokio::time::timeout(limit, sending).await.unwrap_or(Err(ForwardError::Silent(limit)));
    drop(relayed(answer, exchange, around, ClientLine::default()));
}

/// Turns upstream's answer into the client's, or settles the call that got none.
fn relayed(
    answer: Result<Response<Answer>, ForwardError>,
    mut exchange: Exchange,
    around: Arc<Surroundings>,
    line: ClientLine,
) -> Result<Response<Box<Relay>>, ForwardError> {
    let (head, body) = answer.inspect_err(|error| exchange.settle(ending(error)))?.into_parts();
    exchange.answered(head.status.as_u16(), &head.headers);
    let left = body.size_hint().exact();
    let mut answer = Response::new(Relay::new(body, left, exchange, around, line));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    Ok(answer)
}

fn ending(error: &ForwardError) -> Ending {
    match error {
        ForwardError::Unreachable(_) | ForwardError::Credentials | ForwardError::Unsendable(_) => {
            Ending::Unreachable
        }
        ForwardError::Silent(_) => Ending::Silent,
        ForwardError::Reset => Ending::Broken,
        ForwardError::GraceOver => Ending::GraceOver,
    }
}
