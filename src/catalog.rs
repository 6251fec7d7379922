//! The map from services to their profiles: immutable, built whole, swapped whole.

use crate::config::ServicesFile;
use crate::domain::{ModelId, Operation, ProfileArn, ServiceName};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All services and who owns which key and profile.
#[derive(Debug, Default)]
pub struct Catalog {
    services: HashMap<ServiceName, Arc<Service>>,
    keys: HashMap<[u8; 32], ServiceName>,
    owners: HashMap<String, ServiceName>,
}

/// A service and what it may call.
#[derive(Debug)]
pub struct Service {
    /// The service's name.
    pub name: ServiceName,
    /// Its tags, for records and reports.
    pub tags: Arc<BTreeMap<String, String>>,
    /// Its profiles, in the order of the services file.
    pub profiles: Vec<Profile>,
    /// What the model id `default` means.
    pub default_model: Option<ModelId>,
    /// Other names for models.
    pub aliases: BTreeMap<String, ModelId>,
    /// Operations beyond those that every service may use.
    pub allowed_operations: Vec<Operation>,
}

/// An application inference profile of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What the profile was copied from.
    pub source_model: ModelId,
    /// The profile's ARN.
    pub arn: ProfileArn,
}

/// The short public name of a service key: the first 16 hex digits of its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(pub String);

impl Catalog {
    /// Builds the catalog of a services file, which has been validated.
    pub fn build(file: ServicesFile) -> Self {
        let mut catalog = Self::default();
        for spec in file.services {
            for key in &spec.key_sha256 {
                catalog.keys.insert(*key, spec.name.clone());
            }
            let profiles: Vec<Profile> =
                spec.profiles.into_iter().map(|(source_model, arn)| Profile { source_model, arn }).collect();
            for profile in &profiles {
                catalog.owners.insert(profile.arn.as_str().to_owned(), spec.name.clone());
                catalog.owners.insert(profile.arn.id().to_owned(), spec.name.clone());
            }
            let service = Service {
                name: spec.name.clone(),
                tags: Arc::new(spec.tags),
                profiles,
                default_model: spec.default_model,
                aliases: spec.aliases,
                allowed_operations: spec.allowed_operations,
            };
            catalog.services.insert(spec.name, Arc::new(service));
        }
        catalog
    }

    /// Returns the service of that name.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.get(name)
    }

    /// Returns every service, in no particular order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// Returns the service that a key belongs to, and the key's id.
    pub fn key(&self, secret: &str) -> Option<(&ServiceName, KeyId)> {
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let first = hash.iter().take(8).fold(0_u64, |id, byte| (id << 8) | u64::from(*byte));
        self.keys.get(&hash).map(|service| (service, KeyId(format!("{first:016x}"))))
    }

    /// Returns the service whose profile has that ARN or id.
    pub fn owner(&self, profile: &str) -> Option<&ServiceName> {
        self.owners.get(profile)
    }
}

impl Service {
    /// Tells whether the service may use an operation.
    pub fn may_use(&self, operation: Operation) -> bool {
        operation.is_allowed_by_default() || self.allowed_operations.contains(&operation)
    }
}
