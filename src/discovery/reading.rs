//! One look at AWS, and what it changes about what was known.

use crate::domain::{ProfileArn, Region};
use crate::inventory::Inventory;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Looks at AWS once. What cannot be read is among the reading's failures.
pub type Read = Box<dyn Fn(Ask) -> BoxFuture<'static, Reading> + Send + Sync>;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The regions.
    pub regions: BTreeSet<Region>,
    /// The time between two looks.
    pub every: Duration,
    /// What is known already.
    pub before: Arc<Inventory>,
}

/// A region of an account: what one listing covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Place {
    /// The region.
    pub region: Region,
    /// The account's 12-digit number.
    pub account: String,
}

/// What one look at AWS found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What there is, as far as it could be read.
    pub found: Inventory,
    /// The places whose listing is whole: what is not in it is gone.
    pub complete: BTreeSet<Place>,
    /// Every region that was looked in, whether it answered or not.
    pub regions: BTreeSet<Region>,
    /// Every account that is looked in, as far as that is known: profiles of others are known no more.
    pub accounts: Option<BTreeSet<String>>,
    /// What could not be read, each with its place and cause; what is known of it stays as it was.
    pub failures: Vec<String>,
    /// Whether new profiles were left for a next look, which is to follow at once.
    pub is_partial: bool,
}

impl Place {
    /// Returns the place of a profile.
    pub fn of(arn: &ProfileArn) -> Self {
        Self { region: arn.region().clone(), account: arn.account().to_owned() }
    }
}

impl Reading {
    /// Returns what is known after this look, `before` being what was known till then.
    ///
    /// A profile is gone only where a complete listing of its place lacks it, or where its region or its account is
    /// looked in no more. One whose tags could not be read keeps those it had.
    pub fn after(self, before: &Inventory) -> Inventory {
        let Self { mut found, complete, regions, accounts, .. } = self;
        for (arn, old) in &before.profiles {
            if let Some(new) = found.profiles.get_mut(arn) {
                new.tags = new.tags.take().or_else(|| old.tags.clone());
            } else if regions.contains(arn.region())
                && accounts.as_ref().is_none_or(|accounts| accounts.contains(arn.account()))
                && !complete.contains(&Place::of(arn))
            {
                found.profiles.insert(arn.clone(), old.clone());
            }
        }
        let is_listed = |arn: &str, region: &Region| {
            // The ARN holds the account that lists it.
            let account = arn.split(':').nth(4).unwrap_or_default();
            complete.iter().any(|place| place.region == *region && place.account == account)
        };
        for (arn, old) in &before.systems {
            if regions.contains(&old.region) && !is_listed(arn, &old.region) {
                found.systems.entry(arn.clone()).or_insert_with(|| old.clone());
            }
        }
        found
    }
}
