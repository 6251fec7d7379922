//! The laws, and what only a file can do wrong.

use super::super::laws::{LABEL_KEYS, laws};
use super::super::samples;
use super::*;
use crate::domain::Money;
use crate::ledger::store::Charge;
use std::fs;
use tempfile::TempDir;

fn keys() -> Vec<String> {
    LABEL_KEYS.map(str::to_owned).to_vec()
}

fn open(path: &Path, access: Access) -> Result<SqliteStore, StoreError> {
    SqliteStore::open_within(path, access, &keys(), Duration::from_millis(20))
}

/// Returns what is wrong with a file, having asserted that nothing about it changed.
fn refused(path: &Path, access: Access) -> String {
    let before = fs::read(path).ok();
    let error = open(path, access).unwrap_err();
    assert_eq!(fs::read(path).ok(), before);
    let (StoreError::Unusable { place, reason, hint } | StoreError::Unprepared { place, reason, hint }) =
        error
    else {
        panic!("{error}")
    };
    assert_eq!(place, format!("sqlite:{}", path.display()));
    format!("{reason}; {hint}")
}

#[test]
fn sqlite_keeps_the_laws() {
    let folder = TempDir::new().unwrap();
    let number = std::cell::Cell::new(0);
    laws(|| {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("{}.db", number.get()));
        move |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            Box::new(SqliteStore::open(&path, Access::Write, &keys).unwrap())
        }
    });
}

#[test]
fn what_is_written_is_there_for_the_next() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/folder/ledger.db");
    open(&path, Access::Write).unwrap().append(&[samples::plain(1, 1)]).unwrap();
    let mut store = open(&path, Access::Write).unwrap();
    assert_eq!(store.append(&[samples::plain(1, 1), samples::plain(2, 2)]).unwrap(), 1);
}

#[test]
fn others_may_go_first_at_every_record() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&folder.path().join("ledger.db"), Access::Write).unwrap();
    let mut breaks = 0;
    let records: Vec<Record> = (0..20).map(|number| samples::plain(number, number)).collect();
    assert_eq!(store.append_with_breaks(&records, &mut || breaks += 1).unwrap(), 20);
    assert_eq!(breaks, 20);
}

#[test]
fn a_reader_does_not_wait_for_a_writer() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut writer = open(&path, Access::Write).unwrap();
    writer.append(&[samples::plain(1, 1)]).unwrap();
    let transaction = writer.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("DELETE FROM rollups", []).unwrap();
    let mut reader = open(&path, Access::Read).unwrap();
    let span = Span { since: samples::at(0), until: samples::at(3_600_000) };
    assert_eq!(reader.totals(span, Grain::Whole, From::Rollups).unwrap().len(), 1);
    let rerated = reader.rerate(&[], samples::at(0)).unwrap_err();
    assert!(matches!(rerated, StoreError::Away { .. }), "{rerated}");
}

#[test]
fn old_charges_are_kept() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&folder.path().join("ledger.db"), Access::Write).unwrap();
    let record = samples::plain(1, 1);
    store.append(std::slice::from_ref(&record)).unwrap();
    let old = Charge { cost: record.cost, price_id: record.price_id.clone(), unpriced: None };
    let new = Charge { cost: Some(Money::from_picos(7)), price_id: Some("p2".into()), unpriced: None };
    store.rerate(&[Rerated { id: record.id, old, new }], samples::at(5)).unwrap();
    let history = || {
        let query = "SELECT json_array(at, old_cost, old_price_id, new_cost, new_price_id) FROM reratings";
        store.connection.query_row(query, [], |row| row.get::<_, String>(0))
    };
    assert_eq!(history().unwrap(), r#"[1767322800005000,98000000,"p1",7,"p2"]"#);
    store.retain(Some(samples::at(100)), None).unwrap();
    let left = store.connection.query_row("SELECT count(*) FROM reratings", [], |row| row.get::<_, i64>(0));
    assert_eq!(left.unwrap(), 0);
}

#[test]
fn a_failed_batch_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&folder.path().join("ledger.db"), Access::Write).unwrap();
    store.connection.execute_batch("ALTER TABLE rollups RENAME TO hidden").unwrap();
    store.append(&[samples::plain(1, 1)]).unwrap_err();
    store.connection.execute_batch("ALTER TABLE hidden RENAME TO rollups").unwrap();
    assert_eq!(store.append(&[samples::plain(1, 1)]).unwrap(), 1);
    let dimensions = store.connection.query_row(
        "SELECT count(*) FROM records JOIN dimensions ON dimensions.key = records.dimensions",
        [],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(dimensions.unwrap(), 1);
}

#[test]
fn only_a_writer_makes_a_ledger() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    assert_eq!(refused(&path, Access::Read), "there is no ledger; it is made by `tollgate serve`");
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    assert_eq!(refused(&path, Access::Read), "there is no ledger; it is made by `tollgate serve`");
}

#[test]
fn what_is_no_ledger_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    fs::write(&path, "not a database, but long enough to be looked at".repeat(50)).unwrap();
    assert!(refused(&path, Access::Write).starts_with("file is not a database; name another file"));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for access in [Access::Write, Access::Read] {
        assert!(refused(&path, access).starts_with("it is the database of another program; name another"));
    }
}

#[test]
fn a_newer_ledger_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    drop(open(&path, Access::Write).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    for access in [Access::Write, Access::Read] {
        assert_eq!(
            refused(&path, access),
            "its schema has version 7, and this tollgate knows versions up to 1; \
             use the tollgate that wrote it, or a newer one"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let said = refused(&file.join("ledger.db"), Access::Write);
    assert!(said.starts_with(&format!("{}: ", file.display())), "{said}");
    assert!(said.contains("let the user that tollgate runs as write"), "{said}");
    let said = refused(folder.path(), Access::Write);
    assert!(said.starts_with("it is a folder; name a file in it"), "{said}");
}

#[test]
fn a_file_that_cannot_be_written_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    drop(open(&path, Access::Write).unwrap());
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut store = SqliteStore { connection, ..open(&path, Access::Write).unwrap() };
    let error = store.append(&[samples::plain(1, 1)]).unwrap_err();
    let StoreError::Unusable { reason, hint, .. } = error else { panic!("{error}") };
    assert!(reason.contains("readonly") && hint.contains("write to the file"), "{reason}; {hint}");
}

#[test]
fn nothing_is_written_into_a_file_that_was_moved_away() {
    let folder = TempDir::new().unwrap();
    let (path, elsewhere) = (folder.path().join("ledger.db"), folder.path().join("elsewhere.db"));
    let mut store = open(&path, Access::Write).unwrap();
    fs::rename(&path, &elsewhere).unwrap();
    for _ in 0..2 {
        let error = store.append(&[samples::plain(1, 1)]).unwrap_err();
        assert!(
            matches!(&error, StoreError::Unusable { reason, .. } if reason.contains("moved away")),
            "{error}"
        );
        fs::write(&path, "").unwrap();
    }
    assert_eq!(open(&path, Access::Write).unwrap().append(&[samples::plain(1, 1)]).unwrap(), 1);
}

#[test]
fn a_lock_that_lasts_is_worth_another_try() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut store = open(&path, Access::Write).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(&[samples::plain(1, 1)]).unwrap_err();
    let place = format!("sqlite:{}", path.display());
    assert_eq!(error.to_string(), format!("{place} is not available: database is locked"));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.append(&[samples::plain(1, 1)]).unwrap(), 1);
}

#[test]
fn a_locked_file_is_worth_another_try_at_the_start_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); BEGIN EXCLUSIVE").unwrap();
    let error = open(&path, Access::Write).unwrap_err();
    assert!(matches!(error, StoreError::Away { .. }), "{error}");
}

#[test]
fn the_log_is_emptied_when_it_is_long() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut store = open(&path, Access::Write).unwrap();
    let log = || fs::metadata(folder.path().join("ledger.db-wal")).unwrap().len();
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    let filler = "CREATE TABLE filler AS WITH RECURSIVE n(i) AS \
                  (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70) SELECT randomblob(1000000) FROM n";
    store.connection.execute_batch(filler).unwrap();
    store.append(&[samples::plain(1, 1)]).unwrap();
    assert!(log() > wal::LIMIT, "a reader is there");
    drop(reader);
    store.append(&[samples::plain(2, 2)]).unwrap();
    assert_eq!(log(), 0);
}
