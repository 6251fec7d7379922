//! The write-ahead log's length.

use super::PATIENCE;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// The length of the write-ahead log, in bytes, beyond which it is emptied where no reader is in the way.
pub(super) const LIMIT: u64 = 64 * 1024 * 1024;

/// The length, in bytes, beyond which readers are waited for.
const MOST: u64 = 1024 * 1024 * 1024;

/// Empties the write-ahead log when it is long.
///
/// SQLite copies the log into the database as it goes, but starts it anew only when no reader reads from it, which may
/// never be so while one report follows another. Emptying it makes readers that come later read from the database. A
/// report may keep the log for the seconds that it takes; to wait for it would hold up the records, so that is
/// done only when the log is very long.
pub(super) fn keep_short(connection: &Connection, path: &Path) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let length = std::fs::metadata(log).map_or(0, |log| log.len());
    if length > LIMIT
        && let Err(error) = empty(connection, if length > MOST { PATIENCE } else { Duration::ZERO })
    {
        tracing::warn!(%error, "the ledger's write-ahead log was not emptied");
    }
}

fn empty(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(patience)?;
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(PATIENCE)?;
    emptied
}
