//! Records come once, and count once.

use super::{all, assert_adds_up, json, read, samples, table};
use crate::domain::{Money, Record, Tokens};
use crate::ledger::store::{From, Grain, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

/// Whatever comes again, in whichever batches: each record is there once, and the sums are those of the records.
pub(super) fn replays_change_nothing(store: &impl Fn() -> Box<dyn Store>) {
    let records = vec(samples::record(), 1..12);
    let batches = vec(vec(any::<Index>(), 0..10), 1..6);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(24) });
    let outcome = runner.run(&(records, batches), |(records, batches)| {
        let mut store = store();
        let mut model = BTreeMap::new();
        let mut added = 0;
        for batch in batches {
            let batch: Vec<Record> = batch.iter().map(|index| index.get(&records).clone()).collect();
            added += store.append(&batch).unwrap();
            for record in batch {
                model.entry(record.id).or_insert(record);
            }
        }
        let model: Vec<Record> = model.into_values().collect();
        prop_assert_eq!(usize::try_from(added).unwrap(), model.len());
        let kept: Vec<String> = read(&mut *store, &all()).iter().map(json).collect();
        prop_assert_eq!(kept, model.iter().map(json).collect::<Vec<_>>());
        assert_adds_up(&mut *store, &model);
        Ok(())
    });
    outcome.unwrap();
}

pub(super) fn the_first_record_of_an_id_stays(store: &mut dyn Store) {
    let first = samples::plain(1, 10);
    let second = Record { cost: Some(Money::from_picos(5)), ..first.clone() };
    assert_eq!(store.append(&[]).unwrap(), 0);
    assert_eq!(store.append(&[first.clone(), second.clone()]).unwrap(), 1);
    assert_eq!(store.append(&[second, samples::plain(2, 5)]).unwrap(), 1);
    assert_adds_up(store, &[first, samples::plain(2, 5)]);
}

/// Nonsense from upstream is recorded as far as it goes, and does not stop what comes after it.
pub(super) fn no_amount_is_too_much(store: &mut dyn Store) {
    let endless = |number| {
        let mut record = samples::plain(number, number);
        record.usage.tokens = Tokens { input: Some(u64::MAX), output: Some(1), ..Tokens::default() };
        record.cost = Some(Money::from_picos(i128::MAX));
        record
    };
    for number in 0..3 {
        assert_eq!(store.append(&[endless(2 * number), endless(2 * number + 1)]).unwrap(), 2);
    }
    for from in [From::Rollups, From::Records] {
        let totals = table(store, Grain::Whole, from).into_values().next().unwrap();
        assert_eq!((totals.calls, totals.output_tokens), (6, 6));
        assert!(totals.input_tokens > 1 << 62 && totals.cost > Money::from_picos(1 << 62));
    }
}
