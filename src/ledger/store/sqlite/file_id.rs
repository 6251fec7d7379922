//! Which file has a path.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file, by the numbers of its device and of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// Returns the file that has a path, if one has it.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self { device: file.dev(), number: file.ino() })
    }
}
