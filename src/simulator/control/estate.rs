//! The application inference profiles that exist.

use super::super::SimulatedProfile;
use crate::domain::{InvalidProfileArn, ProfileArn, Region};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// When the profiles were made that a simulator is given: 2026-01-02T03:04:05Z.
const MADE_AT: Duration = Duration::from_secs(1_767_323_045);
/// The number of the first profile; below are the system-defined ones.
pub(super) const FIRST: u64 = 1000;
/// How many ids of twelve lower-case letters and digits there are: 36 to the power of 12.
const IDS: u128 = 36_u128.pow(12);
/// Coprime to `IDS`, so that numbers that differ give ids that differ, and neighbours' ids look unlike.
const SPREAD: u128 = 2_862_933_555_777_941_757;

/// An application inference profile.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    /// Its ARN.
    pub(super) arn: ProfileArn,
    /// Its name.
    pub(super) name: String,
    /// Its description.
    pub(super) description: Option<String>,
    /// What it was copied from.
    pub(super) source_model: String,
    /// Its tags.
    pub(super) tags: BTreeMap<String, String>,
    /// When it was made, since the Unix epoch.
    pub(super) made_at: Duration,
    /// How many more times it is said not to be active.
    pub(super) unready_reads: u32,
}

impl Profile {
    /// Returns the status that a reader is told, and counts the reading.
    pub(super) fn read_status(&mut self) -> &'static str {
        let status = self.status();
        self.unready_reads = self.unready_reads.saturating_sub(1);
        status
    }

    /// Returns the status; `ACTIVE` is the only one that the service model knows.
    pub(super) fn status(&self) -> &'static str {
        if self.unready_reads == 0 { "ACTIVE" } else { "CREATING" }
    }

    /// Tells whether an account sees it in a region.
    pub(super) fn is_in(&self, region: &Region, account: &str) -> bool {
        self.arn.region() == region && self.arn.account() == account
    }
}

/// Who made a profile, where, and with which `clientRequestToken`.
pub(super) type Token = (String, Region, String);

/// All profiles, in the order of their making.
#[derive(Debug)]
pub(super) struct Estate {
    profiles: BTreeMap<u64, Profile>,
    by_arn: HashMap<String, u64>,
    by_token: HashMap<Token, String>,
    next: u64,
    /// How many times new profiles are said not to be active.
    pub(super) unready_reads: u32,
}

impl Default for Estate {
    fn default() -> Self {
        Self {
            profiles: BTreeMap::new(),
            by_arn: HashMap::new(),
            by_token: HashMap::new(),
            next: FIRST,
            unready_reads: 0,
        }
    }
}

impl Estate {
    /// Adds a profile, in the place of one that has its ARN.
    pub(super) fn add(&mut self, profile: Profile) {
        let arn = profile.arn.as_str().to_owned();
        let number = self.by_arn.get(&arn).copied().unwrap_or(self.next);
        if number == self.next {
            self.next = self.next.saturating_add(1);
            self.by_arn.insert(arn, number);
        }
        self.profiles.insert(number, profile);
    }

    /// Adds a profile that a test or the demo has made up.
    pub(super) fn add_simulated(&mut self, profile: SimulatedProfile) -> Result<(), InvalidProfileArn> {
        let arn = ProfileArn::parse(&profile.arn)?;
        self.add(Profile {
            name: format!("simulated {}", arn.id()),
            arn,
            description: None,
            source_model: profile.source_model,
            tags: profile.tags,
            made_at: MADE_AT,
            unready_reads: 0,
        });
        Ok(())
    }

    /// Returns an id that no profile of this simulator has.
    pub(super) fn new_id(&mut self, taken: impl Fn(&str) -> String) -> String {
        loop {
            let id = id_of(self.next);
            if !self.by_arn.contains_key(&taken(&id)) {
                return id;
            }
            self.next = self.next.saturating_add(1);
        }
    }

    pub(super) fn get(&self, arn: &str) -> Option<&Profile> {
        self.profiles.get(self.by_arn.get(arn)?)
    }

    pub(super) fn get_mut(&mut self, arn: &str) -> Option<&mut Profile> {
        self.profiles.get_mut(self.by_arn.get(arn)?)
    }

    pub(super) fn remove(&mut self, arn: &str) -> Option<Profile> {
        self.profiles.remove(&self.by_arn.remove(arn)?)
    }

    /// Returns the profile that a token made, if it still exists.
    pub(super) fn made_with(&self, token: &Token) -> Option<&Profile> {
        self.get(self.by_token.get(token)?)
    }

    pub(super) fn remember(&mut self, token: Token, arn: &ProfileArn) {
        self.by_token.insert(token, arn.as_str().to_owned());
    }

    /// Returns the profiles from that number on.
    pub(super) fn from(&mut self, number: u64) -> impl Iterator<Item = (u64, &mut Profile)> {
        self.profiles.range_mut(number..).map(|(number, profile)| (*number, profile))
    }

    /// Returns all profiles.
    pub(super) fn all(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }
}

/// Returns twelve lower-case letters and digits, as AWS's ids have.
fn id_of(number: u64) -> String {
    let mut rest = u128::from(number).wrapping_mul(SPREAD) % IDS;
    let mut id = String::with_capacity(12);
    for _ in 0..12 {
        let digit = u32::try_from(rest % 36).unwrap_or(0);
        id.push(char::from_digit(digit, 36).unwrap_or('0'));
        rest /= 36;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twelve_lower_case_alphanumerics_and_differ() {
        let ids: std::collections::HashSet<String> = (FIRST..FIRST + 40_000).map(id_of).collect();
        assert_eq!(ids.len(), 40_000);
        let legal = |id: &String| {
            id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        assert!(ids.iter().all(legal));
    }
}
