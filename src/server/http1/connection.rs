//! A client's connection, as far as it is read: requests' heads, and the body of the one that is under way.

use super::head::{self, Head, Looked, Unreadable};
use crate::http1::framing::{Framing, Step};
use crate::http1::make_room;
use crate::server::client_stream::ClientStream;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// Room for a read that begins a request, in bytes: most requests are shorter.
const ROOM: usize = 4 << 10;

/// Room for reads of a body, in bytes: twice as much each time that it is full, where its length is known.
const BODY_ROOM: usize = 16 << 10;
const MAX_BODY_ROOM: usize = 256 << 10;

/// The most that is read of further requests while one is under way, in bytes.
const MAX_AHEAD: usize = 64 << 10;

/// What tells a client to send its body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A client's connection. As a [`Body`], it is that of the request under way.
#[derive(Debug)]
pub(super) struct Connection {
    io: ClientStream,
    /// What was read, and is not taken yet.
    unread: BytesMut,
    /// How the rest of the body is framed.
    framing: Framing,
    /// Whether nobody can tell any more where the body ends.
    is_broken: bool,
    /// Room for the next buffer of the body.
    room: usize,
    /// What is to be written before the body is read, as far as it is not.
    leave: Option<&'static [u8]>,
}

/// The body broke off, or its framing is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client's request broke off")]
pub(super) struct BodyBroken;

impl Connection {
    pub(super) fn new(io: ClientStream) -> Self {
        let (unread, framing) = (BytesMut::new(), Framing::Length(0));
        Self { io, unread, framing, is_broken: false, room: BODY_ROOM, leave: None }
    }

    /// Waits for the next request's head; `None` where there is none, because the client has left, or once `is_over`
    /// says so.
    pub(super) async fn next(&mut self, is_over: impl Fn() -> bool) -> Result<Option<Head>, Unreadable> {
        let mut looked = Looked::default();
        while !is_over() {
            if let Some(head) = head::take(&mut self.unread, &mut looked)? {
                (self.framing, self.room) = (head.framing, BODY_ROOM);
                // Who sends it unasked does not wait.
                self.leave = (head.awaits_leave && self.unread.is_empty()).then_some(CONTINUE);
                return Ok(Some(head));
            }
            let read = poll_fn(|context| {
                // It may be over by the time that this is looked at again.
                if is_over() { Poll::Ready(Ok(0)) } else { self.poll_read(context) }
            });
            if !read.await.is_ok_and(|count| count > 0) {
                break;
            }
        }
        Ok(None)
    }

    /// Tells whether the request was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.framing.is_over()
    }

    /// Tells whether the request may yet be read to its end: not where the client waits to be told to send its body, and
    /// so may never send it, and not where its framing is broken.
    pub(super) fn is_readable(&self) -> bool {
        !self.is_broken && (self.is_read() || self.leave.is_none())
    }

    /// Gives the memory back that a request was read into.
    pub(super) fn rest(&mut self) {
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
    }

    /// Writes of it as much as the client takes.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut impl bytes::Buf,
    ) -> Poll<io::Result<()>> {
        if self.leave.is_some_and(|leave| leave.len() < CONTINUE.len()) {
            // What was begun is not broken off.
            ready!(self.poll_give_leave(context))?;
        }
        self.poll_write_all(context, bytes)
    }

    fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut impl bytes::Buf,
    ) -> Poll<io::Result<()>> {
        while bytes.has_remaining() {
            if ready!(poll_write_buf(Pin::new(&mut self.io), context, bytes))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    /// Waits until the client leaves. What it asks for meanwhile is kept.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; 512];
        while self.unread.len() < MAX_AHEAD {
            let mut news = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut self.io).poll_read(context, &mut news)) {
                Ok(()) if !news.filled().is_empty() => {
                    // Otherwise it would ask for as much as the buffer had that it was once part of.
                    self.rest();
                    self.unread.extend_from_slice(news.filled());
                }
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Returns what `future` comes to, unless the client leaves before; whoever has pinned it drops it then.
    pub(super) async fn unless_gone<F: Future>(&mut self, mut future: Pin<&mut F>) -> Option<F::Output> {
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_gone(context).map(|()| None),
        })
        .await
    }

    /// Returns what the connection is made of.
    pub(super) fn into_io(self) -> ClientStream {
        self.io
    }

    /// Reads once; returns how many bytes came, none at the connection's end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (least, room) = self.room();
        if make_room(&mut self.unread, least, room) {
            self.room = self.room.saturating_mul(2).min(MAX_BODY_ROOM);
        }
        poll_read_buf(Pin::new(&mut self.io), context, &mut self.unread)
    }

    /// Returns how little room there may be for the next read, and how much is made where there is less.
    fn room(&self) -> (usize, usize) {
        match self.framing {
            Framing::Length(left) if left > 0 => {
                // Buffers are filled to their end: none of a body's holds more than it.
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                (1, left.min(self.room))
            }
            Framing::Chunked(_) if !self.is_read() => (ROOM, BODY_ROOM),
            Framing::Length(_) | Framing::Chunked(_) | Framing::UntilClose => (ROOM / 4, ROOM),
        }
    }

    /// Tells the client to send the body, where it waits for that.
    fn poll_give_leave(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut leave) = self.leave else { return Poll::Ready(Ok(())) };
        let written = self.poll_write_all(context, &mut leave);
        self.leave = Some(leave).filter(|_| !written.is_ready());
        written
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, BodyBroken>> {
        while !self.is_broken {
            match self.framing.next(&mut self.unread) {
                Ok(Step::Starved) => {}
                Ok(step) => return Poll::Ready(Ok(step)),
                Err(_) => break,
            }
            if ready!(self.poll_give_leave(context)).is_err() {
                break;
            }
            if !ready!(self.poll_read(context)).is_ok_and(|count| count > 0) {
                break;
            }
        }
        self.is_broken = true;
        Poll::Ready(Err(BodyBroken))
    }
}

impl Body for Connection {
    type Data = Bytes;
    type Error = BodyBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        // What is in a buffer already, in chunks of any number, is taken in by turns with other connections.
        let turn = ready!(tokio::task::coop::poll_proceed(context));
        let step = ready!(self.poll_step(context));
        turn.made_progress();
        Poll::Ready(match step {
            Ok(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            // Whoever has left by now is not to be called for.
            Ok(Step::End | Step::Starved) => self.poll_gone(context).is_ready().then_some(Err(BodyBroken)),
            Err(broken) => Some(Err(broken)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.framing.is_over()
    }
}
