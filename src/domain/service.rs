//! The name of the application, feature or team that is to carry a cost.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest legal service name, in bytes.
const MAX_LEN: usize = 63;

/// Names that metrics use for what has no service, profile or model.
const RESERVED: [&str; 3] = ["unknown", "other", "none"];

/// A service's name: `[a-z0-9][a-z0-9._-]{0,62}`, and none of `unknown`, `other`, `none`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

/// Why a string is no service name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a service name: use 1 to 63 of a-z 0-9 . _ -, starting with a letter or digit, and not one of unknown, other, none"
)]
pub struct InvalidServiceName(String);

impl ServiceName {
    /// Returns the name, or says what a legal one looks like.
    pub fn parse(name: &str) -> Result<Self, InvalidServiceName> {
        if is_legal(name) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidServiceName(name.escape_debug().take(80).collect()))
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_legal(name: &str) -> bool {
    let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let continues_well =
        name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
    starts_well && continues_well && name.len() <= MAX_LEN && !RESERVED.contains(&name)
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceName({})", self.0)
    }
}

impl Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for ServiceName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_are_kept_as_they_are() {
        for name in ["a", "0", "checkout", "service-1", "team.app_2", &"x".repeat(63)] {
            assert_eq!(ServiceName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn illegal_and_reserved_names_are_refused() {
        for name in
            ["", "A", "-a", ".a", "a b", "a/b", "é", "a\0", "unknown", "other", "none", &"x".repeat(64)]
        {
            assert!(ServiceName::parse(name).is_err(), "{name:?}");
        }
    }
}
