//! What records and metrics must agree on.

use crate::gateway::TestGateway;
use serde_json::Value;
use std::collections::BTreeMap;
use tollgate::metrics::Metrics;

/// Returns the records of a test's cases by their names, once all are there. No case has two.
pub(crate) async fn by_case(gateway: &TestGateway, count: usize) -> BTreeMap<String, Value> {
    balanced(gateway.records(count).await, &gateway.server.gateway().metrics, count)
}

/// Returns all records by the names of their cases. They must be so many, and the metrics must say the same.
pub(crate) fn balanced(records: Vec<Value>, metrics: &Metrics, count: usize) -> BTreeMap<String, Value> {
    assert_eq!(records.len(), count, "{records:?}");
    balance(metrics, &records);
    let by_case: BTreeMap<String, Value> =
        records.into_iter().map(|record| (case(&record), record)).collect();
    assert_eq!(by_case.len(), count);
    by_case
}

/// Returns the sum of a family's samples whose labels contain every one of `labels`, as `name="value"`.
pub(crate) fn sum(metrics: &Metrics, family: &str, labels: &[&str]) -> u64 {
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
    let of_family = samples.filter(|(name, _)| name.split('{').next() == Some(family));
    let fitting = of_family.filter(|(name, _)| labels.iter().all(|label| name.contains(label)));
    fitting.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
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
fn balance(metrics: &Metrics, records: &[Value]) {
    let mut expected: BTreeMap<(&str, Vec<String>), u64> = BTreeMap::new();
    let whole = [
        "tokens_total",
        "estimated_tokens_total",
        "client_gone_total",
        "requests_total",
        "usage_missing_total",
    ];
    for family in whole {
        expected.insert((family, Vec::new()), 0);
    }
    let mut add = |family, labels: &[(&str, String)], count: u64| {
        *expected.entry((family, Vec::new())).or_default() += count;
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        if !labels.is_empty() {
            *expected.entry((family, labels)).or_default() += count;
        }
    };
    for record in records {
        let is_estimated = record["usage_source"] == "estimated";
        let tokens = if is_estimated { "estimated_tokens_total" } else { "tokens_total" };
        for (unit, count) in record["usage"].as_object().into_iter().flatten() {
            let kind = unit.strip_suffix("_tokens").unwrap().to_owned();
            add(tokens, &[("kind", kind)], count.as_u64().unwrap());
        }
        let text = |name: &str| record[name].as_str().unwrap_or("none").to_owned();
        let status = record.get("status").map_or_else(|| "none".to_owned(), ToString::to_string);
        add("requests_total", &[("status", status), ("outcome", text("outcome"))], 1);
        add("client_gone_total", &[], is_gone(record).into());
        if record.get("usage_missing").is_some() {
            add("usage_missing_total", &[("reason", text("usage_missing"))], 1);
        }
    }
    for ((family, labels), expected) in expected {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let sum = sum(metrics, &format!("tollgate_{family}"), &labels);
        assert_eq!(sum, expected, "{family} {labels:?}");
    }
}
