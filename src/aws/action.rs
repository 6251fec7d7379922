//! Every action of AWS's that the gateway needs, by its name in IAM policies: the one list of them.

use crate::domain::Operation;
use std::fmt;

/// What an action is needed for; a gateway that does without needs no permission for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Forwarding calls of services.
    DataPlane,
    /// Reading which profiles there are, and their tags.
    Discovery,
    /// Making, tagging and deleting profiles.
    Provisioning,
    /// Having AWS's bill show the profiles' tags.
    CostTags,
    /// Acting in other accounts, and in sessions of services.
    Roles,
    /// Unsealing the secrets of access keys, where KMS keeps the key to them.
    Secrets,
    /// Having sessions of services show the services' tags.
    Sessions,
    /// Telling who the gateway is: every caller may.
    Identity,
}

/// An action of AWS's that the gateway calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Action {
    InvokeModel,
    InvokeModelWithResponseStream,
    CountTokens,
    ApplyGuardrail,
    InvokeGuardrailChecks,
    GetAsyncInvoke,
    ListAsyncInvokes,
    ListInferenceProfiles,
    GetInferenceProfile,
    ListTagsForResource,
    CreateInferenceProfile,
    DeleteInferenceProfile,
    TagResource,
    ListCostAllocationTags,
    UpdateCostAllocationTagsStatus,
    StartCostAllocationTagBackfill,
    AssumeRole,
    TagSession,
    GetCallerIdentity,
    Decrypt,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 20] = [
        Self::InvokeModel,
        Self::InvokeModelWithResponseStream,
        Self::CountTokens,
        Self::ApplyGuardrail,
        Self::InvokeGuardrailChecks,
        Self::GetAsyncInvoke,
        Self::ListAsyncInvokes,
        Self::ListInferenceProfiles,
        Self::GetInferenceProfile,
        Self::ListTagsForResource,
        Self::CreateInferenceProfile,
        Self::DeleteInferenceProfile,
        Self::TagResource,
        Self::ListCostAllocationTags,
        Self::UpdateCostAllocationTagsStatus,
        Self::StartCostAllocationTagBackfill,
        Self::AssumeRole,
        Self::TagSession,
        Self::GetCallerIdentity,
        Self::Decrypt,
    ];

    /// Returns its name in policies, such as `bedrock:TagResource`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvokeModel => "bedrock:InvokeModel",
            Self::InvokeModelWithResponseStream => "bedrock:InvokeModelWithResponseStream",
            Self::CountTokens => "bedrock:CountTokens",
            Self::ApplyGuardrail => "bedrock:ApplyGuardrail",
            Self::InvokeGuardrailChecks => "bedrock:InvokeGuardrailChecks",
            Self::GetAsyncInvoke => "bedrock:GetAsyncInvoke",
            Self::ListAsyncInvokes => "bedrock:ListAsyncInvokes",
            Self::ListInferenceProfiles => "bedrock:ListInferenceProfiles",
            Self::GetInferenceProfile => "bedrock:GetInferenceProfile",
            Self::ListTagsForResource => "bedrock:ListTagsForResource",
            Self::CreateInferenceProfile => "bedrock:CreateInferenceProfile",
            Self::DeleteInferenceProfile => "bedrock:DeleteInferenceProfile",
            Self::TagResource => "bedrock:TagResource",
            Self::ListCostAllocationTags => "ce:ListCostAllocationTags",
            Self::UpdateCostAllocationTagsStatus => "ce:UpdateCostAllocationTagsStatus",
            Self::StartCostAllocationTagBackfill => "ce:StartCostAllocationTagBackfill",
            Self::AssumeRole => "sts:AssumeRole",
            Self::TagSession => "sts:TagSession",
            Self::GetCallerIdentity => "sts:GetCallerIdentity",
            Self::Decrypt => "kms:Decrypt",
        }
    }

    /// Returns what it is needed for.
    pub fn purpose(self) -> Purpose {
        match self {
            Self::InvokeModel
            | Self::InvokeModelWithResponseStream
            | Self::CountTokens
            | Self::ApplyGuardrail
            | Self::InvokeGuardrailChecks
            | Self::GetAsyncInvoke
            | Self::ListAsyncInvokes => Purpose::DataPlane,
            Self::ListInferenceProfiles | Self::GetInferenceProfile | Self::ListTagsForResource => {
                Purpose::Discovery
            }
            Self::CreateInferenceProfile | Self::DeleteInferenceProfile | Self::TagResource => {
                Purpose::Provisioning
            }
            Self::ListCostAllocationTags
            | Self::UpdateCostAllocationTagsStatus
            | Self::StartCostAllocationTagBackfill => Purpose::CostTags,
            Self::AssumeRole => Purpose::Roles,
            Self::TagSession => Purpose::Sessions,
            Self::GetCallerIdentity => Purpose::Identity,
            Self::Decrypt => Purpose::Secrets,
        }
    }

    /// Returns the actions that something needs, in the order of [`Action::ALL`].
    pub fn needed_for(purpose: Purpose) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |action| action.purpose() == purpose)
    }

    /// Tells whether asking twice does no more than asking once.
    pub(super) fn is_idempotent(self) -> bool {
        // Creating is, by its token.
        self != Self::StartCostAllocationTagBackfill
    }
}

impl From<Operation> for Action {
    /// Returns the action that AWS checks for an operation of the runtime. Those of the asynchronous and guardrail
    /// operations are named as the operations are; `StartAsyncInvoke` takes `InvokeModel` (bedrock-runtime service
    /// model 2023-09-30, documentation of the operations).
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Converse | Operation::InvokeModel | Operation::StartAsyncInvoke => Self::InvokeModel,
            Operation::ConverseStream | Operation::InvokeModelWithResponseStream => {
                Self::InvokeModelWithResponseStream
            }
            Operation::CountTokens => Self::CountTokens,
            Operation::ApplyGuardrail => Self::ApplyGuardrail,
            Operation::InvokeGuardrailChecks => Self::InvokeGuardrailChecks,
            Operation::GetAsyncInvoke => Self::GetAsyncInvoke,
            Operation::ListAsyncInvokes => Self::ListAsyncInvokes,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_is_listed_once() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        assert_eq!(Action::needed_for(Purpose::Discovery).count(), 3);
    }
}
