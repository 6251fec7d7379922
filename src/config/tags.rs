//! The tags that AWS takes (bedrock service model, `TagKey` and `TagValue`).

/// How many tags AWS takes of one profile (bedrock service model, `TooManyTagsException`); `aws:` tags do not count.
pub(crate) const MAX_TAGS: usize = 50;

/// The longest value of a tag, in bytes.
pub(crate) const MAX_VALUE: usize = 256;

/// Checks the key of a tag; `aws:` is AWS's own, `tollgate:` ours.
pub(crate) fn key(key: &str) -> Result<String, String> {
    if !(1..=128).contains(&key.len()) || !is_legal(key) {
        return Err(format!(
            "'{}' is no tag's key: use 1 to 128 of A-Z a-z 0-9 . _ : / = + @ - and spaces",
            key.escape_debug()
        ));
    }
    if ["aws:", "tollgate:"].iter().any(|taken| key.to_ascii_lowercase().starts_with(taken)) {
        return Err(format!("'{key}' is taken: no key of yours may begin with aws: or tollgate:"));
    }
    Ok(key.to_owned())
}

/// Checks the value of a tag.
pub(crate) fn value(value: &str) -> Result<(), String> {
    if value.len() <= MAX_VALUE && is_legal(value) {
        return Ok(());
    }
    Err(format!(
        "'{}' is no tag's value: use up to {MAX_VALUE} of A-Z a-z 0-9 . _ : / = + @ - and spaces",
        value.escape_debug()
    ))
}

/// Of white space, AWS would take more than spaces, which no report could show.
fn is_legal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._:/=+@-".contains(&b))
}
