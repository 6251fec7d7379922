//! What an upstream may state, however odd, does not stop a ledger.

use super::*;
use crate::domain::{Tokens, Usage};

#[test]
fn a_text_with_nul_is_taken() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    let raw = r#"{"converse":{"note":"\u0000\ud800"}}"#;
    let record = Record {
        service_tier: Some("fl\0ex".to_owned()),
        usage_raw: Some(serde_json::value::RawValue::from_string(raw.to_owned()).unwrap()),
        labels: [("feature".to_owned(), "a\0b".to_owned())].into(),
        ..samples::plain(1, 0)
    };
    store.append(std::slice::from_ref(&record)).unwrap();
    let back = read(&mut store).remove(0);
    assert_eq!(back.service_tier.as_deref(), Some("fl\u{fffd}ex"));
    assert_eq!(back.usage_raw.unwrap().get(), raw);
    assert_eq!(back.labels, record.labels);
}

#[test]
fn counts_without_end_are_clamped_and_their_sum_is_not_cut_short() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    let tokens = Tokens { input: Some(u64::MAX), ..Tokens::default() };
    let endless = |number| Record {
        usage: Usage { tokens, ..Usage::default() },
        cost: Some(crate::domain::Money::from_picos(i128::from(i64::MAX))),
        ..samples::plain(number, 0)
    };
    for number in 1..=3 {
        store.append(&[endless(number)]).unwrap();
    }
    let sum = agreed_sum(&mut store);
    assert_eq!(sum.input_tokens, u64::MAX);
    assert_eq!(sum.cost.picos(), i128::from(i64::MAX) * 3);
}

#[test]
fn no_record_is_no_error() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    assert_eq!(store.append(&[]).unwrap(), 0);
    assert_eq!(store.rerate(&[], samples::at(0)).unwrap(), 0);
    assert_eq!(agreed_sum(&mut store), Totals::default());
}
