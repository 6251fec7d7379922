//! The write-ahead log's length.

use rusqlite::Connection;
use std::path::Path;

/// The length of the write-ahead log, in bytes, beyond which it is emptied.
pub(super) const LIMIT: u64 = 64 * 1024 * 1024;

/// Empties the write-ahead log when it is long.
///
/// SQLite copies the log into the database as it goes, but starts it anew only when no reader reads from it, which may
/// never be so while one report follows another. Emptying it makes readers that come later read from the database, and
/// waits for those that are there, as long as for any lock; where one of them takes longer, the next commit tries again.
pub(super) fn keep_short(connection: &Connection, path: &Path) {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    if std::fs::metadata(name).is_ok_and(|log| log.len() > LIMIT)
        && let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    {
        tracing::debug!(%error, "the ledger's write-ahead log was not emptied");
    }
}
