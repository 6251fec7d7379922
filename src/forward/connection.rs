//! One connection to upstream: HTTP/1.1, with or without TLS, driven by the task whose call it carries.

use super::head::{self, Head};
use super::outbound::Outbound;
use super::standing::Standing;
use crate::http1::framing::Malformed;
use crate::http1::make_room;
use crate::metrics::End;
use crate::turn::{Turn, give_way};
use bytes::{Buf, BytesMut};
use http::StatusCode;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// What a connection is made of; boxed, since a TLS session is large, and connections are handed from call to call.
type Io = Box<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>;

/// Room for a call's first read, in bytes: most answers that are no streams are shorter.
const ROOM: usize = 4 << 10;

/// Room for a read: it doubles while reads fill it, and halves while they leave most of it empty.
const MIN_ROOM: usize = 1 << 10;
const MAX_ROOM: usize = 256 << 10;

/// How much of a request is written before other calls have their turn, in bytes: less costs more, since long bodies that
/// go by turns push one another out of the caches.
pub(super) const TURN: usize = 1 << 20;

/// The most interim answers (1xx) before an answer; Bedrock sends none.
const MAX_INTERIM: u32 = 16;

/// A connection to upstream, and what was read from it and is not taken yet.
#[derive(Debug)]
pub(super) struct Connection {
    io: Io,
    /// What was read.
    pub(super) unread: BytesMut,
    room: usize,
    /// Interim answers (1xx) of the call so far.
    interim: u32,
    pub(super) standing: Standing,
}

/// Why a call got no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallError {
    /// Nothing of it was written: it may go out on another connection.
    Unsent,
    /// It broke after that.
    Broken,
}

impl From<Malformed> for CallError {
    fn from(Malformed: Malformed) -> Self {
        Self::Broken
    }
}

impl Connection {
    pub(super) fn new(stream: MaybeHttpsStream<TokioIo<TcpStream>>, standing: Standing) -> Self {
        let io = Box::new(TokioIo::new(stream));
        Self { io, unread: BytesMut::new(), room: ROOM, interim: 0, standing }
    }

    /// Closes it.
    pub(super) fn retire(mut self, end: End) {
        self.standing.ends_by(end);
    }

    /// Gives its memory back before it waits for its next call.
    pub(super) fn rest(&mut self) {
        self.unread = BytesMut::new();
        self.room = ROOM;
        self.interim = 0;
    }

    /// Tells whether a connection that has rested may carry a call: it is open, and silent as it is to be.
    pub(super) fn is_open(&mut self) -> bool {
        let mut byte = [0];
        // Unconstrained: a task whose budget is spent would find every connection open.
        let io = &mut self.io;
        let mut reading = pin!(tokio::task::unconstrained(poll_fn(|context| {
            Pin::new(&mut *io).poll_read(context, &mut ReadBuf::new(&mut byte))
        })));
        reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Sends a request and waits for the head of its answer, which may come before all is sent.
    pub(super) async fn call(&mut self, request: &mut Outbound) -> Result<Head, CallError> {
        poll_fn(|context| self.poll_call(context, request)).await
    }

    fn poll_call(
        &mut self,
        context: &mut Context<'_>,
        request: &mut Outbound,
    ) -> Poll<Result<Head, CallError>> {
        if self.poll_send(context, request).is_err() && !request.has_begun {
            return Poll::Ready(Err(CallError::Unsent));
        }
        loop {
            if let Some(head) = head::take(&mut self.unread)? {
                if !head.status.is_informational() {
                    return Poll::Ready(Ok(head));
                }
                self.interim += 1;
                if self.interim > MAX_INTERIM || head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Err(CallError::Broken));
                }
                continue;
            }
            match ready!(self.poll_read(context)) {
                Ok(0) | Err(_) if !request.has_begun => return Poll::Ready(Err(CallError::Unsent)),
                Ok(0) | Err(_) => return Poll::Ready(Err(CallError::Broken)),
                Ok(_) => {}
            }
        }
    }

    /// Writes as much of a request as the connection takes. After an error there may still be an answer to read.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>, request: &mut Outbound) -> io::Result<()> {
        let mut turn = Turn::of(TURN);
        while request.has_remaining() {
            match poll_write_buf(Pin::new(&mut self.io), context, request) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) if turn.is_over_after(count) => {
                    give_way(context);
                    break;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    // TLS may have written before it failed.
                    request.has_begun |= matches!(self.io.inner(), MaybeHttpsStream::Https(_));
                    return Err(error);
                }
                Poll::Pending => break,
            }
        }
        match Pin::new(&mut self.io).poll_flush(context) {
            Poll::Ready(flushed) => {
                request.is_out = flushed.is_ok() && !request.has_remaining();
                flushed
            }
            Poll::Pending => Ok(()),
        }
    }

    /// Reads once; returns how many bytes came, none at the connection's end.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        make_room(&mut self.unread, self.room / 2, self.room);
        let count = ready!(poll_read_buf(Pin::new(&mut self.io), context, &mut self.unread))?;
        if count >= self.room {
            self.room = self.room.saturating_mul(2).min(MAX_ROOM);
        } else if count < self.room / 4 {
            self.room = (self.room / 2).max(MIN_ROOM);
        }
        Poll::Ready(Ok(count))
    }
}
