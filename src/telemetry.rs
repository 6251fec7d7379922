//! Where the gateway writes about itself: its log to stderr, one line per call to the access log.

use crate::config::{AccessLog, Log};
use anyhow::Context as _;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How many lines wait for a slow reader of the access log before lines are dropped and counted.
const ACCESS_LOG_QUEUE: usize = 65_536;

/// Sets up the log of this process, as JSON on stderr.
///
/// # Errors
/// It is set up already.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).context("log.level")?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| anyhow::anyhow!("the log cannot be set up: {error}"))
}

/// Opens the access log. Its lines are written by a thread of its own, up to the drop of the guard.
///
/// # Errors
/// The file cannot be opened.
pub fn access_log(to: &AccessLog) -> anyhow::Result<Option<(NonBlocking, WorkerGuard)>> {
    Ok(match to {
        AccessLog::Off => None,
        AccessLog::Stdout => Some(behind_a_queue(std::io::stdout())),
        AccessLog::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Some(behind_a_queue(
                file.with_context(|| format!("cannot open the access log {}", path.display()))?,
            ))
        }
    })
}

fn behind_a_queue(to: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    let builder = NonBlockingBuilder::default().buffered_lines_limit(ACCESS_LOG_QUEUE).lossy(true);
    builder.thread_name("access-log").finish(BufWriter::with_capacity(64 << 10, to))
}
