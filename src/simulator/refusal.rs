//! Answers that are errors, as Bedrock words them.

/// An error answer, such as rest-json's `x-amzn-errortype` and `{"message": ..}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// The exception's name.
    pub(super) kind: &'static str,
    /// What the exception says.
    pub(super) message: String,
}

impl Refusal {
    /// The name of what is wrong with signatures, in rest-json.
    pub(super) const BAD_SIGNATURE: &'static str = "InvalidSignatureException";

    /// The request makes no sense.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self { status: 400, kind: "ValidationException", message: message.into() }
    }

    /// What the request names does not exist.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { status: 404, kind: "ResourceNotFoundException", message: message.into() }
    }

    /// No operation has this method and path.
    pub(super) fn unknown_operation() -> Self {
        Self { status: 404, kind: "UnknownOperationException", message: "Unknown operation".to_owned() }
    }

    /// The signature does not hold.
    pub(super) fn signature(message: impl Into<String>) -> Self {
        Self { status: 403, kind: Self::BAD_SIGNATURE, message: message.into() }
    }

    /// No policy of the caller's allows an action on a resource, in AWS's words (IAM user guide, "Troubleshoot
    /// access denied error messages").
    pub(super) fn denied(caller: &str, permission: &str, resource: &str) -> Self {
        let message = format!(
            "User: {caller} is not authorized to perform: {permission} on resource: {resource} \
             because no identity-based policy allows the {permission} action"
        );
        Self { status: 403, kind: "AccessDeniedException", message }
    }

    /// The error that Bedrock answers with that status (bedrock-runtime service model, error shapes).
    pub(super) fn of_status(status: u16) -> Self {
        let kind = match status {
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        };
        let message = if status == 429 {
            "Too many requests, please wait before trying again.".to_owned()
        } else {
            format!("The simulator was told to answer {status}.")
        };
        Self { status, kind, message }
    }
}
