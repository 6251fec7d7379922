//! `GET /inference-profiles` and `GET /inference-profiles/{id}`: what Bedrock's control plane would answer, of the calling
//! service's own profiles alone.
//!
//! Some clients ask their Bedrock base URL for them. Nothing else of the control plane is answered, nothing is sent
//! upstream, and there is no record.

use crate::catalog::{Profile, Service};
use crate::gateway::{Reply, Snapshot};
use crate::operation::{decode, split_service};
use crate::provision::profile_name;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response};
use serde::Serialize;
use std::borrow::Cow;
use time::format_description::well_known::Rfc3339;

/// How many profiles a page has at most (bedrock service model 2023-04-20, `MaxResults`).
const MAX_RESULTS: usize = 1000;

/// A question about profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// What the path names as the service (`/s/{service}/...`), as it came.
    pub service: Option<&'a str>,
    about: About<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum About<'a> {
    All,
    /// One, by the rest of the path: an id or an ARN, perhaps percent-encoded.
    One(&'a str),
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnProfilesError {
    /// The service has no such profile; whether another one has is none of its business.
    #[error("service '{service}' has no inference profile '{id}'; GET /inference-profiles lists what it has")]
    Unknown {
        /// The calling service.
        service: String,
        /// What it asked for.
        id: String,
    },
    /// A parameter cannot be read.
    #[error("{0}")]
    Query(&'static str),
}

/// What a listing is asked for.
#[derive(Debug, Default)]
struct Query<'a> {
    max_results: Option<&'a str>,
    after: Option<Cow<'a, str>>,
    only: Option<&'a str>,
}

impl<'a> Question<'a> {
    /// Returns what a request asks, if it is such a question.
    pub fn parse(method: &Method, path: &'a str) -> Option<Self> {
        let (service, path) = split_service(path);
        let rest = path.strip_prefix("/inference-profiles").filter(|_| method == Method::GET)?;
        let about = match rest.strip_prefix('/') {
            None if rest.is_empty() => About::All,
            Some("") => About::All,
            Some(id) => About::One(id),
            None => return None,
        };
        Some(Self { service, about })
    }

    /// Answers as the control plane would.
    pub fn answer(
        &self,
        query: Option<&str>,
        snapshot: &Snapshot,
        service: &Service,
    ) -> Result<Response<Reply>, OwnProfilesError> {
        let describe = |profile| Description::of(profile, snapshot, service);
        let answer = match self.about {
            About::All => {
                let (profiles, next_token) = page(service, query.unwrap_or_default())?;
                let summaries = profiles.iter().map(describe).collect();
                json(&Listing { inference_profile_summaries: summaries, next_token })
            }
            About::One(raw) => json(&describe(one(service, raw)?)),
        };
        let mut response = Response::new(Reply::from(answer));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

/// Texts and lists of them always have a form in JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn one<'a>(service: &'a Service, raw: &str) -> Result<&'a Profile, OwnProfilesError> {
    let id = decode(raw).unwrap_or_default();
    let profile =
        service.profiles.iter().find(|profile| *profile.arn.as_str() == *id || profile.arn.id() == id);
    profile
        .ok_or_else(|| OwnProfilesError::Unknown { service: service.name.to_string(), id: id.into_owned() })
}

/// Returns a page of profiles, and where the next one begins.
fn page<'a>(service: &'a Service, query: &str) -> Result<(&'a [Profile], Option<String>), OwnProfilesError> {
    let Query { max_results, after, only } = Query::read(query);
    let wrong = |message| Err(OwnProfilesError::Query(message));
    let most = match max_results.map(str::parse) {
        None => MAX_RESULTS,
        Some(Ok(most)) if (1..=MAX_RESULTS).contains(&most) => most,
        Some(_) => return wrong("maxResults must be a number from 1 to 1000"),
    };
    let all = match only {
        None | Some("APPLICATION") => service.profiles.as_slice(),
        // A service has none of its own.
        Some("SYSTEM_DEFINED") => &[],
        Some(_) => return wrong("type must be APPLICATION or SYSTEM_DEFINED"),
    };
    let rest = match after {
        None => all,
        Some(id) => match all.iter().position(|profile| profile.arn.id() == id) {
            Some(last) => all.split_at(last.saturating_add(1)).1,
            None => return wrong("nextToken is none that an earlier listing gave: list from the start"),
        },
    };
    let (page, left) = rest.split_at_checked(most).unwrap_or((rest, &[]));
    let next = page.last().filter(|_| !left.is_empty()).map(|last| last.arn.id().to_owned());
    Ok((page, next))
}

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Self {
        let mut read = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("maxResults", value)) => read.max_results = Some(value),
                Some(("nextToken", value)) => read.after = Some(decode(value).unwrap_or_default()),
                Some(("type", value)) => read.only = Some(value),
                // AWS ignores what it does not know.
                Some(_) | None => {}
            }
        }
        read
    }
}

/// A profile as the control plane describes it (bedrock service model, `InferenceProfileSummary`, which
/// `GetInferenceProfileResponse` equals).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    inference_profile_name: String,
    inference_profile_arn: String,
    inference_profile_id: String,
    models: Vec<Model>,
    status: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    model_arn: String,
}

/// A page of profiles.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    inference_profile_summaries: Vec<Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Description {
    /// Describes a profile. What only AWS knows of one that is not discovered is left out, or told as it would be of
    /// one that `tollgate profiles apply` has made.
    fn of(profile: &Profile, snapshot: &Snapshot, service: &Service) -> Self {
        let found = snapshot.inventory.profiles.get(&profile.arn);
        let named = || profile_name(&service.name, &profile.source_model);
        let models = found.map_or_else(|| models_of(profile, snapshot), |found| found.models.clone());
        Self {
            inference_profile_name: found.map_or_else(named, |found| found.name.clone()),
            inference_profile_arn: profile.arn.to_string(),
            inference_profile_id: profile.arn.id().to_owned(),
            models: models.into_iter().map(|model_arn| Model { model_arn }).collect(),
            status: found.map_or("ACTIVE", |found| &found.status).to_owned(),
            kind: "APPLICATION",
            created_at: found.and_then(|found| found.created_at).and_then(|at| at.format(&Rfc3339).ok()),
        }
    }
}

/// Returns the models that a profile routes to, as far as its source tells: those of a system-defined profile that
/// AWS has listed; else the source's foundation model in the profile's region.
fn models_of(profile: &Profile, snapshot: &Snapshot) -> Vec<String> {
    let region = profile.arn.region();
    let is_source = |id: &str| id == profile.source_model.as_str();
    let systems = &snapshot.inventory.systems;
    let system = systems.values().find(|system| system.region == *region && is_source(&system.id));
    system.map_or_else(
        || {
            let model = profile.source_model.foundation_model();
            vec![format!("arn:{}:bedrock:{region}::foundation-model/{model}", region.partition())]
        },
        |system| system.models.clone(),
    )
}
