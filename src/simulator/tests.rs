//! What the simulator answers, read by the SDK and by our own tap.

use super::fixtures::{ARN, Ask, BODY, CALLS, CLAUDE, read, sdk, start};
use super::{TokenTotals, demo_credentials};
use crate::domain::Operation;
use crate::tap::Reading;
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::operation::RequestId;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types as t;
use http::Method;
use std::time::Duration;

const TOKENS: TokenTotals =
    TokenTotals { input: 11, output: 22, cache_read: 3, cache_write_5m: 4, cache_write_1h: 5 };

/// The headers that steer an answer to `TOKENS`.
const STATE: [(&str, &str); 5] = [
    ("x-sim-input-tokens", "11"),
    ("x-sim-output-tokens", "22"),
    ("x-sim-cache-read-tokens", "3"),
    ("x-sim-cache-write-tokens", "4"),
    ("x-sim-cache-write-1h-tokens", "5"),
];

fn steer(request: &mut aws_sdk_bedrockruntime::config::http::HttpRequest) {
    for (name, value) in STATE {
        request.headers_mut().insert(name, value);
    }
}

fn message() -> t::Message {
    let content = t::ContentBlock::Text("How are you?".to_owned());
    t::Message::builder().role(t::ConversationRole::User).content(content).build().unwrap()
}

fn of_usage(usage: &t::TokenUsage) -> TokenTotals {
    let written = |ttl: &t::CacheTtl| {
        let details = usage.cache_details().iter().filter(|detail| detail.ttl() == ttl);
        details.map(|detail| u64::try_from(detail.input_tokens()).unwrap()).sum()
    };
    let tokens = TokenTotals {
        input: u64::try_from(usage.input_tokens()).unwrap(),
        output: u64::try_from(usage.output_tokens()).unwrap(),
        cache_read: u64::try_from(usage.cache_read_input_tokens().unwrap()).unwrap(),
        cache_write_5m: written(&t::CacheTtl::FiveMinutes),
        cache_write_1h: written(&t::CacheTtl::OneHour),
    };
    assert_eq!(u64::try_from(usage.total_tokens()).unwrap(), tokens.total());
    tokens
}

#[tokio::test]
async fn the_sdk_converses() {
    let simulator = start().await;
    let call = sdk(&simulator).converse().model_id(ARN).messages(message());
    let answer = call.customize().mutate_request(steer).send().await.unwrap();
    let Some(t::ConverseOutput::Message(said)) = answer.output() else { panic!("no message") };
    assert_eq!(said.content()[0].as_text().unwrap().len(), 120);
    assert_eq!(of_usage(answer.usage().unwrap()), TOKENS);
    assert_eq!(simulator.stated(), TOKENS);
    let id = answer.request_id().unwrap().to_owned();
    assert_eq!(simulator.stated_by_request(), [(id.clone(), TOKENS)]);
    let seen = simulator.seen().remove(0);
    assert_eq!((seen.model.as_deref(), seen.operation), (Some(ARN), Some(Operation::Converse)));
    assert_eq!((seen.status, seen.aws_request_id), (Some(200), id));
    assert!(seen.path.ends_with("%2Fabc123def456/converse") && seen.body.is_some());
    assert_eq!(simulator.answered(), [(200, 1)].into());
    simulator.stop().await;
}

#[tokio::test]
async fn the_sdk_reads_a_converse_stream() {
    let simulator = start().await;
    let call = sdk(&simulator).converse_stream().model_id(CLAUDE).messages(message());
    let mut stream = call.customize().mutate_request(steer).send().await.unwrap().stream;
    let (mut text, mut kinds) = (String::new(), Vec::new());
    while let Some(event) = stream.recv().await.unwrap() {
        if let t::ConverseStreamOutput::ContentBlockDelta(delta) = &event {
            text.push_str(delta.delta().unwrap().as_text().unwrap());
        }
        if let t::ConverseStreamOutput::Metadata(metadata) = &event {
            assert_eq!(of_usage(metadata.usage().unwrap()), TOKENS);
        }
        kinds.push(format!("{event:?}").split('(').next().unwrap().to_owned());
    }
    assert_eq!(text.len(), 120);
    let (before, deltas) = (["MessageStart"], ["ContentBlockDelta"; 5]);
    let after = ["ContentBlockStop", "MessageStop", "Metadata"];
    let expected = [&before[..], &deltas[..], &after[..]].concat();
    assert_eq!(kinds, expected);
    assert_eq!(simulator.stated(), TOKENS);
}

#[tokio::test]
async fn the_sdk_invokes() {
    let simulator = start().await;
    let call = sdk(&simulator).invoke_model().model_id(ARN).body(Blob::new(BODY));
    let answer = call.customize().mutate_request(steer).send().await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(answer.body().as_ref()).unwrap();
    assert_eq!((&body["usage"]["input_tokens"], &body["model"]), (&11.into(), &CLAUDE.into()));
    assert_eq!(answer.content_type(), "application/json");
    let call = sdk(&simulator).invoke_model_with_response_stream().model_id(CLAUDE).body(Blob::new(BODY));
    let mut stream = call.customize().mutate_request(steer).send().await.unwrap().body;
    let mut last = serde_json::Value::Null;
    while let Some(event) = stream.recv().await.unwrap() {
        let t::ResponseStream::Chunk(chunk) = event else { panic!("{event:?}") };
        last = serde_json::from_slice(chunk.bytes().unwrap().as_ref()).unwrap();
    }
    assert_eq!(last["type"], "message_stop");
    assert_eq!(last["amazon-bedrock-invocationMetrics"]["cacheWriteInputTokenCount"], 9);
    let mut twice = TOKENS;
    twice.add(TOKENS);
    assert_eq!(simulator.stated(), twice);
}

/// One model of each family, and whether it streams.
const MODELS: [(&str, bool); 20] = [
    (CLAUDE, true),
    ("us.amazon.nova-pro-v1:0", true),
    ("amazon.titan-text-express-v1", true),
    ("amazon.titan-embed-text-v2:0", false),
    ("amazon.nova-2-multimodal-embeddings-v1:0", false),
    ("cohere.embed-english-v3", false),
    ("cohere.command-r-v1:0", true),
    ("cohere.rerank-v3-5:0", false),
    ("us.meta.llama3-3-70b-instruct-v1:0", true),
    ("mistral.mistral-7b-instruct-v0:2", true),
    ("us.mistral.pixtral-large-2502-v1:0", true),
    ("ai21.j2-ultra-v1", false),
    ("ai21.jamba-1-5-large-v1:0", true),
    ("us.deepseek.r1-v1:0", true),
    ("deepseek.v3-v1:0", true),
    ("openai.gpt-oss-120b-1:0", true),
    ("amazon.nova-canvas-v1:0", false),
    ("amazon.titan-image-generator-v2:0", false),
    ("stability.sd3-5-large-v1:0", false),
    ("qwen.qwen3-32b-v1:0", true),
];

fn of_reading(reading: &Reading) -> TokenTotals {
    let tokens = reading.usage.tokens;
    TokenTotals {
        input: tokens.input.unwrap_or(0),
        output: tokens.output.unwrap_or(0),
        cache_read: tokens.cache_read.unwrap_or(0),
        cache_write_5m: tokens.cache_write_5m.unwrap_or(0),
        cache_write_1h: tokens.cache_write_1h.unwrap_or(0),
    }
}

#[tokio::test]
async fn every_family_states_what_the_tap_reads() {
    let simulator = start().await;
    for (model, streams) in MODELS {
        let operations = if streams { &CALLS[..] } else { &CALLS[..1] };
        for (name, operation) in operations {
            let mut ask = Ask::call(model, name);
            for (header, value) in STATE {
                ask = ask.with(header, value);
            }
            let heard = ask.send(&simulator).await;
            assert_eq!((heard.status, heard.is_whole), (200, true), "{model} {name}");
            let stated = simulator.stated_by_request();
            let stated = stated.iter().find(|(id, _)| id == heard.header("x-amzn-requestid"));
            let stated = stated.map(|(_, tokens)| *tokens).unwrap_or_default();
            let reading = read(*operation, model, &heard);
            assert_eq!((of_reading(&reading), reading.missing), (stated, None), "{model} {name}");
        }
        if !streams {
            let heard = Ask::call(model, "invoke-with-response-stream").send(&simulator).await;
            assert_eq!(heard.status, 400, "{model}");
        }
    }
}

#[tokio::test]
async fn numbers_come_from_the_text_where_none_are_given() {
    let simulator = start().await;
    let heard = Ask::call(CLAUDE, "converse").with("x-sim-text-bytes", "41").send(&simulator).await;
    assert_eq!(heard.json()["usage"]["inputTokens"], 3);
    assert_eq!(heard.json()["usage"]["outputTokens"], 11);
    let count = format!(r#"{{"input":{{"converse":{BODY}}}}}"#);
    let mut ask = Ask::call(CLAUDE, "count-tokens");
    ask.body = count.into_bytes();
    assert_eq!(ask.send(&simulator).await.json()["inputTokens"], 3);
    ask.path = Ask::call(ARN, "count-tokens").path;
    assert_eq!(ask.send(&simulator).await.status, 400);
    assert_eq!(simulator.stated(), TokenTotals { input: 3, output: 11, ..TokenTotals::default() });
}

#[tokio::test]
async fn what_was_asked_for_is_said_to_be_used() {
    let simulator = start().await;
    let tier = "x-amzn-bedrock-service-tier";
    let heard = Ask::call(CLAUDE, "invoke").with(tier, "flex").send(&simulator).await;
    assert_eq!(heard.header(tier), "flex");
    let mut ask = Ask::call(CLAUDE, "converse");
    ask.body = BODY.replacen('{', r#"{"serviceTier":{"type":"priority"},"#, 1).into_bytes();
    assert_eq!(ask.send(&simulator).await.json()["serviceTier"]["type"], "priority");
}

#[tokio::test]
async fn a_bad_signature_is_refused() {
    let simulator = start().await;
    let good = || Ask::call(ARN, "converse").with("x-amzn-bedrock-trace", "ENABLED");
    assert_eq!(good().send(&simulator).await.status, 200);
    let (key, secret) = ("AKIASIMULATOR", demo_credentials().secret_access_key().to_owned());
    let mut bad: Vec<Ask> = [
        Credentials::new(key, "other", None, None, "t"),
        Credentials::new("AKIAOTHER", &secret, None, None, "t"),
        Credentials::new(key, &secret, Some("token".to_owned()), None, "t"),
    ]
    .map(|credentials| Ask { credentials, ..good() })
    .to_vec();
    let now = good().signed_at;
    bad.push(Ask { signed_at: now.checked_sub(Duration::from_secs(310)).unwrap(), ..good() });
    bad.push(Ask { signed_at: now + Duration::from_secs(310), ..good() });
    let unsigned = [
        ("content-type", "text/plain"),
        ("x-amzn-bedrock-trace", "DISABLED"),
        ("x-amzn-bedrock-service-tier", "flex"),
        ("authorization", "Bearer token"),
        ("x-amz-date", "20260102T030405"),
        ("host", "elsewhere"),
    ];
    bad.extend(unsigned.map(|(name, value)| Ask { unsigned: vec![(name, value.to_owned())], ..good() }));
    for ask in &bad {
        let heard = ask.send(&simulator).await;
        assert_eq!((heard.status, heard.header("x-amzn-errortype")), (403, "InvalidSignatureException"));
    }
    assert_eq!(simulator.bad_signatures(), u64::try_from(bad.len()).unwrap());
    assert_eq!(simulator.stated_by_request().len(), 1);
}

#[tokio::test]
async fn temporary_credentials_need_their_token() {
    let credentials =
        |token: &str| Credentials::new("AKIATEMPORARY", "secret", Some(token.to_owned()), None, "tests");
    let settings = super::Settings { credentials: credentials("token"), ..super::Settings::default() };
    let simulator = super::Simulator::start(settings).await.unwrap();
    for (token, status) in [("token", 200), ("other", 403)] {
        let ask = Ask { credentials: credentials(token), ..Ask::call(CLAUDE, "converse") };
        assert_eq!(ask.send(&simulator).await.status, status);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_as_bedrock_does() {
    let simulator = start().await;
    let with_body = |body: &str| Ask { body: body.into(), ..Ask::call(CLAUDE, "converse") };
    let raw_slash = Ask { path: format!("/model/{ARN}/converse"), ..Ask::call(ARN, "converse") };
    let prefixed = Ask { path: "/s/checkout/model/m/converse".to_owned(), ..Ask::call(ARN, "converse") };
    let cases = [
        (with_body("{"), 400, "ValidationException"),
        (with_body("[]"), 400, "ValidationException"),
        (with_body(r#"{"messages":[]}"#), 400, "ValidationException"),
        (Ask::call("cohere.embed-english-v3", "converse"), 400, "ValidationException"),
        (Ask::call(&ARN.replace("abc", "xyz"), "converse"), 404, "ResourceNotFoundException"),
        (Ask { region: "eu-west-1", ..Ask::call(ARN, "converse") }, 400, "ValidationException"),
        (Ask::call(CLAUDE, "delete"), 404, "UnknownOperationException"),
        (raw_slash, 404, "UnknownOperationException"),
        (prefixed, 404, "UnknownOperationException"),
        (Ask::call(CLAUDE, "converse").fault("nonsense"), 400, "ValidationException"),
        (Ask::call(CLAUDE, "converse").fault("exception:0:x"), 400, "ValidationException"),
        (Ask::call(CLAUDE, "converse").with("x-sim-chunks", "0"), 400, "ValidationException"),
    ];
    for (ask, status, kind) in cases {
        let heard = ask.send(&simulator).await;
        assert_eq!((heard.status, heard.header("x-amzn-errortype")), (status, kind), "{}", ask.path);
        assert!(heard.json()["message"].is_string());
    }
    assert_eq!(simulator.answered(), [(400, 8), (404, 4)].into());
    assert_eq!(simulator.stated(), TokenTotals::default());
}

#[tokio::test]
async fn guardrails_and_invocations_answer_the_sdk() {
    let simulator = start().await;
    let client = sdk(&simulator);
    let text = t::GuardrailTextBlock::builder().text("x".repeat(1001)).build().unwrap();
    let call = client.apply_guardrail().guardrail_identifier("g1").guardrail_version("1");
    let call = call.source(t::GuardrailContentSource::Input);
    let answer = call.content(t::GuardrailContentBlock::Text(text)).send().await.unwrap();
    assert_eq!(answer.usage().unwrap().content_policy_units(), 2);
    let body = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"checks":{"promptAttack":{}}}"#;
    let heard = Ask::new(Method::POST, "/guardrail-checks/invoke", body).send(&simulator).await;
    assert_eq!(heard.json()["usage"]["promptAttack"]["textUnits"], 1);
    let output = t::AsyncInvokeOutputDataConfig::S3OutputDataConfig(
        t::AsyncInvokeS3OutputDataConfig::builder().s3_uri("s3://bucket").build().unwrap(),
    );
    let call = client.start_async_invoke().model_id("amazon.nova-reel-v1:0").output_data_config(output);
    let input = aws_smithy_types::Document::Object(std::collections::HashMap::new());
    let started = call.model_input(input).send().await.unwrap();
    let arn = started.invocation_arn();
    let got = client.get_async_invoke().invocation_arn(arn).send().await.unwrap();
    assert_eq!((got.invocation_arn(), got.status()), (arn, &t::AsyncInvokeStatus::Completed));
    let listed = client.list_async_invokes().max_results(5).send().await.unwrap();
    assert_eq!(listed.async_invoke_summaries()[0].invocation_arn(), arn);
    assert_eq!(simulator.seen()[2].model.as_deref(), Some("amazon.nova-reel-v1:0"));
    assert_eq!(simulator.answered(), [(200, 5)].into());
}
