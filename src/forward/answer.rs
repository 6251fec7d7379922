//! The body of upstream's answer, read as it is asked for.

use super::connection::Connection;
use super::outbound::Outbound;
use super::pool::Pool;
use crate::clock::Clock;
use crate::http1::framing::{Framing, Step};
use crate::metrics::End;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The body of an answer. Read to its end, it gives the connection back; dropped before, it closes it. Once broken,
/// it stays so.
#[derive(Debug)]
pub struct Answer {
    framing: Framing,
    /// Until the end.
    line: Option<Line>,
    is_broken: bool,
}

/// The connection that an answer comes by.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) connection: Connection,
    /// What of the request is not written yet, where upstream answers before it has all.
    pub(super) request: Outbound,
    /// Whether it may carry another call.
    pub(super) keep_alive: bool,
    pub(super) origin: Arc<str>,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
}

/// The answer broke off, or its framing is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to Bedrock broke within its answer")]
pub struct AnswerBroken;

impl Answer {
    /// Reads a body that is framed so from a connection.
    pub(super) fn new(framing: Framing, line: Line) -> Self {
        let mut answer = Self { framing, line: Some(line), is_broken: false };
        answer.release_at_the_end();
        answer
    }

    /// Reads on until there is something to hand on.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, AnswerBroken>> {
        let Some(line) = &mut self.line else { return Poll::Ready(Ok(Step::End)) };
        loop {
            match self.framing.next(&mut line.connection.unread) {
                Ok(Step::Starved) => {}
                Ok(step) => return Poll::Ready(Ok(step)),
                Err(_) => return Poll::Ready(Err(AnswerBroken)),
            }
            if !line.request.is_out {
                // If it takes no more of the request, it may still have an answer.
                drop(line.connection.poll_send(context, &mut line.request));
            }
            match ready!(line.connection.poll_read(context)) {
                Ok(count) if count > 0 => {}
                Ok(_) if self.framing == Framing::UntilClose => return Poll::Ready(Ok(Step::End)),
                Ok(_) | Err(_) => return Poll::Ready(Err(AnswerBroken)),
            }
        }
    }

    /// Gives the connection back once nothing is left to read.
    fn release_at_the_end(&mut self) {
        if self.framing.is_over()
            && let Some(line) = self.line.take()
        {
            line.release();
        }
    }
}

impl Line {
    fn release(self) {
        if self.keep_alive && self.request.is_out && self.connection.unread.is_empty() {
            self.pool.put(&self.origin, self.connection, self.clock.instant());
        } else {
            self.connection.retire(End::Last);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = AnswerBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerBroken>>> {
        let this = &mut *self;
        if this.is_broken {
            return Poll::Ready(Some(Err(AnswerBroken)));
        }
        let step = ready!(this.poll_step(context));
        this.release_at_the_end();
        let frame = match step {
            Ok(Step::Data(data)) => Frame::data(data),
            Ok(Step::Trailers(trailers)) => Frame::trailers(trailers),
            Ok(Step::End | Step::Starved) => {
                // Its end was the body's.
                this.line.take().into_iter().for_each(Line::release);
                return Poll::Ready(None);
            }
            Err(broken) => {
                (this.line, this.is_broken) = (None, true);
                return Poll::Ready(Some(Err(broken)));
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.line.is_none() && !self.is_broken
    }

    fn size_hint(&self) -> SizeHint {
        self.framing.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
