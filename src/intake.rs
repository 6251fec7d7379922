//! A request's body: taken in whole, kept as it came, hashed and counted as it arrives.

pub(crate) mod members;
mod model;
mod pieces;

use crate::clock::Clock;
use crate::tap::TextCounter;
use crate::turn::Turn;
use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
pub(crate) use model::model_id;
use pieces::Pieces;
use sha2::{Digest, Sha256};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::timeout;

/// How long a client may leave a body unfinished without sending a byte.
const STALL_LIMIT: Duration = Duration::from_mins(1);

/// How much of a body is taken in before other calls have their turn, in bytes: hashing that much takes about 130 us.
const TURN: usize = 256 << 10;

/// How much of a refused body is read away, so that its sender gets to see the answer.
const DISCARD_LIMIT_BYTES: u64 = 64 << 20;

/// How long a refused body is read away.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);

/// A whole request body.
#[derive(Debug)]
pub struct RequestBody {
    /// The buffers, in order; what they hold besides is a small part of what is in them.
    pub pieces: Vec<Bytes>,
    /// Their length together, in bytes.
    pub len: u64,
    /// SHA-256 of them together.
    pub sha256: [u8; 32],
    /// Bytes of text in it, for estimates.
    pub text_bytes: u64,
    /// The most output tokens that it allows, where it says so.
    pub max_output_tokens: Option<u64>,
    /// How long nothing of it was there to be taken in.
    pub waited: Duration,
}

/// Why a body was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// It is longer than the limit.
    #[error(
        "the request body is longer than {limit} bytes, the limit of this gateway: \
         send less, or raise listen.body_limit_bytes"
    )]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It broke off, or its framing cannot be read, or the client waits for no answer.
    #[error(
        "the request body broke off before its end, its framing is malformed, or the connection was closed behind it: \
         send it again, whole, and keep the connection open for the answer"
    )]
    Broken,
    /// Nothing of it came for a minute.
    #[error("nothing of the request body came for 60 seconds: send it again, whole")]
    Stalled,
}

/// A request's body that is not taken in yet.
pub trait Unread: Body<Data = Bytes> + Send + Unpin {}

impl<B: Body<Data = Bytes> + Send + Unpin> Unread for B {}

/// Reads a body to its end; one that its head declares too long is refused without reading.
pub async fn read(
    headers: &HeaderMap,
    body: &mut impl Unread,
    limit: u64,
    clock: Clock,
) -> Result<RequestBody, IntakeError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        return Err(IntakeError::TooLarge { limit });
    }
    let (mut taken, mut turn) = (Intake::default(), Turn::of(TURN));
    while let Some(frame) = taken.next_frame(body, STALL_LIMIT, clock).await? {
        let Ok(piece) = frame.into_data() else { continue };
        let is_turn_over = turn.is_over_after(piece.len());
        taken.push(piece, limit)?;
        if is_turn_over {
            yield_now().await;
        }
    }
    Ok(taken.finish())
}

/// A body as far as it came.
#[derive(Debug, Default)]
struct Intake {
    pieces: Pieces,
    len: u64,
    sha256: Sha256,
    text: TextCounter,
    waited: Duration,
}

impl Intake {
    /// Returns what comes next of a body. What is there already, as most bodies are, takes neither timer nor clock.
    async fn next_frame(
        &mut self,
        body: &mut impl Unread,
        patience: Duration,
        clock: Clock,
    ) -> Result<Option<Frame<Bytes>>, IntakeError> {
        let mut next = body.frame();
        let frame = match poll_fn(|context| Poll::Ready(next.poll_unpin(context))).await {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let began = clock.instant();
                let frame = timeout(patience, next).await.map_err(|_| IntakeError::Stalled)?;
                self.waited += clock.instant().duration_since(began);
                frame
            }
        };
        frame.transpose().map_err(|_| IntakeError::Broken)
    }

    fn push(&mut self, piece: Bytes, limit: u64) -> Result<(), IntakeError> {
        self.len = self.len.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.len > limit {
            return Err(IntakeError::TooLarge { limit });
        }
        self.sha256.update(&piece);
        self.text.feed(&piece);
        self.pieces.push(piece);
        Ok(())
    }

    fn finish(self) -> RequestBody {
        RequestBody {
            pieces: self.pieces.finish(),
            len: self.len,
            sha256: self.sha256.finalize().into(),
            text_bytes: self.text.bytes(),
            max_output_tokens: self.text.max_output_tokens(),
            waited: self.waited,
        }
    }
}

/// Reads a refused body away, within bounds: closing on a client that still sends would cost it the answer.
pub async fn discard(mut body: impl Unread) {
    let (mut discarded, mut turn) = (0_u64, Turn::of(TURN));
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len);
            if turn.is_over_after(len) {
                yield_now().await;
            }
            discarded = discarded.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            if discarded > DISCARD_LIMIT_BYTES {
                return;
            }
        }
    };
    // Past the time, the connection is closed on whoever still sends.
    let _ = timeout(DISCARD_TIMEOUT, all).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::{Context, Waker};
    use tokio::sync::mpsc;

    const LIMIT: u64 = 1 << 10;

    #[test]
    fn what_is_there_is_not_waited_for() {
        // Nor is there a runtime, which a timer would need.
        let mut body = Full::from("{}");
        let taken =
            read(&HeaderMap::new(), &mut body, LIMIT, Clock::system()).now_or_never().unwrap().unwrap();
        assert_eq!((taken.len, taken.waited), (2, Duration::ZERO));
    }

    #[test]
    fn a_long_body_that_is_there_lets_other_calls_go_between() {
        let pieces = (0..8).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; TURN / 2]))));
        let mut body = StreamBody::new(futures_util::stream::iter(pieces));
        let headers = HeaderMap::new();
        let mut reading = pin!(read(&headers, &mut body, u64::MAX, Clock::system()));
        let mut context = Context::from_waker(Waker::noop());
        let polls = std::iter::repeat_with(|| reading.as_mut().poll(&mut context));
        let turns = polls.take_while(Poll::is_pending).count();
        assert_eq!(turns, 4);
    }

    /// Returns a body, and what sends its pieces.
    fn body_to_come() -> (mpsc::UnboundedSender<&'static str>, impl Unread) {
        let (sender, mut pieces) = mpsc::unbounded_channel();
        let frames = futures_util::stream::poll_fn(move |context| {
            let piece = pieces.poll_recv(context);
            piece.map(|piece: Option<&str>| Some(Ok::<_, Infallible>(Frame::data(Bytes::from(piece?)))))
        });
        (sender, StreamBody::new(frames))
    }

    #[tokio::test]
    async fn what_comes_later_is_waited_for() {
        let (sender, mut body) = body_to_come();
        let (headers, began) = (HeaderMap::new(), Clock::system().instant());
        let send = async {
            for piece in ["{", "}"] {
                tokio::time::sleep(Duration::from_millis(5)).await;
                sender.send(piece).unwrap();
            }
            drop(sender);
        };
        let (taken, ()) = tokio::join!(read(&headers, &mut body, LIMIT, Clock::system()), send);
        let (taken, all) = (taken.unwrap(), Clock::system().instant().duration_since(began));
        assert_eq!(taken.len, 2);
        assert!(!taken.waited.is_zero() && taken.waited <= all, "{taken:?}");
    }

    #[tokio::test]
    async fn what_does_not_come_is_given_up() {
        let (_sender, mut body) = body_to_come();
        let next = Intake::default().next_frame(&mut body, Duration::from_millis(1), Clock::system()).await;
        assert_eq!(next.unwrap_err(), IntakeError::Stalled);
    }
}
