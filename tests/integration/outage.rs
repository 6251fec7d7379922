//! A ledger in PostgreSQL whose server goes away, and which two gateways share.

use crate::gateway::DEADLINE;
use crate::ledgered::{Load, serve, settled};
use crate::postgres::Server;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use tollgate::ledger::store::StoreUrl;

/// How long the server is away, in seconds: `TOLLGATE_OUTAGE_SECONDS`, else this.
const OUTAGE: u64 = 5;

fn store(url: &str) -> (String, StoreUrl) {
    (format!("store = \"{url}\"\n"), StoreUrl::parse(url, Path::new("")).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_holds_up_nothing_and_loses_nothing() {
    let Some(mut server) = Server::start() else { return };
    let (setting, url) = store(&server.create("outage"));
    let load = Load::new().await;
    let place = load.workplace(&setting);
    let (running, address) = serve(&place);
    load.call(&address, Duration::from_secs(1)).await;
    let before = load.answered();
    server.stop();
    let away = std::env::var("TOLLGATE_OUTAGE_SECONDS").map_or(OUTAGE, |text| text.parse().unwrap());
    load.call(&address, Duration::from_secs(away)).await;
    let during = load.answered() - before;
    assert!(during > 100, "{during} calls while the server was away");
    server.start_again();
    load.call(&address, Duration::from_millis(500)).await;
    settled(&load, &url).await;
    running.stop();
    assert_eq!(load.check(&url), 0);
    println!(
        "{before} calls before, {during} while the server was away for {away} s, {} in all",
        load.answered()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_gateways_on_one_ledger_one_is_killed() {
    let Some(server) = Server::start() else { return };
    let (setting, url) = store(&server.create("shared"));
    let load = Load::new().await;
    let places = [load.workplace(&setting), load.workplace(&setting)];
    let (first, first_address) = serve(&places[0]);
    let (second, second_address) = serve(&places[1]);
    let calls = [
        load.calling(&first_address, Duration::from_secs(3)),
        load.calling(&second_address, Duration::from_millis(2500)),
    ];
    tokio::time::sleep(Duration::from_millis(1500)).await;
    drop(first);
    for call in calls {
        call.join_all().await;
    }
    second.stop();
    let (first, _) = serve(&places[0]);
    settled(&load, &url).await;
    first.stop();
    let interrupted = load.check(&url);
    println!("{} calls answered, {interrupted} interrupted", load.answered());
    assert!(interrupted > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_at_the_start_is_waited_for() {
    let Some(mut server) = Server::start() else { return };
    let (setting, url) = store(&server.create("late"));
    server.stop();
    let load = Load::new().await;
    let place = load.workplace(&setting);
    let (running, address) = serve(&place);
    load.call(&address, Duration::from_millis(300)).await;
    server.start_again();
    let until = Instant::now() + DEADLINE;
    // The schema is made when the server is back.
    tokio::time::timeout_at(until, async {
        let url = url.clone();
        while !tokio::task::block_in_place(|| is_there(&url)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    settled(&load, &url).await;
    running.stop();
    assert_eq!(load.check(&url), 0);
}

fn is_there(url: &StoreUrl) -> bool {
    let url = url.clone();
    let open =
        move || tollgate::ledger::store::open(&url, tollgate::ledger::store::Access::Read, &[]).is_ok();
    std::thread::spawn(open).join().unwrap()
}
