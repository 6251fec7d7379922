//! The access log: lines are collected in memory and written in batches by a thread of its own.
//!
//! A call never waits for the log's reader. What a reader is too slow for is dropped, and counted.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a line waits for others at most.
const PACE: Duration = Duration::from_millis(50);

/// How many bytes may wait before lines are dropped.
const MAX_WAITING: usize = 32 << 20;

/// Where lines are handed in.
#[derive(Debug, Clone)]
pub struct AccessLog(Arc<Shared>);

/// The writing side; its drop writes what waits.
#[derive(Debug)]
pub struct AccessLogGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    count: usize,
    dropped: usize,
    has_ended: bool,
}

impl AccessLog {
    /// Starts the thread that writes to `to`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(to: impl Write + Send + 'static) -> std::io::Result<(Self, AccessLogGuard)> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("access-log".to_owned()).spawn(move || own.write(to))?;
        Ok((Self(Arc::clone(&shared)), AccessLogGuard { shared, thread: Some(thread) }))
    }

    /// Adds a line, which ends with a line feed.
    pub fn add(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.lines.len().saturating_add(line.len()) > MAX_WAITING {
            waiting.dropped = waiting.dropped.saturating_add(1);
        } else {
            waiting.lines.extend_from_slice(line);
            waiting.count = waiting.count.saturating_add(1);
        }
    }

    /// Returns how many lines were dropped since the start.
    pub fn dropped_lines(&self) -> usize {
        self.0.lock().dropped
    }
}

impl Shared {
    /// Nothing that holds the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut to: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut waiting = self.lock();
            if !waiting.has_ended {
                let waited = self.ended.wait_timeout(waiting, PACE);
                waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            std::mem::swap(&mut batch, &mut waiting.lines);
            let (count, has_ended) = (std::mem::take(&mut waiting.count), waiting.has_ended);
            drop(waiting);
            if !batch.is_empty() && to.write_all(&batch).and_then(|()| to.flush()).is_err() {
                let mut waiting = self.lock();
                waiting.dropped = waiting.dropped.saturating_add(count);
            }
            batch.clear();
            if has_ended {
                return;
            }
        }
    }
}

impl Drop for AccessLogGuard {
    fn drop(&mut self) {
        self.shared.lock().has_ended = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread does not panic; if it did, there is nothing left to write.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_by_the_end() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (log, guard) = AccessLog::start(Sink(Arc::clone(&written))).unwrap();
        for _ in 0..1000 {
            log.add(b"line\n");
        }
        drop(guard);
        assert_eq!(*written.lock().unwrap(), b"line\n".repeat(1000));
        assert_eq!(log.dropped_lines(), 0);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (log, guard) = AccessLog::start(Full).unwrap();
        log.add(b"one\n");
        log.add(&vec![b'x'; MAX_WAITING + 1]);
        drop(guard);
        assert_eq!(log.dropped_lines(), 2);
    }
}
