//! What the services file says and what AWS has, joined. The file wins; where the two differ, a finding says so.

use super::Profile;
use crate::config::ServicesFile;
use crate::discovery::{Discovered, Finding, Known, Owner, SourceKnowledge};
use crate::domain::{ModelId, ProfileArn, ServiceName};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The joining, service by service.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    discovered: &'a Discovered,
    /// The profiles that the file gives to a service.
    claimed: HashMap<&'a ProfileArn, &'a ServiceName>,
    findings: Vec<Finding>,
}

impl<'a> Merge<'a> {
    /// Begins with a file that has been validated.
    pub(super) fn of(file: &'a ServicesFile, discovered: &'a Discovered) -> Self {
        let claims = |service: &'a crate::config::ServiceSpec| {
            service.profiles.iter().map(|(_, arn)| (arn, &service.name))
        };
        // Asked of profiles that AWS has alone.
        let services = if discovered.profiles.is_empty() { [].as_slice() } else { &file.services };
        let claimed = services.iter().flat_map(claims).collect();
        Self { discovered, claimed, findings: discovered.findings.clone() }
    }

    /// Returns the profiles of a service: those that the file states, then one for each other model that a profile is
    /// tagged for.
    pub(super) fn profiles(
        &mut self,
        service: &ServiceName,
        stated: &'a [(ModelId, ProfileArn)],
    ) -> Vec<Profile> {
        for (model, arn) in stated {
            self.compare(service, model, arn);
        }
        let mut profiles: Vec<Profile> =
            stated.iter().map(|(model, arn)| Profile::stated(model.clone(), arn.clone())).collect();
        let discovered = self.discovered;
        let Some(tagged) = discovered.services.get(service.as_str()) else { return profiles };
        let of_file: HashMap<&str, &ProfileArn> =
            stated.iter().map(|(model, arn)| (model.bare(), arn)).collect();
        for (model, arns) in tagged {
            let mut free = arns.iter().filter(|arn| !self.claimed.contains_key(arn));
            if let Some(file) = of_file.get(model.bare()) {
                let wins = |tagged: &ProfileArn| Finding::FileWins {
                    service: service.clone(),
                    model: model.clone(),
                    file: (*file).clone(),
                    tagged: tagged.clone(),
                };
                self.findings.extend(free.map(wins));
            } else if let Some(taken) = free.next() {
                profiles.push(self.tagged(model, taken));
                self.findings.extend(free.map(|left| left_over(service, model, taken, left)));
            }
        }
        profiles
    }

    /// Returns the tags that all of a service's profiles agree on, as far as AWS has shown them; those that the file
    /// states win.
    pub(super) fn tags(
        &self,
        profiles: &[Profile],
        stated: &Arc<BTreeMap<String, String>>,
    ) -> Arc<BTreeMap<String, String>> {
        let mut shown = profiles.iter().filter_map(|profile| self.known(&profile.arn)?.tags.as_ref());
        let Some(first) = shown.next() else { return Arc::clone(stated) };
        let mut tags = first.clone();
        for others in shown {
            tags.retain(|key, value| others.get(key) == Some(value));
        }
        tags.extend(stated.iter().map(|(key, value)| (key.clone(), value.clone())));
        Arc::new(tags)
    }

    /// Returns what is wrong in AWS, and between AWS and the file.
    pub(super) fn findings(self) -> Vec<Finding> {
        self.findings
    }

    fn known(&self, arn: &ProfileArn) -> Option<&'a Known> {
        self.discovered.profiles.get(arn)
    }

    fn tagged(&self, model: &ModelId, arn: &ProfileArn) -> Profile {
        let source = self.known(arn).and_then(|known| known.source.as_ref());
        let knowledge = source.map_or(SourceKnowledge::Inferred, |source| source.knowledge);
        Profile { source_model: model.clone(), arn: arn.clone(), knowledge }
    }

    /// Compares a profile of the file with what AWS shows of it.
    fn compare(&mut self, service: &ServiceName, model: &ModelId, arn: &ProfileArn) {
        let Some(known) = self.known(arn) else { return };
        let (arn, tagged) = (arn.clone(), matches!(known.owner, Owner::Service(_)));
        if let Owner::Service(tagged) = &known.owner
            && tagged != service
        {
            let (service, tagged) = (service.clone(), tagged.clone());
            self.findings.push(Finding::OwnerDiffers { arn: arn.clone(), service, tagged });
        }
        if let Some(source) = known.source.as_ref().filter(|source| source.model.bare() != model.bare()) {
            let (file, shown) = (model.clone(), source.model.clone());
            self.findings.push(Finding::SourceDiffers { arn: arn.clone(), file, shown });
        }
        // Of one that is tagged, discovery says it already.
        if let Some(status) = known.inactive.clone().filter(|_| !tagged) {
            self.findings.push(Finding::NotActive { arn, status });
        }
    }
}

fn left_over(service: &ServiceName, model: &ModelId, taken: &ProfileArn, left: &ProfileArn) -> Finding {
    let (service, model) = (service.clone(), model.clone());
    let (taken, left) = (taken.clone(), left.clone());
    if taken.region() == left.region() {
        Finding::Duplicate { service, model, taken, left }
    } else {
        Finding::OtherRegion { service, model, taken, left }
    }
}
