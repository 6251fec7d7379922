use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Cuts a body into pieces of that many bytes.
fn taken(body: &[u8], step: usize) -> RequestBody {
    RequestBody {
        pieces: body.chunks(step).map(Bytes::copy_from_slice).collect(),
        len: body.len().try_into().unwrap(),
        sha256: Sha256::digest(body).into(),
        text_bytes: 7,
        max_output_tokens: None,
        waited: std::time::Duration::ZERO,
    }
}

/// Stamps a body that came in pieces of that many bytes.
fn stamped_in(body: &[u8], step: usize, tags: &BTreeMap<String, String>) -> (Vec<u8>, Stamped) {
    let (mut body, service) = (taken(body, step), ServiceName::parse("shop").unwrap());
    let stamp = Stamp { service: &service, id: RequestId::from_bytes([0xab; 16]), tags };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stamped = runtime.block_on(stamp.body(&mut body)).unwrap();
    let whole = body.pieces.concat();
    assert_eq!(body.len, u64::try_from(whole.len()).unwrap());
    assert_eq!(body.sha256, <[u8; 32]>::from(Sha256::digest(&whole)));
    assert_eq!(body.text_bytes, 7);
    assert!(body.pieces.iter().all(|piece| !piece.is_empty()) || whole.is_empty());
    (whole, stamped)
}

fn stamped(body: &str) -> (String, Stamped) {
    let (whole, stamped) = stamped_in(body.as_bytes(), 5, &BTreeMap::new());
    (String::from_utf8(whole).unwrap(), stamped)
}

/// Returns why a body takes no stamp.
fn refused(text: &str) -> Unstampable {
    let (mut body, service) = (taken(text.as_bytes(), 5), ServiceName::parse("shop").unwrap());
    let tags = BTreeMap::new();
    let stamp = Stamp { service: &service, id: RequestId::from_bytes([0xab; 16]), tags: &tags };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refusal = runtime.block_on(stamp.body(&mut body)).unwrap_err();
    assert_eq!(body.pieces.concat(), text.as_bytes());
    refusal
}

const ID: &str = "abababab-abab-abab-abab-abababababab";

/// The stamp of a service without tags.
fn stamp() -> String {
    format!(r#""tollgate.service":"shop","tollgate.request_id":"{ID}""#)
}

fn removed(removed: u64) -> Stamped {
    Stamped { removed, is_short: false }
}

fn entries(count: usize) -> String {
    (0..count).map(|n| format!(r#""k{n}":"v""#)).collect::<Vec<_>>().join(",")
}

#[test]
fn the_member_is_put_in_where_there_is_none() {
    let own = stamp();
    for (body, expected) in [
        ("{}", format!(r#"{{"requestMetadata":{{{own}}}}}"#)),
        (" { } ", format!(r#" {{"requestMetadata":{{{own}}} }} "#)),
        (r#"{"messages":[]}"#, format!(r#"{{"requestMetadata":{{{own}}},"messages":[]}}"#)),
        (
            r#"{"messages":[{"requestMetadata":{"a":"}"}}],"x":"\"requestMetadata\":{}"}"#,
            format!(
                r#"{{"requestMetadata":{{{own}}},"messages":[{{"requestMetadata":{{"a":"}}"}}}}],"x":"\"requestMetadata\":{{}}"}}"#
            ),
        ),
    ] {
        assert_eq!(stamped(body), (expected, removed(0)), "{body}");
    }
}

#[test]
fn the_clients_entries_stay_as_they_stand() {
    let own = stamp();
    for (body, expected, taken_out) in [
        (r#"{"requestMetadata":{}}"#, format!(r#"{{"requestMetadata":{{{own}}}}}"#), 0),
        (r#"{"requestMetadata":null}"#, format!(r#"{{"requestMetadata":{{{own}}}}}"#), 0),
        (
            r#"{ "requestMetadata" : { "a" : "b\u0041" } , "x":1}"#,
            format!(r#"{{ "requestMetadata" : {{{own}, "a" : "b\u0041" }} , "x":1}}"#),
            0,
        ),
        (
            r#"{"request\u004detadata":{"a":"b"}}"#,
            format!(r#"{{"request\u004detadata":{{{own},"a":"b"}}}}"#),
            0,
        ),
        (
            r#"{"requestMetadata":{"tollgate.service":"other", "a" : {"x":1},"\u0074ollgate.x":1}}"#,
            format!(r#"{{"requestMetadata":{{{own},"a" : {{"x":1}}}}}}"#),
            2,
        ),
        (r#"{"requestMetadata":{"tollgate.service":"o"}}"#, format!(r#"{{"requestMetadata":{{{own}}}}}"#), 1),
        (
            r#"{"requestMetadata":{"a":"1"},"requestMetadata":{"tollgate.a":"2"}}"#,
            format!(r#"{{"requestMetadata":{{{own},"a":"1"}},"requestMetadata":{{{own}}}}}"#),
            1,
        ),
        // What is no object says nothing that Bedrock would take.
        (r#"{"requestMetadata":"a"}"#, format!(r#"{{"requestMetadata":{{{own}}}}}"#), 1),
        (r#"{"requestMetadata":[1]}"#, format!(r#"{{"requestMetadata":{{{own}}}}}"#), 1),
    ] {
        assert_eq!(stamped(body), (expected, removed(taken_out)), "{body}");
    }
}

#[test]
fn what_is_no_json_object_is_refused() {
    for body in [
        "",
        "[]",
        "null",
        "{",
        "{\"requestMetadata\":{}",
        "{\"requestMetadata\":{},}",
        "text",
        "{}{}",
        "{} x",
    ] {
        assert_eq!(refused(body), Unstampable::NoObject, "{body}");
    }
}

#[test]
fn the_clients_entries_have_the_room_first() {
    let tags =
        tags(&[("team", "red"), ("cost center", "cc-1"), ("ü", "x"), ("y", "ü"), ("z", &"v".repeat(257))]);
    for (count, mine) in [
        (0, vec!["tollgate.service", "tollgate.request_id", "tollgate.tag.cost center", "tollgate.tag.team"]),
        (13, vec!["tollgate.service", "tollgate.request_id", "tollgate.tag.cost center"]),
        (14, vec!["tollgate.service", "tollgate.request_id"]),
        (15, vec!["tollgate.service"]),
        (16, vec![]),
        (17, vec![]),
        (64, vec![]),
    ] {
        let body = format!(r#"{{"requestMetadata":{{{}}}}}"#, entries(count));
        let (whole, stamped) = stamped_in(body.as_bytes(), 64, &tags);
        let value: Value = serde_json::from_slice(&whole).unwrap();
        let metadata = value["requestMetadata"].as_object().unwrap();
        let mut own: Vec<&str> =
            metadata.keys().map(String::as_str).filter(|key| key.starts_with("tollgate.")).collect();
        own.sort_by_key(|key| (key.contains(".tag."), key.contains("_id"), *key));
        assert_eq!(own, mine, "{count}");
        assert_eq!(metadata.len(), count + mine.len());
        assert_eq!(stamped, Stamped { removed: 0, is_short: count > 14 }, "{count}");
        if mine.is_empty() {
            assert_eq!(whole, body.as_bytes());
        }
    }
}

#[test]
fn a_member_that_is_there_too_often_is_refused() {
    let body = format!("{{{}\"a\":1}}", "\"requestMetadata\":{},".repeat(65));
    assert_eq!(refused(&body), Unstampable::TooOften);
}

#[test]
fn more_entries_than_are_looked_at_give_way_to_the_stamp() {
    let padding = r#""a":"","#.repeat(64);
    for body in [
        format!(r#"{{"requestMetadata":{{{padding}"tollgate.service":"b"}}}}"#),
        format!(r#"{{"requestMetadata":{{{padding}{padding}"z":"y"}}}}"#),
    ] {
        let (whole, stamped) = stamped(&body);
        assert_eq!(whole, format!(r#"{{"requestMetadata":{{{}}}}}"#, stamp()));
        assert!(stamped.removed >= 64 && !stamped.is_short, "{stamped:?}");
    }
}

fn head(values: &[&str]) -> (Vec<String>, Stamped) {
    let service = ServiceName::parse("shop").unwrap();
    let stamp =
        Stamp { service: &service, id: RequestId::from_bytes([0xab; 16]), tags: &tags(&[("a", "b")]) };
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(HEADER, HeaderValue::from_str(value).unwrap());
    }
    let stamped = stamp.head(&mut headers);
    (headers.get_all(HEADER).iter().map(|value| value.to_str().unwrap().to_owned()).collect(), stamped)
}

#[test]
fn the_header_is_put_in_or_merged_or_replaced() {
    let own = format!("{},{}", stamp(), r#""tollgate.tag.a":"b""#);
    for (values, expected, taken_out) in [
        (vec![], format!("{{{own}}}"), 0),
        (vec![r#" {"x" : "y"} "#], format!(r#"{{{own},"x" : "y"}}"#), 0),
        (vec![r#"{"x":"y","tollgate.service":"o"}"#], format!(r#"{{{own},"x":"y"}}"#), 1),
        (vec![r#"{"x":"y""#], format!("{{{own}}}"), 1),
        (vec!["[]"], format!("{{{own}}}"), 1),
        (vec![r#"{"x":"y"}"#, r#"{"z":"y"}"#], format!("{{{own}}}"), 1),
    ] {
        assert_eq!(head(&values), (vec![expected], removed(taken_out)), "{values:?}");
    }
    // As long as Bedrock takes it: the tag goes first, then the id.
    for (len, count, is_short) in [(8300, 3, false), (8390, 2, false), (8420, 1, true), (8480, 0, true)] {
        let value = format!(r#"{{"x":"{}"}}"#, "y".repeat(len));
        let (values, stamped) = head(&[&value]);
        let Ok(Value::Object(metadata)) = serde_json::from_str(&values[0]) else { panic!("{values:?}") };
        assert!(values[0].len() <= 8500, "{}", values[0].len());
        assert_eq!((metadata.len() - 1, stamped.is_short), (count, is_short), "{len}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z{}\",:\\\\]{0,8}"]
}

/// A client's metadata, some of it under our keys.
fn metadata() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-z]{1,3}",
        "tollgate\\.[a-z]{0,3}",
        "[a-z\\\\\"{}é]{1,4}",
        Just("tollgate.service".to_owned())
    ];
    let object = prop::collection::btree_map(key, text().prop_map(Value::from), 0..20);
    prop_oneof![
        5 => object.prop_map(|members| Value::Object(members.into_iter().collect())),
        1 => Just(Value::Null),
    ]
}

/// A body with metadata or without.
fn body() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        text().prop_map(Value::from),
        prop::collection::vec(metadata(), 0..3).prop_map(Value::from),
        metadata().prop_map(|nested| json!({ "requestMetadata": nested })),
    ];
    (prop::collection::btree_map("[a-z\\\\\"]{1,4}", member, 0..4), prop::option::of(metadata())).prop_map(
        |(members, metadata)| {
            let mut body: Map<String, Value> = members.into_iter().collect();
            body.extend(metadata.map(|metadata| ("requestMetadata".to_owned(), metadata)));
            Value::Object(body)
        },
    )
}

/// Does the same to a body that was parsed.
fn expected(mut body: Value) -> Value {
    let members = body.as_object_mut().unwrap();
    let mut metadata = match members.remove("requestMetadata") {
        Some(Value::Object(metadata)) => metadata,
        Some(_) | None => Map::new(),
    };
    metadata.retain(|key, _| !key.starts_with("tollgate."));
    let own = [("tollgate.service", "shop"), ("tollgate.request_id", ID), ("tollgate.tag.team", "red")];
    let room = 16_usize.saturating_sub(metadata.len());
    metadata.extend(own.into_iter().take(room).map(|(key, value)| (key.to_owned(), Value::from(value))));
    members.insert("requestMetadata".to_owned(), Value::Object(metadata));
    body
}

proptest! {
    #[test]
    fn a_parser_sees_the_metadata_merged_and_the_rest_unchanged(body in body(), step in 1..40_usize) {
        let tags = tags(&[("team", "red")]);
        for document in [body.to_string(), serde_json::to_string_pretty(&body).unwrap()] {
            let (whole, _) = stamped_in(document.as_bytes(), step, &tags);
            prop_assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), expected(body.clone()));
            // However it came.
            prop_assert_eq!(&whole, &stamped_in(document.as_bytes(), usize::MAX, &tags).0);
            // All that is not the member's value is there, byte for byte.
            let pieces = [Bytes::from(document.clone())];
            let members = members(&pieces, |name| name == MEMBER).unwrap();
            let (from, to) = members.found.first().map_or((members.start, members.start), |member| {
                (member.value.start, member.value.end)
            });
            prop_assert!(whole.starts_with(&document.as_bytes()[..from]));
            prop_assert!(whole.ends_with(&document.as_bytes()[to..]));
        }
    }

    #[test]
    fn a_broken_body_is_refused(body in body(), cut in 1..200_usize) {
        let document = body.to_string();
        let broken = &document[..document.floor_char_boundary(document.len() - cut.min(document.len()))];
        prop_assert_eq!(refused(broken), Unstampable::NoObject);
    }
}
