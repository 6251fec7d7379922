//! The one place that swaps snapshots: whatever changes is built upon the newest of all else.

use super::{Basis, Gateway, Setting, Snapshot};
use crate::discovery::Finding;
use crate::forward::endpoint::EndpointError;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

/// How many findings one swap puts into the log; metrics count all.
const LOGGED: usize = 20;

/// Lets one swap go on at a time.
#[derive(Debug, Default)]
pub struct Swap(Mutex<()>);

/// Why a snapshot could not be built; the one before stays.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// A region has no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A bug.
    #[error("building the catalog failed")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Gateway {
    /// Swaps the snapshot for one of what `change` makes of it, and tells whether it did: `None` changes nothing.
    pub async fn swap(&self, change: impl FnOnce(&Snapshot) -> Option<Basis>) -> Result<bool, SwapError> {
        let _alone = self.swap.0.lock().await;
        let old = self.snapshot.load_full();
        let Some(basis) = change(&old) else { return Ok(false) };
        let setting = Setting {
            signers: Arc::clone(&self.signers),
            metrics: Arc::clone(&self.metrics),
            shutdown: self.shutdown.clone(),
            clock: self.clock,
        };
        // Of ten thousand services it takes a third of a second, which no call is to wait for.
        let runtime = Handle::current();
        let building = tokio::task::spawn_blocking(move || runtime.block_on(Snapshot::build(basis, setting)));
        let new = Arc::new(building.await??);
        tell(new.catalog.findings(), old.catalog.findings());
        self.forward.client().expect(&new.expected);
        self.snapshot.store(new);
        // Nor is one to take the old one apart.
        drop(tokio::task::spawn_blocking(move || drop(old)));
        Ok(true)
    }
}

/// Logs what was not found before.
pub(crate) fn tell(found: &[Finding], before: &[Finding]) {
    let known: HashSet<String> = before.iter().map(ToString::to_string).collect();
    let texts = found.iter().map(|finding| (finding.kind(), finding.to_string()));
    let fresh: Vec<(&str, String)> = texts.filter(|(_, text)| !known.contains(text)).collect();
    for (kind, text) in fresh.iter().take(LOGGED) {
        tracing::warn!(kind, "catalog: {text}");
    }
    if let Some(more) = fresh.len().checked_sub(LOGGED).filter(|more| *more > 0) {
        tracing::warn!(more, "catalog: tollgate_catalog_findings counts the rest");
    }
}
