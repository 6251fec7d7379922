//! The thread that looks after the journal.

use super::log::Shared;
use super::settings::Fsync;
use crate::clock::Clock;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks.
const PACE: Duration = Duration::from_millis(250);

/// How often it syncs where `fsync` is `interval`.
const SYNC_PACE: Duration = Duration::from_secs(1);

/// The thread; its drop ends it.
#[derive(Debug)]
pub(super) struct Keeper {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (end, ended) = channel();
        let thread =
            std::thread::Builder::new().name("journal".to_owned()).spawn(move || keep(&shared, &ended))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // The thread does not panic; if it did, there is nothing left to keep.
            let _ = thread.join();
        }
    }
}

fn keep(shared: &Shared, ended: &Receiver<()>) {
    let mut synced_at = Clock::system().instant();
    while ended.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
        shared.heal();
        shared.rotate();
        shared.carry();
        shared.sweep();
        sync_at_its_pace(shared, &mut synced_at);
    }
    shared.finish();
}

fn sync_at_its_pace(shared: &Shared, synced_at: &mut Instant) {
    let now = Clock::system().instant();
    if shared.settings.fsync == Fsync::Interval && now.duration_since(*synced_at) >= SYNC_PACE {
        *synced_at = now;
        // A failure is in the log and in the health, and heals at the next look.
        let _ = shared.sync();
    }
}
