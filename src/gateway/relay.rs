//! The body of an answer on its way to the client: followed, never changed, settled before its end is shown.

use super::client_line::ClientLine;
use super::exchange::{Ending, Exchange};
use super::held_frame::HeldFrame;
use super::last_words;
use crate::clock::Clock;
use crate::config::{OnClientDisconnect, Upstream};
use crate::forward::Answer;
use crate::metrics::GoneAction;
use crate::shutdown::Shutdown;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

/// How long to wait for what.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// The longest silence of upstream.
    pub(super) idle: Duration,
    /// What becomes of a call whose client left.
    pub(super) on_client_disconnect: OnClientDisconnect,
    /// How long a call is drained.
    pub(super) drain_timeout: Duration,
    /// How many bytes of it are drained.
    pub(super) drain_limit_bytes: u64,
}

impl Patience {
    /// Takes it from the settings.
    pub(super) fn of(settings: &Upstream) -> Self {
        Self {
            idle: settings.idle_timeout,
            on_client_disconnect: settings.on_client_disconnect,
            drain_timeout: settings.drain_timeout,
            drain_limit_bytes: settings.drain_limit_bytes,
        }
    }
}

/// What every relayed body shares.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// How long to wait for what.
    pub(super) patience: Patience,
    /// The stages of the gateway's end.
    pub(super) shutdown: Shutdown,
    /// The clock.
    pub(super) clock: Clock,
    /// Where drains run.
    pub(super) runtime: Handle,
}

/// The answer's body, upstream to client.
///
/// Never cuts, joins or changes a buffer. The record is written before the last buffer is handed on, where
/// content-length tells which that is, else before the end is. Dropped unfinished, it hands the rest to a drain.
#[derive(Debug)]
pub struct Relay {
    rest: Option<Rest>,
    /// Bytes to come, where content-length told.
    left: Option<u64>,
    around: Arc<Surroundings>,
    waiting: Option<Box<Waiting>>,
    /// What was taken in and comes next.
    ahead: Option<Frame<Bytes>>,
    line: ClientLine,
    is_breaking: bool,
}

/// What is unfinished of an answer.
#[derive(Debug)]
struct Rest {
    upstream: Answer,
    exchange: Exchange,
}

/// What can end the wait for upstream's next buffer.
#[derive(Debug)]
struct Waiting {
    since: Option<Instant>,
    silence: Pin<Box<Sleep>>,
    grace_over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Relay {
    /// Relays an answer's body. `left` is its length, where content-length tells it; `line` is the client's
    /// connection.
    pub(super) fn new(
        upstream: Answer,
        left: Option<u64>,
        exchange: Exchange,
        around: Arc<Surroundings>,
        line: ClientLine,
    ) -> Box<Self> {
        let rest = Some(Rest { upstream, exchange });
        let relay = Self { rest, left, around, waiting: None, ahead: None, line, is_breaking: false };
        let mut relay = Box::new(relay);
        let is_empty = relay.rest.as_ref().is_some_and(|rest| rest.upstream.is_end_stream());
        if is_empty {
            relay.end(Ending::Complete);
        }
        relay
    }

    /// Writes the record and lets go of upstream.
    fn end(&mut self, ending: Ending) {
        if let Some(mut rest) = self.rest.take() {
            rest.exchange.settle(ending);
        }
    }

    /// Takes a first buffer in, where it is there and content-length tells whether it is the last one. Then the record
    /// is written now, in one write with those of calls that end at the same time: a body's poll could not wait for
    /// them without its head going out alone.
    pub(super) async fn settle_if_whole(&mut self) {
        let is_whole = poll_fn(|context| Poll::Ready(self.look_ahead(context))).await;
        if is_whole && let Some(Rest { mut exchange, .. }) = self.rest.take() {
            exchange.settle_with_others(Ending::Complete).await;
        }
    }

    /// Takes in what is there; tells whether it is the last buffer. What else there is, the next poll finds again.
    fn look_ahead(&mut self, context: &mut Context<'_>) -> bool {
        let Some(rest) = self.rest.as_mut().filter(|_| self.left.is_some()) else { return false };
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut rest.upstream).poll_frame(context) else {
            return false;
        };
        let is_last = self.take_in(&frame);
        self.ahead = Some(frame);
        is_last
    }

    /// Hands a buffer on; the record comes before the last one.
    fn pass(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        if let Some(waiting) = &mut self.waiting {
            waiting.since = None;
        }
        if self.take_in(&frame) {
            self.end(Ending::Complete);
        }
        frame
    }

    /// Takes note of a buffer; tells whether it is the last one.
    fn take_in(&mut self, frame: &Frame<Bytes>) -> bool {
        let Some(chunk) = frame.data_ref() else { return true };
        if let Some(rest) = &mut self.rest {
            rest.exchange.feed(chunk);
        }
        self.left = self.left.map(|left| left.saturating_sub(len(chunk)));
        self.left == Some(0)
    }

    /// Ends an answer that is not whole: with a message where one can be understood, else by breaking off.
    fn cut(&mut self, ending: Ending) -> Result<Frame<Bytes>, Cut> {
        let may_speak =
            self.left.is_none() && self.rest.as_ref().is_some_and(|rest| rest.exchange.at_message_boundary());
        self.end(ending);
        if may_speak {
            return Ok(Frame::data(last_words::message(ending)));
        }
        self.line.break_off();
        Err(Cut)
    }

    /// Returns what comes next of the answer, or how it ends.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(frame) = self.ahead.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        match Pin::new(&mut rest.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(self.pass(frame)))),
            Poll::Ready(Some(Err(_))) if self.is_breaking => Poll::Ready(Some(self.cut(Ending::Broken))),
            Poll::Ready(Some(Err(_))) => {
                // What has been handed on is written out first: a reset would take it back.
                self.is_breaking = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => {
                self.end(Ending::Complete);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let ending = ready!(self.poll_wait(context));
                Poll::Ready(Some(self.cut(ending)))
            }
        }
    }

    /// Waits for upstream, for as long as the patience and the grace last.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        let around = &self.around;
        let (now, idle) = (around.clock.instant(), around.patience.idle);
        let waiting = self.waiting.get_or_insert_with(|| {
            Box::new(Waiting {
                since: None,
                silence: Box::pin(tokio::time::sleep(idle)),
                grace_over: Box::pin(around.shutdown.grace_over.clone().cancelled_owned()),
            })
        });
        let since = *waiting.since.get_or_insert(now);
        if waiting.grace_over.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ending::GraceOver);
        }
        loop {
            ready!(waiting.silence.as_mut().poll(context));
            // The timer runs on while buffers pass, which is cheaper than setting it anew for each.
            if now.saturating_duration_since(since) >= idle {
                return Poll::Ready(Ending::Silent);
            }
            waiting.silence.as_mut().reset((since + idle).into());
        }
    }
}

fn len(chunk: &Bytes) -> u64 {
    u64::try_from(chunk.len()).unwrap_or(u64::MAX)
}

/// The answer could not be relayed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("upstream's answer broke off")]
pub struct Cut;

impl Body for Relay {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = self.poll_next(context);
        HeldFrame::note(|| polled.is_ready().then(|| self.around.clock.instant()));
        polled
    }

    /// False until the record is written: whoever sends this body ends it as soon as this is true.
    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.ahead.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().and_then(Frame::data_ref).map_or(0, len);
        let left = self.left.map(|left| left.saturating_add(ahead));
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Relay {
    /// The client left before the end.
    fn drop(&mut self) {
        let Some(Rest { upstream, exchange }) = self.rest.take() else { return };
        let around = Arc::clone(&self.around);
        self.around.client_left(exchange, |exchange| Rest { upstream, exchange }.drain(around));
    }
}

impl Surroundings {
    /// Does with a call whose client left as is configured: `drain` makes the task that reads it to its end.
    pub(super) fn client_left<F>(&self, mut exchange: Exchange, drain: impl FnOnce(Exchange) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.shutdown.grace_over.is_cancelled() {
            exchange.settle(Ending::GraceOver);
            return;
        }
        match self.patience.on_client_disconnect {
            OnClientDisconnect::Drain => {
                exchange.client_left(GoneAction::Drained);
                self.shutdown.tasks.spawn_on(drain(exchange), &self.runtime);
            }
            OnClientDisconnect::Cancel => {
                exchange.client_left(GoneAction::Cancelled);
                exchange.settle(Ending::ClientGone);
            }
        }
    }
}

impl Rest {
    /// Reads upstream to its end for the usage, within bounds.
    async fn drain(mut self, around: Arc<Surroundings>) {
        let ending = tokio::select! {
            ending = self.read_on(&around.patience) => ending,
            () = tokio::time::sleep(around.patience.drain_timeout) => Ending::Silent,
            () = around.shutdown.grace_over.cancelled() => Ending::GraceOver,
        };
        self.exchange.settle(ending);
    }

    async fn read_on(&mut self, patience: &Patience) -> Ending {
        let mut drained = 0_u64;
        loop {
            match tokio::time::timeout(patience.idle, self.upstream.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let Some(chunk) = frame.data_ref() else { return Ending::Complete };
                    self.exchange.feed(chunk);
                    drained = drained.saturating_add(len(chunk));
                    if drained > patience.drain_limit_bytes {
                        return Ending::Silent;
                    }
                }
                Ok(Some(Err(_))) => return Ending::Broken,
                Ok(None) => return Ending::Complete,
                Err(_) => return Ending::Silent,
            }
        }
    }
}
