//! Writing to the disk: where tests make it full.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The disk that segments are on.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Bytes that may still be written, where a test says so.
    #[cfg(test)]
    pub(super) room: std::sync::Mutex<Option<usize>>,
    /// Whether syncs fail.
    #[cfg(test)]
    pub(super) has_broken_sync: std::sync::atomic::AtomicBool,
    /// Held by a test while syncs are to take for ever.
    #[cfg(test)]
    pub(super) stall: std::sync::Mutex<()>,
    /// Writes that were tried.
    #[cfg(test)]
    pub(super) writes: std::sync::atomic::AtomicUsize,
    /// Syncs that have begun.
    #[cfg(test)]
    pub(super) syncs: std::sync::atomic::AtomicUsize,
}

impl Disk {
    /// Writes all of `bytes` at an offset: with one system call, unless the disk takes only a part.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a disk has a state in tests alone"))]
    pub(super) fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        #[cfg(test)]
        self.take_room(file, bytes, at)?;
        file.write_all_at(bytes, at)
    }

    /// Returns once what was written is on the disk.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a disk has a state in tests alone"))]
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        self.begin_sync()?;
        file.sync_data()
    }

    #[cfg(test)]
    fn begin_sync(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        self.syncs.fetch_add(1, SeqCst);
        drop(self.stall.lock().unwrap());
        if self.has_broken_sync.load(SeqCst) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }

    #[cfg(test)]
    fn take_room(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mut room = self.room.lock().unwrap();
        let Some(left) = *room else { return Ok(()) };
        if bytes.len() <= left {
            *room = Some(left - bytes.len());
            return Ok(());
        }
        file.write_all_at(&bytes[..left], at)?;
        Err(io::ErrorKind::StorageFull.into())
    }
}
