//! Many calls at once, one in ten of which goes wrong: what is counted is what was stated, to the token.

use crate::gateway::{CLAUDE, NOVA, TITAN, TestGateway, converse_body};
use crate::spend;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;
use tollgate::simulator::TokenTotals;

const CALLS: u64 = 20_000;
const CONCURRENCY: u64 = 64;
const KINDS: [&str; 5] = ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h"];

/// One call: what is asked for, how it goes wrong, and what must have become of it.
#[derive(Debug, Clone)]
struct Plan {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    ending: Ending,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Ok,
    Unstated,
    Throttled,
    ClientError,
    UpstreamError,
    Exception,
    ExceptionAtTheEnd,
    Reset,
    ResetHead,
    ClientLeaves,
}

impl Ending {
    /// Returns `outcome usage`.
    fn expected(self) -> &'static str {
        match self {
            Self::Ok => "ok stated",
            Self::Unstated => "ok missing",
            Self::Throttled => "throttled not_applicable",
            Self::ClientError => "client_error not_applicable",
            Self::UpstreamError => "upstream_error not_applicable",
            Self::Exception => "throttled missing",
            Self::ExceptionAtTheEnd => "upstream_error stated",
            Self::Reset | Self::ResetHead => "upstream_reset estimated",
            Self::ClientLeaves => "ok stated, client gone",
        }
    }
}

/// Plans the call of that number: every mix of service, model and operation, every tenth with a fault.
fn plan(number: u64) -> Plan {
    let operations = ["converse", "converse-stream", "invoke", "invoke-with-response-stream"];
    // Spread, so that the choices do not depend on one another.
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let pick = |every: u64, of: u64| spread / every % of;
    let operation = operations[index(pick(1, 4))];
    let service = ["a", "b"][index(pick(4, 2))];
    let is_embedding = service == "a" && operation == "invoke" && pick(8, 3) == 2;
    let model = if is_embedding { TITAN } else { [CLAUDE, NOVA][index(pick(8, 2))] };
    let count = |factor: u64, of: u64| (number.wrapping_mul(factor) % of).to_string();
    let mut headers = vec![
        ("x-sim-input-tokens", count(7919, 100_000)),
        ("x-sim-output-tokens", count(104_729, 10_000)),
        ("x-sim-chunks", count(13, 6).replace('0', "6")),
    ];
    if number.is_multiple_of(3) {
        headers.push(("x-sim-cache-read-tokens", count(31, 50_000)));
        headers.push(("x-sim-cache-write-tokens", count(37, 5000)));
        headers.push(("x-sim-cache-write-1h-tokens", count(41, 5000)));
    }
    if number % 16 == 5 {
        headers.push(("x-sim-split", count(11, 200).replace('0', "9")));
    }
    let is_stream = operation.ends_with("stream");
    let (fault, ending) = match (number % 10, number / 10 % 10) {
        (0, 0) => ("throttle", Ending::Throttled),
        (0, 1) => ("status:500", Ending::UpstreamError),
        (0, 2) => ("status:400", Ending::ClientError),
        (0, 3) if is_stream => ("exception:3:throttlingException", Ending::Exception),
        (0, 4) if is_stream => ("exception:1000:internalServerException", Ending::ExceptionAtTheEnd),
        (0, 3..=5) => ("reset:20", Ending::Reset),
        (0, 6) => ("reset-head", Ending::ResetHead),
        // The head of InvokeModel has stated what its cut body does not.
        (0, 7) if operation != "invoke" => ("truncate:20", Ending::Unstated),
        (0, 8 | 9) if is_stream => ("", Ending::ClientLeaves),
        _ => ("", Ending::Ok),
    };
    headers.extend((!fault.is_empty()).then(|| ("x-sim-fault", fault.to_owned())));
    if ending == Ending::ClientLeaves {
        headers.retain(|(name, _)| *name != "x-sim-split");
        headers.push(("x-sim-pace-ms", "20".to_owned()));
    }
    let text = "words and words ".repeat(index(number % 5) + 1);
    let body = if is_embedding { format!(r#"{{"inputText":"{text}"}}"#) } else { converse_body(&text) };
    Plan { path: format!("/s/{service}/model/{model}/{operation}"), headers, body, ending }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Makes a call as its plan says, and returns the id of its record.
async fn call(gateway: &TestGateway, plan: &Plan) -> String {
    let mut request = Request::post(gateway.url(&plan.path));
    for (name, value) in &plan.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(plan.body.clone()))).unwrap();
    let answer = gateway.client.request(request).await.unwrap();
    let id = answer.headers()["x-tollgate-request-id"].to_str().unwrap().to_owned();
    let status = answer.status();
    if plan.ending == Ending::ClientLeaves {
        let mut body = answer.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        return id;
    }
    let whole = answer.into_body().collect().await.is_ok();
    let expected = match plan.ending {
        Ending::Throttled => (StatusCode::TOO_MANY_REQUESTS, true),
        Ending::UpstreamError => (StatusCode::INTERNAL_SERVER_ERROR, true),
        Ending::ClientError => (StatusCode::BAD_REQUEST, true),
        Ending::ResetHead => (StatusCode::SERVICE_UNAVAILABLE, true),
        Ending::Reset => (StatusCode::OK, false),
        Ending::Ok
        | Ending::Unstated
        | Ending::Exception
        | Ending::ExceptionAtTheEnd
        | Ending::ClientLeaves => (StatusCode::OK, true),
    };
    assert_eq!((status, whole), expected, "{plan:?}");
    id
}

/// Makes all calls, and returns the plan of each by its id.
async fn call_all(gateway: &Arc<TestGateway>) -> BTreeMap<String, Plan> {
    let (next, mut callers) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
    for _ in 0..CONCURRENCY {
        let (gateway, next) = (Arc::clone(gateway), Arc::clone(&next));
        callers.spawn(async move {
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= CALLS {
                    return made;
                }
                let plan = plan(number);
                made.push((call(&gateway, &plan).await, plan));
            }
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

/// Returns the usage of a record, kind by kind.
fn tokens(record: &Value) -> TokenTotals {
    let kind = |name: &str| record["usage"][format!("{name}_tokens")].as_u64().unwrap_or(0);
    TokenTotals {
        input: kind("input"),
        output: kind("output"),
        cache_read: kind("cache_read"),
        cache_write_5m: kind("cache_write_5m"),
        cache_write_1h: kind("cache_write_1h"),
    }
}

/// Returns what a family counts, by service, profile and kind; the model follows from the profile.
async fn counted(gateway: &TestGateway, family: &str) -> BTreeMap<[String; 3], u64> {
    let samples = gateway.metrics().await.into_iter();
    let of_family = samples.filter(|(name, value)| name.starts_with(&format!("{family}{{")) && *value > 0.0);
    let label = |name: &str, label: &str| {
        let (_, rest) = name.split_once(&format!("{label}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    of_family
        .map(|(name, value)| {
            let key = ["service", "profile", "kind"].map(|wanted| label(&name, wanted));
            (key, value.to_string().parse().unwrap())
        })
        .collect()
}

/// Adds a record's tokens to a sum like [`counted`]'s.
fn add(sum: &mut BTreeMap<[String; 3], u64>, record: &Value) {
    let of = tokens(record);
    let counts = [of.input, of.output, of.cache_read, of.cache_write_5m, of.cache_write_1h];
    let profile = record["profile_arn"].as_str().unwrap().rsplit_once('/').unwrap().1;
    for (kind, count) in KINDS.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
        let key = [record["service"].as_str().unwrap(), profile, kind].map(str::to_owned);
        *sum.entry(key).or_default() += count;
    }
}

/// Returns `outcome usage` of a record.
fn ending(record: &Value) -> String {
    let usage = match record["usage_source"].as_str().unwrap() {
        source @ ("estimated" | "missing" | "not_applicable") => source,
        _ => "stated",
    };
    let gone = if record["client_gone"] == true { ", client gone" } else { "" };
    format!("{} {usage}{gone}", record["outcome"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_is_counted_once() {
    let gateway = Arc::new(TestGateway::start().await);
    let started = tokio::time::Instant::now();
    let plans = call_all(&gateway).await;
    println!("{CALLS} calls in {:?}", started.elapsed());
    assert_eq!(plans.len(), index(CALLS), "an id came twice");
    let records = gateway.records(index(CALLS)).await;
    assert_eq!(records.len(), index(CALLS));
    let statements: BTreeMap<String, TokenTotals> =
        gateway.simulator.stated_by_request().into_iter().collect();
    let (mut total, mut sum, mut estimates) = (TokenTotals::default(), BTreeMap::new(), BTreeMap::new());
    let mut endings = BTreeMap::<&str, u64>::new();
    for record in &records {
        let plan = &plans[record["id"].as_str().unwrap()];
        // Whoever leaves when all is sent is not missed.
        let is_late = plan.ending == Ending::ClientLeaves && record["client_gone"].is_null();
        let expected = if is_late { Ending::Ok } else { plan.ending }.expected();
        assert_eq!(ending(record), expected, "{plan:?} {record}");
        *endings.entry(expected).or_default() += 1;
        let of_record = statements.get(record["aws_request_id"].as_str().unwrap_or_default());
        if expected.contains(" stated") {
            assert_eq!(Some(&tokens(record)), of_record, "{plan:?} {record}");
            total.add(tokens(record));
            add(&mut sum, record);
        } else {
            assert_eq!(of_record, None, "{plan:?} {record}");
            let is_estimate = expected.ends_with("estimated");
            assert_eq!(record["usage"].is_object(), is_estimate, "{record}");
            if is_estimate {
                add(&mut estimates, record);
            }
        }
    }
    println!("{endings:?}");
    spend::check(&gateway, &records, &statements).await;
    assert!(endings.len() == 9 && endings.values().all(|count| *count >= 50), "{endings:?}");
    let gone = endings[Ending::ClientLeaves.expected()].to_string();
    assert_eq!(gateway.sum("tollgate_client_gone_total", &[r#"action="drained""#]).await.to_string(), gone);
    assert_eq!(total, gateway.simulator.stated());
    assert_eq!(counted(&gateway, "tollgate_tokens_total").await, sum);
    assert_eq!(counted(&gateway, "tollgate_estimated_tokens_total").await, estimates);
    assert_eq!(gateway.sum("tollgate_requests_total", &[]).await.to_string(), CALLS.to_string());
    let answered: u64 = gateway.simulator.answered().values().sum();
    let with_status = records.iter().filter(|record| record["status"].is_number()).count();
    assert_eq!(index(answered), with_status);
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    Arc::into_inner(gateway).unwrap().stop().await;
}
