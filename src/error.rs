//! Faults that the gateway itself makes, and their rendering in the shape of Bedrock's own.
//!
//! The only place that knows status codes and exception names of ours.

use crate::domain::{Operation, RequestId, ServiceName};
use crate::forward::ForwardError;
use crate::gateway::{NotMade, Reply, RouteError};
use crate::identify::IdentifyError;
use crate::intake::IntakeError;
use crate::ledger::journal::JournalUnavailable;
use crate::operation::OperationError;
use crate::own_profiles::OwnProfilesError;
use crate::request_metadata::Unstampable;
use crate::resolve::ResolveError;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::sync::Arc;

/// Names the code of a fault of ours, so that nobody takes it for Bedrock's.
pub const X_TOLLGATE_ERROR: HeaderName = HeaderName::from_static("x-tollgate-error");

/// The id that a call, its answer and its record share.
pub const X_TOLLGATE_REQUEST_ID: HeaderName = HeaderName::from_static("x-tollgate-request-id");

/// Where AWS SDKs look for the exception's name.
pub const X_AMZN_ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Where AWS SDKs look for the request's id.
pub const X_AMZN_REQUESTID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Why a call got no answer of Bedrock's.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The path or method stands for no operation.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The caller names no service, or not one.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// There is no way to the model for the service.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The profile that the call lacks could not be made.
    #[error(transparent)]
    NotMade(#[from] NotMade),
    /// The service may not use the operation.
    #[error(
        "service '{service}' may not use {operation}: add it to allowed_operations under [services.{service}]"
    )]
    OperationDenied {
        /// The service.
        service: ServiceName,
        /// What it asked for.
        operation: Operation,
    },
    /// The key is not for the operation.
    #[error(
        "key {key} may not be used for {operation}: its `operations` in the services file do not name it"
    )]
    KeyOperation {
        /// The key's id.
        key: Arc<str>,
        /// What was asked for.
        operation: Operation,
    },
    /// The key is not for the model.
    #[error(
        "key {key} may not be used for model '{model}': its `models` in the services file do not take it"
    )]
    KeyModel {
        /// The key's id.
        key: Arc<str>,
        /// The model that would answer.
        model: String,
    },
    /// The question about the service's own profiles has no answer.
    #[error(transparent)]
    OwnProfiles(#[from] OwnProfilesError),
    /// The body did not come as it should.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The body takes no request metadata.
    #[error(transparent)]
    Metadata(#[from] Unstampable),
    /// Upstream gave no answer.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The journal takes no call.
    #[error(transparent)]
    Journal(#[from] JournalUnavailable),
    /// The gateway is shutting down.
    #[error("the gateway is shutting down: try again")]
    Draining,
    /// A bug.
    #[error("an internal error of the gateway: report it with this request's id")]
    Internal,
}

/// How a fault looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: StatusCode,
    /// The exception that AWS SDKs are to raise.
    pub exception: &'static str,
    /// The stable code, in `x-tollgate-error` and metrics.
    pub code: &'static str,
}

impl Fault {
    const fn new(status: StatusCode, exception: &'static str, code: &'static str) -> Self {
        Self { status, exception, code }
    }

    const fn denied(code: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", code)
    }

    const fn invalid(code: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationException", code)
    }

    const fn unavailable(code: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", code)
    }
}

impl GatewayError {
    /// Returns the fault's status, exception and code.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Identify(IdentifyError::Missing { .. }) => Fault::invalid("service_missing"),
            Self::Identify(IdentifyError::Unknown(_)) => Fault::denied("service_unknown"),
            Self::Identify(IdentifyError::Conflict(_)) => Fault::denied("identity_conflict"),
            Self::Identify(IdentifyError::KeyInvalid) => Fault::denied("key_invalid"),
            Self::Identify(IdentifyError::Signature(_)) => {
                Fault::new(StatusCode::FORBIDDEN, "InvalidSignatureException", "signature_invalid")
            }
            Self::Route(RouteError::Resolve(ResolveError::Ambiguous { .. })) => {
                Fault::invalid("model_ambiguous")
            }
            Self::Route(RouteError::Resolve(ResolveError::Foreign { .. })) => {
                Fault::denied("profile_foreign")
            }
            Self::NotMade(error) if error.is_transient => Fault::unavailable("profile_unmade"),
            Self::NotMade(_)
            | Self::Route(RouteError::Resolve(ResolveError::Unmapped { .. } | ResolveError::Unmade(_))) => {
                Fault::denied("model_unmapped")
            }
            Self::KeyModel { .. }
            | Self::Route(RouteError::Resolve(ResolveError::Denied { .. } | ResolveError::Unnamed { .. })) => {
                Fault::denied("model_denied")
            }
            Self::OperationDenied { .. } | Self::KeyOperation { .. } => Fault::denied("operation_denied"),
            Self::Operation(OperationError::NoModel | OperationError::Malformed(_))
            | Self::Route(RouteError::Malformed) => Fault::invalid("path_malformed"),
            Self::Operation(OperationError::Unknown) => {
                Fault::new(StatusCode::NOT_FOUND, "UnknownOperationException", "operation_unknown")
            }
            Self::Operation(OperationError::Unsupported) => Fault::invalid("operation_unsupported"),
            Self::OwnProfiles(OwnProfilesError::Unknown { .. }) => {
                Fault::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", "profile_unknown")
            }
            Self::OwnProfiles(OwnProfilesError::Query(_)) => Fault::invalid("query_malformed"),
            Self::Intake(IntakeError::TooLarge { .. }) => {
                Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", "body_too_large")
            }
            Self::Metadata(_) | Self::Intake(IntakeError::Broken | IntakeError::Stalled) => {
                Fault::invalid("body_unreadable")
            }
            Self::Forward(ForwardError::Unreachable(_) | ForwardError::Credentials) => {
                Fault::unavailable("upstream_unreachable")
            }
            Self::Forward(ForwardError::Silent(_)) => Fault::unavailable("upstream_timeout"),
            Self::Forward(ForwardError::Reset) => Fault::unavailable("upstream_reset"),
            Self::Journal(_) => Fault::unavailable("journal_unavailable"),
            Self::Draining | Self::Forward(ForwardError::GraceOver) => Fault::unavailable("draining"),
            Self::Internal
            | Self::Forward(ForwardError::Unsendable(_))
            | Self::Route(RouteError::Endpoint(_) | RouteError::Lost) => {
                Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerException", "internal")
            }
        }
    }

    /// Returns the answer to the client.
    pub fn into_response(self, id: RequestId) -> Response<Reply> {
        let fault = self.fault();
        let body = serde_json::json!({ "message": self.to_string() }).to_string();
        let mut response = Response::new(Reply::from(body));
        *response.status_mut() = fault.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(X_AMZN_ERRORTYPE, HeaderValue::from_static(fault.exception));
        headers.insert(X_TOLLGATE_ERROR, HeaderValue::from_static(fault.code));
        insert_id(headers, &X_AMZN_REQUESTID, id);
        insert_id(headers, &X_TOLLGATE_REQUEST_ID, id);
        if matches!(self, Self::Draining) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Puts a request's id into a header.
pub fn insert_id(headers: &mut HeaderMap, name: &HeaderName, id: RequestId) {
    // Hex digits and hyphens are always legal in a header.
    if let Ok(value) = HeaderValue::from_str(id.encode(&mut [0; 36])) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::SignatureError;
    use http_body_util::BodyExt;
    use std::time::Duration;

    /// Every fault, as `status exception code`.
    fn every() -> Vec<(GatewayError, &'static str)> {
        let (service, text) = (|| ServiceName::parse("a").unwrap(), || "m".to_owned());
        let route = |error| GatewayError::Route(RouteError::Resolve(error));
        let unmapped = ResolveError::Unmapped { service: service(), model: text(), has: text() };
        let ambiguous = ResolveError::Ambiguous { service: service(), model: text(), fits: text() };
        let foreign = ResolveError::Foreign { service: service(), profile: text() };
        let not_allowed = ResolveError::Denied { service: service(), model: text(), allowed: text() };
        let denied =
            GatewayError::OperationDenied { service: service(), operation: Operation::ApplyGuardrail };
        let missing = IdentifyError::Missing { identity: Box::default(), refused: None };
        let forged = IdentifyError::Signature(SignatureError::Mismatch);
        let key_operation = GatewayError::KeyOperation { key: "k".into(), operation: Operation::Converse };
        let too_large = IntakeError::TooLarge { limit: 1 };
        let silent = ForwardError::Silent(Duration::ZERO);
        vec![
            (missing.into(), "400 ValidationException service_missing"),
            (IdentifyError::Unknown(text()).into(), "403 AccessDeniedException service_unknown"),
            (IdentifyError::Conflict(text()).into(), "403 AccessDeniedException identity_conflict"),
            (IdentifyError::KeyInvalid.into(), "403 AccessDeniedException key_invalid"),
            (forged.into(), "403 InvalidSignatureException signature_invalid"),
            (key_operation, "403 AccessDeniedException operation_denied"),
            (
                GatewayError::KeyModel { key: "k".into(), model: text() },
                "403 AccessDeniedException model_denied",
            ),
            (route(unmapped), "403 AccessDeniedException model_unmapped"),
            (route(ambiguous), "400 ValidationException model_ambiguous"),
            (route(foreign), "403 AccessDeniedException profile_foreign"),
            (route(not_allowed), "403 AccessDeniedException model_denied"),
            (
                route(ResolveError::Unnamed { service: service(), allowed: text() }),
                "403 AccessDeniedException model_denied",
            ),
            (RouteError::Malformed.into(), "400 ValidationException path_malformed"),
            (RouteError::Lost.into(), "500 InternalServerException internal"),
            (denied, "403 AccessDeniedException operation_denied"),
            (OperationError::NoModel.into(), "400 ValidationException path_malformed"),
            (OperationError::Malformed("id").into(), "400 ValidationException path_malformed"),
            (OperationError::Unknown.into(), "404 UnknownOperationException operation_unknown"),
            (OperationError::Unsupported.into(), "400 ValidationException operation_unsupported"),
            (
                OwnProfilesError::Unknown { service: text(), id: text() }.into(),
                "404 ResourceNotFoundException profile_unknown",
            ),
            (OwnProfilesError::Query("no").into(), "400 ValidationException query_malformed"),
            (too_large.into(), "413 RequestEntityTooLargeException body_too_large"),
            (IntakeError::Broken.into(), "400 ValidationException body_unreadable"),
            (IntakeError::Stalled.into(), "400 ValidationException body_unreadable"),
            (Unstampable::TooOften.into(), "400 ValidationException body_unreadable"),
            (
                ForwardError::Unreachable(text()).into(),
                "503 ServiceUnavailableException upstream_unreachable",
            ),
            (ForwardError::Credentials.into(), "503 ServiceUnavailableException upstream_unreachable"),
            (silent.into(), "503 ServiceUnavailableException upstream_timeout"),
            (ForwardError::Reset.into(), "503 ServiceUnavailableException upstream_reset"),
            (ForwardError::GraceOver.into(), "503 ServiceUnavailableException draining"),
            (ForwardError::Unsendable("path").into(), "500 InternalServerException internal"),
            (GatewayError::Draining, "503 ServiceUnavailableException draining"),
            (GatewayError::Internal, "500 InternalServerException internal"),
        ]
    }

    #[tokio::test]
    async fn every_fault_has_its_shape() {
        let id = RequestId::new(Duration::from_secs(1));
        for (error, expected) in every() {
            let message = error.to_string();
            let response = error.into_response(id);
            let header = |name: &HeaderName| response.headers()[name].to_str().unwrap().to_owned();
            let (exception, code) = (header(&X_AMZN_ERRORTYPE), header(&X_TOLLGATE_ERROR));
            assert_eq!(format!("{} {exception} {code}", response.status().as_u16()), expected);
            assert_eq!(header(&X_TOLLGATE_REQUEST_ID), id.to_string());
            assert_eq!(header(&X_AMZN_REQUESTID), id.to_string());
            assert_eq!(header(&CONTENT_TYPE), "application/json");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body, serde_json::json!({ "message": message }));
        }
    }
}
