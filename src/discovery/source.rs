//! What a profile was copied from, which AWS does not tell.

use super::Finding;
use crate::domain::{ModelId, ProfileArn, Region};
use crate::inventory::Inventory;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a profile was copied from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A foundation model, or a system-defined profile with its geography: never an ARN.
    pub model: ModelId,
    /// How that is known.
    pub knowledge: SourceKnowledge,
}

/// How a profile's source is known. The routing class, which is part of the price, is as certain as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceKnowledge {
    /// The services file or a tag says it.
    #[default]
    Stated,
    /// The profile's models and regions suggest it.
    Inferred,
}

/// System-defined profiles by region and by the models that they route to.
#[derive(Debug)]
pub struct Systems<'a> {
    ids: HashMap<(&'a Region, BTreeSet<&'a str>), Vec<&'a str>>,
    regions: HashSet<&'a Region>,
}

impl<'a> Systems<'a> {
    /// Returns those of an inventory.
    pub fn of(inventory: &'a Inventory) -> Self {
        let (mut ids, mut regions) = (HashMap::<_, Vec<&str>>::new(), HashSet::new());
        for system in inventory.systems.values() {
            regions.insert(&system.region);
            let models = system.models.iter().map(String::as_str).collect();
            ids.entry((&system.region, models)).or_default().push(&system.id);
        }
        // A geography before the globe, since it costs no less; then by id.
        for ids in ids.values_mut() {
            ids.sort_by_key(|id| (id.starts_with("global."), *id));
            // Each account lists them under ARNs of its own.
            ids.dedup();
        }
        Self { ids, regions }
    }

    /// Returns what a profile may have been copied from, by its models: the likeliest first.
    pub fn sources(&self, arn: &ProfileArn, models: &[String]) -> Vec<ModelId> {
        Models::of(arn, models, self).fits
    }

    /// Tells whether a profile's models are certain not to be those of a source.
    pub fn contradict(&self, arn: &ProfileArn, models: &[String], source: &ModelId) -> bool {
        Models::of(arn, models, self).contradict(source)
    }
}

/// What the models of a profile say of its source.
#[derive(Debug)]
pub(super) struct Models<'a> {
    arn: &'a ProfileArn,
    /// The one foundation model behind all of them.
    foundation: Option<&'a str>,
    /// What it may have been copied from: the likeliest first.
    fits: Vec<ModelId>,
    /// Whether `fits` is certain to hold it: the models are those of each that it holds.
    exact: bool,
    /// Whether the system-defined profiles of the region are known.
    systems_known: bool,
}

impl<'a> Models<'a> {
    /// Looks at a profile's models.
    pub(super) fn of(arn: &'a ProfileArn, models: &'a [String], systems: &Systems<'_>) -> Self {
        let destinations: Option<Vec<Destination<'a>>> =
            models.iter().map(|model| Destination::parse(model)).collect();
        let destinations = destinations.unwrap_or_default();
        let foundations: BTreeSet<&str> = destinations.iter().map(|to| to.model).collect();
        let foundation = foundations.first().copied().filter(|_| foundations.len() == 1);
        let in_region = foundation.filter(
            |_| matches!(destinations.as_slice(), [only] if only.region.as_ref() == Some(arn.region())),
        );
        let key = (arn.region(), models.iter().map(String::as_str).collect());
        let equal = systems.ids.get(&key).into_iter().flatten().copied();
        let mut fits: Vec<ModelId> =
            in_region.into_iter().chain(equal).filter_map(|id| ModelId::parse(id).ok()).collect();
        let exact = !fits.is_empty();
        if !exact {
            fits.extend(foundation.and_then(|model| by_geography(model, &destinations)));
        }
        Self { arn, foundation, fits, exact, systems_known: systems.regions.contains(arn.region()) }
    }

    /// Returns the source that a tag states, or else the likeliest; adds what there is to say about it.
    pub(super) fn source(self, stated: Option<&str>, findings: &mut Vec<Finding>) -> Option<Source> {
        let arn = self.arn.clone();
        let named = stated.map(ModelId::parse);
        if let (Some(Err(_)), Some(value)) = (&named, stated) {
            findings.push(Finding::IllegalSource { arn: arn.clone(), value: value.to_owned() });
        }
        let stated = named.and_then(Result::ok).and_then(|model| ModelId::parse(model.bare()).ok());
        let contradicted = stated.as_ref().is_some_and(|stated| self.contradict(stated));
        if let Some(model) = stated.clone().filter(|_| !contradicted) {
            return Some(Source { model, knowledge: SourceKnowledge::Stated });
        }
        let mut fits = self.fits.into_iter();
        let Some(model) = fits.next() else {
            findings.push(Finding::SourceUnknown { arn });
            return None;
        };
        let others: Vec<ModelId> = fits.collect();
        if let Some(stated) = stated {
            let shown = model.clone();
            findings.push(Finding::SourceContradicted { arn, stated, shown });
        } else if !others.is_empty() {
            findings.push(Finding::SourceAmbiguous { arn, taken: model.clone(), others });
        }
        Some(Source { model, knowledge: SourceKnowledge::Inferred })
    }

    /// Tells whether the models are not those of a source.
    fn contradict(&self, stated: &ModelId) -> bool {
        let Some(foundation) = self.foundation else { return false };
        let is_sure = match stated.geography() {
            Some(_) => self.exact && self.systems_known,
            None => true,
        };
        stated.foundation_model() != foundation || (is_sure && !self.fits.contains(stated))
    }
}

/// A foundation model in a region that a profile routes to.
#[derive(Debug)]
struct Destination<'a> {
    /// `None` in the ARN of a global profile, which names no region.
    region: Option<Region>,
    model: &'a str,
}

impl<'a> Destination<'a> {
    /// Takes `arn:{partition}:bedrock:{region}::foundation-model/{id}` apart.
    fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (scheme, service) = (parts.next()?, parts.nth(1)?);
        let (region, resource) = (parts.next()?, parts.nth(1)?);
        let model = resource.strip_prefix("foundation-model/").filter(|model| !model.is_empty())?;
        let region = if region.is_empty() { None } else { Some(Region::parse(region)?) };
        (scheme == "arn" && service == "bedrock").then_some(Self { region, model })
    }
}

/// Names the system-defined profile that routes to such regions: that of the nearest geography which holds them all,
/// or the global one.
fn by_geography(model: &str, destinations: &[Destination<'_>]) -> Option<ModelId> {
    let held: Option<Vec<&[&str]>> =
        destinations.iter().map(|to| to.region.as_ref().map(Region::geographies)).collect();
    let geography = held.as_ref().and_then(|held| {
        held.first()?.iter().find(|geography| held.iter().all(|others| others.contains(geography)))
    });
    ModelId::parse(&format!("{}.{model}", geography.unwrap_or(&"global"))).ok()
}
