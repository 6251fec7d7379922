//! `tollgate serve`

use super::{Context, Failure};
use crate::config::load;
use crate::forward::credentials;
use crate::server::reload::Sources;
use crate::server::{Server, Surroundings};
use crate::telemetry;
use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Serves until told to stop, and returns when every call is accounted for.
pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let loaded = load(&context.config, context.env.clone())?;
    telemetry::init(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "config");
    }
    raise_file_limit();
    // Dropped last: what is queued is written then.
    let (access_log, _guard) = telemetry::access_log(&loaded.config.log.access)?.unzip();
    let sources = Sources {
        config: context.config.clone(),
        env: context.env.clone(),
        files: loaded.files.clone(),
        demand: Arc::new(Notify::new()),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let provider = credentials::default_chain(&loaded.config.upstream.region).await?;
        let server = Server::start(loaded, Surroundings { credentials: provider, access_log }).await?;
        until_told_to_stop(&server, sources).await?;
        server.stop().await;
        anyhow::Ok(())
    })?;
    runtime.shutdown_background();
    tracing::info!("stopped");
    Ok(())
}

async fn until_told_to_stop(server: &Server, sources: Sources) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let demand = Arc::clone(&sources.demand);
    let gateway = Arc::clone(server.gateway());
    let tasks = gateway.shutdown.tasks.clone();
    tasks.spawn(sources.watch(gateway));
    tracing::info!(data = %server.data(), admin = %server.admin(), version = env!("CARGO_PKG_VERSION"), "serving");
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

/// Raises the soft limit of open files to the hard one: each call takes two.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, ?maximum, "the limit of open files stays low");
    }
}
