//! Folders that are still to be made.

use std::io::{self, ErrorKind};
use std::path::Path;

/// Tells whether a folder is there or could be made, without making it: no file is in its way.
pub(super) fn can_be_made(folder: &Path) -> io::Result<()> {
    let there = |path: &&Path| !path.as_os_str().is_empty() && path.symlink_metadata().is_ok();
    match folder.ancestors().find(there) {
        Some(nearest) if !nearest.is_dir() => {
            Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is no folder", nearest.display())))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        for stuck in [file.clone(), file.join("data"), file.join("data/journal")] {
            assert_eq!(can_be_made(&stuck).unwrap_err().kind(), ErrorKind::NotADirectory);
        }
        for free in [place.path().to_owned(), place.path().join("data/journal"), "data/journal".into()] {
            can_be_made(&free).unwrap();
        }
    }
}
