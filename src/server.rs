//! The running gateway: both listeners, reloads, and its end in stages.

mod accept;
mod client_io;
mod client_stream;
pub mod discover;
mod http1;
pub(crate) mod reception;
pub mod reload;
mod start_error;

pub use start_error::StartError;

use crate::access_log::AccessLog;
use crate::admin::AdminPlane;
use crate::aws::{Access, Aws};
use crate::clock::Clock;
use crate::config::{CatalogSettings, LedgerSettings, Listen, Loaded};
use crate::discovery::Progress;
use crate::domain::RequestId;
use crate::error::GatewayError;
use crate::forward::signers::Signers;
use crate::forward::{Client, Forward};
use crate::gateway::{
    Basis, ClientLine, ClockSkew, Gateway, Handled, Provisioner, Reply, Setting, Snapshot, Swap, interrupted,
    tell,
};
use crate::intake::Unread;
use crate::inventory::Inventory;
use crate::keys::Keyring;
use crate::ledger::Ledger;
use crate::metrics::{Metrics, Plane};
use crate::price::PriceTable;
use crate::record::Recorder;
use crate::shutdown::Shutdown;
use accept::DataPlane;
use arc_swap::ArcSwap;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::response::Response;
use futures_util::{FutureExt, TryFutureExt};
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reception::Reception;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

/// How long after the grace what was broken off may take to tell its client.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// How long the store may take for what is left when the gateway stops.
const LAST_DRAIN: Duration = Duration::from_secs(1);

/// How many connections may wait to be accepted; one that finds no room waits a second before it asks again.
const BACKLOG: u32 = 4096;

/// What a gateway takes from the machine that it runs on.
#[derive(Debug)]
pub struct Surroundings {
    /// The gateway's own AWS credentials.
    pub credentials: SharedCredentialsProvider,
    /// Where the access log goes; none writes none.
    pub access_log: Option<AccessLog>,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Server {
    data: SocketAddr,
    admin: SocketAddr,
    grace: Duration,
    gateway: Arc<Gateway>,
    aws: Aws,
    /// Cancelled when the last connection is closed on whoever is still there.
    closing: CancellationToken,
}

impl Server {
    /// Binds both listeners and begins to serve.
    ///
    /// # Errors
    /// An address that cannot be bound, a region without an endpoint, no CA certificates.
    pub async fn start(loaded: Loaded, surroundings: Surroundings) -> Result<Self, StartError> {
        let (config, egress, ingress) =
            (loaded.config.clone(), loaded.egress.clone(), loaded.ingress.clone());
        let listen = config.listen.clone();
        let (data, data_address) = bind(listen.data, "listen.data")?;
        let (admin, admin_address) = bind(listen.admin, "listen.admin")?;
        let (clock, shutdown) = (Clock::system(), Shutdown::default());
        let metrics =
            Metrics::new().map_err(|error| StartError::Internal("the metrics", error.to_string()))?;
        let metrics = Arc::new(metrics);
        let client = Client::new(&config.upstream, &egress, clock, Arc::clone(&metrics));
        let client = client.map_err(StartError::Tls)?;
        let access = Access::new(surroundings.credentials, &egress, clock);
        let access = access.map_err(|error| StartError::Internal("the AWS SDK", format!("{error:#}")))?;
        let signers = Arc::new(Signers::new(&access, &config.upstream, shutdown.tasks.clone()));
        let aws = Aws::new(&access, &config.upstream);
        let setting = Setting {
            signers: Arc::clone(&signers),
            metrics: Arc::clone(&metrics),
            shutdown: shutdown.clone(),
            clock,
        };
        // The ledger waits for its disk meanwhile.
        let ledger = start_ledger(&config.ledger, clock, loaded.prices.clone());
        let (ledger, (snapshot, discovery)) = tokio::try_join!(ledger, build(loaded, &aws, setting))?;
        tell(snapshot.catalog.findings(), &[]);
        metrics.ingress(&ingress);
        let gateway = Arc::new(Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            swap: Swap::default(),
            ingress: ArcSwap::from_pointee(ingress),
            discovery,
            signers,
            provisioner: Provisioner::new(aws.clone(), clock),
            kms: aws.kms(),
            metrics,
            shutdown,
            clock,
            forward: Arc::new(Forward::new(client, clock)),
            recorder: Arc::new(Recorder::new(ledger, surroundings.access_log)),
            clock_skew: ClockSkew::default(),
        });
        let server = Self {
            data: data_address,
            admin: admin_address,
            grace: listen.shutdown_grace,
            gateway,
            aws,
            closing: CancellationToken::new(),
        };
        server.serve(data, admin, &listen);
        Ok(server)
    }

    fn serve(&self, data: TcpListener, admin: TcpListener, listen: &Listen) {
        let shutdown = &self.gateway.shutdown;
        let plane = DataPlane {
            gateway: Arc::clone(&self.gateway),
            reception: Reception::new(Arc::clone(&self.gateway), Plane::Data, listen),
            listen: listen.clone(),
            shutdown: shutdown.clone(),
            closing: self.closing.clone(),
        };
        shutdown.tasks.spawn(plane.accept(data));
        let (gateway, stopping) = (Arc::clone(&self.gateway), shutdown.stopping.clone());
        gateway.forward.client().expect(&gateway.snapshot.load().expected);
        shutdown.tasks.spawn(async move { gateway.forward.client().keep(stopping).await });
        let reception = Reception::new(Arc::clone(&self.gateway), Plane::Admin, listen);
        let plane = AdminPlane::new(Arc::clone(&self.gateway), reception);
        shutdown.tasks.spawn(plane.serve(admin, shutdown.grace_over.clone()));
    }

    /// Returns the address of the data plane.
    pub fn data(&self) -> SocketAddr {
        self.data
    }

    /// Returns the address of the admin plane.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Returns the gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Returns AWS as the gateway asks it, beside the calls that it forwards.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Ends the gateway in the stages of [`Shutdown`]; returns when all calls are accounted for.
    pub async fn stop(self) {
        let shutdown = &self.gateway.shutdown;
        // 1. No new connection, no new call.
        shutdown.stopping.cancel();
        shutdown.tasks.close();
        // 2. What is in flight goes on; only the admin plane stays open to watch it.
        let calls_done = tokio::time::timeout(self.grace, self.calls_done()).await;
        // 3. What is left is broken off and accounted for.
        shutdown.grace_over.cancel();
        if calls_done.is_err() {
            tracing::warn!(grace = ?self.grace, "the grace ran out; what is left is broken off");
        }
        // 4. Connections that do not take their last words are closed.
        if tokio::time::timeout(LAST_WORDS, shutdown.tasks.wait()).await.is_err() {
            self.closing.cancel();
            // Only closing is left to do.
            let _ = tokio::time::timeout(LAST_WORDS / 5, shutdown.tasks.wait()).await;
        }
        // 5. All records are in the journal; the store gets what it takes.
        let patience = if calls_done.is_ok() { LAST_DRAIN } else { LAST_DRAIN / 10 };
        let recorder = Arc::clone(&self.gateway.recorder);
        let draining = tokio::task::spawn_blocking(move || {
            if let Some(ledger) = recorder.ledger() {
                ledger.stop(patience);
            }
        });
        // Beyond that, a disk that hangs is not waited for: the journal is repaired at the next start.
        if tokio::time::timeout(patience + LAST_DRAIN / 2, draining).await.is_err() {
            tracing::warn!("the ledger's disk is slow; what is not on it is written by the system");
        }
    }

    /// Waits until the admin plane's task is the only one left.
    async fn calls_done(&self) {
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while self.gateway.shutdown.tasks.len() > 1 {
            pace.tick().await;
        }
    }
}

/// Builds what decides calls' ways, and tells how discovery fares.
async fn build(
    loaded: Loaded,
    aws: &Aws,
    setting: Setting,
) -> Result<(Snapshot, Option<Progress>), StartError> {
    let (inventory, discovery) = start_discovery(&loaded.config.catalog).await;
    let keyring = Keyring::open(&loaded.services, &loaded.secrets, &aws.kms()).await;
    let basis = Basis::new(loaded, keyring.map_err(StartError::Keys)?, inventory);
    Ok((Snapshot::build(basis, setting).await?, discovery))
}

/// Returns what was found last, if profiles are to be discovered, and how that fares.
async fn start_discovery(settings: &CatalogSettings) -> (Arc<Inventory>, Option<Progress>) {
    if !settings.discover {
        return (Arc::default(), None);
    }
    let stored = discover::stored(settings.snapshot.clone()).await;
    let taken_at = stored.as_ref().map(|stored| stored.taken_at);
    let inventory = stored.map(|stored| Arc::new(stored.inventory)).unwrap_or_default();
    (inventory, Some(Progress::since(taken_at)))
}

/// Starts the ledger, if there is to be one. Repairing a journal reads files, and takes as long as it takes.
async fn start_ledger(
    settings: &LedgerSettings,
    clock: Clock,
    prices: PriceTable,
) -> Result<Option<Ledger>, StartError> {
    if !settings.enabled {
        return Ok(None);
    }
    let settings = settings.clone();
    let starting = tokio::task::spawn_blocking(move || {
        Ledger::start(&settings, clock, |opening| interrupted(opening, &prices))
    });
    match starting.await {
        Ok(started) => started.map(Some).map_err(StartError::Ledger),
        Err(panic) => Err(StartError::Internal("the ledger", panic.to_string())),
    }
}

/// Listens on an address, and returns with which port, where that was open.
fn bind(address: SocketAddr, key: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let listening = || {
        let listener = listen(address)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listening().map_err(|source| StartError::Listen { address, key, source })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a gateway that has just ended do not hold the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The most bytes of headers that a request may have; AWS's own endpoints take less.
const MAX_HEADERS: usize = 64 << 10;

/// Handles a request of the data plane; a panic costs this request alone.
async fn respond(gateway: Arc<Gateway>, head: Parts, body: &mut impl Unread, line: ClientLine) -> Handled {
    if head.uri.path() == "/healthz" && head.method == Method::GET {
        return Handled::Answered(http::Response::new("ok\n".into()));
    }
    if headers_len(&head.headers) > MAX_HEADERS {
        return Handled::Answered(headers_too_long());
    }
    caught(gateway.handle(head, body, line)).await.unwrap_or_else(Handled::Answered)
}

/// Returns what a future comes to, or the answer to a request whose handler panicked. No `async fn`, which would have room
/// for the future twice.
fn caught<F: Future>(future: F) -> impl Future<Output = Result<F::Output, http::Response<Reply>>> {
    AssertUnwindSafe(future).catch_unwind().map_err(|_| panicked())
}

fn headers_len(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum()
}

/// Answers as where a connection notices first: one of HTTP/1.1 at 100 headers or 128 KiB of head.
fn headers_too_long() -> http::Response<Reply> {
    let mut response = http::Response::new(Reply::from(""));
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn panicked() -> http::Response<Reply> {
    let id = RequestId::new(Clock::system().since_epoch());
    tracing::error!(%id, "a request's handler panicked");
    GatewayError::Internal.into_response(id)
}

/// Returns a plain answer of the admin plane.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}
