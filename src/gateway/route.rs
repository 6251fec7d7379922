//! Where a call goes, and under whose name: what resolving it came to.

use crate::catalog::Service;
use crate::domain::{Attribution, Charge, ModelId, Operation, ProfileArn, Record, Region};
use crate::forward::credentials::CredentialsCache;
use crate::forward::endpoint::EndpointError;
use crate::forward::{Endpoint, Stem, WirePath};
use crate::metrics::RouteMetrics;
use crate::operation::{Resource, encode};
use crate::price::{PriceTable, Rates};
use crate::resolve::ResolveError;
use crate::tap::Family;
use http::HeaderValue;
use std::sync::Arc;

/// A service's way to a model: immutable, shared by all calls that take it.
#[derive(Debug)]
pub struct Route {
    /// Who calls.
    pub service: Arc<Service>,
    /// The region whose endpoint is called and that the signature names.
    pub region: Region,
    /// That region's endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Whose credentials sign: the gateway's own, or those of the account that the profile belongs to.
    pub signer: Arc<CredentialsCache>,
    /// The metric handles.
    pub metrics: Arc<RouteMetrics>,
    /// What sets the usage of the model that answers apart from others'.
    pub family: &'static Family,
    /// The model id as the client asked for it, decoded.
    pub requested_model: Option<ModelId>,
    /// What the profile was copied from.
    pub source_model: Option<ModelId>,
    /// The profile that AWS bills the call under.
    pub profile: Option<ProfileArn>,
    /// What its calls cost.
    pub rates: Rates,
    /// The service's name for the answer.
    pub service_header: HeaderValue,
    /// The profile's ARN for the answer; `none` where there is no profile.
    pub profile_header: HeaderValue,
    /// `/model/{id}`, encoded for upstream; empty where there is no model.
    model_path: Stem,
    prices: PriceTable,
}

/// Where calls go, and who signs them.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The region.
    pub region: Region,
    /// The region's endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Whose credentials sign.
    pub signer: Arc<CredentialsCache>,
}

/// Why there is no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The model id in the path cannot be read.
    #[error(
        "the model id in the path is malformed: percent-encode it once, as the AWS SDKs do, \
         and use only A-Z a-z 0-9 . _ : / -"
    )]
    Malformed,
    /// The catalog has none.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The region has no endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The service is not of this snapshot: a bug.
    #[error("the service has no routes")]
    Lost,
}

impl Route {
    /// Returns the route of a service to a region, with no model yet.
    pub fn new(
        service: Arc<Service>,
        to: Destination,
        metrics: Arc<RouteMetrics>,
        prices: PriceTable,
    ) -> Self {
        let Destination { region, endpoint, signer } = to;
        Self {
            rates: prices.rates(&service.name, None, &region),
            prices,
            service_header: header(service.name.as_str()),
            profile_header: HeaderValue::from_static("none"),
            service,
            region,
            endpoint,
            signer,
            metrics,
            family: Family::of(None),
            requested_model: None,
            source_model: None,
            profile: None,
            model_path: Stem::default(),
        }
    }

    /// Sends calls to a model id or ARN.
    #[must_use]
    pub fn for_model(self, wire_id: &str) -> Self {
        Self { model_path: Stem::new(format!("/model/{}", encode(wire_id))), ..self }
    }

    /// Says which model was asked for, and what the profile was copied from, if there is one; the latter is billed.
    #[must_use]
    pub fn priced_as(self, requested: ModelId, source: Option<ModelId>) -> Self {
        let model = source.as_ref().unwrap_or(&requested);
        let (rates, family) = (self.rates_of(model), Family::of(Some(model)));
        Self { rates, family, requested_model: Some(requested), source_model: source, ..self }
    }

    /// Returns the model that answers, as far as the request tells.
    pub fn model(&self) -> Option<&ModelId> {
        self.source_model.as_ref().or(self.requested_model.as_ref())
    }

    /// Returns the id that policies go by: what the profile was copied from, or, without one, what was asked for.
    pub fn policy_model(&self) -> Option<&str> {
        self.model().map(ModelId::bare)
    }

    /// Returns what a call on this route costs.
    pub fn charge(&self, record: &Record) -> Charge {
        match &record.invoked_model {
            // A prompt router says which model it called; that one is billed.
            Some(model) => self.rates_of(model).charge_record(record),
            None => self.rates.charge_record(record),
        }
    }

    fn rates_of(&self, model: &ModelId) -> Rates {
        self.prices.rates(&self.service.name, Some(model), &self.region)
    }

    /// Has AWS bill calls under a profile.
    #[must_use]
    pub fn under(self, profile: ProfileArn) -> Self {
        Self { profile_header: header(profile.as_str()), profile: Some(profile), ..self }
    }

    /// Returns the upstream path of an operation on a resource.
    pub fn path<'a>(&'a self, operation: Operation, resource: &Resource<'_>) -> WirePath<'a> {
        if let Resource::Path(path) = resource {
            return path.clone().into();
        }
        self.model_path.join(match operation {
            Operation::Converse => "/converse",
            Operation::ConverseStream => "/converse-stream",
            Operation::InvokeModel => "/invoke",
            Operation::InvokeModelWithResponseStream => "/invoke-with-response-stream",
            Operation::CountTokens => "/count-tokens",
            Operation::ApplyGuardrail
            | Operation::InvokeGuardrailChecks
            | Operation::StartAsyncInvoke
            | Operation::GetAsyncInvoke
            | Operation::ListAsyncInvokes => "",
        })
    }

    /// Returns which of AWS's books split a call on this route by service.
    pub fn attribution(&self) -> Attribution {
        if self.profile.is_some() { Attribution::Profile } else { Attribution::LedgerOnly }
    }
}

/// Names and ARNs hold only bytes that a header may hold.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"))
}
