//! The map from services to their profiles: immutable, built whole, swapped whole.

mod merge;
mod owners;
#[cfg(test)]
mod tests;

use crate::config::ServicesFile;
use crate::discovery::{Discovered, Finding, Owner, SourceKnowledge};
use crate::domain::{
    CertificateNames, ClientCertificate, ModelId, ModelPattern, Operation, ProfileArn, RoleArn, ServiceName,
    fits_any,
};
use merge::Merge;
use owners::Owners;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All services and who owns which profile.
#[derive(Debug, Default)]
pub struct Catalog {
    services: HashMap<ServiceName, Arc<Service>>,
    owners: Owners,
    certificates: CertificateNames<ServiceName>,
    findings: Vec<Finding>,
}

/// A service and what it may call.
#[derive(Debug)]
pub struct Service {
    /// The service's name.
    pub name: ServiceName,
    /// Its tags, for records and reports.
    pub tags: Arc<BTreeMap<String, String>>,
    /// Its profiles: those of the services file, in its order, then those that are tagged for it, by source model.
    pub profiles: Vec<Profile>,
    /// What the model id `default` means.
    pub default_model: Option<ModelId>,
    /// Other names for models.
    pub aliases: BTreeMap<String, ModelId>,
    /// Operations beyond those that every service may use.
    pub allowed_operations: Vec<Operation>,
    /// The models that its calls may use, by patterns of their ids; none is all.
    pub allowed_models: Vec<ModelPattern>,
    /// The role that its calls are signed with, in a session of its own, in place of the gateway's credentials.
    pub session_role: Option<RoleArn>,
    /// Whether its calls say in their request metadata whose they are.
    pub stamp_request_metadata: bool,
}

/// An application inference profile of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What the profile was copied from.
    pub source_model: ModelId,
    /// The profile's ARN.
    pub arn: ProfileArn,
    /// How the source model is known.
    pub knowledge: SourceKnowledge,
}

impl Catalog {
    /// Builds the catalog of a services file, which has been validated, and of what AWS has; the file wins.
    pub fn build(file: &ServicesFile, discovered: &Discovered) -> Self {
        let stated = file.services.iter().map(|spec| spec.profiles.len()).sum::<usize>();
        let mut catalog = Self {
            services: HashMap::with_capacity(file.services.len()),
            owners: Owners::with_capacity(stated.max(discovered.profiles.len())),
            ..Self::default()
        };
        let mut merge = Merge::of(file, discovered);
        for spec in &file.services {
            let profiles = merge.profiles(&spec.name, &spec.profiles);
            catalog.add(Service {
                name: spec.name.clone(),
                tags: merge.tags(&profiles, &spec.tags),
                profiles,
                default_model: spec.default_model.clone(),
                aliases: spec.aliases.clone(),
                allowed_operations: spec.allowed_operations.clone(),
                allowed_models: spec.allowed_models.clone(),
                session_role: spec.session_role.clone(),
                stamp_request_metadata: spec.stamp_request_metadata,
            });
        }
        for name in discovered.services.keys() {
            if !catalog.services.contains_key(name) {
                catalog.add_discovered(name, &mut merge);
            }
        }
        for (arn, known) in &discovered.profiles {
            if let Owner::Service(owner) = &known.owner {
                // Also of what no call of the owner's leads to: AWS bills it all the same.
                catalog.owners.add(arn, owner);
            }
        }
        let rules = file
            .services
            .iter()
            .flat_map(|spec| spec.client_certificates.iter().map(|rule| (rule.clone(), spec.name.clone())));
        catalog.certificates = CertificateNames::new(rules);
        catalog.findings = merge.findings();
        catalog
    }

    fn add_discovered(&mut self, name: &ServiceName, merge: &mut Merge<'_>) {
        let profiles = merge.profiles(name, &[]);
        // The services file may have given all of them to others.
        if !profiles.is_empty() {
            self.add(Service {
                name: name.clone(),
                tags: merge.tags(&profiles, &Arc::default()),
                profiles,
                default_model: None,
                aliases: BTreeMap::new(),
                allowed_operations: Vec::new(),
                allowed_models: Vec::new(),
                session_role: None,
                stamp_request_metadata: false,
            });
        }
    }

    fn add(&mut self, service: Service) {
        for profile in &service.profiles {
            self.owners.add(&profile.arn, &service.name);
        }
        self.services.insert(service.name.clone(), Arc::new(service));
    }

    /// Returns the service of that name.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.get(name)
    }

    /// Returns every service, in no particular order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// Returns the services that a client certificate names.
    pub fn certified(&self, certificate: &ClientCertificate) -> Vec<&ServiceName> {
        self.certificates.services(certificate)
    }

    /// Returns what is wrong in AWS, and between AWS and the services file.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the service whose profile has that ARN or id.
    pub fn owner(&self, profile: &str) -> Option<&ServiceName> {
        self.owners.of(profile)
    }
}

impl Profile {
    /// Returns a profile of the services file.
    pub fn stated(source_model: ModelId, arn: ProfileArn) -> Self {
        Self { source_model, arn, knowledge: SourceKnowledge::Stated }
    }
}

impl Service {
    /// Tells whether the service may use an operation.
    pub fn may_use(&self, operation: Operation) -> bool {
        operation.is_allowed_by_default() || self.allowed_operations.contains(&operation)
    }

    /// Tells whether the service may use a model, by the id that policies go by: what the profile was copied from, or,
    /// where there is no profile, what is asked for.
    pub fn may_use_model(&self, id: &str) -> bool {
        fits_any(&self.allowed_models, id)
    }
}
