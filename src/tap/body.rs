//! Reads a body that came as one JSON document.

use super::counts::{self, InputMay};
use super::family::{Billed, Family, Place};
use super::guardrail;
use super::lenient::Maybe;
use super::shapes::{Converse, Invoke};
use super::statements::Statements;
use crate::domain::{ModelId, Operation, Policy, Tokens, Unit, Usage, UsageSource};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::io::Read;

/// What a whole body states.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) usage: Usage,
    /// Where the statement stands; `None` where the body is JSON and states nothing.
    pub(super) source: Option<UsageSource>,
    pub(super) service_tier: Option<String>,
    pub(super) latency_tier: Option<String>,
    pub(super) invoked_model: Option<ModelId>,
}

/// Reads the body, or returns `None` where it is no JSON.
pub(super) fn read(
    operation: Operation,
    family: &Family,
    pieces: &[Bytes],
    raw: &mut Statements,
) -> Option<Statement> {
    match operation {
        Operation::Converse | Operation::ConverseStream => Some(converse(parse(pieces)?, family, raw)),
        Operation::InvokeModel | Operation::InvokeModelWithResponseStream => {
            Some(invoke(parse(pieces)?, family, raw))
        }
        Operation::ApplyGuardrail | Operation::InvokeGuardrailChecks => Some(guardrail(parse(pieces)?, raw)),
        Operation::CountTokens
        | Operation::StartAsyncInvoke
        | Operation::GetAsyncInvoke
        | Operation::ListAsyncInvokes => None,
    }
}

/// Tells whether the body is a whole JSON object. Reads all of it only where its last byte could end one.
pub(super) fn is_whole(pieces: &[Bytes]) -> bool {
    let last = pieces.iter().rev().find_map(|piece| piece.trim_ascii_end().last());
    last == Some(&b'}') && parse_json::<serde::de::IgnoredAny>(pieces).is_some()
}

/// Adds a guardrail's units to the usage.
pub(super) fn add_units(usage: &mut Usage, units: guardrail::Units) {
    usage.add(Unit::TextUnits, units.text);
    usage.add(Unit::GuardrailImages, units.images);
    for (policy, count) in Policy::ALL.into_iter().zip(units.policies) {
        usage.add_policy(policy, count);
    }
}

/// Returns whether Converse's `inputTokens` may include the cached ones.
pub(super) fn input_may(family: &Family) -> InputMay {
    if family.input_includes_cached { InputMay::IncludeCached } else { InputMay::ExcludeCached }
}

/// Tells whether tokens were stated as such: cache counts alone are no statement.
pub(super) fn is_stated(tokens: &Tokens) -> bool {
    tokens.input.is_some() || tokens.output.is_some()
}

fn converse(body: Converse, family: &Family, raw: &mut Statements) -> Statement {
    let mut statement = Statement {
        service_tier: body.service_tier.0.and_then(|tier| tier.name.0),
        latency_tier: body.performance_config.0.and_then(|config| config.latency.0),
        ..Statement::default()
    };
    if let Some(stated) = body.usage {
        statement.usage.tokens = counts::tokens(&stated, input_may(family));
        raw.put("usage", stated);
    }
    if let Some(trace) = body.trace.0 {
        statement.invoked_model = trace.invoked_model();
        add_units(&mut statement.usage, trace.guardrail.0);
    }
    statement.source = is_stated(&statement.usage.tokens).then_some(UsageSource::Converse);
    statement
}

fn invoke(body: Invoke, family: &Family, raw: &mut Statements) -> Statement {
    let mut statement = Statement::default();
    let mut top = body.top_counts();
    top.titan_output.0 = top.titan_output.0.or(body.results.0.output.0);
    raw.put_counts("body", &top);
    let mut tokens = top.tokens();
    for (place, stated) in
        [("metadata", body.metadata.0.and_then(|metadata| metadata.usage)), ("usage", body.usage)]
    {
        if let Some(stated) = stated {
            tokens = counts::fill(counts::tokens(&stated, InputMay::ExcludeCached), tokens);
            raw.put(place, stated);
        }
    }
    statement.usage.tokens = tokens;
    if let Some(trace) = body.trace.0 {
        add_units(&mut statement.usage, trace.guardrail.0);
    }
    let answered = family.place == Place::Answer
        && add_answer(&mut statement.usage, family, body.images.0.or(body.artifacts.0));
    statement.source = (answered || is_stated(&tokens)).then_some(UsageSource::InvokeBody);
    statement
}

/// Adds what an answer is billed by where that is no token, and tells whether the answer says it.
fn add_answer(usage: &mut Usage, family: &Family, images: Option<u64>) -> bool {
    match family.billed {
        Billed::Query => usage.add(Unit::Queries, 1),
        Billed::Images => usage.add(Unit::Images, images.unwrap_or(0)),
        Billed::Tokens | Billed::InputTokens => return false,
    }
    family.billed == Billed::Query || images.is_some()
}

fn guardrail(body: Converse, raw: &mut Statements) -> Statement {
    let mut statement = Statement::default();
    if let Some(stated) = body.usage
        && let Some(units) = guardrail::units(&stated)
    {
        add_units(&mut statement.usage, units);
        statement.source = Some(UsageSource::InvokeBody);
        raw.put("usage", stated);
    }
    statement
}

/// Returns the members of a JSON object; none where it is JSON, but no object.
pub(super) fn parse<T: DeserializeOwned + Default>(pieces: &[Bytes]) -> Option<T> {
    parse_json::<Maybe<T>>(pieces).map(|object| object.0.unwrap_or_default())
}

fn parse_json<T: DeserializeOwned>(pieces: &[Bytes]) -> Option<T> {
    match pieces {
        [whole] => serde_json::from_slice(whole).ok(),
        _ => serde_json::from_reader(Pieces { rest: pieces, at: 0 }).ok(),
    }
}

/// Reads pieces one after the other.
struct Pieces<'a> {
    rest: &'a [Bytes],
    at: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some((piece, later)) = self.rest.split_first() {
            let mut left = piece.get(self.at..).unwrap_or_default();
            if !left.is_empty() {
                let read = left.read(buffer)?;
                self.at = self.at.saturating_add(read);
                return Ok(read);
            }
            self.rest = later;
            self.at = 0;
        }
        Ok(0)
    }
}
