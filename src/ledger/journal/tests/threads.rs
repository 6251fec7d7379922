use super::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const THREADS: u64 = 8;

/// Calls from many threads while a reader drains: returns what it got.
fn all_at_once(started: &mut Started, calls: u64) -> Vec<RequestId> {
    let is_over = AtomicBool::new(false);
    let (journal, reader) = (&started.journal, &mut started.reader);
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| {
            let mut ids = Vec::new();
            loop {
                let was_over = is_over.load(Ordering::SeqCst);
                let drained = drain(reader);
                if drained.is_empty() && was_over {
                    return ids;
                }
                ids.extend(drained);
                std::thread::yield_now();
            }
        });
        let callers: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    for number in 0..calls {
                        call(journal, thread * calls + number);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        drained.join().unwrap()
    })
}

#[test]
fn every_record_comes_out_once_and_everything_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut started =
        start(dir.path(), Settings { fsync: Fsync::Interval, segment_bytes: 256 << 10, ..SMALL });
    let ids = all_at_once(&mut started, 5000);
    assert_eq!(ids.len(), 40_000);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 40_000);
    let health = until(&started.journal, |health| health.segments <= 1);
    assert_eq!((health.pending_records, health.failures, health.lost_closings), (0, 0, 0));
    started.journal.stop();
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn synced_entries_share_their_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { fsync: Fsync::Always, segment_bytes: 16 << 10, ..SMALL });
    let ids = all_at_once(&mut started, 50);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 400);
    assert!(started.journal.health().failing.is_none());
}

#[test]
fn syncing_does_not_hold_up_a_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), Settings { fsync: Fsync::Always, ..SMALL });
    let journal = Arc::new(started.journal);
    let write = |number| {
        let journal = Arc::clone(&journal);
        async move { call(&journal, number) }
    };
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    many.block_on(many.spawn(write(0))).unwrap();
    one.block_on(write(1));
    assert_eq!(journal.health().pending_records, 2);
}
