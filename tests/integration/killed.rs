//! A gateway that is killed, over and over, under load: nothing is lost, and nothing is there twice.

use crate::gateway::{DEADLINE, until};
use crate::ledgered::{Load, serve};
use std::path::Path;
use std::time::Duration;
use tollgate::ledger::store::StoreUrl;

/// How often the gateway is killed.
const KILLS: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_and_double_nothing() {
    let load = Load::new().await;
    let place = load.workplace("");
    let url = StoreUrl::parse("sqlite:data/ledger.db", &place.path("config")).unwrap();
    let mut under_load = Duration::ZERO;
    for kill in 0..KILLS {
        let (running, address) = serve(&place);
        let before = load.answered();
        let calling = load.calling(&address, DEADLINE);
        until(|| (load.answered() > before).then_some(())).await;
        // Spread over the life of a few transactions.
        let lasting = Duration::from_millis(50 + kill.wrapping_mul(7919) % 600);
        tokio::time::sleep(lasting).await;
        drop(running);
        under_load += lasting;
        calling.join_all().await;
    }
    let answered = load.answered();
    // The last start repairs what the last kill left; its end leaves nothing in the journal.
    let (running, _) = serve(&place);
    running.stop();
    let interrupted = load.check(&url);
    let rate = u128::try_from(answered).unwrap() * 1000 / under_load.as_millis();
    println!("{answered} calls answered, {interrupted} interrupted, {rate} a second");
    assert!(answered > 2000 && interrupted > 0, "{answered} calls answered, {interrupted} interrupted");
    assert_eq!(segments(&place.path("config/data/journal")), 0, "segments are left");
}

/// Returns how many segments a journal has.
fn segments(journal: &Path) -> usize {
    let names = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".journal")).count()
}
