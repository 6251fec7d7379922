//! Carrying out a plan's steps in AWS. Each may be done again: by its token a profile is made once.

use super::{Create, Retag, Step};
use crate::aws::{Aws, AwsError, ErrorKind, NewProfile, Site};
use crate::discovery::Place;
use crate::domain::{ProfileArn, ServiceName};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to wait between looks at a profile that was just made: short at first, as AWS makes them at once.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How often to look whether a new profile is `ACTIVE`: for about 40 seconds.
const LOOKS: u32 = 14;

/// How often to look for a profile that AWS says it made, before it is taken to be gone: for half a minute. One that
/// comes to light later would be there twice.
const LOOKS_FOR_GHOST: u32 = 13;

/// How many profiles that are gone, or another's, may answer for one that is to be made.
const MAX_AVOIDED: usize = 3;

/// Why a step was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CarryError {
    /// AWS did not do it.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The profile is made, but calls cannot be made with it yet.
    #[error("{arn} is made, but its status is {status}")]
    NotActive {
        /// The profile.
        arn: ProfileArn,
        /// The status, as AWS words it.
        status: String,
    },
    /// Whatever AWS says it made is gone, or belongs to another service.
    #[error(
        "AWS says that it made {arn}, which is gone or another service's, and so for {MAX_AVOIDED} requests"
    )]
    NeverNew {
        /// The last one that it named.
        arn: ProfileArn,
    },
}

impl CarryError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Aws(error) => error.hint(),
            Self::NotActive { .. } => "wait until it is ACTIVE, and plan again".to_owned(),
            Self::NeverNew { .. } => {
                "make the profile by hand, and name it under the service's `profiles`".to_owned()
            }
        }
    }

    /// Tells whether it is about this step alone, so that others may well succeed.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Aws(error) => matches!(
                error.kind,
                ErrorKind::Invalid { .. } | ErrorKind::NotFound { .. } | ErrorKind::Conflict { .. }
            ),
            Self::NotActive { .. } | Self::NeverNew { .. } => true,
        }
    }
}

impl Step<'_> {
    /// Does it, and returns the profile that was made, tagged or deleted.
    pub async fn carry_out(&self, aws: &Aws, service_tag: &str) -> Result<ProfileArn, CarryError> {
        match self {
            Self::Create(create) => create.carry_out(aws, service_tag).await,
            Self::Tag(retag) => {
                aws.tag(&site_of(aws, &retag.arn), &retag.arn, &retag.tags()).await?;
                Ok(retag.arn.clone())
            }
            Self::Delete(arn) => {
                aws.delete(&site_of(aws, arn), arn).await?;
                Ok((*arn).clone())
            }
        }
    }
}

impl Retag {
    fn tags(&self) -> BTreeMap<String, String> {
        self.set.iter().map(|(key, change)| (key.clone(), change.new.clone())).collect()
    }
}

impl Create {
    /// Makes the profile, waits until calls can be made with it, and sees to it that it has its tags.
    pub async fn carry_out(&self, aws: &Aws, service_tag: &str) -> Result<ProfileArn, CarryError> {
        let Place { region, account } = &self.place;
        let site = aws.site_of(account, region);
        let mut asked = self.clone();
        let mut tries = 0_usize;
        loop {
            tries = tries.saturating_add(1);
            let arn = aws.create(&site, &asked.request()).await?;
            let is_it = !asked.avoid.contains(&arn)
                && is_there(aws, &site, &arn).await?
                && self.is_tagged(aws, &site, &arn, service_tag).await?;
            if is_it {
                return Ok(arn);
            }
            if tries > MAX_AVOIDED {
                return Err(CarryError::NeverNew { arn });
            }
            asked = asked.avoiding(arn);
        }
    }

    fn request(&self) -> NewProfile {
        NewProfile {
            name: self.name.clone(),
            description: None,
            copy_from: self.copy_from.clone(),
            token: self.token(),
            tags: self.tags.clone(),
        }
    }

    /// Gives a profile the tags that it lacks, unless it is another service's by now.
    async fn is_tagged(
        &self,
        aws: &Aws,
        site: &Site,
        arn: &ProfileArn,
        service_tag: &str,
    ) -> Result<bool, CarryError> {
        let tags = aws.tags(site, arn).await?;
        let owner = tags.get(service_tag).and_then(|owner| ServiceName::parse(owner).ok());
        if owner.is_some_and(|owner| owner != self.service) {
            return Ok(false);
        }
        let lacks = |(key, value): &(&String, &String)| tags.get(*key) != Some(*value);
        let missing = self.tags.iter().filter(lacks).map(|(key, value)| (key.clone(), value.clone()));
        let missing: BTreeMap<String, String> = missing.collect();
        if !missing.is_empty() {
            aws.tag(site, arn, &missing).await?;
        }
        Ok(true)
    }
}

/// Returns where a profile is asked about.
fn site_of(aws: &Aws, arn: &ProfileArn) -> Site {
    aws.site_of(arn.account(), arn.region())
}

/// Waits until calls can be made with a profile; tells whether there is one.
async fn is_there(aws: &Aws, site: &Site, arn: &ProfileArn) -> Result<bool, CarryError> {
    let (mut wait, mut looks) = (FIRST_WAIT, 0_u32);
    loop {
        looks = looks.saturating_add(1);
        match aws.profile(site, arn).await {
            Ok(found) if found.is_active() => return Ok(true),
            Ok(found) if looks >= LOOKS => {
                return Err(CarryError::NotActive { arn: arn.clone(), status: found.status });
            }
            Err(error) if error.is_not_found() && looks >= LOOKS_FOR_GHOST => return Ok(false),
            Err(error) if !error.is_not_found() => return Err(error.into()),
            // Not all of AWS may know of it yet.
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(wait).await;
        wait = wait.saturating_mul(2).min(MAX_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_and_no_use_is_said_with_what_to_do() {
        let arn = crate::discovery::tests::arn("us-west-2", "p");
        let late = CarryError::NotActive { arn: arn.clone(), status: "CREATING".to_owned() };
        assert_eq!(late.to_string(), format!("{arn} is made, but its status is CREATING"));
        assert_eq!(late.hint(), "wait until it is ACTIVE, and plan again");
        let never = CarryError::NeverNew { arn: arn.clone() };
        let expected =
            format!("AWS says that it made {arn}, which is gone or another service's, and so for 3 requests");
        assert_eq!(never.to_string(), expected);
        assert_eq!(never.hint(), "make the profile by hand, and name it under the service's `profiles`");
        assert!(late.is_local() && never.is_local());
    }
}
