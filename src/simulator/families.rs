//! Families of models, as far as their InvokeModel bodies differ.

use super::truth::TokenTotals;

/// A family of models that answer InvokeModel alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's messages.
    Claude,
    /// Amazon Nova's understanding models.
    Nova,
    /// Amazon Titan Text.
    TitanText,
    /// Amazon Titan Embeddings.
    TitanEmbed,
    /// Embeddings of Cohere and others, which count in headers alone.
    Embed,
    /// Cohere Command.
    Command,
    /// Rerankers.
    Rerank,
    /// Meta Llama.
    Llama,
    /// Mistral's first models, with `outputs`.
    MistralText,
    /// AI21's Jurassic, which does not stream.
    Jurassic,
    /// `DeepSeek` R1, with `choices` of text.
    DeepSeek,
    /// Everything in `OpenAI`'s shape, and every model that is not known.
    Chat,
    /// Image models of Amazon.
    Images,
    /// Image models of Stability.
    Stability,
}

/// How the ids of a family's foundation models begin; the first that fits is a model's own.
const PREFIXES: [(&str, Family); 18] = [
    ("anthropic.", Family::Claude),
    ("amazon.nova-canvas", Family::Images),
    ("amazon.nova-2-multimodal-embeddings", Family::Embed),
    ("amazon.nova", Family::Nova),
    ("amazon.titan-image", Family::Images),
    ("amazon.titan-embed", Family::TitanEmbed),
    ("amazon.titan", Family::TitanText),
    ("amazon.rerank", Family::Rerank),
    ("cohere.rerank", Family::Rerank),
    ("cohere.embed", Family::Embed),
    ("cohere.", Family::Command),
    ("meta.", Family::Llama),
    ("mistral.mistral-7b", Family::MistralText),
    ("mistral.mixtral", Family::MistralText),
    ("deepseek.r1", Family::DeepSeek),
    ("ai21.j2", Family::Jurassic),
    ("stability.", Family::Stability),
    ("twelvelabs.marengo", Family::Embed),
];

/// Returns the family of a foundation model.
pub(super) fn of(id: &str) -> Family {
    PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix)).map_or(Family::Chat, |(_, family)| *family)
}

/// What a family's InvokeModel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Input, output and the cache.
    All,
    /// Input alone.
    Input,
    /// No tokens.
    Nothing,
}

impl Family {
    /// Returns what its InvokeModel counts.
    pub(super) fn counts(self) -> Counts {
        match self {
            Self::Claude
            | Self::Nova
            | Self::TitanText
            | Self::Command
            | Self::Llama
            | Self::MistralText
            | Self::Jurassic
            | Self::DeepSeek
            | Self::Chat => Counts::All,
            Self::TitanEmbed | Self::Embed => Counts::Input,
            Self::Rerank | Self::Images | Self::Stability => Counts::Nothing,
        }
    }

    /// Returns what of the tokens its InvokeModel answer states: only Claude tells lifetimes in a cache apart.
    pub(super) fn states(self, tokens: TokenTotals) -> TokenTotals {
        match self.counts() {
            Counts::All if self == Self::Claude => tokens,
            Counts::All => TokenTotals { cache_write_5m: tokens.cache_write(), cache_write_1h: 0, ..tokens },
            Counts::Input => TokenTotals { input: tokens.input, ..TokenTotals::default() },
            Counts::Nothing => TokenTotals::default(),
        }
    }
}
