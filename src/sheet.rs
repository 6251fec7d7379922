//! Reading typed values from TOML, going on after a mistake, so that all of them are reported at once.

mod nearest;
mod overrides;
mod parts;
#[cfg(test)]
mod parts_tests;
mod path;
mod plain;
mod problem;
mod tree;
#[cfg(test)]
mod tree_tests;
mod value;

pub(crate) use nearest::nearest;
pub(crate) use overrides::{ENV_PREFIX, Override, overrides};
pub(crate) use path::dotted;
pub use problem::{Problem, Problems};
pub(crate) use tree::{Table, Value};
pub(crate) use value::Raw;

use path::Path as KeyPath;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tree::Member;

/// Where a value stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: PathBuf,
    line: Option<usize>,
    key: String,
}

/// One file that is being read: its problems, and where each of its keys stands.
#[derive(Debug)]
pub(crate) struct Sheet {
    file: PathBuf,
    text: Arc<String>,
    /// The offsets of the line ends, in ascending order; looked for where a line is to be named.
    line_ends: OnceCell<Vec<usize>>,
    /// Where each key stands, in bytes; found where a key is to be placed that is not being read.
    places: OnceCell<HashMap<String, usize>>,
    overrides: BTreeMap<String, Override>,
    /// The keys that an override has set, each with its variable.
    set: Vec<(String, PathBuf)>,
    /// Every key that was asked for, as long as there are overrides that none has asked for.
    known: Vec<String>,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
    /// What is to be looked at, but is no mistake.
    pub(crate) warnings: Vec<Problem>,
}

impl Sheet {
    /// Returns the sheet of a file's text and of the overrides that win over it.
    pub(crate) fn new(file: &Path, text: Arc<String>, overrides: BTreeMap<String, Override>) -> Self {
        Self {
            file: file.to_owned(),
            text,
            line_ends: OnceCell::new(),
            places: OnceCell::new(),
            overrides,
            set: Vec::new(),
            known: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> Arc<String> {
        Arc::clone(&self.text)
    }

    /// Parses the text; a syntax error becomes a problem.
    pub(crate) fn parse<'t>(&mut self, text: &'t str) -> Option<Table<'t>> {
        match Table::read(text) {
            Ok(table) => Some(table),
            Err(error) => {
                let line = error.span().map(|span| self.line(span.start));
                let message = format!("not TOML: {}", error.message().replace('\n', "; "));
                self.problems.push(Problem { line, ..Problem::of_file(&self.file, message) });
                None
            }
        }
    }

    /// Returns the file's top level.
    pub(crate) fn root<'a>(&'a mut self, table: &'a Table<'a>) -> Section<'a> {
        Section { sheet: self, table: Some(table), path: KeyPath::Root, at: None, known: Vec::new() }
    }

    /// Records a mistake of a key, wherever that was set.
    pub(crate) fn wrong_key(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::at(self.place(key), message));
    }

    /// Returns a problem of a key, wherever that was set, to be recorded.
    pub(crate) fn problem_of(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::at(self.place(key), message)
    }

    /// Records something to look at in the file as a whole.
    pub(crate) fn warn(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.warnings.push(Problem::of_file(&self.file, message).with_hint(hint));
    }

    /// Records something to look at.
    pub(crate) fn warn_key(&mut self, key: &str, message: impl Into<String>) {
        self.warnings.push(Problem::at(self.place(key), message));
    }

    /// Ends the reading: overrides that no key asked for are mistakes.
    pub(crate) fn finish(&mut self) {
        for (key, set) in std::mem::take(&mut self.overrides) {
            let message = unknown(&key, self.known.iter().map(String::as_str));
            self.problems
                .push(Problem { key: Some(key), ..Problem::of_file(set.variable.as_ref(), message) });
        }
    }

    /// Returns where a key was set; the file as a whole for one that was not.
    fn place(&self, key: &str) -> Place {
        let is_part = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        let holds = |(set, _): &&(String, PathBuf)| key.strip_prefix(set.as_str()).is_some_and(is_part);
        if let Some((_, variable)) = self.set.iter().find(holds) {
            return Place { file: variable.clone(), line: None, key: key.to_owned() };
        }
        let places = self.places.get_or_init(|| path::places(&self.text));
        self.in_file(key.to_owned(), places.get(key).copied())
    }

    fn in_file(&self, key: String, at: Option<usize>) -> Place {
        Place { file: self.file.clone(), line: at.map(|at| self.line(at)), key }
    }

    fn line(&self, at: usize) -> usize {
        let ends = || self.text.match_indices('\n').map(|(at, _)| at).collect();
        self.line_ends.get_or_init(ends).partition_point(|end| *end < at) + 1
    }
}

/// One table that is being read, key by key.
pub(crate) struct Section<'a> {
    sheet: &'a mut Sheet,
    table: Option<&'a Table<'a>>,
    path: KeyPath<'a>,
    /// Where the table begins, where there is one.
    at: Option<usize>,
    known: Vec<&'a str>,
}

/// What a key was set to: what the file says, or what a variable's value can be meant as.
struct Found<'a> {
    key: &'static str,
    at: usize,
    variable: Option<PathBuf>,
    values: Cow<'a, [Value<'a>]>,
}

impl<'a> Section<'a> {
    /// Reads a key, if it is set, into a field: a value of type `T`, which `convert` makes what the field holds.
    pub(crate) fn read<T: Raw, U>(
        &mut self,
        key: &'static str,
        field: &mut U,
        convert: impl FnOnce(T) -> Result<U, String>,
    ) {
        let Some(found) = self.find(key) else { return };
        match self.first(&found, T::EXPECTED, T::of).map(convert) {
            Some(Ok(value)) => *field = value,
            Some(Err(message)) => self.wrong_at(&found, message),
            None => {}
        }
    }

    /// Reads a string as [`Self::read`] does.
    pub(crate) fn read_text<U>(
        &mut self,
        key: &'static str,
        field: &mut U,
        convert: impl FnOnce(&str) -> Result<U, String>,
    ) {
        let Some(found) = self.find(key) else { return };
        match self.first(&found, String::EXPECTED, Value::as_text).map(convert) {
            Some(Ok(value)) => *field = value,
            Some(Err(message)) => self.wrong_at(&found, message),
            None => {}
        }
    }

    /// Reads a table of strings, if it is set; `convert` takes a name and its value, and says what is wrong with them.
    pub(crate) fn read_map<U>(
        &mut self,
        key: &'static str,
        mut convert: impl FnMut(&str, &str) -> Result<U, String>,
    ) -> Option<Vec<U>> {
        let found = self.find(key)?;
        let members = self.first(&found, "a table of strings", Value::as_table)?.members();
        let mut values = Vec::with_capacity(members.len());
        for Member { name, at, value } in members {
            match text_of(value).and_then(|text| convert(name, text)) {
                Ok(value) => values.push(value),
                Err(message) => self.wrong_within(&found, *at, message, |key| dotted(key, name)),
            }
        }
        Some(values)
    }

    /// Reads an array of strings, if it is set; `convert` takes one of them, and says what is wrong with it.
    pub(crate) fn read_list<U>(
        &mut self,
        key: &'static str,
        mut convert: impl FnMut(&str) -> Result<U, String>,
    ) -> Option<Vec<U>> {
        let found = self.find(key)?;
        let elements = self.first(&found, "an array of strings", Value::as_array)?;
        let mut values = Vec::with_capacity(elements.len());
        for (index, (at, value)) in elements.iter().enumerate() {
            match text_of(value).and_then(&mut convert) {
                Ok(value) => values.push(value),
                Err(message) => self.wrong_within(&found, *at, message, |key| format!("{key}[{index}]")),
            }
        }
        Some(values)
    }

    /// Returns the table of that name; an empty one where it is not set.
    pub(crate) fn section(&mut self, key: &'static str) -> Section<'_> {
        self.known.push(key);
        let found = self.table.and_then(|table| table.get(key));
        self.inner(key, found)
    }

    /// Hands over every table in the table, each with its name.
    pub(crate) fn each_named(&mut self, mut read: impl FnMut(&str, Section<'_>)) {
        for member in self.table.map(Table::members).unwrap_or_default() {
            self.known.push(&member.name);
            read(&member.name, self.inner(&member.name, Some(member)));
        }
    }

    fn inner<'s>(&'s mut self, key: &'s str, found: Option<&'s Member<'s>>) -> Section<'s> {
        let table = found.and_then(|member| member.value.as_table());
        let (path, at) = (KeyPath::Member(&self.path, key), found.map(|member| member.at));
        if let Some(member) = found.filter(|_| table.is_none()) {
            let place = self.sheet.in_file(path.to_string(), at);
            self.sheet.problems.push(Problem::at(place, unexpected("a table", &member.value)));
        }
        Section { sheet: self.sheet, table, path, at, known: Vec::new() }
    }

    /// Hands over the tables of an array one by one, `[[key]]` or inline ones, each with its place's key.
    pub(crate) fn each(&mut self, key: &'static str, mut read: impl FnMut(Section<'_>)) {
        self.known.push(key);
        let Some(member) = self.table.and_then(|table| table.get(key)) else { return };
        let path = KeyPath::Member(&self.path, key);
        let Some(tables) = member.value.as_tables() else {
            let place = self.sheet.in_file(path.to_string(), Some(member.at));
            let problem = Problem::at(place, unexpected("an array of tables", &member.value));
            return self.sheet.problems.push(problem);
        };
        for (index, table) in tables.into_iter().enumerate() {
            let (path, at) = (KeyPath::Element(&path, index), Some(table.at));
            read(Section { sheet: self.sheet, table: Some(table), path, at, known: Vec::new() });
        }
    }

    /// Returns the key of the table's place.
    pub(crate) fn path(&self) -> String {
        self.path.to_string()
    }

    /// Takes note of a key that may be set, but is not.
    pub(crate) fn may_have(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Tells whether the table holds a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.get(key).is_some())
    }

    /// Records a mistake of the table itself.
    pub(crate) fn wrong(&mut self, message: impl Into<String>) {
        let place = self.sheet.in_file(self.path(), self.at);
        self.sheet.problems.push(Problem::at(place, message));
    }

    /// Records a mistake of one of its keys.
    pub(crate) fn wrong_key(&mut self, key: &str, message: impl Into<String>) {
        self.sheet.wrong_key(&KeyPath::Member(&self.path, key).to_string(), message);
    }

    /// Ends the reading: whatever was not asked for by now is a mistake.
    pub(crate) fn finish(self) {
        for Member { name, at, .. } in self.table.map(Table::members).unwrap_or_default() {
            if !self.known.contains(&name.as_ref()) {
                let place = self.sheet.in_file(KeyPath::Member(&self.path, name).to_string(), Some(*at));
                let message = unknown(name, self.known.iter().copied());
                self.sheet.problems.push(Problem::at(place, message));
            }
        }
    }

    fn find(&mut self, key: &'static str) -> Option<Found<'a>> {
        self.known.push(key);
        // As nearly always: nothing to win over the file.
        if !self.sheet.overrides.is_empty() {
            let path = KeyPath::Member(&self.path, key).to_string();
            let set = self.sheet.overrides.remove(&path);
            self.sheet.known.push(path.clone());
            if let Some(set) = set {
                let variable = PathBuf::from(&set.variable);
                self.sheet.set.push((path, variable.clone()));
                let values = Cow::Owned(set.readings());
                return Some(Found { key, at: 0, variable: Some(variable), values });
            }
        }
        let member = self.table?.get(key)?;
        let values = Cow::Borrowed(std::slice::from_ref(&member.value));
        Some(Found { key, at: member.at, variable: None, values })
    }

    /// Returns what is found as what is expected, or says that it is not that.
    fn first<'f, T>(
        &mut self,
        found: &'f Found<'_>,
        expected: &str,
        of: impl Fn(&'f Value<'f>) -> Option<T>,
    ) -> Option<T> {
        let value = found.values.iter().find_map(of);
        if let (None, Some(value)) = (&value, found.values.first()) {
            self.wrong_at(found, unexpected(expected, value));
        }
        value
    }

    fn wrong_at(&mut self, found: &Found<'_>, message: String) {
        self.wrong_within(found, found.at, message, str::to_owned);
    }

    /// Records a mistake of a part of what is found.
    fn wrong_within(
        &mut self,
        found: &Found<'_>,
        at: usize,
        message: String,
        part: impl FnOnce(&str) -> String,
    ) {
        let key = part(&KeyPath::Member(&self.path, found.key).to_string());
        let place = match &found.variable {
            Some(variable) => Place { file: variable.clone(), line: None, key },
            None => self.sheet.in_file(key, Some(at)),
        };
        self.sheet.problems.push(Problem::at(place, message));
    }
}

fn text_of<'v>(value: &'v Value<'_>) -> Result<&'v str, String> {
    value.as_text().ok_or_else(|| unexpected(String::EXPECTED, value))
}

fn unexpected(expected: &str, found: &Value<'_>) -> String {
    format!("expected {expected}, found {}", found.type_name())
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("unknown key; did you mean '{meant}'?"),
        None => format!("unknown key; use {}", known.collect::<Vec<_>>().join(", ")),
    }
}
