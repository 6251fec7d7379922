//! Where a result goes: the standard output, or a file that appears whole.

use super::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Hands `write` a writer to a file beside `file`, and puts that in its place when it is written whole.
pub(super) fn write_file(
    file: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let draft = file.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = begin(&draft)
        .and_then(|mut out| write(&mut out).and_then(|()| finish(out)))
        .and_then(|()| fs::rename(&draft, file).map_err(Failure::from));
    written.map_err(|failure| {
        // The draft may not even exist; the first error is the one to tell.
        drop(fs::remove_file(&draft));
        let Failure::Other(error) = failure else { return failure };
        Failure::refused(
            format!("cannot write {}: {error:#}", file.display()),
            "name a file in a folder that this user can write to with --output",
        )
    })
}

fn begin(draft: &Path) -> Result<BufWriter<File>, Failure> {
    Ok(BufWriter::new(OpenOptions::new().write(true).create_new(true).open(draft)?))
}

fn finish(out: BufWriter<File>) -> Result<(), Failure> {
    out.into_inner().map_err(io::Error::from)?.sync_all().map_err(Failure::from)
}

/// Returns why comma-separated values could not be written.
pub(super) fn io_error(error: csv::Error) -> io::Error {
    let text = error.to_string();
    let csv::ErrorKind::Io(error) = error.into_kind() else { return io::Error::other(text) };
    error
}
