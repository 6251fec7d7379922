//! Turns of calls that share a thread: one with many bytes gives way to the others now and then.

use std::pin::pin;
use std::task::Context;
use tokio::task::yield_now;

/// A call's turn: it lasts for so many bytes.
#[derive(Debug)]
pub(crate) struct Turn {
    bytes: usize,
    done: usize,
}

impl Turn {
    /// Begins a turn of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { bytes, done: 0 }
    }

    /// Takes note of what was done of it; tells whether it is over, and begins the next then.
    pub(crate) fn is_over_after(&mut self, bytes: usize) -> bool {
        self.done = self.done.saturating_add(bytes);
        let is_over = self.done >= self.bytes;
        if is_over {
            self.done = 0;
        }
        is_over
    }
}

/// Has the task polled again behind those that are ready, and behind what sockets have to tell, which a task that merely
/// wakes itself would go before.
pub(crate) fn give_way(context: &mut Context<'_>) {
    // Its first poll is what asks for that.
    let _ = pin!(yield_now()).poll(context);
}
