//! The data plane's connections: HTTP/1.1 and HTTP/2, in clear or by TLS, on one port, bounded in number and in patience.

use super::reception::{Protocol, Received, Reception};
use super::respond;
use crate::config::Listen;
use crate::domain::Peer;
use crate::gateway::{ClientLine, Gateway, HeldFrame};
use crate::shutdown::Shutdown;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
        let protocols = Arc::new(Protocols::new(&plane));
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
                let (plane, protocols) = (Arc::clone(&plane), Arc::clone(&protocols));
                let tasks = plane.shutdown.tasks.clone();
                tasks.spawn(async move {
                    plane.serve(stream, Peer::at(address.ip()), &protocols).await;
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
    async fn serve(&self, stream: TcpStream, peer: Peer, protocols: &Protocols) {
        // Not a variable of its own: the connection's task would have room for it to the end.
        let Some(Received { stream, protocol, line }) = (tokio::select! {
            received = self.reception.receive(stream, ClientLine::to(peer)) => received,
            () = self.shutdown.stopping.cancelled() => return,
        }) else {
            return;
        };
        let (io, asked) = (TokioIo::new(stream), Arc::new(AtomicU64::new(0)));
        let service = {
            let (gateway, asked, line) = (Arc::clone(&self.gateway), Arc::clone(&asked), line.clone());
            service_fn(move |request: Request<Incoming>| {
                asked.fetch_add(1, Ordering::Relaxed);
                // Boxed: hyper keeps room for it, which an answer would hold that is streamed for minutes.
                Box::pin(respond(Arc::clone(&gateway), request, line.clone()))
            })
        };
        match protocol {
            Protocol::Http1 => {
                self.drive(pin!(protocols.http1.serve_connection(io, service)), &asked, &line).await;
            }
            Protocol::Http2 => {
                let connection = protocols.http2.serve_connection(io, service);
                // Boxed: the connections of HTTP/1.1 need not have room for it.
                self.drive(Box::pin(connection).as_mut(), &asked, &line).await;
            }
        }
    }

    /// Drives a connection until it ends, the client is silent for too long, or the gateway stops.
    async fn drive<C: GracefulConnection>(
        &self,
        mut connection: Pin<&mut C>,
        asked: &AtomicU64,
        line: &ClientLine,
    ) {
        tokio::select! {
            // What ends a connection early is the client's affair; what it costs a call is in the call's record.
            _ = connection.as_mut() => return,
            silence = self.silence(asked, line) => match silence {
                Silence::NoHead => return,
                Silence::Idle => connection.as_mut().graceful_shutdown(),
            },
            () = self.shutdown.stopping.cancelled() => {
                if asked.load(Ordering::Relaxed) == 0 {
                    // Half a head is no call, and would be waited for until the grace is over.
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
        tokio::select! {
            _ = connection.as_mut() => {}
            () = self.closing.cancelled() => line.break_off(),
        }
    }

    /// Returns once the client has asked for nothing for too long.
    async fn silence(&self, asked: &AtomicU64, line: &ClientLine) -> Silence {
        tokio::time::sleep(self.listen.header_read_timeout).await;
        let mut before = asked.load(Ordering::Relaxed);
        if before == 0 {
            return Silence::NoHead;
        }
        let mut quiet = 0;
        // The first look that finds nothing may come right after the end of a call.
        while quiet <= LOOKS {
            tokio::time::sleep(self.listen.idle_timeout / LOOKS).await;
            let now = asked.load(Ordering::Relaxed);
            let is_quiet = now == before && !line.is_in_use(LISTENERS_LINES);
            quiet = if is_quiet { quiet + 1 } else { 0 };
            before = now;
        }
        Silence::Idle
    }
}

/// How often it is looked, within the time that a client may be silent, whether it has asked for something.
const LOOKS: u32 = 4;

/// How many clones of a line the listener itself holds: the connection's, the service's, and the one that is asked.
const LISTENERS_LINES: usize = 3;

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

/// How each protocol is served.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<Tracked>,
}

impl Protocols {
    fn new(plane: &DataPlane) -> Self {
        // Without hyper's timer, which would be set anew for each request: `silence` watches over heads.
        let http1 = http1::Builder::new();
        let mut http2 = http2::Builder::new(Tracked {
            tasks: plane.shutdown.tasks.clone(),
            patience: plane.listen.write_timeout,
        });
        let (interval, timeout) = H2_PING;
        http2.timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
        Self { http1, http2 }
    }
}
