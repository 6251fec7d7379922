//! The id of a model, as a client puts it into the path or a catalog names it.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest model id that a path may carry, in bytes (bedrock-runtime service model, `ConversationalModelId`).
const MAX_LEN: usize = 2048;

/// Prefixes of system-defined inference profile ids: the geography within which such a profile routes.
const GEOGRAPHIES: [&str; 11] = ["us", "eu", "apac", "global", "jp", "au", "ca", "sa", "us-gov", "in", "uk"];

/// A foundation-model id, a system-defined profile id, an ARN or an alias: 1 to 2048 bytes of
/// `[A-Za-z0-9._:/-]`, without `.` or `..` as a path segment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(Arc<str>);

/// Why a string is no model id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a model id is 1 to 2048 characters of A-Z a-z 0-9 . _ : / - without '.' or '..' between slashes")]
pub struct InvalidModelId;

impl ModelId {
    /// Returns the id, which is compared and sent exactly as given.
    pub fn parse(id: &str) -> Result<Self, InvalidModelId> {
        if is_legal(id) { Ok(Self(id.into())) } else { Err(InvalidModelId) }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id inside a foundation-model or system-defined-profile ARN, else the id itself.
    pub fn bare(&self) -> &str {
        if !self.0.starts_with("arn:") {
            return &self.0;
        }
        match self.0.split_once('/') {
            Some((head, id))
                if head.ends_with(":foundation-model") || head.ends_with(":inference-profile") =>
            {
                id
            }
            _ => &self.0,
        }
    }

    /// Returns the account that an ARN names, if it names one.
    pub fn account(&self) -> Option<&str> {
        let account = self.0.strip_prefix("arn:")?.split(':').nth(3)?;
        super::is_account(account).then_some(account)
    }

    /// Returns the geography prefix of a system-defined profile id (`us`, `eu`, `global` ...), if it has one.
    pub fn geography(&self) -> Option<&str> {
        geography_of(self.bare())
    }

    /// Returns the foundation model's id: the bare id without a geography prefix.
    pub fn foundation_model(&self) -> &str {
        let bare = self.bare();
        match geography_of(bare) {
            Some(geography) => bare.get(geography.len() + 1..).unwrap_or(bare),
            None => bare,
        }
    }
}

fn geography_of(bare: &str) -> Option<&str> {
    let (first, rest) = bare.split_once('.')?;
    (GEOGRAPHIES.contains(&first) && rest.contains('.')).then_some(first)
}

fn is_legal(id: &str) -> bool {
    let legal_bytes =
        id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'-'));
    let climbs = id.split('/').any(|segment| matches!(segment, "." | ".."));
    (1..=MAX_LEN).contains(&id.len()) && legal_bytes && !climbs
}

impl Borrow<str> for ModelId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({})", self.0)
    }
}

impl serde::Serialize for ModelId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ModelId {
        ModelId::parse(text).unwrap()
    }

    #[test]
    fn arns_of_models_and_system_profiles_hold_a_bare_id() {
        let foundation = "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0";
        let system = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
        assert_eq!(id(foundation).bare(), "amazon.nova-lite-v1:0");
        assert_eq!(id(system).bare(), "us.amazon.nova-lite-v1:0");
        assert_eq!(id(system).foundation_model(), "amazon.nova-lite-v1:0");
        let account = |text| id(text).account().map(str::to_owned);
        assert_eq!((account(system).as_deref(), account(foundation)), (Some("123456789012"), None));
        assert_eq!(account("amazon.nova-lite-v1:0"), None);
    }

    #[test]
    fn other_arns_are_their_own_bare_id() {
        let application = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc";
        assert_eq!(id(application).bare(), application);
    }

    #[test]
    fn a_vendor_is_no_geography() {
        assert_eq!(id("amazon.nova-lite-v1:0").geography(), None);
        assert_eq!(id("us.amazon.nova-lite-v1:0").geography(), Some("us"));
        assert_eq!(id("us-gov.anthropic.claude-3-haiku").foundation_model(), "anthropic.claude-3-haiku");
    }

    #[test]
    fn what_could_climb_or_smuggle_is_refused() {
        for bad in ["", ".", "..", "a/../b", "a b", "a%2Fb", "a\0b", "a?b", "é", &"a".repeat(2049)] {
            assert!(ModelId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
