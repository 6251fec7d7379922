//! What sets one model family's usage apart from another's.

use crate::domain::ModelId;

/// Where a family's InvokeModel says what it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a `usage` object of the body or of chunks; headers and invocation metrics fill its gaps.
    Usage,
    /// In counts at the top of the body or of chunks; headers and invocation metrics fill their gaps.
    Counts,
    /// In headers and invocation metrics alone.
    Headers,
    /// Nowhere: the answer itself is what is billed.
    Answer,
}

/// Which statement of a stream wins where two speak about one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Winner {
    /// `message_start` and `message_delta`: recorded Claude 3 and 3.5 streams with tools say less in their metrics
    /// (88 output tokens against 72, 130 against 98), and the same prompts not streamed agree with `message_delta`.
    Chunks,
    /// `amazon-bedrock-invocationMetrics`.
    Metrics,
}

/// What a call of a family is billed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Billed {
    /// Input and output tokens.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Images in the answer.
    Images,
    /// One query per call.
    Query,
}

/// One family of models.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// How its foundation-model ids begin.
    pub(super) prefix: &'static str,
    /// Where InvokeModel says what it used.
    pub(super) place: Place,
    /// Whether Converse may count cached tokens into `inputTokens`, which `totalTokens` then shows.
    pub(super) input_includes_cached: bool,
    /// Which statement of a stream wins.
    pub(super) winner: Winner,
    /// What it is billed by.
    pub(super) billed: Billed,
}

const fn tokens(prefix: &'static str, place: Place) -> Family {
    Family { prefix, place, input_includes_cached: false, winner: Winner::Metrics, billed: Billed::Tokens }
}

const fn embeds(prefix: &'static str, place: Place) -> Family {
    Family { billed: Billed::InputTokens, ..tokens(prefix, place) }
}

const fn draws(prefix: &'static str) -> Family {
    Family { billed: Billed::Images, ..tokens(prefix, Place::Answer) }
}

const fn ranks(prefix: &'static str) -> Family {
    Family { billed: Billed::Query, ..tokens(prefix, Place::Answer) }
}

/// Every family; the first whose prefix fits is a model's own.
pub(super) const FAMILIES: [Family; 29] = [
    Family { winner: Winner::Chunks, ..tokens("anthropic.", Place::Usage) },
    draws("amazon.nova-canvas"),
    embeds("amazon.nova-2-multimodal-embeddings", Place::Headers),
    tokens("amazon.nova", Place::Usage),
    draws("amazon.titan-image"),
    embeds("amazon.titan-embed", Place::Counts),
    tokens("amazon.titan", Place::Counts),
    ranks("amazon.rerank"),
    ranks("cohere.rerank"),
    embeds("cohere.embed", Place::Headers),
    tokens("cohere.", Place::Headers),
    tokens("meta.", Place::Counts),
    tokens("mistral.mistral-7b", Place::Headers),
    tokens("mistral.mixtral", Place::Headers),
    tokens("mistral.", Place::Usage),
    tokens("deepseek.", Place::Usage),
    Family { input_includes_cached: true, ..tokens("openai.", Place::Usage) },
    tokens("ai21.j2", Place::Headers),
    tokens("ai21.", Place::Usage),
    tokens("writer.", Place::Usage),
    tokens("qwen.", Place::Usage),
    tokens("minimax.", Place::Usage),
    tokens("moonshot", Place::Usage),
    tokens("zai.", Place::Usage),
    tokens("google.", Place::Usage),
    tokens("nvidia.", Place::Usage),
    draws("stability."),
    embeds("twelvelabs.marengo", Place::Headers),
    tokens("twelvelabs.", Place::Headers),
];

/// A model of which nothing is known; every spelling of usage is read for it.
pub(super) const OTHER: Family = tokens("", Place::Usage);

impl Family {
    /// Returns the family of a model; of none, one of which nothing is known.
    pub fn of(model: Option<&ModelId>) -> &'static Self {
        let id = model.map(ModelId::foundation_model).unwrap_or_default();
        FAMILIES.iter().find(|family| id.starts_with(family.prefix)).unwrap_or(&OTHER)
    }
}
