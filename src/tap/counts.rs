//! Token counts in every spelling that Bedrock answers with.

use super::lenient::{Count, Each, Lenient, Maybe, Sum, readable};
use crate::domain::Tokens;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One statement of tokens, whoever spelled it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spelled {
    // Anthropic, and OpenAI's responses.
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Maybe<ByLifetime>,
    input_tokens_details: Maybe<Cached>,
    // OpenAI's chat completions.
    prompt_tokens: Count,
    completion_tokens: Count,
    prompt_tokens_details: Maybe<Cached>,
    // Converse and Nova.
    #[serde(rename = "inputTokens")]
    converse_input: Count,
    #[serde(rename = "outputTokens")]
    converse_output: Count,
    #[serde(rename = "totalTokens")]
    total: Count,
    #[serde(rename = "cacheReadInputTokens")]
    cache_read: Count,
    #[serde(rename = "cacheWriteInputTokens")]
    cache_write: Count,
    #[serde(rename = "cacheDetails")]
    cache_details: Each<ByTtl>,
    // Invocation metrics; the cache counts are Converse's and Nova's second spelling, too.
    #[serde(rename = "inputTokenCount")]
    metrics_input: Count,
    #[serde(rename = "outputTokenCount")]
    metrics_output: Count,
    #[serde(rename = "cacheReadInputTokenCount")]
    cache_read_count: Count,
    #[serde(rename = "cacheWriteInputTokenCount")]
    cache_write_count: Count,
}

/// `cache_creation` of Anthropic.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ByLifetime {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

/// `prompt_tokens_details` of `OpenAI`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cached {
    cached_tokens: Count,
}

/// `cacheDetails` of Converse: five minutes and one hour.
#[derive(Debug, Default)]
struct ByTtl(Option<u64>, Option<u64>);

#[derive(Deserialize)]
struct Ttl {
    #[serde(default)]
    ttl: TtlName,
    #[serde(default, rename = "inputTokens")]
    tokens: Count,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum TtlName {
    #[default]
    FiveMinutes,
    OneHour,
}

readable!(TtlName);

impl Lenient<'_> for TtlName {
    fn from_text(name: &str) -> Self {
        if name == "1h" { Self::OneHour } else { Self::FiveMinutes }
    }
}

impl<'de> Deserialize<'de> for ByTtl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Ttl { ttl, tokens } = Ttl::deserialize(deserializer)?;
        Ok(if ttl == TtlName::OneHour { Self(None, tokens.0) } else { Self(tokens.0, None) })
    }
}

impl Sum for ByTtl {
    fn add(&mut self, item: Self) {
        self.0 = sum(self.0, item.0);
        self.1 = sum(self.1, item.1);
    }
}

/// Adds two counts of which either may not have been said.
pub(super) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// Whether Converse's `inputTokens` may include the cached ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputMay {
    ExcludeCached,
    IncludeCached,
}

/// Returns the tokens that a `usage` or metrics object states; nothing where it is no object.
pub(super) fn tokens(statement: &RawValue, input: InputMay) -> Tokens {
    match serde_json::from_str::<Maybe<Spelled>>(statement.get()) {
        Ok(Maybe(Some(spelled))) => spelled.tokens(input),
        _ => Tokens::default(),
    }
}

impl Spelled {
    fn tokens(&self, input: InputMay) -> Tokens {
        let own_read = self.cache_read_input_tokens.0.or(self.cache_read.0).or(self.cache_read_count.0);
        let within = [&self.prompt_tokens_details, &self.input_tokens_details]
            .into_iter()
            .find_map(|details| details.0.as_ref()?.cached_tokens.0);
        let write = self.cache_creation_input_tokens.0.or(self.cache_write.0).or(self.cache_write_count.0);
        let output = self.output_tokens.0.or(self.completion_tokens.0);
        let mut tokens = Tokens {
            input: self.input(input, own_read, write, within),
            output: output.or(self.converse_output.0).or(self.metrics_output.0),
            cache_read: own_read.or(within),
            ..Tokens::default()
        };
        let (five_minutes, one_hour) = self.lifetimes();
        set_written(&mut tokens, write, five_minutes, one_hour);
        tokens
    }

    /// Returns the input without what came from or went to a cache.
    fn input(
        &self,
        input: InputMay,
        own_read: Option<u64>,
        write: Option<u64>,
        within: Option<u64>,
    ) -> Option<u64> {
        if let Some(prompt) = self.prompt_tokens.0 {
            return Some(prompt.saturating_sub(within.unwrap_or(0)));
        }
        if let Some(input) = self.input_tokens.0 {
            let within = if own_read.is_none() { within } else { None };
            return Some(input.saturating_sub(within.unwrap_or(0)));
        }
        let stated = self.converse_input.0.or(self.metrics_input.0)?;
        let cached = sum(own_read, write).unwrap_or(0);
        let includes = input == InputMay::IncludeCached
            && self.total.0.is_some()
            && self.total.0 == sum(self.converse_input.0, self.converse_output.0);
        Some(if includes { stated.saturating_sub(cached) } else { stated })
    }

    fn lifetimes(&self) -> (Option<u64>, Option<u64>) {
        match &self.cache_creation.0 {
            Some(split) => (split.ephemeral_5m_input_tokens.0, split.ephemeral_1h_input_tokens.0),
            None => (self.cache_details.0.0, self.cache_details.0.1),
        }
    }
}

/// Sets what was written to a cache: what a total has beyond its details was written for five minutes.
fn set_written(tokens: &mut Tokens, total: Option<u64>, five_minutes: Option<u64>, one_hour: Option<u64>) {
    let detailed = sum(five_minutes, one_hour);
    let rest = total.map(|total| total.saturating_sub(detailed.unwrap_or(0)));
    tokens.cache_write_5m = if one_hour.is_some() && five_minutes.is_none() && rest == Some(0) {
        None
    } else {
        sum(five_minutes, rest)
    };
    tokens.cache_write_1h = one_hour;
}

/// Returns all tokens written to a cache.
pub(super) fn written(tokens: &Tokens) -> Option<u64> {
    sum(tokens.cache_write_5m, tokens.cache_write_1h)
}

/// Returns `first`, with `second` where it says nothing. A total of cache writes that both agree on keeps the
/// finer of the two splits.
pub(super) fn fill(first: Tokens, second: Tokens) -> Tokens {
    let coarse = first.cache_write_1h.is_none();
    let finer = if written(&first).is_none() || (coarse && written(&first) == written(&second)) {
        second
    } else {
        first
    };
    Tokens {
        input: first.input.or(second.input),
        output: first.output.or(second.output),
        cache_read: first.cache_read.or(second.cache_read),
        cache_write_5m: finer.cache_write_5m,
        cache_write_1h: finer.cache_write_1h,
    }
}

/// Returns what two cumulative statements say together: of each number the later, which is the larger.
pub(super) fn cumulate(earlier: Tokens, later: Tokens) -> Tokens {
    let finer = if written(&later) > written(&earlier) { later } else { earlier };
    Tokens {
        input: earlier.input.max(later.input),
        output: earlier.output.max(later.output),
        cache_read: earlier.cache_read.max(later.cache_read),
        cache_write_5m: finer.cache_write_5m,
        cache_write_1h: finer.cache_write_1h,
    }
}

/// Counts that some families put at the top of a body or chunk.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct TopCounts {
    #[serde(rename = "inputTextTokenCount", skip_serializing_if = "unsaid")]
    pub(super) titan_input: Count,
    #[serde(rename = "totalOutputTextTokenCount", skip_serializing_if = "unsaid")]
    pub(super) titan_output: Count,
    #[serde(rename = "prompt_token_count", skip_serializing_if = "unsaid")]
    pub(super) llama_input: Count,
    #[serde(rename = "generation_token_count", skip_serializing_if = "unsaid")]
    pub(super) llama_output: Count,
}

fn unsaid(count: &Count) -> bool {
    count.0.is_none()
}

impl Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl TopCounts {
    pub(super) fn tokens(self) -> Tokens {
        Tokens {
            input: self.titan_input.0.or(self.llama_input.0),
            output: self.titan_output.0.or(self.llama_output.0),
            ..Tokens::default()
        }
    }

    /// Takes over what a later chunk says; its counts are cumulative.
    pub(super) fn cumulate(&mut self, later: Self) {
        self.titan_input.0 = self.titan_input.0.max(later.titan_input.0);
        self.titan_output.0 = self.titan_output.0.max(later.titan_output.0);
        self.llama_input.0 = self.llama_input.0.max(later.llama_input.0);
        self.llama_output.0 = self.llama_output.0.max(later.llama_output.0);
    }
}
