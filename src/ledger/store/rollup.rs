//! What new records add to the hourly rollups.

use super::row::micros;
use super::{Charge, Totals};
use crate::domain::{Money, Record, UsageSource};
use std::borrow::Cow;
use std::collections::{BTreeMap, btree_map};

/// Microseconds of an hour.
pub(super) const HOUR: i64 = 3_600_000_000;

/// Which rollup a record belongs to. `D` is how a store refers to dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RollupKey<D> {
    /// When the hour begins, in microseconds since the epoch.
    pub(super) hour: i64,
    /// The dimensions.
    pub(super) dimensions: D,
    /// The labels that are on the allow-list, as [`map_json`](super::row::map_json) writes them; `{}` where there are none.
    pub(super) labels: Cow<'static, str>,
}

impl<D> RollupKey<D> {
    /// Returns the rollup of a record; `allowed` are the keys of the labels that enter rollups.
    pub(super) fn of(record: &Record, dimensions: D, allowed: &[String]) -> Self {
        Self::new(dimensions, micros(record.started_at), labels_json(&record.labels, allowed))
    }

    /// Returns the rollup of a record by when it started, in microseconds since the epoch, and by those of its labels
    /// that [`Self::labels_of_record`] told.
    pub(super) fn new(dimensions: D, started_at: i64, labels: Option<String>) -> Self {
        let hour = started_at.saturating_sub(started_at.rem_euclid(HOUR));
        Self { hour, dimensions, labels: labels.map_or(Cow::Borrowed("{}"), Cow::Owned) }
    }

    /// Returns what a record is to keep of the labels, so that its rollup is found again whatever enters rollups by
    /// then; mostly nothing.
    pub(super) fn labels_of_record(&self) -> Option<&str> {
        Some(self.labels.as_ref()).filter(|labels| *labels != "{}")
    }
}

fn labels_json(labels: &BTreeMap<String, String>, allowed: &[String]) -> Option<String> {
    if !labels.keys().any(|key| allowed.contains(key)) {
        return None;
    }
    let kept: BTreeMap<_, _> = labels.iter().filter(|(key, _)| allowed.contains(key)).collect();
    serde_json::to_string(&kept).ok()
}

/// The sums of a batch, one per rollup.
#[derive(Debug)]
pub(super) struct Rollups<D> {
    sums: BTreeMap<RollupKey<D>, Totals>,
    /// What the last records add, all to one rollup, and `sums` does not have yet.
    run: Option<(RollupKey<D>, Totals)>,
}

impl<D> Default for Rollups<D> {
    fn default() -> Self {
        Self { sums: BTreeMap::new(), run: None }
    }
}

impl<D: Ord + Clone> Rollups<D> {
    /// Adds what a record adds that the store did not have.
    pub(super) fn add(&mut self, key: &RollupKey<D>, totals: &Totals) {
        if let Some((_, sum)) = self.run.as_mut().filter(|(of, _)| of == key) {
            return sum.add(totals);
        }
        self.end_run();
        self.run = Some((key.clone(), *totals));
    }

    fn end_run(&mut self) {
        if let Some((key, totals)) = self.run.take() {
            self.sums.entry(key).or_default().add(&totals);
        }
    }
}

impl<D: Ord + Clone> IntoIterator for Rollups<D> {
    type Item = (RollupKey<D>, Totals);
    type IntoIter = btree_map::IntoIter<RollupKey<D>, Totals>;

    /// Hands over the sums in the order of their keys, the same in every writer: two that write at once cannot
    /// wait for each other in a circle.
    fn into_iter(mut self) -> Self::IntoIter {
        self.end_run();
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
        let labels = [("env", "prod"), ("feature", "search")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let record = Record { labels, ..samples::plain(1, 5) };
        let key = RollupKey::of(&record, (), &["feature".to_owned()]);
        assert_eq!(key.labels_of_record(), Some(r#"{"feature":"search"}"#));
        assert_eq!(RollupKey::of(&record, (), &[]).labels, "{}");
        assert_eq!(RollupKey::of(&record, (), &[]).labels_of_record(), None);
    }

    #[test]
    fn a_rollup_is_added_to_in_any_order() {
        let key = |dimensions| RollupKey::of(&samples::plain(1, 5), dimensions, &[]);
        let one = Totals { calls: 1, ..Totals::default() };
        let mut rollups = Rollups::default();
        for dimensions in [2, 2, 1, 2] {
            rollups.add(&key(dimensions), &one);
        }
        let calls: Vec<_> = rollups.into_iter().map(|(key, sums)| (key.dimensions, sums.calls)).collect();
        assert_eq!(calls, [(1, 1), (2, 3)]);
    }

    #[test]
    fn an_hour_begins_at_its_first_moment() {
        let hour = |millis| RollupKey::of(&samples::plain(1, millis), (), &[]).hour;
        assert_eq!(hour(0), hour(3_599_999));
        assert_eq!(hour(0) + HOUR, hour(3_600_000));
    }
}
