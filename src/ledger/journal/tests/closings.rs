//! Closings that share writes with what other calls write at the same time.

use super::*;
use crate::ledger::journal::{JournalUnavailable, Ticket};
use proptest::prelude::*;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

const LARGE: Settings = Settings { segment_bytes: 1 << 20, fresh_records: 100, ..SMALL };

fn poll<T>(waiting: &mut Waiting<'_, T>) -> Poll<T> {
    waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Writes openings, each at once.
fn open(journal: &Journal, numbers: std::ops::Range<u64>) -> Vec<(u64, Ticket)> {
    numbers.map(|number| (number, journal.opening(&opening(number).view()).unwrap())).collect()
}

fn begin_opening(journal: &Journal, number: u64) -> Waiting<'_, Result<Ticket, JournalUnavailable>> {
    Box::pin(async move { journal.opening_with_others(&opening(number).view()).await })
}

/// Begins a closing that waits for others.
fn begin_closing(journal: &Journal, (number, ticket): (u64, Ticket)) -> Waiting<'_, ()> {
    let mut closing: Waiting<'_, ()> = Box::pin(journal.closing_with_others(Some(ticket), record(number)));
    assert!(poll(&mut closing).is_pending());
    closing
}

fn finish(closings: Vec<Waiting<'_, ()>>) {
    for mut closing in closings {
        assert!(poll(&mut closing).is_ready());
    }
}

fn writes(journal: &Journal) -> usize {
    journal.shared.disk.writes.load(Ordering::SeqCst)
}

fn set_room(journal: &Journal, room: Option<usize>) {
    *journal.shared.disk.room.lock().unwrap() = room;
}

fn ids(numbers: std::ops::Range<u64>) -> Vec<RequestId> {
    numbers.map(|number| opening(number).id).collect()
}

#[test]
fn closings_and_openings_that_come_together_share_a_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), LARGE);
    let journal = &started.journal;
    let open = open(journal, 0..16);
    let before = writes(journal);
    let mut waiting = Vec::new();
    for call in open {
        let mut opening = begin_opening(journal, 100 + call.0);
        assert!(poll(&mut opening).is_pending());
        waiting.push((begin_closing(journal, call), opening));
    }
    assert_eq!((writes(journal) - before, journal.health().pending_records), (0, 0));
    for (mut closing, mut opening) in waiting {
        assert!(poll(&mut closing).is_ready());
        assert!(matches!(poll(&mut opening), Poll::Ready(Ok(_))));
        assert_eq!((writes(journal) - before, journal.health().pending_records), (1, 16));
    }
    let copy = killed(dir.path());
    let recovery = start(copy.path(), SMALL).recovery;
    assert_eq!((recovery.interrupted, recovery.pending_records), (16, 32));
    assert_eq!(drain(&mut started.reader), ids(0..16));
}

#[test]
fn a_closing_without_company_is_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(dir.path(), LARGE);
    let journal = &started.journal;
    for (number, ticket) in open(journal, 0..7) {
        let mut closing: Waiting<'_, ()> =
            Box::pin(journal.closing_with_others(Some(ticket), record(number)));
        assert!(poll(&mut closing).is_ready());
        assert_eq!(journal.health().pending_records, number + 1);
    }
    let mut unopened: Waiting<'_, ()> = Box::pin(journal.closing_with_others(None, record(7)));
    assert!(poll(&mut unopened).is_ready());
    assert_eq!(journal.health().pending_records, 8);
}

#[test]
fn what_is_confirmed_ends_where_its_entry_ends() {
    for fresh_records in [0, 100] {
        let dir = tempfile::tempdir().unwrap();
        let mut started = start(dir.path(), Settings { fresh_records, ..LARGE });
        let journal = &started.journal;
        let _held = open(journal, 1000..1001);
        let open = open(journal, 0..12);
        finish(open.into_iter().map(|call| begin_closing(journal, call)).collect());
        let batch = started.reader.next_batch(5, 1 << 20).unwrap();
        assert_eq!(batch.records.iter().map(|record| record.id).collect::<Vec<_>>(), ids(0..5));
        started.reader.confirm(batch);
        let copy = killed(dir.path());
        let mut expected = ids(5..12);
        assert_eq!(drain(&mut started.reader), expected);
        expected.extend(ids(1000..1001));
        assert_eq!(drain(&mut start(copy.path(), SMALL).reader), expected, "{fresh_records}");
    }
}

#[test]
fn a_disk_that_does_not_take_them_together_has_the_closings_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), LARGE);
    let journal = &started.journal;
    let open = open(journal, 0..8);
    let mut openings: Vec<_> = (100..104).map(|number| begin_opening(journal, number)).collect();
    assert!(openings.iter_mut().all(|opening| poll(opening).is_pending()));
    let closings: Vec<_> = open.into_iter().map(|call| begin_closing(journal, call)).collect();
    // Some of the entries fit.
    set_room(journal, Some(1500));
    finish(closings);
    for opening in &mut openings {
        assert!(matches!(poll(opening), Poll::Ready(Err(JournalUnavailable::Failing(_)))));
    }
    let health = journal.health();
    assert_eq!((health.overdue_closings, health.lost_closings, health.refused_openings), (8, 0, 4));
    assert_eq!(health.pending_records, 8);
    assert_eq!(start(killed(dir.path()).path(), SMALL).recovery.interrupted, 8);
    set_room(journal, None);
    until(journal, |health| health.failing.is_none());
    assert_eq!(drain(&mut started.reader), ids(0..8));
    assert_eq!(start(killed(dir.path()).path(), SMALL).recovery.interrupted, 0);
}

#[test]
fn closings_are_overdue_where_the_journal_fails_while_they_wait() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), LARGE);
    let journal = &started.journal;
    let open = open(journal, 0..9);
    let closings: Vec<_> = open.into_iter().map(|call| begin_closing(journal, call)).collect();
    set_room(journal, Some(0));
    journal.closing(None, record(100));
    finish(closings);
    assert_eq!(journal.health().overdue_closings, 10);
    set_room(journal, None);
    until(journal, |health| health.failing.is_none());
    let mut expected = ids(100..101);
    expected.extend(ids(0..9));
    assert_eq!(drain(&mut started.reader), expected);
}

#[test]
fn closings_are_taken_together_beyond_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { limit_bytes: 8 << 10, ..SMALL });
    let journal = &started.journal;
    let (mut open, mut number) = (Vec::new(), 0);
    while let Ok(ticket) = journal.opening(&opening(number).view()) {
        open.push((number, ticket));
        number += 1;
    }
    finish(open.into_iter().map(|call| begin_closing(journal, call)).collect());
    assert!(journal.health().bytes > 8 << 10);
    assert_eq!(drain(&mut started.reader), ids(0..number));
}

#[test]
fn a_closing_whose_caller_leaves_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), LARGE);
    let journal = &started.journal;
    let mut open = open(journal, 0..12);
    let later = open.split_off(9);
    let mut closings: Vec<_> = open.into_iter().map(|call| begin_closing(journal, call)).collect();
    // The first to leave writes for all; another leaves after that.
    drop(closings.remove(0));
    assert_eq!(journal.health().pending_records, 9);
    drop(closings.remove(2));
    finish(closings);
    for (number, ticket) in later {
        journal.closing(Some(ticket), record(number));
    }
    assert_eq!(drain(&mut started.reader), ids(0..12));
    assert_eq!(start(killed(dir.path()).path(), SMALL).recovery.interrupted, 0);
}

#[test]
fn closings_that_come_together_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { fsync: Fsync::Always, ..LARGE });
    let journal = &started.journal;
    let syncs = || journal.shared.disk.syncs.load(Ordering::SeqCst);
    let (good, bad) = (open(journal, 0..8), open(journal, 8..16));
    let closings = good.into_iter().map(|call| begin_closing(journal, call)).collect();
    let before = syncs();
    finish(closings);
    assert_eq!(syncs() - before, 1);
    // What a sync does not cover is written, and the failure shows.
    let closings = bad.into_iter().map(|call| begin_closing(journal, call)).collect();
    journal.shared.disk.has_broken_sync.store(true, Ordering::SeqCst);
    finish(closings);
    assert!(journal.health().failing.is_some());
    assert_eq!(drain(&mut started.reader), ids(0..16));
}

/// What calls, the disk and a drainer do.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A call begins.
    Open,
    /// An open call ends.
    Close(usize),
    /// One that waits gets its turn.
    Turn(usize),
    /// One that waits leaves.
    Leave(usize),
    /// The disk takes so many bytes more.
    Full(usize),
    /// The disk has room again.
    Room,
    /// So many records at most go to the store.
    Stored(usize),
    /// The store does not take them.
    Refused(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => Just(Step::Open),
        6 => any::<usize>().prop_map(Step::Close),
        6 => any::<usize>().prop_map(Step::Turn),
        2 => any::<usize>().prop_map(Step::Leave),
        1 => (0..2000_usize).prop_map(Step::Full),
        1 => Just(Step::Room),
        2 => (1..12_usize).prop_map(Step::Stored),
        1 => (1..12_usize).prop_map(Step::Refused),
    ]
}

/// The calls of a journal.
struct Calls<'a> {
    journal: &'a Journal,
    numbers: std::ops::RangeFrom<u64>,
    opening: Vec<(u64, Waiting<'a, Result<Ticket, JournalUnavailable>>)>,
    open: Vec<(u64, Ticket)>,
    closing: Vec<Waiting<'a, ()>>,
    /// What the store is to have, in the order in which it ended.
    closed: Vec<RequestId>,
    was_full: bool,
}

impl Calls<'_> {
    fn take(&mut self, step: Step) {
        match step {
            Step::Open => {
                let number = self.numbers.next().unwrap();
                self.opening.push((number, begin_opening(self.journal, number)));
                self.turn_opening(self.opening.len() - 1);
            }
            Step::Close(any) if !self.open.is_empty() => {
                let (number, ticket) = self.open.swap_remove(any % self.open.len());
                self.closed.push(opening(number).id);
                self.closing.push(Box::pin(self.journal.closing_with_others(Some(ticket), record(number))));
                self.turn_closing(self.closing.len() - 1);
            }
            Step::Turn(any) | Step::Leave(any) => {
                let any = any % (self.opening.len() + self.closing.len()).max(1);
                let is_turn = matches!(step, Step::Turn(_));
                match any.checked_sub(self.opening.len()) {
                    None if is_turn => self.turn_opening(any),
                    None => drop(self.opening.swap_remove(any)),
                    Some(any) if any >= self.closing.len() => {}
                    Some(any) if is_turn => self.turn_closing(any),
                    Some(any) => drop(self.closing.swap_remove(any)),
                }
            }
            Step::Full(bytes) => {
                set_room(self.journal, Some(bytes));
                self.was_full = true;
            }
            Step::Room => {
                set_room(self.journal, None);
                self.journal.shared.heal();
            }
            Step::Close(_) | Step::Stored(_) | Step::Refused(_) => {}
        }
    }

    fn turn_opening(&mut self, at: usize) {
        let (number, opening) = &mut self.opening[at];
        let (number, polled) = (*number, poll(opening));
        if let Poll::Ready(opened) = polled {
            drop(self.opening.swap_remove(at));
            self.open.extend(opened.map(|ticket| (number, ticket)).ok());
        }
    }

    fn turn_closing(&mut self, at: usize) {
        if poll(&mut self.closing[at]).is_ready() {
            drop(self.closing.swap_remove(at));
        }
    }

    /// Lets everything that waits come to its end; tells which calls stay open, and what the store is to have.
    fn settle(mut self) -> (Vec<RequestId>, Vec<RequestId>, bool) {
        self.take(Step::Room);
        while !(self.opening.is_empty() && self.closing.is_empty()) {
            self.take(Step::Turn(0));
        }
        let open = self.open.into_iter().map(|(number, _ticket)| opening(number).id);
        (open.collect(), self.closed, self.was_full)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_comes_together_every_record_comes_once(
        steps in prop::collection::vec(step(), 1..120),
        fresh_records in 0..40_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let Started { journal, mut reader, .. } = start(dir.path(), Settings { fresh_records, ..SMALL });
        let mut calls = Calls {
            journal: &journal,
            numbers: 0..,
            opening: Vec::new(),
            open: Vec::new(),
            closing: Vec::new(),
            closed: Vec::new(),
            was_full: false,
        };
        let mut stored = Vec::new();
        for step in steps {
            match step {
                Step::Stored(count) => {
                    let batch = reader.next_batch(count, 1 << 20).unwrap();
                    stored.extend(batch.records.iter().map(|record| record.id));
                    reader.confirm(batch);
                }
                Step::Refused(count) => drop(reader.next_batch(count, 1 << 20).unwrap()),
                Step::Open | Step::Close(_) | Step::Turn(_) | Step::Leave(_) | Step::Full(_) | Step::Room => {
                    calls.take(step);
                }
            }
        }
        let (open, mut closed, was_full) = calls.settle();
        prop_assert!(journal.health().failing.is_none());
        journal.stop();
        // A process that died here leaves the same records, and behind them the calls that are open. With those may come
        // one whose closing went with another segment: the store has it then.
        let copy = killed(dir.path());
        let left = drain(&mut reader);
        let mut restarted = start(copy.path(), SMALL);
        let mut left_behind = drain(&mut restarted.reader);
        let interrupted = left_behind.split_off(left.len());
        prop_assert_eq!(&left_behind, &left);
        prop_assert!(open.iter().all(|id| interrupted.contains(id)));
        prop_assert!(!left.iter().any(|id| interrupted.contains(id)));
        stored.extend(left);
        if was_full {
            stored.sort_unstable();
            closed.sort_unstable();
        }
        prop_assert_eq!(stored, closed);
    }
}
