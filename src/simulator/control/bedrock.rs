//! Bedrock's control plane, as far as it is about inference profiles (bedrock service model 2023-04-20).

use super::super::calls::merge;
use super::super::others::timestamp;
use super::super::refusal::Refusal;
use super::estate::{Estate, FIRST, Profile, Token};
use super::gate::Trouble;
use super::patterns::{
    check_count, check_description, check_name, check_token, optional, required, tag_keys, tags,
};
use super::system::{self, SystemProfile};
use super::{ControlPlane, Order};
use crate::domain::ProfileArn;
use crate::operation::decode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many profiles a page has where the request names no number; AWS documents none.
const DEFAULT_PAGE: usize = 100;
/// When the system-defined profiles were made: 2025-01-01T00:00:00Z.
const SYSTEM_MADE_AT: Duration = Duration::from_hours(482_136);

/// What an id or ARN names.
enum Named {
    /// An application inference profile, by ARN; whether it exists is another matter.
    Application(String),
    /// A system-defined profile, by id; the same.
    System(String),
}

impl Named {
    /// Reads an id or ARN, refusing other regions and accounts.
    fn of(order: &Order<'_>, identifier: &str) -> Result<Self, Refusal> {
        if !identifier.starts_with("arn:") {
            return Ok(if system::is_listed(identifier, order.region()) {
                Self::System(identifier.to_owned())
            } else {
                Self::Application(order.arn("application-inference-profile", identifier))
            });
        }
        let invalid = || Refusal::validation("The provided ARN is invalid.");
        let parts: Vec<&str> = identifier.splitn(6, ':').collect();
        let &[_, _, "bedrock", region, account, resource] = parts.as_slice() else {
            return Err(invalid());
        };
        if region != order.region().as_str() {
            return Err(invalid());
        }
        if account != order.account() {
            return Err(order.denied(identifier));
        }
        match resource.split_once('/').ok_or_else(invalid)? {
            ("application-inference-profile", _) => Ok(Self::Application(identifier.to_owned())),
            ("inference-profile", id) => Ok(Self::System(id.to_owned())),
            _ => Err(invalid()),
        }
    }

    /// Returns the ARN of what can be tagged and deleted.
    fn application(self) -> Result<String, Refusal> {
        match self {
            Self::Application(arn) => Ok(arn),
            Self::System(id) => {
                Err(Refusal::validation(format!("{id} is system-defined: it cannot be changed.")))
            }
        }
    }
}

fn missing(identifier: &str) -> Refusal {
    Refusal::not_found(format!("The inference profile {identifier} does not exist."))
}

impl ControlPlane {
    pub(super) fn create_profile(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let name = required(&request, "inferenceProfileName")?;
        check_name(name)?;
        let description = optional(&request, "description")?;
        description.map_or(Ok(()), check_description)?;
        let token = optional(&request, "clientRequestToken")?;
        token.map_or(Ok(()), check_token)?;
        let source = required(request.get("modelSource").unwrap_or(&Value::Null), "copyFrom")?;
        check_source(order, source)?;
        let tags = tags(&request)?;
        check_count(&tags)?;
        let tags = if self.is(Trouble::TagsLostAtCreation) { BTreeMap::new() } else { tags };
        let token: Option<Token> =
            token.map(|token| (order.account().to_owned(), order.region().clone(), token.to_owned()));
        let mut estate = self.estate();
        if let Some(known) = token.as_ref().and_then(|token| estate.made_with(token)) {
            return Ok(made(known));
        }
        let arn_of = |id: &str| order.arn("application-inference-profile", id);
        let arn = arn_of(&estate.new_id(arn_of));
        let arn = ProfileArn::parse(&arn).map_err(|_| Refusal::validation("The ARN is invalid."))?;
        let profile = Profile {
            arn: arn.clone(),
            name: name.to_owned(),
            description: description.map(str::to_owned),
            source_model: source.to_owned(),
            tags,
            made_at: order.now,
            unready_reads: estate.unready_reads,
        };
        let answer = made(&profile);
        estate.add(profile);
        if let Some(token) = token {
            estate.remember(token, &arn);
        }
        Ok(answer)
    }

    pub(super) fn get_profile(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let identifier = path_identifier(order);
        match Named::of(order, &identifier)? {
            Named::Application(arn) => {
                let mut estate = self.estate();
                Ok(summary(estate.get_mut(&arn).ok_or_else(|| missing(&identifier))?))
            }
            Named::System(id) => {
                let found = system::listed(order.region()).into_iter().find(|listed| listed.id == id);
                Ok(system_summary(order, &found.ok_or_else(|| missing(&identifier))?))
            }
        }
    }

    pub(super) fn delete_profile(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let identifier = path_identifier(order);
        let arn = Named::of(order, &identifier)?.application()?;
        self.estate().remove(&arn).map(|_| json!({})).ok_or_else(|| missing(&identifier))
    }

    pub(super) fn list_profiles(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let (systems, applications) = match order.call.parameter("type").as_deref() {
            Some("SYSTEM_DEFINED" | "APPLICATION") if self.is(Trouble::TypeFilterIgnored) => (true, true),
            None => (true, true),
            Some("SYSTEM_DEFINED") => (true, false),
            Some("APPLICATION") => (false, true),
            Some(_) => return Err(Refusal::validation("type must be SYSTEM_DEFINED or APPLICATION")),
        };
        let (start, size) = (start(order)?, page_size(order)?);
        let systems = if systems { system::listed(order.region()) } else { Vec::new() };
        let systems = systems.iter().filter(|listed| listed.number >= start);
        let mut estate = self.estate();
        let mut page: Vec<Value> =
            systems.clone().take(size).map(|listed| system_summary(order, listed)).collect();
        let mut next = systems.skip(page.len()).map(|listed| listed.number).next();
        if next.is_none() && applications {
            next = fill(&mut page, size, order, &mut estate, start.max(FIRST));
        }
        let mut answer = json!({ "inferenceProfileSummaries": page });
        if let Some(next) = next {
            merge(&mut answer, json!({ "nextToken": STANDARD.encode(format!("from {next}")) }));
        }
        Ok(answer)
    }

    pub(super) fn list_tags(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let arn = resource(&request)?;
        let named = Named::of(order, arn)?.application()?;
        let estate = self.estate();
        let profile = estate.get(&named).ok_or_else(|| missing(arn))?;
        let shown = if self.is(Trouble::TagsHidden) { None } else { Some(&profile.tags) };
        let tags = shown.into_iter().flatten().map(|(key, value)| json!({ "key": key, "value": value }));
        Ok(json!({ "tags": tags.collect::<Vec<_>>() }))
    }

    pub(super) fn tag(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let arn = resource(&request)?;
        if !request.get("tags").is_some_and(Value::is_array) {
            return Err(Refusal::validation("tags must be a list"));
        }
        let added = tags(&request)?;
        let named = Named::of(order, arn)?.application()?;
        let mut estate = self.estate();
        let profile = estate.get_mut(&named).ok_or_else(|| missing(arn))?;
        let mut all = profile.tags.clone();
        all.extend(added);
        check_count(&all)?;
        profile.tags = all;
        Ok(json!({}))
    }

    pub(super) fn untag(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let arn = resource(&request)?;
        let keys = tag_keys(&request)?;
        let named = Named::of(order, arn)?.application()?;
        let mut estate = self.estate();
        let profile = estate.get_mut(&named).ok_or_else(|| missing(arn))?;
        profile.tags.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(json!({}))
    }
}

/// Adds application profiles to a page until it is full; returns the number of the next, if there is one.
fn fill(
    page: &mut Vec<Value>,
    size: usize,
    order: &Order<'_>,
    estate: &mut Estate,
    start: u64,
) -> Option<u64> {
    let seen = |(_, profile): &(u64, &mut Profile)| profile.is_in(order.region(), order.account());
    for (number, profile) in estate.from(start).filter(seen) {
        if page.len() == size {
            return Some(number);
        }
        page.push(summary(profile));
    }
    None
}

/// Returns `ListFoundationModels`' answer.
pub(super) fn foundation_models(order: &Order<'_>) -> Value {
    let filters = [
        ("providerName", order.call.parameter("byProvider")),
        ("outputModalities", order.call.parameter("byOutputModality")),
        ("inferenceTypesSupported", order.call.parameter("byInferenceType")),
        ("customizationsSupported", order.call.parameter("byCustomizationType")),
    ];
    json!({ "modelSummaries": system::foundation_models(order.region(), &filters) })
}

/// Refuses a source that no profile can be made from: it is a foundation model of the region, or a
/// system-defined profile that the region lists for the account.
fn check_source(order: &Order<'_>, source: &str) -> Result<(), Refusal> {
    let invalid = || Refusal::validation("The provided model identifier is invalid.");
    let (head, id) = source.split_once('/').ok_or_else(invalid)?;
    if head == order.arn_head("", "foundation-model") {
        return if system::is_model(id) { Ok(()) } else { Err(invalid()) };
    }
    if head != order.arn_head(order.account(), "inference-profile") {
        return Err(invalid());
    }
    if system::is_listed(id, order.region()) { Ok(()) } else { Err(missing(source)) }
}

fn resource(request: &Value) -> Result<&str, Refusal> {
    let arn = required(request, "resourceARN")?;
    if arn.starts_with("arn:") && (20..=1011).contains(&arn.len()) {
        return Ok(arn);
    }
    Err(Refusal::validation("resourceARN must be an ARN of 20 to 1011 characters"))
}

fn path_identifier(order: &Order<'_>) -> String {
    let raw = order.call.path.strip_prefix("/inference-profiles/").unwrap_or_default();
    decode(raw).unwrap_or_default().into_owned()
}

/// Returns the number that `nextToken` goes on from.
fn start(order: &Order<'_>) -> Result<u64, Refusal> {
    let Some(token) = order.call.parameter("nextToken") else { return Ok(0) };
    let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let number = text.and_then(|text| text.strip_prefix("from ")?.parse().ok());
    number.ok_or_else(|| Refusal::validation("The provided nextToken is invalid."))
}

fn page_size(order: &Order<'_>) -> Result<usize, Refusal> {
    let Some(size) = order.call.parameter("maxResults") else { return Ok(DEFAULT_PAGE) };
    let size = size.parse().ok().filter(|size| (1..=1000).contains(size));
    size.ok_or_else(|| Refusal::validation("maxResults must be between 1 and 1000"))
}

fn made(profile: &Profile) -> Value {
    json!({ "inferenceProfileArn": profile.arn.as_str(), "status": profile.status() })
}

/// Returns what a reader is told of an application profile.
fn summary(profile: &mut Profile) -> Value {
    let status = profile.read_status();
    let at = timestamp(profile.made_at);
    let mut summary = json!({
        "inferenceProfileName": profile.name,
        "inferenceProfileArn": profile.arn.as_str(),
        "inferenceProfileId": profile.arn.id(),
        "models": model_list(system::models_of(&profile.source_model, profile.arn.region())),
        "status": status,
        "type": "APPLICATION",
        "createdAt": at,
        "updatedAt": at,
    });
    if let Some(description) = &profile.description {
        merge(&mut summary, json!({ "description": description }));
    }
    summary
}

fn system_summary(order: &Order<'_>, profile: &SystemProfile) -> Value {
    let at = timestamp(SYSTEM_MADE_AT);
    json!({
        "inferenceProfileName": profile.name,
        "description": format!("Routes requests to {}.", profile.name),
        "inferenceProfileArn": order.arn("inference-profile", &profile.id),
        "inferenceProfileId": profile.id,
        "models": model_list(profile.models.clone()),
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "createdAt": at,
        "updatedAt": at,
    })
}

fn model_list(models: Vec<String>) -> Value {
    models.into_iter().map(|arn| json!({ "modelArn": arn })).collect()
}
