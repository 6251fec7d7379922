//! The data plane's connections: HTTP/1.1 and HTTP/2 on one port, bounded in number and in patience.

use super::client_io::ClientIo;
use super::respond;
use crate::gateway::{BreakOff, Gateway};
use crate::shutdown::Shutdown;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a connection may wait for its next request: longer than SDKs and load balancers keep an idle one, since
/// whoever closes first may lose a request that is on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(350);

/// How often a silent HTTP/2 connection is asked whether it is still there, and how long it has to say so.
const H2_PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// How long to wait when the machine has no room for one more connection.
const BREATHER: Duration = Duration::from_millis(50);

/// What the connections of the data plane share.
#[derive(Debug)]
pub(super) struct DataPlane {
    pub(super) gateway: Arc<Gateway>,
    pub(super) max_connections: usize,
    pub(super) header_read_timeout: Duration,
    pub(super) shutdown: Shutdown,
    pub(super) closing: CancellationToken,
}

impl DataPlane {
    /// Takes connections until the gateway stops; over the cap, they wait in the listener's backlog.
    pub(super) async fn accept(self, listener: TcpListener) {
        let plane = Arc::new(self);
        let slots = Arc::new(Semaphore::new(plane.max_connections));
        let builder = Arc::new(builder(&plane.shutdown.tasks));
        let accepting = async {
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(BREATHER).await;
                        continue;
                    }
                };
                let (plane, builder) = (Arc::clone(&plane), Arc::clone(&builder));
                let tasks = plane.shutdown.tasks.clone();
                tasks.spawn(async move {
                    plane.serve(stream, &builder).await;
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
    async fn serve(&self, stream: TcpStream, builder: &Builder<Tracked>) {
        // Without it, the last piece of every event waits for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let break_off = BreakOff::default();
        let has_asked = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(ClientIo::new(stream, break_off.clone()));
        let service = {
            let (gateway, has_asked) = (Arc::clone(&self.gateway), Arc::clone(&has_asked));
            service_fn(move |mut request: Request<Incoming>| {
                has_asked.store(true, Ordering::Relaxed);
                request.extensions_mut().insert(break_off.clone());
                respond(Arc::clone(&gateway), request)
            })
        };
        let connection = builder.serve_connection(io, service);
        tokio::pin!(connection);
        tokio::select! {
            // What ends a connection early is the client's affair; what it costs a call is in the call's record.
            _ = connection.as_mut() => return,
            () = self.head_is_late(&has_asked) => return,
            () = self.shutdown.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection.as_mut() => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Returns if the first request's head has not come in time.
    async fn head_is_late(&self, has_asked: &AtomicBool) {
        tokio::time::sleep(self.header_read_timeout).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

/// Runs each stream of an HTTP/2 connection as a task that the shutdown waits for: it holds a call.
#[derive(Debug, Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

fn builder(tasks: &TaskTracker) -> Builder<Tracked> {
    let mut builder = Builder::new(Tracked(tasks.clone()));
    // hyper's timer runs while a connection is idle, too; the first head has a timer of ours.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(KEEP_ALIVE);
    let (interval, timeout) = H2_PING;
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
    builder
}
