//! Adding slices up into groups.

use super::dimension::Dimension;
use super::{Query, Report};
use crate::domain::{ModelId, Money, ProfileArn};
use crate::ledger::store::{Slice, Totals};
use std::cmp::Reverse;
use std::collections::HashMap;
use time::OffsetDateTime;

/// What a group's calls share in one dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// A period, by its beginning.
    Time(OffsetDateTime),
    /// A name or a value.
    Text(String),
    /// They have none.
    Nothing,
    /// Several things: those beyond the first few.
    Other,
}

/// Calls that share something, and what they add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they share, one cell for each dimension of the query.
    pub cells: Vec<Cell>,
    /// What they add up to.
    pub totals: Totals,
}

/// Returns a cost's share of a total in hundredths of a percent, rounded half up; `None` where the total is nothing.
pub fn share_of(cost: Money, total: Money) -> Option<i128> {
    let scaled = cost.picos().checked_mul(20_000)?.checked_add(total.picos())?;
    scaled.checked_div_euclid(total.picos().checked_mul(2)?)
}

/// Groups in the making.
pub(super) struct Groups<'a> {
    query: &'a Query,
    sums: HashMap<Vec<Cell>, Totals>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(query: &'a Query) -> Self {
        Self { query, sums: HashMap::new() }
    }

    /// Adds a slice to its group, unless it is another service's than the query's.
    pub(super) fn add(&mut self, slice: &Slice) {
        if self.query.service.as_ref().is_some_and(|service| *service != slice.dimensions.service) {
            return;
        }
        let cells = self.query.by.iter().map(|dimension| self.cell(dimension, slice)).collect();
        self.sums.entry(cells).or_default().add(&slice.totals);
    }

    fn cell(&self, dimension: &Dimension, slice: &Slice) -> Cell {
        let of = &slice.dimensions;
        let text = match dimension {
            Dimension::Service => Some(of.service.as_str()),
            Dimension::Model => of.model().map(ModelId::as_str),
            Dimension::RequestedModel => of.requested_model.as_ref().map(ModelId::as_str),
            Dimension::Profile => of.profile_arn.as_ref().map(ProfileArn::id),
            Dimension::Operation => Some(of.operation.name()),
            Dimension::Region => Some(of.region.as_str()),
            Dimension::Attribution => Some(of.attribution().name()),
            Dimension::Key => of.key_id.as_deref(),
            Dimension::Tag(key) => of.tags.get(key).map(String::as_str),
            Dimension::Label(key) => slice.labels.get(key).map(String::as_str),
            Dimension::Period(period) => {
                let at = slice.at.map(|at| period.start(at, &self.query.zone));
                return at.map_or(Cell::Nothing, Cell::Time);
            }
        };
        text.map_or(Cell::Nothing, |text| Cell::Text(text.to_owned()))
    }

    /// Returns the groups in order, the last of each piece of time put together.
    pub(super) fn finish(self) -> Report {
        let mut totals = Totals::default();
        let mut groups: Vec<Group> =
            self.sums.into_iter().map(|(cells, totals)| Group { cells, totals }).collect();
        for group in &groups {
            totals.add(&group.totals);
        }
        groups.sort_by_cached_key(|group| (times(group), Reverse(group.totals.cost), group.cells.clone()));
        if let Some(top) = self.query.top {
            groups = shortened(&groups, top);
        }
        Report { groups, totals }
    }
}

fn times(group: &Group) -> Vec<OffsetDateTime> {
    let times = group.cells.iter().map(|cell| if let Cell::Time(at) = cell { Some(*at) } else { None });
    times.flatten().collect()
}

/// Adds up what is beyond the first `top` groups of each piece of time.
fn shortened(groups: &[Group], top: usize) -> Vec<Group> {
    let mut short: Vec<Group> = Vec::new();
    for same_time in groups.chunk_by(|one, other| times(one) == times(other)) {
        let (shown, rest) = same_time.split_at_checked(top).unwrap_or((same_time, &[]));
        short.extend_from_slice(shown);
        short.extend(rest.first().map(|first| added_up(first, rest)));
    }
    short
}

fn added_up(first: &Group, groups: &[Group]) -> Group {
    let mut totals = Totals::default();
    for group in groups {
        totals.add(&group.totals);
    }
    let cells = first.cells.iter().map(|cell| match cell {
        Cell::Time(at) => Cell::Time(*at),
        Cell::Text(_) | Cell::Nothing | Cell::Other => Cell::Other,
    });
    Group { cells: cells.collect(), totals }
}
