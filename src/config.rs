//! Typed settings of the gateway and of its services.

use crate::domain::{ModelId, Operation, ProfileArn, ServiceName};
use http::HeaderName;
use std::collections::BTreeMap;

/// A way in which a caller can name its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A service key, as bearer token or `x-api-key`.
    Key,
    /// The path prefix `/s/{service}`.
    Path,
    /// The identity header.
    Header,
}

/// How callers are identified.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The accepted ways.
    pub methods: Vec<Method>,
    /// The identity header's name.
    pub header: HeaderName,
}

impl Identity {
    /// Tells whether a way is accepted.
    pub fn accepts(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }
}

impl Default for Identity {
    /// All three ways, with the header `x-tollgate-service`.
    fn default() -> Self {
        Self {
            methods: vec![Method::Key, Method::Path, Method::Header],
            header: HeaderName::from_static("x-tollgate-service"),
        }
    }
}

/// What becomes of a model id that no profile of the service fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnmappedModel {
    /// The call is refused.
    #[default]
    Reject,
    /// The call is forwarded as asked, attributed in the ledger only.
    Passthrough,
}

/// The services, as a services file declares them.
#[derive(Debug, Clone, Default)]
pub struct ServicesFile {
    /// One entry per service.
    pub services: Vec<ServiceSpec>,
}

/// One service, as declared.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// The service's name.
    pub name: ServiceName,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its profiles by source model.
    pub profiles: Vec<(ModelId, ProfileArn)>,
    /// What the model id `default` means.
    pub default_model: Option<ModelId>,
    /// Other names for models.
    pub aliases: BTreeMap<String, ModelId>,
    /// SHA-256 hashes of its service keys.
    pub key_sha256: Vec<[u8; 32]>,
    /// Operations beyond those that every service may use.
    pub allowed_operations: Vec<Operation>,
}
