//! What a model's id says of where its calls are served, and what that does to the price.
//!
//! Newer models cost 10% less through their global profile than in one region or one geography (Anthropic's pricing
//! page, "Third-party platform pricing"), and the price map that the built-in table is taken from gives their bare ids
//! the global price. What AWS charges in a region is then the price of the geography that holds the region.

use super::row::{Origin, Prices, Row, Sold};
use crate::domain::{ModelId, Region};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every geography that sells a price of its own within it.
pub(super) const GEOGRAPHIES: [&str; 10] = ["us", "eu", "apac", "jp", "au", "ca", "sa", "us-gov", "in", "uk"];

/// The rows of each model.
pub(super) type ByModel = BTreeMap<String, Vec<Arc<Row>>>;

/// The geography whose price is charged where no nearer one sells.
const LAST: &[&str] = &["us"];

/// Tells whether an id names no geography, so that rows of regions hold for it.
pub(super) fn is_bare(model: &str) -> bool {
    ModelId::parse(model).is_ok_and(|model| model.geography().is_none())
}

/// Tells whether the row of a bare id holds the global price, and another is charged within a region.
pub(super) fn is_global_price(rows: &ByModel, model: &str) -> bool {
    let prices = |geography: &str| of_every_region(rows, &format!("{geography}.{model}"));
    let bare = of_every_region(rows, model);
    let differs = |geography: &&str| {
        let own = prices(geography);
        !own.is_empty() && own != bare
    };
    is_bare(model) && !bare.is_empty() && prices("global") == bare && GEOGRAPHIES.iter().any(differs)
}

/// Returns the geography's model that a region's price is taken from.
pub(super) fn in_region(rows: &ByModel, model: &str, region: &Region) -> Option<String> {
    let of = |geography: &&str| format!("{geography}.{model}");
    region.geographies().iter().chain(LAST).map(of).find(|model| !of_every_region(rows, model).is_empty())
}

fn of_every_region<'a>(rows: &'a ByModel, model: &str) -> Vec<&'a Prices> {
    let is_plain =
        |row: &&Arc<Row>| row.origin == Origin::BuiltIn && row.region.is_none() && row.sold == Sold::OnDemand;
    rows.get(model).into_iter().flatten().filter(is_plain).map(|row| row.prices.as_ref()).collect()
}
