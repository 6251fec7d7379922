//! Money as a Prometheus counter: exact inside, a float only where it is scraped.

use crate::domain::Money;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The labels of the family, in their order.
const LABELS: [&str; 3] = ["service", "profile", "model"];

/// `tollgate_estimated_cost_usd_total{service,profile,model}`.
#[derive(Debug, Clone)]
pub(super) struct CostFamily {
    desc: Desc,
    counters: Arc<Mutex<BTreeMap<[String; 3], Arc<CostCounter>>>>,
}

/// The money of one service, profile and model.
#[derive(Debug, Default)]
pub(super) struct CostCounter(Mutex<Money>);

impl CostCounter {
    /// Adds to it.
    pub(super) fn add(&self, cost: Money) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += cost;
    }

    /// Returns all of it.
    pub(super) fn get(&self) -> Money {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CostFamily {
    /// Makes the family, with no counters yet.
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let help = "Usage at the price table's prices, estimates of usage included: an estimate until it is \
                    reconciled with AWS's bill.";
        let desc = Desc::new(
            "tollgate_estimated_cost_usd_total".to_owned(),
            help.to_owned(),
            LABELS.map(str::to_owned).to_vec(),
            std::collections::HashMap::new(),
        )?;
        Ok(Self { desc, counters: Arc::default() })
    }

    /// Returns the counter of these labels.
    pub(super) fn counter(&self, labels: &[String; 3]) -> Arc<CostCounter> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counters.entry(labels.clone()).or_default())
    }
}

impl Collector for CostFamily {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let samples: Vec<Metric> =
            counters.iter().map(|(labels, counter)| sample(labels, counter.get())).collect();
        if samples.is_empty() {
            return Vec::new();
        }
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::COUNTER);
        family.set_metric(samples);
        vec![family]
    }
}

fn sample(labels: &[String; 3], cost: Money) -> Metric {
    let pairs = LABELS.iter().zip(labels).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    });
    let mut counter = Counter::default();
    // Its text is exact, so the float is the nearest that there is.
    counter.set_value(cost.to_string().parse().unwrap_or(f64::MAX));
    let mut metric = Metric::default();
    metric.set_label(pairs.collect());
    metric.set_counter(counter);
    metric
}
