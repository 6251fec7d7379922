//! The foundation models and the system-defined inference profiles that exist: few, but such as AWS lists.

use crate::domain::{ModelId, Region};
use serde_json::{Value, json};

/// A foundation model.
#[derive(Debug)]
struct Model {
    id: &'static str,
    name: &'static str,
    provider: &'static str,
    output: &'static str,
    /// How it can be called: `ON_DEMAND`, or only by an `INFERENCE_PROFILE`.
    inference: &'static str,
}

const SONNET_3_5: &str = "anthropic.claude-3-5-sonnet-20241022-v2:0";
const SONNET_4_5: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const HAIKU_4_5: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA_LITE: &str = "amazon.nova-lite-v1:0";

const fn model(
    id: &'static str,
    name: &'static str,
    provider: &'static str,
    output: &'static str,
    inference: &'static str,
) -> Model {
    Model { id, name, provider, output, inference }
}

const MODELS: [Model; 6] = [
    model(SONNET_3_5, "Claude 3.5 Sonnet v2", "Anthropic", "TEXT", "ON_DEMAND"),
    model(SONNET_4_5, "Claude Sonnet 4.5", "Anthropic", "TEXT", "INFERENCE_PROFILE"),
    model(HAIKU_4_5, "Claude Haiku 4.5", "Anthropic", "TEXT", "INFERENCE_PROFILE"),
    model(NOVA_LITE, "Nova Lite", "Amazon", "TEXT", "ON_DEMAND"),
    model("amazon.titan-embed-text-v2:0", "Titan Text Embeddings V2", "Amazon", "EMBEDDING", "ON_DEMAND"),
    model("cohere.embed-english-v3", "Embed English", "Cohere", "EMBEDDING", "ON_DEMAND"),
];

/// Which geographies a model has profiles for, in the order of listing.
const PROFILES: [(&str, &str); 11] = [
    ("us", SONNET_3_5),
    ("apac", SONNET_3_5),
    ("us", SONNET_4_5),
    ("eu", SONNET_4_5),
    ("global", SONNET_4_5),
    ("us", HAIKU_4_5),
    ("eu", HAIKU_4_5),
    ("global", HAIKU_4_5),
    ("us", NOVA_LITE),
    ("eu", NOVA_LITE),
    ("apac", NOVA_LITE),
];

/// The regions that a geography's profiles are listed in and route to, by the geography's prefix.
const GEOGRAPHIES: [(&str, &[&str]); 3] = [
    ("us", &["us-east-1", "us-east-2", "us-west-2"]),
    ("eu", &["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"]),
    ("apac", &["ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"]),
];

/// The makers of models: how ids of foundation models may begin.
const VENDORS: [&str; 18] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "zai",
];

/// A system-defined inference profile, as one region lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SystemProfile {
    /// Its place in the list.
    pub(super) number: u64,
    /// Its id, such as `us.amazon.nova-lite-v1:0`.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// The foundation models' ARNs.
    pub(super) models: Vec<String>,
}

/// Returns what a region lists.
pub(super) fn listed(region: &Region) -> Vec<SystemProfile> {
    let listed = (0..).zip(PROFILES).filter_map(|(number, (geography, model))| {
        let id = format!("{geography}.{model}");
        let models = routes(&id, region)?;
        let known = MODELS.iter().find(|known| known.id == model)?;
        let prefix = if geography == "global" { "Global".to_owned() } else { geography.to_uppercase() };
        let name = format!("{prefix} {} {}", known.provider, known.name);
        Some(SystemProfile { number, id, name, models })
    });
    listed.collect()
}

/// Tells whether a region lists that id.
pub(super) fn is_listed(id: &str, region: &Region) -> bool {
    routes(id, region).is_some()
}

/// Returns the foundation models behind a system-defined profile, or `None` where the region does not list it.
fn routes(id: &str, region: &Region) -> Option<Vec<String>> {
    let (geography, model) = id.split_once('.')?;
    let is_known = PROFILES.contains(&(geography, model));
    let regions = destinations(geography, region).filter(|_| is_known)?;
    Some(regions.into_iter().map(|to| model_arn(region, to, model)).collect())
}

/// Returns where a geography's profiles route to, or `None` where the region does not list them.
fn destinations<'a>(geography: &str, region: &'a Region) -> Option<Vec<&'a str>> {
    if geography == "global" {
        let is_known = GEOGRAPHIES.iter().any(|(_, regions)| regions.contains(&region.as_str()));
        return is_known.then(|| vec!["", region.as_str()]);
    }
    let (_, regions) = GEOGRAPHIES.iter().find(|(known, _)| *known == geography)?;
    regions.contains(&region.as_str()).then(|| regions.to_vec())
}

fn model_arn(region: &Region, to: &str, model: &str) -> String {
    format!("arn:{}:bedrock:{to}::foundation-model/{model}", region.partition())
}

/// Returns the foundation models that a profile made from that source in that region routes to.
pub(super) fn models_of(source: &str, region: &Region) -> Vec<String> {
    let source = ModelId::parse(source);
    let (bare, model) =
        source.as_ref().map_or(("", "unknown"), |source| (source.bare(), source.foundation_model()));
    routes(bare, region).unwrap_or_else(|| vec![model_arn(region, region.as_str(), model)])
}

/// Tells whether a foundation model could have that id.
pub(super) fn is_model(id: &str) -> bool {
    id.split_once('.').is_some_and(|(vendor, name)| VENDORS.contains(&vendor) && !name.is_empty())
}

/// Returns the summaries of `ListFoundationModels`; each filter is a member's name and the value wanted in it.
pub(super) fn foundation_models(region: &Region, filters: &[(&str, Option<String>)]) -> Vec<Value> {
    let wanted = |summary: &Value| {
        filters.iter().all(|(member, value)| match (value, summary.get(*member)) {
            (None, _) => true,
            (Some(value), Some(Value::Array(all))) => all.iter().any(|one| one == value),
            (Some(value), Some(one)) => one == value,
            (Some(_), None) => false,
        })
    };
    let summaries = MODELS.iter().map(|model| {
        json!({
            "modelArn": model_arn(region, region.as_str(), model.id),
            "modelId": model.id,
            "modelName": model.name,
            "providerName": model.provider,
            "inputModalities": ["TEXT"],
            "outputModalities": [model.output],
            "responseStreamingSupported": model.output == "TEXT",
            "customizationsSupported": [],
            "inferenceTypesSupported": [model.inference],
            "modelLifecycle": { "status": "ACTIVE" },
        })
    });
    summaries.filter(wanted).collect()
}
