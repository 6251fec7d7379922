//! Looks at AWS from time to time, and serves what is found. Nothing that fails takes anything away.

use crate::discovery::stored::Stored;
use crate::discovery::{Ask, Progress, Read, Reading};
use crate::gateway::{Basis, Gateway};
use crate::inventory::Inventory;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How long a start waits for AWS before what is known already has to do.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do about a look that failed.
const HINT: &str = "what was found before goes on serving, and AWS is asked again; where it was refused, let the \
                    gateway's role use bedrock:ListInferenceProfiles and bedrock:ListTagsForResource";

/// What to do about a snapshot that cannot be used or written.
const SNAPSHOT_HINT: &str = "AWS is asked anyway; to start without AWS next time, let catalog.snapshot be a file that \
                             this user can write";

/// Reads the last good look from disk. A file that cannot be used is as good as none.
pub(super) async fn stored(file: PathBuf) -> Option<Stored> {
    let read = tokio::task::spawn_blocking(move || Stored::read(&file)).await;
    match read {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => {
            let error = anyhow::Error::new(error);
            tracing::warn!(error = format!("{error:#}"), hint = SNAPSHOT_HINT, "starting without a snapshot");
            None
        }
        Err(panic) => {
            tracing::error!(%panic, "starting without a snapshot");
            None
        }
    }
}

/// Looks at AWS until the gateway stops, one look at a time.
pub async fn run(gateway: Arc<Gateway>, read: Read) {
    let stopping = gateway.shutdown.stopping.clone();
    stopping.run_until_cancelled(look_for_ever(&gateway, &read)).await;
}

async fn look_for_ever(gateway: &Gateway, read: &Read) {
    let Some(progress) = &gateway.discovery else { return };
    let first = look_to_the_end(gateway, read, progress);
    tokio::pin!(first);
    let is_late = tokio::time::timeout(PATIENCE, &mut first).await.is_err();
    progress.tried();
    if is_late {
        tracing::warn!(patience = ?PATIENCE, "AWS is slow to say which profiles there are: what is known serves");
        first.await;
    }
    loop {
        let refresh = gateway.snapshot.load().config.catalog.refresh;
        tokio::select! {
            () = tokio::time::sleep(jittered(refresh)) => {}
            () = progress.asked() => {}
        }
        look_to_the_end(gateway, read, progress).await;
    }
}

async fn look_to_the_end(gateway: &Gateway, read: &Read, progress: &Progress) {
    while look(gateway, read, progress).await {}
}

/// Looks once, takes up what there is, and tells whether there is more.
async fn look(gateway: &Gateway, read: &Read, progress: &Progress) -> bool {
    let (began, began_at) = (gateway.clock.utc(), gateway.clock.instant());
    let snapshot = gateway.snapshot.load_full();
    let ask = Ask {
        regions: snapshot.regions(),
        every: snapshot.config.catalog.refresh,
        before: Arc::clone(&snapshot.inventory),
    };
    drop(snapshot);
    let mut reading = read(ask).await;
    let (failures, is_partial) = (std::mem::take(&mut reading.failures), reading.is_partial);
    for error in &failures {
        tracing::warn!(error, hint = HINT, "profiles cannot be read from AWS");
    }
    if !failures.is_empty() {
        gateway.metrics.discovery_failed();
    } else if !is_partial {
        progress.taken(began);
    }
    let complete = reading.complete.clone();
    let changed = take_up(gateway, reading, began_at).await;
    progress.listed(&complete);
    if changed || failures.is_empty() {
        let (file, snapshot) = {
            let snapshot = gateway.snapshot.load();
            (snapshot.config.catalog.snapshot.clone(), Arc::clone(&snapshot.inventory))
        };
        keep(file, progress.taken_at().unwrap_or(began), snapshot).await;
    }
    is_partial
}

/// Swaps the snapshot, if something has changed, and tells whether it did.
async fn take_up(gateway: &Gateway, reading: Reading, began: Instant) -> bool {
    let swapped = gateway.swap(|snapshot| {
        let mut inventory = reading.after(&snapshot.inventory);
        for (arn, profile) in gateway.provisioner.unseen(began) {
            inventory.profiles.entry(arn).or_insert(profile);
        }
        (*snapshot.inventory != inventory)
            .then(|| Basis { inventory: Arc::new(inventory), ..snapshot.basis() })
    });
    match swapped.await {
        Ok(true) => {
            let snapshot = gateway.snapshot.load();
            let services = snapshot.catalog.services().count();
            tracing::info!(
                services,
                profiles = snapshot.inventory.profiles.len(),
                "profiles in AWS have changed"
            );
            true
        }
        Ok(false) => false,
        Err(error) => {
            let error = anyhow::Error::new(error);
            gateway.metrics.discovery_failed();
            tracing::error!(
                error = format!("{error:#}"),
                "what AWS has cannot be taken up: what was before stays"
            );
            false
        }
    }
}

/// Writes what was found to disk.
async fn keep(file: PathBuf, taken_at: OffsetDateTime, inventory: Arc<Inventory>) {
    let written = tokio::task::spawn_blocking(move || Stored::write(&file, taken_at, &inventory)).await;
    if let Err(error) = written.map_err(anyhow::Error::new).flatten() {
        tracing::warn!(
            error = format!("{error:#}"),
            hint = SNAPSHOT_HINT,
            "the catalog's snapshot is not written"
        );
    }
}

/// Returns a time within a tenth of another, so that gateways that start together do not ask together.
fn jittered(refresh: Duration) -> Duration {
    // Without randomness there is no jitter, which is no reason not to look.
    let permille = 900 + getrandom::u32().unwrap_or(100) % 201;
    refresh.saturating_mul(permille) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_do_not_ask_together() {
        let times: std::collections::BTreeSet<Duration> =
            (0..200).map(|_| jittered(Duration::from_mins(5))).collect();
        assert!(times.first().unwrap() >= &Duration::from_secs(270));
        assert!(times.last().unwrap() <= &Duration::from_secs(330));
        assert!(times.len() > 20);
    }
}
