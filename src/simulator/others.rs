//! The operations of the runtime that are no model calls: guardrails and asynchronous invocations.

use super::calls::{Call, text_bytes};
use super::play::count;
use super::refusal::Refusal;
use crate::domain::Region;
use crate::operation::decode;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A guardrail's text unit, in characters (Amazon Bedrock pricing, "Guardrails").
const TEXT_UNIT: u64 = 1000;
/// How many asynchronous invocations are remembered.
const MAX_INVOCATIONS: usize = 1000;
/// The account that the simulator's credentials and its invocations belong to by default; it is nobody's.
pub(super) const ACCOUNT: &str = "123456789012";

/// Returns `ApplyGuardrail`'s answer: a topic and a content policy looked, and found nothing.
pub(super) fn apply_guardrail(call: &Call) -> Result<Value, Refusal> {
    let request = call.json()?;
    if !request.get("content").is_some_and(Value::is_array) || request.get("source").is_none() {
        return Err(Refusal::validation("source and content are required"));
    }
    let characters = text_bytes(&request);
    let units = characters.div_ceil(TEXT_UNIT);
    Ok(json!({
        "usage": {
            "topicPolicyUnits": units,
            "contentPolicyUnits": units,
            "wordPolicyUnits": 0,
            "sensitiveInformationPolicyUnits": 0,
            "sensitiveInformationPolicyFreeUnits": 0,
            "contextualGroundingPolicyUnits": 0,
        },
        "action": "NONE",
        "outputs": [],
        "assessments": [{}],
        "guardrailCoverage": { "textCharacters": { "guarded": characters, "total": characters } },
    }))
}

/// Returns `InvokeGuardrailChecks`' answer: of each check that was asked for, no finding.
pub(super) fn guardrail_checks(call: &Call) -> Result<Value, Refusal> {
    let request = call.json()?;
    let checks = request.get("checks").and_then(Value::as_object);
    let checks = checks.ok_or_else(|| Refusal::validation("checks are required"))?;
    let units = text_bytes(&request).div_ceil(TEXT_UNIT);
    let asked = ["contentFilter", "promptAttack", "sensitiveInformation"]
        .into_iter()
        .filter(|name| checks.contains_key(*name));
    let results = asked.clone().map(|name| (name.to_owned(), json!({ "results": [] }))).collect();
    let usage = asked.map(|name| (name.to_owned(), json!({ "textUnits": units }))).collect();
    Ok(json!({ "results": Value::Object(results), "usage": Value::Object(usage) }))
}

/// The asynchronous invocations that were started, as `GetAsyncInvoke` tells of them.
#[derive(Debug, Default)]
pub(super) struct Invocations(Mutex<VecDeque<Value>>);

impl Invocations {
    fn list(&self) -> MutexGuard<'_, VecDeque<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `StartAsyncInvoke`'s answer; the invocation is done at once.
    pub(super) fn start(
        &self,
        call: &Call,
        region: &Region,
        request_id: &str,
        since_epoch: Duration,
    ) -> Result<Value, Refusal> {
        let request = call.json()?;
        let member = |name: &str| {
            request.get(name).cloned().ok_or_else(|| Refusal::validation(format!("{name} is required")))
        };
        let (model, output) = (member("modelId")?, member("outputDataConfig")?);
        member("modelInput")?;
        let model = model.as_str().unwrap_or_default();
        let id = request_id.replace('-', "");
        let id = id.get(id.len().saturating_sub(12)..).unwrap_or(&id);
        let arn = format!("arn:aws:bedrock:{region}:{ACCOUNT}:async-invoke/{id}");
        let now = timestamp(since_epoch);
        let invocation = json!({
            "invocationArn": arn,
            "modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{model}"),
            "clientRequestToken": request.get("clientRequestToken"),
            "status": "Completed",
            "submitTime": now,
            "lastModifiedTime": now,
            "endTime": now,
            "outputDataConfig": output,
        });
        let mut list = self.list();
        if list.len() == MAX_INVOCATIONS {
            list.pop_front();
        }
        list.push_back(invocation);
        Ok(json!({ "invocationArn": arn }))
    }

    /// Returns `GetAsyncInvoke`'s answer for the ARN at the end of that path.
    pub(super) fn get(&self, path: &str) -> Result<Value, Refusal> {
        let arn = path.strip_prefix("/async-invoke/").and_then(decode).unwrap_or_default();
        let list = self.list();
        let found = list.iter().find(|invocation| {
            invocation.get("invocationArn").and_then(Value::as_str).is_some_and(|known| known == arn)
        });
        found.cloned().ok_or_else(|| Refusal::validation(format!("Invocation {arn} does not exist.")))
    }

    /// Returns `ListAsyncInvokes`' answer, the oldest first.
    pub(super) fn page(&self, call: &Call) -> Result<Value, Refusal> {
        let status = call.parameter("statusEquals");
        let matches = |invocation: &&Value| {
            status.is_none() || invocation.get("status").and_then(Value::as_str) == status.as_deref()
        };
        let all: Vec<Value> = self.list().iter().filter(matches).cloned().collect();
        page(call, "asyncInvokeSummaries", all)
    }
}

/// Returns the page of a list that `maxResults` and `nextToken` ask for.
pub(super) fn page(call: &Call, name: &str, all: Vec<Value>) -> Result<Value, Refusal> {
    let number = |parameter: &str, default: usize| match call.parameter(parameter) {
        Some(text) => text.parse().map_err(|_| Refusal::validation(format!("{parameter} is invalid"))),
        None => Ok(default),
    };
    let (start, size) = (number("nextToken", 0)?, number("maxResults", 100)?);
    if !(1..=1000).contains(&size) {
        return Err(Refusal::validation("maxResults must be between 1 and 1000"));
    }
    let total = count(all.len());
    let end = start.saturating_add(size);
    let items: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let mut page = json!({ name: items });
    if count(end) < total {
        super::calls::merge(&mut page, json!({ "nextToken": end.to_string() }));
    }
    Ok(page)
}

/// Returns a time as rest-json writes it: `2026-01-02T03:04:05Z`.
pub(super) fn timestamp(since_epoch: Duration) -> String {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs());
    at.format(&Rfc3339).unwrap_or_default()
}
