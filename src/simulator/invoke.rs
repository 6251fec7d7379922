//! What InvokeModel answers, and what Converse does.

use super::calls::Reply;
use super::families::{Counts, Family};
use super::play::count;
use super::truth::TokenTotals;
use serde_json::{Value, json};

/// The latency that every answer claims, in milliseconds.
pub(super) const LATENCY_MS: u64 = 42;

/// A PNG of one pixel, in base64.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// The most images of one answer (Amazon Nova Canvas user guide, `numberOfImages`).
const MAX_IMAGES: u64 = 5;

/// Returns Converse's `usage`, with the second spellings that the service sends, too.
pub(super) fn converse_usage(tokens: TokenTotals) -> Value {
    let mut details = Vec::new();
    for (ttl, written) in [("1h", tokens.cache_write_1h), ("5m", tokens.cache_write_5m)] {
        if written > 0 {
            details.push(json!({ "ttl": ttl, "inputTokens": written }));
        }
    }
    json!({
        "inputTokens": tokens.input,
        "outputTokens": tokens.output,
        "totalTokens": tokens.total(),
        "cacheReadInputTokens": tokens.cache_read,
        "cacheReadInputTokenCount": tokens.cache_read,
        "cacheWriteInputTokens": tokens.cache_write(),
        "cacheWriteInputTokenCount": tokens.cache_write(),
        "cacheDetails": details,
        "serverToolUsage": {},
    })
}

/// Returns Converse's answer.
pub(super) fn converse(reply: &Reply<'_>) -> Value {
    let answer = json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": reply.text }] } },
        "stopReason": "end_turn",
        "metrics": { "latencyMs": LATENCY_MS },
    });
    reply.metered(answer, json!({ "usage": converse_usage(reply.tokens) }))
}

/// Returns `usage` as Anthropic spells it.
pub(super) fn claude_usage(tokens: TokenTotals, output: u64) -> Value {
    json!({
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write(),
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": output,
    })
}

/// Returns `usage` as Nova spells it.
pub(super) fn nova_usage(tokens: TokenTotals) -> Value {
    json!({
        "inputTokens": tokens.input,
        "outputTokens": tokens.output,
        "totalTokens": tokens.total(),
        "cacheReadInputTokenCount": tokens.cache_read,
        "cacheWriteInputTokenCount": tokens.cache_write(),
    })
}

/// Returns `usage` as `OpenAI` spells it: its prompt includes what came from the cache.
pub(super) fn chat_usage(tokens: TokenTotals) -> Value {
    let prompt = tokens.input.saturating_add(tokens.cache_read);
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt.saturating_add(tokens.output),
        "prompt_tokens_details": { "cached_tokens": tokens.cache_read },
    })
}

/// Returns InvokeModel's answer.
pub(super) fn body(reply: &Reply<'_>) -> Value {
    match reply.model.family {
        Family::Claude => claude(reply),
        Family::Nova => nova(reply),
        Family::TitanText => titan_text(reply),
        Family::TitanEmbed => {
            let body = json!({ "embedding": vector(), "embeddingsByType": { "float": vector() } });
            reply.metered(body, json!({ "inputTextTokenCount": reply.tokens.input }))
        }
        Family::Embed => embeddings(reply),
        Family::Command => json!({
            "generation_id": reply.request_id,
            "response_id": reply.request_id,
            "text": reply.text,
            "finish_reason": "COMPLETE",
        }),
        Family::Rerank => rerank(reply),
        Family::Llama => llama(reply),
        Family::MistralText => json!({ "outputs": [{ "text": reply.text, "stop_reason": "stop" }] }),
        Family::Jurassic => json!({
            "id": 1234,
            "completions": [{ "data": { "text": reply.text }, "finishReason": { "reason": "endoftext" } }],
        }),
        Family::DeepSeek => json!({ "choices": [{ "text": reply.text, "stop_reason": "stop" }] }),
        Family::Chat => chat(reply),
        Family::Images => json!({ "images": pixels(reply), "error": null }),
        Family::Stability => json!({ "images": [PIXEL], "seeds": [1], "finish_reasons": [null] }),
    }
}

/// Returns the token counts of InvokeModel's head.
pub(super) fn count_headers(reply: &Reply<'_>) -> Vec<(&'static str, u64)> {
    let tokens = reply.model.family.states(reply.tokens);
    let counts = if reply.is_metered { reply.model.family.counts() } else { Counts::Nothing };
    let mut headers = Vec::new();
    if counts != Counts::Nothing {
        headers.push(("x-amzn-bedrock-input-token-count", tokens.input));
    }
    if counts == Counts::All {
        headers.push(("x-amzn-bedrock-output-token-count", tokens.output));
    }
    let cached = [
        ("x-amzn-bedrock-cache-read-input-token-count", tokens.cache_read),
        ("x-amzn-bedrock-cache-write-input-token-count", tokens.cache_write()),
    ];
    headers.extend(cached.into_iter().filter(|(_, tokens)| counts == Counts::All && *tokens > 0));
    headers
}

fn claude(reply: &Reply<'_>) -> Value {
    let body = json!({
        "id": format!("msg_bdrk_{}", reply.request_id),
        "type": "message",
        "role": "assistant",
        "model": reply.model.id,
        "content": [{ "type": "text", "text": reply.text }],
        "stop_reason": "end_turn",
        "stop_sequence": null,
    });
    reply.metered(body, json!({ "usage": claude_usage(reply.tokens, reply.tokens.output) }))
}

fn nova(reply: &Reply<'_>) -> Value {
    let body = json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": reply.text }] } },
        "stopReason": "end_turn",
    });
    reply.metered(body, json!({ "usage": nova_usage(reply.tokens) }))
}

fn titan_text(reply: &Reply<'_>) -> Value {
    let result = json!({ "outputText": reply.text, "completionReason": "FINISH" });
    let result = reply.metered(result, json!({ "tokenCount": reply.tokens.output }));
    let body = json!({ "results": [result] });
    reply.metered(body, json!({ "inputTextTokenCount": reply.tokens.input }))
}

fn llama(reply: &Reply<'_>) -> Value {
    let body = json!({ "generation": reply.text, "stop_reason": "stop" });
    let counts = json!({
        "prompt_token_count": reply.tokens.input,
        "generation_token_count": reply.tokens.output,
    });
    reply.metered(body, counts)
}

fn chat(reply: &Reply<'_>) -> Value {
    let body = json!({
        "id": format!("chatcmpl-{}", reply.request_id),
        "object": "chat.completion",
        "created": 1_767_323_045,
        "model": reply.model.id,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": reply.text },
            "finish_reason": "stop",
        }],
    });
    reply.metered(body, json!({ "usage": chat_usage(reply.tokens) }))
}

fn vector() -> Value {
    json!([0.125, -0.25, 0.5, 0.0625])
}

fn embeddings(reply: &Reply<'_>) -> Value {
    let texts = reply.request.get("texts").and_then(Value::as_array).cloned().unwrap_or_default();
    let vectors = vec![vector(); texts.len().max(1)];
    json!({
        "id": reply.request_id,
        "response_type": "embeddings_floats",
        "embeddings": vectors,
        "texts": texts,
    })
}

fn rerank(reply: &Reply<'_>) -> Value {
    let documents = reply.request.get("documents").and_then(Value::as_array).map_or(0, Vec::len);
    let results: Vec<Value> =
        (0..documents).map(|index| json!({ "index": index, "relevance_score": 0.5 })).collect();
    json!({ "results": results })
}

/// Returns as many images as the request asks for.
fn pixels(reply: &Reply<'_>) -> Vec<&'static str> {
    let wanted = reply.request.pointer("/imageGenerationConfig/numberOfImages").and_then(Value::as_u64);
    let wanted = wanted.unwrap_or(1).clamp(1, MAX_IMAGES);
    (0..wanted).map(|_| PIXEL).collect()
}

/// Returns the share of the output that is out after some of all pieces.
pub(super) fn share(output: u64, pieces: usize, all: usize) -> u64 {
    output.saturating_mul(count(pieces)).checked_div(count(all)).unwrap_or(output)
}

/// Returns what InvokeModel's answer states in tokens, if it states any.
pub(super) fn stated(reply: &Reply<'_>) -> Option<TokenTotals> {
    let counts = reply.model.family.counts() != Counts::Nothing;
    (reply.is_metered && counts).then(|| reply.model.family.states(reply.tokens))
}
