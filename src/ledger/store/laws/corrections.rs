//! Costs that are computed again.

use super::{all, assert_adds_up, charge, json, read, samples, table};
use crate::domain::{Money, Record, UsageSource};
use crate::ledger::store::{Charge, From, Grain, Rerated, Store};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn priced(picos: i128) -> Charge {
    Charge { cost: Some(Money::from_picos(picos)), price_id: Some("p2".into()), unpriced: None }
}

fn with(record: &Record, charge: Charge) -> Record {
    let Charge { cost, price_id, unpriced } = charge;
    Record { cost, price_id, unpriced, ..record.clone() }
}

fn rerated(record: &Record, new: &Charge) -> Rerated {
    Rerated { id: record.id, old: charge(record), new: new.clone() }
}

/// After any correction, sums are those of the corrected records.
pub(super) fn a_correction_moves_rollups_exactly(store: &impl Fn() -> Box<dyn Store>) {
    let new =
        (option::of(0..1_000_000_000_000_i64), option::of("[a-z]{1,3}")).prop_map(|(cost, unpriced)| {
            Charge {
                cost: cost.map(|picos| Money::from_picos(picos.into())),
                price_id: Some("p2".into()),
                unpriced: unpriced.map(|model| model.as_str().into()),
            }
        });
    let corrections = vec((samples::record(), option::of(new)), 1..10);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(16) });
    let outcome = runner.run(&corrections, |corrections| {
        let mut store = store();
        let records: Vec<Record> = corrections.iter().map(|(record, _)| record.clone()).collect();
        store.append(&records).unwrap();
        let changes: Vec<Rerated> =
            corrections.iter().filter_map(|(record, new)| Some(rerated(record, new.as_ref()?))).collect();
        let count = store.rerate(&changes, samples::at(0)).unwrap();
        prop_assert_eq!(usize::try_from(count).unwrap(), changes.len());
        let corrected: Vec<Record> = corrections
            .into_iter()
            .map(|(record, new)| with(&record, new.unwrap_or_else(|| charge(&record))))
            .collect();
        assert_adds_up(&mut *store, &corrected);
        Ok(())
    });
    outcome.unwrap();
}

pub(super) fn a_correction_happens_once(store: &mut dyn Store) {
    let record = Record { usage_source: UsageSource::Estimated, ..samples::plain(1, 1) };
    store.append(std::slice::from_ref(&record)).unwrap();
    let change = [rerated(&record, &priced(7))];
    assert_eq!(store.rerate(&[rerated(&record, &charge(&record))], samples::at(1)).unwrap(), 0);
    assert_eq!(store.rerate(&change, samples::at(1)).unwrap(), 1);
    assert_eq!(store.rerate(&change, samples::at(2)).unwrap(), 0);
    let corrected = with(&record, priced(7));
    assert_eq!(store.append(&[record]).unwrap(), 0, "a replay brings no old cost back");
    assert_eq!(json(&read(store, &all())[0]), json(&corrected));
    assert_adds_up(store, &[corrected]);
}

pub(super) fn another_charge_by_now_is_left_alone(store: &mut dyn Store) {
    let (record, unknown) = (samples::plain(1, 1), samples::plain(2, 2));
    store.append(std::slice::from_ref(&record)).unwrap();
    let there_and_back = [
        rerated(&record, &priced(7)),
        rerated(&record, &priced(8)),
        rerated(&unknown, &priced(9)),
        Rerated { id: record.id, old: priced(7), new: priced(10) },
    ];
    assert_eq!(store.rerate(&there_and_back, samples::at(1)).unwrap(), 2);
    assert_adds_up(store, &[with(&record, priced(10))]);
}

pub(super) fn a_forgotten_rollup_stays_forgotten(store: &mut dyn Store) {
    let record = samples::plain(1, 1);
    store.append(std::slice::from_ref(&record)).unwrap();
    while store.retain(None, Some(super::hours().until)).unwrap() > 0 {}
    assert_eq!(store.rerate(&[rerated(&record, &priced(7))], samples::at(1)).unwrap(), 1);
    assert_eq!(table(store, Grain::Whole, From::Rollups).len(), 0);
    assert_eq!(json(&read(store, &all())[0]), json(&with(&record, priced(7))));
}

/// Whatever labels enter rollups by the time of the correction.
pub(super) fn a_correction_finds_the_rollup_that_its_record_entered(
    place: &impl Fn(&[&str]) -> Box<dyn Store>,
) {
    let labels = ["a", "b"].map(|key| (key.to_owned(), "x".to_owned()));
    let records =
        [1, 2, 3].map(|number| Record { labels: labels.clone().into(), ..samples::plain(number, 1) });
    for (record, keys) in records.iter().zip([&["a"][..], &["b"], &[]]) {
        place(keys).append(std::slice::from_ref(record)).unwrap();
    }
    let mut store = place(&["a", "b"]);
    let changes = [(0, 7), (1, 8), (2, 9)].map(|(index, picos)| rerated(&records[index], &priced(picos)));
    assert_eq!(store.rerate(&changes, samples::at(1)).unwrap(), 3);
    let rollups = table(&mut *store, Grain::Whole, From::Rollups);
    let costs: Vec<_> = rollups.iter().map(|((_, labels, _), sums)| (&**labels, sums.cost.picos())).collect();
    assert_eq!(costs, [(r#"{"a":"x"}"#, 7), (r#"{"b":"x"}"#, 8), ("{}", 9)]);
}
