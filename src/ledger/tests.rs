use super::store::{RecordFilter, Span, StoreUrl, samples};
use super::*;
use crate::domain::RequestId;
use std::path::Path;
use time::OffsetDateTime;

fn settings(folder: &Path) -> LedgerSettings {
    LedgerSettings {
        journal: folder.join("journal"),
        store: StoreUrl::Sqlite(folder.join("ledger.db")),
        ..LedgerSettings::default()
    }
}

fn start(settings: &LedgerSettings) -> Ledger {
    Ledger::start(settings, Clock::system(), |opening| panic!("{opening:?}")).unwrap()
}

/// Returns how many records a store has.
fn count(url: &StoreUrl) -> usize {
    let mut store = store::open(url, Access::Read, &[]).unwrap();
    let epoch = OffsetDateTime::UNIX_EPOCH;
    let span = Span { since: epoch, until: epoch + Duration::from_hours(1 << 20) };
    let mut found = 0;
    let mut add = |_| {
        found += 1;
        Ok(())
    };
    store.records(&RecordFilter { span, service: None, id: None }, &mut add).unwrap();
    found
}

/// Returns a call that has just been made.
fn fresh() -> Record {
    let clock = Clock::system();
    Record { id: RequestId::new(clock.since_epoch()), started_at: clock.utc(), ..samples::plain(0, 0) }
}

#[test]
fn what_is_old_is_forgotten_also_while_records_come() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LedgerSettings { keep_records: Some(Duration::from_hours(24)), ..settings(folder.path()) };
    let old: Vec<Record> = (0..20_000).map(|number| samples::plain(number, number)).collect();
    store::open(&settings.store, Access::Write, &[]).unwrap().append(&old).unwrap();
    let (ledger, clock) = (start(&settings), Clock::system());
    let (end, mut added) = (clock.instant() + Duration::from_secs(20), 0);
    while count(&settings.store) > added {
        assert!(clock.instant() < end, "{} records, {added} of them new", count(&settings.store));
        ledger.close(None, Box::new(fresh()));
        added += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    ledger.stop(Duration::from_secs(5));
    assert_eq!(count(&settings.store), added);
}

#[test]
fn a_store_that_is_away_is_no_reason_not_to_start_and_not_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let away = StoreUrl::parse("postgres://nobody@127.0.0.1:1/nothing", folder.path()).unwrap();
    let ledger = start(&LedgerSettings { store: away, ..settings(folder.path()) });
    ledger.close(None, Box::new(fresh()));
    assert_eq!(ledger.state().pending_records, 1);
    assert!(!ledger.is_refusing());
    let began = Clock::system().instant();
    ledger.stop(Duration::from_secs(5));
    assert!(Clock::system().instant() - began < Duration::from_secs(4));
    drop(ledger);
    let ledger = start(&settings(folder.path()));
    ledger.stop(Duration::from_secs(5));
    assert_eq!(count(&settings(folder.path()).store), 1);
}
