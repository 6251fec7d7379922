//! The last good look at AWS on disk: it serves when a start cannot reach AWS.

use crate::inventory::Inventory;
use crate::replace::replace;
use anyhow::Context as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

/// An inventory, and when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// When AWS was looked at.
    pub taken_at: OffsetDateTime,
    /// What it had.
    pub inventory: Inventory,
}

/// What the file holds.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Content<I> {
    format: u32,
    #[serde(with = "time::serde::rfc3339")]
    taken_at: OffsetDateTime,
    inventory: I,
}

/// What a file of every format holds.
#[derive(Debug, serde::Deserialize)]
struct Head {
    format: u32,
}

/// Why a file cannot be used. It is treated as absent: the next good look at AWS replaces it.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It cannot be read.
    #[error("cannot read the catalog's snapshot {} (catalog.snapshot)", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It does not hold what was written.
    #[error("the catalog's snapshot {} is damaged", .0.display())]
    Damaged(PathBuf, #[source] serde_json::Error),
    /// A later version of tollgate has written it.
    #[error("the catalog's snapshot {} has format {format}; this version reads {FORMAT}", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
    },
}

impl Stored {
    /// Reads the file; `None` where there is none.
    pub fn read(file: &Path) -> Result<Option<Self>, StoredError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoredError::Unreadable(file.to_owned(), error)),
        };
        let head: Head = serde_json::from_str(&text).map_err(|error| damaged(file, error))?;
        if head.format > FORMAT {
            return Err(StoredError::Newer { file: file.to_owned(), format: head.format });
        }
        let content: Content<Inventory> =
            serde_json::from_str(&text).map_err(|error| damaged(file, error))?;
        Ok(Some(Self { taken_at: content.taken_at, inventory: content.inventory }))
    }

    /// Writes the file, whole or not at all, and makes its folder.
    pub fn write(file: &Path, taken_at: OffsetDateTime, inventory: &Inventory) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        replace(file, &serde_json::to_string(&Content { format: FORMAT, taken_at, inventory })?)
    }
}

fn damaged(file: &Path, error: serde_json::Error) -> StoredError {
    StoredError::Damaged(file.to_owned(), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::tests::{arn, found, inventory};

    fn stored() -> Stored {
        let profiles = [(arn("us-west-2", "a"), found(&["m"], &[("Service", "checkout")]))];
        Stored { taken_at: OffsetDateTime::UNIX_EPOCH, inventory: inventory(profiles) }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/catalog.json");
        assert_eq!(Stored::read(&file).unwrap(), None);
        for taken in [0, 1] {
            let stored = Stored { taken_at: OffsetDateTime::from_unix_timestamp(taken).unwrap(), ..stored() };
            // What a process with the same id has left.
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file.with_file_name(format!(".catalog.json.{}.tmp", std::process::id())), "x").unwrap();
            Stored::write(&file, stored.taken_at, &stored.inventory).unwrap();
            assert_eq!(Stored::read(&file).unwrap(), Some(stored));
        }
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.json");
        let stored = stored();
        let write = |file: &Path| Stored::write(file, stored.taken_at, &stored.inventory);
        write(&file).unwrap();
        let whole = fs::read_to_string(&file).unwrap();
        for at in 0..whole.len() {
            fs::write(&file, &whole[..at]).unwrap();
            let error = Stored::read(&file).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the catalog's snapshot {} is damaged", file.display()),
                "{at}"
            );
        }
        fs::write(&file, r#"{"format":2,"other":1}"#).unwrap();
        let error = Stored::read(&file).unwrap_err().to_string();
        assert!(error.ends_with("catalog.json has format 2; this version reads 1"), "{error}");
        fs::write(&file, whole.replace("application-", "")).unwrap();
        let error = anyhow::Error::new(Stored::read(&file).unwrap_err());
        assert!(format!("{error:#}").contains("is not the ARN of an application inference profile"));
        let error = Stored::read(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the catalog's snapshot "), "{error}");
        let error = write(&file.join("below")).unwrap_err().to_string();
        assert!(error.starts_with("cannot make "), "{error}");
    }
}
