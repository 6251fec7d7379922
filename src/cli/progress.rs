//! A bar on the terminal for whoever waits longer than a second.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long a command works in silence.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the bar shows that something is still going on.
const TICK: Duration = Duration::from_millis(100);

/// How far a command has come; shown on the standard error where that is a terminal, and gone when it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Dropped with the bar: nobody need show it any more.
    _done: Sender<()>,
}

impl Progress {
    /// Begins; `message` says what is being done.
    pub(super) fn begin(message: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()).with_message(message);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {percent}% {elapsed}") {
            bar.set_style(style);
        }
        let (done, ended) = channel();
        if std::io::stderr().is_terminal() {
            let bar = bar.clone();
            std::thread::spawn(move || {
                if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) && !bar.is_finished() {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                }
            });
        }
        Self { bar, _done: done }
    }

    /// Takes note that so much of all is done.
    pub(super) fn at(&self, done: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
