//! Recorded traffic from outside the project, in the folder that `TOLLGATE_CORPUS` names.

use super::{End, Tap};
use crate::domain::{ModelId, Operation};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use serde_json::Value;
use std::path::Path;

fn reading_of(case: &Value) -> super::Reading {
    let operation = Operation::from_name(case["operation"].as_str().unwrap()).unwrap();
    let model = case["model_id"].as_str().and_then(|id| ModelId::parse(id).ok());
    let response = &case["response"];
    let mut headers = HeaderMap::new();
    for (name, value) in response["headers"].as_object().unwrap() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        // The recorder has already decoded the bodies.
        if name != "content-encoding" {
            headers.append(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
        }
    }
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let body = Bytes::from(STANDARD.decode(response["body_b64"].as_str().unwrap()).unwrap());
    let mut tap = Tap::new(operation, model.as_ref(), status, &headers, 0);
    for at in (0..body.len()).step_by(1000) {
        tap.feed(&body.slice(at..body.len().min(at + 1000)));
    }
    tap.finish(End::Complete)
}

/// Says where a reading differs from what the case expects.
fn fault(case: &Value) -> Option<String> {
    let reading = reading_of(case);
    let tokens = reading.usage.tokens;
    let expected = &case["expected_usage"];
    let differs = |name: &str, found: Option<u64>, is_cache: bool| {
        let expected = expected[name].as_u64();
        let same = expected == found || (is_cache && expected.unwrap_or(0) == found.unwrap_or(0));
        (!same).then(|| format!("{name}: {found:?} instead of {expected:?} ({:?})", reading.source))
    };
    let written = super::counts::written(&tokens);
    let exception = (case["category"] == "stream-exception") != reading.exception.is_some();
    differs("input_tokens", tokens.input, false)
        .or_else(|| differs("output_tokens", tokens.output, false))
        .or_else(|| differs("cache_read_input_tokens", tokens.cache_read, true))
        .or_else(|| differs("cache_write_input_tokens", written, true))
        .or_else(|| exception.then(|| format!("exception: {:?}", reading.exception)))
}

#[test]
fn recorded_traffic_reads_as_others_read_it() {
    let Some(folder) = std::env::var_os("TOLLGATE_CORPUS") else {
        eprintln!("SKIPPED: TOLLGATE_CORPUS names no folder of recorded traffic");
        return;
    };
    let mut count = 0;
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(Path::new(&folder)).unwrap() {
        let path = entry.unwrap().path();
        let is_case = path.extension().is_some_and(|ending| ending == "json")
            && path.file_name().is_some_and(|name| name != "index.json");
        if !is_case {
            continue;
        }
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if case["category"] == "ok" || case["category"] == "stream-exception" {
            count += 1;
            faults.extend(fault(&case).map(|fault| format!("{}: {fault}", case["id"])));
        }
    }
    eprintln!("{count} recorded cases, {} differ", faults.len());
    assert!(count > 0 && faults.is_empty(), "{faults:#?}");
}
