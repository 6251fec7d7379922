//! Patterns of model ids.

use super::glob;
use std::fmt;
use std::sync::Arc;

/// The longest pattern, in bytes: as long as a model id may be.
const MAX_LEN: usize = 256;

/// A pattern of model ids, such as `anthropic.claude-*`: `*` stands for any text, all else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPattern(Arc<str>);

/// Why a text is no pattern of model ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no pattern of model ids: use 1 to 256 of A-Z a-z 0-9 . _ : / - and * for any text")]
pub struct InvalidModelPattern;

impl ModelPattern {
    /// Returns the pattern, checked.
    pub fn parse(text: &str) -> Result<Self, InvalidModelPattern> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-*".contains(&byte);
        let fits = (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(legal);
        if fits { Ok(Self(text.into())) } else { Err(InvalidModelPattern) }
    }

    /// Returns the pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether an id, whole, is one of those that the pattern stands for.
    pub fn fits(&self, id: &str) -> bool {
        glob::fits(&self.0, id)
    }
}

/// Tells whether an id is one of those that patterns stand for; no pattern at all stands for every id.
pub fn fits_any(patterns: &[ModelPattern], id: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(id))
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by definition: `*` takes nothing, or one byte and goes on.
    fn fits(pattern: &[u8], id: &[u8]) -> bool {
        match (pattern.split_first(), id.split_first()) {
            (None, None) => true,
            (Some((b'*', pattern_rest)), Some((_, id_rest))) => {
                fits(pattern_rest, id) || fits(pattern, id_rest)
            }
            (Some((b'*', rest)), None) => fits(rest, id),
            (Some((byte, pattern)), Some((other, id))) => byte == other && fits(pattern, id),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    #[test]
    fn ids_fit_patterns() {
        for (pattern, id, expected) in [
            ("*", "amazon.nova-lite-v1:0", true),
            ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", true),
            ("amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0", false),
            ("amazon.*", "us.amazon.nova-lite-v1:0", false),
            ("*.amazon.*", "us.amazon.nova-lite-v1:0", true),
            ("us.anthropic.claude-*-4-5-*", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(ModelPattern::parse(pattern).unwrap().fits(id), expected, "{pattern} {id}");
        }
    }

    #[test]
    fn one_pattern_is_enough_and_none_is_all() {
        let patterns = ["a.*", "b.x"].map(|pattern| ModelPattern::parse(pattern).unwrap());
        for (id, expected) in [("a.x", true), ("b.x", true), ("b.y", false)] {
            assert_eq!(fits_any(&patterns, id), expected, "{id}");
            assert!(fits_any(&[], id));
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "a b", "claude?", &"x".repeat(257)] {
            assert_eq!(ModelPattern::parse(bad), Err(InvalidModelPattern), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_star_is_any_text(pattern in "[ab*]{1,8}", id in "[ab]{0,10}") {
            let expected = fits(pattern.as_bytes(), id.as_bytes());
            prop_assert_eq!(ModelPattern::parse(&pattern).unwrap().fits(&id), expected);
        }
    }
}
