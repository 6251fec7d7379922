//! One process per directory.

use super::error::JournalError;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The lock on a directory, for as long as it lives.
#[derive(Debug)]
pub(super) struct DirLock {
    file: File,
    path: PathBuf,
}

impl DirLock {
    /// Makes the directory where there is none, and locks it.
    pub(super) fn acquire(dir: &Path) -> Result<Self, JournalError> {
        let set_up = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::SetUp { path, source }
        };
        std::fs::create_dir_all(dir).map_err(set_up(dir))?;
        let path = dir.join("lock");
        let options = File::options().create(true).truncate(false).write(true).open(&path);
        let file = options.map_err(set_up(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path }),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(JournalError::SetUp { path, source }),
        }
    }

    /// Looks whether another process has the lock; takes and makes nothing.
    pub(super) fn probe(dir: &Path) -> Result<(), JournalError> {
        let path = dir.join("lock");
        let free = match File::open(&path) {
            Ok(file) => file.try_lock_shared(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(TryLockError::Error(error)),
        };
        match free {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(JournalError::SetUp { path, source }),
        }
    }

    /// Tells whether the lock is still the directory's: nobody deleted, moved or replaced it.
    pub(super) fn is_in_place(&self) -> bool {
        leads_to(&self.path, &self.file)
    }
}

/// Tells whether a path leads to an open file.
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(at_path), Ok(open)) => identity(at_path) == identity(open),
        _ => false,
    }
}
