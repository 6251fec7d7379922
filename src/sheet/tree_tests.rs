use super::plain;
use super::tree::{Kind, Table, Value};
use proptest::prelude::*;
use std::fmt::Write;

/// Returns every name of a table in order, with where it stands and what it stands for.
pub(super) fn shown(table: &Table<'_>) -> String {
    let mut text = String::new();
    for member in table.members() {
        let value = shown_value(&member.value);
        write!(text, "{:?}@{}={value};", member.name, member.at).unwrap();
        assert_eq!(table.get(&member.name).map(|found| found.at), Some(member.at));
    }
    text
}

fn shown_value(value: &Value<'_>) -> String {
    let of_table = |table: &Table<'_>| format!("@{}({})", table.at, shown(table));
    match value {
        // Where a table begins is asked of those in arrays alone.
        Value::Table(table) => format!("({})", shown(table)),
        Value::Tables(tables) => format!("[[{}]]", tables.iter().map(of_table).collect::<String>()),
        Value::Array(values) => {
            let of = |(at, value): &(usize, Value<'_>)| format!("@{at}={},", shown_value(value));
            format!("[{}]", values.iter().map(of).collect::<String>())
        }
        other @ (Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Float | Value::Datetime) => {
            format!("{other:?}")
        }
    }
}

/// Returns what `toml_edit` makes of a text.
fn thorough(text: &str) -> Option<String> {
    let document = toml_edit::Document::parse(text).ok()?;
    Some(shown(&Table::of(document.as_table(), Kind::Headed, 0)))
}

/// Asserts that a text is read in one pass, and as `toml_edit` reads it.
fn assert_plain(text: &str) {
    let read = plain::read(text).map(|table| shown(&table));
    assert!(read.is_some(), "{text}");
    assert_eq!(read, thorough(text), "{text}");
}

/// Asserts that a text is left to `toml_edit`, and tells whether that takes it.
fn is_taken(text: &str) -> bool {
    assert!(plain::read(text).is_none(), "{text}");
    Table::read(text).is_ok()
}

#[test]
fn what_files_usually_hold_is_read_in_one_pass() {
    let shipped = ["config/tollgate.toml", "config/services.toml", "config/prices/amazon.toml"];
    for file in shipped {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert_plain(&std::fs::read_to_string(path).unwrap());
    }
    for text in [
        "",
        "# nothing",
        "\u{feff}a = 1",
        "a = 'x'\r\nb = \"\\u00e9\\n\" # c\n'c d' = '''\nlines\n'''\nd = \"\"\"a\\\n  b\"\"\"",
        "a = [1, [2, 'x'], { b = true, c.d = 0x1F, c.e = -1_000 },\n # c\n]",
        "[a]\nx.y.z = 1\nx.w = 2\n[a.b.c]\n[a.b.d]\n\"e.f\" = {}",
        "[[a]]\nb = 1\n[a.c]\nd = 1\n[[a]]\n[[a.e]]\n[[a.e]]",
        "a = { b = { c = [ { d = {} } ] } }",
    ] {
        assert_plain(text);
    }
}

#[test]
fn many_names_are_found_as_few_are() {
    let tables: Vec<String> =
        (0..100).map(|name| format!("[t.n{name}]\na = {name}\n[t.n{name}.b]\n")).collect();
    let text = tables.concat();
    assert_plain(&text);
    assert!(!is_taken(&format!("{text}[t.n50]\n")));
    assert!(!is_taken(&format!("{text}[t]\nn3 = 1\n")));
}

#[test]
fn rarer_forms_are_read_all_the_same() {
    for text in ["[a.b]\n[a]\nc = 1", "a = 1.5", "a = 1979-05-27", "a = inf", "[a.b]\n[c]\n[a]\n[a.d]"] {
        assert!(is_taken(text), "{text}");
        assert_eq!(Table::read(text).ok().map(|table| shown(&table)), thorough(text));
    }
    let deep = format!("a = {}{}", "[".repeat(40), "]".repeat(40));
    assert!(is_taken(&deep));
}

#[test]
fn what_is_no_toml_is_refused() {
    for text in [
        "a",
        "a = ",
        "= 1",
        "a = 1\na = 2",
        "a = 1 b = 2",
        "[a]\n[a]",
        "[a",
        "[]",
        "[a]\nb.c = 1\n[a.b]",
        "[a]\nb = 1\nb.c = 2",
        "a = {}\na.b = 1",
        "a = []\n[[a]]",
        "[a.b]\n[a]\nb.c = 1",
        "[a]\n[[a]]",
        "a = { b = 1, b = 2 }",
        "a = { b.c = 1, b = 2 }",
        "a = 99999999999999999999",
        "a = 'x",
        "a = \"\\q\"",
        "a = tru",
        "# \u{1}",
        "a = '\u{7f}'",
    ] {
        assert!(!is_taken(text), "{text}");
    }
}

proptest! {
    /// Texts that are put together of what TOML is made of, most of them wrong.
    #[test]
    fn both_ways_of_reading_agree(
        parts in proptest::collection::vec(proptest::sample::select(&PARTS[..]), 0..24),
    ) {
        let text = parts.concat();
        if let Some(table) = plain::read(&text) {
            prop_assert_eq!(Some(shown(&table)), thorough(&text), "{}", text);
        }
    }

    /// The same, line by line: most of them right.
    #[test]
    fn both_ways_of_reading_agree_on_lines(
        lines in proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..12),
    ) {
        let text = lines.join("\n");
        if let Some(table) = plain::read(&text) {
            prop_assert_eq!(Some(shown(&table)), thorough(&text), "{}", text);
        }
    }
}

const PARTS: [&str; 24] = [
    "a",
    "b",
    ".",
    " = ",
    "1",
    "'x'",
    "\"y\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ", ",
    "\n",
    "\n",
    "\n[a]\n",
    "\n[a.b]\n",
    "\na = 1\n",
    "\nb.a = 2\n",
    "true",
    "# c\n",
    "\"\"\"",
    " ",
];

const LINES: [&str; 24] = [
    "a = 1",
    "b = 'x'",
    "a.b = 1",
    "a.c = 2",
    "b.a.c = 3",
    "a = {}",
    "b = { a = 1 }",
    "c = { a.b = 1, a.c = 2 }",
    "a = { b = {}, b.c = 1 }",
    "c = []",
    "d = [{ a = 1 }, {}]",
    "[a]",
    "[b]",
    "[a.b]",
    "[a.b.c]",
    "[b.a]",
    "[[c]]",
    "[[a]]",
    "[[a.b]]",
    "[c.d]",
    "[[c.d]]",
    "[c.d.e]",
    "d = 1",
    "",
];
