//! What SQLite says, as what is wrong and what to do about it.

use crate::ledger::store::StoreError;
use rusqlite::ErrorCode;
use std::path::Path;

/// Why something failed, before it is told which file it was.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// The file's folder cannot be made.
    Folder(String),
    /// A folder has the file's path.
    IsFolder,
    /// There is no file.
    Absent,
    /// The file was moved away, or another one has its path.
    Moved,
    /// The file is another program's.
    Foreign,
    /// The schema's version is another one than this tollgate has.
    Version { theirs: i64, ours: i64 },
    /// A row holds what this tollgate cannot read.
    Row(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<rusqlite::types::FromSqlError> for Fault {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Sqlite(error.into())
    }
}

impl From<String> for Fault {
    fn from(error: String) -> Self {
        Self::Row(error)
    }
}

const NAME_ANOTHER: &str = "name another file as `store` of [ledger], or move this one away: \
                            `tollgate serve` makes a new one";
const NAME_FILE: &str = "name a file in it as `store` of [ledger], as in sqlite:data/ledger.db";
const LET_WRITE: &str = "let the user that tollgate runs as write to the file and to its folder, \
                         or name another file as `store` of [ledger]";
const UPDATE: &str = "use the tollgate that wrote it, or a newer one";

impl Fault {
    /// Returns the error for those who named the file.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let place = format!("sqlite:{}", path.display());
        let unprepared = |reason: String, hint: &str| StoreError::Unprepared {
            place: place.clone(),
            reason,
            hint: hint.to_owned(),
        };
        let (reason, hint) = match self {
            Self::Sqlite(error) => match hint_of(&error) {
                Some(hint) => (error.to_string(), hint),
                None => return StoreError::Away { place, reason: error.to_string() },
            },
            Self::Folder(error) => (error, LET_WRITE),
            Self::IsFolder => ("it is a folder".to_owned(), NAME_FILE),
            Self::Absent => {
                return unprepared("there is no ledger".to_owned(), "it is made by `tollgate serve`");
            }
            Self::Moved => (
                "the file was moved away or replaced while it was in use".to_owned(),
                "open it anew: `tollgate serve` does so by itself, and makes a new one where there is none",
            ),
            Self::Foreign => ("it is the database of another program".to_owned(), NAME_ANOTHER),
            Self::Version { theirs, ours } if theirs > ours => (
                format!("its schema has version {theirs}, and this tollgate knows versions up to {ours}"),
                UPDATE,
            ),
            Self::Version { theirs, ours } => {
                return unprepared(
                    format!("its schema has version {theirs}, and this tollgate needs version {ours}"),
                    "`tollgate serve` brings it up to date",
                );
            }
            Self::Row(error) => (error, UPDATE),
        };
        StoreError::Unusable { place, reason, hint: hint.to_owned() }
    }
}

/// Returns what to do about an error, or `None` where to wait is enough: for another process, for a disk with room.
fn hint_of(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed,
        ) => None,
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Some(LET_WRITE),
        Some(ErrorCode::DatabaseCorrupt) => {
            Some("restore a backup of it, or move it away: `tollgate serve` makes a new one")
        }
        Some(_) | None => Some(NAME_ANOTHER),
    }
}
