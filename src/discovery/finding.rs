//! What is wrong with a profile, or between AWS and the services file: never an error, since calls go on.

use crate::domain::{InvalidServiceName, ModelId, ProfileArn, ServiceName};
use crate::inventory::SOURCE_TAG;

/// Something that an operator should mend. As text it says what is wrong, what holds meanwhile, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The service tag's value is no service's name.
    #[error(
        "{arn}: the value of its tag '{tag}' names no service, so it serves none: {error}; \
         tag it anew: aws bedrock tag-resource --resource-arn {arn} --tags key={tag},value=<service>"
    )]
    IllegalService {
        /// The profile.
        arn: ProfileArn,
        /// The tag's key.
        tag: String,
        /// What a legal name is.
        error: InvalidServiceName,
    },
    /// The tag that states the source holds no model's id.
    #[error(
        "{arn}: its tag '{SOURCE_TAG}' is no model's id: '{}'; the source is inferred until the tag holds one, \
         such as us.amazon.nova-lite-v1:0",
        value.escape_debug()
    )]
    IllegalSource {
        /// The profile.
        arn: ProfileArn,
        /// The tag's value.
        value: String,
    },
    /// The stated source is not what AWS routes to.
    #[error(
        "{arn}: its tag '{SOURCE_TAG}' says {stated}, but AWS routes it as {shown}, which holds: correct the tag, \
         or make a new profile from {stated}"
    )]
    SourceContradicted {
        /// The profile.
        arn: ProfileArn,
        /// What the tag says.
        stated: ModelId,
        /// What its models say.
        shown: ModelId,
    },
    /// Several sources route to the same models.
    #[error(
        "{arn}: it may be copied from {taken} or from {}, and is priced as the first: say which in its tag \
         '{SOURCE_TAG}'",
        listed(others)
    )]
    SourceAmbiguous {
        /// The profile.
        arn: ProfileArn,
        /// The source that is assumed.
        taken: ModelId,
        /// What it could be as well.
        others: Vec<ModelId>,
    },
    /// Nothing tells what it was copied from.
    #[error(
        "{arn}: nothing tells what it was copied from, so it serves no calls: say it in its tag '{SOURCE_TAG}'"
    )]
    SourceUnknown {
        /// The profile.
        arn: ProfileArn,
    },
    /// AWS takes no calls with it.
    #[error(
        "{arn}: its status is {status}, and calls can be made with ACTIVE ones alone: wait until it is, or make a new \
         one"
    )]
    NotActive {
        /// The profile.
        arn: ProfileArn,
        /// The status, as AWS words it.
        status: String,
    },
    /// A service has two profiles for one model in one region.
    #[error(
        "{left}: service '{service}' has {taken} for {model} already, which is older: delete the one that is not \
         to be used, or tag it for another service"
    )]
    Duplicate {
        /// The service.
        service: ServiceName,
        /// The source model of both.
        model: ModelId,
        /// The profile that is used.
        taken: ProfileArn,
        /// The one that is not.
        left: ProfileArn,
    },
    /// A service has profiles for one model in two regions.
    #[error(
        "{left}: service '{service}' has {taken} for {model}, in {}, which comes first: to have calls go to {} \
         instead, name that profile in the services file",
        taken.region(),
        left.region()
    )]
    OtherRegion {
        /// The service.
        service: ServiceName,
        /// The source model of both.
        model: ModelId,
        /// The profile that is used.
        taken: ProfileArn,
        /// The one that is not.
        left: ProfileArn,
    },
    /// The services file names another profile.
    #[error(
        "{tagged}: it is tagged for service '{service}' and {model}, for which the services file has {file}, \
         which holds: take one of the two away"
    )]
    FileWins {
        /// The service.
        service: ServiceName,
        /// The source model of both.
        model: ModelId,
        /// The services file's profile.
        file: ProfileArn,
        /// The one that is tagged.
        tagged: ProfileArn,
    },
    /// The services file gives a profile to another service than its tag.
    #[error(
        "{arn}: the services file gives it to service '{service}', which holds, but it is tagged for '{tagged}', as \
         AWS's bill will say: correct the one that is wrong"
    )]
    OwnerDiffers {
        /// The profile.
        arn: ProfileArn,
        /// The services file's service.
        service: ServiceName,
        /// The tag's.
        tagged: ServiceName,
    },
    /// The services file says another source than AWS.
    #[error(
        "{arn}: the services file has it for {file}, which holds, but AWS routes it as {shown}, so that its price may \
         be wrong: correct the services file"
    )]
    SourceDiffers {
        /// The profile.
        arn: ProfileArn,
        /// The services file's source model.
        file: ModelId,
        /// What tag or models say.
        shown: ModelId,
    },
}

impl Finding {
    /// Every value of [`Self::kind`].
    pub const KINDS: [&'static str; 11] = [
        "illegal_service",
        "illegal_source",
        "source_contradicted",
        "source_ambiguous",
        "source_unknown",
        "not_active",
        "duplicate",
        "other_region",
        "file_wins",
        "owner_differs",
        "source_differs",
    ];

    /// Returns what kind of finding it is, as metrics name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::IllegalService { .. } => "illegal_service",
            Self::IllegalSource { .. } => "illegal_source",
            Self::SourceContradicted { .. } => "source_contradicted",
            Self::SourceAmbiguous { .. } => "source_ambiguous",
            Self::SourceUnknown { .. } => "source_unknown",
            Self::NotActive { .. } => "not_active",
            Self::Duplicate { .. } => "duplicate",
            Self::OtherRegion { .. } => "other_region",
            Self::FileWins { .. } => "file_wins",
            Self::OwnerDiffers { .. } => "owner_differs",
            Self::SourceDiffers { .. } => "source_differs",
        }
    }

    /// Returns the profile that it is about.
    pub fn profile(&self) -> &ProfileArn {
        match self {
            Self::IllegalService { arn, .. }
            | Self::IllegalSource { arn, .. }
            | Self::SourceContradicted { arn, .. }
            | Self::SourceAmbiguous { arn, .. }
            | Self::SourceUnknown { arn }
            | Self::NotActive { arn, .. }
            | Self::OwnerDiffers { arn, .. }
            | Self::SourceDiffers { arn, .. } => arn,
            Self::Duplicate { left, .. } | Self::OtherRegion { left, .. } => left,
            Self::FileWins { tagged, .. } => tagged,
        }
    }
}

fn listed(models: &[ModelId]) -> String {
    models.iter().map(ModelId::as_str).collect::<Vec<_>>().join(", ")
}
