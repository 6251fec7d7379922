//! One body and, where the family streams, one stream per row of the family table.

use super::End;
use super::family::{FAMILIES, Family, OTHER};
use super::fixtures::{chunk, read_body, read_stream, tokens};
use crate::domain::{ModelId, Operation, Unit, UsageSource};

/// What InvokeModel answers for a model, and what that means.
struct Golden {
    model: &'static str,
    prefix: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    tokens: [i64; 5],
    units: &'static [(Unit, u64)],
    source: UsageSource,
}

const IN: (&str, &str) = ("x-amzn-bedrock-input-token-count", "11");
const OUT: (&str, &str) = ("x-amzn-bedrock-output-token-count", "22");
const OPENAI: &str = r#"{"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":4,
    "prompt_tokens_details":{"cached_tokens":10}}}"#;
const NONE: [i64; 5] = [-1; 5];

const fn golden(model: &'static str, prefix: &'static str, body: &'static str, tokens: [i64; 5]) -> Golden {
    Golden { model, prefix, headers: &[], body, tokens, units: &[], source: UsageSource::InvokeBody }
}

const fn silent(model: &'static str, prefix: &'static str) -> Golden {
    let headers: &[_] = &[IN, OUT];
    Golden {
        headers,
        source: UsageSource::InvokeHeaders,
        ..golden(model, prefix, r#"{"text":"x"}"#, [11, 22, -1, -1, -1])
    }
}

const fn embedding(model: &'static str, prefix: &'static str) -> Golden {
    let headers: &[_] = &[IN];
    Golden {
        headers,
        source: UsageSource::InvokeHeaders,
        ..golden(model, prefix, r#"{"embeddings":[[0.5]],"images":[1]}"#, [11, -1, -1, -1, -1])
    }
}

const fn openai(model: &'static str, prefix: &'static str) -> Golden {
    golden(model, prefix, OPENAI, [20, 4, 10, -1, -1])
}

const fn images(model: &'static str, prefix: &'static str) -> Golden {
    let units: &[_] = &[(Unit::Images, 2)];
    Golden { units, ..golden(model, prefix, r#"{"images":["aGk=","aGk=",null]}"#, NONE) }
}

const fn query(model: &'static str, prefix: &'static str) -> Golden {
    let units: &[_] = &[(Unit::Queries, 1)];
    Golden { units, ..golden(model, prefix, r#"{"results":[{"index":0,"relevance_score":0.5}]}"#, NONE) }
}

const GOLDEN: [Golden; 30] = [
    Golden {
        headers: &[IN, OUT],
        ..golden(
            "eu.anthropic.claude-x",
            "anthropic.",
            r#"{"usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3,
                "cache_creation_input_tokens":9,
                "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}}"#,
            [1, 2, 3, 4, 5],
        )
    },
    images("amazon.nova-canvas-v1:0", "amazon.nova-canvas"),
    embedding("amazon.nova-2-multimodal-embeddings-v1:0", "amazon.nova-2-multimodal-embeddings"),
    golden(
        "us.amazon.nova-x",
        "amazon.nova",
        r#"{"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":10,
            "cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":4}}"#,
        [1, 2, 3, 4, -1],
    ),
    images("amazon.titan-image-generator-v2:0", "amazon.titan-image"),
    golden(
        "amazon.titan-embed-text-v2:0",
        "amazon.titan-embed",
        r#"{"inputTextTokenCount":7}"#,
        [7, -1, -1, -1, -1],
    ),
    golden(
        "amazon.titan-text-x",
        "amazon.titan",
        r#"{"inputTextTokenCount":7,"results":[{"tokenCount":3,"outputText":"a"},{"tokenCount":5.0}]}"#,
        [7, 8, -1, -1, -1],
    ),
    query("amazon.rerank-v1:0", "amazon.rerank"),
    query("cohere.rerank-v3-5:0", "cohere.rerank"),
    embedding("cohere.embed-v4:0", "cohere.embed"),
    silent("cohere.command-x", "cohere."),
    golden(
        "us.meta.llama-x",
        "meta.",
        r#"{"prompt_token_count":5,"generation_token_count":6}"#,
        [5, 6, -1, -1, -1],
    ),
    silent("mistral.mistral-7b-x", "mistral.mistral-7b"),
    silent("mistral.mixtral-x", "mistral.mixtral"),
    openai("us.mistral.pixtral-x", "mistral."),
    openai("us.deepseek.r1-x", "deepseek."),
    openai("openai.gpt-x", "openai."),
    silent("ai21.j2-x", "ai21.j2"),
    openai("ai21.jamba-x", "ai21."),
    openai("us.writer.palmyra-x", "writer."),
    openai("qwen.qwen-x", "qwen."),
    openai("minimax.m-x", "minimax."),
    openai("moonshotai.kimi-x", "moonshot"),
    openai("zai.glm-x", "zai."),
    openai("google.gemma-x", "google."),
    openai("nvidia.nemotron-x", "nvidia."),
    images("us.stability.stable-image-x", "stability."),
    embedding("us.twelvelabs.marengo-x", "twelvelabs.marengo"),
    silent("us.twelvelabs.pegasus-x", "twelvelabs."),
    openai("arn:aws:bedrock:us-west-2:123456789012:imported-model/abc", ""),
];

#[test]
fn every_family_states_its_usage_in_its_own_way() {
    for golden in &GOLDEN {
        let reading = read_body(Operation::InvokeModel, golden.model, golden.headers, golden.body);
        let model = golden.model;
        assert_eq!(Family::of(ModelId::parse(model).ok().as_ref()).prefix, golden.prefix, "{model}");
        assert_eq!(reading.usage.tokens, tokens(golden.tokens), "{model}");
        assert_eq!(reading.usage.units, golden.units, "{model}");
        assert_eq!((reading.source, reading.missing), (golden.source, None), "{model}");
    }
}

#[test]
fn every_row_has_a_golden_body() {
    for family in FAMILIES.iter().chain([&OTHER]) {
        assert!(GOLDEN.iter().any(|golden| golden.prefix == family.prefix), "{}", family.prefix);
    }
}

const START: &str = r#"{"type":"message_start","message":{"usage":{"input_tokens":11,"output_tokens":1,
    "cache_read_input_tokens":3}}}"#;
const DELTA: &str = r#"{"type":"message_delta","usage":{"output_tokens":33}}"#;
const METRICS: &str = r#"{"amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":22}}"#;
const NOVA: &str = r#"{"metadata":{"usage":{"inputTokens":11,"outputTokens":9}},
    "amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":22,
    "cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":4}}"#;
const BLOCKED_TITAN: &str = r#"{"outputText":"no","inputTextTokenCount":6.0,"totalOutputTextTokenCount":3.0,
    "amazon-bedrock-trace":{"guardrail":{"input":{"g":{"invocationMetrics":{
    "usage":{"topicPolicyUnits":1},"inputTextTokenCount":99}}}}}}"#;
const LLAMA: [&str; 2] = [
    r#"{"generation":"a","prompt_token_count":7,"generation_token_count":1}"#,
    r#"{"generation":"b","prompt_token_count":null,"generation_token_count":2,"stop_reason":"stop"}"#,
];
const USAGE: &str = r#"{"usage":{"prompt_tokens":11,"completion_tokens":22,
    "prompt_tokens_details":{"cached_tokens":4}}}"#;

#[test]
fn every_family_that_streams_settles_its_own_way() {
    let cases: [(&str, &[&str], [i64; 5], UsageSource); 7] = [
        ("anthropic.claude-x", &[START, DELTA, METRICS], [11, 33, 3, -1, -1], UsageSource::StreamChunks),
        ("anthropic.claude-x", &[METRICS], [11, 22, -1, -1, -1], UsageSource::InvocationMetrics),
        ("amazon.nova-x", &[NOVA], [11, 22, 3, 4, -1], UsageSource::InvocationMetrics),
        ("amazon.titan-text-x", &[BLOCKED_TITAN], [6, 3, -1, -1, -1], UsageSource::StreamChunks),
        ("meta.llama-x", &LLAMA, [7, 2, -1, -1, -1], UsageSource::StreamChunks),
        ("openai.gpt-x", &[USAGE, METRICS], [7, 22, 4, -1, -1], UsageSource::InvocationMetrics),
        (
            "cohere.command-x",
            &[r#"{"text":"a"}"#, METRICS],
            [11, 22, -1, -1, -1],
            UsageSource::InvocationMetrics,
        ),
    ];
    for (model, chunks, expected, source) in cases {
        let frames: Vec<_> = chunks.iter().map(|json| chunk(json)).collect();
        let reading = read_stream(Operation::InvokeModelWithResponseStream, model, &frames, End::Complete);
        assert_eq!(reading.usage.tokens, tokens(expected), "{model}");
        assert_eq!(reading.source, source, "{model}");
    }
}
