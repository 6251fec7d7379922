//! The little of Bedrock's control plane that reads profiles and their tags (bedrock service model 2023-04-20).

use super::SimulatedProfile;
use super::calls::Call;
use super::others::{page, timestamp};
use super::refusal::Refusal;
use crate::domain::{ModelId, ProfileArn, Region};
use crate::operation::decode;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// When every profile was made: 2026-01-02T03:04:05Z.
const MADE_AT: Duration = Duration::from_secs(1_767_323_045);

/// Returns the answer, or `None` where the request is not for the control plane.
pub(super) fn answer(
    call: &Call,
    profiles: &[SimulatedProfile],
    region: &Region,
) -> Option<Result<Value, Refusal>> {
    let own = || profiles.iter().filter(|profile| region_of(profile).as_ref() == Some(region));
    match (&call.method, call.path.as_str()) {
        (&Method::GET, "/inference-profiles") => Some(list(call, own())),
        (&Method::POST, "/listTagsForResource") => Some(tags(call, own())),
        (&Method::GET, path) => {
            let wanted = decode(path.strip_prefix("/inference-profiles/")?).unwrap_or_default();
            let found = own().find(|profile| profile.arn == wanted || id_of(profile) == wanted);
            let missing = || Refusal::not_found(format!("No profile {wanted}."));
            Some(found.map(summary).ok_or_else(missing))
        }
        _ => None,
    }
}

fn region_of(profile: &SimulatedProfile) -> Option<Region> {
    ProfileArn::parse(&profile.arn).ok().map(|arn| arn.region().clone())
}

fn id_of(profile: &SimulatedProfile) -> &str {
    profile.arn.rsplit_once('/').map_or("", |(_, id)| id)
}

/// Lists the profiles of the region; no system-defined ones are simulated.
fn list<'a>(call: &Call, profiles: impl Iterator<Item = &'a SimulatedProfile>) -> Result<Value, Refusal> {
    let all = match call.parameter("type").as_deref() {
        None | Some("APPLICATION") => profiles.map(summary).collect(),
        Some("SYSTEM_DEFINED") => Vec::new(),
        Some(_) => return Err(Refusal::validation("type must be SYSTEM_DEFINED or APPLICATION")),
    };
    page(call, "inferenceProfileSummaries", all)
}

/// Returns what `GetInferenceProfile` says, which is what the list says of each.
fn summary(profile: &SimulatedProfile) -> Value {
    let (region, made_at) = (region_of(profile), timestamp(MADE_AT));
    let model = ModelId::parse(&profile.source_model);
    let model = model.as_ref().map_or(profile.source_model.as_str(), ModelId::foundation_model);
    let region = region.as_ref().map_or("", Region::as_str);
    json!({
        "inferenceProfileName": format!("simulated {}", id_of(profile)),
        "inferenceProfileArn": profile.arn,
        "inferenceProfileId": id_of(profile),
        "models": [{ "modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{model}") }],
        "status": "ACTIVE",
        "type": "APPLICATION",
        "createdAt": made_at,
        "updatedAt": made_at,
    })
}

fn tags<'a>(call: &Call, mut profiles: impl Iterator<Item = &'a SimulatedProfile>) -> Result<Value, Refusal> {
    let request = call.json()?;
    let arn = request.get("resourceARN").and_then(Value::as_str);
    let arn = arn.ok_or_else(|| Refusal::validation("resourceARN is required"))?;
    let found = profiles.find(|profile| profile.arn == arn);
    let found = found.ok_or_else(|| Refusal::not_found(format!("No resource {arn}.")))?;
    let tags: Vec<Value> =
        found.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    Ok(json!({ "tags": tags }))
}
