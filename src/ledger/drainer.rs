//! Moves records from the journal into the store, on a thread of its own: traffic never waits for a store.

use super::journal::Reader;
use super::store::{self, Access, Store, StoreError, StoreUrl};
use crate::clock::Clock;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long records wait for others, so that many share a transaction: within the second in which they must be
/// visible.
const PACE: Duration = Duration::from_millis(250);

/// The most records of one transaction.
const MAX_RECORDS: usize = 4096;

/// How many records are added at once before calls may go first: about 40 us.
const RECORDS_AT_ONCE: usize = 8;

/// For how long calls go first in a transaction: it comes on top of [`PACE`].
const MOST_PATIENCE: Duration = Duration::from_millis(125);

/// The most bytes of journal entries of one transaction.
const MAX_BYTES: usize = 8 << 20;

/// How long the first failure is waited out; each further one twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long a failure is waited out at most: a store that is back has the records soon after.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often what is too old is looked for.
const RETENTION_PACE: Duration = Duration::from_hours(1);

/// How long a failure to forget it is waited out.
const RETENTION_PAUSE: Duration = Duration::from_mins(1);

/// Where records go, and how long they stay.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The store.
    pub(super) store: StoreUrl,
    /// The labels that rollups tell apart.
    pub(super) label_keys: Vec<String>,
    /// How long records are kept; for ever where it is `None`.
    pub(super) keep_records: Option<Duration>,
    /// How long rollups are kept; for ever where it is `None`.
    pub(super) keep_rollups: Option<Duration>,
}

/// The running drainer.
#[derive(Debug)]
pub(super) struct Drainer {
    clock: Clock,
    shared: Arc<Shared>,
    /// The thread, and what is disconnected when it ends.
    thread: Mutex<Option<(JoinHandle<()>, mpsc::Receiver<()>)>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Set once the gateway stops: until when what is left may be drained.
    deadline: Mutex<Option<Instant>>,
    stopping: Condvar,
    errors: AtomicU64,
}

/// What one transaction moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    records: usize,
    /// Whether these are a full batch, or leave more than they are.
    is_behind: bool,
}

impl Load {
    /// Of so many records, where so many are left. Large records fill a batch before they are many.
    fn of(records: usize, left: usize) -> Self {
        Self { records, is_behind: records >= MAX_RECORDS || left > records }
    }
}

/// What the thread works with.
struct Work {
    reader: Reader,
    destination: Destination,
    store: Option<Box<dyn Store>>,
    shared: Arc<Shared>,
    clock: Clock,
    retention_due: Instant,
}

impl Drainer {
    /// Starts the thread. `store` is open already, unless it is away for now.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        reader: Reader,
        destination: Destination,
        store: Option<Box<dyn Store>>,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let retention_due = clock.instant();
        let work = Work { reader, destination, store, shared: Arc::clone(&shared), clock, retention_due };
        let (running, ended) = mpsc::channel();
        let run = move || {
            let _running: mpsc::Sender<()> = running;
            work.run();
        };
        let thread = std::thread::Builder::new().name("drainer".to_owned()).spawn(run)?;
        Ok(Self { clock, shared, thread: Mutex::new(Some((thread, ended))) })
    }

    /// Returns how many transactions have failed.
    pub(super) fn errors(&self) -> u64 {
        self.shared.errors.load(Ordering::Relaxed)
    }

    /// Drains what is left, until `deadline` at most, and ends the thread. The rest is drained after the next start.
    pub(super) fn stop(&self, deadline: Instant) {
        *self.shared.lock() = Some(deadline);
        self.shared.stopping.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((thread, ended)) = thread else { return };
        let patience = deadline.saturating_duration_since(self.clock.instant());
        if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the store is slow; what it does not have stays in the journal");
        } else {
            // A panic there is a bug that the hook has told of; the journal has what was not moved.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits that long, or until the gateway stops.
    fn pause(&self, pause: Duration) {
        let deadline = self.lock();
        if deadline.is_none() {
            drop(self.stopping.wait_timeout(deadline, pause));
        }
    }
}

impl Work {
    fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            // Asked before: nothing is written after a stop, so that a drain that begins later finds all that is left.
            let deadline = *self.shared.lock();
            let (is_done, rest) = match self.drain() {
                Ok(moved) => {
                    pause = FIRST_PAUSE;
                    self.retain();
                    (moved.records == 0, if moved.is_behind { Duration::ZERO } else { PACE })
                }
                Err(error) => {
                    self.failed(&error, pause);
                    let rest = pause;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                    // A gateway that stops does not wait for a store.
                    (true, rest)
                }
            };
            if deadline.is_some_and(|deadline| is_done || self.clock.instant() >= deadline) {
                return;
            }
            self.shared.pause(rest);
        }
    }

    /// Moves one transaction's worth.
    fn drain(&mut self) -> Result<Load, DrainError> {
        let batch = self.reader.next_batch(MAX_RECORDS, MAX_BYTES)?;
        if batch.records.is_empty() {
            self.reader.confirm(batch);
            return Ok(Load::of(0, 0));
        }
        let load = Load::of(batch.records.len(), self.reader.left_by(&batch));
        let mut manners = Manners::new(Arc::clone(&self.shared), self.clock, load);
        self.store()?.append_with_breaks(&batch.records, &mut || manners.between_records())?;
        self.reader.confirm(batch);
        Ok(load)
    }

    fn store(&mut self) -> Result<&mut dyn Store, StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => store::open(&self.destination.store, Access::Write, &self.destination.label_keys)?,
        };
        Ok(self.store.insert(store).as_mut())
    }

    /// Forgets a bounded number of rows, if it is time and the store is there.
    fn retain(&mut self) {
        let Destination { keep_records, keep_rollups, .. } = self.destination;
        let now = self.clock.instant();
        let Some(store) = self.store.as_mut().filter(|_| now >= self.retention_due) else { return };
        if keep_records.is_none() && keep_rollups.is_none() {
            return;
        }
        let utc = self.clock.utc();
        let since = |kept: Option<Duration>| utc.checked_sub(kept?.try_into().ok()?);
        self.retention_due = match store.retain(since(keep_records), since(keep_rollups)) {
            Ok(0) => now + RETENTION_PACE,
            // There is more.
            Ok(_) => now,
            Err(error) => {
                self.shared.errors.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, again_in = ?RETENTION_PAUSE, "what is too old is not forgotten yet");
                now + RETENTION_PAUSE
            }
        };
    }

    fn failed(&mut self, error: &DrainError, pause: Duration) {
        self.shared.errors.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, ?pause, hint = error.hint(), "records stay in the journal for now");
        if matches!(error, DrainError::Store(StoreError::Unusable { .. } | StoreError::Unprepared { .. })) {
            // It is opened anew, in case somebody mends it.
            self.store = None;
        }
    }
}

/// Lets calls go first, as long as nothing falls behind for it. Otherwise those of the same core would wait for this thread's
/// time slice, milliseconds, each time that records are moved.
struct Manners {
    shared: Arc<Shared>,
    clock: Clock,
    began: Instant,
    is_hurried: bool,
    records: usize,
}

impl Manners {
    /// Of a thread that adds so much, and may be behind already.
    fn new(shared: Arc<Shared>, clock: Clock, load: Load) -> Self {
        Self { shared, clock, began: clock.instant(), is_hurried: load.is_behind, records: 0 }
    }

    fn between_records(&mut self) {
        self.records = self.records.wrapping_add(1);
        if self.is_hurried || !self.records.is_multiple_of(RECORDS_AT_ONCE) {
            return;
        }
        // Where calls leave no core idle, each time may cost a time slice.
        let spent = self.clock.instant().saturating_duration_since(self.began);
        self.is_hurried = spent > MOST_PATIENCE || self.shared.lock().is_some();
        std::thread::yield_now();
    }
}

/// Why records stay where they are.
#[derive(Debug, thiserror::Error)]
enum DrainError {
    #[error("the journal cannot be read: {0}")]
    Journal(#[from] super::journal::JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DrainError {
    fn hint(&self) -> &str {
        match self {
            Self::Journal(_) => "look at the disk that the journal is on",
            Self::Store(StoreError::Away { .. }) => "it is tried again until it works; calls are not held up",
            Self::Store(StoreError::Unusable { hint, .. } | StoreError::Unprepared { hint, .. }) => hint,
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("destination", &self.destination).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::{Journal, Settings};
    use super::super::store::{Grain, RecordFilter, Rerated, Slice, Span, samples};
    use super::*;
    use crate::domain::Record;
    use std::path::Path;
    use time::OffsetDateTime;

    /// Tells whether a batch is hurried that began so long ago, in a gateway that stops or does not.
    fn is_hurried(load: Load, since: Duration, deadline: Option<Instant>) -> bool {
        let shared = Arc::new(Shared { deadline: Mutex::new(deadline), ..Shared::default() });
        let mut manners = Manners::new(shared, Clock::system(), load);
        manners.began = manners.began.checked_sub(since).unwrap();
        (0..RECORDS_AT_ONCE).for_each(|_| manners.between_records());
        manners.is_hurried
    }

    #[test]
    fn calls_go_first_until_records_fall_behind() {
        let (new, old) = (Duration::ZERO, MOST_PATIENCE + Duration::from_millis(1));
        let few = Load::of(1, 1);
        assert!(!is_hurried(few, new, None));
        assert!(!is_hurried(Load::of(MAX_RECORDS - 1, 0), new, None));
        assert!(is_hurried(Load::of(MAX_RECORDS, 0), new, None), "a full batch");
        assert!(is_hurried(Load::of(1, 2), new, None), "a batch that leaves more than it has");
        assert!(is_hurried(few, old, None), "a batch that takes too long");
        assert!(is_hurried(few, new, Some(Clock::system().instant())), "a gateway that stops");
    }

    /// A store that takes what it gets. When it is first told to forget what is old, right before the drainer pauses, a call
    /// ends, and then the gateway.
    struct Late {
        journal: Journal,
        shared: Arc<Shared>,
        records: mpsc::Sender<usize>,
    }

    impl Store for Late {
        fn append_with_breaks(&mut self, records: &[Record], _: &mut dyn FnMut()) -> Result<u64, StoreError> {
            self.records.send(records.len()).unwrap();
            Ok(1)
        }

        fn retain(
            &mut self,
            _: Option<OffsetDateTime>,
            _: Option<OffsetDateTime>,
        ) -> Result<u64, StoreError> {
            self.journal.closing(None, Box::new(samples::plain(1, 1)));
            *self.shared.lock() = Some(Clock::system().instant() + Duration::from_mins(1));
            Ok(0)
        }

        fn records(
            &mut self,
            _: &RecordFilter,
            _: &mut dyn FnMut(Record) -> Result<(), StoreError>,
        ) -> Result<(), StoreError> {
            unreachable!()
        }

        fn totals(&mut self, _: Span, _: Grain, _: store::From) -> Result<Vec<Slice>, StoreError> {
            unreachable!()
        }

        fn rerate(&mut self, _: &[Rerated], _: OffsetDateTime) -> Result<u64, StoreError> {
            unreachable!()
        }
    }

    #[test]
    fn what_came_before_a_stop_is_moved_also_where_nothing_was_left_a_moment_ago() {
        let folder = tempfile::tempdir().unwrap();
        let started = Journal::start(folder.path(), Settings::default(), &mut |_| unreachable!()).unwrap();
        let (shared, clock) = (Arc::new(Shared::default()), Clock::system());
        let (records, moved) = mpsc::channel();
        let late = Late { journal: started.journal, shared: Arc::clone(&shared), records };
        let (reader, store): (_, Option<Box<dyn Store>>) = (started.reader, Some(Box::new(late)));
        let destination = destination(folder.path());
        Work { reader, destination, store, shared, clock, retention_due: clock.instant() }.run();
        assert_eq!(moved.iter().sum::<usize>(), 1);
    }

    fn destination(folder: &Path) -> Destination {
        Destination {
            store: StoreUrl::Sqlite(folder.join("ledger.db")),
            label_keys: Vec::new(),
            keep_records: Some(Duration::from_hours(24)),
            keep_rollups: None,
        }
    }

    #[test]
    fn a_batch_of_few_large_records_is_behind_where_it_leaves_more() {
        let folder = tempfile::tempdir().unwrap();
        let started = Journal::start(folder.path(), Settings::default(), &mut |_| unreachable!()).unwrap();
        for number in 0..24 {
            let labels = [("note".to_owned(), "x".repeat(1 << 20))].into();
            let record = Record { labels, ..samples::plain(number, number) };
            started.journal.closing(None, Box::new(record));
        }
        let (shared, clock) = (Arc::new(Shared::default()), Clock::system());
        let (reader, destination) = (started.reader, destination(folder.path()));
        let mut work =
            Work { reader, destination, store: None, shared, clock, retention_due: clock.instant() };
        let looks = std::iter::repeat_with(|| work.drain().unwrap()).take(5);
        let found: Vec<_> = looks.map(|load| (load.records, load.is_behind)).collect();
        // 7 from memory, 8 where the last one fills it.
        assert_eq!(found, [(7, true), (8, true), (8, false), (1, false), (0, false)]);
    }
}
