//! The prices of one model for one service in one region, from one change to the next.

use super::discount::Discount;
use super::row::{Days, Origin, Prices, Row};
use crate::domain::Money;
use std::sync::Arc;
use time::{Date, OffsetDateTime};

/// How a price in force was arrived at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is the row's own.
    Listed,
    /// It is that of the geography that holds the region.
    InRegion,
}

/// What is in force at some moment.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The row.
    pub row: Arc<Row>,
    /// How the row came to be the one.
    pub way: Way,
    /// The discount, if there is one.
    pub discount: Option<Arc<Discount>>,
    /// The row's prices less the discount.
    pub prices: Arc<Prices>,
    /// Names the prices, in records.
    pub id: Arc<str>,
    /// Names them where capacity was reserved, so that a call costs nothing more.
    pub reserved_id: Arc<str>,
}

/// Rows of which those that hold first win, and among them the one that began last.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) rows: Vec<Arc<Row>>,
    pub(super) way: Option<Way>,
}

/// What a timeline is made of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The layers, the strongest first.
    pub(super) layers: Vec<Layer>,
    /// The discounts for this service and model.
    pub(super) discounts: Vec<Arc<Discount>>,
    /// Names the state of the built-in table.
    pub(super) built_in: Arc<str>,
    /// Names the state of the overrides file.
    pub(super) overrides: Arc<str>,
}

/// What is in force from each change on.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline(Vec<(Option<OffsetDateTime>, Option<InForce>)>);

impl Timeline {
    pub(super) fn new(parts: &Parts) -> Self {
        let rows = || parts.layers.iter().flat_map(|layer| &layer.rows).map(|row| row.days);
        let discounts = parts.discounts.iter().map(|discount| discount.days);
        let ends = |days: Days| [days.from, days.until];
        let mut changes: Vec<Option<Date>> = rows().chain(discounts).flat_map(ends).collect();
        changes.push(None);
        changes.sort_unstable();
        changes.dedup();
        let moment = |day: Date| day.midnight().assume_utc();
        Self(changes.into_iter().map(|day| (day.map(moment), parts.in_force(day.map(moment)))).collect())
    }

    /// Returns what is in force at a moment.
    pub(super) fn at(&self, at: OffsetDateTime) -> Option<&InForce> {
        let after = self.0.partition_point(|(from, _)| from.is_none_or(|from| from <= at));
        self.0.get(after.checked_sub(1)?)?.1.as_ref()
    }
}

impl Parts {
    fn in_force(&self, at: Option<OffsetDateTime>) -> Option<InForce> {
        let holds = |days: Days| at.map_or(days.from.is_none(), |at| days.hold(at));
        let (row, way) = self.layers.iter().find_map(|layer| {
            let rows = layer.rows.iter().filter(|row| holds(row.days));
            Some((rows.max_by_key(|row| row.days.from)?, layer.way.unwrap_or(Way::Listed)))
        })?;
        let discounts = self.discounts.iter().filter(|discount| holds(discount.days));
        let discount = discounts.max_by(|one, other| one.weight().cmp(&other.weight())).cloned();
        let prices = match &discount {
            Some(discount) => Arc::new(row.prices.map(|price| off(discount, price))),
            None => Arc::clone(&row.prices),
        };
        let id = self.id(row, way, discount.as_deref());
        let reserved_id = format!("{id}+reserved").into();
        Some(InForce { row: Arc::clone(row), way, discount, prices, id: id.into(), reserved_id })
    }

    fn id(&self, row: &Row, way: Way, discount: Option<&Discount>) -> String {
        let table = match row.origin {
            Origin::BuiltIn => &self.built_in,
            Origin::Override => &self.overrides,
        };
        let region = row.region.as_ref().map(|region| format!("@{}", region.as_str())).unwrap_or_default();
        let from = row.days.from.map(|day| format!("/{day}")).unwrap_or_default();
        let way = if way == Way::InRegion { "+in-region" } else { "" };
        let off =
            discount.map(|discount| format!("+{}-{}", self.overrides, discount.percent)).unwrap_or_default();
        format!("{table}:{}{region}{from}{way}{off}", row.model)
    }
}

/// Returns the price less the discount; a price that no 128 bits hold stays what it is, and is refused by its amount.
fn off(discount: &Discount, price: Money) -> Money {
    discount.percent.off(price).unwrap_or(price)
}
