//! A client's connection, which can be made to end with a reset.

use crate::gateway::BreakOff;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection that a demand turns into one that ends with RST in place of FIN.
#[derive(Debug)]
pub(super) struct ClientIo {
    stream: TcpStream,
    break_off: BreakOff,
}

impl ClientIo {
    pub(super) fn new(stream: TcpStream, break_off: BreakOff) -> Self {
        Self { stream, break_off }
    }

    /// Has the close that follows send RST, if that is demanded.
    fn is_to_break_off(&self) -> bool {
        let demanded = self.break_off.is_demanded();
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
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
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
