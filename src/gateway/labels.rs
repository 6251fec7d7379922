//! `x-tollgate-labels`: what a caller says about a call, for reports by feature or team.

use http::{HeaderMap, HeaderName};
use std::collections::BTreeMap;

/// The header; `feature=search,env=prod`.
const X_TOLLGATE_LABELS: HeaderName = HeaderName::from_static("x-tollgate-labels");

/// The most labels that a call may carry.
const MAX_LABELS: usize = 8;

/// The longest key, in bytes.
const MAX_KEY: usize = 32;

/// The longest value, in bytes.
const MAX_VALUE: usize = 128;

/// Returns the labels of a request, and how many entries broke the rules and were dropped.
pub(super) fn labels(headers: &HeaderMap) -> (BTreeMap<String, String>, u64) {
    let (mut labels, mut dropped) = (BTreeMap::new(), 0);
    for value in headers.get_all(X_TOLLGATE_LABELS) {
        for entry in value.as_bytes().split(|byte| *byte == b',') {
            match entry.trim_ascii() {
                b"" => {}
                entry => match parse(entry) {
                    Some((key, value)) if labels.len() < MAX_LABELS || labels.contains_key(key) => {
                        labels.insert(key.to_owned(), value.to_owned());
                    }
                    Some(_) | None => dropped += 1,
                },
            }
        }
    }
    (labels, dropped)
}

fn parse(entry: &[u8]) -> Option<(&str, &str)> {
    let (key, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let starts_well = key.starts_with(|c: char| c.is_ascii_lowercase());
    let continues_well = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let fits = key.len() <= MAX_KEY && value.len() <= MAX_VALUE;
    (starts_well && continues_well && fits).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(value: &[u8]) -> (Vec<String>, u64) {
        let mut headers = HeaderMap::new();
        headers.insert(X_TOLLGATE_LABELS, HeaderValue::from_bytes(value).unwrap());
        let (labels, dropped) = labels(&headers);
        (labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect(), dropped)
    }

    #[test]
    fn labels_are_kept_within_bounds() {
        assert_eq!(of(b"feature=search, env=prod,,"), (vec!["env=prod".into(), "feature=search".into()], 0));
        assert_eq!(of("a=gr\u{fc}n".as_bytes()), (vec!["a=gr\u{fc}n".into()], 0));
        assert_eq!(of(b"A=1,1a=2,noequals,=3,a=\xff"), (vec![], 5));
        assert_eq!(of(format!("a={}", "x".repeat(129)).as_bytes()), (vec![], 1));
        let nine: Vec<String> = (0..9).map(|n| format!("k{n}=v")).collect();
        let (kept, dropped) = of(nine.join(",").as_bytes());
        assert_eq!((kept.len(), dropped), (8, 1));
    }
}
