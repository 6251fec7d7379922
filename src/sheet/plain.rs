//! TOML as nearly all files hold it, read in one pass. Whatever is rarer, and all that is wrong, is left to `toml_edit`, which
//! takes ten times as long and knows how to say what is wrong.

use super::tree::{Kind, Table, Value};
use std::borrow::Cow;
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::parser::{EventReceiver, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

/// How deep arrays and tables in braces are read here.
const MAX_DEPTH: u32 = 16;

/// Reads a text, or leaves it: what is read is what `toml_edit` would have read.
pub(super) fn read(text: &str) -> Option<Table<'_>> {
    read_part(text, 0)
}

/// Reads a part of a text, whatever it would be by itself; `from` is where it begins there, in bytes.
pub(super) fn read_part(part: &str, from: usize) -> Option<Table<'_>> {
    let source = Source::new(part);
    let tokens = source.lex().into_vec();
    let mut reader = Reader::new(source, from);
    let mut wrong: Option<ParseError> = None;
    let mut receiver = ValidateWhitespace::new(&mut reader, source);
    let mut receiver = RecursionGuard::new(&mut receiver, MAX_DEPTH);
    parse_document(&tokens, &mut receiver, &mut wrong);
    reader.end_table();
    (wrong.is_none() && reader.is_plain).then_some(reader.root)
}

/// One part of a key, and where it stands.
type Name<'t> = (Cow<'t, str>, usize);

/// What has been read so far.
struct Reader<'t> {
    source: Source<'t>,
    /// What places count from.
    from: usize,
    root: Table<'t>,
    /// The header that was read last; before the first one, what is read belongs to the root.
    header: Option<Header<'t>>,
    /// What has been read under that header.
    table: Table<'t>,
    /// The key that is being read, or whose value is.
    key: Vec<Name<'t>>,
    /// The values that are open, the innermost last.
    open: Vec<Open<'t>>,
    is_plain: bool,
}

struct Header<'t> {
    key: Vec<Name<'t>>,
    kind: HeaderKind,
}

/// What a header begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderKind {
    /// `[name]`: a table.
    Table,
    /// `[[name]]`: one more table of an array.
    ArrayOfTables,
}

/// A value that has not ended yet, with its own key and where it begins.
struct Open<'t> {
    key: Vec<Name<'t>>,
    at: usize,
    value: Inside<'t>,
}

enum Inside<'t> {
    Array(Vec<(usize, Value<'t>)>),
    Table(Table<'t>),
}

impl<'t> Reader<'t> {
    fn new(source: Source<'t>, from: usize) -> Self {
        Self {
            source,
            from,
            root: Table::default(),
            header: None,
            table: Table::new(Kind::Headed, 0),
            key: Vec::new(),
            open: Vec::new(),
            is_plain: true,
        }
    }

    /// Begins with the table of a header.
    fn begin_table(&mut self, at: usize, kind: HeaderKind) {
        self.end_table();
        self.header = Some(Header { key: Vec::new(), kind });
        self.table = Table::new(Kind::Headed, at);
    }

    /// Puts the table of the last header where that says.
    fn end_table(&mut self) {
        let table = std::mem::take(&mut self.table);
        let placed = match self.header.take() {
            None => {
                self.root = table;
                Some(true)
            }
            Some(header) => place(&mut self.root, header, table),
        };
        self.is_plain &= placed == Some(true);
    }

    fn end_header(&mut self) {
        if let Some(header) = &mut self.header {
            header.key = std::mem::take(&mut self.key);
        }
    }

    /// Takes a value that has ended.
    fn end_value(&mut self, at: usize, value: Value<'t>) {
        let taken = match self.open.last_mut().map(|open| &mut open.value) {
            Some(Inside::Array(values)) => {
                values.push((at, value));
                Some(true)
            }
            Some(Inside::Table(table)) => add(table, &mut self.key, value),
            None => add(&mut self.table, &mut self.key, value),
        };
        self.is_plain &= taken == Some(true);
    }

    fn begin_value(&mut self, at: usize, value: Inside<'t>) {
        self.open.push(Open { key: std::mem::take(&mut self.key), at, value });
    }

    /// Ends the innermost open value.
    fn end_open(&mut self) {
        let Some(Open { key, at, value }) = self.open.pop() else { return self.is_plain = false };
        self.key = key;
        let value = match value {
            Inside::Array(values) => Value::Array(values),
            Inside::Table(table) => Value::Table(table),
        };
        self.end_value(at, value);
    }

    /// Returns where a span begins, in bytes from the file's beginning.
    fn at(&self, span: Span) -> usize {
        self.from.saturating_add(span.start())
    }

    fn text(&self, span: Span, encoding: Option<Encoding>) -> Option<toml_parser::Raw<'t>> {
        let text = self.source.input().get(span.start()..span.end())?;
        Some(toml_parser::Raw::new_unchecked(text, encoding, span))
    }
}

/// Adds a value to a table under a key, and tells whether that is plain.
fn add<'t>(mut table: &mut Table<'t>, key: &mut Vec<Name<'t>>, value: Value<'t>) -> Option<bool> {
    let (name, at) = key.pop()?;
    for (name, at) in key.drain(..) {
        let inner = table.member(name, at, || Value::Table(Table::new(Kind::Dotted, at)))?;
        let Value::Table(inner) = inner else { return None };
        table = Some(inner).filter(|inner| inner.kind == Kind::Dotted)?;
    }
    Some(table.add(name, at, value))
}

/// Puts a table where its header says, and tells whether that is plain.
fn place<'t>(root: &mut Table<'t>, header: Header<'t>, table: Table<'t>) -> Option<bool> {
    let Header { mut key, kind } = header;
    let (name, at) = key.pop()?;
    let mut outer = root;
    for (name, at) in key {
        let inner = outer.member(name, at, || Value::Table(Table::new(Kind::Implied, at)))?;
        outer = match inner {
            Value::Table(inner) => {
                Some(inner).filter(|inner| matches!(inner.kind, Kind::Implied | Kind::Headed))?
            }
            Value::Tables(tables) => tables.last_mut()?,
            Value::Text(_)
            | Value::Integer(_)
            | Value::Boolean(_)
            | Value::Float
            | Value::Datetime
            | Value::Array(_) => return None,
        };
    }
    if kind == HeaderKind::Table {
        return Some(outer.add(name, at, Value::Table(table)));
    }
    let Value::Tables(tables) = outer.member(name, at, || Value::Tables(Vec::new()))? else { return None };
    tables.push(table);
    Some(true)
}

impl EventReceiver for Reader<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.begin_table(self.at(span), HeaderKind::Table);
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_header();
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.begin_table(self.at(span), HeaderKind::ArrayOfTables);
    }

    fn array_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_header();
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        let at = self.at(span);
        self.begin_value(at, Inside::Table(Table::new(Kind::Inline, at)));
        true
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_open();
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.begin_value(self.at(span), Inside::Array(Vec::new()));
        true
    }

    fn array_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_open();
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let Some(raw) = self.text(span, encoding) else { return self.is_plain = false };
        let mut name = Cow::Borrowed("");
        raw.decode_key(&mut name, error);
        self.key.push((name, self.at(span)));
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let Some(raw) = self.text(span, encoding) else { return self.is_plain = false };
        let mut text = Cow::Borrowed("");
        let value = match raw.decode_scalar(&mut text, error) {
            ScalarKind::String => Some(Value::Text(text)),
            ScalarKind::Boolean(is) => Some(Value::Boolean(is)),
            ScalarKind::Integer(radix) => i64::from_str_radix(&text, radix.value()).ok().map(Value::Integer),
            ScalarKind::Float | ScalarKind::DateTime => None,
        };
        match value {
            Some(value) => self.end_value(self.at(span), value),
            None => self.is_plain = false,
        }
    }

    fn error(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.is_plain = false;
    }
}
