//! The handles of one route.

use super::Metrics;
use super::cost::CostCounter;
use crate::domain::{Money, Operation, Outcome, Tokens, Unit};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The handles of one route, each made at its first use.
#[derive(Debug)]
pub struct RouteMetrics {
    pub(super) metrics: Arc<Metrics>,
    /// Service, profile, model.
    pub(super) labels: [String; 3],
    pub(super) tokens: [OnceLock<IntCounter>; 5],
    pub(super) cost: OnceLock<Arc<CostCounter>>,
    pub(super) operations: [OnceLock<OperationMetrics>; Operation::ALL.len()],
    /// Calls of the service under way.
    pub in_flight: IntGauge,
}

/// The handles of one operation of a route.
#[derive(Debug)]
pub struct OperationMetrics {
    plain_success: IntCounter,
    /// A whole call.
    pub duration: Histogram,
    /// Until the head of the answer.
    pub first_byte: Histogram,
    /// The gateway's own part.
    pub overhead: Histogram,
}

impl RouteMetrics {
    /// Returns the metrics that the handles belong to.
    pub fn all(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Returns the handles of an operation.
    pub fn operation(&self, operation: Operation) -> Option<&OperationMetrics> {
        let at = Operation::ALL.iter().position(|known| *known == operation)?;
        let slot = self.operations.get(at)?;
        Some(slot.get_or_init(|| {
            let [service, ..] = &self.labels;
            let (service, name) = (service.as_str(), operation.name());
            OperationMetrics {
                plain_success: self.requests(operation, "200", Outcome::Ok),
                duration: self.metrics.calls.duration.with_label_values(&[service, name]),
                first_byte: self.metrics.calls.first_byte.with_label_values(&[service, name]),
                overhead: self.metrics.calls.overhead.with_label_values(&[name]),
            }
        }))
    }

    /// Counts a call that has ended.
    pub fn ended(&self, operation: Operation, status: Option<u16>, outcome: Outcome, lasted: Duration) {
        let handles = self.operation(operation);
        if let (Some(handles), Some(200), Outcome::Ok) = (handles, status, outcome) {
            handles.plain_success.inc();
        } else {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            self.requests(operation, &status, outcome).inc();
        }
        if let Some(handles) = handles {
            handles.duration.observe(lasted.as_secs_f64());
        }
    }

    /// Adds tokens as Bedrock stated them.
    pub fn add_tokens(&self, tokens: &Tokens) {
        for ((kind, count), slot) in tokens.by_kind().into_iter().zip(&self.tokens) {
            if let Some(count) = count {
                slot.get_or_init(|| self.kind(&self.metrics.usage.tokens, kind)).inc_by(count);
            }
        }
    }

    /// Adds tokens that are estimates.
    pub fn add_estimated_tokens(&self, tokens: &Tokens) {
        for (kind, count) in tokens.by_kind() {
            if let Some(count) = count {
                self.kind(&self.metrics.usage.estimated_tokens, kind).inc_by(count);
            }
        }
    }

    /// Adds estimated cost.
    pub fn add_cost(&self, cost: Money) {
        self.cost.get_or_init(|| self.metrics.usage.cost.counter(&self.labels)).add(cost);
    }

    /// Counts a call that has no price.
    pub fn unpriced(&self) {
        let [.., model] = &self.labels;
        self.metrics.usage.unpriced.with_label_values(&[model.as_str()]).inc();
    }

    /// Adds what is billed by other units than tokens.
    pub fn add_units(&self, units: &[(Unit, u64)]) {
        for (unit, count) in units {
            self.kind(&self.metrics.usage.units, unit.name()).inc_by(*count);
        }
    }

    fn kind(&self, family: &IntCounterVec, kind: &str) -> IntCounter {
        let [service, profile, model] = &self.labels;
        family.with_label_values(&[service.as_str(), profile, model, kind])
    }

    fn requests(&self, operation: Operation, status: &str, outcome: Outcome) -> IntCounter {
        let [service, profile, model] = &self.labels;
        let labels = [service.as_str(), profile, model, operation.name(), status, outcome.name()];
        self.metrics.calls.requests.with_label_values(&labels)
    }
}
