//! What members of requests may hold (bedrock service model 2023-04-20, patterns of the shapes).

use super::super::refusal::Refusal;
use serde_json::Value;
use std::collections::BTreeMap;

/// The most tags that a resource may have (Amazon Bedrock, "Tagging resources").
const MAX_TAGS: usize = 50;
/// The most tags that a request may carry (`TagList`).
const MAX_TAGS_IN_REQUEST: usize = 200;

/// Returns a member that must be there as text.
pub(super) fn required<'a>(request: &'a Value, member: &str) -> Result<&'a str, Refusal> {
    optional(request, member)?.ok_or_else(|| {
        Refusal::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
             Member must not be null"
        ))
    })
}

/// Returns a member that must be text if it is there.
pub(super) fn optional<'a>(request: &'a Value, member: &str) -> Result<Option<&'a str>, Refusal> {
    match request.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::validation(format!("{member} must be a string"))),
    }
}

/// Says that a text is not of its shape.
fn mismatch(member: &str, text: &str, pattern: &str) -> Refusal {
    Refusal::validation(format!(
        "1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: {pattern}"
    ))
}

/// Checks `InferenceProfileName`.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let holds = name.len() <= 64 && is_words(name, |byte| byte.is_ascii_alphanumeric());
    let mismatch = || mismatch("inferenceProfileName", name, "([0-9a-zA-Z][ _-]?)+");
    holds.then_some(()).ok_or_else(mismatch)
}

/// Checks `InferenceProfileDescription`.
pub(super) fn check_description(description: &str) -> Result<(), Refusal> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.');
    let holds = description.len() <= 200 && is_words(description, is_word);
    let mismatch = || mismatch("description", description, "([0-9a-zA-Z:.][ _-]?)+");
    holds.then_some(()).ok_or_else(mismatch)
}

/// Checks `IdempotencyToken`.
pub(super) fn check_token(token: &str) -> Result<(), Refusal> {
    let legal = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let holds = (1..=256).contains(&token.len()) && legal && !token.starts_with('-') && !token.ends_with('-');
    let pattern = "[a-zA-Z0-9]([-a-zA-Z0-9]{0,254}[a-zA-Z0-9])?";
    holds.then_some(()).ok_or_else(|| mismatch("clientRequestToken", token, pattern))
}

/// Tells whether a text is of such bytes, each followed by at most one separator.
fn is_words(text: &str, is_word: impl Fn(u8) -> bool) -> bool {
    let mut may_separate = false;
    text.bytes().all(|byte| {
        let is_separator = matches!(byte, b' ' | b'_' | b'-') && may_separate;
        may_separate = is_word(byte);
        may_separate || is_separator
    }) && !text.is_empty()
}

/// Returns the tags of a request.
pub(super) fn tags(request: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let list = match request.get("tags") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(list) => list.as_array().ok_or_else(|| Refusal::validation("tags must be a list"))?,
    };
    if list.len() > MAX_TAGS_IN_REQUEST {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: \
             Member must have length less than or equal to 200",
        ));
    }
    let mut tags = BTreeMap::new();
    for tag in list {
        let (key, value) = (required(tag, "key")?, required(tag, "value")?);
        check_key(key)?;
        if !is_tag_text(value, 256) {
            return Err(mismatch("tags.member.value", value, TAG_PATTERN));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Refusal::validation(format!("The tag key {key} is given more than once.")));
        }
    }
    Ok(tags)
}

/// Returns the keys of `UntagResource`.
pub(super) fn tag_keys(request: &Value) -> Result<Vec<&str>, Refusal> {
    let list = request.get("tagKeys").and_then(Value::as_array);
    let list = list.ok_or_else(|| Refusal::validation("tagKeys must be a list"))?;
    let mut keys = Vec::new();
    for key in list {
        let key = key.as_str().ok_or_else(|| Refusal::validation("tagKeys must be strings"))?;
        check_key(key)?;
        keys.push(key);
    }
    Ok(keys)
}

const TAG_PATTERN: &str = r"[a-zA-Z0-9\s._:/=+@-]*";

fn check_key(key: &str) -> Result<(), Refusal> {
    if key.is_empty() || !is_tag_text(key, 128) {
        return Err(mismatch("tags.member.key", key, TAG_PATTERN));
    }
    // Tag Editor user guide, "Tag naming limits and requirements".
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(Refusal::validation("The tag keys that begin with aws: are reserved."));
    }
    Ok(())
}

fn is_tag_text(text: &str, longest: usize) -> bool {
    let legal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'\t'..=b'\r' | b' ' | b'.' | b'_' | b':' | b'/' | b'=' | b'+' | b'@' | b'-')
    };
    text.len() <= longest && text.bytes().all(legal)
}

/// Refuses more tags than a resource may have.
pub(super) fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() <= MAX_TAGS {
        return Ok(());
    }
    let message = format!("The resource would have {} tags; it may have {MAX_TAGS}.", tags.len());
    Err(Refusal { status: 400, kind: "TooManyTagsException", message })
}
