//! Stamps in request metadata.

use super::counter;
use super::families::Families;
use crate::domain::ServiceName;
use crate::request_metadata::Stamped;
use prometheus::IntCounterVec;

/// Where a call has its request metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampPlace {
    /// In a header.
    Header,
    /// In its body.
    Body,
}

/// What stamping came to.
#[derive(Debug)]
pub(super) struct StampFamilies {
    removed: IntCounterVec,
    short: IntCounterVec,
}

impl StampFamilies {
    pub(super) fn register(to: &Families) -> Result<Self, prometheus::Error> {
        Ok(Self {
            removed: counter(
                to,
                "stamps_removed_total",
                "Entries of clients' request metadata that were taken out: under tollgate's own keys, or not readable.",
                &["service", "place"],
            )?,
            short: counter(
                to,
                "stamps_short_total",
                "Calls whose request metadata had no room for tollgate.service and tollgate.request_id.",
                &["service", "place"],
            )?,
        })
    }

    pub(super) fn count(&self, service: &ServiceName, place: StampPlace, stamped: Stamped) {
        let place = match place {
            StampPlace::Header => "header",
            StampPlace::Body => "body",
        };
        let labels = [service.as_str(), place];
        if stamped.removed > 0 {
            self.removed.with_label_values(&labels).inc_by(stamped.removed);
        }
        if stamped.is_short {
            self.short.with_label_values(&labels).inc();
        }
    }
}
