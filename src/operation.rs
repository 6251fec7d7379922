//! From a request's method and path to a known operation and what it addresses.
//!
//! Clients encode the model id in several ways, and some send its slashes raw, so a path is matched from its
//! end and the id decoded once. The gateway lends its credentials only to operations that it knows: all else is
//! refused here.

use crate::domain::Operation;
use http::Method;
use std::borrow::Cow;

/// What a request asks for, borrowed from its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The operation.
    pub operation: Operation,
    /// What the path names as the service (`/s/{service}/...`), as it came; empty counts as absent.
    pub service: Option<&'a str>,
    /// What the operation addresses.
    pub resource: Resource<'a>,
}

/// What an operation addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A model, by the path segment as it came on the wire.
    Model(&'a str),
    /// No model: the path to send upstream, encoded anew.
    Path(String),
}

/// Why a request asks for nothing that the gateway does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// The path or the method belongs to no operation.
    #[error(
        "no operation of the Bedrock runtime has this method and path; model calls are POST /model/{{modelId}}/converse, \
         converse-stream, invoke, invoke-with-response-stream or count-tokens, after an optional /s/{{service}}"
    )]
    Unknown,
    /// The bidirectional stream is not offered.
    #[error(
        "InvokeModelWithBidirectionalStream is not supported by this gateway; call Bedrock directly for it"
    )]
    Unsupported,
    /// Nothing stands where the model's id should.
    #[error("the path names no model: put its id between /model/ and the operation")]
    NoModel,
    /// An id in the path is malformed.
    #[error(
        "the {0} in the path is malformed: percent-encode it once, as the AWS SDKs do, \
         and use only A-Z a-z 0-9 . _ : / -"
    )]
    Malformed(&'static str),
}

/// Tells which operation a method and a raw path stand for.
pub fn parse<'a>(method: &Method, path: &'a str) -> Result<Target<'a>, OperationError> {
    let (service, path) = split_service(path);
    if let Some((operation, id)) = model_call(method, path)? {
        return Ok(Target { operation, service, resource: Resource::Model(id) });
    }
    let (operation, upstream) = other_call(method, path)?.ok_or(OperationError::Unknown)?;
    Ok(Target { operation, service, resource: Resource::Path(upstream) })
}

/// Takes `/s/{service}` off the front.
pub(crate) fn split_service(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/s/") else { return (None, path) };
    match rest.find('/') {
        Some(end) => {
            let (service, path) = rest.split_at(end);
            ((!service.is_empty()).then_some(service), path)
        }
        None => (None, path),
    }
}

/// Matches `{prefix}/model/{id}/{operation}`.
fn model_call<'a>(method: &Method, path: &'a str) -> Result<Option<(Operation, &'a str)>, OperationError> {
    let Some((head, name)) = path.rsplit_once('/') else { return Ok(None) };
    let operation = match name {
        "converse" => Some(Operation::Converse),
        "converse-stream" => Some(Operation::ConverseStream),
        "invoke" => Some(Operation::InvokeModel),
        "invoke-with-response-stream" => Some(Operation::InvokeModelWithResponseStream),
        "count-tokens" => Some(Operation::CountTokens),
        "invoke-with-bidirectional-stream" => None,
        _ => return Ok(None),
    };
    let after_prefix = head.strip_prefix("/model/").map(|id| ("", id)).or_else(|| head.split_once("/model/"));
    let Some((prefix, id)) = after_prefix else { return Ok(None) };
    if method != Method::POST {
        return Err(OperationError::Unknown);
    }
    check_prefix(prefix)?;
    if id.is_empty() {
        return Err(OperationError::NoModel);
    }
    operation.map(|operation| Some((operation, id))).ok_or(OperationError::Unsupported)
}

/// Matches the operations that carry no model in their path, and encodes their path anew.
fn other_call(method: &Method, path: &str) -> Result<Option<(Operation, String)>, OperationError> {
    if let Some((prefix, rest)) = path.split_once("/guardrail/").filter(|_| path.ends_with("/apply")) {
        let Some((id, version)) = rest.strip_suffix("/apply").and_then(|rest| rest.rsplit_once("/version/"))
        else {
            return Ok(None);
        };
        let path = format!(
            "/guardrail/{}/version/{}/apply",
            recode(id, "guardrail id")?,
            recode(version, "guardrail version")?
        );
        return only(method, &Method::POST, prefix, Operation::ApplyGuardrail, path);
    }
    if let Some(prefix) = path.strip_suffix("/guardrail-checks/invoke") {
        let path = "/guardrail-checks/invoke".to_owned();
        return only(method, &Method::POST, prefix, Operation::InvokeGuardrailChecks, path);
    }
    if let Some(prefix) = path.strip_suffix("/async-invoke") {
        let operation =
            if method == Method::GET { Operation::ListAsyncInvokes } else { Operation::StartAsyncInvoke };
        let expected = if method == Method::GET { Method::GET } else { Method::POST };
        return only(method, &expected, prefix, operation, "/async-invoke".to_owned());
    }
    if let Some((prefix, arn)) = path.split_once("/async-invoke/") {
        let path = format!("/async-invoke/{}", recode(arn, "invocation ARN")?);
        return only(method, &Method::GET, prefix, Operation::GetAsyncInvoke, path);
    }
    Ok(None)
}

fn only(
    method: &Method,
    expected: &Method,
    prefix: &str,
    operation: Operation,
    path: String,
) -> Result<Option<(Operation, String)>, OperationError> {
    if method != expected {
        return Err(OperationError::Unknown);
    }
    check_prefix(prefix)?;
    Ok(Some((operation, path)))
}

/// Accepts what a base URL may carry before the API's own path; it is not sent on.
fn check_prefix(prefix: &str) -> Result<(), OperationError> {
    let plain =
        prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/'));
    let climbs = prefix.split('/').any(|segment| matches!(segment, "." | ".."));
    if plain && !climbs { Ok(()) } else { Err(OperationError::Malformed("prefix")) }
}

fn recode(raw: &str, what: &'static str) -> Result<String, OperationError> {
    let text = decode(raw).ok_or(OperationError::Malformed(what))?;
    crate::domain::ModelId::parse(&text).map_err(|_| OperationError::Malformed(what))?;
    Ok(encode(&text))
}

/// Decodes percent-escapes once; `None` where an escape is malformed or the result is no UTF-8.
pub fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Writes every byte outside `A-Za-z0-9-_.~` as upper-case `%XX`: the form that the AWS SDKs send.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    push_encoded(&mut encoded, text);
    encoded
}

/// Appends a text, encoded.
pub fn push_encoded(encoded: &mut String, text: &str) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(digit(byte >> 4));
            encoded.push(digit(byte & 15));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456";

    fn post(path: &str) -> Result<Target<'_>, OperationError> {
        parse(&Method::POST, path)
    }

    fn id(path: &str) -> String {
        match post(path).unwrap().resource {
            Resource::Model(raw) => decode(raw).unwrap().into_owned(),
            Resource::Path(path) => panic!("{path}"),
        }
    }

    #[test]
    fn every_encoding_of_the_model_segment_is_understood() {
        for segment in [
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123def456",
            "arn%3aaws%3abedrock%3aus-east-1%3a123456789012%3aapplication-inference-profile%2fabc123def456",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc123def456",
            ARN,
        ] {
            for prefix in ["", "/s/checkout", "/bedrock", "/s/checkout/bedrock/v1"] {
                assert_eq!(id(&format!("{prefix}/model/{segment}/converse")), ARN);
            }
        }
    }

    #[test]
    fn the_service_prefix_is_taken_off() {
        assert_eq!(post("/s/checkout/model/m/invoke").unwrap().service, Some("checkout"));
        assert_eq!(post("/s//model/m/invoke").unwrap().service, None);
        assert_eq!(post("/model/m/invoke").unwrap().service, None);
    }

    #[test]
    fn every_operation_is_known_by_its_method_and_path() {
        let cases = [
            (Method::POST, "/model/m/converse", Operation::Converse),
            (Method::POST, "/model/m/converse-stream", Operation::ConverseStream),
            (Method::POST, "/model/m/invoke", Operation::InvokeModel),
            (Method::POST, "/model/m/invoke-with-response-stream", Operation::InvokeModelWithResponseStream),
            (Method::POST, "/model/m/count-tokens", Operation::CountTokens),
            (Method::POST, "/guardrail/g1/version/DRAFT/apply", Operation::ApplyGuardrail),
            (Method::POST, "/guardrail-checks/invoke", Operation::InvokeGuardrailChecks),
            (Method::POST, "/async-invoke", Operation::StartAsyncInvoke),
            (Method::GET, "/async-invoke", Operation::ListAsyncInvokes),
            (Method::GET, "/async-invoke/arn%3Aaws%3Ab", Operation::GetAsyncInvoke),
        ];
        for (method, path, operation) in cases {
            assert_eq!(parse(&method, path).unwrap().operation, operation, "{path}");
            assert_eq!(parse(&Method::PUT, path), Err(OperationError::Unknown), "{path}");
        }
        let guardrail = "/guardrail/arn:aws:bedrock:us-west-2:123456789012:guardrail/g1/version/1/apply";
        let Resource::Path(path) = post(guardrail).unwrap().resource else { panic!("no path") };
        assert!(path.ends_with("guardrail%2Fg1/version/1/apply"), "{path}");
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        for path in [
            "/",
            "/model",
            "/model/m",
            "/model/m/delete",
            "/inference-profiles",
            "/s/checkout",
            "/s/a/b",
            "*",
        ] {
            assert_eq!(post(path), Err(OperationError::Unknown), "{path}");
        }
        assert_eq!(post("/model/m/invoke-with-bidirectional-stream"), Err(OperationError::Unsupported));
        assert_eq!(post("/model//converse"), Err(OperationError::NoModel));
        for path in ["/../model/m/converse", "/%2e%2e/model/m/converse"] {
            assert!(matches!(post(path), Err(OperationError::Malformed(_))), "{path}");
        }
    }

    #[test]
    fn malformed_escapes_do_not_decode() {
        for raw in ["%", "%2", "%zz", "a%2", "%+1", "%ff"] {
            assert_eq!(decode(raw), None, "{raw}");
        }
        assert_eq!(decode("%253A").unwrap(), "%3A");
    }

    proptest::proptest! {
        #[test]
        fn decoding_undoes_encoding(text in ".*") {
            let encoded = encode(&text);
            proptest::prop_assert_eq!(decode(&encoded).unwrap(), text);
        }
    }
}
