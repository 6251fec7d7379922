//! Config and catalog as one immutable value, with the routes resolved so far.

use super::relay::{Patience, Surroundings};
use super::route::{Destination, Route, RouteError};
use crate::catalog::{Catalog, Service};
use crate::clock::Clock;
use crate::config::{Config, Loaded, ServicesFile, UnmappedModel};
use crate::discovery::Discovered;
use crate::domain::{ModelId, Operation, Region, ServiceName};
use crate::forward::Endpoint;
use crate::forward::credentials::CredentialsCache;
use crate::forward::endpoint::{EndpointError, Endpoints};
use crate::forward::signers::Signers;
use crate::identify::Known;
use crate::inventory::Inventory;
use crate::keys::Keyring;
use crate::metrics::{Metrics, NO_PROFILE, OTHER_MODEL};
use crate::operation::{Resource, decode};
use crate::price::PriceTable;
use crate::resolve::{Resolved, resolve};
use crate::shutdown::Shutdown;
use dashmap::DashMap;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// How many ways of asking for a model are remembered per service; the next one is resolved at every call.
const MAX_MEMO: usize = 1024;

/// Everything that decides a call's way, swapped whole by a reload.
#[derive(Debug)]
pub struct Snapshot {
    /// The settings.
    pub config: Config,
    /// The services file.
    pub services: Arc<ServicesFile>,
    /// What AWS has of profiles.
    pub inventory: Arc<Inventory>,
    /// The services and their profiles.
    pub catalog: Catalog,
    /// The services' keys.
    pub keyring: Arc<Keyring>,
    /// Where calls are likely to go.
    pub expected: Vec<Arc<Endpoint>>,
    /// What relayed bodies share.
    pub(super) around: Arc<Surroundings>,
    endpoints: Endpoints,
    routes: HashMap<ServiceName, ServiceRoutes>,
    signers: Arc<Signers>,
    metrics: Arc<Metrics>,
    prices: PriceTable,
}

/// What a snapshot is built of: the newest of each.
#[derive(Debug, Clone)]
pub struct Basis {
    /// The settings.
    pub config: Config,
    /// The services file.
    pub services: Arc<ServicesFile>,
    /// What calls cost.
    pub prices: PriceTable,
    /// The services' keys.
    pub keyring: Arc<Keyring>,
    /// What AWS has of profiles.
    pub inventory: Arc<Inventory>,
}

impl Basis {
    /// Returns what files say, with what AWS has.
    pub fn new(loaded: Loaded, keyring: Keyring, inventory: Arc<Inventory>) -> Self {
        let Loaded { config, services, prices, .. } = loaded;
        Self { config, services: Arc::new(services), prices, keyring: Arc::new(keyring), inventory }
    }
}

/// What stays as it is from one snapshot to the next.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Who signs calls.
    pub signers: Arc<Signers>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The stages of the gateway's end.
    pub shutdown: Shutdown,
    /// The clock.
    pub clock: Clock,
}

/// Routes by the model id as it stands in the path.
type Memo = DashMap<Box<str>, Arc<Route>>;

/// The routes of one service; each is made at its first call.
#[derive(Debug, Default)]
struct ServiceRoutes {
    calls: OnceLock<Memo>,
    counts: OnceLock<Memo>,
    /// The route of operations that carry no model in their path.
    modelless: OnceLock<Arc<Route>>,
    /// The session that its calls are signed in, where it has one.
    session: Option<Arc<CredentialsCache>>,
}

/// Returns an empty memo for each service, with the session that its calls are signed in.
fn routes(
    catalog: &Catalog,
    services: &ServicesFile,
    service_tag: &str,
    signers: &Signers,
) -> HashMap<ServiceName, ServiceRoutes> {
    let of = |service: &Arc<Service>| (service.name.clone(), ServiceRoutes::default());
    let mut routes: HashMap<ServiceName, ServiceRoutes> = catalog.services().map(of).collect();
    for spec in &services.services {
        if let (Some(routes), Some(session)) = (routes.get_mut(&spec.name), spec.session(service_tag)) {
            routes.session = Some(signers.session(&session));
        }
    }
    routes
}

impl Snapshot {
    /// Builds, within a tokio runtime, the snapshot of files that are valid, and of what AWS has.
    ///
    /// # Errors
    /// A region without a Bedrock runtime endpoint.
    pub async fn build(basis: Basis, with: Setting) -> Result<Self, EndpointError> {
        let Basis { config, services, prices, keyring, inventory } = basis;
        let Setting { signers, metrics, shutdown, clock } = with;
        let discovered = Discovered::of(&inventory, &config.catalog.service_tag, &config.upstream.region);
        let catalog = Catalog::build(&services, &discovered);
        let mut regions = BTreeSet::new();
        for region in catalog.services().flat_map(|service| regions_of(service)) {
            if !regions.contains(region) {
                regions.insert(region.clone());
            }
        }
        let mut called: Vec<Region> = regions.iter().cloned().collect();
        if called.is_empty() || config.catalog.unmapped_model == UnmappedModel::Passthrough {
            called.push(config.upstream.region.clone());
        }
        regions.insert(config.upstream.region.clone());
        let endpoints = Endpoints::resolve(&config.upstream, regions).await?;
        let expected = called.iter().map(|region| endpoints.of(region)).collect::<Result<_, _>>()?;
        let routes = routes(&catalog, &services, &config.catalog.service_tag, &signers);
        let around = Arc::new(Surroundings {
            patience: Patience::of(&config.upstream),
            shutdown,
            clock,
            runtime: Handle::current(),
        });
        Ok(Self {
            config,
            services,
            inventory,
            catalog,
            keyring,
            expected,
            around,
            endpoints,
            routes,
            signers,
            metrics,
            prices,
        })
    }

    /// Returns by what callers are known.
    pub fn known(&self) -> Known<'_> {
        Known { identity: &self.config.identity, catalog: &self.catalog, keyring: &self.keyring }
    }

    /// Returns what the snapshot was built of.
    pub fn basis(&self) -> Basis {
        Basis {
            config: self.config.clone(),
            services: Arc::clone(&self.services),
            prices: self.prices.clone(),
            keyring: Arc::clone(&self.keyring),
            inventory: Arc::clone(&self.inventory),
        }
    }

    /// Returns the regions to look for profiles in: the gateway's own, those that the config lists, and those of the
    /// services file's profiles.
    pub fn regions(&self) -> BTreeSet<Region> {
        let profiles = self.services.services.iter().flat_map(|service| &service.profiles);
        let mut regions: BTreeSet<Region> = profiles.map(|(_, arn)| arn.region().clone()).collect();
        regions.extend(self.config.catalog.regions.iter().cloned());
        regions.insert(self.config.upstream.region.clone());
        regions
    }

    /// Returns a service as it is by now.
    pub(super) fn service(&self, name: &ServiceName) -> Result<&Arc<Service>, RouteError> {
        self.catalog.service(name.as_str()).ok_or(RouteError::Lost)
    }

    /// Returns where a call of a service goes.
    pub fn route(
        &self,
        service: &Arc<Service>,
        operation: Operation,
        resource: &Resource<'_>,
    ) -> Result<Arc<Route>, RouteError> {
        let routes = self.routes.get(service.name.as_str()).ok_or(RouteError::Lost)?;
        let Resource::Model(raw) = resource else { return self.modelless(service, routes) };
        let memo = if operation == Operation::CountTokens { &routes.counts } else { &routes.calls };
        let memo = memo.get_or_init(|| DashMap::with_shard_amount(SHARDS));
        if let Some(route) = memo.get(*raw) {
            return Ok(Arc::clone(&route));
        }
        let asked = decode(raw).ok_or(RouteError::Malformed)?;
        let asked = ModelId::parse(&asked).map_err(|_| RouteError::Malformed)?;
        let route = Arc::new(self.resolve(service, routes, operation, asked)?);
        if memo.len() < MAX_MEMO {
            memo.insert((*raw).into(), Arc::clone(&route));
        }
        Ok(route)
    }

    fn modelless(&self, service: &Arc<Service>, routes: &ServiceRoutes) -> Result<Arc<Route>, RouteError> {
        let region = &self.config.upstream.region;
        let endpoint = self.endpoints.of(region)?;
        let route = routes.modelless.get_or_init(|| {
            let metrics = Arc::new(self.metrics.route(&service.name, NO_PROFILE, NO_PROFILE));
            let prices = self.prices.clone();
            let signer = Arc::clone(routes.session.as_ref().unwrap_or_else(|| self.signers.own()));
            let to = Destination { region: region.clone(), endpoint, signer };
            Arc::new(Route::new(Arc::clone(service), to, metrics, prices))
        });
        Ok(Arc::clone(route))
    }

    fn resolve(
        &self,
        service: &Arc<Service>,
        routes: &ServiceRoutes,
        operation: Operation,
        asked: ModelId,
    ) -> Result<Route, RouteError> {
        let settings = &self.config.catalog;
        let resolved = resolve(&self.catalog, service, &settings.aliases, settings.unmapped_model, &asked)?;
        let (region, profile) = match resolved {
            Resolved::Profile(found) => (found.profile.arn.region().clone(), Some(found.profile.clone())),
            Resolved::Passthrough => (self.region_of(&asked), None),
        };
        let endpoint = self.endpoints.of(&region)?;
        // An ARN that was asked for by itself may name an account, too.
        let account = profile.as_ref().map_or_else(|| asked.account(), |profile| Some(profile.arn.account()));
        let of_account = || self.signers.of(account.unwrap_or_default());
        let signer = Arc::clone(routes.session.as_ref().unwrap_or_else(of_account));
        let model = profile.as_ref().map_or(OTHER_MODEL, |profile| profile.source_model.as_str());
        let counted = operation == Operation::CountTokens;
        let label = profile.as_ref().filter(|_| !counted).map_or(NO_PROFILE, |profile| profile.arn.id());
        let metrics = Arc::new(self.metrics.route(&service.name, label, model));
        let wire_id = match &profile {
            // CountTokens takes foundation-model ids alone (bedrock-runtime service model).
            Some(profile) if counted => profile.source_model.foundation_model().to_owned(),
            Some(profile) => profile.arn.as_str().to_owned(),
            None => asked.as_str().to_owned(),
        };
        let prices = self.prices.clone();
        let source = profile.as_ref().map(|profile| profile.source_model.clone());
        let to = Destination { region, endpoint, signer };
        let route =
            Route::new(Arc::clone(service), to, metrics, prices).for_model(&wire_id).priced_as(asked, source);
        Ok(match profile {
            Some(profile) if !counted => route.under(profile.arn),
            Some(_) | None => route,
        })
    }

    /// Returns the region that an ARN names, if calls go there at all; else the gateway's own.
    fn region_of(&self, asked: &ModelId) -> Region {
        let named =
            asked.as_str().strip_prefix("arn:").and_then(|rest| Region::parse(rest.split(':').nth(2)?));
        named
            .filter(|region| self.endpoints.of(region).is_ok())
            .unwrap_or(self.config.upstream.region.clone())
    }
}

/// Shards of a service's memo: written once per model id, so few will do.
const SHARDS: usize = 2;

fn regions_of(service: &Service) -> impl Iterator<Item = &Region> {
    service.profiles.iter().map(|profile| profile.arn.region())
}
