//! Application inference profiles and the regions they live in.

use serde::de::Error as _;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An AWS region's name, such as `us-west-2`: `[a-z0-9-]{1,32}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// Returns the region, or `None` where the text could be no region's name.
    pub fn parse(name: &str) -> Option<Self> {
        let legal = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        ((1..=32).contains(&name.len()) && legal).then(|| Self(name.into()))
    }

    /// Returns the region's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the partition, as ARNs name it.
    pub fn partition(&self) -> &'static str {
        let prefixes = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-iso-", "aws-iso"),
            ("eusc-", "aws-eusc"),
        ];
        let found = prefixes.into_iter().find(|(prefix, _)| self.0.starts_with(prefix));
        found.map_or("aws", |(_, partition)| partition)
    }

    /// Returns the geographies, as prefixes of system-defined profile ids, that hold the region, the nearest first.
    pub fn geographies(&self) -> &'static [&'static str] {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| self.0.starts_with(prefix));
        if starts(&["us-gov-"]) {
            &["us-gov"]
        } else if starts(&["us-"]) {
            &["us"]
        } else if starts(&["eu-west-2"]) {
            &["uk", "eu"]
        } else if starts(&["eu-"]) {
            &["eu"]
        } else if starts(&["ap-northeast-1", "ap-northeast-3"]) {
            &["jp", "apac"]
        } else if starts(&["ap-southeast-2", "ap-southeast-4"]) {
            &["au", "apac"]
        } else if starts(&["ap-south-"]) {
            &["in", "apac"]
        } else if starts(&["ap-"]) {
            &["apac"]
        } else if starts(&["ca-"]) {
            &["ca"]
        } else if starts(&["sa-"]) {
            &["sa"]
        } else {
            &[]
        }
    }
}

impl Borrow<str> for Region {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    /// The region of a gateway that names none: `us-west-2`.
    fn default() -> Self {
        Self("us-west-2".into())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| D::Error::custom(format!("'{name}' is no region's name")))
    }
}

impl serde::Serialize for Region {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The ARN of an application inference profile:
/// `arn:{partition}:bedrock:{region}:{account}:application-inference-profile/{id}`
/// (bedrock service model, `InferenceProfileArn`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileArn {
    arn: Arc<str>,
    region: Region,
    id_at: usize,
}

/// Why a string is no application inference profile's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the ARN of an application inference profile: \
     arn:aws:bedrock:<region>:<12-digit account>:application-inference-profile/<id>"
)]
pub struct InvalidProfileArn;

impl ProfileArn {
    /// Returns the ARN taken apart.
    pub fn parse(arn: &str) -> Result<Self, InvalidProfileArn> {
        Self::parse_among(arn, &mut BTreeSet::new())
    }

    /// Returns the ARN taken apart; its region is the one that is there already, or is there afterwards.
    pub fn parse_among(arn: &str, regions: &mut BTreeSet<Region>) -> Result<Self, InvalidProfileArn> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().ok_or(InvalidProfileArn);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let id = resource.strip_prefix("application-inference-profile/").ok_or(InvalidProfileArn)?;
        let legal_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let legal_id = (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'));
        if scheme != "arn"
            || !partition.starts_with("aws")
            || service != "bedrock"
            || !legal_account
            || !legal_id
        {
            return Err(InvalidProfileArn);
        }
        let region = if let Some(known) = regions.get(region) {
            known.clone()
        } else {
            let region = Region::parse(region).ok_or(InvalidProfileArn)?;
            regions.insert(region.clone());
            region
        };
        Ok(Self { arn: arn.into(), region, id_at: arn.len() - id.len() })
    }

    /// Returns the whole ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// Returns the region that the profile lives in; calls with it are signed for and sent to this region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Returns the profile's id: what follows the slash.
    pub fn id(&self) -> &str {
        self.arn.get(self.id_at..).unwrap_or_default()
    }

    /// Returns the 12-digit number of the account that the profile lives in.
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }
}

impl Hash for ProfileArn {
    /// Of the id alone: what stands before it is the same in most.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Display for ProfileArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl fmt::Debug for ProfileArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProfileArn({})", self.arn)
    }
}

impl<'de> serde::Deserialize<'de> for ProfileArn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let arn = <Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(&arn).map_err(|error| D::Error::custom(format!("'{arn}' is {error}")))
    }
}

impl serde::Serialize for ProfileArn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123def456";

    #[test]
    fn an_arn_is_taken_apart() {
        let arn = ProfileArn::parse(ARN).unwrap();
        assert_eq!(arn.region().as_str(), "us-west-2");
        assert_eq!(arn.id(), "abc123def456");
        assert_eq!(arn.account(), "123456789012");
        assert_eq!(arn.to_string(), ARN);
    }

    #[test]
    fn a_region_is_of_a_partition() {
        for (region, partition) in [
            ("us-west-2", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Region::parse(region).unwrap().partition(), partition, "{region}");
        }
    }

    #[test]
    fn a_region_is_held_by_its_geographies() {
        for (region, geographies) in [
            ("us-east-1", &["us"][..]),
            ("us-gov-west-1", &["us-gov"]),
            ("eu-central-1", &["eu"]),
            ("eu-west-2", &["uk", "eu"]),
            ("ap-northeast-1", &["jp", "apac"]),
            ("ap-southeast-2", &["au", "apac"]),
            ("ap-southeast-1", &["apac"]),
            ("ap-south-1", &["in", "apac"]),
            ("ca-central-1", &["ca"]),
            ("sa-east-1", &["sa"]),
            ("me-central-1", &[]),
        ] {
            assert_eq!(Region::parse(region).unwrap().geographies(), geographies, "{region}");
        }
    }

    #[test]
    fn other_arns_are_refused() {
        for bad in [
            "",
            "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-west-2:1234:application-inference-profile/abc",
            "arn:aws:s3:us-west-2:123456789012:application-inference-profile/abc",
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/",
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a/b",
        ] {
            assert!(ProfileArn::parse(bad).is_err(), "{bad}");
        }
    }
}
