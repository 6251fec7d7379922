//! What stands in the way of a plan.

use crate::domain::{ModelId, ProfileArn, Region, ServiceName};
use crate::inventory::SOURCE_TAG;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Something that an operator should mend. As text it says what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The region lists no such system-defined profile.
    #[error(
        "service '{service}': {region} has no system-defined profile {model}{}; correct `models`, or plan for a \
         region that has it with --region",
        instead(others)
    )]
    Unavailable {
        /// The service.
        service: ServiceName,
        /// What it asks for.
        model: ModelId,
        /// The region.
        region: Region,
        /// What the region has of the same foundation model.
        others: Vec<ModelId>,
    },
    /// A profile may be the one asked for, or another.
    #[error(
        "{arn}: it may be copied from {}, which are priced differently, so it is left as it is: say which in its tag \
         '{SOURCE_TAG}'",
        listed(sources, " or from ")
    )]
    Ambiguous {
        /// The profile.
        arn: ProfileArn,
        /// What it may be a profile of.
        sources: Vec<ModelId>,
    },
    /// A profile that fits, but is nobody's.
    #[error(
        "{arn}: it is of {model}, but untagged, so service '{service}' gets another; to use this one, name it under \
         the service's `profiles`"
    )]
    Untagged {
        /// The profile.
        arn: ProfileArn,
        /// The service that a profile is made for.
        service: ServiceName,
        /// The model.
        model: ModelId,
    },
    /// Whose a profile is cannot be told.
    #[error(
        "{arn}: its tags cannot be read, and it may be what service '{service}' asks for, so nothing is planned for \
         {model}: let the role use bedrock:ListTagsForResource, and plan again"
    )]
    Unread {
        /// The profile.
        arn: ProfileArn,
        /// The service.
        service: ServiceName,
        /// The model.
        model: ModelId,
    },
    /// The profile is there, but calls cannot be made with it.
    #[error(
        "{arn}: service '{service}' has it for {model}, but its status is {status}: wait until it is ACTIVE, or \
         delete it and plan again"
    )]
    NotActive {
        /// The profile.
        arn: ProfileArn,
        /// The service.
        service: ServiceName,
        /// The model.
        model: ModelId,
        /// The status, as AWS words it.
        status: String,
    },
    /// A service has more profiles for a model than one.
    #[error(
        "{left}: service '{service}' has {taken} for {model} already: delete the one that is not to be used, or tag \
         it for another service"
    )]
    Duplicate {
        /// The service.
        service: ServiceName,
        /// The model.
        model: ModelId,
        /// The one that is used.
        taken: ProfileArn,
        /// The one that is not.
        left: ProfileArn,
    },
    /// The services file names a profile that AWS does not have.
    #[error(
        "{arn}: the services file has it for service '{service}' and {model}, but AWS has no such profile: \
         `tollgate profiles apply --write` puts the right one there"
    )]
    Gone {
        /// The profile.
        arn: ProfileArn,
        /// The service.
        service: ServiceName,
        /// The model.
        model: ModelId,
    },
    /// The services file names a profile of another model.
    #[error(
        "{arn}: the services file has it for service '{service}' and {model}, but AWS does not route it so: \
         `tollgate profiles apply --write` puts the right one there"
    )]
    OtherModel {
        /// The profile.
        arn: ProfileArn,
        /// The service.
        service: ServiceName,
        /// The model.
        model: ModelId,
    },
    /// The services file names a profile that is tagged for another service.
    #[error(
        "{arn}: the services file has it for service '{service}' and {model}, but it is tagged for '{owner}', so it \
         is left as it is: correct the one that is wrong"
    )]
    Foreign {
        /// The profile.
        arn: ProfileArn,
        /// The service of the file.
        service: ServiceName,
        /// The model.
        model: ModelId,
        /// The service of the tag.
        owner: ServiceName,
    },
    /// A profile has no room for the tags that it lacks.
    #[error("{arn}: it would have {count} tags, and AWS takes {max}: remove some, of the service or in AWS")]
    TooManyTags {
        /// The profile.
        arn: ProfileArn,
        /// How many it would have.
        count: usize,
        /// How many it may have.
        max: usize,
    },
}

impl Problem {
    /// Returns what kind of problem it is, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Untagged { .. } => "untagged",
            Self::Unread { .. } => "unread",
            Self::NotActive { .. } => "not_active",
            Self::Duplicate { .. } => "duplicate",
            Self::Gone { .. } => "gone",
            Self::OtherModel { .. } => "other_model",
            Self::Foreign { .. } => "foreign",
            Self::TooManyTags { .. } => "too_many_tags",
        }
    }
}

impl Problem {
    /// Tells whether something that is asked for cannot be had until it is mended.
    pub fn is_blocking(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Ambiguous { .. }
            | Self::Unread { .. }
            | Self::NotActive { .. }
            | Self::Foreign { .. }
            | Self::TooManyTags { .. } => true,
            Self::Untagged { .. } | Self::Duplicate { .. } | Self::Gone { .. } | Self::OtherModel { .. } => {
                false
            }
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("problem", self.kind())?;
        map.serialize_entry("blocking", &self.is_blocking())?;
        map.serialize_entry("message", &self.to_string())?;
        map.end()
    }
}

fn instead(others: &[ModelId]) -> String {
    if others.is_empty() { String::new() } else { format!(", but {}", listed(others, " and ")) }
}

fn listed(models: &[ModelId], between: &str) -> String {
    models.iter().map(ModelId::as_str).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests;
