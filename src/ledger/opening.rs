//! What is known of a call before it goes upstream.

use crate::domain::{ModelId, Operation, ProfileArn, Region, RequestId, ServiceName};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// A call that went upstream, or was about to: all that a record needs of it where the process died before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The record's id.
    pub id: RequestId,
    /// When the request's head had arrived.
    pub started_at: OffsetDateTime,
    /// Who carries the cost.
    pub service: ServiceName,
    /// The service's tags.
    pub tags: Arc<BTreeMap<String, String>>,
    /// What is called.
    pub operation: Operation,
    /// The model id that the client asked for, decoded.
    pub requested_model: Option<ModelId>,
    /// What the profile was copied from.
    pub source_model: Option<ModelId>,
    /// The profile that the call leaves with.
    pub profile_arn: Option<ProfileArn>,
    /// The region that the call is signed for.
    pub region: Region,
    /// The id of the service key that the caller showed.
    pub key_id: Option<String>,
    /// What the caller said in `x-tollgate-labels`.
    pub labels: BTreeMap<String, String>,
    /// Bytes of text in the request, which an estimate of its input rests on.
    pub request_text_bytes: u64,
    /// The most output tokens that the request allows, where it says so.
    pub max_output_tokens: Option<u64>,
}

/// An [`Opening`] that is lent to the journal by the call: nothing is cloned to write it.
#[derive(Debug, Clone, Copy)]
pub struct OpeningRef<'a> {
    /// The record's id.
    pub id: RequestId,
    /// When the request's head had arrived.
    pub started_at: OffsetDateTime,
    /// Who carries the cost.
    pub service: &'a ServiceName,
    /// The service's tags.
    pub tags: &'a BTreeMap<String, String>,
    /// What is called.
    pub operation: Operation,
    /// The model id that the client asked for, decoded.
    pub requested_model: Option<&'a ModelId>,
    /// What the profile was copied from.
    pub source_model: Option<&'a ModelId>,
    /// The profile that the call leaves with.
    pub profile_arn: Option<&'a ProfileArn>,
    /// The region that the call is signed for.
    pub region: &'a Region,
    /// The id of the service key that the caller showed.
    pub key_id: Option<&'a str>,
    /// What the caller said in `x-tollgate-labels`.
    pub labels: &'a BTreeMap<String, String>,
    /// Bytes of text in the request.
    pub request_text_bytes: u64,
    /// The most output tokens that the request allows, where it says so.
    pub max_output_tokens: Option<u64>,
}

#[cfg(test)]
impl Opening {
    /// Lends the opening.
    pub(crate) fn view(&self) -> OpeningRef<'_> {
        OpeningRef {
            id: self.id,
            started_at: self.started_at,
            service: &self.service,
            tags: &self.tags,
            operation: self.operation,
            requested_model: self.requested_model.as_ref(),
            source_model: self.source_model.as_ref(),
            profile_arn: self.profile_arn.as_ref(),
            region: &self.region,
            key_id: self.key_id.as_deref(),
            labels: &self.labels,
            request_text_bytes: self.request_text_bytes,
            max_output_tokens: self.max_output_tokens,
        }
    }
}
