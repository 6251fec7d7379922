//! What records, reports and metrics say was spent is what the simulated Bedrock's statements cost.

use crate::gateway::{CLAUDE, NOVA, TestGateway, until};
use crate::ledgered::{always, records};
use serde_json::Value;
use std::collections::BTreeMap;
use tollgate::domain::Money;
use tollgate::ledger::report::{Dimension, Query, run};
use tollgate::ledger::store::{self, Access, StoreUrl};
use tollgate::simulator::TokenTotals;

/// USD per 1,000,000 tokens in us-west-2, from AWS's price pages: input, output, cache read, cache writes for five
/// minutes and for an hour.
fn list_prices(model: &str) -> [&'static str; 5] {
    match model {
        CLAUDE => ["3.3", "16.5", "0.33", "4.125", "6.6"],
        NOVA => ["0.06", "0.24", "0.015", "0", "0"],
        _ => ["0.02", "0", "0", "0", "0"],
    }
}

/// Returns what a statement costs; nobody knows of Nova's writes for an hour, which are not sold.
fn cost(model: &str, tokens: TokenTotals) -> Option<Money> {
    if model == NOVA && tokens.cache_write_1h > 0 {
        return None;
    }
    let counts =
        [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h];
    let priced = list_prices(model).into_iter().zip(counts);
    let costs = priced.map(|(price, count)| {
        let of_all = Money::parse(price).unwrap().checked_mul(count).unwrap();
        Money::from_picos(of_all.picos() / 1_000_000)
    });
    Some(costs.sum())
}

/// Holds the ledger of a gateway that has made calls against their records in the access log and against the
/// statements of the simulator, which are in `statements` by AWS's request id.
pub(crate) async fn check(
    gateway: &TestGateway,
    logged: &[Value],
    statements: &BTreeMap<String, TokenTotals>,
) {
    let url = StoreUrl::parse("sqlite:data/ledger.db", gateway.folder.path()).unwrap();
    let stored = until(|| Some(records(&url)).filter(|records| records.len() >= logged.len())).await;
    let stored: BTreeMap<String, Value> =
        stored.iter().map(|record| (record.id.to_string(), serde_json::to_value(record).unwrap())).collect();
    assert_eq!(stored.len(), logged.len());
    let (mut all, mut stated, mut unpriced) = (Money::ZERO, Money::ZERO, 0);
    for record in logged {
        assert_eq!(&stored[record["id"].as_str().unwrap()], record);
        let of_record = record["estimated_cost_usd"].as_str().map(|cost| Money::parse(cost).unwrap());
        all += of_record.unwrap_or_default();
        let aws_id = record["aws_request_id"].as_str().unwrap_or_default();
        if let Some(tokens) = statements.get(aws_id) {
            let expected = cost(record["source_model"].as_str().unwrap(), *tokens);
            assert_eq!(of_record, expected, "{record}");
            stated += expected.unwrap_or_default();
        }
        let is_unpriced = record["unpriced"].is_string();
        unpriced += usize::from(is_unpriced);
        assert_eq!(record["usage"].is_object(), of_record.is_some() ^ is_unpriced, "{record}");
    }
    assert!(Money::ZERO < stated && stated < all, "{stated} of {all}");
    assert_eq!(reported(&url, "service"), all);
    assert_eq!(reported(&url, "label:none"), all);
    let counted = gateway.sum("tollgate_unpriced_total", &[]).await;
    assert!(unpriced > 0 && counted.to_string() == unpriced.to_string(), "{counted} {unpriced}");
    // The scrape's floats say the amount as far as floats go.
    let scraped = gateway.sum("tollgate_estimated_cost_usd_total", &[]).await;
    let expected: f64 = all.to_string().parse().unwrap();
    assert_eq!(format!("{scraped:.6}"), format!("{expected:.6}"));
    println!("{all} USD, {stated} of it as stated");
}

/// Returns the total of a report.
fn reported(url: &StoreUrl, by: &str) -> Money {
    let mut store = store::open(url, Access::Read, &[]).unwrap();
    let query = Query {
        span: always(),
        by: vec![Dimension::parse(by).unwrap()],
        zone: jiff::tz::TimeZone::UTC,
        service: None,
        top: None,
    };
    run(&mut *store, &query, &[], &mut |_, _| {}).unwrap().totals.cost
}
