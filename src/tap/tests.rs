//! Bodies that come as one document, guardrails, and calls of which nothing is due.

use super::fixtures::{head, read_body, tap, tokens};
use super::{End, Tap};
use crate::domain::{MissingReason, Operation, Policy, Unit, UsageSource};
use bytes::Bytes;

const CLAUDE: &str = "us.anthropic.claude-x";
const CONVERSE: &str = r#"{"output":{"message":{"content":[{"text":"four"}]}},
    "usage":{"inputTokens":18,"outputTokens":386,"totalTokens":7906,
    "cacheReadInputTokens":2,"cacheReadInputTokenCount":2,
    "cacheWriteInputTokens":7500,"cacheWriteInputTokenCount":7500,
    "cacheDetails":[{"ttl":"1h","inputTokens":5000},{"ttl":"5m","inputTokens":2000}],"serverToolUsage":{}},
    "serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"}}"#;

#[test]
fn converse_splits_cache_writes_and_sums_no_spelling_twice() {
    let reading = read_body(Operation::Converse, CLAUDE, &[], CONVERSE);
    assert_eq!(reading.usage.tokens, tokens([18, 386, 2, 2500, 5000]));
    assert_eq!(reading.source, UsageSource::Converse);
    assert_eq!(reading.service_tier.as_deref(), Some("flex"));
    assert_eq!(reading.latency_tier.as_deref(), Some("optimized"));
    assert!(reading.raw.unwrap().get().contains(r#""serverToolUsage":{}"#));
}

#[test]
fn a_write_total_without_details_is_for_five_minutes() {
    for details in ["", r#","cacheDetails":[]"#, r#","cacheDetails":null"#, r#","cacheDetails":"?""#] {
        let body =
            format!(r#"{{"usage":{{"inputTokens":1,"outputTokens":2,"cacheWriteInputTokens":7{details}}}}}"#);
        let reading = read_body(Operation::Converse, CLAUDE, &[], &body);
        assert_eq!(reading.usage.tokens, tokens([1, 2, -1, 7, -1]), "{details}");
    }
}

#[test]
fn openai_input_sheds_cached_tokens_only_where_the_total_says_so() {
    for (total, input) in [(34, 20), (44, 30)] {
        let body = format!(
            r#"{{"usage":{{"inputTokens":30,"outputTokens":4,"totalTokens":{total},"cacheReadInputTokens":10}}}}"#
        );
        let reading = read_body(Operation::Converse, "openai.gpt-x", &[], &body);
        assert_eq!(reading.usage.tokens, tokens([input, 4, 10, -1, -1]));
        let reading = read_body(Operation::Converse, "amazon.nova-x", &[], &body);
        assert_eq!(reading.usage.tokens.input, Some(30));
    }
}

#[test]
fn odd_values_hide_nothing_else() {
    let body = r#"{"usage":{"inputTokens":"many","outputTokens":6.0,"cacheReadInputTokens":-1,
        "cacheWriteInputTokens":1.5,"cacheDetails":{}},"trace":[],"serviceTier":"x"}"#;
    let reading = read_body(Operation::Converse, CLAUDE, &[], body);
    assert_eq!(reading.usage.tokens, tokens([-1, 6, -1, -1, -1]));
}

#[test]
fn headers_fill_the_gaps_of_a_body() {
    let headers = [
        ("x-amzn-bedrock-input-token-count", "5"),
        ("x-amzn-bedrock-output-token-count", "6"),
        ("x-amzn-bedrock-cache-read-input-token-count", "7"),
        ("x-amzn-bedrock-cache-write-input-token-count", "9"),
        ("x-amzn-bedrock-service-tier", "priority"),
    ];
    let body = r#"{"usage":{"input_tokens":50,"output_tokens":60,
        "cache_creation":{"ephemeral_1h_input_tokens":9}}}"#;
    let reading = read_body(Operation::InvokeModel, CLAUDE, &headers, body);
    assert_eq!(reading.usage.tokens, tokens([50, 60, 7, -1, 9]));
    assert_eq!(reading.source, UsageSource::InvokeBody);
    assert_eq!(reading.service_tier.as_deref(), Some("priority"));
    let reading = read_body(Operation::InvokeModel, CLAUDE, &headers, "<html>");
    assert_eq!(reading.usage.tokens, tokens([5, 6, 7, 9, -1]));
    assert_eq!((reading.source, reading.missing), (UsageSource::InvokeHeaders, None));
}

#[test]
fn what_cannot_be_read_is_missing_and_not_zero() {
    let plain = [].as_slice();
    let gzip = [("content-encoding", "gzip")].as_slice();
    let cases = [
        (Operation::InvokeModel, plain, "<html>", MissingReason::Unreadable),
        (Operation::InvokeModel, plain, "", MissingReason::NoStatement),
        (Operation::InvokeModel, plain, "{}", MissingReason::NoStatement),
        (Operation::Converse, plain, "[1,2]", MissingReason::NoStatement),
        (Operation::Converse, gzip, CONVERSE, MissingReason::Unreadable),
        (Operation::ApplyGuardrail, plain, r#"{"action":"NONE"}"#, MissingReason::NoStatement),
        (Operation::StartAsyncInvoke, plain, r#"{"invocationArn":"a"}"#, MissingReason::NoStatement),
    ];
    for (operation, headers, body, reason) in cases {
        let reading = read_body(operation, CLAUDE, headers, body);
        assert_eq!((reading.source, reading.missing), (UsageSource::Missing, Some(reason)), "{body}");
        assert!(reading.usage.is_empty(), "{body}");
    }
}

#[test]
fn nothing_is_due_for_refused_and_free_calls() {
    let refused = Tap::new(Operation::Converse, None, 429, &head(&[]), 9);
    let free = Tap::new(Operation::CountTokens, None, 200, &head(&[]), 9);
    for mut tap in [refused, free] {
        tap.feed(&Bytes::from_static(br#"{"inputTokens":5}"#));
        assert!(!tap.at_message_boundary() && !tap.has_statement());
        let reading = tap.finish(End::Cut);
        assert_eq!((reading.source, reading.usage.is_empty()), (UsageSource::NotApplicable, true));
    }
}

#[test]
fn guardrails_count_billed_units_only() {
    let usage = r#"{"topicPolicyUnits":1,"contentPolicyUnits":2,"wordPolicyUnits":3,
        "sensitiveInformationPolicyUnits":4,"sensitiveInformationPolicyFreeUnits":50,
        "contextualGroundingPolicyUnits":5,"contentPolicyImageUnits":6,"automatedReasoningPolicyUnits":70}"#;
    let reading = read_body(Operation::ApplyGuardrail, "", &[], &format!(r#"{{"usage":{usage}}}"#));
    assert_eq!(reading.usage.units, [(Unit::TextUnits, 15), (Unit::GuardrailImages, 6)]);
    assert_eq!(reading.source, UsageSource::InvokeBody);
    let policies = [
        (Policy::Topic, 1),
        (Policy::Content, 2),
        (Policy::SensitiveInformation, 4),
        (Policy::ContextualGrounding, 5),
        (Policy::AutomatedReasoning, 70),
        (Policy::Word, 3),
    ];
    assert_eq!(reading.usage.policies, policies);

    let checks = r#"{"usage":{"contentFilter":{"textUnits":1},"promptAttack":{"textUnits":2},
        "sensitiveInformation":{"textUnits":4}}}"#;
    let reading = read_body(Operation::InvokeGuardrailChecks, "", &[], checks);
    assert_eq!(reading.usage.units, [(Unit::TextUnits, 7)]);

    let traced = format!(
        r#"{{"usage":{{"inputTokens":1,"outputTokens":2}},"trace":{{"guardrail":{{"modelOutput":["x"],
        "inputAssessment":{{"g":{{"invocationMetrics":{{"usage":{usage}}}}}}},
        "outputAssessments":{{"g":[{{"invocationMetrics":{{"usage":{usage}}}}}]}}}}}}}}"#
    );
    let reading = read_body(Operation::Converse, CLAUDE, &[], &traced);
    assert_eq!(reading.usage.units, [(Unit::TextUnits, 30), (Unit::GuardrailImages, 12)]);
    assert_eq!(reading.usage.policies, policies.map(|(policy, count)| (policy, 2 * count)));
    assert_eq!(reading.usage.tokens, tokens([1, 2, -1, -1, -1]));
}

#[test]
fn a_prompt_router_says_what_it_called() {
    let routed = |model: &str| {
        let body = format!(
            r#"{{"usage":{{"inputTokens":1,"outputTokens":2}},"trace":{{"promptRouter":{{"invokedModelId":{model}}}}}}}"#
        );
        let model = read_body(Operation::Converse, CLAUDE, &[], &body).invoked_model;
        model.map(|model| model.bare().to_owned())
    };
    let arn = r#""arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x""#;
    assert_eq!(routed(arn).as_deref(), Some(CLAUDE));
    for none in ["null", "7", r#""""#, r#""a b""#] {
        assert_eq!(routed(none), None, "{none}");
    }
}

#[test]
fn a_body_that_broke_off_is_estimated_until_it_came_whole() {
    let headers =
        head(&[("x-amzn-bedrock-input-token-count", "5"), ("x-amzn-bedrock-output-token-count", "6")]);
    let body =
        br#"{"content":[{"type":"text","text":"nine byte"}],"usage":{"input_tokens":7,"output_tokens":8}}"#;
    for len in 0..=body.len() {
        let mut tap = tap(Operation::InvokeModel, CLAUDE, &headers);
        tap.feed(&Bytes::from_static(&body[..len]));
        let whole = len == body.len();
        assert_eq!(tap.has_statement(), whole);
        let reading = tap.finish(End::Cut);
        if whole {
            assert_eq!((reading.source, reading.usage.tokens.output), (UsageSource::InvokeBody, Some(8)));
        } else {
            assert_eq!((reading.source, reading.usage.tokens.input), (UsageSource::Estimated, Some(5)));
            assert!(reading.usage.tokens.output <= Some(3));
        }
    }
    let mut tap = tap(Operation::Converse, CLAUDE, &head(&[]));
    tap.feed(&Bytes::from_static(br#"{"output":{"message":{"content":[{"text":"nine byte"#));
    assert_eq!(tap.finish(End::Cut).usage.tokens, tokens([11, 3, -1, -1, -1]));
}

#[test]
fn what_is_not_billed_by_tokens_is_not_estimated_in_tokens() {
    let cut = |model| tap(Operation::InvokeModel, model, &head(&[])).finish(End::Cut);
    assert_eq!(cut("cohere.rerank-v3-5:0").usage.units, [(Unit::Queries, 1)]);
    assert_eq!(cut("stability.x").missing, Some(MissingReason::NoStatement));
    assert_eq!(cut("cohere.embed-v4:0").usage.tokens, tokens([11, -1, -1, -1, -1]));
}
