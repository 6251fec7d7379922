//! Which operation of which service a request is for.

use super::super::calls::Call;
use super::super::verify::text;
use super::plane::Plane;
use http::Method;

/// How `X-Amz-Target` begins for Cost Explorer (ce service model 2017-10-25, `targetPrefix`).
const COST_TARGET: &str = "AWSInsightsIndexService.";

/// An operation of Bedrock's control plane, of STS or of Cost Explorer that the simulator answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Action {
    CreateInferenceProfile,
    DeleteInferenceProfile,
    GetInferenceProfile,
    ListInferenceProfiles,
    ListFoundationModels,
    ListTagsForResource,
    TagResource,
    UntagResource,
    AssumeRole,
    GetCallerIdentity,
    ListCostAllocationTags,
    UpdateCostAllocationTagsStatus,
    StartCostAllocationTagBackfill,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 13] = [
        Self::CreateInferenceProfile,
        Self::DeleteInferenceProfile,
        Self::GetInferenceProfile,
        Self::ListInferenceProfiles,
        Self::ListFoundationModels,
        Self::ListTagsForResource,
        Self::TagResource,
        Self::UntagResource,
        Self::AssumeRole,
        Self::GetCallerIdentity,
        Self::ListCostAllocationTags,
        Self::UpdateCostAllocationTagsStatus,
        Self::StartCostAllocationTagBackfill,
    ];

    /// Returns AWS's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateInferenceProfile => "CreateInferenceProfile",
            Self::DeleteInferenceProfile => "DeleteInferenceProfile",
            Self::GetInferenceProfile => "GetInferenceProfile",
            Self::ListInferenceProfiles => "ListInferenceProfiles",
            Self::ListFoundationModels => "ListFoundationModels",
            Self::ListTagsForResource => "ListTagsForResource",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
            Self::AssumeRole => "AssumeRole",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::ListCostAllocationTags => "ListCostAllocationTags",
            Self::UpdateCostAllocationTagsStatus => "UpdateCostAllocationTagsStatus",
            Self::StartCostAllocationTagBackfill => "StartCostAllocationTagBackfill",
        }
    }

    /// Returns the service that it belongs to.
    pub(in crate::simulator) fn plane(self) -> Plane {
        match self {
            Self::AssumeRole | Self::GetCallerIdentity => Plane::Sts,
            Self::ListCostAllocationTags
            | Self::UpdateCostAllocationTagsStatus
            | Self::StartCostAllocationTagBackfill => Plane::CostExplorer,
            Self::CreateInferenceProfile
            | Self::DeleteInferenceProfile
            | Self::GetInferenceProfile
            | Self::ListInferenceProfiles
            | Self::ListFoundationModels
            | Self::ListTagsForResource
            | Self::TagResource
            | Self::UntagResource => Plane::Bedrock,
        }
    }

    /// Returns its name in policies, such as `bedrock:TagResource`.
    pub(in crate::simulator) fn permission(self) -> String {
        format!("{}:{}", self.plane().signing_name(), self.name())
    }

    /// Returns what a request is for; `None` where it is for none of these, as the runtime's requests are.
    pub(in crate::simulator) fn of(call: &Call) -> Option<Self> {
        let plane = Plane::of(call);
        let named = |name: &str| {
            Self::ALL.into_iter().find(|action| action.plane() == plane && action.name() == name)
        };
        match plane {
            Plane::Sts => named(&call.form("Action")?),
            Plane::CostExplorer => named(text(&call.headers, "x-amz-target")?.strip_prefix(COST_TARGET)?),
            Plane::Bedrock => Self::of_bedrock(&call.method, &call.path),
        }
    }

    /// Tells by method and path (bedrock service model 2023-04-20, `requestUri`).
    fn of_bedrock(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/inference-profiles") => Some(Self::CreateInferenceProfile),
            (&Method::GET, "/inference-profiles") => Some(Self::ListInferenceProfiles),
            (&Method::GET, "/foundation-models") => Some(Self::ListFoundationModels),
            (&Method::POST, "/listTagsForResource") => Some(Self::ListTagsForResource),
            (&Method::POST, "/tagResource") => Some(Self::TagResource),
            (&Method::POST, "/untagResource") => Some(Self::UntagResource),
            (method, path) => {
                let identifier = path.strip_prefix("/inference-profiles/")?;
                match *method {
                    _ if identifier.is_empty() || identifier.contains('/') => None,
                    Method::GET => Some(Self::GetInferenceProfile),
                    Method::DELETE => Some(Self::DeleteInferenceProfile),
                    _ => None,
                }
            }
        }
    }
}
