//! What the stages are given.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue as Value, Method};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tollgate::domain::{
    Attribution, ModelId, Money, Operation, Outcome, ProfileArn, Record, Region, RequestId, ServiceName,
    Tokens, Usage, UsageSource,
};
use tollgate::forward::WirePath;
use tollgate::forward::sign::{Scope, Signable, SigningKeys, X_AMZ_DATE, covers, sign};
use tollgate::keys::{bearer_hash, seal_context};
use tollgate::ledger::OpeningRef;
use tollgate::vault::{KEY_LEN, Material, Vault};

pub(crate) const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub(crate) const PATH: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
pub(crate) const PROFILE: &str =
    "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/f10epf91dhod";
const SERVICE: &str = "service-1";
const BEARER: &str = "tg_a-key-of-service-1";
const ACCESS_KEY: &str = "TGAKEXAMPLEEXAMPLIAM";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// When all of it happens: 2026-01-02 03:04:05 UTC.
pub(crate) const SINCE_EPOCH: Duration = Duration::from_secs(1_767_323_045);

pub(crate) fn at() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + SINCE_EPOCH
}

/// Writes a gateway's files, in front of such an upstream, with more settings; returns the path of those.
pub(crate) fn write_config(folder: &Path, upstream: &str, settings: &str) -> PathBuf {
    let secrets_key = Material::line(&[7; KEY_LEN]);
    let materials = Material::read(&secrets_key).unwrap();
    let sealed = Vault::plain(&materials)
        .unwrap()
        .seal(&seal_context(&ServiceName::parse(SERVICE).unwrap(), ACCESS_KEY), &SECRET.into());
    let hash = bearer_hash(&BEARER.into()).map(|byte| format!("{byte:02x}")).concat();
    let services = format!(
        "[services.{SERVICE}]\ntags = {{ team = \"payments\", cost_center = \"cc-42\" }}\nkey_sha256 = [\"{hash}\"]\n\
         [services.{SERVICE}.keys.{ACCESS_KEY}]\nsealed_secret = \"{}\"\n\
         [services.{SERVICE}.profiles]\n\"{MODEL}\" = \"{PROFILE}\"\n",
        sealed.unwrap().as_str()
    );
    let settings = format!(
        "[listen]\ndata = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[upstream]\nendpoint = \"{upstream}\"\n\
         [identity]\nsecrets_key_file = \"secrets.key\"\n{settings}"
    );
    std::fs::write(folder.join("secrets.key"), secrets_key.as_bytes()).unwrap();
    std::fs::write(folder.join("services.toml"), services).unwrap();
    std::fs::write(folder.join("tollgate.toml"), settings).unwrap();
    folder.join("tollgate.toml")
}

/// The headers of an SDK's request that names its service by a header.
pub(crate) fn by_header() -> HeaderMap {
    let mut headers = plain();
    headers.insert("x-tollgate-service", Value::from_static(SERVICE));
    headers
}

/// The same, with a service key.
pub(crate) fn by_key() -> HeaderMap {
    let mut headers = plain();
    headers.insert(AUTHORIZATION, Value::from_str(&format!("Bearer {BEARER}")).unwrap());
    headers
}

/// The same, signed with an access key, for a body.
pub(crate) fn by_signature(body: &[u8]) -> HeaderMap {
    let mut headers = plain();
    let body_sha256 = Sha256::digest(body).into();
    let path = WirePath::from(PATH.to_owned());
    let signable = Signable { method: &Method::POST, path: &path, query: "", body_sha256: &body_sha256 };
    let credentials = aws_credential_types::Credentials::new(ACCESS_KEY, SECRET, None, None, "bench");
    let scope = Scope { credentials: &credentials, region: "us-west-2", since_epoch: SINCE_EPOCH };
    let covered = headers.iter().filter(|(name, _)| covers(name));
    let covered = covered.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let signature = sign(signable, covered, &SigningKeys::default(), scope).unwrap();
    headers.insert(X_AMZ_DATE, Value::from_str(&signature.amz_date).unwrap());
    headers.insert(AUTHORIZATION, Value::from_bytes(&signature.authorization).unwrap());
    headers
}

fn plain() -> HeaderMap {
    HeaderMap::from_iter(
        [
            (CONTENT_TYPE, "application/json"),
            (HOST, "127.0.0.1:8080"),
            (HeaderName::from_static("user-agent"), "Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/linux"),
            (HeaderName::from_static("amz-sdk-invocation-id"), "3c2f4b3e-9a9e-4c0e-9d86-5f4f5d3c0a11"),
            (HeaderName::from_static("amz-sdk-request"), "attempt=1"),
            (HeaderName::from_static("accept-encoding"), "identity"),
        ]
        .map(|(name, value)| (name, Value::from_static(value))),
    )
}

/// A request's body of 1 KiB.
pub(crate) fn request() -> Vec<u8> {
    let text = "Summarise the following passage for a busy reader, keeping every number. ".repeat(12);
    let messages = [json!({ "role": "user", "content": [{ "text": text }] })];
    json!({ "messages": messages, "inferenceConfig": { "maxTokens": 64 } }).to_string().into_bytes()
}

/// An answer to Converse of 1 KiB.
pub(crate) fn answer() -> Vec<u8> {
    let text = "The harbour took 14,200 containers in March, 3% more than a year before. ".repeat(10);
    json!({
        "metrics": { "latencyMs": 1128 },
        "output": { "message": { "role": "assistant", "content": [{ "text": text }] } },
        "stopReason": "end_turn",
        "usage": { "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0, "inputTokens": 230, "outputTokens": 41,
                   "totalTokens": 271 },
    })
    .to_string()
    .into_bytes()
}

/// The messages of an answer to `ConverseStream`: 20 of text, and one of usage.
pub(crate) fn events() -> Vec<Vec<u8>> {
    let text = json!({ "contentBlockIndex": 0, "delta": { "text": " of containers" }, "p": "abcdefghijkl" });
    let usage = json!({ "inputTokens": 230, "outputTokens": 41, "totalTokens": 271 });
    let usage = json!({ "metrics": { "latencyMs": 1128 }, "p": "abc", "usage": usage });
    let texts = (0..20).map(|_| event("contentBlockDelta", &text));
    texts.chain([event("metadata", &usage)]).collect()
}

fn event(kind: &'static str, payload: &serde_json::Value) -> Vec<u8> {
    let header =
        |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload.to_string())
        .add_header(header(":event-type", kind))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", "event"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

/// The record of a call.
pub(crate) fn record() -> Record {
    let model = ModelId::parse(MODEL).ok();
    let tokens = Tokens { input: Some(230), output: Some(41), ..Tokens::default() };
    let raw = json!({ "usage": { "inputTokens": 230, "outputTokens": 41, "totalTokens": 271 } });
    Record {
        id: RequestId::from_bytes(*b"0123456789abcdef"),
        started_at: at(),
        finished_at: at(),
        service: ServiceName::parse(SERVICE).unwrap(),
        tags: Arc::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())])),
        operation: Operation::Converse,
        requested_model: model.clone(),
        source_model: model,
        profile_arn: ProfileArn::parse(PROFILE).ok(),
        attribution: Attribution::Profile,
        region: Region::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        client_gone: false,
        usage: Usage { tokens, ..Usage::default() },
        usage_source: UsageSource::Converse,
        usage_missing: None,
        usage_raw: serde_json::value::to_raw_value(&raw).ok(),
        service_tier: Some("default".to_owned()),
        latency_tier: None,
        picture: None,
        invoked_model: None,
        cost: Some(Money::from_picos(12_458_050_000)),
        price_id: Some("anthropic.claude-sonnet-4-5/2025-09-29".into()),
        unpriced: None,
        time_to_first_byte: Some(Duration::from_millis(431)),
        duration: Duration::from_millis(2310),
        aws_request_id: Some("1a6f0f1c-7a1c-4f3b-9d4e-4e7a1f0c9b52".to_owned()),
        key_id: None,
        labels: BTreeMap::from([("feature".to_owned(), "search".to_owned())]),
    }
}

/// What the journal is told of the same call before it goes upstream.
pub(crate) fn opening(record: &Record) -> OpeningRef<'_> {
    OpeningRef {
        id: record.id,
        started_at: record.started_at,
        service: &record.service,
        tags: &record.tags,
        operation: record.operation,
        requested_model: record.requested_model.as_ref(),
        source_model: record.source_model.as_ref(),
        profile_arn: record.profile_arn.as_ref(),
        region: &record.region,
        key_id: record.key_id.as_deref(),
        labels: &record.labels,
        request_text_bytes: 876,
        max_output_tokens: Some(64),
    }
}
