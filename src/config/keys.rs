//! Keys of the services file that are more than a hash: with an end, with limits, or with a secret that signs.

use super::services::{operation, pattern};
use crate::domain::{ModelPattern, Operation};
use crate::keys::{bearer_id, is_access_key_id};
use crate::sheet::Section;
use crate::vault::Sealed;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, Time};

/// A key of a service, as declared under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpec {
    /// Its id: the first 16 hex digits of a bearer key's SHA-256, or the access key id.
    pub id: String,
    /// What it proves itself with.
    pub proof: Proof,
    /// What it may be used for, and until when.
    pub limits: KeyLimits,
}

/// What a key proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Itself, whole, whose SHA-256 this is.
    Bearer([u8; 32]),
    /// Signatures with a secret, here sealed.
    Signature(Sealed),
}

/// What a key may be used for, and until when; by default for all that its service may do, for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// From when on it counts no more.
    pub expires: Option<OffsetDateTime>,
    /// The operations that it may be used for; none named is all.
    pub operations: Vec<Operation>,
    /// The models that it may be used for, by patterns of their ids; none named is all.
    pub models: Vec<ModelPattern>,
}

/// Reads `[services.NAME.keys.ID]`, one table per key.
pub(super) fn read(mut keys: Section<'_>) -> Vec<KeySpec> {
    let mut read = Vec::new();
    keys.each_named(|id, section| read.extend(read_key(section, id.to_owned())));
    read
}

fn read_key(mut section: Section<'_>, id: String) -> Option<KeySpec> {
    let (mut hash, mut sealed) = (None, None);
    let mut limits = KeyLimits::default();
    section.read_text("sha256", &mut hash, |text| super::services::hash(text).map(Some));
    section.read_text("sealed_secret", &mut sealed, |text| secret(text).map(Some));
    section.read_text("expires", &mut limits.expires, |text| moment(text).map(Some));
    limits.operations = section.read_list("operations", operation).unwrap_or_default();
    limits.models = section.read_list("models", pattern).unwrap_or_default();
    let is_stated = section.has("sha256") || section.has("sealed_secret");
    let proof = match (hash, sealed) {
        (Some(hash), None) if bearer_id(&hash) == id => Some(Proof::Bearer(hash)),
        (Some(hash), None) => {
            section.wrong(format!("the key's id is not '{id}': its sha256 begins with {}", bearer_id(&hash)));
            None
        }
        (None, Some(sealed)) if is_access_key_id(&id) => Some(Proof::Signature(sealed)),
        (None, Some(_)) => {
            section
                .wrong(format!("'{id}' is no access key id that `tollgate keys create --kind sigv4` made"));
            None
        }
        (Some(_), Some(_)) => {
            section.wrong("has both sha256 and sealed_secret: a key is of one kind");
            None
        }
        (None, None) => {
            if !is_stated {
                section.wrong("has neither sha256 nor sealed_secret: `tollgate keys create` writes keys");
            }
            None
        }
    };
    section.finish();
    proof.map(|proof| KeySpec { id, proof, limits })
}

fn secret(text: &str) -> Result<Sealed, String> {
    Sealed::parse(text)
        .ok_or_else(|| "is no sealed secret, as `tollgate keys create --kind sigv4` writes it".to_owned())
}

/// Reads a time of RFC 3339, or a date as its beginning in UTC.
pub(crate) fn moment(text: &str) -> Result<OffsetDateTime, String> {
    let date = time::format_description::well_known::Iso8601::DATE;
    let day = || Date::parse(text, &date).map(|day| day.with_time(Time::MIDNIGHT).assume_utc());
    OffsetDateTime::parse(text, &Rfc3339).or_else(|_| day()).map_err(|_| {
        format!("'{text}' is no time; one looks like \"2027-01-31T00:00:00Z\", or \"2027-01-31\" in UTC")
    })
}
