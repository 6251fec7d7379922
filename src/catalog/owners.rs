//! Whose each profile is.

use crate::domain::{ProfileArn, ServiceName};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

/// The services of profiles, by the profiles' ARNs and ids; what is said first holds.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_id: HashMap<ById, ServiceName>,
    /// Profiles whose id another one of another region or account has as well.
    twins: HashMap<ProfileArn, ServiceName>,
}

/// A profile that is found by its id.
#[derive(Debug)]
struct ById(ProfileArn);

impl Owners {
    /// Makes room for so many profiles.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { by_id: HashMap::with_capacity(count), twins: HashMap::new() }
    }

    /// Says whose a profile is, unless that is said.
    pub(super) fn add(&mut self, arn: &ProfileArn, owner: &ServiceName) {
        match self.by_id.entry(ById(arn.clone())) {
            Entry::Vacant(free) => {
                free.insert(owner.clone());
            }
            Entry::Occupied(first) if first.key().0 == *arn => {}
            Entry::Occupied(_) => {
                self.twins.entry(arn.clone()).or_insert_with(|| owner.clone());
            }
        }
    }

    /// Returns the service whose profile has that ARN or id.
    pub(super) fn of(&self, profile: &str) -> Option<&ServiceName> {
        let Ok(arn) = ProfileArn::parse(profile) else { return self.by_id.get(profile) };
        let (ById(first), owner) = self.by_id.get_key_value(arn.id())?;
        if *first == arn { Some(owner) } else { self.twins.get(&arn) }
    }
}

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}
