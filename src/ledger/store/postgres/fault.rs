//! What an error of the database means: wait, or mend.

use super::StoreError;
use super::address::Address;
use postgres::Error;
use postgres::error::{DbError, SqlState};
use std::error::Error as _;
use std::io;

/// Classes of SQLSTATE that pass (PostgreSQL's appendix A): connection exception, transaction rollback, insufficient
/// resources, operator intervention (shutting down, starting up, cancelled), system error.
const PASSING_CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];

/// Returns what an error means.
pub(super) fn of(address: &Address, error: &Error) -> StoreError {
    let (place, reason) = (address.place().to_owned(), reason(error));
    if passes(error) {
        return StoreError::Away { place, reason };
    }
    let hint = hint(address, error);
    StoreError::Unusable { place, reason, hint }
}

/// Returns what went wrong, in one line.
pub(super) fn reason(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return match said.detail() {
            Some(detail) => format!("{} ({detail})", said.message()),
            None => said.message().to_owned(),
        };
    }
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    reason
}

fn passes(error: &Error) -> bool {
    if let Some(said) = error.as_db_error() {
        return has_passing_state(said.code());
    }
    error.is_closed() || io_error(error).is_some_and(|error| is_passing_kind(error.kind()))
}

/// A missing partition was dropped as old a moment ago and is made again; a standby is read-only until it takes over.
fn has_passing_state(state: &SqlState) -> bool {
    let class = state.code().get(..2).unwrap_or_default();
    PASSING_CLASSES.contains(&class)
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::CHECK_VIOLATION]
            .contains(state)
}

fn is_passing_kind(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, PermissionDenied, Unsupported};
    ![InvalidData, InvalidInput, PermissionDenied, Unsupported].contains(&kind)
}

fn io_error(error: &Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

fn hint(address: &Address, error: &Error) -> String {
    let database = address.database();
    match error.as_db_error().map(DbError::code) {
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            format!("create it with `createdb --encoding UTF8 {database}`, or name another in the URL")
        }
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            format!(
                "let the URL's user own the schema tollgate: \
                 `GRANT CREATE ON DATABASE {database} TO <user>` lets it make its own"
            )
        }
        Some(code) if code.code().starts_with("28") => {
            "check the user and the password in the URL (or PGPASSWORD), and the server's pg_hba.conf".to_owned()
        }
        Some(_) => "the schema tollgate is not as tollgate made it: restore it, \
                    or name another database in the URL"
            .to_owned(),
        None if io_error(error).is_some() => {
            "a server's own CA is trusted with sslrootcert=<file> in the URL; sslmode=disable does without TLS"
                .to_owned()
        }
        None => "check sslmode, the user and the password in the URL (or PGPASSWORD)".to_owned(),
    }
}
