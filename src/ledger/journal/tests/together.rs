use super::*;
use crate::ledger::journal::JournalUnavailable;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;

const CALLS: u64 = 32;

/// Opens many calls at the same time, on one thread.
fn open_all(journal: &Arc<Journal>) -> Vec<Result<RequestId, JournalUnavailable>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut calls = JoinSet::new();
        for number in 0..CALLS {
            let journal = Arc::clone(journal);
            calls.spawn(async move {
                let opening = opening(number);
                journal.opening_with_others(&opening.view()).await.map(|_ticket| opening.id)
            });
        }
        calls.join_all().await
    })
}

#[test]
fn openings_that_come_together_share_a_write() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { segment_bytes: 1 << 20, ..SMALL });
    let journal = Arc::new(started.journal);
    let before = journal.shared.disk.writes.load(Ordering::SeqCst);
    let opened = open_all(&journal);
    assert!(opened.iter().all(Result::is_ok));
    // The first few have no company and are written at once.
    assert!(journal.shared.disk.writes.load(Ordering::SeqCst) - before <= 5);
    let copy = killed(dir.path());
    assert_eq!(start(copy.path(), SMALL).recovery.interrupted, 32);
    for number in 0..CALLS {
        journal.closing(None, record(number));
    }
    let copy = killed(dir.path());
    assert_eq!(start(copy.path(), SMALL).recovery.interrupted, 0);
}

#[test]
fn openings_that_the_disk_does_not_take_together_are_all_refused() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { segment_bytes: 1 << 20, ..SMALL });
    let journal = Arc::new(started.journal);
    *journal.shared.disk.room.lock().unwrap() = Some(1500);
    let opened = open_all(&journal);
    let refused = opened.iter().filter(|opened| opened.is_err()).count();
    assert!(refused >= 28, "{refused} are refused");
    assert_eq!(journal.health().refused_openings, u64::try_from(refused).unwrap());
    let copy = killed(dir.path());
    assert_eq!(start(copy.path(), SMALL).recovery.interrupted, 32 - refused);
}

#[test]
fn together_they_do_not_exceed_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { limit_bytes: 4 << 10, ..SMALL });
    let journal = Arc::new(started.journal);
    let opened = open_all(&journal);
    assert!(opened.iter().any(|opened| matches!(opened, Err(JournalUnavailable::Full { .. }))));
    assert!(journal.health().bytes <= 4 << 10);
}

#[test]
fn a_caller_that_leaves_while_others_are_waited_for_leaves_no_open_call() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), SMALL);
    let held: Vec<_> =
        (0..4).map(|number| started.journal.opening(&opening(number).view()).unwrap()).collect();
    let late = opening(9);
    let view = late.view();
    let mut leaving = Box::pin(started.journal.opening_with_others(&view));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        std::future::poll_fn(|context| {
            assert!(leaving.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    });
    drop(leaving);
    let health = started.journal.health();
    assert_eq!((health.refused_openings, health.failures), (0, 0));
    assert_eq!(start(killed(dir.path()).path(), SMALL).recovery.interrupted, held.len());
}
