//! What calls can be grouped by.

use super::period::Period;
use std::fmt;

/// Something that calls can be grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// The service.
    Service,
    /// The model that the profile was copied from, or that was called without a profile.
    Model,
    /// The model id that the client asked for.
    RequestedModel,
    /// The profile's id.
    Profile,
    /// The operation.
    Operation,
    /// The region.
    Region,
    /// Whether AWS's books show the call under the service.
    Attribution,
    /// The service key's id.
    Key,
    /// The hour, day or month in which the call started.
    Period(Period),
    /// The value of one of the service's tags.
    Tag(String),
    /// The value of one of the labels that the caller gave.
    Label(String),
}

/// A text that names no dimension by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is nothing to group by")]
pub struct InvalidDimension(pub String);

/// The dimensions that need no key, by name.
const PLAIN: [(&str, Dimension); 11] = [
    ("service", Dimension::Service),
    ("model", Dimension::Model),
    ("requested-model", Dimension::RequestedModel),
    ("profile", Dimension::Profile),
    ("operation", Dimension::Operation),
    ("region", Dimension::Region),
    ("attribution", Dimension::Attribution),
    ("key", Dimension::Key),
    ("hour", Dimension::Period(Period::Hour)),
    ("day", Dimension::Period(Period::Day)),
    ("month", Dimension::Period(Period::Month)),
];

impl Dimension {
    /// Returns the names of the dimensions that need no key.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PLAIN.iter().map(|(name, _)| *name)
    }

    /// Returns the dimension of that name: one of [`Self::names`], `tag:KEY` or `label:KEY`.
    pub fn parse(text: &str) -> Result<Self, InvalidDimension> {
        let keyed = |prefix| text.strip_prefix(prefix).filter(|key: &&str| !key.is_empty());
        if let Some(key) = keyed("tag:") {
            return Ok(Self::Tag(key.to_owned()));
        }
        if let Some(key) = keyed("label:") {
            return Ok(Self::Label(key.to_owned()));
        }
        let plain = PLAIN.iter().find(|(name, _)| *name == text);
        plain.map(|(_, dimension)| dimension.clone()).ok_or_else(|| InvalidDimension(text.to_owned()))
    }

    /// Returns which pieces of time calls are grouped by, if they are.
    pub fn period(&self) -> Option<Period> {
        if let Self::Period(period) = self { Some(*period) } else { None }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Tag(key) = self {
            return write!(f, "tag:{key}");
        }
        if let Self::Label(key) = self {
            return write!(f, "label:{key}");
        }
        f.write_str(PLAIN.iter().find(|(_, plain)| plain == self).map_or("", |(name, _)| name))
    }
}
