//! A long text that holds one table of many, read part by part and by two threads. What one part took of memory, the next one
//! takes again: asking the system for fresh memory costs more than reading does.
//!
//! That is for texts without a mistake. Wherever anything is wrong, or not as it usually is, all is left to the reading of
//! the whole.

use super::plain;
use super::tree::Kind;
use super::{Section, Sheet};
use memchr::memmem::Finder;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, Builder};

/// From how many bytes on a text is read in parts.
const LONG: usize = 1 << 20;

/// How many bytes a part has, and then as many as there are until the next table begins.
const PART: usize = 16 << 10;

impl Sheet {
    /// Reads the tables that the text holds under `key`: what `read` makes of each, in their order. It may keep what many of
    /// them share. Returns `None` where the whole is to be read instead; what is found twice is for the caller to notice.
    pub(crate) fn read_long<S: Default, T: Send>(
        &self,
        key: &'static str,
        read: impl Fn(&mut S, &str, Section<'_>) -> Option<T> + Sync,
    ) -> Option<Vec<T>> {
        if self.text.len() < LONG { None } else { self.read_in_parts(key, PART, read) }
    }

    /// Reads the tables of a text of any length, in parts of `part` bytes.
    pub(super) fn read_in_parts<S: Default, T: Send>(
        &self,
        key: &'static str,
        part: usize,
        read: impl Fn(&mut S, &str, Section<'_>) -> Option<T> + Sync,
    ) -> Option<Vec<T>> {
        let header = format!("\n[{key}.");
        let parts = Parts { file: &self.file, text: &self.text, key, header: Finder::new(&header), part };
        let (begin, end) = (0, parts.text.len());
        let middle = parts.end(end / 2, end);
        thread::scope(|scope| {
            let beside = Builder::new().spawn_scoped(scope, || parts.read(middle..end, &read));
            let first = parts.read(begin..middle, &read);
            let second = match beside {
                Ok(beside) => beside.join().ok()?,
                // The system gives no more threads.
                Err(_) => parts.read(middle..end, &read),
            };
            let mut values = first?;
            values.append(&mut second?);
            Some(values)
        })
    }
}

/// A text, and how it falls into parts.
#[derive(Debug)]
struct Parts<'a> {
    file: &'a Path,
    text: &'a Arc<String>,
    key: &'static str,
    /// What a table's header begins with, on a line of its own.
    header: Finder<'a>,
    part: usize,
}

impl Parts<'_> {
    /// Reads some of the text, part by part.
    fn read<S: Default, T>(
        &self,
        mut rest: Range<usize>,
        read: impl Fn(&mut S, &str, Section<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut sheet = Sheet::new(self.file, Arc::clone(self.text), BTreeMap::new());
        let (mut shared, mut values) = (S::default(), Vec::new());
        while !rest.is_empty() && sheet.problems.is_empty() {
            let end = self.end(rest.start.saturating_add(self.part), rest.end);
            let table = plain::read_part(self.text.get(rest.start..end)?, rest.start)?;
            // Any other way to write the table may be a mistake beside the other parts.
            let is_usual = table.members().iter().all(|member| {
                member.name == self.key
                    && member.value.as_table().is_some_and(|table| table.kind == Kind::Implied)
            });
            if !is_usual {
                return None;
            }
            let mut root = sheet.root(&table);
            root.section(self.key)
                .each_named(|name, section| values.extend(read(&mut shared, name, section)));
            root.finish();
            rest.start = end;
        }
        sheet.problems.is_empty().then_some(values)
    }

    /// Returns where the first table begins after `from` that is no part of another one; `most` where there is none before.
    fn end(&self, from: usize, most: usize) -> usize {
        let text = self.text.as_bytes();
        let mut from = from;
        while let Some(found) = text.get(from..most).and_then(|rest| self.header.find(rest)) {
            let begin = from.saturating_add(found).saturating_add(1);
            let name = begin.saturating_add(self.header.needle().len()).saturating_sub(1);
            let line = text.get(name..most).unwrap_or_default().split(|byte| *byte == b'\n').next();
            if line.is_some_and(|line| !line.contains(&b'.')) {
                return begin;
            }
            from = name;
        }
        most
    }
}
