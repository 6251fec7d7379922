//! Answers to model calls.

use super::calls::{Call, Model, Reply, merge, text_bytes};
use super::families::{Counts, Family};
use super::play::Script;
use super::refusal::Refusal;
use super::steer::{Fault, Steering};
use super::truth::TokenTotals;
use super::{chunks, invoke, stream};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// The content type of event streams.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
/// Request headers that an answer repeats: what was asked for is what was used.
const ECHOED: [&str; 2] = ["x-amzn-bedrock-service-tier", "x-amzn-bedrock-performanceconfig-latency"];

/// A success.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The content type.
    pub(super) content_type: &'static str,
    /// Headers besides it.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(super) script: Script,
}

impl Answer {
    /// A JSON body.
    pub(super) fn json(value: &Value) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            headers: Vec::new(),
            script: Script::whole(value.to_string()),
        }
    }

    fn stream(script: Script) -> Self {
        Self { status: 200, content_type: EVENT_STREAM, headers: Vec::new(), script }
    }
}

/// A call of a model.
#[derive(Debug)]
pub(super) struct ModelCall<'a> {
    /// The request.
    pub(super) call: &'a Call,
    /// Its JSON.
    pub(super) request: Value,
    /// The model.
    pub(super) model: Model,
    /// The answer's id.
    pub(super) request_id: &'a str,
    /// What the request asks of its answer.
    pub(super) steering: &'a Steering,
}

impl ModelCall<'_> {
    fn reply(&self) -> Reply<'_> {
        Reply::new(&self.model, &self.request, self.request_id, self.steering)
    }

    fn check_messages(&self) -> Result<(), Refusal> {
        let messages = self.request.get("messages").and_then(Value::as_array);
        if messages.is_some_and(|messages| !messages.is_empty()) {
            return Ok(());
        }
        let message = "A conversation must start with a user message. \
            Try again with a conversation that starts with a user message.";
        Err(Refusal::validation(message))
    }

    /// Refuses what Converse does: no messages, and models that hold no conversation.
    fn check_converse(&self) -> Result<(), Refusal> {
        self.check_messages()?;
        let converses = self.model.family.counts() == Counts::All && self.model.family != Family::Jurassic;
        if converses { Ok(()) } else { Err(Refusal::validation("This action doesn't support the model.")) }
    }

    /// Refuses bodies that are not the family's; only messages are looked for.
    fn check_invoke(&self) -> Result<(), Refusal> {
        if matches!(self.model.family, Family::Claude | Family::Nova) {
            self.check_messages()
        } else {
            Ok(())
        }
    }

    /// Returns the members of Converse's request that its answer repeats: what was asked for is what was used.
    fn echoed_members(&self) -> Value {
        let mut members = json!({});
        for name in ["serviceTier", "performanceConfig"] {
            if let Some(value) = self.request.get(name) {
                merge(&mut members, json!({ name: value }));
            }
        }
        members
    }

    fn echoed_headers(&self) -> Vec<(&'static str, String)> {
        let echo = |name| Some((name, self.call.headers.get(name)?.to_str().ok()?.to_owned()));
        ECHOED.into_iter().filter_map(echo).collect()
    }

    /// Returns a stream of the messages, broken off by an exception if that is asked for.
    fn script(&self, mut messages: Vec<Bytes>, stated: Option<TokenTotals>) -> Result<Script, Refusal> {
        let Some(Fault::Exception { after, kind }) = &self.steering.fault else {
            return Ok(Script::stream(messages, stated));
        };
        let is_stated = *after >= messages.len();
        messages.truncate(*after);
        let mut script = Script::stream(messages, stated.filter(|_| is_stated));
        script.pieces.push(stream::exception(kind)?);
        Ok(script)
    }
}

/// Answers Converse.
pub(super) fn converse(call: &ModelCall<'_>) -> Result<Answer, Refusal> {
    call.check_converse()?;
    let reply = call.reply();
    let mut body = invoke::converse(&reply);
    merge(&mut body, call.echoed_members());
    let mut answer = Answer::json(&body);
    answer.script.stated = reply.is_metered.then_some(reply.tokens);
    Ok(answer)
}

/// Answers ConverseStream.
pub(super) fn converse_stream(call: &ModelCall<'_>) -> Result<Answer, Refusal> {
    call.check_converse()?;
    let reply = call.reply();
    let messages = chunks::converse(&reply, call.steering.chunks.get(), call.echoed_members())?;
    let stated = reply.is_metered.then_some(reply.tokens);
    Ok(Answer::stream(call.script(messages, stated)?))
}

/// Answers InvokeModel.
pub(super) fn invoke_model(call: &ModelCall<'_>) -> Result<Answer, Refusal> {
    call.check_invoke()?;
    let reply = call.reply();
    let mut answer = Answer::json(&invoke::body(&reply));
    let counts = invoke::count_headers(&reply);
    answer.headers = call.echoed_headers();
    answer.headers.extend(counts.into_iter().map(|(name, tokens)| (name, tokens.to_string())));
    answer.headers.push(("x-amzn-bedrock-invocation-latency", invoke::LATENCY_MS.to_string()));
    answer.script.stated = invoke::stated(&reply);
    Ok(answer)
}

/// Answers `InvokeModelWithResponseStream`.
pub(super) fn invoke_model_stream(call: &ModelCall<'_>) -> Result<Answer, Refusal> {
    call.check_invoke()?;
    let reply = call.reply();
    let messages = chunks::invoke(&reply, call.steering.chunks.get())?;
    let stated = invoke::stated(&reply);
    let script = call.script(messages, stated)?;
    let mut answer = Answer::stream(script);
    answer.headers = call.echoed_headers();
    answer.headers.push(("x-amzn-bedrock-content-type", "application/json".to_owned()));
    Ok(answer)
}

/// Answers `CountTokens`, which takes no application inference profile.
pub(super) fn count_tokens(call: &ModelCall<'_>) -> Result<Answer, Refusal> {
    if call.model.by_profile {
        return Err(Refusal::validation("The provided model identifier is invalid."));
    }
    let invalid = || Refusal::validation("input must be invokeModel with a body in base64, or converse");
    let inner = match call.request.pointer("/input/invokeModel/body").and_then(Value::as_str) {
        Some(body) => {
            let body = STANDARD.decode(body).map_err(|_| invalid())?;
            serde_json::from_slice(&body).map_err(|_| invalid())?
        }
        None => call.request.pointer("/input/converse").cloned().ok_or_else(invalid)?,
    };
    let tokens = call.steering.tokens(text_bytes(&inner), 0);
    Ok(Answer::json(&json!({ "inputTokens": tokens.input })))
}
