//! A file as it was read, so that a later change of it can be told.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Where it is.
    pub path: PathBuf,
    /// Its state just before it was read: what changes while or after it is read shows as another state.
    pub state: Option<FileState>,
}

/// What tells a file's state from another: replaced, rewritten. A file that is gone has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl FileRead {
    /// Takes note of a file that is about to be read.
    pub(crate) fn begin(path: &Path) -> Self {
        let state = std::fs::metadata(path).ok().map(|metadata| FileState::of(&metadata));
        Self { path: path.to_owned(), state }
    }
}

impl FileState {
    /// Returns the state that a file's metadata tell of.
    pub fn of(metadata: &Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self { inode: metadata.ino(), len: metadata.len(), modified }
    }
}
