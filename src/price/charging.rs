//! The costs of many records, one after the other.

use super::rates::Rates;
use super::table::{PriceTable, charged_model};
use crate::domain::{Charge, ModelId, Record, Region, ServiceName};
use std::collections::HashMap;

/// How many prices are kept at most: records may name any model.
const MAX_KEPT: usize = 100_000;

/// Charges records at a table's prices, and keeps what it has looked up for those to come.
#[derive(Debug)]
pub struct Charging<'a> {
    table: &'a PriceTable,
    kept: HashMap<(ServiceName, Option<ModelId>, Region), Rates>,
}

impl<'a> Charging<'a> {
    /// Begins with a table.
    pub fn at(table: &'a PriceTable) -> Self {
        Self { table, kept: HashMap::new() }
    }

    /// Returns what a record's call costs, as [`PriceTable::charge`] does.
    pub fn charge(&mut self, record: &Record) -> Charge {
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        let key = (record.service.clone(), charged_model(record).cloned(), record.region.clone());
        self.kept.entry(key).or_insert_with(|| self.table.rates_of(record)).charge_record(record)
    }
}
