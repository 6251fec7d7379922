//! A call on its way upstream, up to the head of the answer.

use super::exchange::{Ending, Exchange};
use super::relay::{BreakOff, Relay, Surroundings};
use crate::config::OnClientDisconnect;
use crate::error::GatewayError;
use crate::forward::client::Pieces;
use crate::forward::{Forward, ForwardError};
use crate::metrics::GoneAction;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the handler of a request waits for.
pub(super) type Answer = Result<Response<Relay>, GatewayError>;

/// A signed request and the account of its call.
#[derive(Debug)]
pub(super) struct Departure {
    pub(super) forward: Arc<Forward>,
    pub(super) request: Request<Pieces>,
    pub(super) exchange: Exchange,
    pub(super) around: Arc<Surroundings>,
    pub(super) break_off: Option<BreakOff>,
}

impl Departure {
    /// Sends the request, and hands the answer to the client; one that nobody waits for any more is drained, since
    /// that is what a relayed body does when it is dropped.
    pub(super) async fn run(self, mut client: oneshot::Sender<Answer>) {
        let Self { forward, request, mut exchange, around, break_off } = self;
        let sending = forward.send(request, around.patience.idle, &around.shutdown.grace_over);
        tokio::pin!(sending);
        let answer = tokio::select! {
            answer = &mut sending => answer,
            () = client.closed() => match around.patience.on_client_disconnect {
                OnClientDisconnect::Cancel => {
                    exchange.client_left(GoneAction::Cancelled);
                    exchange.settle(Ending::ClientGone);
                    return;
                }
                OnClientDisconnect::Drain => {
                    exchange.client_left(GoneAction::Drained);
                    let limit = around.patience.drain_timeout;
                    let drained = tokio::time::timeout(limit, sending).await;
                    drained.unwrap_or(Err(ForwardError::Silent(limit)))
                }
            },
        };
        // Nobody there to take it: the answer is dropped here, and drained.
        let _ = client.send(match answer {
            Ok(response) => Ok(relay(response, exchange, Arc::clone(&around), break_off)),
            Err(error) => {
                exchange.settle(ending(&error));
                Err(error.into())
            }
        });
    }
}

fn relay(
    response: Response<Incoming>,
    mut exchange: Exchange,
    around: Arc<Surroundings>,
    break_off: Option<BreakOff>,
) -> Response<Relay> {
    let (head, body) = response.into_parts();
    exchange.answered(head.status.as_u16(), &head.headers);
    let left = body.size_hint().exact();
    let mut answer = Response::new(Relay::new(body, left, exchange, around, break_off));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer
}

fn ending(error: &ForwardError) -> Ending {
    match error {
        ForwardError::Unreachable(_) | ForwardError::Credentials(_) | ForwardError::Unsendable(_) => {
            Ending::Unreachable
        }
        ForwardError::Silent(_) => Ending::Silent,
        ForwardError::Reset => Ending::Broken,
        ForwardError::GraceOver => Ending::GraceOver,
    }
}
