//! Rows and discounts of which two would hold at once.

use super::discount::Discount;
use super::row::{Days, Row};
use crate::sheet::Sheet;
use std::collections::BTreeMap;

/// Something with the key of where it stands.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) place: String,
    pub(super) of: T,
}

/// Finds rows of the same model, region and service whose days overlap.
pub(super) fn check_rows(rows: &[Placed<Row>], sheet: &mut Sheet) {
    let key = |row: &Row| (row.model.clone(), row.region.clone(), row.service.clone(), row.sold);
    check(rows.iter().map(|row| (key(&row.of), row.of.days, row.place.as_str())), sheet);
}

/// Finds discounts for the same models and service whose days overlap.
pub(super) fn check_discounts(discounts: &[Placed<Discount>], sheet: &mut Sheet) {
    let key = |discount: &Discount| (discount.models.clone(), discount.service.clone());
    check(discounts.iter().map(|of| (key(&of.of), of.of.days, of.place.as_str())), sheet);
}

fn check<'a, K: Ord>(dated: impl Iterator<Item = (K, Days, &'a str)>, sheet: &mut Sheet) {
    let mut by_key: BTreeMap<K, Vec<(Days, &str)>> = BTreeMap::new();
    for (key, days, place) in dated {
        by_key.entry(key).or_default().push((days, place));
    }
    for same in by_key.values_mut() {
        same.sort_by_key(|(days, _)| days.from);
        for ((earlier, first), (later, second)) in same.iter().zip(same.iter().skip(1)) {
            if let Some(message) = overlap(*earlier, *later, first) {
                sheet.wrong_key(second, message);
            }
        }
    }
}

/// Says how days overlap with those of something that does not begin later. What has no end
/// gives way to what begins later, and holds again after that has ended.
fn overlap(earlier: Days, later: Days, first: &str) -> Option<String> {
    let from = later.from.map_or_else(|| "the beginning".to_owned(), |day| day.to_string());
    if earlier.from == later.from {
        return Some(format!(
            "is for the same as {first} from {from} on: give it another from, or remove one"
        ));
    }
    let until = earlier.until.filter(|until| later.from.is_some_and(|from| from < *until))?;
    Some(format!("begins on {from}, before {first} ends on {until}: let one begin where the other ends"))
}
