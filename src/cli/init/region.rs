//! The region of a new config, found where the AWS SDK finds it: nothing is asked that can be known.

use crate::cli::Failure;
use crate::domain::Region;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use std::fmt;

/// The variables that name a region, the first of them winning (AWS SDKs reference, "AWS Region").
const VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// A region, and where it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) region: Region,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Argument,
    Variable(&'static str),
    Profile(String),
    Default,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.region)?;
        match &self.source {
            Source::Argument => write!(f, "(from --region)"),
            Source::Variable(name) => write!(f, "(from {name})"),
            Source::Profile(name) => write!(f, "(from the AWS profile '{name}')"),
            Source::Default => write!(f, "(nothing names another: --region does)"),
        }
    }
}

/// Finds the region: the argument, the environment, the AWS profile, else the default.
///
/// The SDK's own chain would go on to ask the instance's metadata, and wait for them where there are none.
pub(super) fn find(argument: Option<Region>) -> Result<Found, Failure> {
    if let Some(region) = argument {
        return Ok(Found { region, source: Source::Argument });
    }
    let variables = VARIABLES.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    if let Some((name, value)) = variables.into_iter().find(|(_, value)| !value.is_empty()) {
        return found(&value, Source::Variable(name));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let profile = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    match runtime.block_on(ProfileFileRegionProvider::new().region()) {
        Some(region) => {
            found(region.as_ref(), Source::Profile(profile.unwrap_or_else(|| "default".to_owned())))
        }
        None => Ok(Found { region: Region::default(), source: Source::Default }),
    }
}

fn found(name: &str, source: Source) -> Result<Found, Failure> {
    if let Some(region) = Region::parse(name) {
        return Ok(Found { region, source });
    }
    let place = match source {
        Source::Variable(name) => name.to_owned(),
        Source::Profile(name) => format!("the AWS profile '{name}'"),
        Source::Argument | Source::Default => "the region".to_owned(),
    };
    Err(Failure::refused(
        format!("{place} holds '{name}', which is no region's name"),
        "mend it, or name the region with --region, as in --region us-west-2",
    ))
}
