//! What every store promises, as one suite that each runs against itself.

mod corrections;
mod replays;
mod spans;

use super::row::{map_json, micros};
use super::{
    Charge, Dimensions, DimensionsId, From, Grain, RecordFilter, Slice, Span, Store, StoreError, Totals,
    samples,
};
use crate::domain::Record;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The keys of labels that enter rollups in a store under test; its records have others too.
pub(crate) const LABEL_KEYS: [&str; 1] = ["a"];

/// Holds a kind of store to its promises. `place` finds room for an empty one, which it opens with some keys of labels.
pub(crate) fn laws<P: Fn(&[&str]) -> Box<dyn Store>>(place: impl Fn() -> P) {
    let store = || place()(&LABEL_KEYS);
    replays::replays_change_nothing(&store);
    replays::the_first_record_of_an_id_stays(&mut *store());
    replays::no_amount_is_too_much(&mut *store());
    spans::a_span_has_its_first_moment_and_not_its_last(&mut *store());
    spans::records_come_by_time_and_filter(&mut *store());
    spans::a_failing_reader_ends_the_reading(&mut *store());
    spans::many_records_are_read_to_the_end(&mut *store());
    spans::what_is_old_is_forgotten(&mut *store());
    spans::forgetting_goes_by_pieces(&mut *store());
    corrections::a_correction_moves_rollups_exactly(&store);
    corrections::a_correction_happens_once(&mut *store());
    corrections::another_charge_by_now_is_left_alone(&mut *store());
    corrections::a_forgotten_rollup_stays_forgotten(&mut *store());
    corrections::a_correction_finds_the_rollup_that_its_record_entered(&place());
}

/// The span of hours that all test records lie in.
fn hours() -> Span {
    Span { since: samples::at(0), until: samples::at(10_800_000) }
}

fn all() -> RecordFilter {
    RecordFilter { span: hours(), service: None, id: None }
}

fn read(store: &mut dyn Store, filter: &RecordFilter) -> Vec<Record> {
    let mut records = Vec::new();
    let mut take = |record| {
        records.push(record);
        Ok::<(), StoreError>(())
    };
    store.records(filter, &mut take).unwrap();
    records
}

/// A record as text, to compare.
fn json(record: &Record) -> String {
    serde_json::to_string(record).unwrap()
}

fn charge(record: &Record) -> Charge {
    Charge { cost: record.cost, price_id: record.price_id.clone(), unpriced: record.unpriced.clone() }
}

/// Dimensions, labels and a piece of time, and what they add up to.
type Table = BTreeMap<(DimensionsId, String, Option<OffsetDateTime>), Totals>;

fn table(store: &mut dyn Store, grain: Grain, from: From) -> Table {
    let slices = store.totals(hours(), grain, from).unwrap();
    let expected = slices.len();
    let row = |slice: Slice| ((slice.dimensions.id(), map_json(&slice.labels), slice.at), slice.totals);
    let table: Table = slices.into_iter().map(row).collect();
    assert_eq!(table.len(), expected, "each group is one slice");
    table
}

/// What a store of these records is to answer.
fn expected(records: &[Record], grain: Grain, from: From) -> Table {
    let mut table = Table::new();
    for record in records {
        let is_kept = |key: &str| from == From::Records || LABEL_KEYS.contains(&key);
        let labels = record.labels.clone().into_iter().filter(|(key, _)| is_kept(key)).collect();
        let key = (Dimensions::of(record).id(), map_json(&labels), piece(record, grain));
        table.entry(key).or_default().add(&Totals::of(record));
    }
    table
}

fn piece(record: &Record, grain: Grain) -> Option<OffsetDateTime> {
    let length = match grain {
        Grain::Whole => return None,
        Grain::Hour => 3_600_000_000,
        Grain::Quarter => 900_000_000,
    };
    let begin = micros(record.started_at).div_euclid(length) * length;
    super::row::time_of(begin)
}

/// Asserts that a store's answers are those of its records.
fn assert_adds_up(store: &mut dyn Store, records: &[Record]) {
    for grain in [Grain::Whole, Grain::Hour] {
        assert_eq!(table(store, grain, From::Rollups), expected(records, grain, From::Rollups));
    }
    for grain in [Grain::Whole, Grain::Hour, Grain::Quarter] {
        assert_eq!(table(store, grain, From::Records), expected(records, grain, From::Records));
    }
}
