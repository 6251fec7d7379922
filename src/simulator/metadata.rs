//! The rules of request metadata (bedrock-runtime service model 2023-09-30, `RequestMetadata` and `InvokeModelRequest`).

use super::calls::Call;
use super::refusal::Refusal;
use super::verify::text;
use crate::domain::Operation;
use serde_json::Value;

/// The longest header, in characters.
const MAX_HEADER: usize = 8500;

/// Refuses metadata that Bedrock does not take: a map of 1 to 16 entries, with keys of 1 to 256 and values of up to 256 of
/// `[a-zA-Z0-9\s:_@$#=/+,-.]`.
pub(super) fn check(call: &Call, operation: Operation) -> Result<(), Refusal> {
    let metadata = match operation {
        Operation::InvokeModel | Operation::InvokeModelWithResponseStream => {
            let Some(header) = text(&call.headers, "x-amzn-bedrock-request-metadata") else { return Ok(()) };
            if header.len() > MAX_HEADER {
                return Err(Refusal::validation("The request metadata is too long."));
            }
            serde_json::from_str(header).unwrap_or(Value::Bool(false))
        }
        Operation::Converse | Operation::ConverseStream => {
            let Ok(mut request) = call.json() else { return Ok(()) };
            request.get_mut("requestMetadata").map(Value::take).unwrap_or_default()
        }
        Operation::CountTokens
        | Operation::ApplyGuardrail
        | Operation::InvokeGuardrailChecks
        | Operation::StartAsyncInvoke
        | Operation::GetAsyncInvoke
        | Operation::ListAsyncInvokes => return Ok(()),
    };
    if is_legal(&metadata) { Ok(()) } else { Err(Refusal::validation("The request metadata is malformed.")) }
}

fn is_legal(metadata: &Value) -> bool {
    let fits = |text: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || ":_@$#=/+,-.".contains(c);
        text.chars().count() <= 256 && text.chars().all(legal)
    };
    match metadata {
        Value::Null => true,
        Value::Object(entries) => {
            let legal = |(key, value): (&String, &Value)| {
                !key.is_empty() && fits(key) && value.as_str().is_some_and(fits)
            };
            (1..=16).contains(&entries.len()) && entries.iter().all(legal)
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_bedrock_takes_is_legal() {
        for legal in [Value::Null, json!({ "a": "" }), json!({ "a b:_@$#=/+,-.": "x".repeat(256) })] {
            assert!(is_legal(&legal), "{legal}");
        }
        let many: Value =
            (0..17).map(|n| (n.to_string(), "v".into())).collect::<serde_json::Map<_, _>>().into();
        for illegal in [
            json!({}),
            json!([]),
            json!("a"),
            json!({ "a": 1 }),
            json!({ "": "a" }),
            json!({ "ä": "a" }),
            json!({ "a": "(b)" }),
            json!({ "a": "x".repeat(257) }),
            many,
        ] {
            assert!(!is_legal(&illegal), "{illegal}");
        }
    }
}
