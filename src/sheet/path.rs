//! The keys of places, as problems name them: `services.a.models[1]`.

use super::tree::{Table, Value};
use std::collections::HashMap;
use std::fmt;
use toml_edit::Key;

/// The key of a place, put together where it is to be shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'a> {
    /// The file's top level.
    Root,
    /// What a table holds under a name.
    Member(&'a Path<'a>, &'a str),
    /// An element of an array.
    Element(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(Self::Root, name) => f.write_str(&Key::new(*name).display_repr()),
            Self::Member(table, name) => write!(f, "{table}.{}", Key::new(*name).display_repr()),
            Self::Element(array, index) => write!(f, "{array}[{index}]"),
        }
    }
}

/// Returns a key of a table as TOML writes it.
pub(crate) fn dotted(table: &str, key: &str) -> String {
    let key = Key::new(key).display_repr().into_owned();
    if table.is_empty() { key } else { format!("{table}.{key}") }
}

/// Returns where each key of a text stands, in bytes from its beginning.
pub(super) fn places(text: &str) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    if let Ok(table) = Table::read(text) {
        walk_table(&table, &Path::Root, &mut places);
    }
    places
}

fn walk_table(table: &Table<'_>, path: &Path<'_>, places: &mut HashMap<String, usize>) {
    for member in table.members() {
        walk(&member.value, member.at, &Path::Member(path, &member.name), places);
    }
}

fn walk(value: &Value<'_>, at: usize, path: &Path<'_>, places: &mut HashMap<String, usize>) {
    places.insert(path.to_string(), at);
    match value {
        Value::Table(table) => walk_table(table, path, places),
        Value::Tables(tables) => {
            for (index, table) in tables.iter().enumerate() {
                let path = Path::Element(path, index);
                places.insert(path.to_string(), table.at);
                walk_table(table, &path, places);
            }
        }
        Value::Array(values) => {
            for (index, (at, value)) in values.iter().enumerate() {
                walk(value, *at, &Path::Element(path, index), places);
            }
        }
        Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Float | Value::Datetime => {}
    }
}
