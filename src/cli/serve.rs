//! `tollgate serve`

use super::{Context, Failure, file_limit};
use crate::access_log::{AccessLog, AccessLogGuard};
use crate::config::{self, Egress, Upstream, load};
use crate::forward::credentials::{self, CredentialsCache, LazyChain};
use crate::forward::{check_trust, read_native};
use crate::price::PriceTable;
use crate::server::reload::Sources;
use crate::server::{Server, StartError, Surroundings, discover};
use crate::telemetry;
use aws_credential_types::provider::SharedCredentialsProvider;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::io;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Serves until told to stop, and returns when every call is accounted for.
pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let loaded = std::thread::scope(|scope| {
        scope.spawn(read_ahead);
        load(&context.config, context.env.clone())
    })?;
    telemetry::init(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, hint = warning.hint, "config");
    }
    tell_of_proxies(&loaded.egress);
    file_limit::raise(loaded.config.listen.max_connections);
    keep_memory_private();
    // Dropped last: what is queued is written then.
    let (access_log, _guard) = open_access_log(&loaded.config.log.access)?.unzip();
    let sources = Sources {
        config: context.config.clone(),
        env: context.env.clone(),
        files: loaded.files.clone(),
        demand: Arc::new(Notify::new()),
    };
    let runtime = Runtime::new().map_err(|error| no_runtime(&error))?;
    runtime.block_on(async {
        let credentials = lazy_chain(&loaded.config.upstream, &loaded.egress)?;
        let server = Server::start(loaded, Surroundings { credentials, access_log }).await?;
        until_told_to_stop(&server, sources).await?;
        server.stop().await;
        Ok::<(), Failure>(())
    })?;
    runtime.shutdown_background();
    tracing::info!("stopped");
    Ok(())
}

/// Reads, beside the config, what a start needs besides and what depends on no setting.
fn read_ahead() {
    read_native();
    PriceTable::builtin();
}

async fn until_told_to_stop(server: &Server, sources: Sources) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let demand = Arc::clone(&sources.demand);
    let gateway = Arc::clone(server.gateway());
    let tasks = gateway.shutdown.tasks.clone();
    let looking = look_for_credentials(Arc::clone(gateway.signers.own()), gateway.shutdown.stopping.clone());
    tasks.spawn(discover::run(Arc::clone(&gateway), server.aws().reader(gateway.shutdown.stopping.clone())));
    tasks.spawn(sources.watch(gateway));
    tracing::info!(data = %server.data(), admin = %server.admin(), version = env!("CARGO_PKG_VERSION"), "serving");
    tasks.spawn(looking);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => demand.notify_one(),
        }
    }
    tracing::info!("stopping: calls in flight go on until the grace runs out");
    Ok(())
}

/// Asks for credentials before the first call does: where there are none, the log says so at once.
async fn look_for_credentials(credentials: Arc<CredentialsCache>, stopping: CancellationToken) {
    // Whatever comes of it is kept, or logged, there.
    let _ = stopping.run_until_cancelled(credentials.get()).await;
}

/// Says which proxy is used, for which scheme, and for whom none is.
fn tell_of_proxies(egress: &Egress) {
    let proxies = &egress.proxies;
    for (scheme, proxy) in [("https", &proxies.https), ("http", &proxies.http)] {
        if let Some(proxy) = proxy {
            let (variable, no_proxy) = (&proxy.variable, &proxies.no_proxy);
            tracing::info!(
                scheme,
                proxy = proxy.address,
                variable,
                no_proxy,
                "connections go through a proxy"
            );
        }
    }
}

/// Returns where the gateway's own credentials come from, of which nothing is looked at before it is asked for them.
fn lazy_chain(upstream: &Upstream, egress: &Egress) -> Result<SharedCredentialsProvider, StartError> {
    check_trust(egress).map_err(StartError::Tls)?;
    let chain = LazyChain::new(upstream.region.clone(), egress.ca_bundle.clone());
    Ok(SharedCredentialsProvider::new(chain))
}

/// Returns where the gateway's own credentials come from.
pub(super) async fn default_chain(
    upstream: &Upstream,
    egress: &Egress,
) -> Result<SharedCredentialsProvider, StartError> {
    // The SDK panics where there are no CA certificates.
    check_trust(egress).map_err(StartError::Tls)?;
    let chain = credentials::default_chain(&upstream.region, egress.ca_bundle.as_ref()).await;
    chain.map_err(|error| StartError::Internal("the AWS SDK", format!("{error:#}")))
}

fn open_access_log(to: &config::AccessLog) -> Result<Option<(AccessLog, AccessLogGuard)>, Failure> {
    telemetry::access_log(to).map_err(|error| {
        let hint = "set log.access to a file that this user can write, to \"stdout\", or to \"off\"";
        Failure::refused(format!("{error:#} (log.access)"), hint)
    })
}

fn no_runtime(error: &io::Error) -> Failure {
    let hint = "the system gives this user no more threads: end some, or raise the limit (`ulimit -u`)";
    Failure::refused(format!("cannot start the runtime: {error}"), hint)
}

/// Keeps what is in memory out of core dumps, and from other processes of the same user: keys and credentials are.
fn keep_memory_private() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "a core dump of this process would hold its secrets");
    }
}
