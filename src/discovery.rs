//! From what AWS has to what is served: which service a profile is for, and what it was copied from.
//!
//! Pure: the same inventory always leads to the same result, in whatever order AWS lists it.

mod finding;
mod progress;
mod reading;
mod source;
pub mod stored;
#[cfg(test)]
pub(crate) mod tests;

pub use finding::Finding;
pub use progress::Progress;
pub use reading::{Ask, Place, Read, Reading};
pub use source::{Source, SourceKnowledge, Systems};

use crate::domain::{ModelId, ProfileArn, Region, ServiceName};
use crate::inventory::{FoundProfile, Inventory, SOURCE_TAG};
use source::Models;
use std::collections::BTreeMap;

/// What AWS has, in terms of services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Every application inference profile.
    pub profiles: BTreeMap<ProfileArn, Known>,
    /// The profiles that calls can be made with, by service and source model; the one to be preferred first.
    pub services: BTreeMap<ServiceName, BTreeMap<ModelId, Vec<ProfileArn>>>,
    /// What is wrong with single profiles.
    pub findings: Vec<Finding>,
}

/// What is known of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose it is.
    pub owner: Owner,
    /// What it was copied from; `None` where nothing tells.
    pub source: Option<Source>,
    /// Its tags without those that AWS, tollgate and the service tag have; `None` where they could not be read yet.
    pub tags: Option<BTreeMap<String, String>>,
    /// Its status, where calls cannot be made with it.
    pub inactive: Option<String>,
}

/// Whose a profile is, by its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This service's.
    Service(ServiceName),
    /// Nobody's: it has no service tag.
    Untagged,
    /// Nobody's: the service tag's value is no service's name.
    Illegal,
    /// Not known yet: its tags could not be read.
    Unread,
}

impl Discovered {
    /// Maps an inventory by the tag that names services. Where a service has a model in several regions, `home` is
    /// preferred, then the first by name; within a region, and across accounts, the oldest profile, then the first by
    /// ARN.
    pub fn of(inventory: &Inventory, service_tag: &str, home: &Region) -> Self {
        let systems = Systems::of(inventory);
        let mut discovered = Self::default();
        for (arn, found) in &inventory.profiles {
            let known = know(arn, found, service_tag, &systems, &mut discovered.findings);
            if let (Owner::Service(service), Some(source), None) =
                (&known.owner, &known.source, &known.inactive)
            {
                let models = discovered.services.entry(service.clone()).or_default();
                models.entry(source.model.clone()).or_default().push(arn.clone());
            }
            discovered.profiles.insert(arn.clone(), known);
        }
        for arns in discovered.services.values_mut().flat_map(BTreeMap::values_mut) {
            arns.sort_by_cached_key(|arn| {
                let made = inventory.profiles.get(arn).and_then(|found| found.created_at);
                let region = arn.region();
                (region != home, region.clone(), made.is_none(), made, arn.clone())
            });
        }
        discovered
    }
}

fn know(
    arn: &ProfileArn,
    found: &FoundProfile,
    service_tag: &str,
    systems: &Systems<'_>,
    findings: &mut Vec<Finding>,
) -> Known {
    let owner = owner(arn, found, service_tag, findings);
    let mut own = Vec::new();
    let stated = found.tags.as_ref().and_then(|tags| tags.get(SOURCE_TAG)).map(String::as_str);
    let source = Models::of(arn, &found.models, systems).source(stated, &mut own);
    let inactive = (!found.is_active()).then(|| found.status.clone());
    // What nobody has tagged is nobody's trouble.
    if let Owner::Service(_) = owner {
        findings.append(&mut own);
        let status = inactive.clone();
        findings.extend(status.map(|status| Finding::NotActive { arn: arn.clone(), status }));
    }
    let tags = found.tags.as_ref().map(|tags| plain(tags, service_tag));
    Known { owner, source, tags, inactive }
}

fn owner(arn: &ProfileArn, found: &FoundProfile, service_tag: &str, findings: &mut Vec<Finding>) -> Owner {
    let Some(tags) = &found.tags else { return Owner::Unread };
    let Some(value) = tags.get(service_tag) else { return Owner::Untagged };
    match ServiceName::parse(value) {
        Ok(service) => Owner::Service(service),
        Err(error) => {
            let tag = service_tag.to_owned();
            findings.push(Finding::IllegalService { arn: arn.clone(), tag, error });
            Owner::Illegal
        }
    }
}

/// Returns the tags that say something of the service itself.
fn plain(tags: &BTreeMap<String, String>, service_tag: &str) -> BTreeMap<String, String> {
    let taken = |key: &str| key == service_tag || key.starts_with("aws:") || key.starts_with("tollgate:");
    tags.iter().filter(|(key, _)| !taken(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}
