//! What kind of picture a request asks for.

use super::body::parse;
use super::lenient::{Count, Maybe, Word};
use crate::domain::{ModelId, Picture};
use bytes::Bytes;
use serde::Deserialize;

/// Pixels of each side where a request names none: what clients fill in (the gem ruby-amazon-bedrock, for Titan: 1024 by
/// 1024, `standard`). AWS's own page was not to be had with its defaults.
const SIDE: u64 = 1024;

/// Diffusion steps where a request names none. Public quotations of AWS's page on Diffusion 1.0 say 30, others 50: prices
/// change above 50, so that either is charged the same.
const STEPS: u64 = 30;

/// A request, as the image models of Amazon and as Stable Diffusion XL take it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    #[serde(rename = "imageGenerationConfig")]
    config: Maybe<Config>,
    width: Count,
    height: Count,
    steps: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    width: Count,
    height: Count,
    quality: Word,
}

/// Returns the kind of picture that a request to a model asks for, as far as the price depends on it: of the image
/// models of Amazon and of Stable Diffusion XL. For every other model it does not look at the request.
pub fn picture(model: Option<&ModelId>, pieces: &[Bytes]) -> Option<Picture> {
    let id = model?.foundation_model();
    if id.starts_with("amazon.titan-image") || id.starts_with("amazon.nova-canvas") {
        let config = parse::<Request>(pieces)?.config.0.unwrap_or_default();
        let quality = config.quality.0.or_else(|| Some("standard".to_owned()));
        return sized(config.width, config.height, Picture { quality, ..NONE });
    }
    if id.starts_with("stability.stable-diffusion-xl") {
        let request = parse::<Request>(pieces)?;
        let steps = u32::try_from(request.steps.0.unwrap_or(STEPS)).ok();
        return sized(request.width, request.height, Picture { steps, ..NONE });
    }
    None
}

const NONE: Picture = Picture { width: 0, height: 0, quality: None, steps: None };

fn sized(width: Count, height: Count, picture: Picture) -> Option<Picture> {
    let side = |count: Count| u32::try_from(count.0.unwrap_or(SIDE)).ok();
    Some(Picture { width: side(width)?, height: side(height)?, ..picture })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(model: &str, pieces: &[&'static str]) -> Option<Picture> {
        let pieces: Vec<Bytes> = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        picture(Some(&ModelId::parse(model).unwrap()), &pieces)
    }

    #[test]
    fn amazons_models_state_size_and_quality() {
        let request = r#"{"taskType":"TEXT_IMAGE","imageGenerationConfig":{"width":512,"height":768,"quality":"premium"}}"#;
        let (start, end) = request.split_at(60);
        let expected = Picture { width: 512, height: 768, quality: Some("premium".to_owned()), steps: None };
        assert_eq!(asked("us.amazon.nova-canvas-v1:0", &[start, end]), Some(expected));
    }

    #[test]
    fn what_a_request_leaves_out_is_the_models_default() {
        let picture = asked("amazon.titan-image-generator-v2:0", &["{}"]).unwrap();
        assert_eq!(
            (picture.width, picture.height, picture.quality.as_deref()),
            (1024, 1024, Some("standard"))
        );
        let picture = asked("stability.stable-diffusion-xl-v1", &[r#"{"width":896,"steps":150}"#]).unwrap();
        assert_eq!((picture.width, picture.height, picture.steps), (896, 1024, Some(150)));
    }

    #[test]
    fn other_requests_are_not_looked_at() {
        assert_eq!(asked("anthropic.claude-3-haiku-20240307-v1:0", &["{}"]), None);
        assert_eq!(asked("amazon.nova-canvas-v1:0", &["no JSON"]), None);
        assert_eq!(picture(None, &[]), None);
    }
}
