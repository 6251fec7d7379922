//! The demo's own traffic: a call every second, of either service, of every kind.

use crate::cli::call::client;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};
use std::time::Duration;

/// The pause between two calls.
const PACE: Duration = Duration::from_secs(1);

/// What is called, in turn: service, model, and whether the answer is streamed.
const CALLS: [(&str, &str, Kind); 4] = [
    ("service-1", "claude", Kind::Converse),
    ("service-2", "amazon.nova-lite-v1:0", Kind::ConverseStream),
    ("service-1", "default", Kind::Invoke),
    ("service-2", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Kind::Converse),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Converse,
    ConverseStream,
    Invoke,
}

/// Calls on and on, through the gateway at `url`.
pub(super) async fn trickle(url: &str) {
    let mut pace = tokio::time::interval(PACE);
    for (service, model, kind) in CALLS.into_iter().cycle() {
        pace.tick().await;
        let client = client(&format!("{url}/s/{service}"), None);
        let called = async { call(client.as_ref().ok()?, model, kind).await };
        if called.await.is_none() {
            tracing::warn!(service, model, "a call of the demo's own failed");
        }
    }
}

async fn call(client: &Client, model: &str, kind: Kind) -> Option<()> {
    let prompt = "What does the traffic of a demo look like?";
    let content = ContentBlock::Text(prompt.to_owned());
    let message = Message::builder().role(ConversationRole::User).content(content).build().ok()?;
    match kind {
        Kind::Converse => drop(client.converse().model_id(model).messages(message).send().await.ok()?),
        Kind::ConverseStream => {
            let answer = client.converse_stream().model_id(model).messages(message).send().await.ok()?;
            let mut stream = answer.stream;
            while stream.recv().await.ok()?.is_some() {}
        }
        Kind::Invoke => {
            let body = serde_json::json!({
                "anthropic_version": "bedrock-2023-05-31",
                "max_tokens": 100,
                "messages": [{ "role": "user", "content": prompt }],
            });
            let body = Blob::new(body.to_string());
            drop(client.invoke_model().model_id(model).body(body).send().await.ok()?);
        }
    }
    Some(())
}
