//! The limit of its output that a request states, wherever its API puts it.

/// How every API of Bedrock's names the member that limits output tokens: Converse and Nova; Messages, Mistral, Cohere and
/// AI21; Nova; Titan; Llama; `OpenAI`; Claude's old completions (Bedrock user guide, inference request parameters of each
/// family).
const NAMES: [&[u8]; 7] = [
    b"maxTokens",
    b"max_tokens",
    b"max_new_tokens",
    b"maxTokenCount",
    b"max_gen_len",
    b"max_completion_tokens",
    b"max_tokens_to_sample",
];

/// The length of the longest of `NAMES`, in bytes.
pub(super) const LONGEST_NAME: usize = 21;

/// What was seen of the first such member whose value is a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum OutputLimit {
    /// Nothing.
    #[default]
    Unseen,
    /// Its name; the value is due.
    Due,
    /// Its digits so far. More may come.
    Digits(u64),
    /// All of it.
    Stated(u64),
}

impl OutputLimit {
    /// Takes note of a member's name.
    pub(super) fn name(&mut self, name: &[u8]) {
        if name.starts_with(b"max") && NAMES.contains(&name) && !matches!(self, Self::Stated(_)) {
            *self = Self::Due;
        }
    }

    /// Tells whether what follows outside of strings is to be told.
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::Due | Self::Digits(_))
    }

    /// Takes the next byte outside of strings, where that is due.
    pub(super) fn take(&mut self, byte: u8) {
        *self = match (*self, byte) {
            (Self::Due, b':' | b' ' | b'\t' | b'\r' | b'\n') => Self::Due,
            (Self::Due, b'0'..=b'9') => Self::Digits(u64::from(byte - b'0')),
            (Self::Digits(so_far), b'0'..=b'9') => {
                let next = so_far.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(byte - b'0')));
                next.map_or(Self::Unseen, Self::Digits)
            }
            (Self::Digits(all), _) => Self::Stated(all),
            (Self::Unseen | Self::Due | Self::Stated(_), _) => Self::Unseen,
        };
    }

    /// Returns the limit, where it came to its end.
    pub(super) fn stated(&self) -> Option<u64> {
        match self {
            Self::Stated(limit) => Some(*limit),
            Self::Unseen | Self::Due | Self::Digits(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::TextCounter;
    use proptest::prelude::*;

    fn of(json: &str) -> Option<u64> {
        let mut counter = TextCounter::default();
        counter.feed(json.as_bytes());
        counter.max_output_tokens()
    }

    #[test]
    fn every_api_has_its_name() {
        for json in [
            r#"{"messages":[],"inferenceConfig":{"maxTokens": 512}}"#,
            r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens" : 512}"#,
            r#"{"inferenceConfig":{"max_new_tokens":512}}"#,
            r#"{"textGenerationConfig":{"maxTokenCount":512}}"#,
            r#"{"prompt":"a","max_gen_len":512}"#,
            r#"{"max_completion_tokens":512}"#,
            r#"{"max_tokens_to_sample":512}"#,
        ] {
            assert_eq!(of(json), Some(512), "{json}");
        }
        assert_eq!(NAMES.iter().map(|name| name.len()).max(), Some(LONGEST_NAME));
    }

    #[test]
    fn what_only_looks_like_it_is_passed_over() {
        assert_eq!(of(r#"{"text":"say \"max_tokens\": 5"}"#), None);
        assert_eq!(of(r#"{"stop":["max_tokens",5]}"#), None);
        assert_eq!(of(r#"{"properties":{"max_tokens":{"type":"integer"}},"max_tokens":7}"#), Some(7));
        assert_eq!(of(r#"{"max_tokens":null,"n":5}"#), None);
        assert_eq!(of(r#"{"max_tokens":"5","n":6}"#), None);
        assert_eq!(of(r#"{"max_tokens":-5}"#), None);
        assert_eq!(of(r#"{"max_tokens":99999999999999999999}"#), None);
        assert_eq!(of(r#"{"max_tokens":18446744073709551615}"#), Some(u64::MAX));
        assert_eq!(of(r#"{"max_tokens":5"#), None, "more digits may come");
        assert_eq!(of(r#"{"max_tokens":5,"max_tokens":6,"maxTokens":"#), Some(5), "the first");
        assert_eq!(of(""), None);
    }

    proptest! {
        #[test]
        fn how_the_body_came_makes_no_difference(step in 1..200_usize, limit: u32) {
            let json = format!(r#"{{"messages":[{{"content":"{}"}}],"max_tokens": {limit} }}"#, "x".repeat(100));
            let mut counter = TextCounter::default();
            json.as_bytes().chunks(step).for_each(|piece| counter.feed(piece));
            prop_assert_eq!(counter.max_output_tokens(), Some(limit.into()));
        }
    }
}
