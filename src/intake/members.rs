//! The members of a JSON object that came in buffers: where they stand, found without joining the buffers.
//!
//! The document is checked against JSON's grammar (RFC 8259) on the way; only whether its text is UTF-8 is not looked
//! at.

use bytes::Bytes;
use memchr::memchr2;
use std::ops::Range;

/// How much of a name is kept, in bytes as they stand in the document.
const MAX_NAME: usize = 4096;

/// How many members are found at most: who sends a million of them is not to fill the memory.
const MAX_FOUND: usize = 64;

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name, unescaped. One that no text can be, or that is longer than 4,096 bytes, is as it stands, cut off.
    pub(crate) name: String,
    /// Where it stands, from the first quote of its name to the last byte of its value, in bytes from the start.
    pub(crate) span: Range<usize>,
    /// Where its value stands.
    pub(crate) value: Range<usize>,
}

/// The members of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Where the first one stands, or would: behind the opening brace.
    pub(crate) start: usize,
    /// How many there are.
    pub(crate) count: usize,
    /// Those that were looked for, in their order: the first 64.
    pub(crate) found: Vec<Member>,
    /// Whether there are more of those.
    pub(crate) is_cut: bool,
}

/// Finds members of an object by their names; `None` where the document is no object, or no JSON. Of the members of
/// objects within it, none is found.
pub(crate) fn members(pieces: &[Bytes], wanted: impl Fn(&str) -> bool) -> Option<Members> {
    let mut scanner = Scanner::new(wanted);
    for piece in pieces {
        scanner.feed(piece);
    }
    scanner.finish()
}

/// Returns a copy of the bytes of a span.
pub(crate) fn copied(pieces: &[Bytes], span: &Range<usize>) -> Vec<u8> {
    let mut copy = Vec::with_capacity(span.len());
    let mut at = 0_usize;
    for piece in pieces {
        let from = span.start.saturating_sub(at).min(piece.len());
        let to = span.end.saturating_sub(at).min(piece.len());
        copy.extend_from_slice(piece.get(from..to).unwrap_or_default());
        at = at.saturating_add(piece.len());
    }
    copy
}

/// What may come between two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
    /// The document is over.
    Nothing,
}

/// Where in the document the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    /// In a string.
    Text,
    /// In a string, behind a backslash.
    Escape,
    /// In a string's `\uXXXX`: how many digits are still to come.
    Unicode(u8),
    Number(Number),
    /// In `true`, `false` or `null`: what is still to come of it.
    Word(&'static [u8]),
    /// This is no JSON.
    Lost,
}

/// How far a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Number {
    /// Returns where the next byte leads, if it belongs to the number.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus | Self::Digits, b'0'..=b'9') => Some(Self::Digits),
            (Self::Zero | Self::Digits, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Digits | Self::Fraction, b'e' | b'E') => Some(Self::E),
            (Self::E, b'+' | b'-') => Some(Self::Sign),
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            (_, _) => None,
        }
    }

    /// Tells whether it may end here.
    fn is_whole(self) -> bool {
        match self {
            Self::Zero | Self::Digits | Self::Fraction | Self::Exponent => true,
            Self::Minus | Self::Point | Self::E | Self::Sign => false,
        }
    }
}

/// What a bracket opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    Array,
}

/// A document as far as it came.
struct Scanner<W> {
    wanted: W,
    /// Where the next byte stands.
    at: usize,
    place: Place,
    due: Due,
    levels: Vec<Level>,
    /// Whether the string that goes on is a member's name.
    in_name: bool,
    /// The name of the top level's member that goes on, as it stands in the document.
    name: Vec<u8>,
    name_at: usize,
    value_at: usize,
    members: Members,
}

impl<W: Fn(&str) -> bool> Scanner<W> {
    fn new(wanted: W) -> Self {
        Self {
            wanted,
            at: 0,
            place: Place::Between,
            due: Due::Value,
            levels: Vec::new(),
            in_name: false,
            name: Vec::new(),
            name_at: 0,
            value_at: 0,
            members: Members::default(),
        }
    }

    fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() && self.place != Place::Lost {
            let taken = self.step(rest);
            self.at = self.at.saturating_add(taken);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    fn finish(self) -> Option<Members> {
        (self.place == Place::Between && self.due == Due::Nothing).then_some(self.members)
    }

    /// Takes some bytes, at least one unless the place changes, and returns how many.
    fn step(&mut self, rest: &[u8]) -> usize {
        let Some(byte) = rest.first().copied() else { return 0 };
        match self.place {
            Place::Between => self.between(byte),
            Place::Text => return self.text(rest),
            Place::Escape => self.escape(byte),
            Place::Unicode(left) => self.unicode(left, byte),
            Place::Number(number) => match number.next(byte) {
                Some(next) => self.place = Place::Number(next),
                None if number.is_whole() => {
                    self.value_ended(self.at);
                    return 0;
                }
                None => self.place = Place::Lost,
            },
            Place::Word(word) => match word.split_first() {
                Some((next, left)) if *next == byte => {
                    self.place = Place::Word(left);
                    if left.is_empty() {
                        self.value_ended(self.at.saturating_add(1));
                    }
                }
                Some(_) | None => self.place = Place::Lost,
            },
            Place::Lost => {}
        }
        1
    }

    fn between(&mut self, byte: u8) {
        match (self.due, byte) {
            (_, b' ' | b'\t' | b'\n' | b'\r') => {}
            (Due::Name | Due::NameOrEnd, b'"') => {
                (self.place, self.in_name) = (Place::Text, true);
                if self.levels.len() == 1 {
                    self.name.clear();
                    self.name_at = self.at;
                }
            }
            (Due::Colon, b':') => self.due = Due::Value,
            (Due::CommaOrEnd, b',') => {
                self.due = if self.is_in(Level::Object) { Due::Name } else { Due::Value }
            }
            (Due::NameOrEnd | Due::CommaOrEnd, b'}') if self.is_in(Level::Object) => self.close(),
            (Due::ValueOrEnd | Due::CommaOrEnd, b']') if self.is_in(Level::Array) => self.close(),
            (Due::Value | Due::ValueOrEnd, byte) => self.begin_value(byte),
            (_, _) => self.place = Place::Lost,
        }
    }

    fn is_in(&self, level: Level) -> bool {
        self.levels.last() == Some(&level)
    }

    fn begin_value(&mut self, byte: u8) {
        match self.levels.len() {
            // The document itself: what is no object has no members.
            0 if byte != b'{' => return self.place = Place::Lost,
            0 => self.members.start = self.at.saturating_add(1),
            1 => self.value_at = self.at,
            _ => {}
        }
        match byte {
            b'{' => {
                self.levels.push(Level::Object);
                self.due = Due::NameOrEnd;
            }
            b'[' => {
                self.levels.push(Level::Array);
                self.due = Due::ValueOrEnd;
            }
            b'"' => (self.place, self.in_name) = (Place::Text, false),
            b'-' => self.place = Place::Number(Number::Minus),
            b'0' => self.place = Place::Number(Number::Zero),
            b'1'..=b'9' => self.place = Place::Number(Number::Digits),
            b't' => self.place = Place::Word(b"rue"),
            b'f' => self.place = Place::Word(b"alse"),
            b'n' => self.place = Place::Word(b"ull"),
            _ => self.place = Place::Lost,
        }
    }

    fn text(&mut self, rest: &[u8]) -> usize {
        let found = memchr2(b'"', b'\\', rest);
        let plain = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        if plain.iter().any(|byte| *byte < b' ') {
            self.place = Place::Lost;
            return plain.len();
        }
        self.keep(plain);
        match found.and_then(|at| rest.get(at)) {
            None => return plain.len(),
            Some(b'\\') => {
                self.keep(b"\\");
                self.place = Place::Escape;
            }
            Some(_) if self.in_name => (self.place, self.due) = (Place::Between, Due::Colon),
            Some(_) => self.value_ended(self.at.saturating_add(plain.len()).saturating_add(1)),
        }
        plain.len().saturating_add(1)
    }

    fn escape(&mut self, byte: u8) {
        self.keep(&[byte]);
        self.place = match byte {
            b'u' => Place::Unicode(4),
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Place::Text,
            _ => Place::Lost,
        };
    }

    fn unicode(&mut self, left: u8, byte: u8) {
        self.keep(&[byte]);
        self.place = match left.saturating_sub(1) {
            _ if !byte.is_ascii_hexdigit() => Place::Lost,
            0 => Place::Text,
            left => Place::Unicode(left),
        };
    }

    /// Keeps bytes of a name of the top level.
    fn keep(&mut self, bytes: &[u8]) {
        if self.in_name && self.levels.len() == 1 {
            let room = MAX_NAME.saturating_sub(self.name.len()).min(bytes.len());
            self.name.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    fn close(&mut self) {
        self.levels.pop();
        self.value_ended(self.at.saturating_add(1));
    }

    fn value_ended(&mut self, end: usize) {
        self.place = Place::Between;
        self.due = if self.levels.is_empty() { Due::Nothing } else { Due::CommaOrEnd };
        if self.levels.len() == 1 {
            self.member_ended(end);
        }
    }

    fn member_ended(&mut self, end: usize) {
        self.members.count = self.members.count.saturating_add(1);
        let name = unescaped(&self.name);
        if !(self.wanted)(&name) {
            return;
        }
        if self.members.found.len() == MAX_FOUND {
            self.members.is_cut = true;
            return;
        }
        let (span, value) = (self.name_at..end, self.value_at..end);
        self.members.found.push(Member { name, span, value });
    }
}

/// Returns the text that a string's inner bytes stand for.
fn unescaped(raw: &[u8]) -> String {
    let as_it_stands = || String::from_utf8_lossy(raw).into_owned();
    if !raw.contains(&b'\\') {
        return as_it_stands();
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|_| as_it_stands())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::Value;

    /// Cuts a document into pieces of that many bytes.
    fn pieces(document: &[u8], step: usize) -> Vec<Bytes> {
        document.chunks(step).map(Bytes::copy_from_slice).collect()
    }

    fn found(document: &str) -> Option<Vec<(String, String)>> {
        let pieces = pieces(document.as_bytes(), 3);
        let members = members(&pieces, |name| name == "m")?;
        let text = |span: &Range<usize>| document[span.clone()].to_owned();
        Some(members.found.iter().map(|member| (text(&member.span), text(&member.value))).collect())
    }

    #[test]
    fn members_of_the_top_level_are_found_wherever_they_stand() {
        for (document, expected) in [
            ("{}", vec![]),
            (r#"{"a":{"m":1},"b":["m",{"m":2}],"c":"\"m\":3"}"#, vec![]),
            (r#"{"m":1}"#, vec![(r#""m":1"#, "1")]),
            (" { \"m\" : \"}\" } \n", vec![("\"m\" : \"}\"", "\"}\"")]),
            (r#"{"a":0,"\u006d":{"m":[{}]},"b":-1.5e+3}"#, vec![(r#""\u006d":{"m":[{}]}"#, r#"{"m":[{}]}"#)]),
            (r#"{"m":null,"m":true}"#, vec![(r#""m":null"#, "null"), (r#""m":true"#, "true")]),
            (r#"{"m":1.25 ,"n":{}}"#, vec![(r#""m":1.25"#, "1.25")]),
        ] {
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|(span, value)| (span.to_owned(), value.to_owned())).collect();
            assert_eq!(found(document), Some(expected), "{document}");
        }
    }

    #[test]
    fn what_is_no_object_of_json_has_none() {
        for document in [
            "",
            " ",
            "[]",
            "1",
            "\"m\"",
            "null",
            "{",
            "{\"m\":1",
            "{\"m\":1}}",
            "{\"m\":1} x",
            "{\"m\"}",
            "{m:1}",
            "{\"m\":1,}",
            "{,}",
            "{\"m\":01}",
            "{\"m\":1.}",
            "{\"m\":+1}",
            "{\"m\":tru}",
            "{\"m\":\"\t\"}",
            "{\"m\":\"\\x\"}",
            "{\"m\":\"\\u00g0\"}",
            "{\"m\":[1,]}",
            "{\"m\":[1}",
            "{'m':1}",
            "\u{feff}{}",
            "{\"m\":1e}",
            "{\"m\":-}",
        ] {
            assert_eq!(found(document), None, "{document}");
        }
    }

    #[test]
    fn deep_nesting_and_long_names_are_survived() {
        let deep = format!(r#"{{"a":{}{},"m":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found(&deep), Some(vec![(r#""m":1"#.to_owned(), "1".to_owned())]));
        let long = format!(r#"{{"{}":1,"m":2}}"#, "\\u006d".repeat(10_000));
        assert_eq!(found(&long).unwrap().len(), 1);
        let many = format!("{{{}\"m\":0}}", "\"m\":0,".repeat(100));
        let members = members(&[Bytes::from(many)], |_| true).unwrap();
        assert_eq!((members.found.len(), members.count, members.is_cut), (64, 101, true));
    }

    fn json() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| serde_json::from_str(&format!("{n}.5")).unwrap())
        ];
        let text = prop_oneof![any::<String>(), "[mn\\\\\"{}\\[\\],:]{0,6}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            let name = prop_oneof!["[mn]", "[a-z\\\\\"é]{0,5}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_values_are_those_that_a_parser_finds(value in json(), step in 1..30_usize) {
            for document in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let pieces = pieces(document.as_bytes(), step);
                let members = members(&pieces, |_| true);
                let Value::Object(expected) = &value else {
                    prop_assert_eq!(members, None);
                    continue;
                };
                let members = members.unwrap();
                prop_assert_eq!(members.count, expected.len());
                let parsed = members.found.iter().map(|member| {
                    (member.name.clone(), serde_json::from_slice(&copied(&pieces, &member.value)).unwrap())
                });
                prop_assert_eq!(&parsed.collect::<serde_json::Map<String, Value>>(), expected);
            }
        }

        #[test]
        fn json_is_what_a_parser_takes_for_it(value in json(), at in 0..200_usize, byte in "[ -~\n]?", step in 1..30_usize) {
            let document = serde_json::json!({ "m": value }).to_string();
            // Not within a character of several bytes: that is not looked at.
            let at = at % document.len();
            prop_assume!(document.is_char_boundary(at) && document.is_char_boundary(at + 1));
            let document = [&document[..at], &byte, &document[at + 1..]].concat();
            let is_json = serde_json::from_str::<IgnoredAny>(&document).is_ok() && document.trim_start().starts_with('{');
            prop_assert_eq!(members(&pieces(document.as_bytes(), step), |_| true).is_some(), is_json, "{}", document);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100), step in 1..30_usize) {
            members(&pieces(&bytes, step), |_| true);
            members(&pieces(&[b"{\"m\":", bytes.as_slice()].concat(), step), |_| true);
        }
    }
}
