//! Sends a body as it is told to, and counts its statement once that has been handed over.

use super::line::Breaker;
use super::steer::{Fault, Steering};
use super::truth::{Ledger, TokenTotals};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// Who watches a body being sent.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// Where its statement is counted.
    pub(super) ledger: Arc<Ledger>,
    /// Which answer it belongs to.
    pub(super) request_id: String,
    /// What resets its connection.
    pub(super) breaker: Arc<Breaker>,
}

/// A body before it is sent.
#[derive(Debug)]
pub(super) struct Script {
    /// The body, in pieces.
    pub(super) pieces: Vec<Bytes>,
    /// What it states.
    pub(super) stated: Option<TokenTotals>,
    /// With how many of the pieces the statement is complete.
    pub(super) stated_with: usize,
    /// Whether its length is stated at the head.
    pub(super) has_length: bool,
}

/// What comes after the last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The end.
    End,
    /// A reset of the connection.
    Reset,
    /// Nothing.
    Silence,
}

/// A body on its way out.
#[derive(Debug)]
pub(super) struct Player {
    pieces: VecDeque<Bytes>,
    last: Last,
    length: Option<u64>,
    sent: u64,
    /// The tokens stated, and after how many bytes.
    statement: Option<(u64, TokenTotals)>,
    pace: Duration,
    rest: Option<Pin<Box<Sleep>>>,
    flush_each: bool,
    flush_due: bool,
    watch: Watch,
}

impl Script {
    /// A body in one piece.
    pub(super) fn whole(body: impl Into<Bytes>) -> Self {
        Self { pieces: vec![body.into()], stated: None, stated_with: 1, has_length: true }
    }

    /// A body in as many pieces as there are messages, the last of which completes the statement.
    pub(super) fn stream(messages: Vec<Bytes>, stated: Option<TokenTotals>) -> Self {
        Self { stated_with: messages.len(), pieces: messages, stated, has_length: false }
    }

    /// Applies what the request asked for.
    pub(super) fn play(self, steering: Option<&Steering>, pace: Duration, watch: Watch) -> Player {
        let split = steering.and_then(|steering| steering.split);
        let fault = steering.and_then(|steering| steering.fault.as_ref());
        let has_length = self.has_length || steering.is_some_and(|steering| steering.content_length);
        let stated_at = length_of(self.pieces.iter().take(self.stated_with));
        let full = length_of(self.pieces.iter());
        let (limit, last) = match fault {
            Some(Fault::Reset(limit)) => (Some(*limit), Last::Reset),
            Some(Fault::Stall(limit)) => (Some(*limit), Last::Silence),
            Some(Fault::Truncate(limit)) => (Some(*limit), Last::End),
            _ => (None, Last::End),
        };
        let mut pieces = self.pieces;
        if let Some(size) = split {
            pieces = cut(&pieces, size);
        }
        if let Some(limit) = limit {
            pieces = take(pieces, limit);
        }
        let length = if last == Last::End { length_of(pieces.iter()) } else { full };
        Player {
            length: has_length.then_some(length),
            pieces: pieces.into(),
            last,
            sent: 0,
            statement: self.stated.map(|tokens| (stated_at, tokens)),
            pace: steering.and_then(|steering| steering.pace).unwrap_or(pace),
            rest: None,
            flush_each: split.is_some(),
            flush_due: false,
            watch,
        }
    }
}

fn length_of<'a>(pieces: impl Iterator<Item = &'a Bytes>) -> u64 {
    pieces.map(|piece| count(piece.len())).fold(0, u64::saturating_add)
}

/// Returns a length as a count.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Cuts all pieces anew, wherever the old ones began.
fn cut(pieces: &[Bytes], size: NonZeroUsize) -> Vec<Bytes> {
    let mut all = BytesMut::new();
    for piece in pieces {
        all.extend_from_slice(piece);
    }
    let mut rest = all.freeze();
    let mut cut = Vec::new();
    while !rest.is_empty() {
        cut.push(rest.split_to(size.get().min(rest.len())));
    }
    cut
}

/// Returns the first bytes of all pieces.
fn take(pieces: Vec<Bytes>, limit: usize) -> Vec<Bytes> {
    let mut left = limit;
    let mut taken = Vec::new();
    for mut piece in pieces {
        piece.truncate(left);
        left = left.saturating_sub(piece.len());
        if !piece.is_empty() {
            taken.push(piece);
        }
    }
    taken
}

impl Player {
    /// Hands over a piece.
    fn hand_over(&mut self, piece: Bytes) -> Frame<Bytes> {
        self.sent = self.sent.saturating_add(count(piece.len()));
        if let Some((_, tokens)) = self.statement.take_if(|(end, _)| *end <= self.sent) {
            self.watch.ledger.state(&self.watch.request_id, tokens);
        }
        if !self.pace.is_zero() && !self.pieces.is_empty() {
            self.rest = Some(Box::pin(tokio::time::sleep(self.pace)));
        }
        self.flush_due = self.flush_each;
        Frame::data(piece)
    }
}

impl Body for Player {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        if std::mem::take(&mut self.flush_due) {
            // While a body has nothing to give, hyper flushes what it has.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(self.hand_over(piece))));
        }
        match self.last {
            Last::End => return Poll::Ready(None),
            Last::Silence => {}
            Last::Reset => {
                self.watch.breaker.trip();
                // One more round, in which hyper comes to flush; then there is only silence.
                self.last = Last::Silence;
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.sent)),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};
    use std::task::Waker;

    #[test]
    fn hyper_gets_to_flush_between_the_pieces_of_a_split_body() {
        let headers: HeaderMap = [("x-sim-split", "2")]
            .map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v)))
            .into_iter()
            .collect();
        let steering = Steering::of(&headers, b"").unwrap();
        let (ledger, breaker) = (Arc::new(Ledger::default()), Arc::new(Breaker::default()));
        let watch = Watch { ledger: Arc::clone(&ledger), request_id: "r".to_owned(), breaker };
        let tokens = TokenTotals { input: 1, ..TokenTotals::default() };
        let script = Script { stated: Some(tokens), ..Script::whole("abcde") };
        let mut player = script.play(Some(&steering), Duration::ZERO, watch);
        let mut context = Context::from_waker(Waker::noop());
        for piece in ["ab", "cd", "e"] {
            assert_eq!(ledger.stated(), TokenTotals::default());
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut player).poll_frame(&mut context) else {
                panic!("no piece");
            };
            assert_eq!(frame.into_data().unwrap(), piece);
            assert!(Pin::new(&mut player).poll_frame(&mut context).is_pending());
        }
        assert_eq!(ledger.stated(), tokens);
        assert!(matches!(Pin::new(&mut player).poll_frame(&mut context), Poll::Ready(None)));
    }
}
