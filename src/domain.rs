//! The words of the product as validated types. Depends on nothing else of ours.

mod certificate_name;
mod charge;
mod client_certificate;
mod glob;
mod model;
mod model_pattern;
mod money;
mod operation;
mod peer;
mod profile;
mod record;
mod request_id;
mod role;
mod service;
mod session;
pub(crate) mod stamp;
mod usage;

pub use certificate_name::{CertificateName, CertificateNames, InvalidCertificateName};
pub use charge::Charge;
pub use client_certificate::ClientCertificate;
pub use model::{InvalidModelId, ModelId};
pub use model_pattern::{InvalidModelPattern, ModelPattern, fits_any};
pub use money::{InvalidMoney, Money};
pub use operation::Operation;
pub use peer::Peer;
pub use profile::{InvalidProfileArn, ProfileArn, Region};
pub use record::{Attribution, MissingReason, Outcome, Record, UsageSource};
pub use request_id::RequestId;
pub use role::{InvalidRoleArn, RoleArn, is_account};
pub use service::{InvalidServiceName, ServiceName};
pub use session::RoleSession;
pub use usage::{Picture, Policy, Tokens, Unit, Usage};
