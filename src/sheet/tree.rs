//! What a TOML file holds, with where each key stands.

use super::plain;
use std::borrow::Cow;
use std::collections::HashMap;
use toml_edit::{Item, TableLike, TomlError};

/// From how many members on a table has an index.
const MANY: usize = 8;

/// A table; `'t` is the file's text, which most strings are slices of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table<'t> {
    pub(super) kind: Kind,
    /// Where it begins, in bytes from the file's beginning.
    pub(super) at: usize,
    members: Vec<Member<'t>>,
    /// The places of members by their names, where there are many.
    index: HashMap<Cow<'t, str>, usize>,
}

/// How a table was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// As part of another table's header.
    #[default]
    Implied,
    /// Under a header of its own.
    Headed,
    /// As part of a key with dots.
    Dotted,
    /// In braces.
    Inline,
}

/// A name in a table, and what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Member<'t> {
    pub(super) name: Cow<'t, str>,
    /// Where the name begins.
    pub(super) at: usize,
    pub(super) value: Value<'t>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Value<'t> {
    Text(Cow<'t, str>),
    Integer(i64),
    Boolean(bool),
    /// A number with a point, whose value nothing asks for.
    Float,
    /// A moment, whose value nothing asks for.
    Datetime,
    /// Values with where each begins.
    Array(Vec<(usize, Value<'t>)>),
    /// An array of tables that have headers.
    Tables(Vec<Table<'t>>),
    Table(Table<'t>),
}

impl<'t> Table<'t> {
    pub(super) fn new(kind: Kind, at: usize) -> Self {
        Self { kind, at, ..Self::default() }
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// Text that is no TOML.
    pub(super) fn read(text: &'t str) -> Result<Self, TomlError> {
        match plain::read(text) {
            Some(table) => Ok(table),
            None => Ok(Self::of(toml_edit::Document::parse(text)?.as_table(), Kind::Headed, 0)),
        }
    }

    pub(super) fn of(table: &dyn TableLike, kind: Kind, at: usize) -> Table<'static> {
        let mut read = Table::new(kind, at);
        for (name, item) in table.iter() {
            let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            let Some(value) = Value::of(item) else { continue };
            read.add(Cow::Owned(name.to_owned()), span.map_or(at, |span| span.start), value);
        }
        read
    }

    pub(super) fn members(&self) -> &[Member<'t>] {
        &self.members
    }

    pub(super) fn get(&self, name: &str) -> Option<&Member<'t>> {
        self.members.get(self.find(name)?)
    }

    /// Adds a member, and tells whether it is the first of its name; a later one is not taken.
    pub(super) fn add(&mut self, name: Cow<'t, str>, at: usize, value: Value<'t>) -> bool {
        let is_new = self.find(&name).is_none();
        if is_new {
            self.push(Member { name, at, value });
        }
        is_new
    }

    /// Returns the member of that name, which is made where there is none.
    pub(super) fn member(
        &mut self,
        name: Cow<'t, str>,
        at: usize,
        make: impl FnOnce() -> Value<'t>,
    ) -> Option<&mut Value<'t>> {
        let index = if let Some(index) = self.find(&name) {
            index
        } else {
            self.push(Member { name, at, value: make() });
            self.members.len().checked_sub(1)?
        };
        self.members.get_mut(index).map(|member| &mut member.value)
    }

    fn push(&mut self, member: Member<'t>) {
        let index = self.members.len();
        if index == MANY {
            let names = self.members.iter().enumerate();
            self.index = names.map(|(index, member)| (member.name.clone(), index)).collect();
        }
        if index >= MANY {
            self.index.insert(member.name.clone(), index);
        }
        self.members.push(member);
    }

    fn find(&self, name: &str) -> Option<usize> {
        if self.index.is_empty() {
            return self.members.iter().position(|member| member.name == name);
        }
        self.index.get(name).copied()
    }
}

impl<'t> Value<'t> {
    /// Returns the value that TOML has there; `None` where it has none.
    fn of(item: &Item) -> Option<Value<'static>> {
        let at = item.span().map_or(0, |span| span.start);
        let headed = |table: &toml_edit::Table| {
            Table::of(table, Kind::Headed, table.span().map_or(0, |span| span.start))
        };
        Some(match item {
            Item::None => return None,
            Item::Value(value) => Value::of_inline(value),
            Item::Table(table) => Value::Table(Table::of(table, Kind::Headed, at)),
            Item::ArrayOfTables(tables) => Value::Tables(tables.iter().map(headed).collect()),
        })
    }

    /// Returns the value that TOML has in one piece.
    pub(super) fn of_inline(value: &toml_edit::Value) -> Value<'static> {
        let at = |value: &toml_edit::Value| value.span().map_or(0, |span| span.start);
        match value {
            toml_edit::Value::String(text) => Value::Text(Cow::Owned(text.value().clone())),
            toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
            toml_edit::Value::Boolean(is) => Value::Boolean(*is.value()),
            toml_edit::Value::Float(_) => Value::Float,
            toml_edit::Value::Datetime(_) => Value::Datetime,
            toml_edit::Value::Array(array) => {
                Value::Array(array.iter().map(|value| (at(value), Self::of_inline(value))).collect())
            }
            toml_edit::Value::InlineTable(table) => Value::Table(Table::of(table, Kind::Inline, at(value))),
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_table(&self) -> Option<&Table<'t>> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }

    pub(super) fn as_array(&self) -> Option<&[(usize, Self)]> {
        if let Self::Array(values) = self { Some(values) } else { None }
    }

    /// Returns the tables of an array, or `None` where it is no array or holds something else.
    pub(super) fn as_tables(&self) -> Option<Vec<&Table<'t>>> {
        if let Self::Tables(tables) = self {
            return Some(tables.iter().collect());
        }
        self.as_array()?.iter().map(|(_, value)| value.as_table()).collect()
    }

    /// Returns what TOML calls such a value.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(_) => "integer",
            Self::Boolean(_) => "boolean",
            Self::Float => "float",
            Self::Datetime => "datetime",
            Self::Array(_) => "array",
            Self::Tables(_) => "array of tables",
            Self::Table(table) if table.kind == Kind::Inline => "inline table",
            Self::Table(_) => "table",
        }
    }
}
