//! Replacing a file whole: whoever reads it sees the old text or the new one.

use anyhow::Context as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Locks a file's folder until the returned file is dropped, where the file system can do so.
pub(crate) fn lock_folder(file: &Path) -> Option<File> {
    let folder = File::open(file.canonicalize().ok()?.parent()?).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Replaces a file's text, or makes the file, in a folder that exists. Permissions are kept; where the file is a link,
/// what it leads to is replaced.
pub(crate) fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let target = match file.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => file.to_owned(),
        found => found.with_context(|| format!("cannot find {}", file.display()))?,
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let draft = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_draft(&draft, &target, text).and_then(|()| fs::rename(&draft, &target));
    if written.is_err() {
        // The draft may not even exist; the first error is the one to tell.
        drop(fs::remove_file(&draft));
    }
    written.with_context(|| format!("cannot write {}", file.display()))?;
    sync_folder(&target).with_context(|| format!("cannot make the change to {} durable", file.display()))
}

fn write_draft(draft: &Path, target: &Path, text: &str) -> io::Result<()> {
    // One of before is left of a process that died, which may have had this one's id, as in a container.
    drop(fs::remove_file(draft));
    let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
    match fs::metadata(target) {
        Ok(metadata) => file.set_permissions(metadata.permissions())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
