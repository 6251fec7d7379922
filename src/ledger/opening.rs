//! What is known of a call before it goes upstream.

use crate::domain::{ModelId, Operation, ProfileArn, Region, RequestId, ServiceName};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// A call that is about to go upstream: all that a record needs of it should the process die before its end.
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
