//! The tables, and how a file gets them.

use super::fault::Fault;
use super::{Access, within};
use rusqlite::Connection;

/// Marks a file as a ledger of tollgate: `tlgr`.
const APPLICATION: i64 = 0x746C_6772;

/// What brings a file from each version of the schema to the next; the first makes it.
const MIGRATIONS: [&str; 1] = [include_str!("schema_1.sql")];

/// Makes a connection ready, and its file too where it is opened to write.
pub(super) fn prepare(connection: &mut Connection, access: Access) -> Result<(), Fault> {
    let theirs = version(connection)?;
    let ours = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if theirs > ours {
        return Err(Fault::Version { theirs, ours });
    }
    if theirs < ours {
        match access {
            Access::Write => migrate(connection, theirs)?,
            Access::Read if theirs == 0 => return Err(Fault::Absent),
            Access::Read => return Err(Fault::Version { theirs, ours }),
        }
    }
    settle(connection)?;
    Ok(())
}

/// Returns the version of a ledger's schema; zero for an empty file.
fn version(connection: &Connection) -> Result<i64, Fault> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    match number("application_id")? {
        APPLICATION => Ok(number("user_version")?),
        0 if is_empty(connection)? => Ok(0),
        _ => Err(Fault::Foreign),
    }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

fn migrate(connection: &mut Connection, from: i64) -> Result<(), Fault> {
    if from == 0 {
        connection.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;")?;
    }
    within(connection, |transaction| {
        // Another process may have been faster.
        let done = version(transaction)?;
        let done = usize::try_from(done).unwrap_or_default();
        for (step, sql) in (1_i64..).zip(MIGRATIONS).skip(done) {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        Ok(())
    })
}

/// Sets what each connection needs. `FULL` makes a commit survive a loss of power: the journal's copy of its records is
/// deleted next. The write-ahead log is copied into the database every 32 MiB: the pages that every transaction changes
/// are copied the less often. Records are added at the end, so more pages in memory than a few transactions change would
/// only lie there.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = MEMORY;",
    )
}
