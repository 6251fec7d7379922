//! Where the gateway writes about itself: its log to stderr, one line per call to the access log.

use crate::access_log::{AccessLog, AccessLogGuard};
use crate::config::{self, Log};
use anyhow::Context as _;
use std::fs::OpenOptions;
use tracing_subscriber::EnvFilter;

/// Sets up the log of this process, as JSON on stderr.
///
/// # Errors
/// It is set up already.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter(&log.level)).context("log.level")?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| anyhow::anyhow!("the log cannot be set up: {error}"))
}

/// Returns the filter for a level: what the AWS SDK dumps about credentials, the gateway says in words of its own.
fn filter(level: &str) -> String {
    match level {
        "info" | "warn" => format!("{level},aws_config=error"),
        directives => directives.to_owned(),
    }
}

/// Opens the access log. What waits is written at the drop of the guard.
///
/// # Errors
/// The file cannot be opened.
pub fn access_log(to: &config::AccessLog) -> anyhow::Result<Option<(AccessLog, AccessLogGuard)>> {
    Ok(match to {
        config::AccessLog::Off => None,
        config::AccessLog::Stdout => Some(AccessLog::start(std::io::stdout())?),
        config::AccessLog::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot open the access log {}", path.display()))?;
            Some(AccessLog::start(file)?)
        }
    })
}
