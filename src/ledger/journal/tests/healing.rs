use super::*;
use crate::ledger::journal::JournalUnavailable;
use crate::ledger::journal::disk::Disk;
use crate::ledger::journal::recovery;
use std::sync::atomic::Ordering;

fn set_room(journal: &Journal, room: Option<usize>) {
    *journal.shared.disk.room.lock().unwrap() = room;
}

#[test]
fn a_full_disk_refuses_openings_keeps_closings_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), SMALL);
    let journal = &started.journal;
    let first = call(journal, 0);
    let held: Vec<_> = (1..4).map(|number| journal.opening(&opening(number).view()).unwrap()).collect();
    let len = |file: &PathBuf| std::fs::metadata(file).unwrap().len();
    let before: Vec<_> = files(dir.path()).iter().map(len).collect();
    // Half an entry fits.
    set_room(journal, Some(50));
    let refused = journal.opening(&opening(9).view()).unwrap_err();
    assert!(matches!(refused, JournalUnavailable::Failing(_)), "{refused}");
    set_room(journal, Some(0));
    for (number, ticket) in (1..4).zip(held) {
        journal.closing(Some(ticket), record(number));
    }
    let health = journal.health();
    assert!(health.failing.is_some());
    assert_eq!((health.pending_records, health.overdue_closings, health.lost_closings), (4, 3, 0));
    assert_eq!((health.refused_openings, health.failures > 0), (1, true));
    assert_eq!(files(dir.path()).iter().map(len).collect::<Vec<_>>(), before);
    set_room(journal, None);
    until(journal, |health| health.failing.is_none());
    let last = call(journal, 10);
    let mut expected = vec![first];
    expected.extend((1..4).map(|number| opening(number).id));
    expected.push(last);
    assert_eq!(drain(&mut started.reader), expected);
}

#[test]
fn too_many_overdue_closings_are_lost_and_counted_and_their_openings_stay() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { overdue_bytes: 0, ..SMALL });
    let ticket = started.journal.opening(&opening(0).view()).unwrap();
    set_room(&started.journal, Some(0));
    started.journal.closing(Some(ticket), record(0));
    assert_eq!(started.journal.health().lost_closings, 1);
    drop(started);
    let started = start(dir.path(), SMALL);
    assert_eq!(started.recovery.interrupted, 1);
}

#[test]
fn a_directory_that_is_deleted_is_made_again_and_nothing_that_was_read_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("journal");
    let mut started = start(&dir, SMALL);
    let journal = &started.journal;
    let first = call(journal, 0);
    std::fs::remove_dir_all(&dir).unwrap();
    // Something else is where the directory should be: nothing can be written until it is gone.
    std::fs::write(&dir, "in the way").unwrap();
    until(journal, |health| health.failing.is_some());
    journal.opening(&opening(1).view()).unwrap_err();
    journal.closing(None, record(1));
    std::fs::remove_file(&dir).unwrap();
    until(journal, |health| health.failing.is_none());
    assert_eq!(files(&dir).len(), 1);
    assert!(matches!(try_start(&dir, SMALL), Err(JournalError::InUse { .. })));
    let last = call(journal, 2);
    assert_eq!(drain(&mut started.reader), [first, opening(1).id, last]);
    started.journal.stop();
    assert_eq!(files(&dir), Vec::<PathBuf>::new());
}

#[test]
fn a_journal_starts_on_a_full_disk_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), SMALL);
    let ticket = started.journal.opening(&opening(0).view()).unwrap();
    let dir = killed(dir.path());
    drop(ticket);
    let full = Disk { room: Some(0).into(), ..Disk::default() };
    let mut started = recovery::start(dir.path(), SMALL, full, &mut |opening| interrupted(&opening)).unwrap();
    let journal = &started.journal;
    assert!(journal.health().failing.is_some());
    assert_eq!((started.recovery.interrupted, started.recovery.pending_records), (1, 1));
    journal.opening(&opening(1).view()).unwrap_err();
    set_room(journal, None);
    until(journal, |health| health.failing.is_none());
    assert_eq!(drain(&mut started.reader), [opening(0).id]);
}

#[test]
fn what_no_sync_covers_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { fsync: Fsync::Always, ..SMALL });
    let journal = &started.journal;
    let ticket = journal.opening(&opening(0).view()).unwrap();
    journal.shared.disk.has_broken_sync.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for number in 1..9 {
            scope.spawn(move || journal.opening(&opening(number).view()).unwrap_err());
        }
    });
    journal.closing(Some(ticket), record(0));
    assert_eq!(journal.health().refused_openings, 8);
    journal.shared.disk.has_broken_sync.store(false, Ordering::SeqCst);
    until(journal, |health| health.failing.is_none());
    assert_eq!(drain(&mut started.reader), [opening(0).id]);
    until(journal, |health| health.segments == 1);
}

#[test]
fn an_opening_that_was_refused_for_want_of_a_sync_is_no_interrupted_call() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { fsync: Fsync::Always, ..SMALL });
    let journal = &started.journal;
    let ticket = journal.opening(&opening(0).view()).unwrap();
    journal.shared.disk.has_broken_sync.store(true, Ordering::SeqCst);
    journal.opening(&opening(1).view()).unwrap_err();
    let copy = killed(dir.path());
    let mut restarted = start(copy.path(), SMALL);
    assert_eq!(restarted.recovery.interrupted, 1);
    assert_eq!(drain(&mut restarted.reader), [opening(0).id]);
    drop(ticket);
}

#[test]
fn what_a_sync_did_not_cover_is_left_to_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { fsync: Fsync::Interval, ..SMALL });
    let shared = &started.journal.shared;
    shared.disk.has_broken_sync.store(true, Ordering::SeqCst);
    call(&started.journal, 0);
    for _ in 0..2 {
        shared.sync().unwrap_err();
        let synced = shared.synced.lock().unwrap();
        assert_eq!(shared.lock().unsynced.sealed.len(), 1);
        assert!(shared.lock().segments.len() <= 2);
        drop(synced);
    }
}

#[test]
fn a_disk_that_stalls_while_it_is_tried_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { fsync: Fsync::Always, ..SMALL });
    let shared = &started.journal.shared;
    let stalled = shared.disk.stall.lock().unwrap();
    let before = shared.disk.syncs.load(Ordering::SeqCst);
    set_room(&started.journal, Some(0));
    started.journal.opening(&opening(0).view()).unwrap_err();
    set_room(&started.journal, None);
    for _ in 0..400 {
        if shared.disk.syncs.load(Ordering::SeqCst) > before {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    assert!(shared.disk.syncs.load(Ordering::SeqCst) > before);
    let is_free = shared.log.try_lock().is_ok();
    drop(stalled);
    assert!(is_free);
    until(&started.journal, |health| health.failing.is_none());
}
