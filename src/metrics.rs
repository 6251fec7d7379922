//! Every metric family, its help and its labels.
//!
//! Label values come from the catalog and from fixed lists, never from clients.

mod catalog;
mod cost;
mod families;
mod ledger;
mod route;
mod stamps;
mod tls;
mod upstream;

use crate::config::Ingress;
use crate::discovery::Finding;
use crate::domain::{MissingReason, Money, ServiceName};
use crate::request_metadata::Stamped;
use catalog::CatalogFamilies;
use cost::CostFamily;
use families::{Families, counter, gauge, histogram};
use ledger::LedgerFamilies;
pub use ledger::LedgerState;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
pub use route::{OperationMetrics, RouteMetrics};
use stamps::StampFamilies;
pub use stamps::StampPlace;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
pub use tls::Plane;
use tls::TlsFamilies;
use upstream::UpstreamFamilies;
pub use upstream::{ConnectFault, End, UpstreamMetrics};

/// Seconds of a whole call: from a cached embedding to a long generation.
const CALL_BUCKETS: [f64; 14] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];

/// Seconds of the gateway's own part: tens of microseconds, more for large bodies.
const OVERHEAD_BUCKETS: [f64; 11] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25];

/// The label value of what has no profile.
pub const NO_PROFILE: &str = "none";

/// The label value of a model that is in no catalog.
pub const OTHER_MODEL: &str = "other";

/// The label value of a service that is in no catalog.
pub const UNKNOWN_SERVICE: &str = "unknown";

/// All metric families of the gateway.
#[derive(Debug)]
pub struct Metrics {
    families: Families,
    calls: CallFamilies,
    usage: UsageFamilies,
    ledger: LedgerFamilies,
    catalog: CatalogFamilies,
    tls: TlsFamilies,
    stamps: StampFamilies,
    upstream: UpstreamFamilies,
    rejected: IntCounterVec,
    config_reloads: IntCounterVec,
    access_log_dropped: IntGaugeVec,
}

/// What calls did.
#[derive(Debug)]
struct CallFamilies {
    requests: IntCounterVec,
    duration: HistogramVec,
    first_byte: HistogramVec,
    overhead: HistogramVec,
    in_flight: IntGaugeVec,
    client_gone: IntCounterVec,
}

/// What calls used.
#[derive(Debug)]
struct UsageFamilies {
    tokens: IntCounterVec,
    estimated_tokens: IntCounterVec,
    units: IntCounterVec,
    missing: IntCounterVec,
    labels_dropped: IntCounterVec,
    cost: CostFamily,
    unpriced: IntCounterVec,
}

/// What becomes of a call whose client left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneAction {
    /// Upstream is read to its end.
    Drained,
    /// The upstream call is broken off.
    Cancelled,
}

impl CallFamilies {
    fn register(to: &Families) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: counter(
                to,
                "requests_total",
                "Calls that went, or tried to go, upstream; refusals are in tollgate_rejected_total.",
                &["service", "profile", "model", "operation", "status", "outcome"],
            )?,
            duration: histogram(
                to,
                "request_duration_seconds",
                "From a request's head to the end of its answer.",
                &["service", "operation"],
                &CALL_BUCKETS,
            )?,
            first_byte: histogram(
                to,
                "time_to_first_byte_seconds",
                "From a request's head to the head of upstream's answer.",
                &["service", "operation"],
                &CALL_BUCKETS,
            )?,
            overhead: histogram(
                to,
                "overhead_seconds",
                "The gateway's own part before a request is sent upstream, without the wait for its body.",
                &["operation"],
                &OVERHEAD_BUCKETS,
            )?,
            in_flight: gauge(to, "in_flight_requests", "Calls under way, drains included.", &["service"])?,
            client_gone: counter(
                to,
                "client_gone_total",
                "Calls whose client left before the end.",
                &["service", "action"],
            )?,
        })
    }
}

impl UsageFamilies {
    fn register(to: &Families) -> Result<Self, prometheus::Error> {
        Ok(Self {
            tokens: counter(
                to,
                "tokens_total",
                "Tokens as Bedrock stated them.",
                &["service", "profile", "model", "kind"],
            )?,
            estimated_tokens: counter(
                to,
                "estimated_tokens_total",
                "Tokens estimated because no final statement came; never also in tollgate_tokens_total.",
                &["service", "profile", "model", "kind"],
            )?,
            units: counter(
                to,
                "units_total",
                "What is billed in other units than tokens.",
                &["service", "profile", "model", "unit"],
            )?,
            missing: counter(
                to,
                "usage_missing_total",
                "Billable successes whose usage nobody stated: to be explained.",
                &["service", "reason"],
            )?,
            labels_dropped: counter(
                to,
                "labels_dropped_total",
                "Entries of x-tollgate-labels that broke its rules.",
                &["service"],
            )?,
            cost: to.add(CostFamily::new()?)?,
            unpriced: counter(
                to,
                "unpriced_total",
                "Calls whose usage is known and has no price: `tollgate prices check` says which.",
                &["model"],
            )?,
        })
    }
}

impl Metrics {
    /// Makes and registers every family.
    ///
    /// # Errors
    /// Two families of one name: a bug.
    pub fn new() -> Result<Self, prometheus::Error> {
        let families = Families::default();
        let metrics = Self {
            calls: CallFamilies::register(&families)?,
            usage: UsageFamilies::register(&families)?,
            ledger: LedgerFamilies::register(&families)?,
            catalog: CatalogFamilies::register(&families)?,
            tls: TlsFamilies::register(&families)?,
            stamps: StampFamilies::register(&families)?,
            upstream: UpstreamFamilies::register(&families)?,
            rejected: counter(
                &families,
                "rejected_total",
                "Calls refused, or failed by the gateway, by the code in x-tollgate-error.",
                &["service", "code"],
            )?,
            config_reloads: counter(
                &families,
                "config_reloads_total",
                "Reloads of config and services file; one that failed changed nothing.",
                &["result"],
            )?,
            access_log_dropped: gauge(
                &families,
                "access_log_dropped_lines",
                "Access log lines lost since the start because their reader was too slow.",
                &[],
            )?,
            families,
        };
        let build = gauge(&metrics.families, "build_info", "The version, as a label.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        for result in ["ok", "failed"] {
            metrics.config_reloads.with_label_values(&[result]);
        }
        Ok(metrics)
    }

    /// Returns every family in Prometheus' text format.
    ///
    /// # Errors
    /// A family that cannot be encoded: a bug.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.families.render()
    }

    /// Counts a refusal, or a fault before an answer.
    pub fn rejected(&self, service: &str, code: &str) {
        self.rejected.with_label_values(&[service, code]).inc();
    }

    /// Counts a client that left.
    pub fn client_gone(&self, service: &ServiceName, action: GoneAction) {
        let action = match action {
            GoneAction::Drained => "drained",
            GoneAction::Cancelled => "cancelled",
        };
        self.calls.client_gone.with_label_values(&[service.as_str(), action]).inc();
    }

    /// Returns how many tokens of a kind Bedrock has stated for a route.
    pub fn tokens(&self, service: &ServiceName, profile: &str, model: &str, kind: &str) -> u64 {
        self.usage.tokens.with_label_values(&[service.as_str(), profile, model, kind]).get()
    }

    /// Counts entries of `x-tollgate-labels` that were dropped.
    pub fn labels_dropped(&self, service: &ServiceName, entries: u64) {
        if entries > 0 {
            self.usage.labels_dropped.with_label_values(&[service.as_str()]).inc_by(entries);
        }
    }

    /// Counts what stamping a call's request metadata came to.
    pub fn stamped(&self, service: &ServiceName, place: StampPlace, stamped: Stamped) {
        self.stamps.count(service, place, stamped);
    }

    /// Counts a billable success without usage.
    pub fn usage_missing(&self, service: &ServiceName, reason: MissingReason) {
        self.usage.missing.with_label_values(&[service.as_str(), reason.name()]).inc();
    }

    /// Counts a reload of config and services file.
    pub fn reloaded<T, E>(&self, result: &Result<T, E>) {
        self.config_reloads.with_label_values(&[if result.is_ok() { "ok" } else { "failed" }]).inc();
    }

    /// Says how old what discovery found is, if it has found anything yet, and what is wrong with it.
    pub fn discovery(&self, age: Option<Duration>, findings: &[Finding]) {
        self.catalog.say(age, findings);
    }

    /// Counts a look at AWS that did not show all.
    pub fn discovery_failed(&self) {
        self.catalog.failed();
    }

    /// Counts a profile that was to be made for a service at its first call.
    pub fn provisioned<T, E>(&self, service: &ServiceName, result: &Result<T, E>) {
        self.catalog.provisioned(service, if result.is_ok() { "ok" } else { "failed" });
    }

    /// Counts a client's connection that came to no TLS.
    pub fn tls_failed(&self, plane: Plane) {
        self.tls.failed(plane);
    }

    /// Says until when what TLS works with holds.
    pub fn ingress(&self, ingress: &Ingress) {
        self.tls.say(Plane::Data, ingress.data.as_ref());
        self.tls.say(Plane::Admin, ingress.admin.as_ref());
    }

    /// Returns the handles of connections to an endpoint.
    pub fn upstream(&self, endpoint: &str) -> UpstreamMetrics {
        self.upstream.of(endpoint)
    }

    /// Says how many connections to an endpoint there are, with a call and without.
    pub fn upstream_connections(&self, endpoint: &str, busy: usize, resting: usize) {
        self.upstream.say(endpoint, busy, resting);
    }

    /// Says how the ledger fares.
    pub fn ledger(&self, state: LedgerState) {
        self.ledger.say(state);
    }

    /// Returns what a route has cost.
    pub fn cost(&self, service: &ServiceName, profile: &str, model: &str) -> Money {
        self.usage.cost.counter(&[service.as_str(), profile, model].map(str::to_owned)).get()
    }

    /// Says how many access log lines were lost so far.
    pub fn access_log_dropped(&self, lines: usize) {
        self.access_log_dropped.with_label_values::<&str>(&[]).set(i64::try_from(lines).unwrap_or(i64::MAX));
    }

    /// Returns the handles of a route.
    pub fn route(self: &Arc<Self>, service: &ServiceName, profile: &str, model: &str) -> RouteMetrics {
        RouteMetrics {
            metrics: Arc::clone(self),
            labels: [service.as_str().to_owned(), profile.to_owned(), model.to_owned()],
            tokens: std::array::from_fn(|_| OnceLock::new()),
            cost: OnceLock::new(),
            operations: std::array::from_fn(|_| OnceLock::new()),
            in_flight: self.calls.in_flight.with_label_values(&[service.as_str()]),
        }
    }
}
