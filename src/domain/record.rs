//! One record per call that went, or tried to go, upstream.

use super::{
    Charge, ModelId, Money, Operation, Picture, ProfileArn, Region, RequestId, ServiceName, Usage, stamp,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A 2xx response, read to its end.
    Ok,
    /// 429, or a throttling exception at any status or inside a stream.
    Throttled,
    /// Another 3xx or 4xx.
    ClientError,
    /// 5xx, an exception inside a stream, or no connection.
    UpstreamError,
    /// Broken off by upstream, before or after its status.
    UpstreamReset,
    /// Silent for longer than the idle timeout, or drained up to a limit.
    Timeout,
    /// The client left and `on_client_disconnect` is `cancel`.
    ClientGone,
    /// The shutdown grace ran out.
    Shutdown,
    /// The process died with the call open; found in the journal at the next start.
    Interrupted,
}

impl Outcome {
    /// Every outcome, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Throttled,
        Self::ClientError,
        Self::UpstreamError,
        Self::UpstreamReset,
        Self::Timeout,
        Self::ClientGone,
        Self::Shutdown,
        Self::Interrupted,
    ];

    /// Returns the outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Returns the outcome's name, as metrics and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::ClientError => "client_error",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamReset => "upstream_reset",
            Self::Timeout => "timeout",
            Self::ClientGone => "client_gone",
            Self::Shutdown => "shutdown",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Where a record's usage comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// `usage` of a Converse body.
    Converse,
    /// `usage` of a ConverseStream's `metadata` message.
    StreamMetadata,
    /// `x-amzn-bedrock-*-count` headers of InvokeModel.
    InvokeHeaders,
    /// The body of InvokeModel, or of a guardrail operation.
    InvokeBody,
    /// `amazon-bedrock-invocationMetrics` in a stream's last chunk.
    InvocationMetrics,
    /// The chunks of a model's own stream.
    StreamChunks,
    /// Our own estimate, because the statement never came whole.
    Estimated,
    /// Nothing was stated where something was due.
    Missing,
    /// Nothing is due: a refused or a free call.
    NotApplicable,
}

impl UsageSource {
    /// Every source, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Converse,
        Self::StreamMetadata,
        Self::InvokeHeaders,
        Self::InvokeBody,
        Self::InvocationMetrics,
        Self::StreamChunks,
        Self::Estimated,
        Self::Missing,
        Self::NotApplicable,
    ];

    /// Returns the source's name, as records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::StreamMetadata => "stream_metadata",
            Self::InvokeHeaders => "invoke_headers",
            Self::InvokeBody => "invoke_body",
            Self::InvocationMetrics => "invocation_metrics",
            Self::StreamChunks => "stream_chunks",
            Self::Estimated => "estimated",
            Self::Missing => "missing",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// Returns the source of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// Why usage is missing from a billable success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// The response ended without a statement.
    NoStatement,
    /// There may have been a statement, in a form that could not be read.
    Unreadable,
    /// The stream ended in an exception message.
    Exception,
}

impl MissingReason {
    /// Returns the reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::NoStatement, Self::Unreadable, Self::Exception]
            .into_iter()
            .find(|reason| reason.name() == name)
    }

    /// Returns the reason's name, as metrics and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoStatement => "no_statement",
            Self::Unreadable => "unreadable",
            Self::Exception => "exception",
        }
    }
}

/// Whether AWS's own books show the call under the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The call left with the service's application inference profile.
    Profile,
    /// The call left without a profile: only tollgate knows whose it was.
    LedgerOnly,
}

impl Attribution {
    /// Returns the attribution's name, as records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::LedgerOnly => "ledger_only",
        }
    }
}

/// One upstream call. Serializes to the JSON object of the access log.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// The id that the client got in `x-tollgate-request-id`.
    pub id: RequestId,
    /// When the request's head had arrived.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: OffsetDateTime,
    /// When the response had ended.
    #[serde(serialize_with = "rfc3339")]
    pub finished_at: OffsetDateTime,
    /// Who carries the cost.
    pub service: ServiceName,
    /// The service's tags when the call started.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Arc<BTreeMap<String, String>>,
    /// What was called.
    pub operation: Operation,
    /// The model id that the client asked for, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_model: Option<ModelId>,
    /// What the profile was copied from, or the model that was called without a profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_model: Option<ModelId>,
    /// The profile that the call left with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_arn: Option<ProfileArn>,
    /// Whether AWS's books show the call under the service.
    pub attribution: Attribution,
    /// The region that the call was signed for.
    pub region: Region,
    /// The HTTP status that upstream sent, if it sent one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How the call ended.
    pub outcome: Outcome,
    /// Whether the client had left before the end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_gone: bool,
    /// What the call consumed.
    #[serde(skip_serializing_if = "Usage::is_empty")]
    pub usage: Usage,
    /// Where `usage` comes from.
    pub usage_source: UsageSource,
    /// Why `usage` is missing, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_missing: Option<MissingReason>,
    /// Upstream's statements as it made them: a JSON object with one member per place that spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_raw: Option<Box<serde_json::value::RawValue>>,
    /// The service tier that the response says was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The latency tier that the response says was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_tier: Option<String>,
    /// The pictures that were asked for, where the call is billed by pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// The model that a prompt router says it called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_model: Option<ModelId>,
    /// Usage at the price table's prices: an estimate until reconciled with AWS's bill. Absent where the usage is
    /// missing, where nothing is due, and where there is no price.
    #[serde(rename = "estimated_cost_usd", skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Which prices `cost` was computed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_id: Option<Arc<str>>,
    /// What has no price, where `cost` is absent for that reason: the model's id, and the unit if only that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<Arc<str>>,
    /// Milliseconds from the request's head to the first byte of the answer's head.
    #[serde(
        rename = "time_to_first_byte_ms",
        serialize_with = "millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub time_to_first_byte: Option<Duration>,
    /// Milliseconds from the request's head to the response's end.
    #[serde(rename = "duration_ms", serialize_with = "some_millis")]
    pub duration: Duration,
    /// Upstream's own request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_request_id: Option<String>,
    /// The id of the service key that the caller showed: the first 16 hex digits of its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// What the caller said in `x-tollgate-labels`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Record {
    /// Returns the record's cost.
    pub fn charge(&self) -> Charge {
        let Self { cost, price_id, unpriced, .. } = self;
        Charge { cost: *cost, price_id: price_id.clone(), unpriced: unpriced.clone() }
    }

    /// Sets the record's cost.
    pub fn set_charge(&mut self, charge: Charge) {
        Charge { cost: self.cost, price_id: self.price_id, unpriced: self.unpriced } = charge;
    }
}

fn rfc3339<S: serde::Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&stamp::rfc3339(*at))
}

fn some_millis<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn millis<S: serde::Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    some_millis(&span.unwrap_or_default(), serializer)
}
