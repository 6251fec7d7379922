//! The usage that few records have, as one column of JSON.

use crate::domain::{Picture, Policy, Record, Unit};
use serde::{Deserialize, Serialize};

/// `{"units":[["images",2]],"policies":[["topic_policy_units",1]],"picture":{"width":512,"height":512}}`, what is
/// empty left out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Extras {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    units: Vec<(String, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policies: Vec<(String, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<PictureJson>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PictureJson {
    width: u32,
    height: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
}

impl Extras {
    /// Returns what a record has of this, or `None` where it has nothing.
    pub(super) fn json_of(record: &Record) -> Option<String> {
        let usage = &record.usage;
        if usage.units.is_empty() && usage.policies.is_empty() && record.picture.is_none() {
            return None;
        }
        let extras = Self {
            units: usage.units.iter().map(|(unit, count)| (unit.name().to_owned(), *count)).collect(),
            policies: usage
                .policies
                .iter()
                .map(|(policy, count)| (policy.name().to_owned(), *count))
                .collect(),
            picture: record.picture.clone().map(PictureJson::from),
        };
        serde_json::to_string(&extras).ok()
    }

    /// Reads it back; the error says what is wrong.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("its units are no JSON of ours: {error}"))
    }

    pub(super) fn units(&self) -> Result<Vec<(Unit, u64)>, String> {
        let known = |name: &str| Unit::ALL.into_iter().find(|unit| unit.name() == name);
        named(&self.units, known, "unit")
    }

    pub(super) fn policies(&self) -> Result<Vec<(Policy, u64)>, String> {
        let known = |name: &str| Policy::ALL.into_iter().find(|policy| policy.name() == name);
        named(&self.policies, known, "policy")
    }

    pub(super) fn picture(self) -> Option<Picture> {
        let PictureJson { width, height, quality, steps } = self.picture?;
        Some(Picture { width, height, quality, steps })
    }
}

fn named<T>(
    counts: &[(String, u64)],
    known: impl Fn(&str) -> Option<T>,
    what: &str,
) -> Result<Vec<(T, u64)>, String> {
    let one = |(name, count): &(String, u64)| match known(name) {
        Some(found) => Ok((found, *count)),
        None => Err(format!("no {what} is called '{name}'")),
    };
    counts.iter().map(one).collect()
}

impl From<Picture> for PictureJson {
    fn from(Picture { width, height, quality, steps }: Picture) -> Self {
        Self { width, height, quality, steps }
    }
}
