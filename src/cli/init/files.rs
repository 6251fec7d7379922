//! The two files of a newcomer, made from the shipped samples so that they cannot differ from them.

use crate::cli::Failure;
use crate::cli::samples::{CONFIG, SERVICES};
use crate::domain::Region;
use anyhow::Context as _;
use toml_edit::{DocumentMut, Value};

/// The sample's region.
const SAMPLE_REGION: &str = "us-west-2";

/// The heads of the sample's services.
const FIRST: &str = "[services.service-1]\n";
const SECOND: &str = "[services.service-2]\n";

/// What the first of them is, once it is a comment.
const EXAMPLE: &str = "# An example: a line that begins with # and no space is in force without its #.\n#\n";

/// Returns the sample config with another region.
pub(super) fn config(region: &Region) -> Result<String, Failure> {
    let mut document: DocumentMut = CONFIG.parse().context("the sample config")?;
    let setting = document.get_mut("upstream").and_then(|upstream| upstream.get_mut("region"));
    let setting =
        setting.and_then(toml_edit::Item::as_value_mut).context("the sample config has no region")?;
    let decor = setting.decor().clone();
    *setting = Value::from(region.as_str());
    *setting.decor_mut() = decor;
    Ok(document.to_string())
}

/// Returns the sample services file with its first service as a comment, in terms of another region, and no other.
pub(super) fn services(region: &Region) -> String {
    let (heading, services) = SERVICES.split_once(FIRST).unwrap_or((SERVICES, ""));
    let example = services.split(SECOND).next().unwrap_or_default().trim_end();
    let lines = example.lines().map(|line| match line {
        "" => "#".to_owned(),
        comment if comment.starts_with('#') => comment.to_owned(),
        setting => format!("#{}", localized(setting, region)),
    });
    let example: Vec<String> = lines.collect();
    format!("{heading}{EXAMPLE}#{FIRST}{}\n", example.join("\n"))
}

/// Puts a line of the sample into terms of a region.
fn localized(line: &str, region: &Region) -> String {
    let arn = format!("arn:{}:bedrock:{region}:", region.partition());
    line.replace(&format!("arn:aws:bedrock:{SAMPLE_REGION}:"), &arn)
        .replace("\"us.", &format!("\"{}.", geography(region)))
}

/// Returns the prefix of a cross-Region profile that serves a region.
fn geography(region: &Region) -> &'static str {
    let name = region.as_str();
    if name.starts_with("us-") && !name.starts_with("us-gov-") {
        "us"
    } else if name.starts_with("eu-") {
        "eu"
    } else {
        "global"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    /// Loads the two files after a change of the services file.
    fn loaded(region: &str, change: fn(&str) -> String) -> crate::config::Loaded {
        let region = Region::parse(region).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tollgate.toml");
        std::fs::write(folder.path().join("services.toml"), change(&services(&region))).unwrap();
        std::fs::write(&path, config(&region).unwrap()).unwrap();
        load(&path, []).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Puts the example in force, as its heading says.
    fn in_force(services: &str) -> String {
        let lines = services.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_files_are_valid_and_the_samples_but_for_the_region() {
        for region in ["us-west-2", "eu-central-1", "ap-northeast-1", "us-gov-west-1", "cn-north-1"] {
            let fresh = loaded(region, str::to_owned);
            assert_eq!(fresh.config.upstream.region.as_str(), region);
            assert_eq!(fresh.services.services, []);
            assert_eq!(fresh.warnings.len(), 1, "{:?}", fresh.warnings);
            let in_force = loaded(region, in_force);
            assert_eq!(in_force.warnings, []);
            let [service] = in_force.services.services.as_slice() else { panic!("{in_force:?}") };
            assert!(service.profiles.len() == 3 && service.default_model.is_some(), "{service:?}");
            assert!(service.profiles.iter().all(|(_, arn)| arn.region().as_str() == region));
        }
        let region = Region::default();
        assert_eq!(config(&region).unwrap(), CONFIG);
        assert!(SERVICES.lines().take(3).eq(services(&region).lines().take(3)));
    }
}
