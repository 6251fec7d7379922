//! How discovery fares.

use super::families::Families;
use super::{counter, gauge};
use crate::discovery::Finding;
use crate::domain::ServiceName;
use prometheus::{IntCounterVec, IntGaugeVec};
use std::collections::HashMap;
use std::time::Duration;

/// The families of discovery; without it only the failures are there, at zero.
#[derive(Debug)]
pub(super) struct CatalogFamilies {
    age: IntGaugeVec,
    failures: IntCounterVec,
    findings: IntGaugeVec,
    provisioned: IntCounterVec,
}

impl CatalogFamilies {
    /// Registers them.
    pub(super) fn register(to: &Families) -> Result<Self, prometheus::Error> {
        let families = Self {
            age: gauge(
                to,
                "catalog_age_seconds",
                "Since AWS has last shown all profiles; of the snapshot on disk until it does.",
                &[],
            )?,
            failures: counter(
                to,
                "catalog_refresh_failures_total",
                "Looks at AWS that did not show all profiles and tags; what was found before stays.",
                &[],
            )?,
            findings: gauge(
                to,
                "catalog_findings",
                "What is wrong with profiles in AWS, or between AWS and the services file, by kind.",
                &["kind"],
            )?,
            provisioned: counter(
                to,
                "catalog_provisions_total",
                "Profiles that were to be made at a service's first call, by whether they were.",
                &["service", "result"],
            )?,
        };
        families.failures.with_label_values::<&str>(&[]);
        Ok(families)
    }

    /// Says how old what was found is, and what is wrong with it.
    pub(super) fn say(&self, age: Option<Duration>, findings: &[Finding]) {
        if let Some(age) = age {
            let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            self.age.with_label_values::<&str>(&[]).set(seconds);
        }
        let mut counts: HashMap<&str, i64> = HashMap::new();
        for finding in findings {
            *counts.entry(finding.kind()).or_default() += 1;
        }
        for kind in Finding::KINDS {
            self.findings.with_label_values(&[kind]).set(counts.get(kind).copied().unwrap_or(0));
        }
    }

    /// Counts a profile that was to be made.
    pub(super) fn provisioned(&self, service: &ServiceName, result: &str) {
        self.provisioned.with_label_values(&[service.as_str(), result]).inc();
    }

    /// Counts a look that failed.
    pub(super) fn failed(&self) {
        self.failures.with_label_values::<&str>(&[]).inc();
    }
}
