//! The data plane's connections: HTTP/1.1 and HTTP/2, in clear or by TLS, on one port, bounded in number and in patience.

use super::client_stream::ClientStream;
use super::reception::{Protocol, Received, Reception};
use super::{caught, http1, respond};
use crate::config::Listen;
use crate::domain::Peer;
use crate::gateway::{ClientLine, Gateway, Handled, HeldFrame, Reply};
use crate::intake;
use crate::shutdown::Shutdown;
use http::header::EXPECT;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a silent HTTP/2 connection is asked whether it is still there, and how long it has to say so.
const H2_PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// How long to wait when the machine has no room for one more connection.
const BREATHER: Duration = Duration::from_millis(50);

/// What the connections of the data plane share.
#[derive(Debug)]
pub(super) struct DataPlane {
    pub(super) gateway: Arc<Gateway>,
    pub(super) reception: Reception,
    pub(super) listen: Listen,
    pub(super) shutdown: Shutdown,
    pub(super) closing: CancellationToken,
}

impl DataPlane {
    /// Takes connections until the gateway stops; over the cap, they wait in the listener's backlog.
    pub(super) async fn accept(self, listener: TcpListener) {
        let plane = Arc::new(self);
        let slots = Arc::new(Semaphore::new(plane.listen.max_connections));
        let http2 = Arc::new(http2(&plane));
        let accepting = async {
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
                let (stream, address) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(BREATHER).await;
                        continue;
                    }
                };
                let (plane, http2) = (Arc::clone(&plane), Arc::clone(&http2));
                let tasks = plane.shutdown.tasks.clone();
                tasks.spawn(async move {
                    plane.serve(stream, Peer::at(address.ip()), &http2).await;
                    drop(slot);
                });
            }
        };
        tokio::select! {
            () = accepting => {}
            () = plane.shutdown.stopping.cancelled() => {}
        }
    }

    /// Serves one connection to its end.
    async fn serve(&self, stream: TcpStream, peer: Peer, http2: &http2::Builder<Tracked>) {
        // Not a variable of its own: the connection's task would have room for it to the end.
        let Some(Received { stream, protocol, line }) = (tokio::select! {
            received = self.reception.receive(stream, ClientLine::to(peer)) => received,
            () = self.shutdown.stopping.cancelled() => return,
        }) else {
            return;
        };
        let watch = Arc::new(Watch::over(line));
        match protocol {
            Protocol::Http1 => {
                let connection = pin!(http1::serve(stream, &self.gateway, &watch));
                self.drive(connection, |_| watch.leave(), &watch).await;
            }
            // Boxed: the connections of HTTP/1.1 need not have room for it.
            Protocol::Http2 => Box::pin(self.serve_http2(stream, http2, &watch)).await,
        }
        let (peer, requests) = (watch.peer(), watch.asked());
        tracing::debug!(%peer, ?protocol, requests, "a client's connection has ended");
    }

    async fn serve_http2(&self, stream: ClientStream, http2: &http2::Builder<Tracked>, watch: &Arc<Watch>) {
        let service = {
            let (gateway, watch) = (Arc::clone(&self.gateway), Arc::clone(watch));
            service_fn(move |request: Request<Incoming>| {
                // Boxed: hyper keeps room for it, which an answer would hold that is streamed for minutes.
                Box::pin(answer(Arc::clone(&gateway), request, watch.asks()))
            })
        };
        let connection = pin!(http2.serve_connection(TokioIo::new(stream), service));
        self.drive(connection, hyper::server::conn::http2::Connection::graceful_shutdown, watch).await;
    }

    /// Drives a connection until it ends, the client is silent for too long, or the gateway stops.
    async fn drive<C: Future>(
        &self,
        mut connection: Pin<&mut C>,
        leave: impl Fn(Pin<&mut C>),
        watch: &Watch,
    ) {
        tokio::select! {
            // What ends a connection early is the client's affair; what it costs a call is in the call's record.
            _ = connection.as_mut() => return,
            silence = self.silence(watch) => match silence {
                Silence::NoHead => return,
                Silence::Idle => leave(connection.as_mut()),
            },
            () = self.shutdown.stopping.cancelled() => {
                if watch.asked() == 0 {
                    // Half a head is no call, and would be waited for until the grace is over.
                    return;
                }
                leave(connection.as_mut());
            }
        }
        tokio::select! {
            _ = connection.as_mut() => {}
            () = self.closing.cancelled() => watch.line.break_off(),
        }
    }

    /// Returns once the client has asked for nothing for too long.
    async fn silence(&self, watch: &Watch) -> Silence {
        tokio::time::sleep(self.listen.header_read_timeout).await;
        let mut before = watch.asked();
        if before == 0 {
            return Silence::NoHead;
        }
        let mut quiet = 0;
        // The first look that finds nothing may come right after the end of a call.
        while quiet <= LOOKS {
            tokio::time::sleep(self.listen.idle_timeout / LOOKS).await;
            let now = watch.asked();
            let is_quiet = now == before && !watch.line.is_in_use(LISTENERS_LINES);
            quiet = if is_quiet { quiet + 1 } else { 0 };
            before = now;
        }
        Silence::Idle
    }
}

/// Answers a request over HTTP/2; a body that nobody wants is read away beside.
async fn answer(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
    line: ClientLine,
) -> Result<Response<Reply>, Infallible> {
    let (head, mut body) = request.into_parts();
    let (tasks, awaits_leave) = (gateway.shutdown.tasks.clone(), head.headers.contains_key(EXPECT));
    let handled = respond(gateway, head, &mut body, line).await;
    if !body.is_end_stream() && !awaits_leave {
        tasks.spawn(intake::discard(body));
    }
    Ok(match handled {
        Handled::Answered(response) => response,
        Handled::OnItsWay(call) => caught(call.answer()).await.unwrap_or_else(|response| response),
    })
}

/// What the listener knows of a connection that it serves.
#[derive(Debug)]
pub(super) struct Watch {
    line: ClientLine,
    /// How many requests have come.
    asked: AtomicU64,
    /// Whether it is to end as soon as no request is under way.
    is_leaving: AtomicBool,
}

impl Watch {
    fn over(line: ClientLine) -> Self {
        Self { line, asked: AtomicU64::new(0), is_leaving: AtomicBool::new(false) }
    }

    /// Counts a request; returns the line that it came by.
    pub(super) fn asks(&self) -> ClientLine {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.line.clone()
    }

    /// Returns who is at the other end.
    pub(super) fn peer(&self) -> IpAddr {
        self.line.peer().address
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Tells whether the connection is to take no other request.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }
}

/// How often it is looked, within the time that a client may be silent, whether it has asked for something.
const LOOKS: u32 = 4;

/// How many clones of a line the listener itself holds: the stream's, and the one that is asked.
const LISTENERS_LINES: usize = 2;

/// What a client kept from sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// The head of its first request.
    NoHead,
    /// Another request.
    Idle,
}

/// Runs each stream of an HTTP/2 connection as a task that the shutdown waits for: it holds a call. One whose client
/// takes nothing of what is ready for it is given up.
#[derive(Debug, Clone)]
struct Tracked {
    tasks: TaskTracker,
    patience: Duration,
}

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let patience = self.patience;
        self.tasks.spawn(async move {
            HeldFrame::watch(stream, patience).await;
        });
    }
}

/// Returns how HTTP/2 is served.
fn http2(plane: &DataPlane) -> http2::Builder<Tracked> {
    let mut http2 = http2::Builder::new(Tracked {
        tasks: plane.shutdown.tasks.clone(),
        patience: plane.listen.write_timeout,
    });
    let (interval, timeout) = H2_PING;
    http2.timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
    http2
}
