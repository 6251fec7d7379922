//! What streams are made of: Converse's events, and the chunks of each family.

use super::calls::{Reply, merge};
use super::families::Family;
use super::invoke::{self, LATENCY_MS};
use super::refusal::Refusal;
use super::stream;
use bytes::Bytes;
use serde_json::{Value, json};

/// Returns ConverseStream's messages; `extra` is what its `metadata` says besides.
pub(super) fn converse(reply: &Reply<'_>, deltas: usize, extra: Value) -> Result<Vec<Bytes>, Refusal> {
    // Only a tool's block has a contentBlockStart.
    let mut messages = vec![stream::event("messageStart", json!({ "role": "assistant" }))?];
    for text in reply.pieces(deltas) {
        let delta = json!({ "contentBlockIndex": 0, "delta": { "text": text } });
        messages.push(stream::event("contentBlockDelta", delta)?);
    }
    messages.push(stream::event("contentBlockStop", json!({ "contentBlockIndex": 0 }))?);
    messages.push(stream::event("messageStop", json!({ "stopReason": "end_turn" }))?);
    let mut metadata = json!({ "metrics": { "latencyMs": LATENCY_MS } });
    merge(&mut metadata, extra);
    let metadata = reply.metered(metadata, json!({ "usage": invoke::converse_usage(reply.tokens) }));
    messages.push(stream::event("metadata", metadata)?);
    Ok(messages)
}

/// Returns `InvokeModelWithResponseStream`'s messages, with the invocation metrics in the last.
pub(super) fn invoke(reply: &Reply<'_>, deltas: usize) -> Result<Vec<Bytes>, Refusal> {
    let texts = reply.pieces(deltas);
    let mut chunks = match reply.model.family {
        Family::Claude => claude(reply, &texts),
        Family::Nova => nova(reply, &texts),
        Family::TitanText => titan(reply, &texts),
        Family::Llama => llama(reply, &texts),
        Family::Command => command(&texts),
        Family::MistralText => texts.iter().map(|text| json!({ "outputs": [{ "text": text }] })).collect(),
        Family::DeepSeek => texts.iter().map(|text| json!({ "choices": [{ "text": text }] })).collect(),
        Family::Chat => chat(reply, &texts),
        Family::TitanEmbed
        | Family::Embed
        | Family::Rerank
        | Family::Jurassic
        | Family::Images
        | Family::Stability => {
            return Err(Refusal::validation("The model is unsupported for streaming"));
        }
    };
    if let Some(last) = chunks.last_mut() {
        let whole = reply.metered(last.take(), json!({ "amazon-bedrock-invocationMetrics": metrics(reply) }));
        *last = whole;
    }
    chunks.iter().map(stream::chunk).collect()
}

/// Returns the invocation metrics; the cache counts are there where a cache was used.
fn metrics(reply: &Reply<'_>) -> Value {
    let mut metrics = json!({
        "inputTokenCount": reply.tokens.input,
        "outputTokenCount": reply.tokens.output,
        "invocationLatency": LATENCY_MS,
        "firstByteLatency": 7,
    });
    if reply.tokens.cache_read > 0 || reply.tokens.cache_write() > 0 {
        let cached = json!({
            "cacheReadInputTokenCount": reply.tokens.cache_read,
            "cacheWriteInputTokenCount": reply.tokens.cache_write(),
        });
        merge(&mut metrics, cached);
    }
    metrics
}

fn claude(reply: &Reply<'_>, texts: &[&str]) -> Vec<Value> {
    let message = json!({
        "id": format!("msg_bdrk_{}", reply.request_id),
        "type": "message",
        "role": "assistant",
        "model": reply.model.id,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    });
    let message = reply.metered(message, json!({ "usage": invoke::claude_usage(reply.tokens, 1) }));
    let mut chunks = vec![
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
    ];
    chunks.extend(texts.iter().map(|text| {
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } })
    }));
    let delta = json!({
        "type": "message_delta",
        "delta": { "stop_reason": "end_turn", "stop_sequence": null },
    });
    chunks.push(json!({ "type": "content_block_stop", "index": 0 }));
    chunks.push(reply.metered(delta, json!({ "usage": { "output_tokens": reply.tokens.output } })));
    chunks.push(json!({ "type": "message_stop" }));
    chunks
}

fn nova(reply: &Reply<'_>, texts: &[&str]) -> Vec<Value> {
    let mut chunks = vec![json!({ "messageStart": { "role": "assistant" } })];
    chunks.extend(
        texts.iter().map(
            |text| json!({ "contentBlockDelta": { "delta": { "text": text }, "contentBlockIndex": 0 } }),
        ),
    );
    chunks.push(json!({ "contentBlockStop": { "contentBlockIndex": 0 } }));
    chunks.push(json!({ "messageStop": { "stopReason": "end_turn" } }));
    let metadata = json!({ "metrics": {}, "trace": {} });
    let metadata = reply.metered(metadata, json!({ "usage": invoke::nova_usage(reply.tokens) }));
    chunks.push(json!({ "metadata": metadata }));
    chunks
}

fn titan(reply: &Reply<'_>, texts: &[&str]) -> Vec<Value> {
    let chunk = |(at, text): (usize, &&str)| {
        let is_last = at.saturating_add(1) == texts.len();
        let counts = json!({
            "inputTextTokenCount": (at == 0).then_some(reply.tokens.input),
            "totalOutputTextTokenCount": is_last.then_some(reply.tokens.output),
        });
        let reason = is_last.then_some("FINISH");
        reply.metered(json!({ "outputText": text, "index": 0, "completionReason": reason }), counts)
    };
    texts.iter().enumerate().map(chunk).collect()
}

fn llama(reply: &Reply<'_>, texts: &[&str]) -> Vec<Value> {
    let chunk = |(at, text): (usize, &&str)| {
        let pieces = at.saturating_add(1);
        let counts = json!({
            "prompt_token_count": (at == 0).then_some(reply.tokens.input),
            "generation_token_count": invoke::share(reply.tokens.output, pieces, texts.len()),
        });
        let reason = (pieces == texts.len()).then_some("stop");
        reply.metered(json!({ "generation": text, "stop_reason": reason }), counts)
    };
    texts.iter().enumerate().map(chunk).collect()
}

fn command(texts: &[&str]) -> Vec<Value> {
    let mut chunks: Vec<Value> = texts
        .iter()
        .map(|text| json!({ "is_finished": false, "event_type": "text-generation", "text": text }))
        .collect();
    chunks.push(json!({ "is_finished": true, "event_type": "stream-end", "finish_reason": "COMPLETE" }));
    chunks
}

fn chat(reply: &Reply<'_>, texts: &[&str]) -> Vec<Value> {
    let chunk = |delta: Value, reason: Option<&str>| {
        json!({
            "id": format!("chatcmpl-{}", reply.request_id),
            "object": "chat.completion.chunk",
            "created": 1_767_323_045,
            "model": reply.model.id,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }],
        })
    };
    let mut chunks: Vec<Value> =
        texts.iter().map(|text| chunk(json!({ "role": "assistant", "content": text }), None)).collect();
    let last = chunk(json!({}), Some("stop"));
    chunks.push(reply.metered(last, json!({ "usage": invoke::chat_usage(reply.tokens) })));
    chunks
}
