//! The operations of the Bedrock runtime.

use std::fmt;

/// An operation of the Bedrock runtime (bedrock-runtime service model 2023-09-30), without the bidirectional
/// stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /model/{modelId}/converse`
    Converse,
    /// `POST /model/{modelId}/converse-stream`
    ConverseStream,
    /// `POST /model/{modelId}/invoke`
    InvokeModel,
    /// `POST /model/{modelId}/invoke-with-response-stream`
    InvokeModelWithResponseStream,
    /// `POST /model/{modelId}/count-tokens`
    CountTokens,
    /// `POST /guardrail/{guardrailIdentifier}/version/{guardrailVersion}/apply`
    ApplyGuardrail,
    /// `POST /guardrail-checks/invoke`
    InvokeGuardrailChecks,
    /// `POST /async-invoke`
    StartAsyncInvoke,
    /// `GET /async-invoke/{invocationArn}`
    GetAsyncInvoke,
    /// `GET /async-invoke`
    ListAsyncInvokes,
}

impl Operation {
    /// Every operation, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Converse,
        Self::ConverseStream,
        Self::InvokeModel,
        Self::InvokeModelWithResponseStream,
        Self::CountTokens,
        Self::ApplyGuardrail,
        Self::InvokeGuardrailChecks,
        Self::StartAsyncInvoke,
        Self::GetAsyncInvoke,
        Self::ListAsyncInvokes,
    ];

    /// Returns the operation's name as Bedrock spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converse => "Converse",
            Self::ConverseStream => "ConverseStream",
            Self::InvokeModel => "InvokeModel",
            Self::InvokeModelWithResponseStream => "InvokeModelWithResponseStream",
            Self::CountTokens => "CountTokens",
            Self::ApplyGuardrail => "ApplyGuardrail",
            Self::InvokeGuardrailChecks => "InvokeGuardrailChecks",
            Self::StartAsyncInvoke => "StartAsyncInvoke",
            Self::GetAsyncInvoke => "GetAsyncInvoke",
            Self::ListAsyncInvokes => "ListAsyncInvokes",
        }
    }

    /// Returns the operation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Tells whether every service may use the operation; the others need `allowed_operations`.
    pub fn is_allowed_by_default(self) -> bool {
        match self {
            Self::Converse
            | Self::ConverseStream
            | Self::InvokeModel
            | Self::InvokeModelWithResponseStream
            | Self::CountTokens => true,
            Self::ApplyGuardrail
            | Self::InvokeGuardrailChecks
            | Self::StartAsyncInvoke
            | Self::GetAsyncInvoke
            | Self::ListAsyncInvokes => false,
        }
    }

    /// Tells whether AWS bills a successful call, so that it must state what it used.
    pub fn is_billable(self) -> bool {
        match self {
            Self::Converse
            | Self::ConverseStream
            | Self::InvokeModel
            | Self::InvokeModelWithResponseStream
            | Self::ApplyGuardrail
            | Self::InvokeGuardrailChecks
            | Self::StartAsyncInvoke => true,
            Self::CountTokens | Self::GetAsyncInvoke | Self::ListAsyncInvokes => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Operation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
