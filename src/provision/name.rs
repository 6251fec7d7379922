//! Names and tokens of profiles that are to be made: always the same for the same profile, never for two.

use crate::discovery::Place;
use crate::domain::{ModelId, ProfileArn, ServiceName};
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The longest name of a profile (bedrock service model, `InferenceProfileName`).
const MAX_NAME: usize = 64;

/// How many hex digits of a hash tell apart what would else have the same name.
const HASH_DIGITS: usize = 12;

/// How much of a long model's id a name shows at least, however long the service's name.
const MODEL_SHARE: usize = 25;

/// Returns the name of a service's profile of a model: `[0-9a-zA-Z]` with single ` `, `_` or `-` between them, 1 to 64.
///
/// It is service and model with a space between them; where AWS does not take that, as much of it as it takes, and
/// a hash.
pub(crate) fn name(service: &ServiceName, source: &ModelId) -> String {
    let plain = format!("{service} {source}");
    if is_legal(&plain) {
        return plain;
    }
    let (service_words, source_words) = (words(service.as_str()), words(source.as_str()));
    let room = MAX_NAME - HASH_DIGITS - 2;
    let service_room = room.saturating_sub(source_words.len().min(MODEL_SHARE));
    let service_words = cut(&service_words, service_room);
    let source_words = cut(&source_words, room.saturating_sub(service_words.len()));
    let hash = digest([service.as_str(), source.as_str()]);
    let hash = hash.get(..HASH_DIGITS).unwrap_or_default();
    format!("{service_words} {source_words} {hash}")
}

/// Returns the token that AWS knows a request for a profile by (bedrock service model, `IdempotencyToken`).
///
/// The same request by another gateway, or again after a failure, has the same token, and so leads to one profile. AWS
/// remembers a token longer than its profile lives: `avoid` holds what it must not lead to again.
pub(super) fn token(
    service: &ServiceName,
    source: &ModelId,
    place: &Place,
    avoid: &BTreeSet<ProfileArn>,
) -> String {
    let parts = [service.as_str(), source.as_str(), place.region.as_str(), &place.account];
    format!("tollgate-{}", digest(parts.into_iter().chain(avoid.iter().map(ProfileArn::as_str))))
}

/// Returns 64 hex digits that differ where any of the parts does; no part holds a zero byte.
fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
        sha.update([0]);
    }
    hex(&sha.finalize())
}

/// Tells whether AWS takes a name (bedrock service model, `InferenceProfileName`): `([0-9a-zA-Z][ _-]?)+`.
fn is_legal(name: &str) -> bool {
    let mut after_word = false;
    let fits = name.bytes().all(|byte| {
        let is_word = byte.is_ascii_alphanumeric();
        let is_gap = matches!(byte, b' ' | b'_' | b'-') && after_word;
        after_word = is_word;
        is_word || is_gap
    });
    fits && (1..=MAX_NAME).contains(&name.len())
}

/// Returns the letters and digits of a text, with one `-` for all that is between them.
fn words(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // A model's id may be nothing but punctuation.
    if words.is_empty() { "model".to_owned() } else { words.join("-") }
}

fn cut(words: &str, room: usize) -> &str {
    words.get(..room).unwrap_or(words).trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Region;
    use proptest::prelude::*;

    fn name_of(service: &str, source: &str) -> String {
        name(&ServiceName::parse(service).unwrap(), &ModelId::parse(source).unwrap())
    }

    fn token_of(service: &str, source: &str, account: &str, avoid: &[&str]) -> String {
        let place = Place { region: Region::default(), account: account.to_owned() };
        let arn = |id: &&str| crate::discovery::tests::arn("us-west-2", id);
        let (service, source) = (ServiceName::parse(service).unwrap(), ModelId::parse(source).unwrap());
        token(&service, &source, &place, &avoid.iter().map(arn).collect())
    }

    #[test]
    fn names_show_service_and_model() {
        assert_eq!(name_of("checkout", "model-1"), "checkout model-1");
        assert_eq!(
            name_of("service-1", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
            "service-1 anthropic-claude-3-5-sonnet-20241022-v2-0 7236877aac6a"
        );
        assert_eq!(
            name_of(&"s".repeat(63), "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            "sssssssssssssssssssssssss us-anthropic-claude-sonne 50422eec2c24"
        );
        assert!(name_of("a", "::").starts_with("a model "));
    }

    #[test]
    fn legality_is_aws_s() {
        for legal in ["a", "a b", "a-b_c 1", "a-", &"a".repeat(64)] {
            assert!(is_legal(legal), "{legal}");
        }
        for bad in ["", " a", "-a", "a  b", "a--b", "a.b", "a:b", "é", &"a".repeat(65)] {
            assert!(!is_legal(bad), "{bad}");
        }
    }

    /// Names that lie close together.
    fn service() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c][a._-]{0,4}", "[a-z0-9][a-z0-9._-]{0,62}", "s{55,63}"]
            .prop_filter("reserved", |name| ServiceName::parse(name).is_ok())
    }

    fn source() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ab.:_-]{1,4}",
            "(us|global)\\.[a-z]{1,9}\\.[a-z0-9-]{1,60}-v1:0",
            "[A-Za-z0-9._:/-]{1,300}"
        ]
        .prop_filter("climbing", |id| ModelId::parse(id).is_ok())
    }

    proptest! {
        #[test]
        fn every_profile_has_a_legal_name_of_its_own(
            one in (service(), source()),
            other in (service(), source()),
        ) {
            let (first, second) = (name_of(&one.0, &one.1), name_of(&other.0, &other.1));
            prop_assert!(is_legal(&first), "{first}");
            prop_assert_eq!(&first, &name_of(&one.0, &one.1));
            prop_assert_eq!(first == second, one == other);
        }

        #[test]
        fn every_request_has_a_legal_token_of_its_own(
            one in (service(), source(), "[0-9]{12}", prop::sample::subsequence(vec!["p", "q"], 0..=2)),
            other in (service(), source(), "[0-9]{12}", prop::sample::subsequence(vec!["p", "q"], 0..=2)),
        ) {
            let first = token_of(&one.0, &one.1, &one.2, &one.3);
            let second = token_of(&other.0, &other.1, &other.2, &other.3);
            let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            prop_assert!(first.len() <= 256 && first.bytes().all(legal));
            prop_assert!(!first.starts_with('-') && !first.ends_with('-'));
            prop_assert_eq!(first == second, one == other);
        }
    }
}
