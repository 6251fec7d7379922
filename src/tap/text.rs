//! Counts the text in a JSON document that passes by, and finds the limit that it sets to a model's output: for estimates.

mod output_limit;

use memchr::memchr2;
use output_limit::OutputLimit;

/// Keys whose strings are text that a model reads or writes.
const KEYS: [&[u8]; 15] = [
    b"text",
    b"content",
    b"prompt",
    b"inputText",
    b"system",
    b"message",
    b"query",
    b"texts",
    b"inputs",
    b"documents",
    b"outputText",
    b"completion",
    b"generation",
    b"thinking",
    b"input",
];

/// The length of the longest key that is looked for, in bytes.
const LONGEST_KEY: usize = output_limit::LONGEST_NAME;

/// Levels of nesting that are told apart; what lies deeper is not counted.
const MAX_DEPTH: u32 = 128;

/// Counts the UTF-8 bytes, after unescaping, of the strings whose nearest object key (through arrays) names text.
///
/// Takes the document in pieces, allocates nothing, and never fails: a truncated document counts as far as it
/// came, and what is no JSON object or array counts nothing.
#[derive(Debug, Clone, Default)]
pub struct TextCounter {
    bytes: u64,
    place: Place,
    depth: u32,
    /// One bit per level, innermost last: whether it is an object.
    objects: u128,
    /// One bit per level: whether a string directly in it is text.
    texts: u128,
    key: Key,
    limit: OutputLimit,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Between tokens, where a value is due.
    #[default]
    Value,
    /// Between tokens, where a key is due.
    Key,
    /// In a string.
    Text(Use),
    /// In a string, behind a backslash.
    Escape(Use),
    /// In a string's `\uXXXX`: how many digits came, and their value.
    Unicode(Use, u8, u16),
    /// This is no JSON.
    Lost,
}

/// What a string is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Count,
    Skip,
    Name,
}

/// What a bracket opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    Array,
}

/// A key as far as it came; one longer than any that we look for stays incomparable.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    bytes: [u8; LONGEST_KEY],
    len: usize,
}

impl Key {
    fn push(&mut self, more: &[u8]) {
        let end = self.len.saturating_add(more.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(more);
        }
        self.len = end;
    }

    /// Returns it; nothing where it is too long.
    fn name(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl TextCounter {
    /// Counts on through the document's next piece.
    pub fn feed(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            piece = match self.place {
                Place::Value | Place::Key => self.between(piece),
                Place::Text(good_for) => self.within(good_for, piece),
                Place::Escape(good_for) => self.escape(good_for, piece),
                Place::Unicode(good_for, digits, value) => self.unicode(good_for, digits, value, piece),
                Place::Lost => &[],
            };
        }
    }

    /// Returns how many bytes of text there were.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the most output tokens that a JSON request allows, where it says so.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.limit.stated()
    }

    /// Goes on to the next string.
    fn between<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut rest = piece.iter();
        for byte in rest.by_ref() {
            if self.limit.is_due() {
                self.limit.take(*byte);
            }
            match byte {
                b'"' => {
                    self.begin_string();
                    break;
                }
                b'{' => self.enter(Level::Object),
                b'[' => self.enter(Level::Array),
                b'}' => self.leave(Level::Object),
                b']' => self.leave(Level::Array),
                b':' => self.place = Place::Value,
                b',' if self.in_object() => self.place = Place::Key,
                byte if self.depth == 0 && !byte.is_ascii_whitespace() => self.place = Place::Lost,
                _ => {}
            }
            if self.place == Place::Lost {
                break;
            }
        }
        rest.as_slice()
    }

    fn begin_string(&mut self) {
        let good_for = if self.place == Place::Key {
            self.key = Key::default();
            Use::Name
        } else if self.in_text() {
            Use::Count
        } else {
            Use::Skip
        };
        self.place = if self.depth == 0 { Place::Lost } else { Place::Text(good_for) };
    }

    fn within<'a>(&mut self, good_for: Use, piece: &'a [u8]) -> &'a [u8] {
        let found = memchr2(b'"', b'\\', piece);
        let (plain, rest) = piece.split_at_checked(found.unwrap_or(piece.len())).unwrap_or((piece, &[]));
        match good_for {
            Use::Count => self.add(plain.len()),
            Use::Name => self.key.push(plain),
            Use::Skip => {}
        }
        let Some((stop, rest)) = rest.split_first() else {
            return &[];
        };
        if *stop == b'\\' {
            self.place = Place::Escape(good_for);
            return rest;
        }
        if good_for == Use::Name {
            let (bit, name) = (self.bit(), self.key.name());
            self.texts = if KEYS.contains(&name) { self.texts | bit } else { self.texts & !bit };
            self.limit.name(name);
        }
        self.place = Place::Value;
        rest
    }

    fn escape<'a>(&mut self, good_for: Use, piece: &'a [u8]) -> &'a [u8] {
        let Some((byte, rest)) = piece.split_first() else {
            return &[];
        };
        self.place = if *byte == b'u' {
            Place::Unicode(good_for, 0, 0)
        } else {
            self.unescaped(good_for, 1);
            Place::Text(good_for)
        };
        rest
    }

    fn unicode<'a>(&mut self, good_for: Use, digits: u8, value: u16, piece: &'a [u8]) -> &'a [u8] {
        let Some((byte, rest)) = piece.split_first() else {
            return &[];
        };
        let Some(digit) = char::from(*byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            self.place = Place::Lost;
            return &[];
        };
        let value = (value << 4) | digit;
        self.place = if digits < 3 {
            Place::Unicode(good_for, digits + 1, value)
        } else {
            // Half of a surrogate pair is half of a character of four bytes.
            let len = match value {
                0..0x80 => 1,
                0x80..0x800 | 0xD800..0xE000 => 2,
                _ => 3,
            };
            self.unescaped(good_for, len);
            Place::Text(good_for)
        };
        rest
    }

    fn unescaped(&mut self, good_for: Use, len: usize) {
        match good_for {
            Use::Count => self.add(len),
            // None of the keys that we look for needs escaping: one that is escaped is another.
            Use::Name => self.key.push(&[0; LONGEST_KEY]),
            Use::Skip => {}
        }
    }

    fn add(&mut self, len: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }

    fn enter(&mut self, level: Level) {
        let in_text = self.in_text();
        self.depth = self.depth.saturating_add(1);
        let bit = self.bit();
        match level {
            Level::Object => {
                self.objects |= bit;
                self.texts &= !bit;
                self.place = Place::Key;
            }
            Level::Array => {
                self.objects &= !bit;
                self.texts = if in_text { self.texts | bit } else { self.texts & !bit };
                self.place = Place::Value;
            }
        }
    }

    fn leave(&mut self, level: Level) {
        let fits = self.depth > MAX_DEPTH || self.in_object() == (level == Level::Object);
        match self.depth.checked_sub(1) {
            Some(outer) if fits => {
                self.depth = outer;
                self.place = Place::Value;
            }
            _ => self.place = Place::Lost,
        }
    }

    /// Returns the bit of the innermost level, or 0 where there is none or it is too deep.
    fn bit(&self) -> u128 {
        self.depth.checked_sub(1).and_then(|level| 1u128.checked_shl(level)).unwrap_or(0)
    }

    fn in_object(&self) -> bool {
        self.objects & self.bit() != 0
    }

    fn in_text(&self) -> bool {
        self.texts & self.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn count(document: &[u8]) -> u64 {
        let mut counter = TextCounter::default();
        counter.feed(document);
        counter.bytes()
    }

    /// Counts the same in a document that was parsed, under the key that is nearest.
    fn count_parsed(value: &Value, key: &str) -> usize {
        match value {
            Value::String(text) => {
                if KEYS.contains(&key.as_bytes()) {
                    text.len()
                } else {
                    0
                }
            }
            Value::Array(items) => items.iter().map(|item| count_parsed(item, key)).sum(),
            Value::Object(members) => members.iter().map(|(key, value)| count_parsed(value, key)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }

    #[test]
    fn the_nearest_key_decides() {
        assert_eq!(count(br#"{"messages":[{"role":"user","content":[{"text":"four"}]}],"modelId":"x"}"#), 4);
        assert_eq!(count(br#"{"texts":["ab",["cd"],{"no":"xx"},"ef"],"n":[1,"x"]}"#), 6);
        assert_eq!(count(br#"{"system":"ab","image":{"bytes":"aGVsbG8="},"input":{"city":"Rome"}}"#), 2);
    }

    #[test]
    fn escapes_count_as_what_they_mean() {
        assert_eq!(count(r#"{"text":"\u00e9\ud83d\ude00\n\"\u20acé"}"#.as_bytes()), 2 + 4 + 1 + 1 + 3 + 2);
    }

    #[test]
    fn what_is_no_json_counts_nothing() {
        for document in ["", "text", "\"text\"", "<text>\"text\":\"x\"", "}{\"text\":\"x\"}", "]"] {
            assert_eq!(count(document.as_bytes()), 0, "{document}");
        }
        assert_eq!(count(br#"{"text":"abc"#), 3);
    }

    #[test]
    fn deep_nesting_is_survived() {
        let deep = format!("{}{}", r#"{"text":["#.repeat(500), "\"x\"");
        assert_eq!(count(deep.as_bytes()), 0);
        let closed = format!(r#"{{"a":{}{},"text":"ab"}}"#, "[".repeat(500), "]".repeat(500));
        assert_eq!(count(closed.as_bytes()), 2);
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>().prop_map(Value::from), "[a-z]{0,9}".prop_map(Value::from)];
        let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), text];
        leaf.prop_recursive(5, 40, 6, |inner| {
            let key = prop_oneof![
                prop::sample::select(KEYS.to_vec()).prop_map(|key| String::from_utf8_lossy(key).into_owned()),
                "[a-z\\\\\"]{0,12}",
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(key, inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn counts_what_a_parser_counts_in_any_chunking(value in json(), step in 1..20_usize) {
            let expected = u64::try_from(count_parsed(&value, "")).unwrap();
            for document in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let mut counter = TextCounter::default();
                for piece in document.as_bytes().chunks(step) {
                    counter.feed(piece);
                }
                prop_assert_eq!(counter.bytes(), expected);
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            count(&bytes);
            count(&[b"{\"text\":[", bytes.as_slice()].concat());
        }
    }
}
