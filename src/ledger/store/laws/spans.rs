//! Which records a question reaches, in which order, and for how long they are there.

use super::{all, hours, json, read, samples, table};
use crate::domain::{Record, ServiceName};
use crate::ledger::store::{From, Grain, RecordFilter, Span, Store, StoreError};
use std::time::Duration;

/// Milliseconds of an hour.
const HOUR: u64 = 3_600_000;

pub(super) fn a_span_has_its_first_moment_and_not_its_last(store: &mut dyn Store) {
    let moved = |number, millis, micros| {
        let record = samples::plain(number, millis);
        Record { started_at: record.started_at + Duration::from_micros(micros), ..record }
    };
    let records = [moved(1, 999, 999), moved(2, 1000, 0), moved(3, 1000, 500), moved(4, 2000, 0)];
    store.append(&records).unwrap();
    let mut numbers = |since, until| {
        let span = Span {
            since: samples::at(0) + Duration::from_micros(since),
            until: samples::at(0) + Duration::from_micros(until),
        };
        let found = read(store, &RecordFilter { span, ..all() });
        let slices = store.totals(span, Grain::Whole, From::Records).unwrap();
        let calls: u64 = slices.iter().map(|slice| slice.totals.calls).sum();
        assert_eq!(calls, u64::try_from(found.len()).unwrap());
        found.iter().map(|record| record.id.to_bytes()[15]).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1_000_000, 2_000_000), [2, 3]);
    assert_eq!(numbers(999_999, 1_000_001), [1, 2]);
    assert_eq!(numbers(1_000_001, 2_000_001), [3, 4]);
    assert_eq!(numbers(1_000_501, 2_000_000), [0_u8; 0]);
    assert_eq!(numbers(2_000_000, 1_000_000), [0_u8; 0]);
}

pub(super) fn records_come_by_time_and_filter(store: &mut dyn Store) {
    let search = ServiceName::parse("search").unwrap();
    let of = |service: &ServiceName, number, millis| Record {
        service: service.clone(),
        ..samples::plain(number, millis)
    };
    let checkout = samples::plain(0, 0).service;
    store.append(&[of(&checkout, 9, 30), of(&search, 1, 20)]).unwrap();
    store.append(&[of(&search, 5, 10), of(&checkout, 2, 40)]).unwrap();
    let mut found = |filter: &RecordFilter| -> Vec<u8> {
        read(store, filter).iter().map(|record| record.id.to_bytes()[15]).collect()
    };
    assert_eq!(found(&all()), [5, 1, 9, 2]);
    assert_eq!(found(&RecordFilter { service: Some(search.clone()), ..all() }), [5, 1]);
    assert_eq!(found(&RecordFilter { id: Some(samples::id(9, 30)), ..all() }), [9]);
    assert_eq!(found(&RecordFilter { id: Some(samples::id(9, 31)), ..all() }), [0_u8; 0]);
    assert_eq!(
        found(&RecordFilter { id: Some(samples::id(9, 30)), service: Some(search), ..all() }),
        [0_u8; 0]
    );
    assert_eq!(
        found(&RecordFilter { service: Some(ServiceName::parse("nobody").unwrap()), ..all() }),
        [0_u8; 0]
    );
}

pub(super) fn a_failing_reader_ends_the_reading(store: &mut dyn Store) {
    store.append(&[samples::plain(1, 1), samples::plain(2, 2)]).unwrap();
    let mut taken = 0;
    let outcome = store.records(&all(), &mut |_| {
        taken += 1;
        Err(StoreError::Away { place: "the pipe".to_owned(), reason: "closed".to_owned() })
    });
    assert_eq!(outcome.unwrap_err().to_string(), "the pipe is not available: closed");
    assert_eq!(taken, 1);
    assert_eq!(read(store, &all()).len(), 2);
}

pub(super) fn many_records_are_read_to_the_end(store: &mut dyn Store) {
    let records: Vec<Record> = (0..2500).map(|number| samples::plain(number, number / 3)).collect();
    store.append(&records).unwrap();
    let found = read(store, &all());
    assert!(found.iter().map(json).eq(records.iter().map(json)));
}

pub(super) fn what_is_old_is_forgotten(store: &mut dyn Store) {
    let records = [0, HOUR - 1, HOUR, 2 * HOUR].map(|millis| samples::plain(millis, millis));
    store.append(&records).unwrap();
    let mut left = |records_since, rollups_since| {
        while store.retain(records_since, rollups_since).unwrap() > 0 {}
        let calls = |table: super::Table| table.values().map(|totals| totals.calls).sum::<u64>();
        (read(store, &all()).len(), calls(table(store, Grain::Whole, From::Rollups)))
    };
    assert_eq!(left(None, None), (4, 4));
    assert_eq!(left(Some(samples::at(HOUR - 1)), None), (3, 4));
    assert_eq!(left(None, Some(samples::at(HOUR - 1))), (3, 4), "an hour goes when it is over");
    assert_eq!(left(None, Some(samples::at(HOUR))), (3, 2));
    assert_eq!(left(Some(hours().until), Some(hours().until)), (0, 0));
}

pub(super) fn forgetting_goes_by_pieces(store: &mut dyn Store) {
    let records: Vec<Record> = (0..20_001).map(|number| samples::plain(number, number / 3)).collect();
    store.append(&records).unwrap();
    let mut gone = Vec::new();
    while gone.last() != Some(&0) {
        gone.push(store.retain(Some(hours().until), None).unwrap());
    }
    assert_eq!(gone.iter().sum::<u64>(), 20_001);
    assert!(gone.iter().all(|rows| *rows <= 10_000), "{gone:?}");
}
