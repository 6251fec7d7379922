//! How a model is asked for and what it leads to; the operations that take another way; what is no call at all.

use crate::gateway::{Answer, CLAUDE, NOVA, TestGateway, converse_body};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ARN: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/";
const A: (&str, &str) = ("x-tollgate-service", "a");

/// Returns the last request that came upstream as `METHOD path?query`.
fn last(gateway: &TestGateway) -> String {
    let seen = gateway.simulator.seen().pop().unwrap();
    let query = if seen.query.is_empty() { String::new() } else { format!("?{}", seen.query) };
    format!("{} {}{query}", seen.method, seen.path)
}

#[tokio::test]
async fn every_encoding_and_name_of_a_model_leads_to_the_same_profile() {
    let gateway = TestGateway::start().await;
    let bare = "us.anthropic.claude-sonnet-4-5-20250929-v1";
    let system = "arn:aws:bedrock:us-east-1:123456789012:inference-profile";
    let foundation = "arn:aws:bedrock:us-east-1::foundation-model";
    let escaped = ARN.replace(':', "%3A").replace('/', "%2F");
    let names = [
        format!("{bare}:0"),
        format!("{bare}%3A0"),
        format!("{bare}%3a0"),
        format!("%75%73{}:0", bare.strip_prefix("us").unwrap()),
        "claude".to_owned(),
        "aclaude".to_owned(),
        "anthropic.claude-sonnet-4-5-20250929-v1:0".to_owned(),
        format!("{ARN}aclaude"),
        format!("{escaped}aclaude"),
        format!("{}aclaude", escaped.to_lowercase()),
        format!("{}aclaude", ARN.replace('/', "%2F")),
        format!("{}aclaude", ARN.replace(':', "%3A")),
        format!("{system}/{bare}:0"),
        format!("{}%2F{bare}%3A0", system.replace(':', "%3A")),
        format!("{foundation}/anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ];
    let prefixes = ["", "/s/a", "/bedrock", "/s/a/bedrock/v1", "/proxy/~team/a.b_c"];
    for (name, prefix) in names.iter().flat_map(|name| prefixes.map(|prefix| (name, prefix))) {
        let path = format!("{prefix}/model/{name}/converse");
        let answer = gateway.post(&path, &[A], &converse_body("hi")).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        assert_eq!(last(&gateway), format!("POST /model/{escaped}aclaude/converse"), "{path}");
        assert_eq!(answer.header("x-tollgate-profile"), format!("{ARN}aclaude"));
        let record = gateway.record(&answer).await;
        assert_eq!(
            (&record["source_model"], &record["profile_arn"]),
            (&json!(CLAUDE), &json!(format!("{ARN}aclaude")))
        );
        assert_eq!(record["attribution"], "profile");
    }
    let answer = gateway.post("/model/default/converse", &[A], &converse_body("hi")).await;
    let record = gateway.record(&answer).await;
    assert_eq!((&record["requested_model"], &record["source_model"]), (&json!("default"), &json!(NOVA)));
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn the_query_of_a_model_call_passes() {
    let gateway = TestGateway::start().await;
    for query in ["a=b", "a=%2F&b=c%20d&a=", "b=2&a=1", "flag", "x=a+b&~=1"] {
        let path = format!("/s/a/model/{NOVA}/converse?{query}");
        let answer = gateway.post(&path, &[], &converse_body("hi")).await;
        assert_eq!(answer.status, 200, "{query} {answer:?}");
        assert!(last(&gateway).ends_with(&format!("/converse?{query}")), "{query}");
    }
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn counting_tokens_uses_none() {
    let gateway = TestGateway::start().await;
    let body = json!({ "input": { "converse": { "messages": [{ "role": "user", "content": [{ "text": "hi" }] }] } } });
    let foundation = "anthropic.claude-sonnet-4-5-20250929-v1%3A0";
    for name in ["claude", CLAUDE, "aclaude", &format!("{ARN}aclaude")] {
        let path = format!("/s/a/model/{name}/count-tokens");
        let answer = gateway.post(&path, &[("x-sim-input-tokens", "77")], &body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "inputTokens": 77 })), "{name}");
        assert_eq!(last(&gateway), format!("POST /model/{foundation}/count-tokens"));
        assert_eq!(answer.header("x-tollgate-profile"), "none");
        let record = gateway.record(&answer).await;
        assert_eq!(record["attribution"], "ledger_only");
        assert_eq!(record["usage_source"], "not_applicable");
        assert_eq!((&record["usage"], &record["profile_arn"]), (&Value::Null, &Value::Null));
    }
    assert!(gateway.sum("tollgate_tokens_total", &[]).await.abs() < 0.1);
    assert!(gateway.sum("tollgate_usage_missing_total", &[]).await.abs() < 0.1);
    // The memo of one operation must not serve the other.
    let answer = gateway.post("/s/a/model/claude/converse", &[], &converse_body("hi")).await;
    assert!(answer.header("x-tollgate-profile").ends_with("/aclaude"));
    gateway.stop().await;
}

#[tokio::test]
async fn asynchronous_invocations_keep_their_model() {
    let gateway = TestGateway::start().await;
    let body = r#"{ "modelId":"amazon.nova-reel-v1:0","modelInput":{}, "outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://b"}}}"#;
    let answer = gateway.post("/s/a/base/async-invoke", &[], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = gateway.simulator.seen().pop().unwrap();
    assert_eq!((seen.path.as_str(), seen.body.as_deref()), ("/async-invoke", Some(body.as_bytes())));
    is_ledger_only(&gateway, &answer, "StartAsyncInvoke").await;
    let arn = answer.json()["invocationArn"].as_str().unwrap().to_owned();
    let (raw, escaped) = (format!("/async-invoke/{arn}"), arn.replace(':', "%3A").replace('/', "%2F"));
    for path in [raw, format!("/async-invoke/{escaped}")] {
        let answer = gateway.send(Method::GET, &path, &[A], Bytes::new()).await;
        assert_eq!(answer.json()["invocationArn"], arn.as_str(), "{answer:?}");
        assert_eq!(last(&gateway), format!("GET /async-invoke/{escaped}"));
        is_ledger_only(&gateway, &answer, "GetAsyncInvoke").await;
    }
    for (query, count) in [("", 1), ("?statusEquals=Completed&maxResults=5", 1), ("?statusEquals=Failed", 0)]
    {
        let answer = gateway.send(Method::GET, &format!("/async-invoke{query}"), &[A], Bytes::new()).await;
        assert_eq!(answer.json()["asyncInvokeSummaries"].as_array().unwrap().len(), count, "{answer:?}");
        assert_eq!(last(&gateway), format!("GET /async-invoke{query}"));
        assert!(!gateway.simulator.seen().pop().unwrap().headers.contains_key("content-length"));
        is_ledger_only(&gateway, &answer, "ListAsyncInvokes").await;
    }
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    gateway.stop().await;
}

async fn is_ledger_only(gateway: &TestGateway, answer: &Answer, operation: &str) {
    let record = gateway.record(answer).await;
    assert_eq!((&record["attribution"], &record["operation"]), (&json!("ledger_only"), &json!(operation)));
    assert_eq!((&record["outcome"], &record["profile_arn"]), (&json!("ok"), &Value::Null));
    assert_eq!(answer.header("x-tollgate-profile"), "none");
}

#[tokio::test]
async fn guardrails_are_counted_in_text_units() {
    let gateway = TestGateway::start().await;
    let text = "x".repeat(2500);
    let body = json!({ "source": "INPUT", "content": [{ "text": { "text": text } }] }).to_string();
    let arn = "arn:aws:bedrock:us-west-2:123456789012:guardrail/g1";
    for id in ["g1", arn, &arn.replace(':', "%3a").replace('/', "%2f")] {
        let answer = gateway.post(&format!("/s/a/guardrail/{id}/version/DRAFT/apply"), &[], &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        is_ledger_only(&gateway, &answer, "ApplyGuardrail").await;
        let record = gateway.record(&answer).await;
        // Three units for each of two policies.
        let usage = json!({ "text_units": 6, "topic_policy_units": 3, "content_policy_units": 3 });
        assert_eq!((&record["usage"], &record["usage_source"]), (&usage, &json!("invoke_body")));
    }
    assert!(last(&gateway).ends_with("guardrail%2Fg1/version/DRAFT/apply"), "{}", last(&gateway));
    let labels = [r#"service="a""#, r#"profile="none""#, r#"unit="text_units""#];
    assert!((gateway.sum("tollgate_units_total", &labels).await - 18.0).abs() < 0.1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_model_that_is_not_mapped_may_pass() {
    let gateway = TestGateway::start_with(&[("CATALOG__UNMAPPED_MODEL", "passthrough")]).await;
    let steer = [("x-sim-input-tokens", "7"), ("x-sim-output-tokens", "3")];
    let provisioned = "arn:aws:bedrock:us-west-2:123456789012:provisioned-model/abcdefghijkl";
    for (name, wire) in [
        ("vendor.new-v1:0", "vendor.new-v1%3A0".to_owned()),
        ("eu.amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1%3A0".to_owned()),
        (provisioned, provisioned.replace(':', "%3A").replace('/', "%2F")),
    ] {
        let answer = gateway.post(&format!("/s/b/model/{name}/converse"), &steer, &converse_body("hi")).await;
        assert_eq!(answer.status, 200, "{name} {answer:?}");
        assert_eq!(last(&gateway), format!("POST /model/{wire}/converse"));
        is_ledger_only(&gateway, &answer, "Converse").await;
        assert_eq!(gateway.record(&answer).await["requested_model"], name);
    }
    let labels = [r#"service="b""#, r#"profile="none""#, r#"model="other""#];
    assert!((gateway.sum("tollgate_tokens_total", &labels).await - 30.0).abs() < 0.1);
    assert!((gateway.sum("tollgate_tokens_total", &[]).await - 30.0).abs() < 0.1);
    let foreign = gateway.post("/s/b/model/anova/converse", &[], &converse_body("hi")).await;
    assert_eq!(foreign.header("x-tollgate-error"), "profile_foreign");
    gateway.stop().await;
}

#[tokio::test]
async fn labels_are_recorded_and_key_ids_too() {
    let gateway = TestGateway::start().await;
    let labels = [("x-tollgate-labels", "feature=search, env=prod"), ("x-tollgate-labels", "Bad=1,n=2")];
    let headers: Vec<_> = labels.into_iter().chain([("authorization", "Bearer tg_of-a")]).collect();
    let answer = gateway.post(&format!("/model/{NOVA}/converse"), &headers, &converse_body("hi")).await;
    let record = gateway.record(&answer).await;
    assert_eq!(record["labels"], json!({ "feature": "search", "env": "prod", "n": "2" }));
    assert_eq!(record["key_id"], crate::gateway::key_sha256("tg_of-a")[..16]);
    assert!((gateway.sum("tollgate_labels_dropped_total", &[r#"service="a""#]).await - 1.0).abs() < 0.1);
    gateway.stop().await;
}

#[tokio::test]
async fn health_and_metrics_are_no_calls() {
    let gateway = TestGateway::start().await;
    let health = gateway.send(Method::GET, "/healthz", &[], Bytes::new()).await;
    assert_eq!((health.status.as_u16(), &health.body[..]), (200, &b"ok\n"[..]));
    let path = format!("/s/a/model/{CLAUDE}/converse-stream");
    assert_eq!(gateway.post(&path, &[], &converse_body("hi")).await.status, 200);
    assert_eq!(gateway.post(&path, &[("x-sim-fault", "truncate:9")], &converse_body("hi")).await.status, 200);
    let admin = async |path: &str| {
        let uri = format!("http://{}{path}", gateway.server.admin());
        let request = Request::get(uri).body(Full::default()).unwrap();
        Answer::read(gateway.client.request(request).await.unwrap()).await
    };
    assert_eq!(admin("/healthz").await.body, "ok\n");
    assert_eq!(admin("/readyz").await.body, "ready\n");
    assert_eq!(admin("/nothing").await.status, 404);
    let metrics = admin("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    is_prometheus_text(std::str::from_utf8(&metrics.body).unwrap());
    let line =
        metrics.body.split(|byte| *byte == b'\n').any(|line| line == b"# TYPE tollgate_tokens_total counter");
    assert!(line, "{metrics:?}");
    gateway.stop().await;
}

/// Every sample belongs to the family above it, which has one help and one type; no sample comes twice.
fn is_prometheus_text(text: &str) {
    let (mut families, mut samples, mut family) = (BTreeSet::new(), BTreeSet::new(), String::new());
    let mut lines = text.lines();
    assert!(text.ends_with('\n'));
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').unwrap().0.to_owned();
            assert!(family.starts_with("tollgate_") && families.insert(family.clone()), "{line}");
            let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {family} ")));
            assert!(matches!(kind, Some("counter" | "gauge" | "histogram")), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().unwrap() >= 0.0 && samples.insert(name), "{line}");
        let (bare, labels) = name.split_once('{').unwrap_or((name, "}"));
        assert!(labels.ends_with('}'), "{line}");
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| bare.strip_suffix(suffix));
        assert!(bare == family || stem == Some(&family), "{line}");
    }
    assert!(families.len() >= 8, "{families:?}");
}
