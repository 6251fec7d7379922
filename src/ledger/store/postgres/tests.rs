//! Against real servers.

mod faults;
mod gateways;
mod history;
#[path = "../../../../tests/support/postgres.rs"]
mod server;
mod texts;
mod trust;

use super::*;
use crate::domain::RequestId;
use crate::ledger::store::laws::laws;
use crate::ledger::store::{Totals, samples};
use server::Server;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use time::Duration;

/// Returns an empty database of the one server that these tests share; `None` where there is no PostgreSQL.
fn database() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    shared().map(|server| server.create(&format!("ledger_{number}")))
}

fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let mut is_first = false;
    let server = SERVER.get_or_init(|| {
        is_first = true;
        Server::start()
    });
    if server.is_none() && !is_first {
        server::say_skipped();
    }
    server.as_ref()
}

fn open(url: &str) -> PostgresStore {
    PostgresStore::open(url, None, Access::Write, &["feature".to_owned()]).unwrap()
}

#[test]
fn it_keeps_every_law() {
    if shared().is_some() {
        laws(|| {
            let url = database().unwrap();
            move |keys: &[&str]| {
                let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
                Box::new(PostgresStore::open(&url, None, Access::Write, &keys).unwrap())
            }
        });
    }
}

fn admin(url: &str) -> ::postgres::Client {
    ::postgres::Client::connect(url, ::postgres::NoTls).unwrap()
}

fn everything() -> Span {
    Span { since: OffsetDateTime::UNIX_EPOCH, until: samples::at(0) + Duration::days(365 * 100) }
}

fn read(store: &mut PostgresStore) -> Vec<Record> {
    let mut records = Vec::new();
    let filter = RecordFilter { span: everything(), service: None, id: None };
    let keep = &mut |record| {
        records.push(record);
        Ok(())
    };
    store.records(&filter, keep).unwrap();
    records
}

fn ids(store: &mut PostgresStore) -> Vec<RequestId> {
    read(store).into_iter().map(|record| record.id).collect()
}

fn sum(store: &mut PostgresStore, from: From) -> Totals {
    let mut sum = Totals::default();
    for slice in store.totals(everything(), Grain::Whole, from).unwrap() {
        sum.add(&slice.totals);
    }
    sum
}

/// Returns the sum of the records after checking that the rollups have the same.
fn agreed_sum(store: &mut PostgresStore) -> Totals {
    let sum_of_records = sum(store, From::Records);
    assert_eq!(sum(store, From::Rollups), sum_of_records);
    sum_of_records
}
