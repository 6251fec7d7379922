//! A client's connection, which can be made to end with a reset, and does not wait forever for a client that stops
//! reading.

use crate::gateway::ClientLine;
use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// A connection that a demand turns into one that ends with RST in place of FIN.
#[derive(Debug)]
pub(crate) struct ClientIo {
    stream: TcpStream,
    line: ClientLine,
    /// How long the client may take no byte that is ready for it.
    patience: Duration,
    /// Runs while it does not.
    stall: Option<Pin<Box<Sleep>>>,
}

impl ClientIo {
    pub(super) fn new(stream: TcpStream, line: ClientLine, patience: Duration) -> Self {
        Self { stream, line, patience, stall: None }
    }

    /// Turns a write that has waited for too long into an error.
    fn within_patience(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let patience = self.patience;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stall.as_mut().poll(context));
        self.line.break_off();
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    /// Has the close that follows send RST, if that is demanded.
    pub(super) fn is_to_break_off(&self) -> bool {
        let demanded = self.line.is_to_break();
        if demanded {
            // Where this fails, the missing last chunk still shows that the answer is cut.
            let _ = self.stream.set_zero_linger();
        }
        demanded
    }
}

impl Drop for ClientIo {
    fn drop(&mut self) {
        self.is_to_break_off();
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within_patience(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.within_patience(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_to_break_off() {
            // An orderly end would make a cut answer without content-length look whole.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
