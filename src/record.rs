//! What is settled for a call goes out from here: to metrics and to the access log. The only such place.

use crate::access_log::AccessLog;
use crate::domain::{Record, UsageSource};
use crate::metrics::RouteMetrics;

/// Takes the record of every call that went, or tried to go, upstream.
#[derive(Debug)]
pub struct Recorder {
    access_log: Option<AccessLog>,
}

impl Recorder {
    /// Makes a recorder that writes one JSON line per record to `access_log`, if there is one.
    pub fn new(access_log: Option<AccessLog>) -> Self {
        Self { access_log }
    }

    /// Returns how many lines of the access log were lost to a reader that is too slow.
    pub fn dropped_lines(&self) -> usize {
        self.access_log.as_ref().map_or(0, AccessLog::dropped_lines)
    }

    /// Counts and writes a record.
    pub fn record(&self, record: &Record, metrics: &RouteMetrics) {
        let usage = &record.usage;
        if record.usage_source == UsageSource::Estimated {
            metrics.add_estimated_tokens(&usage.tokens);
        } else if record.operation.is_billable() {
            metrics.add_tokens(&usage.tokens);
        }
        metrics.add_units(&usage.units);
        if let Some(reason) = record.usage_missing {
            metrics.all().usage_missing(&record.service, reason);
        }
        metrics.ended(record.operation, record.status, record.outcome, record.duration);
        if let Some(log) = &self.access_log {
            write_line(log, record);
        }
    }
}

/// Hands a line to the access log; what it cannot take is counted there.
fn write_line(log: &AccessLog, record: &Record) {
    let mut line = Vec::with_capacity(1024);
    match serde_json::to_writer(&mut line, record) {
        Ok(()) => {
            line.push(b'\n');
            log.add(&line);
        }
        Err(error) => tracing::error!(id = %record.id, %error, "a record cannot be written as JSON"),
    }
}
