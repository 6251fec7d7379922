//! The way of an answer's body to the client.

use super::answer::{Framing, Outbox};
use super::connection::Connection;
use crate::turn::{Turn, give_way};
use bytes::{Buf, Bytes};
use http_body::Body;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much of a body is sent, and looked through for its usage on the way, before other calls have their turn, in bytes.
const TURN: usize = 256 << 10;

/// Writes out a body behind its head, as it comes; what is there at the same time goes out together.
pub(super) struct Sending<'a, B> {
    connection: &'a mut Connection,
    outbox: &'a mut Outbox,
    framing: Framing,
    rest: Rest<B>,
}

/// What is left of a body.
enum Rest<B> {
    /// What may still come.
    Open(B),
    /// Nothing: all of it was taken.
    Taken,
    /// What never will come.
    Cut,
}

/// The answer is not out: the client has left, or the body was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotSent;

impl<'a, B> Sending<'a, B>
where
    B: Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(
        connection: &'a mut Connection,
        outbox: &'a mut Outbox,
        framing: Framing,
        body: B,
    ) -> Self {
        let rest = if framing == Framing::Bodiless { Rest::Taken } else { Rest::Open(body) };
        Self { connection, outbox, framing, rest }
    }

    /// Takes what is there of the body, as far as there is room for it.
    fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Rest::Open(body) = &mut self.rest
            && self.outbox.has_room()
        {
            let frame = if body.is_end_stream() { None } else { ready!(Pin::new(body).poll_frame(context)) };
            match frame {
                Some(Ok(frame)) => {
                    // Trailers, which Bedrock has none of, would need the client's consent.
                    if let Ok(data) = frame.into_data() {
                        self.outbox.push(data, self.framing);
                    }
                }
                Some(Err(_)) => self.rest = Rest::Cut,
                None => {
                    self.outbox.end(self.framing);
                    self.rest = Rest::Taken;
                }
            }
        }
        Poll::Ready(())
    }
}

impl<B> Future for Sending<'_, B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Output = Result<(), NotSent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (this, mut turn) = (&mut *self, Turn::of(TURN));
        loop {
            let taken = this.poll_take(context);
            let is_turn_over = turn.is_over_after(this.outbox.remaining());
            // Also of a body that was cut: what was handed on is to be seen.
            if ready!(this.connection.poll_write(context, this.outbox)).is_err() {
                return Poll::Ready(Err(NotSent));
            }
            match (&this.rest, taken) {
                (Rest::Taken, _) => return Poll::Ready(Ok(())),
                (Rest::Cut, _) => return Poll::Ready(Err(NotSent)),
                (Rest::Open(_), Poll::Ready(())) if is_turn_over => {
                    give_way(context);
                    return Poll::Pending;
                }
                (Rest::Open(_), Poll::Ready(())) => {}
                (Rest::Open(_), Poll::Pending) => {
                    return this.connection.poll_gone(context).map(|()| Err(NotSent));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::Peer;
    use crate::gateway::{ClientLine, Cut};
    use crate::server::client_io::ClientIo;
    use crate::server::client_stream::ClientStream;
    use crate::server::http1::answer::Asked;
    use http::{Method, Response, Version};
    use http_body::Frame;
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpSocket, TcpStream};

    /// A body of some buffers, which then ends as it is said to; once it has said so, it looks like any that is over.
    struct Told(VecDeque<Bytes>, Option<Cut>);

    impl Body for Told {
        type Data = Bytes;
        type Error = Cut;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
            let next = self.0.pop_front().map(|data| Ok(Frame::data(data)));
            Poll::Ready(next.or_else(|| self.1.take().map(Err)))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty() && self.1.is_none()
        }
    }

    /// Returns both ends of a connection between which little fits.
    async fn narrow() -> (TcpStream, Connection) {
        let [listening, calling] = [(); 2].map(|()| TcpSocket::new_v4().unwrap());
        listening.set_send_buffer_size(4096).unwrap();
        calling.set_recv_buffer_size(4096).unwrap();
        connected(listening, calling).await
    }

    /// Connects two sockets, and returns a client and the other end.
    async fn connected(listening: TcpSocket, calling: TcpSocket) -> (TcpStream, Connection) {
        listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = listening.listen(1).unwrap();
        let client = calling.connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, address) = listener.accept().await.unwrap();
        let line = ClientLine::to(Peer::at(address.ip()));
        let io = ClientIo::new(server, line, Duration::from_mins(1));
        (client, Connection::new(ClientStream::Plain(io)))
    }

    /// Sends a body of 60,000 bytes; returns how that ended, and what the client saw of it.
    async fn send(ending: Option<Cut>, len: Option<u64>) -> (Result<(), NotSent>, Vec<u8>) {
        let (mut client, mut connection) = narrow().await;
        let mut outbox = Outbox::default();
        let mut asked = Asked { method: Method::POST, version: Version::HTTP_11, keep_alive: true };
        let head = Response::new(()).into_parts().0;
        let framing = outbox.begin(&head, len, &mut asked, Clock::system());
        let body = Told([vec![b'a'; 40_000].into(), vec![b'b'; 20_000].into()].into(), ending);
        let sending = async {
            let sent = Sending::new(&mut connection, &mut outbox, framing, body).await;
            drop(connection);
            sent
        };
        let mut seen = Vec::new();
        let (sent, read) = tokio::join!(sending, client.read_to_end(&mut seen));
        read.unwrap();
        (sent, seen)
    }

    #[tokio::test]
    async fn a_body_that_waits_for_its_client_arrives_whole() {
        let (sent, seen) = send(None, Some(60_000)).await;
        assert_eq!(sent, Ok(()));
        assert!(seen.ends_with(&vec![b'b'; 20_000]));
        let (sent, seen) = send(None, None).await;
        assert_eq!(sent, Ok(()));
        assert!(seen.ends_with(b"b\r\n0\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_long_body_that_is_there_lets_other_calls_go_between() {
        let (mut client, mut connection) =
            connected(TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap()).await;
        let (mut outbox, pieces) = (Outbox::default(), vec![Bytes::from(vec![b'a'; TURN / 4]); 32]);
        let mut sending =
            Sending::new(&mut connection, &mut outbox, Framing::UntilClose, Told(pieces.into(), None));
        let mut turns = 0;
        let sent = poll_fn(|context| {
            let left = |rest: &Rest<Told>| if let Rest::Open(body) = rest { body.0.len() } else { 0 };
            let before = left(&sending.rest);
            let polled = Pin::new(&mut sending).poll(context);
            assert!(before - left(&sending.rest) <= 4, "more than a turn at once");
            turns += 1;
            polled
        });
        let mut seen = vec![0; 8 * TURN];
        let (sent, read) = tokio::join!(sent, client.read_exact(&mut seen));
        assert!(sent == Ok(()) && read.is_ok() && turns >= 8, "{turns}");
    }

    #[tokio::test]
    async fn a_body_that_is_cut_while_its_client_is_waited_for_stays_cut() {
        for len in [Some(99_999), None] {
            let (sent, seen) = send(Some(Cut), len).await;
            assert_eq!(sent, Err(NotSent), "{len:?}");
            // What was handed on before is out.
            assert!(seen.ends_with(b"b") || seen.ends_with(b"b\r\n"), "{len:?}");
        }
    }
}
