//! Time: old and future records, retention, changed costs.

use super::*;
use crate::domain::Money;
use crate::ledger::store::Charge;

/// Returns a record that started so many days after the others.
fn after_days(number: u64, days: i64) -> Record {
    let started_at = samples::at(0) + Duration::days(days);
    let millis = u128::try_from(started_at.unix_timestamp_nanos() / 1_000_000).unwrap();
    let id = RequestId::from_bytes((millis << 80 | u128::from(number)).to_be_bytes());
    Record { id, started_at, ..samples::plain(number, 0) }
}

fn partitions(url: &str) -> Vec<String> {
    let tables =
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE 'records\\_%' ORDER BY 1";
    admin(url).query(tables, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_record_from_any_year_is_taken() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    store.append(&[after_days(1, 0)]).unwrap();
    assert_eq!(partitions(&url).len(), 2, "the month's, and the one after");
    let far = [after_days(2, -365 * 4), after_days(3, 365 * 9), after_days(4, 0)];
    assert_eq!(store.append(&far).unwrap(), 3);
    let ordered = [far[0].id, after_days(1, 0).id, far[2].id, far[1].id];
    assert_eq!(ids(&mut store), ordered);
    assert_eq!(agreed_sum(&mut store).calls, 4);
}

#[test]
fn a_partition_is_made_while_a_report_is_read() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    store.append(&[after_days(1, 0)]).unwrap();
    let mut other = admin(&url);
    let mut report = other.transaction().unwrap();
    report.query("SELECT count(*) FROM tollgate.records", &[]).unwrap();
    assert_eq!(store.append(&[after_days(2, 365)]).unwrap(), 1);
}

#[test]
fn whole_months_and_then_rows_are_forgotten() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    let records: Vec<Record> =
        (0..8).map(|number| after_days(number, i64::try_from(number).unwrap() * 20)).collect();
    store.append(&records).unwrap();
    let since = records[5].started_at;
    assert_eq!(store.retain(Some(since), Some(since)).unwrap(), 10);
    assert_eq!(store.retain(Some(since), Some(since)).unwrap(), 0);
    assert_eq!(ids(&mut store), records[5..].iter().map(|record| record.id).collect::<Vec<_>>());
    assert_eq!(agreed_sum(&mut store).calls, 3);
    let kept = partitions(&url);
    assert_eq!(kept[0], months::Month::of(uuid::Uuid::from_bytes(records[5].id.to_bytes())).partition());
}

#[test]
fn a_record_of_a_forgotten_month_is_taken_again() {
    let Some(url) = database() else { return };
    let (mut store, mut other) = (open(&url), open(&url));
    store.append(&[after_days(1, 0)]).unwrap();
    other.append(&[after_days(2, 0)]).unwrap();
    assert_eq!(store.retain(Some(after_days(0, 90).started_at), None).unwrap(), 2);
    assert!(matches!(other.append(&[after_days(3, 0)]), Err(StoreError::Away { .. })));
    assert_eq!(other.append(&[after_days(3, 0)]).unwrap(), 1);
}

#[test]
fn a_reader_is_not_waited_for_to_forget() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    store.append(&[after_days(1, 0)]).unwrap();
    let mut other = admin(&url);
    let mut report = other.transaction().unwrap();
    report.query("SELECT count(*) FROM tollgate.records", &[]).unwrap();
    let since = Some(after_days(0, 90).started_at);
    assert!(matches!(store.retain(since, None), Err(StoreError::Away { .. })));
    report.commit().unwrap();
    assert_eq!(store.retain(since, None).unwrap(), 1);
}

#[test]
fn a_changed_cost_finds_the_rollup_that_it_entered() {
    let Some(url) = database() else { return };
    let labels = [("feature".to_owned(), "search".to_owned())].into();
    let record = Record { labels, ..samples::plain(1, 0) };
    open(&url).append(std::slice::from_ref(&record)).unwrap();
    let mut store = PostgresStore::open(&url, None, Access::Read, &[]).unwrap();
    let old = Charge { cost: record.cost, price_id: record.price_id.clone(), unpriced: None };
    let new = Charge { cost: Some(Money::from_picos(7)), price_id: Some("p2".into()), unpriced: None };
    let rerated = [Rerated { id: record.id, old, new }];
    assert_eq!(store.rerate(&rerated, samples::at(0)).unwrap(), 1);
    assert_eq!(store.rerate(&rerated, samples::at(1)).unwrap(), 0);
    assert_eq!(agreed_sum(&mut store).cost, Money::from_picos(7));
    let kept = admin(&url).query_one("SELECT cost, price_id FROM tollgate.reratings", &[]).unwrap();
    assert_eq!((kept.get::<_, i64>(0), kept.get::<_, &str>(1)), (98_000_000, "p1"));
}
