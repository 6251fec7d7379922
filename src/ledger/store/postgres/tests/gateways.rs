//! Many gateways at one ledger.

use super::*;
use std::thread;

#[test]
fn gateways_that_start_together_make_one_schema() {
    let Some(url) = database() else { return };
    let opened = thread::scope(|scope| {
        let opening: Vec<_> =
            (0..8).map(|_| scope.spawn(|| open(&url).append(&[samples::plain(1, 0)]))).collect();
        opening.into_iter().map(|opening| opening.join().unwrap().unwrap()).sum::<u64>()
    });
    assert_eq!(opened, 1);
    let versions = admin(&url).query("SELECT version FROM tollgate.schema_version", &[]).unwrap();
    assert_eq!(versions.len(), 1);
}

#[test]
fn batches_that_overlap_are_added_once() {
    let Some(url) = database() else { return };
    let records: Vec<Record> = (0..3_000).map(|number| samples::plain(number, number * 4_000)).collect();
    let backwards: Vec<Record> = records.iter().rev().cloned().collect();
    let append_all = |records: &[Record]| {
        let mut store = open(&url);
        records.chunks(250).map(|batch| store.append(batch).unwrap()).sum::<u64>()
    };
    let added = thread::scope(|scope| {
        let orders = [&records, &backwards, &records, &backwards];
        let writers: Vec<_> = orders.map(|order| scope.spawn(move || append_all(order))).into();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum::<u64>()
    });
    let mut store = open(&url);
    assert_eq!((added, agreed_sum(&mut store).calls), (3_000, 3_000));
    let mut expected = Totals::default();
    for record in &records {
        expected.add(&Totals::of(record));
    }
    assert_eq!(agreed_sum(&mut store), expected);
    assert_eq!(ids(&mut store), records.iter().map(|record| record.id).collect::<Vec<_>>());
}

#[test]
fn records_are_forgotten_or_changed_one_at_a_time() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    store.append(&[samples::plain(1, 0)]).unwrap();
    let mut other = admin(&url);
    let mut busy = other.transaction().unwrap();
    busy.execute("SELECT pg_advisory_xact_lock($1)", &[&connection::Lock::Records.key()]).unwrap();
    let later = Some(samples::at(0) + Duration::DAY);
    assert_eq!(store.retain(later, later).unwrap(), 0);
    store.connection.as_mut().unwrap().client.batch_execute("SET lock_timeout = '20ms'").unwrap();
    let waited = store.rerate(&[], samples::at(0)).unwrap_err();
    assert!(matches!(&waited, StoreError::Away { .. }), "{waited}");
    busy.commit().unwrap();
    assert_eq!(store.retain(later, later).unwrap(), 2);
}
