//! The ledger in one SQLite file, for a gateway of its own.
//!
//! Writers and readers do not block each other (WAL). A commit is on the disk when it returns. Readers hold no snapshot
//! while they wait for whoever takes their records, and the write-ahead log is emptied when it is long
//! ([`wal::keep_short`]), so that no reader makes it grow without bound.

mod append;
mod columns;
mod fault;
mod file_id;
mod known;
mod records;
mod rerate;
mod retain;
mod schema;
mod sums;
#[cfg(test)]
mod tests;
mod upstream_id;
mod wal;

use super::{Access, From, Grain, RecordFilter, Rerated, Slice, Span, Store, StoreError};
use crate::domain::Record;
use crate::ledger::folder::can_be_made;
use fault::Fault;
use file_id::FileId;
use known::Known;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;

/// How long a lock of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A ledger in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    /// The file that is open, whatever has that path by now.
    file: FileId,
    label_keys: Vec<String>,
    known: Known,
}

impl SqliteStore {
    /// Opens the ledger in a file. `label_keys` are the labels that enter rollups.
    pub fn open(path: &Path, access: Access, label_keys: &[String]) -> Result<Self, StoreError> {
        Self::open_within(path, access, label_keys, PATIENCE)
    }

    fn open_within(
        path: &Path,
        access: Access,
        label_keys: &[String],
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let connection = connect(path, access, patience).map_err(|fault| fault.at(path))?;
        let file = FileId::of(path).ok_or_else(|| Fault::Moved.at(path))?;
        let label_keys = label_keys.to_vec();
        Ok(Self { connection, path: path.to_owned(), file, label_keys, known: Known::default() })
    }

    /// Does something as one transaction: all of it, or none. Nothing, where it would go into a file that was moved
    /// away.
    fn whole<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut Known, &[String]) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let done = within(&mut self.connection, |transaction| {
            let done = work(transaction, &mut self.known, &self.label_keys)?;
            let is_there = FileId::of(&self.path).as_ref() == Some(&self.file);
            if is_there { Ok(done) } else { Err(Fault::Moved) }
        });
        if done.is_err() {
            self.known = Known::default(); // what it learned may be rolled back
        }
        let done = done.map_err(|fault| fault.at(&self.path))?;
        wal::keep_short(&self.connection, &self.path);
        Ok(done)
    }
}

fn connect(path: &Path, access: Access, patience: Duration) -> Result<Connection, Fault> {
    if path.is_dir() {
        return Err(Fault::IsFolder);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = match access {
        Access::Write => {
            make_folder(path)?;
            flags | OpenFlags::SQLITE_OPEN_CREATE
        }
        Access::Read if !path.exists() => return Err(absent(path)),
        Access::Read => flags,
    };
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    schema::prepare(&mut connection, access)?;
    Ok(connection)
}

fn make_folder(path: &Path) -> Result<(), Fault> {
    let folder = path.parent().unwrap_or(path);
    can_be_made(folder)
        .and_then(|()| std::fs::create_dir_all(folder))
        .map_err(|error| no_folder(folder, &error))
}

/// Says that there is no ledger, or that there cannot be one.
fn absent(path: &Path) -> Fault {
    let folder = path.parent().unwrap_or(path);
    can_be_made(folder).map_or_else(|error| no_folder(folder, &error), |()| Fault::Absent)
}

fn no_folder(folder: &Path, error: &io::Error) -> Fault {
    Fault::Folder(format!("{}: {error}", folder.display()))
}

fn within<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

impl Store for SqliteStore {
    fn append_with_breaks(
        &mut self,
        records: &[Record],
        between: &mut dyn FnMut(),
    ) -> Result<u64, StoreError> {
        self.whole(|transaction, known, allowed| {
            append::append(transaction, known, records.iter().inspect(|_| between()), allowed)
        })
    }

    fn records(
        &mut self,
        filter: &RecordFilter,
        each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut pages = records::Pages::new(filter);
        loop {
            let page = pages.next(&self.connection, &mut self.known).map_err(|fault| fault.at(&self.path))?;
            if page.is_empty() {
                return Ok(());
            }
            page.into_iter().try_for_each(&mut *each)?;
        }
    }

    fn totals(&mut self, span: Span, grain: Grain, from: From) -> Result<Vec<Slice>, StoreError> {
        let add_up = match from {
            From::Rollups => sums::of_rollups,
            From::Records => sums::of_records,
        };
        let sums = add_up(&self.connection, span, grain);
        sums.and_then(|sums| sums.slices(&self.connection, &mut self.known))
            .map_err(|fault| fault.at(&self.path))
    }

    fn rerate(&mut self, rerated: &[Rerated], at: OffsetDateTime) -> Result<u64, StoreError> {
        self.whole(|transaction, known, _| rerate::rerate(transaction, known, rerated, at))
    }

    fn retain(
        &mut self,
        records_since: Option<OffsetDateTime>,
        rollups_since: Option<OffsetDateTime>,
    ) -> Result<u64, StoreError> {
        self.whole(|transaction, _, _| retain::retain(transaction, records_since, rollups_since))
    }
}
