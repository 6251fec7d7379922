//! A request as it came, and the model call that it is.

use super::control::{ControlPlane, Signed};
use super::families::{self, Family};
use super::refusal::Refusal;
use super::steer::Steering;
use super::truth::TokenTotals;
use crate::domain::{ModelId, ProfileArn};
use crate::operation::decode;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// A request, read to its end.
#[derive(Debug)]
pub(super) struct Call {
    /// The method.
    pub(super) method: Method,
    /// The path as it was on the wire.
    pub(super) path: String,
    /// The query as it was on the wire, without `?`.
    pub(super) query: String,
    /// All headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Bytes,
    /// SHA-256 of the body.
    pub(super) body_sha256: [u8; 32],
}

/// The members of a request's JSON whose strings are text that a model reads.
const TEXTS: [&str; 10] = [
    "text",
    "content",
    "prompt",
    "inputText",
    "system",
    "message",
    "messages",
    "query",
    "texts",
    "documents",
];

/// The reply's text is this, over and over.
const WORDS: &str = "The simulator answers with plain words, and with as many of them as it was asked for. ";
/// Length of the reply's text, in bytes, where the request names none.
const DEFAULT_TEXT: usize = 120;

impl Call {
    /// Returns the body as a JSON object.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let malformed =
            || Refusal::validation("Malformed input request, please reformat your input and try again.");
        let value: Value = serde_json::from_slice(&self.body).map_err(|_| malformed())?;
        if value.is_object() { Ok(value) } else { Err(malformed()) }
    }

    /// Returns a parameter of the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        member(&self.query, name)
    }

    /// Returns a member of the body, which is a form, decoded.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        member(std::str::from_utf8(&self.body).ok()?, name)
    }
}

/// Returns a member of `a=b&c=d`, decoded.
fn member(pairs: &str, name: &str) -> Option<String> {
    let mut pairs = pairs.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    decode(&value.replace('+', " ")).map(std::borrow::Cow::into_owned)
}

/// The model that a path addresses.
#[derive(Debug)]
pub(super) struct Model {
    /// The foundation model's id.
    pub(super) id: String,
    /// Its family.
    pub(super) family: Family,
    /// Whether an application inference profile led to it.
    pub(super) by_profile: bool,
}

impl Model {
    /// Finds the model that a decoded id names, for whoever signed and the region they signed for.
    pub(super) fn find(
        addressed: &str,
        control: &ControlPlane,
        signed: &Signed,
        permission: &str,
    ) -> Result<Self, Refusal> {
        let invalid = || Refusal::validation("The provided model identifier is invalid.");
        let by_profile = addressed.contains(":application-inference-profile/");
        let source = if by_profile {
            let arn = ProfileArn::parse(addressed).map_err(|_| invalid())?;
            if arn.account() != signed.caller.account {
                return Err(Refusal::denied(&signed.caller.arn, permission, addressed));
            }
            let found = control.source_of(addressed);
            let found = found.ok_or_else(|| Refusal::not_found(format!("No profile has the ARN {arn}.")))?;
            if *arn.region() != signed.region {
                return Err(invalid());
            }
            found
        } else {
            addressed.to_owned()
        };
        let id = ModelId::parse(&source).map_err(|_| invalid())?;
        let id = id.foundation_model();
        Ok(Self { id: id.to_owned(), family: families::of(id), by_profile })
    }
}

/// All that a model's answer is made of.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    /// The model.
    pub(super) model: &'a Model,
    /// The request's JSON.
    pub(super) request: &'a Value,
    /// The answer's id.
    pub(super) request_id: &'a str,
    /// What the model says.
    pub(super) text: String,
    /// What it used.
    pub(super) tokens: TokenTotals,
    /// Whether the answer states it.
    pub(super) is_metered: bool,
}

impl<'a> Reply<'a> {
    /// Makes up what the model says and used.
    pub(super) fn new(
        model: &'a Model,
        request: &'a Value,
        request_id: &'a str,
        steering: &Steering,
    ) -> Self {
        let length = steering.text_bytes.unwrap_or(DEFAULT_TEXT);
        let text: String = WORDS.chars().cycle().take(length).collect();
        let tokens = steering.tokens(text_bytes(request), super::play::count(text.len()));
        Self { model, request, request_id, text, tokens, is_metered: steering.is_metered() }
    }

    /// Cuts the text into that many pieces of about the same length.
    pub(super) fn pieces(&self, count: usize) -> Vec<&str> {
        let (short, longer) = (
            self.text.len().checked_div(count).unwrap_or(0),
            self.text.len().checked_rem(count).unwrap_or(0),
        );
        let mut rest = self.text.as_str();
        let mut pieces = Vec::with_capacity(count);
        for at in 0..count {
            let length = if at < longer { short.saturating_add(1) } else { short };
            let (piece, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
            pieces.push(piece);
            rest = tail;
        }
        pieces
    }

    /// Adds members to an object, if the answer states its usage.
    pub(super) fn metered(&self, mut object: Value, members: Value) -> Value {
        if self.is_metered {
            merge(&mut object, members);
        }
        object
    }
}

/// Adds one object's members to another's.
pub(super) fn merge(object: &mut Value, members: Value) {
    if let (Value::Object(object), Value::Object(members)) = (object, members) {
        object.extend(members);
    }
}

/// Counts the bytes of text in a request.
pub(super) fn text_bytes(request: &Value) -> u64 {
    fn walk(name: &str, value: &Value) -> u64 {
        match value {
            Value::String(text) if TEXTS.contains(&name) => super::play::count(text.len()),
            Value::Array(items) => items.iter().map(|item| walk(name, item)).fold(0, u64::saturating_add),
            Value::Object(members) => {
                members.iter().map(|(name, value)| walk(name, value)).fold(0, u64::saturating_add)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    walk("", request)
}
