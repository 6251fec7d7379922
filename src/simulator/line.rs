//! A connection that can be reset on demand.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Whether a connection is to be reset once all that was written to it has gone out.
#[derive(Debug, Default)]
pub(super) struct Breaker(AtomicBool);

impl Breaker {
    /// Asks for the reset.
    pub(super) fn trip(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_tripped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    breaker: Arc<Breaker>,
}

impl Line {
    pub(super) fn new(stream: TcpStream, breaker: Arc<Breaker>) -> Self {
        Self { stream, breaker }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Flushes, or breaks: hyper calls this only once its own buffer is empty, so all before the break is out.
    /// With a linger of zero, closing the socket sends RST instead of FIN.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.breaker.is_tripped() {
            self.stream.set_zero_linger()?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
