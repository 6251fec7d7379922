//! What records and metrics must agree on.

use crate::gateway::TestGateway;
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns the records of a test's cases by their names, once all are there. No case has two.
pub(crate) async fn by_case(gateway: &TestGateway, count: usize) -> BTreeMap<String, Value> {
    let records = gateway.records(count).await;
    assert_eq!(records.len(), count, "{records:?}");
    let by_case: BTreeMap<String, Value> =
        records.into_iter().map(|record| (case(&record), record)).collect();
    assert_eq!(by_case.len(), count);
    balance(gateway, by_case.values()).await;
    by_case
}

fn case(record: &Value) -> String {
    record["labels"]["case"].as_str().unwrap_or_else(|| panic!("no case: {record}")).to_owned()
}

/// Returns a record's input, output and their source.
pub(crate) fn usage(record: &Value) -> (u64, u64, &str) {
    let count = |name| record["usage"][name].as_u64().unwrap_or_else(|| panic!("no {name}: {record}"));
    (count("input_tokens"), count("output_tokens"), record["usage_source"].as_str().unwrap())
}

/// Tells whether a record says that the client left.
pub(crate) fn is_gone(record: &Value) -> bool {
    record.get("client_gone").is_some_and(|gone| gone == true)
}

/// Asserts that the metrics say what all records say together.
async fn balance(gateway: &TestGateway, records: impl Iterator<Item = &Value> + Clone) {
    let (mut stated, mut estimated, mut gone) = (0, 0, 0_u32);
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    let mut missing: BTreeMap<String, u32> = BTreeMap::new();
    for record in records {
        let tokens =
            record["usage"].as_object().into_iter().flatten().filter(|(unit, _)| unit.ends_with("_tokens"));
        let tokens: u64 = tokens.map(|(_, count)| count.as_u64().unwrap()).sum();
        *if record["usage_source"] == "estimated" { &mut estimated } else { &mut stated } += tokens;
        gone += u32::from(is_gone(record));
        let status = record.get("status").map_or_else(|| "none".to_owned(), ToString::to_string);
        let outcome = record["outcome"].as_str().unwrap();
        *outcomes.entry(format!("status=\"{status}\"|outcome=\"{outcome}\"")).or_default() += 1;
        if let Some(reason) = record["usage_missing"].as_str() {
            *missing.entry(format!("reason=\"{reason}\"")).or_default() += 1;
        }
    }
    let expect = |name, labels: String, expected: u64| async move {
        let labels: Vec<&str> = labels.split('|').filter(|label| !label.is_empty()).collect();
        let sum = gateway.sum(name, &labels).await;
        let expected = u32::try_from(expected).unwrap();
        assert!((sum - f64::from(expected)).abs() < 0.1, "{name} {labels:?}: {sum}, not {expected}");
    };
    expect("tollgate_tokens_total", String::new(), stated).await;
    expect("tollgate_estimated_tokens_total", String::new(), estimated).await;
    expect("tollgate_client_gone_total", String::new(), gone.into()).await;
    expect("tollgate_requests_total", String::new(), outcomes.values().sum::<u32>().into()).await;
    expect("tollgate_usage_missing_total", String::new(), missing.values().sum::<u32>().into()).await;
    for (labels, count) in outcomes {
        expect("tollgate_requests_total", labels, count.into()).await;
    }
    for (labels, count) in missing {
        expect("tollgate_usage_missing_total", labels, count.into()).await;
    }
}
