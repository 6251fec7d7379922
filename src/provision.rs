//! What the services file asks for against what AWS has, as a plan.
//!
//! Planning is pure: the same files and the same inventory lead to the same plan. Carried out whole, a plan leaves
//! nothing to plan; broken off anywhere, the next plan leads to the same end.

mod carry;
mod name;
mod planner;
mod problem;
#[cfg(test)]
pub(crate) mod tests;
mod world;

pub use carry::CarryError;
pub(crate) use name::name as profile_name;
pub use problem::Problem;

use crate::config::ServicesFile;
use crate::discovery::{Discovered, Place};
use crate::domain::{ModelId, ProfileArn, ServiceName};
use crate::inventory::Inventory;
use planner::Planner;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is made by, beside files and inventory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tag that names a profile's service.
    pub service_tag: String,
    /// Where every service is to have its profiles, the first being preferred. Their listings must be whole: what they
    /// lack is taken to be gone.
    pub places: Vec<Place>,
    /// What a service is that the services file lacks.
    pub unlisted: Unlisted,
    /// What becomes of profiles that nobody asks for.
    pub unused: Leftovers,
}

/// What a service is that has profiles, but is not in the services file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// A service that lives by its tag: its profiles are nobody else's business.
    Alive,
    /// One that has been given up: the profiles that tollgate made for it are unused.
    GivenUp,
}

/// What becomes of profiles that nobody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// They are shown.
    Kept,
    /// They are deleted.
    Deleted,
}

/// What is to be done in AWS, and what stands in the way of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The changes: in the order of the services file, deletions of what is unused last.
    pub changes: Vec<Change>,
    /// The profiles that nobody asks for, and that stay.
    pub unused: Vec<Unused>,
    /// The profiles that are there already for what is asked for.
    pub settled: Vec<Settled>,
    /// What cannot be planned, or should be looked at.
    pub problems: Vec<Problem>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Make a profile.
    Create(Create),
    /// Give a profile tags that it lacks, or other values of tags that it has.
    Tag(Retag),
    /// Use another profile in place of one that routes elsewhere than it says; AWS cannot change what it routes to.
    Replace(Replace),
    /// Delete a profile that nobody asks for.
    Delete(Unused),
}

/// A profile that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Create {
    /// Whose it will be.
    pub service: ServiceName,
    /// The id of what it is copied from.
    pub source: ModelId,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The ARN of what it is copied from.
    pub copy_from: String,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
    /// Profiles that it cannot be, though AWS may remember to have made them at the same request.
    pub avoid: BTreeSet<ProfileArn>,
}

/// Tags that a profile is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retag {
    /// The profile.
    pub arn: ProfileArn,
    /// Whose it is.
    pub service: ServiceName,
    /// What it is a profile of.
    pub source: ModelId,
    /// The tags to be set, by key. Others that it has are left alone.
    pub set: BTreeMap<String, TagChange>,
}

/// The value of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagChange {
    /// What it is in AWS, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is to be.
    pub new: String,
}

/// Profiles that another takes the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replace {
    /// Whose they are.
    pub service: ServiceName,
    /// What they should route to, as their tags say.
    pub source: ModelId,
    /// The profiles that go, once the other is used; at least one.
    pub old: Vec<Misrouted>,
    /// The profile in their place.
    pub by: Replacement,
}

/// A profile that routes elsewhere than its tag says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misrouted {
    /// The profile.
    pub arn: ProfileArn,
    /// What AWS routes it as, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes_as: Option<ModelId>,
}

/// What takes a profile's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// One that is to be made.
    Create(Create),
    /// One that is there.
    Made(ProfileArn),
}

/// A profile that nobody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// The profile.
    pub arn: ProfileArn,
    /// Whose it is by its tag.
    pub service: ServiceName,
    /// What it was copied from, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ModelId>,
    /// Who has made it.
    pub made_by: Maker,
}

/// Who has made a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// tollgate, as its tag `tollgate:source` says.
    Tollgate,
    /// Somebody else, who is to delete it.
    Others,
}

/// A profile that is there for what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Whose it is.
    pub service: ServiceName,
    /// What it is a profile of.
    pub source: ModelId,
    /// The profile.
    pub arn: ProfileArn,
}

/// One call of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Make a profile.
    Create(&'a Create),
    /// Tag one.
    Tag(&'a Retag),
    /// Delete one.
    Delete(&'a ProfileArn),
}

/// Plans what leads from what AWS has to what a services file, which has been validated, asks for.
pub fn plan(services: &ServicesFile, inventory: &Inventory, settings: &Settings) -> Plan {
    let home = settings.places.first().map(|place| place.region.clone()).unwrap_or_default();
    let discovered = Discovered::of(inventory, &settings.service_tag, &home);
    Planner::of(services, inventory, &discovered, settings).plan()
}

impl Plan {
    /// Tells whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns what is to be done, in this order: what is deleted is in use until all else is done.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let made = self.changes.iter().filter_map(|change| match change {
            Change::Create(create) | Change::Replace(Replace { by: Replacement::Create(create), .. }) => {
                Some(Step::Create(create))
            }
            Change::Tag(retag) => Some(Step::Tag(retag)),
            Change::Replace(Replace { by: Replacement::Made(_), .. }) | Change::Delete(_) => None,
        });
        let deleted = self.changes.iter().flat_map(|change| match change {
            Change::Replace(replace) => replace.old.iter().map(|old| Step::Delete(&old.arn)).collect(),
            Change::Delete(unused) => vec![Step::Delete(&unused.arn)],
            Change::Create(_) | Change::Tag(_) => Vec::new(),
        });
        made.chain(deleted).collect()
    }
}

impl Create {
    /// Returns the `clientRequestToken`: that of every gateway which asks for this profile, whenever it does.
    pub fn token(&self) -> String {
        name::token(&self.service, &self.source, &self.place, &self.avoid)
    }

    /// Returns the request that cannot be answered with a profile: one that AWS remembers, but that is gone, or that
    /// is another than the one asked for.
    #[must_use]
    pub fn avoiding(mut self, arn: ProfileArn) -> Self {
        self.avoid.insert(arn);
        self
    }
}
