//! Roles of IAM that the gateway takes on.

use std::fmt;
use std::sync::Arc;

/// The longest ARN that `AssumeRole` takes, in characters (sts service model 2011-06-15, `arnType`).
const MAX_ARN: usize = 2048;

/// The longest name of a role, in characters (iam service model 2010-05-08, `roleNameType`).
const MAX_NAME: usize = 64;

/// The ARN of an IAM role: `arn:{partition}:iam::{account}:role/{path}{name}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn(Arc<str>);

/// Why a string is no role's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a role: arn:aws:iam::<12-digit account>:role/<name>")]
pub struct InvalidRoleArn;

/// Tells whether a text is the number of an AWS account: 12 digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

impl RoleArn {
    /// Returns the ARN, checked.
    pub fn parse(arn: &str) -> Result<Self, InvalidRoleArn> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().ok_or(InvalidRoleArn);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let path = resource.strip_prefix("role/").ok_or(InvalidRoleArn)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let legal_name = (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
        let legal_path = path.bytes().all(|b| b.is_ascii_graphic());
        let is_role =
            scheme == "arn" && partition.starts_with("aws") && service == "iam" && region.is_empty();
        if is_role && is_account(account) && legal_name && legal_path && arn.len() <= MAX_ARN {
            Ok(Self(arn.into()))
        } else {
            Err(InvalidRoleArn)
        }
    }

    /// Returns the whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the 12-digit number of the account that the role belongs to.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleArn({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_knows_its_account() {
        for arn in [
            "arn:aws:iam::210987654321:role/tollgate",
            "arn:aws-us-gov:iam::210987654321:role/finops/gateways/tollgate@prod",
        ] {
            assert_eq!(RoleArn::parse(arn).unwrap().account(), "210987654321");
            assert_eq!(RoleArn::parse(arn).unwrap().to_string(), arn);
        }
    }

    #[test]
    fn other_arns_are_refused() {
        for bad in [
            "",
            "tollgate",
            "arn:aws:iam::2109:role/tollgate",
            "arn:aws:iam::210987654321:user/tollgate",
            "arn:aws:iam::210987654321:role/",
            "arn:aws:iam::210987654321:role/a b",
            "arn:aws:iam::210987654321:role/a b/c",
            "arn:aws:iam:us-west-2:210987654321:role/tollgate",
            "arn:aws:sts::210987654321:assumed-role/tollgate/session",
        ] {
            assert_eq!(RoleArn::parse(bad), Err(InvalidRoleArn), "{bad}");
        }
    }
}
