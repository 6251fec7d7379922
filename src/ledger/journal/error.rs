//! What can be wrong with a journal, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a journal cannot be started, or read. Nothing on disk was changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory, or a file that belongs to every journal, cannot be made.
    #[error("cannot set up the journal at {path}")]
    SetUp {
        /// The directory or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process keeps its journal there.
    #[error("the journal in {dir} is in use by another process")]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A segment cannot be read or repaired.
    #[error("cannot read the journal's segment {file}")]
    Segment {
        /// The segment.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file with a segment's name is none.
    #[error("{file} is no segment of a journal")]
    NotASegment {
        /// The file.
        file: PathBuf,
    },
    /// A segment was written in a format that this version does not know.
    #[error("{file} has format {version} of a journal's segments, and this tollgate reads format {known}")]
    OtherFormat {
        /// The segment.
        file: PathBuf,
        /// Its format.
        version: u32,
        /// The known format.
        known: u32,
    },
    /// An entry is broken, and whole ones follow. The death of a process leaves no such thing; a loss of power can,
    /// where not all was synced.
    #[error("{file} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The thread that keeps the journal cannot be started.
    #[error("cannot start the journal's thread")]
    Thread(#[source] io::Error),
}

impl JournalError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::SetUp { .. } => {
                "make the directory writable for tollgate, or set ledger.journal to another".to_owned()
            }
            Self::InUse { .. } => "stop the other tollgate, or give each a directory of its own with \
                                   ledger.journal (several can share one PostgreSQL as their store)"
                .to_owned(),
            Self::Segment { .. } => "look after the disk and the file's permissions".to_owned(),
            Self::NotASegment { file } => {
                format!("move {} out of the directory: nothing else belongs there", file.display())
            }
            Self::OtherFormat { file, .. } => format!(
                "start the tollgate that wrote it once more, so that it empties its journal into the store; or move {} out of \
                 the directory and lose what it holds",
                file.display()
            ),
            Self::Damaged { file, .. } => format!(
                "if the machine lost power, this is what was not synced by then; otherwise look after the disk. Move {} \
                 out of the directory and start again: of the calls, only those that this file alone holds and that \
                 the store does not have yet are then missing from the ledger",
                file.display()
            ),
            Self::Thread(_) => {
                "raise the limit on threads (ulimit -u, or the container's pids limit)".to_owned()
            }
        }
    }
}

/// Why the journal takes no new call at present. It heals by itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalUnavailable {
    /// Its segments have reached the limit: the store has been away for long, or calls stay open for long.
    #[error("the journal in {dir} has reached its limit of {limit_bytes} bytes: is the ledger's store away?")]
    Full {
        /// The directory.
        dir: Arc<str>,
        /// The limit.
        limit_bytes: u64,
    },
    /// The last write, or sync, failed.
    #[error("the journal cannot be written: {0}")]
    Failing(Arc<str>),
}
