//! The entries of a segment, one after the other, through a window of bounded size.

use super::entry::{self, Frame, Parsed};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are read at once.
const WINDOW: usize = 256 << 10;

/// A walk over a part of a segment.
#[derive(Debug)]
pub(super) struct Entries {
    file: Arc<File>,
    salt: u32,
    /// Where the next entry is in the file.
    offset: u64,
    /// Where the part ends.
    end: u64,
    /// Bytes of the file; those before `start` are done with.
    window: Vec<u8>,
    start: usize,
    /// The length of the entry before `start`.
    last: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// An entry.
    Entry(Frame),
    /// The end, exactly after an entry.
    End,
    /// Something that is no whole entry.
    Broken,
}

impl Entries {
    /// Walks over what lies between two offsets.
    pub(super) fn new(file: Arc<File>, salt: u32, offset: u64, end: u64) -> Self {
        Self { file, salt, offset, end, window: Vec::new(), start: 0, last: 0 }
    }

    /// Returns the offset of what [`next`](Self::next) looks at.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next entry, whose payload is then there to be read.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        loop {
            let ahead = self.window.get(self.start..).unwrap_or_default();
            match entry::parse(ahead, self.salt) {
                Parsed::Whole(frame) => {
                    self.start = self.start.saturating_add(frame.len);
                    self.offset = self.offset.saturating_add(size(frame.len));
                    self.last = frame.len;
                    return Ok(Next::Entry(frame));
                }
                Parsed::Broken => return Ok(Next::Broken),
                Parsed::Short(_) if ahead.is_empty() && self.offset == self.end => return Ok(Next::End),
                Parsed::Short(needed) if size(needed) > self.end.saturating_sub(self.offset) => {
                    return Ok(Next::Broken);
                }
                Parsed::Short(needed) => self.fill(needed)?,
            }
        }
    }

    /// Returns the payload of the entry that was taken last.
    pub(super) fn payload(&self) -> &[u8] {
        let from = self.start.saturating_sub(self.last);
        entry::payload(self.window.get(from..self.start).unwrap_or_default())
    }

    /// Returns all that is left, from where [`next`](Self::next) looks.
    pub(super) fn rest(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.fill(left)?;
        Ok(self.window.get(self.start..).unwrap_or_default())
    }

    /// Reads on, so that `needed` bytes are ahead, which the file must have.
    fn fill(&mut self, needed: usize) -> io::Result<()> {
        self.window.drain(..self.start);
        self.start = 0;
        self.last = 0;
        let have = self.window.len();
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.window.resize(needed.max(WINDOW).min(left).max(have), 0);
        let at = self.offset.saturating_add(size(have));
        let empty = self.window.get_mut(have..).unwrap_or_default();
        self.file.read_exact_at(empty, at)
    }
}

/// Returns a length as an offset.
pub(super) fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
