//! What the gateway refuses: each fault in the shape of Bedrock's own, nothing upstream, no record.

use crate::gateway::{Answer, CLAUDE, NOVA, TestGateway, converse_body, key_sha256};
use crate::wire::{Headers, Wire, request};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) const A: (&str, &[u8]) = ("x-tollgate-service", b"a");
const B: (&str, &[u8]) = ("x-tollgate-service", b"b");

const MISSING: &str = "400 ValidationException service_missing";
pub(crate) const UNKNOWN: &str = "403 AccessDeniedException service_unknown";
const CONFLICT: &str = "403 AccessDeniedException identity_conflict";
const BAD_KEY: &str = "403 AccessDeniedException key_invalid";
const UNMAPPED: &str = "403 AccessDeniedException model_unmapped";
const AMBIGUOUS: &str = "400 ValidationException model_ambiguous";
const FOREIGN: &str = "403 AccessDeniedException profile_foreign";
const DENIED: &str = "403 AccessDeniedException operation_denied";
const MALFORMED: &str = "400 ValidationException path_malformed";
const NO_OPERATION: &str = "404 UnknownOperationException operation_unknown";
const NO_PROFILE: &str = "404 ResourceNotFoundException profile_unknown";
const BAD_QUERY: &str = "400 ValidationException query_malformed";
const UNSUPPORTED: &str = "400 ValidationException operation_unsupported";
pub(crate) const TOO_LARGE: &str = "413 RequestEntityTooLargeException body_too_large";
pub(crate) const UNREADABLE: &str = "400 ValidationException body_unreadable";

/// A request line and headers; the fault; the service that it is counted under.
type Case<'a> = (&'a str, Headers<'a>, &'a str, &'a str);

/// A gateway that is to refuse, and what it should have counted so far.
pub(crate) struct Refusing {
    pub(crate) gateway: TestGateway,
    refused: BTreeMap<String, u32>,
}

impl Refusing {
    pub(crate) async fn start(overrides: &[(&str, &str)]) -> Self {
        let c = format!(
            r#"
[services.c]
key_sha256 = ["{}"]
[services.c.profiles]
"us.vendor.twin-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/ctwinus"
"eu.vendor.twin-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/ctwineu"
"#,
            key_sha256("tg_of-c")
        );
        Self { gateway: TestGateway::start_serving(&c, overrides).await, refused: BTreeMap::new() }
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.gateway.server.data()).await
    }

    /// Sends each request, on one connection as long as that lasts.
    async fn refuse_all(&mut self, cases: &[Case<'_>]) {
        for (line, headers, fault, service) in cases {
            let mut wire = self.wire().await;
            wire.send(request(line, headers, converse_body("hi").as_bytes())).await;
            let answer = wire.answer().await;
            self.is_refusal(line, &answer, fault, service).await;
        }
    }

    pub(crate) async fn is_refusal(&mut self, what: &str, answer: &Answer, fault: &str, service: &str) {
        let (exception, code) = (answer.header("x-amzn-errortype"), answer.header("x-tollgate-error"));
        assert_eq!(format!("{} {exception} {code}", answer.status.as_u16()), fault, "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/json", "{what}");
        let id = answer.header("x-tollgate-request-id");
        assert!(id.len() == 36 && answer.header("x-amzn-requestid") == id, "{what}: {answer:?}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.len() > 20, "{what}: {message}");
        assert_eq!(answer.json(), json!({ "message": message }), "{what}");
        let counter = format!("tollgate_rejected_total{{code=\"{code}\",service=\"{service}\"}}");
        *self.refused.entry(counter).or_default() += 1;
        let expected: BTreeMap<_, _> =
            self.refused.iter().map(|(name, count)| (name.clone(), count.to_string())).collect();
        assert_eq!(self.counted().await, expected, "{what}");
        assert_eq!(self.gateway.simulator.seen().len(), 0, "{what}");
    }

    async fn counted(&self) -> BTreeMap<String, String> {
        let metrics = self.gateway.metrics().await.into_iter();
        let rejected = metrics.filter(|(name, _)| name.starts_with("tollgate_rejected_total"));
        rejected.map(|(name, value)| (name, value.to_string())).collect()
    }

    /// A good call goes through, and is the only one that went upstream and has a record.
    pub(crate) async fn stop(self) {
        let path = format!("/s/a/model/{NOVA}/converse");
        let answer = self.gateway.post(&path, &[], &converse_body("hi")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let records = self.gateway.records(1).await;
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0]["id"], json!(answer.header("x-tollgate-request-id")));
        assert_eq!(self.gateway.simulator.seen().len(), 1);
        self.gateway.stop().await;
    }
}

#[tokio::test]
async fn who_is_not_known_or_not_one_is_refused() {
    let mut refusing = Refusing::start(&[]).await;
    let plain = format!("POST /model/{NOVA}/converse");
    let under = |service: &str| format!("POST /s/{service}/model/{NOVA}/converse");
    let long = "a".repeat(100);
    let key_a: (&str, &[u8]) = ("authorization", b"Bearer tg_of-a");
    let key_c: (&str, &[u8]) = ("x-api-key", b"tg_of-c");
    let cases: [Case<'_>; 27] = [
        (&plain, &[], MISSING, "unknown"),
        (&plain, &[("x-tollgate-service", b"")], MISSING, "unknown"),
        (&plain, &[("x-tollgate-service", b" \t ")], MISSING, "unknown"),
        (&under(""), &[], MISSING, "unknown"),
        (&plain, &[("authorization", b"Bearer sk-of-somebody-else")], MISSING, "unknown"),
        (&plain, &[("authorization", b"AWS4-HMAC-SHA256 Credential=a/b")], MISSING, "unknown"),
        (&plain, &[("x-api-key", b"sk-1")], MISSING, "unknown"),
        (&plain, &[("x-tollgate-service", b"nobody")], UNKNOWN, "unknown"),
        (&plain, &[("x-tollgate-service", b"A")], UNKNOWN, "unknown"),
        (&plain, &[("x-tollgate-service", b"unknown")], UNKNOWN, "unknown"),
        (&plain, &[("x-tollgate-service", b"a b")], UNKNOWN, "unknown"),
        (&plain, &[("x-tollgate-service", b"a,b")], UNKNOWN, "unknown"),
        (&plain, &[("x-tollgate-service", long.as_bytes())], UNKNOWN, "unknown"),
        (&plain, &[("x-tollgate-service", b"a\xff\xfe")], UNKNOWN, "unknown"),
        (&under("A"), &[], UNKNOWN, "unknown"),
        (&under(&long), &[], UNKNOWN, "unknown"),
        (&under("%ff"), &[], UNKNOWN, "unknown"),
        (&under("a%00"), &[], UNKNOWN, "unknown"),
        (&under("%zz"), &[], UNKNOWN, "unknown"),
        (&plain, &[("authorization", b"Bearer tg_nobody")], BAD_KEY, "unknown"),
        (&plain, &[("x-api-key", b"tg_"), A], BAD_KEY, "unknown"),
        (&plain, &[A, B], CONFLICT, "unknown"),
        (&under("b"), &[A], CONFLICT, "unknown"),
        (&plain, &[key_a, B], CONFLICT, "unknown"),
        (&under("b"), &[key_a], CONFLICT, "unknown"),
        (&under("a"), &[key_c], CONFLICT, "unknown"),
        (&plain, &[key_a, key_c], CONFLICT, "unknown"),
    ];
    refusing.refuse_all(&cases).await;
    refusing.stop().await;
}

#[tokio::test]
async fn sources_that_agree_are_one() {
    let gateway = TestGateway::start().await;
    let key: (&str, &[u8]) = ("authorization", b"bearer  tg_of-a ");
    let empty: (&str, &[u8]) = ("x-tollgate-service", b"");
    let cases: [(&str, Headers<'_>); 6] = [
        ("", &[A, A]),
        ("", &[A, empty]),
        ("/s/%61", &[A, key]),
        ("/s/a", &[empty]),
        ("/s/", &[A]),
        ("/s/a", &[("x-tollgate-service", b" a\t"), ("x-api-key", b"tg_of-a"), key]),
    ];
    for (prefix, headers) in cases {
        let line = format!("POST {prefix}/model/{NOVA}/converse");
        let mut wire = Wire::connect(gateway.server.data()).await;
        wire.send(request(&line, headers, converse_body("hi").as_bytes())).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status.as_u16(), answer.header("x-tollgate-service").as_str()), (200, "a"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn models_that_lead_nowhere_are_refused() {
    let mut refusing = Refusing::start(&[]).await;
    let model = |id: &str| format!("POST /model/{id}/converse");
    let foreign = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile%2F";
    let unmapped = [
        "vendor.unknown-v1:0",
        "default%2Fx",
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        &"x".repeat(256),
        "arn:aws:bedrock:us-west-2:123456789012:provisioned-model/abc",
    ];
    for id in unmapped {
        refusing.refuse_all(&[(&model(id), &[A], UNMAPPED, "a")]).await;
    }
    let c: Headers<'_> = &[("x-tollgate-service", b"c")];
    refusing
        .refuse_all(&[
            (&model("default"), &[B], UNMAPPED, "b"),
            (&model("claude"), &[B], UNMAPPED, "b"),
            (&model("vendor.twin-v1:0"), c, AMBIGUOUS, "c"),
            (&model("bnova"), &[A], FOREIGN, "a"),
            (&model(&format!("{foreign}bnova")), &[A], FOREIGN, "a"),
            (&model(&format!("{foreign}anova")), &[B], FOREIGN, "b"),
        ])
        .await;
    refusing.stop().await;
}

#[tokio::test]
async fn paths_that_are_malformed_are_refused() {
    let mut refusing = Refusing::start(&[]).await;
    let model = |id: &str| format!("POST /model/{id}/converse");
    let malformed = [
        "%2",
        "%zz",
        "%",
        "%00",
        "a%00b",
        "a%0d%0ab",
        "%ff",
        "amazon%253Anova",
        "..",
        ".",
        "%2e%2e",
        "%2E%2e",
        "a%2F..%2Fb",
        "%2F..%2F",
        "a/../b",
        "a/./b",
        "a%20b",
        "a+b",
        "a%3Fb",
        "a%23b",
        "a@b",
        "%C3%A9",
        "a;b",
    ];
    for id in malformed {
        refusing.refuse_all(&[(&model(id), &[A], MALFORMED, "a")]).await;
    }
    let long = "x".repeat(5000);
    refusing
        .refuse_all(&[
            (&model(&long), &[A], MALFORMED, "a"),
            (&model(""), &[A], MALFORMED, "unknown"),
            (&format!("POST /../model/{NOVA}/converse"), &[A], MALFORMED, "unknown"),
            (&format!("POST /%2e%2e/model/{NOVA}/converse"), &[A], MALFORMED, "unknown"),
            (&format!("POST /a%2fb/model/{NOVA}/converse"), &[A], MALFORMED, "unknown"),
        ])
        .await;
    refusing.stop().await;
}

#[tokio::test]
async fn operations_that_are_none_or_not_allowed_are_refused() {
    let mut refusing = Refusing::start(&[]).await;
    let converse = format!("/model/{NOVA}/converse");
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "post"] {
        refusing.refuse_all(&[(&format!("{method} {converse}"), &[A], NO_OPERATION, "unknown")]).await;
    }
    let bidirectional = format!("POST /model/{NOVA}/invoke-with-bidirectional-stream");
    refusing
        .refuse_all(&[
            ("GET /", &[A], NO_OPERATION, "unknown"),
            ("POST /", &[], NO_OPERATION, "unknown"),
            ("OPTIONS *", &[A], NO_OPERATION, "unknown"),
            ("POST /inference-profiles", &[A], NO_OPERATION, "unknown"),
            ("DELETE /inference-profiles/anova", &[A], NO_OPERATION, "unknown"),
            ("GET /x/inference-profiles", &[A], NO_OPERATION, "unknown"),
            ("GET /inference-profiles", &[], MISSING, "unknown"),
            ("GET /inference-profiles/bnova", &[A], NO_PROFILE, "a"),
            ("GET /inference-profiles/%zz", &[A], NO_PROFILE, "a"),
            ("GET /inference-profiles?maxResults=0", &[A], BAD_QUERY, "a"),
            ("GET /inference-profiles?type=OTHER", &[A], BAD_QUERY, "a"),
            ("GET /inference-profiles?nextToken=bnova", &[A], BAD_QUERY, "a"),
            ("GET /foundation-models", &[A], NO_OPERATION, "unknown"),
            ("POST /healthz", &[A], NO_OPERATION, "unknown"),
            ("GET /metrics", &[A], NO_OPERATION, "unknown"),
            (&format!("POST {converse}/"), &[A], NO_OPERATION, "unknown"),
            (&format!("POST /Model/{NOVA}/converse"), &[A], NO_OPERATION, "unknown"),
            (&bidirectional, &[A], UNSUPPORTED, "unknown"),
            ("POST /guardrail/g1/version/1/apply", &[B], DENIED, "b"),
            ("POST /guardrail-checks/invoke", &[B], DENIED, "b"),
            ("POST /async-invoke", &[B], DENIED, "b"),
            ("GET /async-invoke", &[B], DENIED, "b"),
            ("GET /async-invoke/arn:aws:bedrock:us-west-2:1:async-invoke%2Fx", &[B], DENIED, "b"),
            ("PUT /async-invoke", &[A], NO_OPERATION, "unknown"),
            ("GET /guardrail/g1/version/1/apply", &[A], NO_OPERATION, "unknown"),
            ("POST /guardrail/%2e%2e/version/1/apply", &[A], MALFORMED, "unknown"),
            ("GET /async-invoke/..%2Fx", &[A], MALFORMED, "unknown"),
        ])
        .await;
    refusing.stop().await;
}

#[tokio::test]
async fn prior_knowledge_http2_is_refused_alike() {
    let mut refusing = Refusing::start(&[("LISTEN__BODY_LIMIT_BYTES", "1000")]).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    let converse = format!("/model/{CLAUDE}/converse");
    let cases = [
        ("POST", converse.as_str(), "", 10, MISSING, "unknown"),
        ("POST", &converse, "nobody", 10, UNKNOWN, "unknown"),
        ("POST", "/model/vendor.unknown-v1:0/converse", "a", 10, UNMAPPED, "a"),
        ("POST", "/model/%2e%2e/converse", "a", 10, MALFORMED, "a"),
        ("GET", &converse, "a", 0, NO_OPERATION, "unknown"),
        ("POST", &converse, "a", 1001, TOO_LARGE, "a"),
        ("POST", &converse, "a", 3_000_000, TOO_LARGE, "a"),
    ];
    for (method, path, service, length, fault, counted) in cases {
        let sent = Request::builder()
            .method(method)
            .uri(refusing.gateway.url(path))
            .header("x-tollgate-service", service)
            .body(Full::from(vec![b' '; length]))
            .unwrap();
        let answer = Answer::read(client.request(sent).await.unwrap()).await;
        refusing.is_refusal(path, &answer, fault, counted).await;
    }
    drop(client);
    refusing.stop().await;
}
