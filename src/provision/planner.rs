//! One model of one service after the other: is there a profile, is it the right one, or is one to be made?

use super::world::World;
use super::{
    Change, Create, Leftovers, Maker, Misrouted, Plan, Problem, Replace, Replacement, Retag, Settings,
    Settled, TagChange, Unlisted, Unused, name,
};
use crate::config::{ServiceSpec, ServicesFile, tags::MAX_TAGS};
use crate::discovery::{Discovered, Known, Owner, Place};
use crate::domain::{ModelId, ProfileArn};
use crate::inventory::{Inventory, SOURCE_TAG};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A plan in the making.
#[derive(Debug)]
pub(super) struct Planner<'a> {
    services: &'a ServicesFile,
    settings: &'a Settings,
    world: World<'a>,
    plan: Plan,
    /// The profiles that are not unused, whatever else they are.
    involved: BTreeSet<&'a ProfileArn>,
    /// The untagged profiles that have been pointed at.
    pointed_at: BTreeSet<&'a ProfileArn>,
}

/// A model that a service is to have a profile of.
#[derive(Debug, Clone, Copy)]
struct Wish<'a> {
    spec: &'a ServiceSpec,
    model: &'a ModelId,
}

/// What the services file's own profile for a wish comes to.
enum Pin {
    /// The wish is dealt with.
    Holds,
    /// There is none, or it does not hold: `avoid` has those that the wish is not fulfilled by.
    Open { avoid: BTreeSet<ProfileArn> },
}

impl<'a> Planner<'a> {
    pub(super) fn of(
        services: &'a ServicesFile,
        inventory: &'a Inventory,
        discovered: &'a Discovered,
        settings: &'a Settings,
    ) -> Self {
        let world = World::of(services, inventory, discovered, settings);
        Self {
            services,
            settings,
            world,
            plan: Plan::default(),
            involved: BTreeSet::new(),
            pointed_at: BTreeSet::new(),
        }
    }

    pub(super) fn plan(mut self) -> Plan {
        for spec in &self.services.services {
            for model in &spec.models {
                let wish = Wish { spec, model };
                if let Pin::Open { avoid } = self.pinned(wish) {
                    for place in &self.settings.places {
                        self.fulfil(wish, place, &avoid);
                    }
                }
            }
        }
        self.leftovers();
        self.plan
    }

    /// Looks at the profile that the services file names for a wish.
    fn pinned(&mut self, wish: Wish<'a>) -> Pin {
        let mut of_model = wish.spec.profiles.iter().filter(|(model, _)| model.bare() == wish.model.as_str());
        let Some((_, arn)) = of_model.next() else { return Pin::Open { avoid: BTreeSet::new() } };
        let (service, model) = (wish.spec.name.clone(), wish.model.clone());
        let open = || Pin::Open { avoid: BTreeSet::from([arn.clone()]) };
        let Some(known) = self.world.known(arn) else {
            if self.settings.places.contains(&Place::of(arn)) {
                self.plan.problems.push(Problem::Gone { arn: arn.clone(), service, model });
                return open();
            }
            // Nobody has looked there.
            self.settle(wish, arn);
            return Pin::Holds;
        };
        let arn_copy = arn.clone();
        if known.owner == Owner::Unread {
            self.plan.problems.push(Problem::Unread { arn: arn_copy, service, model });
        } else if let Owner::Service(owner) = &known.owner
            && *owner != service
        {
            let owner = owner.clone();
            self.plan.problems.push(Problem::Foreign { arn: arn_copy, service, model, owner });
        } else if let Some(status) = known.inactive.clone() {
            self.plan.problems.push(Problem::NotActive { arn: arn_copy, service, model, status });
        } else if self.world.contradict(arn, wish.model) {
            self.plan.problems.push(Problem::OtherModel { arn: arn_copy, service, model });
            return open();
        } else {
            self.settle(wish, arn);
            self.retag(wish, arn, self.wanted_tags(wish));
        }
        Pin::Holds
    }

    /// Sees to it that a place has a profile for a wish.
    fn fulfil(&mut self, wish: Wish<'a>, place: &Place, avoid: &BTreeSet<ProfileArn>) {
        let misrouted = self.misrouted(wish, place);
        let all = self.world.candidates(&wish.spec.name, wish.model);
        let (here, elsewhere): (Vec<_>, Vec<_>) = all.partition(|arn| Place::of(arn) == *place);
        if let Some((taken, left)) = here.split_first() {
            self.take(wish, taken, left);
            self.replace(wish, misrouted, Replacement::Made((*taken).clone()));
            return;
        }
        if self.is_blocked(wish, place) {
            return;
        }
        match self.world.copy_from(wish.model, place) {
            Ok(copy_from) => {
                let create = self.creation(wish, place, copy_from);
                let olds = misrouted.iter().map(|old| old.arn.clone());
                let avoid = avoid.iter().cloned().chain(olds).collect();
                let create = Create { avoid, ..create };
                self.point_at_strays(wish, place);
                if misrouted.is_empty() {
                    self.plan.changes.push(Change::Create(create));
                } else {
                    self.replace(wish, misrouted, Replacement::Create(create));
                }
            }
            Err(others) if elsewhere.is_empty() => self.plan.problems.push(Problem::Unavailable {
                service: wish.spec.name.clone(),
                model: wish.model.clone(),
                region: place.region.clone(),
                others,
            }),
            // The service has it in a region where there is such a thing.
            Err(_) => {}
        }
    }

    /// Takes a profile that is tagged for the service.
    fn take(&mut self, wish: Wish<'a>, taken: &'a ProfileArn, left: &[&'a ProfileArn]) {
        let mut wanted = self.wanted_tags(wish);
        if let Some(sources) = self.world.ambiguity(taken) {
            wanted.remove(SOURCE_TAG);
            self.plan.problems.push(Problem::Ambiguous { arn: taken.clone(), sources });
        }
        self.settle(wish, taken);
        self.retag(wish, taken, wanted);
        for left in left {
            self.involved.insert(left);
            self.plan.problems.push(Problem::Duplicate {
                service: wish.spec.name.clone(),
                model: wish.model.clone(),
                taken: taken.clone(),
                left: (*left).clone(),
            });
        }
    }

    /// Tells whether some profile may be the one that is asked for, so that another could be one too many.
    fn is_blocked(&mut self, wish: Wish<'a>, place: &Place) -> bool {
        let (service, model) = (wish.spec.name.clone(), wish.model.clone());
        for arn in self.world.owned(&service, place) {
            let Some(Known { source: Some(source), inactive, .. }) = self.world.known(arn) else { continue };
            if let Some(status) = inactive.clone().filter(|_| source.model == model) {
                let arn = arn.clone();
                self.plan.problems.push(Problem::NotActive { arn, service, model, status });
                return true;
            }
            let sources = self.world.ambiguity(arn).filter(|sources| sources.contains(&model));
            if let Some(sources) = sources.filter(|_| !wish.spec.models.contains(&source.model)) {
                self.involved.insert(arn);
                self.plan.problems.push(Problem::Ambiguous { arn: arn.clone(), sources });
                return true;
            }
        }
        let strays = self.world.strays(place, wish.model);
        let unread = strays
            .into_iter()
            .find(|arn| self.world.known(arn).is_some_and(|known| known.owner == Owner::Unread));
        let unread = unread.cloned().map(|arn| Problem::Unread { arn, service, model });
        let is_blocked = unread.is_some();
        self.plan.problems.extend(unread);
        is_blocked
    }

    /// Returns what is tagged for a wish, but routes elsewhere, and where nobody wants it.
    fn misrouted(&self, wish: Wish<'a>, place: &Place) -> Vec<Misrouted> {
        let owned = self.world.owned(&wish.spec.name, place).into_iter();
        let misrouted = owned.filter_map(|arn| {
            let says_so = self.world.stated(arn).as_ref() == Some(wish.model);
            let routes_as = self.world.known(arn)?.source.as_ref().map(|source| source.model.clone());
            let is_wanted = || self.world.sources(arn).iter().any(|shown| wish.spec.models.contains(shown));
            let is_misrouted = says_so && self.world.contradict(arn, wish.model) && !is_wanted();
            is_misrouted.then(|| Misrouted { arn: arn.clone(), routes_as })
        });
        misrouted.collect()
    }

    fn replace(&mut self, wish: Wish<'a>, old: Vec<Misrouted>, by: Replacement) {
        if !old.is_empty() {
            let (service, source) = (wish.spec.name.clone(), wish.model.clone());
            self.plan.changes.push(Change::Replace(Replace { service, source, old, by }));
        }
    }

    fn creation(&self, wish: Wish<'a>, place: &Place, copy_from: String) -> Create {
        Create {
            service: wish.spec.name.clone(),
            source: wish.model.clone(),
            place: place.clone(),
            name: name::name(&wish.spec.name, wish.model),
            copy_from,
            tags: self.wanted_tags(wish),
            avoid: BTreeSet::new(),
        }
    }

    /// Says which profiles could have been used instead: each once, however many services ask for its model.
    fn point_at_strays(&mut self, wish: Wish<'a>, place: &Place) {
        for arn in self.world.strays(place, wish.model) {
            if !self.pointed_at.insert(arn) {
                continue;
            }
            let (service, model) = (wish.spec.name.clone(), wish.model.clone());
            self.plan.problems.push(Problem::Untagged { arn: arn.clone(), service, model });
        }
    }

    fn settle(&mut self, wish: Wish<'a>, arn: &'a ProfileArn) {
        self.involved.insert(arn);
        let (service, source) = (wish.spec.name.clone(), wish.model.clone());
        self.plan.settled.push(Settled { service, source, arn: arn.clone() });
    }

    /// Returns the tags that a profile is to have.
    fn wanted_tags(&self, wish: Wish<'a>) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::clone(&wish.spec.tags);
        tags.insert(self.settings.service_tag.clone(), wish.spec.name.to_string());
        tags.insert(SOURCE_TAG.to_owned(), wish.model.to_string());
        tags
    }

    /// Plans the tags that a profile lacks or has other values of.
    fn retag(&mut self, wish: Wish<'a>, arn: &ProfileArn, wanted: BTreeMap<String, String>) {
        let Some(tags) = self.world.found(arn).and_then(|found| found.tags.as_ref()) else { return };
        let change = |(key, new): (String, String)| {
            let old = tags.get(&key).cloned();
            (old.as_ref() != Some(&new)).then_some((key, TagChange { old, new }))
        };
        let set: BTreeMap<String, TagChange> = wanted.into_iter().filter_map(change).collect();
        let own = tags.keys().filter(|key| !key.starts_with("aws:"));
        let added = set.values().filter(|change| change.old.is_none()).count();
        let count = own.count().saturating_add(added);
        if added > 0 && count > MAX_TAGS {
            self.plan.problems.push(Problem::TooManyTags { arn: arn.clone(), count, max: MAX_TAGS });
        } else if !set.is_empty() {
            let (service, source) = (wish.spec.name.clone(), wish.model.clone());
            self.plan.changes.push(Change::Tag(Retag { arn: arn.clone(), service, source, set }));
        }
    }

    /// Finds what nobody asks for.
    fn leftovers(&mut self) {
        let specs = self.services.services.iter().map(|spec| (&spec.name, spec));
        let specs: HashMap<_, &ServiceSpec> = specs.collect();
        let replaced = self.plan.changes.iter().flat_map(|change| match change {
            Change::Replace(replace) => replace.old.iter().map(|old| old.arn.clone()).collect(),
            Change::Create(_) | Change::Tag(_) | Change::Delete(_) => Vec::new(),
        });
        let replaced: BTreeSet<ProfileArn> = replaced.collect();
        let mut unused = Vec::new();
        for (arn, known) in self.world.all() {
            let Owner::Service(service) = &known.owner else { continue };
            let source = known.source.as_ref().map(|source| source.model.clone());
            let is_given_up = match specs.get(service) {
                Some(spec) => {
                    !spec.models.is_empty() && !source.as_ref().is_some_and(|s| spec.models.contains(s))
                }
                None => self.settings.unlisted == Unlisted::GivenUp && self.world.stated(arn).is_some(),
            };
            let is_kept = self.involved.contains(arn) || replaced.contains(arn) || self.world.is_claimed(arn);
            if is_given_up && !is_kept && self.settings.places.contains(&Place::of(arn)) {
                let is_own = source.is_some() && self.world.stated(arn).is_some();
                let made_by = if is_own { Maker::Tollgate } else { Maker::Others };
                unused.push(Unused { arn: arn.clone(), service: service.clone(), source, made_by });
            }
        }
        match self.settings.unused {
            Leftovers::Kept => self.plan.unused = unused,
            Leftovers::Deleted => {
                let (own, others): (Vec<_>, Vec<_>) =
                    unused.into_iter().partition(|unused| unused.made_by == Maker::Tollgate);
                self.plan.unused = others;
                self.plan.changes.extend(own.into_iter().map(Change::Delete));
            }
        }
    }
}
