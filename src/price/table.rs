//! The price table: the rows that are built in and those of the overrides file.

use super::built_in::TABLE;
use super::discount::Discount;
use super::file;
use super::rates::{GUARDRAILS, Rates};
use super::routing::{self, ByModel};
use super::row::{Origin, Row, Sold};
use super::timeline::{InForce, Layer, Parts, Timeline, Way};
use crate::domain::{Charge, ModelId, Record, Region, ServiceName};
use crate::hex::hex;
use crate::sheet::{Problem, Problems};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use time::{Date, OffsetDateTime};

/// Every price that is known. Immutable; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceTable(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    rows: ByModel,
    /// Those of on-demand prices, by model and by whose they are: everyone's where it is nobody's.
    on_demand: HashMap<String, ByService<Row>>,
    /// The bare ids whose rows hold the global price.
    global: BTreeSet<String>,
    discounts: Vec<Arc<Discount>>,
    discounts_by_service: ByService<Discount>,
    built_in: Arc<str>,
    overrides: Arc<str>,
    id: Arc<str>,
}

/// What is a service's own, or, of none, everyone's.
type ByService<T> = HashMap<Option<ServiceName>, Vec<Arc<T>>>;

impl PriceTable {
    /// Returns the table that is built in.
    pub fn builtin() -> Self {
        Self::of(Vec::new(), Vec::new(), None)
    }

    /// Returns the table that is built in, with what an overrides file changes.
    ///
    /// # Errors
    ///
    /// Every mistake of the file, at once.
    pub fn load(overrides: Option<&Path>) -> Result<Self, Problems> {
        let Some(path) = overrides else { return Ok(Self::builtin()) };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::with_overrides(path, &text),
            Err(error) => Err(Problems(vec![unreadable(path, &error)])),
        }
    }

    /// Does what [`Self::load`] does with a text that the file holds.
    pub fn with_overrides(path: &Path, text: &str) -> Result<Self, Problems> {
        let content = file::read(path, text, Origin::Override);
        if !content.problems.is_empty() {
            return Err(Problems(content.problems));
        }
        let digest = hex(&Sha256::digest(text.as_bytes()));
        Ok(Self::of(content.rows, content.discounts, digest.get(..8)))
    }

    fn of(rows: Vec<Arc<Row>>, discounts: Vec<Arc<Discount>>, digest: Option<&str>) -> Self {
        let mut by_model = ByModel::new();
        for row in &TABLE.rows {
            by_model.entry(row.model.clone()).or_default().push(Arc::clone(row));
        }
        // Of the built-in rows alone: a negotiated price of a geography says nothing of the regions in it.
        let is_global = |model: &&String| routing::is_global_price(&by_model, model);
        let global = by_model.keys().filter(is_global).cloned().collect();
        for row in rows {
            by_model.entry(row.model.clone()).or_default().push(row);
        }
        let as_of = as_of(&TABLE.rows).map(|day| day.to_string()).unwrap_or_default();
        let built_in: Arc<str> = format!("builtin-{as_of}").into();
        let overrides: Arc<str> =
            digest.map(|digest| format!("override-{digest}")).unwrap_or_default().into();
        let id = if overrides.is_empty() {
            Arc::clone(&built_in)
        } else {
            format!("{built_in}+{overrides}").into()
        };
        let sold_on_demand = |row: &&Arc<Row>| row.sold == Sold::OnDemand;
        let on_demand = by_model.iter().map(|(model, rows)| {
            (model.clone(), by_service(rows.iter().filter(sold_on_demand), |row| row.service.clone()))
        });
        Self(Arc::new(Inner {
            on_demand: on_demand.collect(),
            rows: by_model,
            global,
            discounts_by_service: by_service(&discounts, |discount| discount.service.clone()),
            discounts,
            built_in,
            overrides,
            id,
        }))
    }

    /// Names this state of the table.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns what is wrong with the built-in table: nothing.
    pub fn builtin_problems() -> &'static [Problem] {
        &TABLE.problems
    }

    /// Returns the day on which the built-in prices were last looked at.
    pub fn as_of() -> Option<Date> {
        as_of(&TABLE.rows)
    }

    /// Returns every service that has prices of its own.
    pub fn services(&self) -> BTreeSet<&ServiceName> {
        let rows = self.rows().filter_map(|row| row.service.as_ref());
        rows.chain(self.discounts().filter_map(|discount| discount.service.as_ref())).collect()
    }

    /// Returns every discount.
    pub fn discounts(&self) -> impl Iterator<Item = &Arc<Discount>> {
        self.0.discounts.iter()
    }

    /// Returns the price of a model that is in force at a moment: for a service's calls, or those of a service
    /// without prices of its own; in a region, or in one without prices of its own, where a bare id has the price
    /// of its row even if that is the global one.
    pub fn in_force(
        &self,
        service: Option<&ServiceName>,
        model: &ModelId,
        region: Option<&Region>,
        at: OffsetDateTime,
    ) -> Option<InForce> {
        Timeline::new(&self.parts(service, model, region)).at(at).cloned()
    }

    /// Returns every row, model by model.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.0.rows.values().flatten()
    }

    /// Tells whether the built-in row of a bare id holds the global price, and a region's is another.
    pub fn is_global_price(&self, model: &str) -> bool {
        self.0.global.contains(model)
    }

    /// Returns the prices of a model for a service's calls in a region; of guardrails alone where there is no model.
    pub fn rates(&self, service: &ServiceName, model: Option<&ModelId>, region: &Region) -> Rates {
        let of = |model: &ModelId| Timeline::new(&self.parts(Some(service), model, Some(region)));
        let guardrails = ModelId::parse(GUARDRAILS).map(|model| of(&model)).unwrap_or_default();
        Rates::new(model.map(ModelId::bare), model.map(of).unwrap_or_default(), guardrails)
    }

    /// Returns what a record's call costs: nothing at all where nothing is due, or its usage is missing.
    pub fn charge(&self, record: &Record) -> Charge {
        self.rates_of(record).charge_record(record)
    }

    /// Returns the prices that a record is charged at.
    pub(super) fn rates_of(&self, record: &Record) -> Rates {
        self.rates(&record.service, charged_model(record), &record.region)
    }

    fn parts(&self, service: Option<&ServiceName>, model: &ModelId, region: Option<&Region>) -> Parts {
        let is_for = |discount: &&Arc<Discount>| discount.is_for(service, model);
        let owners = service.map(|service| Some(service.clone())).into_iter().chain([None]);
        let discounts = owners.filter_map(|owner| self.0.discounts_by_service.get(&owner)).flatten();
        Parts {
            layers: self.layers(service, model.bare(), region),
            discounts: discounts.filter(is_for).cloned().collect(),
            built_in: Arc::clone(&self.0.built_in),
            overrides: Arc::clone(&self.0.overrides),
        }
    }

    /// Returns the rows that may hold, the strongest first: those of the overrides file before the built-in ones, a
    /// service's own before everyone's, a region's before every region's.
    fn layers(&self, service: Option<&ServiceName>, model: &str, region: Option<&Region>) -> Vec<Layer> {
        let mut layers = Vec::new();
        for origin in [Origin::Override, Origin::BuiltIn] {
            for service in service.map(Some).into_iter().chain([None]) {
                for region in region.map(Some).into_iter().chain([None]) {
                    let fits = |row: &&Arc<Row>| row.origin == origin && row.region.as_ref() == region;
                    layers.push(Layer { rows: self.on_demand(model, service, fits), way: None });
                }
            }
        }
        if let Some(corrected) = region.and_then(|region| self.corrected(model, region)) {
            // Before what is last: the built-in rows of every region.
            let last = layers.len().saturating_sub(1);
            layers.insert(last, corrected);
        }
        layers
    }

    /// Returns the rows that a region's price is taken from where the bare id's own hold the global price.
    fn corrected(&self, model: &str, region: &Region) -> Option<Layer> {
        let geography =
            self.0.global.contains(model).then(|| routing::in_region(&self.0.rows, model, region))??;
        let fits = |row: &&Arc<Row>| row.origin == Origin::BuiltIn && row.region.is_none();
        Some(Layer { rows: self.on_demand(&geography, None, fits), way: Some(Way::InRegion) })
    }

    fn on_demand(
        &self,
        model: &str,
        service: Option<&ServiceName>,
        fits: impl Fn(&&Arc<Row>) -> bool,
    ) -> Vec<Arc<Row>> {
        let rows = self.0.on_demand.get(model).and_then(|rows| rows.get(&service.cloned()));
        rows.into_iter().flatten().filter(fits).cloned().collect()
    }
}

/// Returns the model that a record is charged by: what a router says it called, else what the profile was copied
/// from, else what was asked for.
pub(super) fn charged_model(record: &Record) -> Option<&ModelId> {
    record.invoked_model.as_ref().or(record.source_model.as_ref()).or(record.requested_model.as_ref())
}

fn by_service<'a, T: 'a>(
    all: impl IntoIterator<Item = &'a Arc<T>>,
    service: impl Fn(&T) -> Option<ServiceName>,
) -> ByService<T> {
    let mut found = ByService::new();
    for one in all {
        found.entry(service(one)).or_default().push(Arc::clone(one));
    }
    found
}

fn as_of(rows: &[Arc<Row>]) -> Option<Date> {
    rows.iter().filter_map(|row| row.as_of).max()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let message = format!("cannot read the prices' overrides file: {error}");
    Problem::of_file(path, message).with_hint(
        "name another with `overrides` under [prices], or leave that out: the built-in prices do without",
    )
}
