//! Costs computed again, when a price has come or was corrected.

use super::store::{RecordFilter, Rerated, Store, StoreError};
use crate::clock::Clock;
use crate::domain::{Charge, Money, Record};

/// How many costs are changed in one transaction.
const BATCH: usize = 1000;

/// Whether costs are really changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are.
    Apply,
    /// What would change is only counted.
    DryRun,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rerating {
    /// Records that were looked at.
    pub looked_at: u64,
    /// Records whose cost changed, or would.
    pub changed: u64,
    /// Those among them that had no price and have one.
    pub newly_priced: u64,
    /// What those records cost before.
    pub before: Money,
    /// What they cost at present prices.
    pub after: Money,
}

/// Computes the cost of every record that `filter` lets through, by `charge`, from the usage that it states. Another
/// price with the same result changes nothing; doing it twice changes nothing the second time.
///
/// Both stores are the same one: reading goes on in `from` while `to` is written to. `progress` is told of every record.
pub fn rerate(
    (from, to): (&mut dyn Store, &mut dyn Store),
    filter: &RecordFilter,
    mut charge: impl FnMut(&Record) -> Charge,
    mode: Mode,
    mut progress: impl FnMut(&Record),
) -> Result<Rerating, StoreError> {
    let (at, mut rerating, mut batch) =
        (Clock::system().utc(), Rerating::default(), Vec::with_capacity(BATCH));
    from.records(filter, &mut |record| {
        progress(&record);
        rerating.looked_at = rerating.looked_at.saturating_add(1);
        let (old, new) = (record.charge(), charge(&record));
        if (old.cost, &old.unpriced) == (new.cost, &new.unpriced) {
            return Ok(());
        }
        rerating.add(&old, &new);
        if mode == Mode::Apply {
            batch.push(Rerated { id: record.id, old, new });
        }
        if batch.len() == BATCH {
            to.rerate(&std::mem::take(&mut batch), at)?;
        }
        Ok(())
    })?;
    if !batch.is_empty() {
        to.rerate(&batch, at)?;
    }
    Ok(rerating)
}

impl Rerating {
    fn add(&mut self, old: &Charge, new: &Charge) {
        self.changed = self.changed.saturating_add(1);
        let newly_priced = old.unpriced.is_some() && new.unpriced.is_none();
        self.newly_priced = self.newly_priced.saturating_add(u64::from(newly_priced));
        self.before += old.cost.unwrap_or_default();
        self.after += new.cost.unwrap_or_default();
    }
}
