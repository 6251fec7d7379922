//! Takes up changes of the config and services files while the gateway runs. A bad file changes nothing.

use crate::config::{Config, FileRead, FileState, Loaded, Problems, load};
use crate::gateway::{Basis, Gateway};
use crate::keys::{Keyring, KeyringError};
use crate::vault::VaultError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often the files are looked at. A change is taken up once it has held still from one look to the next.
const PACE: Duration = Duration::from_millis(250);

/// What to do about a file that cannot be taken up.
const HINT: &str = "mend what is named, and it is taken up at once; `tollgate check` lists every mistake";

/// The files and variables that the gateway was started from.
#[derive(Debug)]
pub struct Sources {
    /// The config file.
    pub config: PathBuf,
    /// The variables that it was read with.
    pub env: Vec<(String, String)>,
    /// Every file that was read, as it was then.
    pub files: Vec<FileRead>,
    /// Asks for a reload, changed or not, and for a look at AWS.
    pub demand: Arc<Notify>,
}

/// The states of all files.
type Stamp = Vec<Option<FileState>>;

impl Sources {
    /// Reloads at every change and demand, until the gateway stops.
    pub async fn watch(mut self, gateway: Arc<Gateway>) {
        let stopping = gateway.shutdown.stopping.clone();
        let mut pace = tokio::time::interval(PACE);
        // What changed since the start read the files, before this came to look, is a change as well.
        let mut known = self.loaded();
        let mut seen = Vec::new();
        loop {
            let demanded = tokio::select! {
                () = stopping.cancelled() => return,
                () = self.demand.notified() => true,
                _ = pace.tick() => false,
            };
            let now = self.stamp().await;
            let (holds_still, mut moved) = (now == seen, false);
            seen.clone_from(&now);
            if demanded || (now != known && holds_still) {
                let looked_in = gateway.snapshot.load().regions();
                known = self.reload(&gateway, now).await;
                moved = gateway.snapshot.load().regions() != looked_in;
            }
            if let Some(discovery) = gateway.discovery.as_ref().filter(|_| demanded || moved) {
                discovery.ask();
            }
        }
    }

    /// Returns the states of the files as they were loaded.
    fn loaded(&self) -> Stamp {
        self.files.iter().map(|file| file.state).collect()
    }

    /// Returns the states of the files that were tried, `now` those that were found.
    async fn reload(&mut self, gateway: &Gateway, mut now: Stamp) -> Stamp {
        let (path, env) = (self.config.clone(), self.env.clone());
        // Reading files blocks; a panic there would be a bug and is reported as a failure.
        let loaded = tokio::task::spawn_blocking(move || load(&path, env)).await;
        let mut may_pass = false;
        let result = match loaded {
            Ok(Ok(loaded)) => match Keyring::open(&loaded.services, &loaded.secrets, &gateway.kms).await {
                Ok(keyring) => self.swap(gateway, loaded, keyring).await,
                Err(error) => {
                    may_pass = matches!(error, KeyringError::Vault(VaultError::Wrapped(_)));
                    Err(error.to_string())
                }
            },
            Ok(Err(problems)) => {
                now.extend(self.watch_too(&problems));
                Err(problems.to_string())
            }
            Err(panic) => Err(panic.to_string()),
        };
        gateway.metrics.reloaded(&result);
        match result {
            Ok(services) => {
                tracing::info!(services, "config reloaded");
                self.loaded()
            }
            Err(error) => {
                tracing::error!(%error, hint = HINT, "config not reloaded: what was loaded before stays");
                // What keeps KMS from answering may pass without a change of any file.
                if may_pass { Stamp::new() } else { now }
            }
        }
    }

    /// Begins to watch files that were not known before they were found to be wrong, and returns their states.
    fn watch_too(&mut self, problems: &Problems) -> Stamp {
        let mut states = Stamp::new();
        for path in problems.iter().flat_map(|problem| [&problem.file].into_iter().chain(&problem.about)) {
            if self.files.iter().all(|file| file.path != *path) {
                let file = FileRead::begin(path);
                states.push(file.state);
                self.files.push(file);
            }
        }
        states
    }

    /// Puts a new snapshot in the place of the old one, and returns how many services it has.
    async fn swap(&mut self, gateway: &Gateway, loaded: Loaded, keyring: Keyring) -> Result<usize, String> {
        for warning in &loaded.warnings {
            tracing::warn!(%warning, hint = warning.hint, "config");
        }
        for key in fixed_at_start(&gateway.snapshot.load().config, &loaded.config) {
            tracing::warn!(key, "a change of this key takes a restart");
        }
        let (files, ingress) = (loaded.files.clone(), loaded.ingress.clone());
        let swapped =
            gateway.swap(|snapshot| Some(Basis::new(loaded, keyring, Arc::clone(&snapshot.inventory)))).await;
        swapped.map_err(|error| error.to_string())?;
        let ingress = gateway.ingress.load().succeeded_by(&ingress);
        gateway.metrics.ingress(&ingress);
        gateway.ingress.store(Arc::new(ingress));
        self.files = files;
        Ok(gateway.snapshot.load().catalog.services().count())
    }

    async fn stamp(&self) -> Stamp {
        let mut stamp = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let metadata = tokio::fs::metadata(&file.path).await.ok();
            stamp.push(metadata.map(|metadata| FileState::of(&metadata)));
        }
        stamp
    }
}

/// Returns the keys that differ and that only a start takes up.
fn fixed_at_start(old: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("listen.data", old.listen.data != new.listen.data),
        ("listen.admin", old.listen.admin != new.listen.admin),
        ("listen.tls", old.listen.tls.is_some() != new.listen.tls.is_some()),
        ("listen.admin_tls", old.listen.admin_tls.is_some() != new.listen.admin_tls.is_some()),
        (
            "listen.admin_token_file",
            old.listen.admin_token_file.is_some() && new.listen.admin_token_file.is_none(),
        ),
        ("listen.max_connections", old.listen.max_connections != new.listen.max_connections),
        ("listen.header_read_timeout", old.listen.header_read_timeout != new.listen.header_read_timeout),
        ("listen.idle_timeout", old.listen.idle_timeout != new.listen.idle_timeout),
        ("listen.write_timeout", old.listen.write_timeout != new.listen.write_timeout),
        ("listen.shutdown_grace", old.listen.shutdown_grace != new.listen.shutdown_grace),
        ("upstream.control_endpoint", old.upstream.control_endpoint != new.upstream.control_endpoint),
        ("upstream.roles", old.upstream.roles != new.upstream.roles),
        ("upstream.ca_bundle", old.upstream.ca_bundle != new.upstream.ca_bundle),
        ("upstream.connection_age", old.upstream.connection_age != new.upstream.connection_age),
        ("upstream.warm_connections", old.upstream.warm_connections != new.upstream.warm_connections),
        ("upstream.connect_timeout", old.upstream.connect_timeout != new.upstream.connect_timeout),
        ("catalog.discover", old.catalog.discover != new.catalog.discover),
        ("ledger", old.ledger != new.ledger),
        ("log", old.log != new.log),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
