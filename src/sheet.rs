//! Reading typed values from TOML, going on after a mistake, so that all of them are reported at once.

mod nearest;
mod overrides;
mod problem;

pub(crate) use nearest::nearest;
pub(crate) use overrides::{ENV_PREFIX, Override, overrides};
pub use problem::{Problem, Problems};

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml_edit::{Document, Item, Key, TableLike};

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
    /// The offsets of the line ends, in ascending order.
    line_ends: Vec<usize>,
    overrides: BTreeMap<String, Override>,
    places: BTreeMap<String, Place>,
    /// Every key that was asked for.
    known: Vec<String>,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
    /// What is to be looked at, but is no mistake.
    pub(crate) warnings: Vec<Problem>,
}

impl Sheet {
    /// Returns the sheet of a file's text and of the overrides that win over it.
    pub(crate) fn new(file: &Path, text: &str, overrides: BTreeMap<String, Override>) -> Self {
        Self {
            file: file.to_owned(),
            line_ends: text.match_indices('\n').map(|(at, _)| at).collect(),
            overrides,
            places: BTreeMap::new(),
            known: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Parses the text; a syntax error becomes a problem.
    pub(crate) fn parse<'t>(&mut self, text: &'t str) -> Option<Document<&'t str>> {
        match Document::parse(text) {
            Ok(document) => Some(document),
            Err(error) => {
                let line = error.span().map(|span| self.line(&span));
                let message = format!("not TOML: {}", error.message().replace('\n', "; "));
                self.problems.push(Problem { line, ..Problem::of_file(&self.file, message) });
                None
            }
        }
    }

    /// Returns the file's top level.
    pub(crate) fn root<'a>(&'a mut self, document: &'a Document<&str>) -> Section<'a> {
        Section { sheet: self, table: Some(document.as_table()), path: String::new(), known: Vec::new() }
    }

    /// Records a mistake at a place.
    pub(crate) fn wrong(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem::at(place.clone(), message));
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
        let unset = || Place { file: self.file.clone(), line: None, key: key.to_owned() };
        self.places.get(key).cloned().unwrap_or_else(unset)
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.line_ends.partition_point(|end| *end < span.start) + 1
    }

    fn note(&mut self, key: String, line: Option<usize>) -> Place {
        let place = Place { file: self.file.clone(), line, key };
        self.places.insert(place.key.clone(), place.clone());
        place
    }
}

/// One table that is being read, key by key.
pub(crate) struct Section<'a> {
    sheet: &'a mut Sheet,
    table: Option<&'a dyn TableLike>,
    path: String,
    known: Vec<String>,
}

impl Section<'_> {
    /// Reads a key, if it is set, into a field: a value of type `T`, which `convert` makes what the field holds.
    pub(crate) fn read<T: Raw, U>(
        &mut self,
        key: &str,
        field: &mut U,
        convert: impl FnOnce(T) -> Result<U, String>,
    ) {
        if let Some((raw, place)) = self.take(key) {
            match convert(raw) {
                Ok(value) => *field = value,
                Err(message) => self.sheet.wrong(&place, message),
            }
        }
    }

    /// Reads a string as [`Self::read`] does.
    pub(crate) fn read_text<U>(
        &mut self,
        key: &str,
        field: &mut U,
        convert: impl FnOnce(&str) -> Result<U, String>,
    ) {
        self.read(key, field, |text: String| convert(&text));
    }

    /// Reads a table of strings, if it is set; `convert` takes a name and its value, and says what is wrong with them.
    pub(crate) fn read_map<U>(
        &mut self,
        key: &str,
        mut convert: impl FnMut(&str, &str) -> Result<U, String>,
    ) -> Option<Vec<U>> {
        let (Members(members), place) = self.take(key)?;
        let mut values = Vec::new();
        for (name, span, item) in members {
            let place = self.within(&place, dotted(&place.key, &name), span);
            let converted = match item.as_str() {
                Some(text) => convert(&name, text),
                None => Err(unexpected(String::EXPECTED, &item)),
            };
            self.keep(converted, &place, &mut values);
        }
        Some(values)
    }

    /// Reads an array of strings, if it is set; `convert` takes one of them, and says what is wrong with it.
    pub(crate) fn read_list<U>(
        &mut self,
        key: &str,
        mut convert: impl FnMut(&str) -> Result<U, String>,
    ) -> Option<Vec<U>> {
        let (Elements(elements), place) = self.take(key)?;
        let mut values = Vec::new();
        for (index, item) in elements.into_iter().enumerate() {
            let place = self.within(&place, format!("{}[{index}]", place.key), item.span());
            let converted = match item.as_str() {
                Some(text) => convert(text),
                None => Err(unexpected(String::EXPECTED, &item)),
            };
            self.keep(converted, &place, &mut values);
        }
        Some(values)
    }

    fn keep<U>(&mut self, converted: Result<U, String>, place: &Place, values: &mut Vec<U>) {
        match converted {
            Ok(value) => values.push(value),
            Err(message) => self.sheet.wrong(place, message),
        }
    }

    /// Returns the table of that name; an empty one where it is not set.
    pub(crate) fn section(&mut self, key: &str) -> Section<'_> {
        self.known.push(key.to_owned());
        let path = dotted(&self.path, key);
        let found = self.table.and_then(|table| table.get_key_value(key));
        let line = found.and_then(|(key, item)| self.line_of(key, item));
        let place = self.sheet.note(path.clone(), line);
        let table = found.and_then(|(_, item)| item.as_table_like());
        if let Some((_, item)) = found.filter(|_| table.is_none()) {
            self.sheet.wrong(&place, unexpected("a table", item));
        }
        Section { sheet: self.sheet, table, path, known: Vec::new() }
    }

    /// Hands over the tables of an array one by one, `[[key]]` or inline ones, each with its place's key.
    pub(crate) fn each(&mut self, key: &str, mut read: impl FnMut(Section<'_>)) {
        self.known.push(key.to_owned());
        let Some((name, item)) = self.table.and_then(|table| table.get_key_value(key)) else { return };
        let (path, line) = (dotted(&self.path, key), self.line_of(name, item));
        let place = self.sheet.note(path.clone(), line);
        let Some(tables) = tables_of(item) else {
            return self.sheet.wrong(&place, unexpected("an array of tables", item));
        };
        for (index, (table, span)) in tables.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.within(&place, path.clone(), span);
            read(Section { sheet: self.sheet, table: Some(table), path, known: Vec::new() });
        }
    }

    /// Returns the key of the table's place.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Takes note of a key that may be set, but is not.
    pub(crate) fn may_have(&mut self, key: &str) {
        self.known.push(key.to_owned());
    }

    /// Tells whether the table holds a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Returns every name in the table.
    pub(crate) fn names(&self) -> Vec<String> {
        self.table.map(|table| table.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default()
    }

    /// Records a mistake of the table itself.
    pub(crate) fn wrong(&mut self, message: impl Into<String>) {
        self.sheet.wrong_key(&self.path, message);
    }

    /// Records a mistake of one of its keys.
    pub(crate) fn wrong_key(&mut self, key: &str, message: impl Into<String>) {
        self.sheet.wrong_key(&dotted(&self.path, key), message);
    }

    /// Ends the reading: whatever was not asked for by now is a mistake.
    pub(crate) fn finish(self) {
        for (name, item) in self.table.into_iter().flat_map(TableLike::iter) {
            if self.known.iter().any(|known| known == name) {
                continue;
            }
            let key = self.table.and_then(|table| table.key(name));
            let line = key.and_then(|key| self.line_of(key, item));
            let place = self.sheet.note(dotted(&self.path, name), line);
            self.sheet.wrong(&place, unknown(name, self.known.iter().map(String::as_str)));
        }
    }

    fn take<T: Raw>(&mut self, key: &str) -> Option<(T, Place)> {
        self.known.push(key.to_owned());
        let path = dotted(&self.path, key);
        self.sheet.known.push(path.clone());
        let (readings, place) = if let Some(set) = self.sheet.overrides.remove(&path) {
            let place = Place { file: PathBuf::from(&set.variable), line: None, key: path.clone() };
            self.sheet.places.insert(path, place.clone());
            (set.readings(), place)
        } else {
            let (key, item) = self.table?.get_key_value(key)?;
            let line = self.line_of(key, item);
            (vec![item.clone()], self.sheet.note(path, line))
        };
        let value = readings.iter().find_map(T::from_item);
        if let (None, Some(item)) = (&value, readings.first()) {
            self.sheet.wrong(&place, unexpected(T::EXPECTED, item));
        }
        value.map(|value| (value, place))
    }

    /// Returns the place of a part of a value.
    fn within(&mut self, whole: &Place, key: String, span: Option<Range<usize>>) -> Place {
        let line = whole.line.map(|line| span.map_or(line, |span| self.sheet.line(&span)));
        let place = Place { file: whole.file.clone(), line, key };
        self.sheet.places.insert(place.key.clone(), place.clone());
        place
    }

    fn line_of(&self, key: &Key, item: &Item) -> Option<usize> {
        key.span().or_else(|| item.span()).map(|span| self.sheet.line(&span))
    }
}

/// What a TOML value can be read as.
pub(crate) trait Raw: Sized {
    /// What is expected, as a message says it.
    const EXPECTED: &'static str;

    /// Returns the value, if it is of this type.
    fn from_item(item: &Item) -> Option<Self>;
}

impl Raw for String {
    const EXPECTED: &'static str = "a string";

    fn from_item(item: &Item) -> Option<Self> {
        item.as_str().map(str::to_owned)
    }
}

impl Raw for i64 {
    const EXPECTED: &'static str = "an integer";

    fn from_item(item: &Item) -> Option<Self> {
        item.as_integer()
    }
}

impl Raw for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_item(item: &Item) -> Option<Self> {
        item.as_bool()
    }
}

/// The names of a table with their values and where they stand.
struct Members(Vec<(String, Option<Range<usize>>, Item)>);

impl Raw for Members {
    const EXPECTED: &'static str = "a table of strings";

    fn from_item(item: &Item) -> Option<Self> {
        let table = item.as_table_like()?;
        let span = |name: &str| table.key(name).and_then(Key::span);
        Some(Self(table.iter().map(|(name, item)| (name.to_owned(), span(name), item.clone())).collect()))
    }
}

/// The elements of an array.
struct Elements(Vec<Item>);

impl Raw for Elements {
    const EXPECTED: &'static str = "an array of strings";

    fn from_item(item: &Item) -> Option<Self> {
        item.as_array().map(|array| Self(array.iter().cloned().map(Item::Value).collect()))
    }
}

/// A table, and where it stands in the file.
type Standing<'a> = (&'a dyn TableLike, Option<Range<usize>>);

fn standing(table: &dyn TableLike, span: Option<Range<usize>>) -> Standing<'_> {
    (table, span)
}

/// Returns the tables of an array with where they stand, or `None` where it is no array or holds something else.
fn tables_of(item: &Item) -> Option<Vec<Standing<'_>>> {
    if let Some(tables) = item.as_array_of_tables() {
        return Some(tables.iter().map(|table| standing(table, table.span())).collect());
    }
    let inline = |value: &'_ toml_edit::Value| value.as_inline_table().is_some();
    let array = item.as_array().filter(|array| array.iter().all(inline))?;
    let tables = array.iter().filter_map(toml_edit::Value::as_inline_table);
    Some(tables.map(|table| standing(table, table.span())).collect())
}

/// Returns a key of a table as TOML writes it.
pub(crate) fn dotted(table: &str, key: &str) -> String {
    let key = Key::new(key).display_repr().into_owned();
    if table.is_empty() { key } else { format!("{table}.{key}") }
}

fn unexpected(expected: &str, found: &Item) -> String {
    format!("expected {expected}, found {}", found.type_name())
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("unknown key; did you mean '{meant}'?"),
        None => format!("unknown key; use {}", known.collect::<Vec<_>>().join(", ")),
    }
}
