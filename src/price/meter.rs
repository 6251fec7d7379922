//! What has a price, and in what.

use crate::domain::Policy;

/// What is counted and has a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// Input tokens from and for no cache.
    Input,
    /// Output tokens.
    Output,
    /// Input tokens read from a cache.
    CacheRead,
    /// Input tokens written to a cache for five minutes.
    CacheWrite5m,
    /// Input tokens written to a cache for one hour.
    CacheWrite1h,
    /// Input tokens of images.
    InputImageTokens,
    /// Input tokens of sound.
    InputAudioTokens,
    /// Output tokens of sound.
    OutputAudioTokens,
    /// Images that were made or edited.
    Images,
    /// Images that were taken in.
    InputImages,
    /// Queries of a rerank or an embedding model.
    Queries,
    /// Seconds of film that were taken in.
    VideoSeconds,
    /// Seconds of sound that were taken in.
    AudioSeconds,
    /// Searches of the web.
    WebSearches,
    /// Seconds of one provisioned model unit.
    Seconds,
    /// Text units of a guardrail's policy.
    Policy(Policy),
    /// Text units of the sensitive-information policy that cost nothing.
    SensitiveInformationFree,
    /// Images that a guardrail looked at.
    GuardrailImages,
}

impl Meter {
    /// Every meter, in the order in which prices are shown.
    pub const ALL: [Self; 23] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::InputImageTokens,
        Self::InputAudioTokens,
        Self::OutputAudioTokens,
        Self::Images,
        Self::InputImages,
        Self::Queries,
        Self::VideoSeconds,
        Self::AudioSeconds,
        Self::WebSearches,
        Self::Seconds,
        Self::Policy(Policy::Topic),
        Self::Policy(Policy::Content),
        Self::Policy(Policy::SensitiveInformation),
        Self::Policy(Policy::ContextualGrounding),
        Self::Policy(Policy::AutomatedReasoning),
        Self::Policy(Policy::Word),
        Self::SensitiveInformationFree,
        Self::GuardrailImages,
    ];

    /// Returns the meter's name, as price files and messages spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputImageTokens => "input_image_tokens",
            Self::InputAudioTokens => "input_audio_tokens",
            Self::OutputAudioTokens => "output_audio_tokens",
            Self::Images => "images",
            Self::InputImages => "input_images",
            Self::Queries => "queries",
            Self::VideoSeconds => "video_seconds",
            Self::AudioSeconds => "audio_seconds",
            Self::WebSearches => "web_searches",
            Self::Seconds => "seconds",
            Self::Policy(policy) => policy.name(),
            Self::SensitiveInformationFree => "sensitive_information_policy_free_units",
            Self::GuardrailImages => "guardrail_images",
        }
    }

    /// Returns how many units a quoted price is for: tokens are quoted per million, all else per one.
    pub fn quoted_for(self) -> u64 {
        match self {
            Self::Input
            | Self::Output
            | Self::CacheRead
            | Self::CacheWrite5m
            | Self::CacheWrite1h
            | Self::InputImageTokens
            | Self::InputAudioTokens
            | Self::OutputAudioTokens => 1_000_000,
            Self::Images
            | Self::InputImages
            | Self::Queries
            | Self::VideoSeconds
            | Self::AudioSeconds
            | Self::WebSearches
            | Self::Seconds
            | Self::Policy(_)
            | Self::SensitiveInformationFree
            | Self::GuardrailImages => 1,
        }
    }
}
