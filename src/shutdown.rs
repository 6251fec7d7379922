//! The stages of a shutdown, and the tasks that it waits for.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The gateway's end, in stages:
///
/// 1. `stopping`: no new connection is taken, no new call is begun.
/// 2. What is in flight goes on to its end, within the grace.
/// 3. `grace_over`: what is left is broken off and accounted for.
/// 4. The process ends, at most two seconds later.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Cancelled when stage 1 begins.
    pub stopping: CancellationToken,
    /// Cancelled when stage 3 begins.
    pub grace_over: CancellationToken,
    /// Calls, drains and connections: each is waited for.
    pub tasks: TaskTracker,
}
