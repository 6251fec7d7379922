//! Everything that the gateway asks AWS beside the calls that it forwards: which profiles there are, their tags, making
//! and deleting them, the cost allocation of tags, roles of other accounts, and who it is itself.
//!
//! The clients are configured in code alone: `AWS_ENDPOINT_URL*` does not redirect them, and
//! `AWS_BEARER_TOKEN_BEDROCK` does not take the place of a signature. Every request goes through one place (`desk.rs`), which
//! names its [`Action`], keeps the pace that AWS allows, and tries again where that helps.

mod action;
mod costs;
mod desk;
mod error;
mod kms;
mod pace;
mod profiles;
mod read;
mod reader;
mod roles;

pub use action::{Action, Purpose};
pub use costs::CostTagStatus;
pub use error::{AwsError, ErrorKind};
pub use kms::Kms;
pub use profiles::{Listed, NewProfile};
pub use read::{Effort, Look, TagsRead};
pub use roles::Lender;

use crate::clock::Clock;
use crate::config::{Egress, Upstream};
use crate::domain::{Region, RoleArn, RoleSession};
use crate::forward::credentials::aws_client;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use desk::Desk;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What the gateway needs to ask AWS at all: its own credentials, and its way out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    credentials: SharedCredentialsProvider,
    http: SharedHttpClient,
    clock: Clock,
}

/// A region, as it is seen with the gateway's own credentials or with a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The role; `None` is the gateway itself.
    pub role: Option<RoleArn>,
    /// The region.
    pub region: Region,
}

/// AWS, as the gateway sees it. Cheap to clone; clones share clients and pace.
#[derive(Debug, Clone)]
pub struct Aws(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    access: Access,
    upstream: Upstream,
    /// Credentials at hand, of all regions: a role is assumed once.
    identities: SharedIdentityCache,
    /// One provider per role, or the cache would not know that they are the same.
    roles: HashMap<RoleArn, SharedCredentialsProvider>,
    desks: Mutex<HashMap<Site, Arc<Desk>>>,
    /// The account of the gateway's own credentials, once it is known.
    account: tokio::sync::OnceCell<String>,
}

impl Access {
    /// Prepares to ask AWS with the gateway's own credentials.
    ///
    /// # Errors
    /// TLS cannot be set up with the CA bundle.
    pub fn new(
        credentials: SharedCredentialsProvider,
        egress: &Egress,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self { credentials, http: aws_client(egress.ca_bundle.as_ref())?, clock })
    }

    /// Returns where the gateway's own credentials come from.
    pub fn credentials(&self) -> SharedCredentialsProvider {
        self.credentials.clone()
    }

    /// Returns the clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns where the credentials of a role come from: STS, asked with the gateway's own.
    pub fn role(&self, role: &RoleArn, upstream: &Upstream) -> SharedCredentialsProvider {
        Lender::new(self, upstream).session(RoleSession::of_gateway(role.clone()))
    }
}

impl Site {
    /// Returns a region, as the gateway itself sees it.
    pub fn own(region: Region) -> Self {
        Self { role: None, region }
    }

    /// Returns a region, as a role sees it.
    pub fn of_role(role: RoleArn, region: Region) -> Self {
        Self { role: Some(role), region }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            Some(role) => write!(f, "in {} as {role}", self.region),
            None => write!(f, "in {}", self.region),
        }
    }
}

impl Aws {
    /// Returns AWS as the config has it; asks nothing yet.
    pub fn new(access: &Access, upstream: &Upstream) -> Self {
        let roles = upstream.roles.values().map(|role| (role.clone(), access.role(role, upstream)));
        Self(Arc::new(Inner {
            access: access.clone(),
            upstream: upstream.clone(),
            identities: IdentityCache::lazy().build(),
            roles: roles.collect(),
            desks: Mutex::default(),
            account: tokio::sync::OnceCell::new(),
        }))
    }

    /// Returns all sites of regions: as the gateway itself sees them, and as each role of the config does.
    pub fn sites(&self, regions: &BTreeSet<Region>) -> Vec<Site> {
        let roles = || self.0.upstream.roles.values().cloned().map(Some);
        let of_region = |region: &Region| {
            let region = region.clone();
            [None].into_iter().chain(roles()).map(move |role| Site { role, region: region.clone() })
        };
        regions.iter().flat_map(of_region).collect()
    }

    /// Returns the site in which profiles of an account are asked about: with that account's role, where it has one.
    pub fn site_of(&self, account: &str, region: &Region) -> Site {
        Site { role: self.0.upstream.roles.get(account).cloned(), region: region.clone() }
    }

    /// Returns the accounts of all sites, once the gateway's own is known.
    fn accounts(&self) -> Option<BTreeSet<String>> {
        let own = self.0.account.get()?.clone();
        Some(self.0.upstream.roles.keys().cloned().chain([own]).collect())
    }

    /// Returns the gateway's own site, for what belongs to no region.
    fn home(&self) -> Site {
        Site::own(self.0.upstream.region.clone())
    }

    /// Returns the clients of a site; the same ones each time.
    fn desk(&self, site: &Site) -> Arc<Desk> {
        let mut desks = self.0.desks.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let credentials = match &site.role {
                None => self.0.access.credentials.clone(),
                Some(role) => {
                    let known = self.0.roles.get(role).cloned();
                    known.unwrap_or_else(|| self.0.access.role(role, &self.0.upstream))
                }
            };
            Arc::new(Desk::new(&self.0, site, &credentials))
        };
        Arc::clone(desks.entry(site.clone()).or_insert_with(made))
    }
}
