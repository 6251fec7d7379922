use super::*;
use crate::ledger::journal::JournalUnavailable;

#[test]
fn a_long_call_holds_its_own_segment_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), SMALL);
    let long = started.journal.opening(&opening(0).view()).unwrap();
    let ids: Vec<_> = (1..40).map(|number| call(&started.journal, number)).collect();
    assert!(files(dir.path()).len() > 5);
    assert_eq!(drain(&mut started.reader), ids);
    let health = until(&started.journal, |health| health.segments == 2);
    assert_eq!(health.pending_records, 0);
    assert!(files(dir.path())[0].ends_with("0000000000000000.journal"));
    started.journal.closing(Some(long), record(0));
    until(&started.journal, |health| health.segments == 2);
    assert_eq!(drain(&mut started.reader), [opening(0).id]);
    until(&started.journal, |health| health.segments == 1);
    started.journal.stop();
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn many_long_calls_hold_no_more_than_half_of_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { limit_bytes: 128 << 10, ..SMALL });
    let journal = &started.journal;
    let mut long = Vec::new();
    for number in 0..80 {
        long.push(journal.opening(&opening(number).view()).unwrap());
        call(journal, 1000 + number);
        call(journal, 2000 + number);
        drain(&mut started.reader);
    }
    until(journal, |health| health.bytes <= 64 << 10);
    let copy = killed(dir.path());
    assert_eq!(start(copy.path(), SMALL).recovery.interrupted, 80);
    for (number, ticket) in (0..80).zip(long) {
        journal.closing(Some(ticket), record(number));
    }
    assert_eq!(drain(&mut started.reader).len(), 80);
    until(journal, |health| health.segments == 1);
}

#[test]
fn a_full_journal_refuses_openings_takes_closings_and_empties() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { limit_bytes: 16 << 10, ..SMALL });
    let journal = &started.journal;
    let held = journal.opening(&opening(0).view()).unwrap();
    let mut number = 1;
    let refused = loop {
        match journal.opening(&opening(number).view()) {
            Ok(ticket) => journal.closing(Some(ticket), record(number)),
            Err(refused) => break refused,
        }
        number += 1;
    };
    assert!(matches!(refused, JournalUnavailable::Full { limit_bytes: 16_384, .. }), "{refused}");
    let health = journal.health();
    assert!(health.failing.is_some() && health.bytes <= 17 << 10, "{health:?}");
    journal.closing(Some(held), record(0));
    assert_eq!(drain(&mut started.reader).len(), usize::try_from(number).unwrap());
    until(journal, |health| health.failing.is_none());
    call(journal, number);
}

#[test]
fn what_is_not_confirmed_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), SMALL);
    let ids: Vec<_> = (0..20).map(|number| call(&started.journal, number)).collect();
    let first = started.reader.next_batch(5, 1 << 20).unwrap();
    let again = started.reader.next_batch(5, 1 << 20).unwrap();
    let of = |batch: &crate::ledger::journal::Batch| -> Vec<_> {
        batch.records.iter().map(|record| record.id).collect()
    };
    assert_eq!((of(&first), of(&again)), (ids[..5].to_vec(), ids[..5].to_vec()));
    started.reader.confirm(again);
    assert_eq!(started.journal.health().pending_records, 15);
    assert_eq!(of(&started.reader.next_batch(100, 1).unwrap()), ids[5..6]);
    assert_eq!(drain(&mut started.reader), ids[5..]);
    assert_eq!(started.journal.health().pending_records, 0);
    assert!(started.reader.next_batch(1, 1).unwrap().records.is_empty());
}

/// Fills a journal with drainable calls until it refuses the next one, whose number is returned.
fn fill(journal: &Journal) -> u64 {
    let mut number = 0;
    while let Ok(ticket) = journal.opening(&opening(number).view()) {
        journal.closing(Some(ticket), record(number));
        number += 1;
    }
    number
}

#[test]
fn a_full_journal_does_not_become_many_small_segments() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { limit_bytes: 16 << 10, ..SMALL });
    let journal = &started.journal;
    let first = fill(journal);
    for number in first..first + 20 {
        journal.closing(None, record(number));
        journal.shared.rotate();
    }
    let health = journal.health();
    let needed = usize::try_from(health.bytes / 1500).unwrap();
    assert!(health.segments <= needed, "{health:?}");
}

#[test]
fn closings_of_calls_that_were_let_through_stop_at_twice_the_limit_and_go_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { limit_bytes: 16 << 10, overdue_bytes: 4 << 10, ..SMALL };
    let mut started = start(dir.path(), settings);
    let journal = &started.journal;
    let held = journal.opening(&opening(1000).view()).unwrap();
    let first = fill(journal);
    for number in first..first + 200 {
        journal.closing(None, record(number));
    }
    let health = journal.health();
    assert!(health.bytes <= 32 << 10, "{health:?}");
    let waiting = health.overdue_closings - health.lost_closings;
    assert!(waiting > 0 && health.lost_closings > 0, "{health:?}");
    journal.closing(Some(held), record(1000));
    assert_eq!(
        journal.health().overdue_closings,
        health.overdue_closings,
        "an opened call's closing is taken"
    );
    drain(&mut started.reader);
    until(journal, |health| {
        let has_some = !started.reader.next_batch(1, 1).unwrap().records.is_empty();
        health.pending_records == waiting && has_some
    });
    assert_eq!(u64::try_from(drain(&mut started.reader).len()).unwrap(), waiting);
}
