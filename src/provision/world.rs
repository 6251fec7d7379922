//! What is known of AWS, as the planner asks for it.

use super::Settings;
use crate::config::ServicesFile;
use crate::discovery::{Discovered, Known, Owner, Place, SourceKnowledge, Systems};
use crate::domain::{ModelId, ProfileArn, Region, ServiceName};
use crate::inventory::{FoundProfile, Inventory, SOURCE_TAG};
use std::collections::HashMap;

/// Indexes over an inventory and a services file.
#[derive(Debug)]
pub(super) struct World<'a> {
    inventory: &'a Inventory,
    discovered: &'a Discovered,
    systems: Systems<'a>,
    /// The profiles that the services file names.
    claims: HashMap<&'a ProfileArn, &'a ServiceName>,
    /// Profiles by the service that they are tagged for.
    owned: HashMap<&'a ServiceName, Vec<&'a ProfileArn>>,
    /// Profiles that are tagged for nobody, as far as can be told, by what they may be of.
    strays: HashMap<(Place, ModelId), Vec<&'a ProfileArn>>,
    /// The ARNs of system-defined profiles, by region and id.
    system_arns: HashMap<(&'a Region, &'a str), Vec<&'a str>>,
}

impl<'a> World<'a> {
    pub(super) fn of(
        services: &'a ServicesFile,
        inventory: &'a Inventory,
        discovered: &'a Discovered,
        settings: &Settings,
    ) -> Self {
        let mut world = Self {
            inventory,
            discovered,
            systems: Systems::of(inventory),
            claims: HashMap::new(),
            owned: HashMap::new(),
            strays: HashMap::new(),
            system_arns: HashMap::new(),
        };
        for service in &services.services {
            world.claims.extend(service.profiles.iter().map(|(_, arn)| (arn, &service.name)));
        }
        for (arn, system) in &inventory.systems {
            world.system_arns.entry((&system.region, &system.id)).or_default().push(arn);
        }
        for (arn, known) in &discovered.profiles {
            let place = Place::of(arn);
            match &known.owner {
                Owner::Service(service) => world.owned.entry(service).or_default().push(arn),
                Owner::Untagged | Owner::Unread if settings.places.contains(&place) => {
                    for source in world.sources(arn) {
                        world.strays.entry((place.clone(), source)).or_default().push(arn);
                    }
                }
                Owner::Untagged | Owner::Unread | Owner::Illegal => {}
            }
        }
        world
    }

    /// Returns a profile as AWS shows it.
    pub(super) fn found(&self, arn: &ProfileArn) -> Option<&'a FoundProfile> {
        self.inventory.profiles.get(arn)
    }

    /// Returns what is made of it.
    pub(super) fn known(&self, arn: &ProfileArn) -> Option<&'a Known> {
        self.discovered.profiles.get(arn)
    }

    /// Returns every profile with what is made of it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a ProfileArn, &'a Known)> + use<'a> {
        self.discovered.profiles.iter()
    }

    /// Tells whether the services file names a profile.
    pub(super) fn is_claimed(&self, arn: &ProfileArn) -> bool {
        self.claims.contains_key(arn)
    }

    /// Returns the active profiles that are tagged for a service, of a model, and that the file does not name; in a
    /// place, the one to be preferred first.
    pub(super) fn candidates(
        &self,
        service: &ServiceName,
        model: &ModelId,
    ) -> impl Iterator<Item = &'a ProfileArn> + use<'a, '_> {
        let arns = self.discovered.services.get(service).and_then(|models| models.get(model));
        arns.into_iter().flatten().filter(|arn| !self.is_claimed(arn))
    }

    /// Returns all profiles that are tagged for a service in a place, and that the file does not name.
    pub(super) fn owned(&self, service: &ServiceName, place: &Place) -> Vec<&'a ProfileArn> {
        let owned = self.owned.get(service).into_iter().flatten().copied();
        owned.filter(|arn| !self.is_claimed(arn) && Place::of(arn) == *place).collect()
    }

    /// Returns the profiles that are tagged for nobody, as far as can be told, and may be of a model.
    pub(super) fn strays(&self, place: &Place, model: &ModelId) -> Vec<&'a ProfileArn> {
        let strays = self.strays.get(&(place.clone(), model.clone())).into_iter().flatten().copied();
        strays.filter(|arn| !self.is_claimed(arn)).collect()
    }

    /// Returns what a profile may have been copied from, by its models.
    pub(super) fn sources(&self, arn: &ProfileArn) -> Vec<ModelId> {
        self.found(arn).map(|found| self.systems.sources(arn, &found.models)).unwrap_or_default()
    }

    /// Tells whether a profile's models cannot be those of a source.
    pub(super) fn contradict(&self, arn: &ProfileArn, source: &ModelId) -> bool {
        self.found(arn).is_some_and(|found| self.systems.contradict(arn, &found.models, source))
    }

    /// Returns the source that a profile's tag states.
    pub(super) fn stated(&self, arn: &ProfileArn) -> Option<ModelId> {
        let tag = self.found(arn)?.tags.as_ref()?.get(SOURCE_TAG)?;
        ModelId::parse(ModelId::parse(tag).ok()?.bare()).ok()
    }

    /// Returns what a profile may be copied from, where that is more than one and nothing says which.
    pub(super) fn ambiguity(&self, arn: &ProfileArn) -> Option<Vec<ModelId>> {
        let source = self.known(arn)?.source.as_ref()?;
        let sources = self.sources(arn);
        (source.knowledge == SourceKnowledge::Inferred && sources.len() > 1).then_some(sources)
    }

    /// Returns the ARN of what a profile is to be copied from; or else what the region has of the same foundation model.
    ///
    /// A foundation model's ARN is made up: whether the region has it, and takes it without a geography, AWS says when
    /// a profile is made. A system-defined profile's is the one that AWS lists, as it holds the account.
    pub(super) fn copy_from(&self, model: &ModelId, place: &Place) -> Result<String, Vec<ModelId>> {
        let Place { region, account } = place;
        let is_own = |arn: &&&str| arn.split(':').nth(4).is_none_or(|of| of.is_empty() || of == account);
        let listed = self.system_arns.get(&(region, model.as_str()));
        if let Some(arn) = listed.and_then(|arns| arns.iter().find(is_own)) {
            return Ok((*arn).to_owned());
        }
        if model.geography().is_none() {
            return Ok(format!("arn:{}:bedrock:{region}::foundation-model/{model}", region.partition()));
        }
        let related = |system: &&crate::inventory::SystemProfile| system.region == *region;
        let ids = self.inventory.systems.values().filter(related);
        let mut others: Vec<ModelId> = ids.filter_map(|system| ModelId::parse(&system.id).ok()).collect();
        others.retain(|other| other.foundation_model() == model.foundation_model());
        others.sort();
        others.dedup();
        Err(others)
    }
}
