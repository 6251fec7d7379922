//! The model that a request's body names, for operations whose path names none.

use super::members::{copied, members};
use crate::domain::ModelId;
use bytes::Bytes;

/// Where `StartAsyncInvoke` names it (bedrock-runtime service model 2023-09-30, `StartAsyncInvokeRequest`).
const MEMBER: &str = "modelId";

/// Returns the model of `StartAsyncInvoke`. One that is named twice is none: nothing tells which of them counts.
pub(crate) fn model_id(pieces: &[Bytes]) -> Option<ModelId> {
    let members = members(pieces, |name| name == MEMBER)?;
    let [member] = members.found.as_slice() else { return None };
    let text: String = serde_json::from_slice(&copied(pieces, &member.value)).ok()?;
    ModelId::parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_model_is_read_however_it_is_written() {
        for (body, expected) in [
            (r#"{"modelId":"amazon.nova-reel-v1:0"}"#, Some("amazon.nova-reel-v1:0")),
            (r#"{"x":{"modelId":"a"},"\u006dodelId" : "b\u0063"}"#, Some("bc")),
            (r#"{"modelId":"a","modelId":"a"}"#, None),
            (r#"{"modelId":["a"]}"#, None),
            (r#"{"modelId":"a b"}"#, None),
            (r#"{"modelId":"a""#, None),
            (r#"{"modelInput":{"modelId":"a"}}"#, None),
            ("", None),
        ] {
            let pieces: Vec<Bytes> = body.as_bytes().chunks(4).map(Bytes::copy_from_slice).collect();
            let model = model_id(&pieces);
            assert_eq!(model.as_ref().map(ModelId::as_str), expected, "{body}");
        }
    }
}
