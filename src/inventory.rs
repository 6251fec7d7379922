//! What AWS has: application inference profiles with their tags, and the system-defined profiles they can be made of.

use crate::domain::{ProfileArn, Region};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The tag that says what tollgate copied a profile from: a model id or system-defined profile id.
/// AWS itself does not tell (bedrock service model, `GetInferenceProfileResponse`).
pub const SOURCE_TAG: &str = "tollgate:source";

/// The profiles of all regions and accounts that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The application inference profiles, each once, by ARN.
    pub profiles: BTreeMap<ProfileArn, FoundProfile>,
    /// The system-defined inference profiles, each once, by ARN.
    pub systems: BTreeMap<String, SystemProfile>,
}

/// An application inference profile as AWS shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundProfile {
    /// Its name: 1 to 64 characters, not unique.
    pub name: String,
    /// Its status as AWS words it; `ACTIVE` is the only one that the service model knows.
    pub status: String,
    /// The ARNs of the foundation models that it routes to, one per destination region: 1 to 5.
    pub models: Vec<String>,
    /// Its tags; `None` where they could not be read yet, which is not the same as having none.
    pub tags: Option<BTreeMap<String, String>>,
    /// When it was made, where AWS says so.
    #[serde(with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
}

/// A system-defined inference profile: a model behind several regions of one geography, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemProfile {
    /// Its id, such as `us.amazon.nova-lite-v1:0`.
    pub id: String,
    /// The region that lists it: what it is copied from is the ARN that this region gives.
    pub region: Region,
    /// The ARNs of the foundation models that it routes to.
    pub models: Vec<String>,
}

impl FoundProfile {
    /// Tells whether calls can be made with it.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}
