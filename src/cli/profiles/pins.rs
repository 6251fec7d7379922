//! The ARNs that the services file is to name.

use crate::config::ServicesFile;
use crate::discovery::Place;
use crate::domain::{ModelId, ProfileArn, ServiceName};
use crate::provision::{Plan, Step};
use std::collections::BTreeMap;

/// A profile that the services file does not name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) service: ServiceName,
    pub(super) model: ModelId,
    pub(super) arn: ProfileArn,
}

/// Returns what the services file lacks of the profiles that are in place, or were made: of several places, the
/// first. What it names stays as long as that is one of them.
pub(super) fn pins(
    services: &ServicesFile,
    plan: &Plan,
    done: &[(Step<'_>, ProfileArn)],
    places: &[Place],
) -> Vec<Pin> {
    let mut had: BTreeMap<(&ServiceName, &ModelId), Vec<&ProfileArn>> = BTreeMap::new();
    for settled in &plan.settled {
        had.entry((&settled.service, &settled.source)).or_default().push(&settled.arn);
    }
    for (step, arn) in done {
        if let Step::Create(create) = step {
            had.entry((&create.service, &create.source)).or_default().push(arn);
        }
    }
    let rank = |arn: &&&ProfileArn| places.iter().position(|place| *place == Place::of(arn));
    let mut pins = Vec::new();
    for spec in &services.services {
        for model in &spec.models {
            let Some(arns) = had.get(&(&spec.name, model)) else { continue };
            let mut named = spec.profiles.iter().filter(|(source, _)| source.bare() == model.as_str());
            let is_named = named.any(|(_, arn)| arns.contains(&arn));
            if let Some(arn) = arns.iter().min_by_key(rank).filter(|_| !is_named) {
                pins.push(Pin { service: spec.name.clone(), model: model.clone(), arn: (*arn).clone() });
            }
        }
    }
    pins
}
