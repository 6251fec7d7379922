//! The members of Bedrock's answers that say what was used, or that hold streamed text.

use super::counts::TopCounts;
use super::guardrail::Trace;
use super::lenient::{Count, Each, Items, Maybe, Sum, TextLen, Word};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A Converse body, a `metadata` event, or a guardrail operation's body.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Converse {
    pub(super) usage: Option<Box<RawValue>>,
    pub(super) trace: Maybe<Trace>,
    pub(super) service_tier: Maybe<ServiceTier>,
    pub(super) performance_config: Maybe<PerformanceConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceTier {
    #[serde(rename = "type")]
    pub(super) name: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PerformanceConfig {
    pub(super) latency: Word,
}

/// A `contentBlockDelta` event, here and inside Nova's chunks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BlockDelta {
    pub(super) delta: Maybe<Delta>,
}

/// An InvokeModel body or a chunk of its stream, of whatever family.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Invoke {
    // Statements.
    pub(super) usage: Option<Box<RawValue>>,
    pub(super) message: Maybe<Holder>,
    pub(super) metadata: Maybe<Holder>,
    #[serde(rename = "amazon-bedrock-invocationMetrics")]
    pub(super) metrics: Option<Box<RawValue>>,
    #[serde(rename = "amazon-bedrock-trace")]
    pub(super) trace: Maybe<Trace>,
    #[serde(rename = "inputTextTokenCount")]
    titan_input: Count,
    #[serde(rename = "totalOutputTextTokenCount")]
    titan_output: Count,
    prompt_token_count: Count,
    generation_token_count: Count,
    pub(super) results: Each<TitanResult>,
    pub(super) images: Items,
    /// The images of Stable Diffusion XL.
    pub(super) artifacts: Items,
    pub(super) stop_reason: TextLen,
    // Text.
    delta: Maybe<Delta>,
    completion: TextLen,
    generation: TextLen,
    #[serde(rename = "outputText")]
    output_text: TextLen,
    text: TextLen,
    outputs: Each<Choice>,
    choices: Each<Choice>,
    #[serde(rename = "contentBlockDelta")]
    block: Maybe<BlockDelta>,
}

/// What holds a `usage`: `message` of Anthropic, `metadata` of Nova.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Holder {
    pub(super) usage: Option<Box<RawValue>>,
}

/// One of Titan's `results`, or their sum.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TitanResult {
    #[serde(rename = "tokenCount")]
    pub(super) output: Count,
}

impl Sum for TitanResult {
    fn add(&mut self, item: Self) {
        self.output.0 = super::counts::sum(self.output.0, item.output.0);
    }
}

/// One of `outputs` (Mistral) or `choices` (`OpenAI`), or their text together.
#[derive(Debug, Default)]
struct Choice(u64);

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceMembers {
    text: TextLen,
    delta: Maybe<Delta>,
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = ChoiceMembers::deserialize(deserializer)?;
        Ok(Self(members.text.0.saturating_add(text_of(&members.delta))))
    }
}

impl Sum for Choice {
    fn add(&mut self, item: Self) {
        self.0 = self.0.saturating_add(item.0);
    }
}

/// A piece of text, reasoning or tool input, in every family's spelling.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    text: TextLen,
    partial_json: TextLen,
    thinking: TextLen,
    content: TextLen,
    reasoning_content: TextLen,
    tool_calls: Each<ToolCall>,
    #[serde(rename = "reasoningContent")]
    reasoning: Maybe<Reasoning>,
    #[serde(rename = "toolUse")]
    tool_use: Maybe<ToolUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reasoning {
    text: TextLen,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolUse {
    input: TextLen,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolCall {
    function: Maybe<Function>,
    #[serde(skip)]
    others: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Function {
    arguments: TextLen,
}

impl ToolCall {
    fn text(&self) -> u64 {
        let own = self.function.0.as_ref().map_or(0, |function| function.arguments.0);
        own.saturating_add(self.others)
    }
}

impl Sum for ToolCall {
    fn add(&mut self, item: Self) {
        self.others = self.others.saturating_add(item.text());
    }
}

impl Delta {
    fn text(&self) -> u64 {
        let reasoning = self.reasoning.0.as_ref().map_or(0, |reasoning| reasoning.text.0);
        let tool = self.tool_use.0.as_ref().map_or(0, |tool| tool.input.0);
        let plain = [self.text, self.partial_json, self.thinking, self.content, self.reasoning_content];
        plain.into_iter().map(|text| text.0).chain([reasoning, tool, self.tool_calls.0.text()]).sum()
    }
}

fn text_of(delta: &Maybe<Delta>) -> u64 {
    delta.0.as_ref().map_or(0, Delta::text)
}

impl BlockDelta {
    /// Returns how many bytes of text it holds.
    pub(super) fn text(&self) -> u64 {
        text_of(&self.delta)
    }
}

impl Invoke {
    /// Returns how many bytes of streamed text it holds.
    pub(super) fn streamed_text(&self) -> u64 {
        let block = self.block.0.as_ref().map_or(0, BlockDelta::text);
        let plain = [self.completion, self.generation, self.output_text, self.text];
        let nested = [text_of(&self.delta), block, self.outputs.0.0, self.choices.0.0];
        plain.into_iter().map(|text| text.0).chain(nested).sum()
    }

    /// Returns the counts at its top.
    pub(super) fn top_counts(&self) -> TopCounts {
        TopCounts {
            titan_input: self.titan_input,
            titan_output: self.titan_output,
            llama_input: self.prompt_token_count,
            llama_output: self.generation_token_count,
        }
    }
}
