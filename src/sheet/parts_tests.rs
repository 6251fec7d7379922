use super::tree_tests::shown;
use super::{Section, Sheet};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A table's name, where it begins, and what it holds.
type Seen = (String, Option<usize>, String);

fn seen(name: &str, section: &Section<'_>) -> Seen {
    (name.to_owned(), section.at, section.table.map(shown).unwrap_or_default())
}

/// Reads the tables under `t` in parts.
fn in_parts(text: &str, part: usize) -> Option<Vec<Seen>> {
    let sheet = Sheet::new(Path::new("a.toml"), Arc::new(text.to_owned()), BTreeMap::new());
    sheet.read_in_parts("t", part, |(): &mut (), name, section| Some(seen(name, &section)))
}

/// Reads them from the whole, and says what is wrong with it.
fn whole(text: &str) -> (Vec<Seen>, Vec<String>) {
    let mut sheet = Sheet::new(Path::new("a.toml"), Arc::new(text.to_owned()), BTreeMap::new());
    let mut all = Vec::new();
    if let Some(table) = sheet.parse(text) {
        let mut root = sheet.root(&table);
        root.section("t").each_named(|name, section| all.push(seen(name, &section)));
        root.finish();
    }
    (all, sheet.problems.iter().map(ToString::to_string).collect())
}

#[test]
fn what_files_usually_hold_is_read_in_parts() {
    let tables: Vec<String> = (0..100)
        .map(|n| {
            format!("# c\n[t.n{n}] # d\na = [\n  1,\n]\n\"[t.x]\" = '''\n'''\n[t.n{n}.b]\nc = '\u{e9}'\n")
        })
        .collect();
    let text = tables.concat();
    for text in [text.clone(), format!("\u{feff}{text}"), text.replace('\n', "\r\n"), String::new()] {
        let (all, problems) = whole(&text);
        assert_eq!(problems, [""; 0]);
        for part in [0, 1, 50, 1000, text.len(), usize::MAX] {
            assert_eq!(in_parts(&text, part).as_ref(), Some(&all), "{part}");
        }
    }
}

#[test]
fn what_a_part_cannot_tell_is_left_to_the_whole() {
    for text in [
        "[t]\n[t.a]\n[t.b]",
        "t.a.x = 1\n[t.b]",
        "[u]\n[t.a]\n[t.b]",
        "[t.a]\n[t.b]\nx = '''\n[t.c]\n'''\n[t.d]",
        "[t.a]\nx = 1\nx = 2\n[t.b]",
        "[[t.a]]\n[t.b]",
        "[t.a]\n[t.b",
    ] {
        assert_eq!(in_parts(text, 1), None, "{text}");
    }
    // What is there twice is for the caller to notice.
    for text in ["[t.a]\n[t.b]\n[t.a.x]", "[t.a]\n[t.b]\n[t.a]"] {
        let names: Vec<String> = in_parts(text, 1).unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["a", "b", "a"]);
    }
}

proptest! {
    /// Wherever a text falls into parts, they hold what the whole does.
    #[test]
    fn parts_are_the_whole(
        lines in proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..16),
        part in 0..64_usize,
        ending in proptest::sample::select(&["\n", "\r\n"][..]),
    ) {
        let text = lines.join(ending);
        if let Some(values) = in_parts(&text, part) {
            let names: BTreeSet<&str> = values.iter().map(|(name, ..)| name.as_str()).collect();
            if names.len() == values.len() {
                prop_assert_eq!((values, Vec::<String>::new()), whole(&text), "{}", text);
            }
        }
    }
}

const LINES: [&str; 24] = [
    "[t.a]",
    "[t.b]",
    "[t.c]",
    "[t.d]",
    "[t.e] # e",
    "[ t.f ]",
    "[t.'g.h']",
    "[t.\"]\"]",
    "[t.a.x]",
    "[t.b.x]",
    "[t.b.y.z]",
    "[[t.c]]",
    "[[t.b.w]]",
    "[t]",
    "[u]",
    "x = 1",
    "y = { z = 'z' }",
    "w.v = true",
    "v = [",
    "]",
    "u = '''",
    "'''",
    "s = \"\u{e9}\" # c",
    "",
];
