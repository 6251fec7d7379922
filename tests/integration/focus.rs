//! `tollgate report --format focus`, held against the published list of columns.

use crate::ledger_reads::{NOVA, call, calls, is_misuse, json, place, run};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tollgate::domain::{Attribution, Money, Record};

/// A column of the published list.
struct Published {
    level: &'static str,
    may_be_null: bool,
    kind: &'static str,
    values: Vec<&'static str>,
}

fn published() -> Vec<(&'static str, Published)> {
    let lines = include_str!("../data/focus-1.2-columns.txt").lines().filter(|line| !line.starts_with('#'));
    let column = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, level, nulls, kind, values] = cells[..] else { panic!("{line}") };
        let values = values.split(", ").filter(|value| !value.is_empty()).collect();
        (name, Published { level, may_be_null: nulls == "True", kind, values })
    };
    lines.map(column).collect()
}

fn is_legal(text: &str, column: &Published) -> bool {
    if text.is_empty() {
        return column.may_be_null;
    }
    let is_of_kind = match column.kind {
        "Decimal" => Money::parse(text).is_ok(),
        "Date/Time" => {
            text.len() == 20 && text.ends_with('Z') && OffsetDateTime::parse(text, &Rfc3339).is_ok()
        }
        "JSON" => {
            json(text).as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array())
        }
        "String" => !text.trim().is_empty(),
        other => panic!("{other}"),
    };
    is_of_kind && (column.values.is_empty() || column.values.contains(&text))
}

/// Returns a FOCUS file's columns and rows.
fn focus(text: &str) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let mut file = csv::Reader::from_reader(text.as_bytes());
    let names = file.headers().unwrap().iter().map(str::to_owned).collect();
    (names, file.deserialize().map(Result::unwrap).collect())
}

#[test]
fn focus_has_the_published_columns() {
    let place = place(&calls());
    let ran = run(&place, "report --format focus --since 2026-11-01");
    let (names, rows) = focus(&ran.out);
    assert_eq!(rows.len(), 7, "{ran:?}");
    let published = published();
    // FOCUS's own columns first, in their order, then ours.
    let own: Vec<&str> =
        names.iter().map(String::as_str).take_while(|name| !name.starts_with("x_")).collect();
    let known: Vec<&str> =
        published.iter().map(|(name, _)| *name).filter(|name| own.contains(name)).collect();
    assert_eq!(own, known);
    assert!(names[own.len()..].iter().all(|name| name.starts_with("x_Tollgate")), "{names:?}");
    for (name, column) in &published {
        assert!(own.contains(name) || column.level != "Mandatory", "{name} is mandatory");
        for row in rows.iter().filter(|_| own.contains(name)) {
            assert!(is_legal(&row[*name], column), "{name}: {:?}", row[*name]);
        }
    }
}

#[test]
fn focus_tells_what_each_service_spent() {
    let mut records = calls();
    let free = call("free", NOVA, "2026-11-02T13:00:00Z", "1");
    records.push(Record { profile_arn: None, attribution: Attribution::LedgerOnly, ..free });
    let place = place(&records);
    let ran = run(&place, "report --format focus --since 2026-11-01");
    is_misuse(&ran, "a call that left without a profile", "--billing-account");
    let ran = run(&place, "report --format focus --since 2026-11-01 --billing-account 999999999999");
    let (_, rows) = focus(&ran.out);
    let sum = |column: &str| rows.iter().map(|row| Money::parse(&row[column]).unwrap()).sum::<Money>();
    assert_eq!(sum("EffectiveCost"), records.iter().filter_map(|record| record.cost).sum());
    assert_eq!(sum("BilledCost"), Money::ZERO);
    for (column, cell) in [
        ("BillingAccountId", "999999999999"),
        ("BillingPeriodEnd", "2026-12-01T00:00:00Z"),
        ("ChargePeriodStart", "2026-11-01T09:00:00Z"),
        ("ConsumedQuantity", "9088"),
        ("ConsumedUnit", "Tokens"),
        ("EffectiveCost", "0.01245805"),
        ("RegionName", "US West (Oregon)"),
        ("ServiceName", "Amazon Bedrock"),
        ("Tags", r#"{"team":"payments"}"#),
        ("x_TollgateLabels", r#"{"feature":"search"}"#),
        ("x_TollgateService", "checkout"),
    ] {
        assert_eq!(rows[0][column], cell, "{column}");
    }
    let only = run(&place, "report --format focus --since 2026-11-01 --service artist");
    let (_, rows) = focus(&only.out);
    assert_eq!((rows.len(), rows[0]["ConsumedUnit"].as_str()), (1, "Images"));
}
