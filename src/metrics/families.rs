//! Metric families as Prometheus' text.

use prometheus::core::Collector;
use prometheus::{
    Encoder, Error, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All families by their names, each in a registry of its own: a registry copies all that it has before the first of it is
/// written, some 40 MB with 3,000 services in use.
#[derive(Debug, Default)]
pub(super) struct Families(Mutex<BTreeMap<String, Registry>>);

impl Families {
    /// Takes a family in, and returns it.
    pub(super) fn add<F: Collector + Clone + 'static>(&self, family: F) -> Result<F, Error> {
        let name = family.desc().first().map(|one| one.fq_name.clone()).unwrap_or_default();
        match self.lock().entry(name) {
            Entry::Occupied(_) => return Err(Error::AlreadyReg),
            Entry::Vacant(place) => place.insert(Registry::new()).register(Box::new(family.clone()))?,
        }
        Ok(family)
    }

    /// Writes all of them.
    pub(super) fn render(&self) -> Result<Vec<u8>, Error> {
        let (mut text, encoder) = (Vec::new(), TextEncoder::new());
        for family in self.lock().values() {
            encoder.encode(&family.gather(), &mut text)?;
        }
        Ok(text)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Registry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn counter(
    families: &Families,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, Error> {
    families.add(IntCounterVec::new(Opts::new(name, help).namespace("tollgate"), labels)?)
}

pub(super) fn gauge(
    families: &Families,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, Error> {
    families.add(IntGaugeVec::new(Opts::new(name, help).namespace("tollgate"), labels)?)
}

pub(super) fn histogram(
    families: &Families,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<HistogramVec, Error> {
    let options = HistogramOpts::new(name, help).namespace("tollgate").buckets(buckets.to_vec());
    families.add(HistogramVec::new(options, labels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_one_registry_would_write_them() {
        let (families, registry) = (Families::default(), Registry::new());
        let calls = counter(&families, "calls_total", "Calls.", &["service"]).unwrap();
        let open = gauge(&families, "open", "Open calls.", &["service", "model"]).unwrap();
        let lasted = histogram(&families, "call_seconds", "Seconds.", &["service"], &[0.1, 1.0]).unwrap();
        let unused = gauge(&families, "unused", "Nobody's.", &["service"]).unwrap();
        for service in ["search", "chat"] {
            calls.with_label_values(&[service]).inc_by(3);
            open.with_label_values(&[service, "m"]).set(-1);
            lasted.with_label_values(&[service]).observe(0.5);
        }
        registry.register(Box::new(calls)).unwrap();
        registry.register(Box::new(open)).unwrap();
        registry.register(Box::new(lasted)).unwrap();
        registry.register(Box::new(unused)).unwrap();
        let mut expected = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut expected).unwrap();
        assert_eq!(families.render().unwrap(), expected);
    }

    #[test]
    fn two_families_of_one_name_are_refused() {
        let families = Families::default();
        counter(&families, "calls_total", "Calls.", &["service"]).unwrap();
        assert!(gauge(&families, "calls_total", "Calls.", &["model"]).is_err());
    }
}
