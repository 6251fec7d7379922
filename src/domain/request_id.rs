//! The id that a call, its answer and its record share.

use std::fmt;
use uuid::Uuid;

/// A version 7 UUID: unique, and sorted by the time it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Makes a new id for the given time since the Unix epoch.
    pub fn new(since_epoch: std::time::Duration) -> Self {
        let timestamp =
            uuid::Timestamp::from_unix_time(since_epoch.as_secs(), since_epoch.subsec_nanos(), 0, 0);
        Self(Uuid::new_v7(timestamp))
    }

    /// Returns the id of these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Returns the id's 16 bytes, whose order is that of time.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// Returns the id that a text states, in any of the forms of a UUID.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// Writes the id's 36 characters into `buffer` and returns them.
    pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl serde::Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.encode(&mut [0; 36]))
    }
}
