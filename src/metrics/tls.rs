//! TLS with clients, per plane.

use super::families::Families;
use super::{counter, gauge};
use crate::config::ServerTls;
use prometheus::{IntCounterVec, IntGaugeVec};
use time::OffsetDateTime;

/// One of the gateway's two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// What applications call.
    Data,
    /// Metrics and health.
    Admin,
}

impl Plane {
    /// Returns its name, as labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Admin => "admin",
        }
    }
}

/// The families of TLS; a plane without it has no times.
#[derive(Debug)]
pub(super) struct TlsFamilies {
    failures: IntCounterVec,
    certificate_ends: IntGaugeVec,
    revocations_end: IntGaugeVec,
}

impl TlsFamilies {
    /// Registers them.
    pub(super) fn register(to: &Families) -> Result<Self, prometheus::Error> {
        let families = Self {
            failures: counter(
                to,
                "tls_handshake_failures_total",
                "Connections of clients that came to no TLS; those that were closed without a byte are left out.",
                &["plane"],
            )?,
            certificate_ends: gauge(
                to,
                "tls_certificate_not_after_timestamp_seconds",
                "When the first of the certificates that clients are shown ends, as a Unix time.",
                &["plane"],
            )?,
            revocations_end: gauge(
                to,
                "tls_crl_next_update_timestamp_seconds",
                "When the first of the lists of revoked client certificates is out of date, as a Unix time.",
                &["plane"],
            )?,
        };
        for plane in [Plane::Data, Plane::Admin] {
            families.failures.with_label_values(&[plane.name()]);
        }
        Ok(families)
    }

    /// Counts a handshake that failed.
    pub(super) fn failed(&self, plane: Plane) {
        self.failures.with_label_values(&[plane.name()]).inc();
    }

    /// Says until when what a plane works with holds.
    pub(super) fn say(&self, plane: Plane, tls: Option<&ServerTls>) {
        set(&self.certificate_ends, plane, tls.map(|tls| tls.ends_at));
        set(&self.revocations_end, plane, tls.and_then(|tls| tls.revocations_end_at));
    }
}

fn set(family: &IntGaugeVec, plane: Plane, at: Option<OffsetDateTime>) {
    let labels = [plane.name()];
    match at {
        Some(at) => family.with_label_values(&labels).set(at.unix_timestamp()),
        // What was never there cannot be removed.
        None => drop(family.remove_label_values(&labels)),
    }
}
