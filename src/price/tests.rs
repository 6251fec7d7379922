use super::*;
use crate::domain::{Charge, ModelId, Money, Picture, Policy, Region, ServiceName, Tokens, Unit, Usage};
use std::path::Path;
use time::OffsetDateTime;

mod bad_files;
mod charging;
mod overrides;
mod properties;

/// A call that is to be charged; what is not set is as in most calls.
pub(super) struct Call {
    pub(super) model: &'static str,
    pub(super) region: &'static str,
    pub(super) service: &'static str,
    pub(super) day: &'static str,
    pub(super) usage: Usage,
    pub(super) service_tier: Option<&'static str>,
    pub(super) latency_tier: Option<&'static str>,
    pub(super) picture: Option<Picture>,
}

impl Call {
    pub(super) fn of(model: &'static str, usage: Usage) -> Self {
        Self {
            model,
            region: "us-east-1",
            service: "checkout",
            day: "2026-11-24",
            usage,
            service_tier: None,
            latency_tier: None,
            picture: None,
        }
    }

    /// Returns what the call is charged.
    pub(super) fn charge(&self, table: &PriceTable) -> Charge {
        let model = (!self.model.is_empty()).then(|| ModelId::parse(self.model).unwrap());
        let service = ServiceName::parse(self.service).unwrap();
        table.rates(&service, model.as_ref(), &Region::parse(self.region).unwrap()).charge(&Used {
            at: noon(self.day),
            usage: &self.usage,
            service_tier: self.service_tier,
            latency_tier: self.latency_tier,
            picture: self.picture.as_ref(),
        })
    }

    /// Returns the cost, which is known.
    pub(super) fn cost(&self, table: &PriceTable) -> String {
        let charge = self.charge(table);
        charge.cost.unwrap_or_else(|| panic!("{}: {:?}", self.model, charge.unpriced)).to_string()
    }

    /// Returns the cost by the built-in table.
    pub(super) fn listed(&self) -> String {
        self.cost(&PriceTable::builtin())
    }

    /// Returns what has no price in the built-in table.
    pub(super) fn unpriced(&self) -> String {
        let charge = self.charge(&PriceTable::builtin());
        assert_eq!((charge.cost, charge.price_id), (None, None));
        charge.unpriced.unwrap().to_string()
    }
}

fn noon(day: &str) -> OffsetDateTime {
    date(day).unwrap().midnight().assume_utc() + time::Duration::hours(12)
}

/// Returns usage of input and output tokens.
pub(super) fn tokens(input: u64, output: u64) -> Usage {
    let tokens = Tokens { input: Some(input), output: Some(output), ..Tokens::default() };
    Usage { tokens, ..Usage::default() }
}

/// Returns usage of one unit.
pub(super) fn units(unit: Unit, count: u64) -> Usage {
    Usage { units: vec![(unit, count)], ..Usage::default() }
}

/// Returns the table with overrides.
pub(super) fn overridden(text: &str) -> PriceTable {
    PriceTable::with_overrides(Path::new("prices.toml"), text).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_built_in_table_has_no_mistakes() {
    assert_eq!(PriceTable::builtin_problems(), []);
    assert_eq!(PriceTable::builtin().id(), "builtin-2026-11-24");
}
