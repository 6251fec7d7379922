//! What the stages of a call cost: from its path to its route, its signature, reading its answer, its price, and the
//! journal.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up is to fail")]

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue as EventValue, Message};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_util::task::TaskTracker;
use tollgate::aws::Access;
use tollgate::clock::Clock;
use tollgate::config::{Egress, Upstream, load};
use tollgate::domain::Peer;
use tollgate::domain::{
    Attribution, ModelId, Money, Operation, Outcome, ProfileArn, Record, Region, RequestId, ServiceName,
    Tokens, Usage, UsageSource,
};
use tollgate::forward::Stem;
use tollgate::forward::sign::{Scope, Signable, SigningKeys, sign};
use tollgate::forward::signers::Signers;
use tollgate::gateway::{Basis, Setting, Snapshot};
use tollgate::identify::{Shown, identify};
use tollgate::intake::RequestBody;
use tollgate::keys::Keyring;
use tollgate::ledger::journal::{Journal, Settings};
use tollgate::ledger::{Opening, OpeningRef};
use tollgate::metrics::Metrics;
use tollgate::operation;
use tollgate::price::{PriceTable, Used};
use tollgate::request_metadata::Stamp;
use tollgate::shutdown::Shutdown;
use tollgate::tap::{End, Tap, TextCounter};

const PATH: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
const WIRE_STEM: &str =
    "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Ff10epf91dhod";

fn route(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tollgate.toml");
    let loaded = load(&config, Vec::new()).unwrap();
    let provider = SharedCredentialsProvider::new(Credentials::new("a", "s", None, None, "bench"));
    let access = Access::new(provider, &Egress::default(), Clock::system()).unwrap();
    let setting = Setting {
        signers: Arc::new(Signers::new(&access, &Upstream::default(), TaskTracker::new())),
        metrics: Arc::new(Metrics::new().unwrap()),
        shutdown: Shutdown::default(),
        clock: Clock::system(),
    };
    let basis = Basis::new(loaded, Keyring::default(), Arc::default());
    let snapshot = runtime.block_on(Snapshot::build(basis, setting)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-tollgate-service", HeaderValue::from_static("service-1"));
    let peer = Peer::default();
    criterion.bench_function("operation + identify + resolve", |bencher| {
        bencher.iter(|| {
            let target = operation::parse(&Method::POST, black_box(PATH)).unwrap();
            let shown = Shown {
                headers: &headers,
                path_service: target.service,
                peer: &peer,
                at: OffsetDateTime::UNIX_EPOCH,
            };
            let caller = identify(snapshot.known(), shown).unwrap();
            snapshot.route(&caller.service, target.operation, &target.resource).unwrap()
        });
    });
}

fn signature(criterion: &mut Criterion) {
    let credentials =
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", Some("token".to_owned()), None, "bench");
    let body_sha256 = Sha256::digest(b"{}").into();
    let stem = Stem::new(WIRE_STEM.to_owned());
    let path = stem.join("/converse");
    let signable = Signable { method: &Method::POST, path: &path, query: "", body_sha256: &body_sha256 };
    let scope = Scope {
        credentials: &credentials,
        region: "us-west-2",
        since_epoch: Duration::from_secs(1_767_323_045),
    };
    let keys = SigningKeys::default();
    let headers: [(&str, &[u8]); 2] =
        [("host", b"bedrock-runtime.us-west-2.amazonaws.com"), ("content-type", b"application/json")];
    criterion.bench_function("sign", |bencher| {
        bencher.iter(|| sign(black_box(signable), headers.to_vec(), &keys, scope).unwrap());
    });
}

fn stamp(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = ServiceName::parse("service-1").unwrap();
    let tags = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    let id = RequestId::new(Duration::from_secs(1_767_323_045));
    let stamp = Stamp { service: &service, id, tags: &tags };
    let mut group = criterion.benchmark_group("stamp");
    for (name, repeats) in [("1 KiB", 40), ("1 MiB", 41_900)] {
        let text = "A quite ordinary question".repeat(repeats);
        let body = serde_json::json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] });
        let pieces: Vec<Bytes> =
            body.to_string().as_bytes().chunks(16_384).map(Bytes::copy_from_slice).collect();
        group.throughput(Throughput::Bytes(length(&pieces)));
        group.bench_function(format!("Converse, {name}"), |bencher| {
            let body = || RequestBody {
                pieces: pieces.clone(),
                len: 0,
                sha256: [0; 32],
                text_bytes: 0,
                max_output_tokens: None,
                waited: Duration::ZERO,
            };
            let put = |mut body: RequestBody| {
                runtime.block_on(stamp.body(&mut body)).unwrap();
                body
            };
            bencher.iter_batched(body, put, BatchSize::SmallInput);
        });
        group.bench_function(format!("SHA-256 alone, {name}"), |bencher| {
            bencher.iter(|| {
                let mut sha256 = Sha256::default();
                for piece in &pieces {
                    sha256.update(piece);
                }
                sha256.finalize()
            });
        });
    }
    group.finish();
}

fn tap(criterion: &mut Criterion) {
    let model = ModelId::parse("us.anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/vnd.amazon.eventstream"));
    let read = |operation, headers: &HeaderMap, chunks: &[Bytes]| {
        let mut tap = Tap::new(operation, Some(&model), 200, headers, 0);
        for chunk in chunks {
            tap.feed(chunk);
        }
        tap.finish(End::Complete)
    };
    let mut group = criterion.benchmark_group("tap");
    let stream: Vec<Bytes> = converse_stream().chunks(1400).map(Bytes::copy_from_slice).collect();
    group.throughput(Throughput::Bytes(length(&stream)));
    group.bench_function("ConverseStream, 1,000 events", |bencher| {
        bencher.iter(|| read(Operation::ConverseStream, &headers, &stream));
    });
    let text = "A quite ordinary answer. ".repeat(40_000);
    let body = serde_json::json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": text }] } },
        "stopReason": "end_turn",
        "usage": { "inputTokens": 10, "outputTokens": 20, "totalTokens": 30 },
    });
    let body: Vec<Bytes> = body.to_string().as_bytes().chunks(16_384).map(Bytes::copy_from_slice).collect();
    let plain = HeaderMap::new();
    group.throughput(Throughput::Bytes(length(&body)));
    group.bench_function("Converse, 1 MB", |bencher| {
        bencher.iter(|| read(Operation::Converse, &plain, &body));
    });
    group.bench_function("text of a request, 1 MB", |bencher| {
        bencher.iter(|| {
            let mut counter = TextCounter::default();
            for piece in &body {
                counter.feed(piece);
            }
            counter.bytes()
        });
    });
    group.finish();
}

fn length(chunks: &[Bytes]) -> u64 {
    u64::try_from(chunks.iter().map(Bytes::len).sum::<usize>()).unwrap()
}

fn converse_stream() -> Vec<u8> {
    let mut stream = Vec::new();
    let mut event = |kind: &'static str, payload: serde_json::Value| {
        let header =
            |name: &'static str, value: &'static str| Header::new(name, EventValue::String(value.into()));
        let message = Message::new(payload.to_string())
            .add_header(header(":event-type", kind))
            .add_header(header(":content-type", "application/json"))
            .add_header(header(":message-type", "event"));
        write_message_to(&message, &mut stream).unwrap();
    };
    for _ in 0..1000 {
        let delta =
            serde_json::json!({ "contentBlockIndex": 0, "delta": { "text": "some words" }, "p": "abcdefgh" });
        event("contentBlockDelta", delta);
    }
    let usage = serde_json::json!({ "inputTokens": 10, "outputTokens": 20, "totalTokens": 30 });
    event("metadata", serde_json::json!({ "usage": usage, "metrics": { "latencyMs": 1 } }));
    stream
}

/// Opening and closing of a call, with their two writes, to a journal that nobody drains.
fn journal(criterion: &mut Criterion) {
    let dir = std::env::temp_dir().join(format!("tollgate-bench-{}", std::process::id()));
    let settings = Settings { limit_bytes: u64::MAX, ..Settings::default() };
    let started = Journal::start(&dir, settings, &mut |opening| record(&opening)).unwrap();
    let opening = opening();
    let record = record(&opening);
    criterion.bench_function("journal: opening + closing", |bencher| {
        let call = |record| {
            let ticket = started.journal.opening(&view(black_box(&opening))).unwrap();
            started.journal.closing(Some(ticket), Box::new(black_box(record)));
        };
        bencher.iter_batched(|| record.clone(), call, BatchSize::SmallInput);
    });
    drop(started);
    std::fs::remove_dir_all(dir).unwrap();
}

fn opening() -> Opening {
    let model = ModelId::parse("us.anthropic.claude-sonnet-4-5-20250929-v1:0").ok();
    let profile = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/f10epf91dhod";
    Opening {
        id: RequestId::new(Duration::from_secs(1_767_323_045)),
        started_at: Clock::system().utc(),
        service: ServiceName::parse("checkout").unwrap(),
        tags: Arc::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())])),
        operation: Operation::Converse,
        requested_model: model.clone(),
        source_model: model,
        profile_arn: ProfileArn::parse(profile).ok(),
        region: Region::default(),
        key_id: Some("9f86d081884c7d65".to_owned()),
        labels: BTreeMap::from([("feature".to_owned(), "search".to_owned())]),
        request_text_bytes: 1000,
        max_output_tokens: Some(4096),
    }
}

fn view(opening: &Opening) -> OpeningRef<'_> {
    OpeningRef {
        id: opening.id,
        started_at: opening.started_at,
        service: &opening.service,
        tags: &opening.tags,
        operation: opening.operation,
        requested_model: opening.requested_model.as_ref(),
        source_model: opening.source_model.as_ref(),
        profile_arn: opening.profile_arn.as_ref(),
        region: &opening.region,
        key_id: opening.key_id.as_deref(),
        labels: &opening.labels,
        request_text_bytes: opening.request_text_bytes,
        max_output_tokens: opening.max_output_tokens,
    }
}

fn record(opening: &Opening) -> Record {
    let tokens = Tokens { input: Some(18), output: Some(386), ..Tokens::default() };
    let raw = serde_json::json!({ "usage": { "inputTokens": 18, "outputTokens": 386, "totalTokens": 404 } });
    Record {
        id: opening.id,
        started_at: opening.started_at,
        finished_at: opening.started_at,
        service: opening.service.clone(),
        tags: Arc::clone(&opening.tags),
        operation: opening.operation,
        requested_model: opening.requested_model.clone(),
        source_model: opening.source_model.clone(),
        profile_arn: opening.profile_arn.clone(),
        attribution: Attribution::Profile,
        region: opening.region.clone(),
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
        key_id: opening.key_id.clone(),
        labels: opening.labels.clone(),
    }
}

fn price(criterion: &mut Criterion) {
    let (model, region) =
        (ModelId::parse("anthropic.claude-haiku-4-5-20251001-v1:0").unwrap(), Region::default());
    let service = ServiceName::parse("service-1").unwrap();
    let rates = PriceTable::builtin().rates(&service, Some(&model), &region);
    let tokens =
        Tokens { input: Some(18), output: Some(386), cache_write_5m: Some(7502), ..Tokens::default() };
    let usage = Usage { tokens, ..Usage::default() };
    let at = Clock::system().utc();
    let used = Used { at, usage: &usage, service_tier: None, latency_tier: None, picture: None };
    criterion.bench_function("charge", |bencher| bencher.iter(|| rates.charge(black_box(&used))));
}

criterion_group!(stages, route, signature, stamp, tap, price, journal);
criterion_main!(stages);
