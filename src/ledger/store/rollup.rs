//! What new records add to the hourly rollups.

use super::row::{map_json, micros};
use super::{Charge, Totals};
use crate::domain::{Money, Record, UsageSource};
use std::borrow::Cow;
use std::collections::{BTreeMap, btree_map};
use time::OffsetDateTime;

/// Microseconds of an hour.
pub(super) const HOUR: i64 = 3_600_000_000;

/// Which rollup a record belongs to. `D` is how a store refers to dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RollupKey<D> {
    /// When the hour begins, in microseconds since the epoch.
    pub(super) hour: i64,
    /// The dimensions.
    pub(super) dimensions: D,
    /// The labels that are on the allow-list, as [`map_json`] writes them; `{}` where there are none.
    pub(super) labels: Cow<'static, str>,
}

impl<D> RollupKey<D> {
    /// Returns the rollup of a call that started then and had those labels.
    pub(super) fn new(
        dimensions: D,
        started_at: OffsetDateTime,
        labels: &BTreeMap<String, String>,
        allowed: &[String],
    ) -> Self {
        let started_at = micros(started_at);
        let hour = started_at.saturating_sub(started_at.rem_euclid(HOUR));
        Self { hour, dimensions, labels: labels_json(labels, allowed) }
    }
}

fn labels_json(labels: &BTreeMap<String, String>, allowed: &[String]) -> Cow<'static, str> {
    let kept: BTreeMap<_, _> = labels
        .iter()
        .filter(|(key, _)| allowed.contains(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if kept.is_empty() { Cow::Borrowed("{}") } else { Cow::Owned(map_json(&kept)) }
}

/// The sums of a batch, one per rollup.
#[derive(Debug)]
pub(super) struct Rollups<'l, D> {
    allowed: &'l [String],
    sums: BTreeMap<RollupKey<D>, Totals>,
}

impl<'l, D: Ord> Rollups<'l, D> {
    /// Starts from nothing; `allowed` are the keys of the labels that enter rollups.
    pub(super) fn new(allowed: &'l [String]) -> Self {
        Self { allowed, sums: BTreeMap::new() }
    }

    /// Adds a record that the store did not have.
    pub(super) fn add(&mut self, dimensions: D, record: &Record) {
        let key = RollupKey::new(dimensions, record.started_at, &record.labels, self.allowed);
        self.sums.entry(key).or_default().add(&Totals::of(record));
    }
}

impl<D> IntoIterator for Rollups<'_, D> {
    type Item = (RollupKey<D>, Totals);
    type IntoIter = btree_map::IntoIter<RollupKey<D>, Totals>;

    /// Hands over the sums in the order of their keys, the same in every writer: two that write at once cannot
    /// wait for each other in a circle.
    fn into_iter(self) -> Self::IntoIter {
        self.sums.into_iter()
    }
}

/// What a changed charge changes in its record's rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Correction {
    /// Calls that have no price any longer, less those that have one at last.
    pub(super) unpriced_calls: i64,
    /// More cost, or less.
    pub(super) cost: Money,
    /// The part of it that rests on estimated usage.
    pub(super) cost_of_estimates: Money,
}

impl Correction {
    /// Returns what it changes that a record with this usage source costs `new` in place of `old`.
    pub(super) fn between(old: &Charge, new: &Charge, usage_source: UsageSource) -> Self {
        let cost = new.cost.unwrap_or_default() - old.cost.unwrap_or_default();
        let estimated = usage_source == UsageSource::Estimated;
        Self {
            unpriced_calls: i64::from(new.unpriced.is_some()) - i64::from(old.unpriced.is_some()),
            cost,
            cost_of_estimates: if estimated { cost } else { Money::ZERO },
        }
    }

    /// Adds another of the same rollup.
    pub(super) fn add(&mut self, other: &Self) {
        self.unpriced_calls = self.unpriced_calls.saturating_add(other.unpriced_calls);
        self.cost += other.cost;
        self.cost_of_estimates += other.cost_of_estimates;
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn only_labels_of_the_allow_list_enter_a_key() {
        let allowed = ["feature".to_owned()];
        let labels = [("env", "prod"), ("feature", "search")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let key = RollupKey::new((), samples::at(5), &labels, &allowed);
        assert_eq!(key.labels, r#"{"feature":"search"}"#);
        assert_eq!(RollupKey::new((), samples::at(5), &labels, &[]).labels, "{}");
    }

    #[test]
    fn an_hour_begins_at_its_first_moment() {
        let hour = |millis| RollupKey::new((), samples::at(millis), &BTreeMap::new(), &[]).hour;
        assert_eq!(hour(0), hour(3_599_999));
        assert_eq!(hour(0) + HOUR, hour(3_600_000));
    }
}
