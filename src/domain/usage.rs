//! What a response says it consumed.

use serde::Serialize;
use serde::ser::Serializer;

/// Counts of tokens by kind. `None` means that nothing was said; it is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Input tokens that came neither from nor went to a prompt cache.
    pub input: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Input tokens read from a prompt cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to a prompt cache for five minutes.
    pub cache_write_5m: Option<u64>,
    /// Input tokens written to a prompt cache for one hour.
    pub cache_write_1h: Option<u64>,
}

impl Tokens {
    /// Returns each kind's name, as metrics and records spell it, with its count.
    pub fn by_kind(&self) -> [(&'static str, Option<u64>); 5] {
        [
            ("input", self.input),
            ("output", self.output),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
        ]
    }

    /// Tells whether nothing at all was said.
    pub fn is_empty(&self) -> bool {
        self.by_kind().iter().all(|(_, count)| count.is_none())
    }
}

/// What is billed other than by the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Generated or edited images.
    Images,
    /// Rerank queries.
    Queries,
    /// Guardrail text units that are billed (1 unit is up to 1,000 characters of one policy).
    TextUnits,
    /// Images that a guardrail's content policy looked at.
    GuardrailImages,
}

impl Unit {
    /// Every unit, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Images, Self::Queries, Self::TextUnits, Self::GuardrailImages];

    /// Returns the unit's name, as metrics and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Queries => "queries",
            Self::TextUnits => "text_units",
            Self::GuardrailImages => "guardrail_images",
        }
    }
}

/// A policy of a guardrail: each has a price of its own per text unit
/// (bedrock-runtime service model, `GuardrailUsage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// `topicPolicyUnits`
    Topic,
    /// `contentPolicyUnits`
    Content,
    /// `sensitiveInformationPolicyUnits`
    SensitiveInformation,
    /// `contextualGroundingPolicyUnits`
    ContextualGrounding,
    /// `automatedReasoningPolicyUnits`
    AutomatedReasoning,
    /// `wordPolicyUnits`
    Word,
}

impl Policy {
    /// Every policy that counts text units, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::Topic,
        Self::Content,
        Self::SensitiveInformation,
        Self::ContextualGrounding,
        Self::AutomatedReasoning,
        Self::Word,
    ];

    /// Returns the policy's name, as records and price files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic_policy_units",
            Self::Content => "content_policy_units",
            Self::SensitiveInformation => "sensitive_information_policy_units",
            Self::ContextualGrounding => "contextual_grounding_policy_units",
            Self::AutomatedReasoning => "automated_reasoning_policy_units",
            Self::Word => "word_policy_units",
        }
    }
}

/// The pictures that a call asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// `quality` of the request, as it was asked for (`standard`, `premium`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// Diffusion steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
}

/// All that one call consumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens by kind.
    pub tokens: Tokens,
    /// Other units; each unit at most once.
    pub units: Vec<(Unit, u64)>,
    /// [`Unit::TextUnits`] once more, by the policy that used them, and beside them those of automated reasoning;
    /// each policy at most once.
    pub policies: Vec<(Policy, u64)>,
}

impl Usage {
    /// Tells whether nothing at all was said.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.units.is_empty() && self.policies.is_empty()
    }

    /// Returns each count that was said, by its name in records: `input_tokens`, `images` and so on.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let tokens = [
            ("input_tokens", self.tokens.input),
            ("output_tokens", self.tokens.output),
            ("cache_read_tokens", self.tokens.cache_read),
            ("cache_write_5m_tokens", self.tokens.cache_write_5m),
            ("cache_write_1h_tokens", self.tokens.cache_write_1h),
        ];
        let tokens = tokens.into_iter().filter_map(|(name, count)| Some((name, count?)));
        let units = self.units.iter().map(|(unit, count)| (unit.name(), *count));
        let policies = self.policies.iter().map(|(policy, count)| (policy.name(), *count));
        tokens.chain(units).chain(policies)
    }

    /// Adds to a unit's count; adding nothing says nothing.
    pub fn add(&mut self, unit: Unit, count: u64) {
        add_to(&mut self.units, unit, count);
    }

    /// Adds to a policy's count; adding nothing says nothing.
    pub fn add_policy(&mut self, policy: Policy, count: u64) {
        add_to(&mut self.policies, policy, count);
    }
}

fn add_to<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K, count: u64) {
    if count == 0 {
        return;
    }
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, total)) => *total = total.saturating_add(count),
        None => counts.push((key, count)),
    }
}

impl Serialize for Usage {
    /// As a map from `input_tokens`, `images` and so on to counts; what was not said is absent.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.counts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_is_absent_from_json() {
        let mut usage = Usage { tokens: Tokens { input: Some(0), ..Tokens::default() }, ..Usage::default() };
        usage.add(Unit::Images, 2);
        usage.add(Unit::Images, 1);
        usage.add(Unit::Queries, 0);
        assert_eq!(serde_json::to_string(&usage).unwrap(), r#"{"input_tokens":0,"images":3}"#);
    }
}
