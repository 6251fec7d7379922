//! Why AWS did not do what it was asked, and what to do about it.

use super::{Action, Site};
use crate::forward::root_cause;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::json;
use std::error::Error;
use std::fmt;

/// Why AWS did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// What it was asked.
    pub action: Action,
    /// Where, and in whose name.
    pub site: Site,
    /// The ARN that it was asked about, where it was about one.
    pub resource: Option<String>,
    /// What came of it.
    pub kind: ErrorKind,
}

/// What came of asking AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "messages are AWS's, causes the system's")]
pub enum ErrorKind {
    /// There is nothing to sign with, so nothing was sent.
    #[error("there are no AWS credentials: {cause}")]
    NoCredentials { cause: String },
    /// What it was signed with does not count: a key that is unknown, a token that has expired, a clock that is off.
    #[error("AWS does not take the signature: {message}")]
    BadCredentials { message: String },
    /// No policy allows it, or one forbids it.
    #[error("AWS denies it: {message}")]
    AccessDenied { message: String },
    /// Too many were asked at a time, for as long as was waited.
    #[error("AWS throttles it, also after {tries} tries")]
    Throttled { tries: u32 },
    /// AWS says that it does not exist: the only answer that means this.
    #[error("it does not exist: {message}")]
    NotFound { message: String },
    /// There are as many as there may be.
    #[error("a quota is used up: {message}")]
    Quota { message: String },
    /// Something else is being done to it, or was made by the same token.
    #[error("it conflicts with something else: {message}")]
    Conflict { message: String },
    /// AWS does not take it as it was asked.
    #[error("AWS does not take the request: {message}")]
    Invalid { message: String },
    /// There is no connection, or it broke before an answer was whole.
    #[error("AWS cannot be reached: {cause}")]
    Unreachable { cause: String },
    /// No answer came in time.
    #[error("AWS does not answer in time")]
    Silent,
    /// Something is wrong at AWS.
    #[error("AWS fails with status {status}: {message}")]
    Server { status: u16, message: String },
    /// What answers does not answer as AWS does.
    #[error("what answers does not answer as AWS does: {cause}")]
    Unexpected { cause: String },
}

impl AwsError {
    /// Tells whether the same may well succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            ErrorKind::Throttled { .. }
            | ErrorKind::Unreachable { .. }
            | ErrorKind::Silent
            | ErrorKind::Server { .. } => true,
            ErrorKind::NoCredentials { .. }
            | ErrorKind::BadCredentials { .. }
            | ErrorKind::AccessDenied { .. }
            | ErrorKind::NotFound { .. }
            | ErrorKind::Quota { .. }
            | ErrorKind::Conflict { .. }
            | ErrorKind::Invalid { .. }
            | ErrorKind::Unexpected { .. } => false,
        }
    }

    /// Tells whether AWS itself says that what was asked about does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound { .. })
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match &self.kind {
            ErrorKind::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine or pod a role; \
                 `aws sts get-caller-identity` shows what the chain finds"
                    .to_owned()
            }
            ErrorKind::BadCredentials { .. } => {
                "renew the credentials, and check this machine's clock; `aws sts get-caller-identity` says whether AWS \
                 takes them"
                    .to_owned()
            }
            ErrorKind::AccessDenied { message } => self.grant(message),
            ErrorKind::Throttled { .. } => {
                "try again later: others use up the account's rate in this region".to_owned()
            }
            ErrorKind::NotFound { .. } => {
                "check the ARN, its region and its account; it may have been deleted".to_owned()
            }
            ErrorKind::Quota { .. } if self.action == Action::StartCostAllocationTagBackfill => {
                "AWS takes one backfill a day: ask again tomorrow".to_owned()
            }
            ErrorKind::Quota { .. } => {
                "delete what is not needed, or ask for more in Service Quotas (service code bedrock)".to_owned()
            }
            ErrorKind::Conflict { .. } => "look at what there is now, and try again".to_owned(),
            ErrorKind::Invalid { .. } => "correct what the message names".to_owned(),
            ErrorKind::Unreachable { .. } | ErrorKind::Silent | ErrorKind::Unexpected { .. } => {
                "check upstream.region, upstream.control_endpoint, HTTPS_PROXY and NO_PROXY, and that this machine may \
                 connect to there"
                    .to_owned()
            }
            ErrorKind::Server { .. } => "try again later: the failure is on AWS's side".to_owned(),
        }
    }

    /// Says what would allow it. An explicit deny wins over everything that allows.
    fn grant(&self, message: &str) -> String {
        let who = match &self.site.role {
            Some(role) => format!("the role {role}"),
            None => "the gateway's role".to_owned(),
        };
        if message.contains("explicit deny") {
            return format!("a policy denies {} to {who}: remove that deny, or exempt {who}", self.action);
        }
        let statement =
            json!({ "Effect": "Allow", "Action": self.action.name(), "Resource": self.resources() });
        let also = match self.action.purpose() {
            super::Purpose::Roles => "; the role's trust policy must name the gateway's role as well",
            super::Purpose::Sessions => {
                "; the role's trust policy must allow the gateway's role sts:TagSession beside sts:AssumeRole as well"
            }
            super::Purpose::CostTags => {
                "; in an organization, only its management account has cost allocation tags"
            }
            super::Purpose::DataPlane
            | super::Purpose::Discovery
            | super::Purpose::Provisioning
            | super::Purpose::Secrets
            | super::Purpose::Identity => "",
        };
        format!("add to the policies of {who}: {statement}{also}")
    }

    /// Returns the resources that a policy has to name, for all regions of the account (bedrock user guide,
    /// "Prerequisites for inference profiles").
    fn resources(&self) -> Vec<String> {
        let (partition, account) = self.partition_and_account();
        let own = |kind: &str| format!("arn:{partition}:bedrock:*:{account}:{kind}/*");
        let profiles = || vec![own("inference-profile"), own("application-inference-profile")];
        match self.action {
            Action::CreateInferenceProfile => {
                let mut all = profiles();
                all.push(format!("arn:{partition}:bedrock:*::foundation-model/*"));
                all
            }
            Action::AssumeRole | Action::TagSession => self.resource.clone().into_iter().collect(),
            Action::ListInferenceProfiles
            | Action::GetInferenceProfile
            | Action::ListTagsForResource
            | Action::DeleteInferenceProfile
            | Action::TagResource => profiles(),
            Action::InvokeModel
            | Action::InvokeModelWithResponseStream
            | Action::CountTokens
            | Action::ApplyGuardrail
            | Action::InvokeGuardrailChecks
            | Action::GetAsyncInvoke
            | Action::ListAsyncInvokes
            | Action::ListCostAllocationTags
            | Action::UpdateCostAllocationTagsStatus
            | Action::StartCostAllocationTagBackfill
            | Action::GetCallerIdentity
            // What KMS has encrypted does not tell with which key.
            | Action::Decrypt => vec!["*".to_owned()],
        }
    }

    /// Returns what the ARNs at hand tell; the account that nothing tells is any.
    fn partition_and_account(&self) -> (String, String) {
        let arn = self.site.role.as_ref().map(crate::domain::RoleArn::as_str).or(self.resource.as_deref());
        let mut parts = arn.unwrap_or_default().split(':');
        let partition = parts.nth(1).unwrap_or(self.site.region.partition()).to_owned();
        let account = parts.nth(2).filter(|account| crate::domain::is_account(account)).unwrap_or("*");
        (partition, account.to_owned())
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.site)?;
        if let Some(resource) = &self.resource {
            write!(f, " of {resource}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl Error for AwsError {}

/// What comes of an error of the SDK's.
#[derive(Debug)]
pub(super) enum Cause {
    /// This.
    Kind(ErrorKind),
    /// Assuming the role that was to sign failed before.
    Role(AwsError),
}

/// Returns what an error of the SDK's means. Only `ResourceNotFoundException` means that something does not exist: a
/// 404 of whatever stands in between does not.
pub(super) fn cause<E>(error: &SdkError<E, HttpResponse>) -> Cause
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(cause) = of_credentials(error) {
        return cause;
    }
    let is_timeout = matches!(error, SdkError::TimeoutError(_))
        || matches!(error, SdkError::DispatchFailure(failure) if failure.is_timeout());
    if is_timeout {
        return Cause::Kind(ErrorKind::Silent);
    }
    let Some(status) = error.raw_response().map(|response| response.status().as_u16()) else {
        return Cause::Kind(ErrorKind::Unreachable { cause: root_cause(error) });
    };
    let message = error.message().unwrap_or("no message").to_owned();
    Cause::Kind(match error.code() {
        Some(code) => of_code(code, status, message),
        None if status == 429 => ErrorKind::Throttled { tries: 1 },
        None if status >= 500 => ErrorKind::Server { status, message },
        None => ErrorKind::Unexpected { cause: format!("status {status}, {}", root_cause(error)) },
    })
}

/// Finds what kept credentials away, where that is what is wrong.
fn of_credentials(error: &(dyn Error + 'static)) -> Option<Cause> {
    let mut missing = None;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(role) = error.downcast_ref::<AwsError>() {
            return Some(Cause::Role(role.clone()));
        }
        missing = missing.or_else(|| error.downcast_ref::<CredentialsError>());
        next = error.source();
    }
    missing.map(|missing| Cause::Kind(ErrorKind::NoCredentials { cause: root_cause(missing) }))
}

/// Returns what an exception means, by its name (service models of bedrock 2023-04-20, sts 2011-06-15 and ce
/// 2017-10-25, and what all services share).
fn of_code(code: &str, status: u16, message: String) -> ErrorKind {
    match code {
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        // Cost Explorer's: too many calls in a short time.
        | "LimitExceededException" => ErrorKind::Throttled { tries: 1 },
        "ResourceNotFoundException" => ErrorKind::NotFound { message },
        "AccessDeniedException" | "AccessDenied" => ErrorKind::AccessDenied { message },
        "ServiceQuotaExceededException" | "TooManyTagsException" | "BackfillLimitExceededException" => {
            ErrorKind::Quota { message }
        }
        "ConflictException" => ErrorKind::Conflict { message },
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => ErrorKind::BadCredentials { message },
        _ if status == 429 => ErrorKind::Throttled { tries: 1 },
        _ if status >= 500 => ErrorKind::Server { status, message },
        _ => ErrorKind::Invalid { message: format!("{message} ({code})") },
    }
}
