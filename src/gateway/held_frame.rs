//! What an HTTP/2 client was given and has not taken: its flow control stops one stream, and no write shows it.

use crate::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

tokio::task_local! {
    /// Of the stream whose task this is.
    static HELD: Arc<HeldFrame>;
}

/// Since when a stream has held a frame that its client does not take.
#[derive(Debug, Default)]
pub struct HeldFrame(Mutex<Option<Instant>>);

impl HeldFrame {
    /// Runs a stream to its end, or until it has held a frame for longer than `patience`: then it is dropped.
    pub async fn watch<S: Future>(stream: S, patience: Duration) {
        let held = Arc::new(Self::default());
        tokio::select! {
            _ = HELD.scope(Arc::clone(&held), stream) => {}
            () = held.for_longer_than(patience) => {}
        }
    }

    /// Takes note, in a stream's task, of a frame that it has from now on, or that it has none.
    ///
    /// Over HTTP/1.1 there is no such task, and the connection's own writes show it.
    pub(super) fn note(since: impl FnOnce() -> Option<Instant>) {
        let _ = HELD.try_with(|held| held.set(since()));
    }

    async fn for_longer_than(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience).await;
            let now = Clock::system().instant();
            if self.get().is_some_and(|since| now.duration_since(since) >= patience) {
                return;
            }
        }
    }

    fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}
