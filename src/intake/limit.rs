//! The limit of its output that a request states, wherever its API puts it.

use bytes::Bytes;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// How every API of Bedrock's begins the member that limits output tokens.
const START: &[u8] = b"\"max";

/// The same, ready to be looked for.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(START));

/// The rest of that member's names: Converse and Nova; Messages, Mistral, Cohere and AI21; Nova; Titan; Llama; `OpenAI`;
/// Claude's old completions (Bedrock user guide, inference request parameters of each family).
const NAMES: [&[u8]; 7] = [
    b"Tokens\"",
    b"_tokens\"",
    b"_new_tokens\"",
    b"TokenCount\"",
    b"_gen_len\"",
    b"_completion_tokens\"",
    b"_tokens_to_sample\"",
];

/// More than the longest name, some white space and a number.
const SEAM: usize = 64;

/// Returns the most output tokens that a JSON request allows, where it says so. A text in it that says the same has its
/// quotes escaped, and is not taken for it.
pub(crate) fn max_output_tokens(pieces: &[Bytes]) -> Option<u64> {
    let within = pieces.iter().find_map(|piece| find(piece));
    within.or_else(|| pieces.windows(2).find_map(|pair| find(&seam(pair))))
}

/// Returns the bytes around the seam of two pieces.
fn seam(pair: &[Bytes]) -> Vec<u8> {
    let [first, second] = pair else { return Vec::new() };
    let tail = first.get(first.len().saturating_sub(SEAM)..).unwrap_or_default();
    let head = second.get(..SEAM.min(second.len())).unwrap_or_default();
    [tail, head].concat()
}

/// Looks in one piece; a number that its end may have cut off does not count.
fn find(piece: &[u8]) -> Option<u64> {
    FINDER.find_iter(piece).find_map(|at| {
        let rest = piece.get(at + START.len()..)?;
        let name = NAMES.into_iter().find(|name| rest.starts_with(name))?;
        let value = rest.get(name.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = value.get(..digits).filter(|_| digits < value.len())?;
        std::str::from_utf8(number).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(json: &str) -> Option<u64> {
        max_output_tokens(&[Bytes::copy_from_slice(json.as_bytes())])
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
    }

    #[test]
    fn what_only_looks_like_it_is_passed_over() {
        assert_eq!(of(r#"{"text":"say \"max_tokens\": 5"}"#), None);
        assert_eq!(of(r#"{"properties":{"max_tokens":{"type":"integer"}},"max_tokens":7}"#), Some(7));
        assert_eq!(of(r#"{"max_tokens":null}"#), None);
        assert_eq!(of(r#"{"max_tokens":99999999999999999999}"#), None);
        assert_eq!(max_output_tokens(&[]), None);
    }

    proptest! {
        #[test]
        fn how_the_body_came_makes_no_difference(cuts in prop::collection::vec(0_usize..200, 0..4), limit: u32) {
            let json = format!(r#"{{"messages":[{{"content":"{}"}}],"max_tokens": {limit} }}"#, "x".repeat(100));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(json.len())).collect();
            cuts.extend([0, json.len()]);
            cuts.sort_unstable();
            // Two cuts within one name leave it in three pieces: the seams are those of two.
            cuts.dedup_by(|next, kept| next.abs_diff(*kept) < SEAM && *next != json.len());
            let body = Bytes::from(json);
            let pieces: Vec<Bytes> = cuts.windows(2).map(|pair| body.slice(pair[0]..pair[1])).collect();
            prop_assert_eq!(max_output_tokens(&pieces), Some(limit.into()));
        }
    }
}
