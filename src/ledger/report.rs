//! Reports: totals of a span by dimensions, from hourly rollups where those are exact and from records elsewhere.
//!
//! The sum over a report's groups is the sum over the records of its span, to the last digit.

mod dimension;
#[cfg(test)]
mod fake;
mod group;
mod period;
mod plan;
#[cfg(test)]
mod tests;

pub use dimension::{Dimension, InvalidDimension};
pub use group::{Cell, Group, share_of};
pub use period::{Period, from_timestamp, to_zoned};
pub use plan::{Part, Plan};

use super::store::{Slice, Span, Store, StoreError, Totals};
use crate::domain::ServiceName;
use group::Groups;
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// What a report is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which calls.
    pub span: Span,
    /// By what they are grouped.
    pub by: Vec<Dimension>,
    /// Which clock hours, days and months go by.
    pub zone: TimeZone,
    /// Whose calls; everybody's where it is `None`.
    pub service: Option<ServiceName>,
    /// How many groups are shown for each piece of time; the others are added up as one.
    pub top: Option<usize>,
}

/// The answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The groups: by time, oldest first, where the query asks for times; then the costliest first.
    pub groups: Vec<Group>,
    /// What they add up to.
    pub totals: Totals,
}

/// Answers a query from a store whose rollups have the labels `label_keys`, and tells `progress` after each part how
/// many of how many are done.
pub fn run(
    store: &mut dyn Store,
    query: &Query,
    label_keys: &[String],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Report, StoreError> {
    let plan = Plan::of(query, label_keys);
    let mut groups = Groups::new(query);
    for (index, part) in plan.parts.iter().enumerate() {
        for slice in store.totals(part.span, plan.grain, part.from)? {
            groups.add(&slice);
        }
        progress(index.saturating_add(1), plan.parts.len());
    }
    Ok(groups.finish())
}

/// Returns the totals of each hour of UTC by all that calls share, oldest hour first: by dimensions and by the labels
/// that rollups have.
pub fn hours(
    store: &mut dyn Store,
    span: Span,
    label_keys: &[String],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Slice>, StoreError> {
    let by = vec![Dimension::Period(Period::Hour)];
    let plan = Plan::of(&Query { span, by, zone: TimeZone::UTC, service: None, top: None }, label_keys);
    let mut sums: HashMap<_, Totals> = HashMap::new();
    for (index, part) in plan.parts.iter().enumerate() {
        for mut slice in store.totals(part.span, plan.grain, part.from)? {
            slice.labels.retain(|key, _| label_keys.contains(key));
            sums.entry((slice.at, slice.dimensions, slice.labels)).or_default().add(&slice.totals);
        }
        progress(index.saturating_add(1), plan.parts.len());
    }
    let mut slices: Vec<Slice> = sums
        .into_iter()
        .map(|((at, dimensions, labels), totals)| Slice { dimensions, labels, at, totals })
        .collect();
    slices.sort_by_cached_key(|slice| (slice.at, slice.dimensions.id(), slice.labels.clone()));
    Ok(slices)
}
