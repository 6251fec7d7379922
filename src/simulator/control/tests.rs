//! The control plane's operations, by raw HTTP.

use super::super::fixtures::{ARN, Ask, CLAUDE, Heard, start};
use super::super::{SimulatedProfile, Simulator};
use crate::operation::encode;
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const NOVA: &str = "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0";
const GLOBAL: &str = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/\
    global.anthropic.claude-sonnet-4-5-20250929-v1:0";

async fn post(simulator: &Simulator, path: &str, body: &Value) -> Heard {
    Ask::new(Method::POST, path, &body.to_string()).send(simulator).await
}

async fn create(simulator: &Simulator, body: &Value) -> Heard {
    post(simulator, "/inference-profiles", body).await
}

pub(super) async fn create_named(simulator: &Simulator, name: &str) -> String {
    let body = json!({ "inferenceProfileName": name, "modelSource": { "copyFrom": NOVA } });
    arn_of(&create(simulator, &body).await)
}

fn arn_of(heard: &Heard) -> String {
    assert_eq!(heard.status, 201, "{}", heard.json());
    heard.json()["inferenceProfileArn"].as_str().unwrap().to_owned()
}

pub(super) async fn list(simulator: &Simulator, query: &str) -> Value {
    let ask = Ask { query: query.to_owned(), ..Ask::new(Method::GET, "/inference-profiles", "") };
    ask.send(simulator).await.json()
}

pub(super) fn ids(list: &Value) -> Vec<&str> {
    let all = list["inferenceProfileSummaries"].as_array().unwrap();
    all.iter().map(|summary| summary["inferenceProfileId"].as_str().unwrap()).collect()
}

pub(super) async fn get(simulator: &Simulator, identifier: &str) -> Heard {
    let path = format!("/inference-profiles/{}", encode(identifier));
    Ask::new(Method::GET, &path, "").send(simulator).await
}

async fn delete(simulator: &Simulator, identifier: &str) -> Heard {
    let path = format!("/inference-profiles/{}", encode(identifier));
    Ask::new(Method::DELETE, &path, "").send(simulator).await
}

pub(super) async fn tags(simulator: &Simulator, arn: &str) -> BTreeMap<String, String> {
    let heard = post(simulator, "/listTagsForResource", &json!({ "resourceARN": arn })).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tags = heard.json()["tags"].as_array().unwrap().clone();
    tags.iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
}

fn refused(heard: &Heard) -> (u16, String) {
    assert!(heard.json()["message"].as_str().is_some_and(|message| !message.is_empty()));
    (heard.status, heard.header("x-amzn-errortype").to_owned())
}

fn invalid() -> (u16, String) {
    (400, "ValidationException".to_owned())
}

fn not_found() -> (u16, String) {
    (404, "ResourceNotFoundException".to_owned())
}

#[tokio::test]
async fn a_profile_is_made_read_called_and_deleted() {
    let simulator = start().await;
    let heard = create(
        &simulator,
        &json!({
            "inferenceProfileName": "checkout nova-lite",
            "description": "checkout: nova lite.",
            "modelSource": { "copyFrom": NOVA },
            "tags": [{ "key": "service", "value": "checkout" }],
        }),
    )
    .await;
    assert_eq!(heard.json()["status"], "ACTIVE");
    let arn = arn_of(&heard);
    let id = arn.rsplit_once('/').unwrap().1;
    assert_eq!(id.len(), 12);
    for identifier in [&arn, id] {
        let got = get(&simulator, identifier).await.json();
        assert_eq!(got["inferenceProfileName"], "checkout nova-lite");
        assert_eq!(got["description"], "checkout: nova lite.");
        assert_eq!((&got["inferenceProfileArn"], &got["inferenceProfileId"]), (&json!(arn), &json!(id)));
        assert_eq!((&got["status"], &got["type"]), (&json!("ACTIVE"), &json!("APPLICATION")));
        assert_eq!(got["models"], json!([{ "modelArn": NOVA }]));
        assert!(got["createdAt"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(tags(&simulator, &arn).await, [("service".to_owned(), "checkout".to_owned())].into());
    assert_eq!(simulator.control().name_of(&arn).as_deref(), Some("checkout nova-lite"));
    let converse = Ask::call(&arn, "converse");
    assert_eq!(converse.send(&simulator).await.status, 200);
    assert_eq!(delete(&simulator, id).await.status, 200);
    assert_eq!(refused(&converse.send(&simulator).await), not_found());
    assert_eq!(refused(&get(&simulator, id).await), not_found());
    assert_eq!(refused(&delete(&simulator, &arn).await), not_found());
}

#[tokio::test]
async fn a_new_profile_answers_as_its_models_family_does() {
    let simulator = start().await;
    let body = json!({ "inferenceProfileName": "claude", "modelSource": { "copyFrom": GLOBAL } });
    let arn = arn_of(&create(&simulator, &body).await);
    let models = get(&simulator, &arn).await.json()["models"].clone();
    let at =
        |region: &str| json!({ "modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{CLAUDE}") });
    assert_eq!(models, json!([at(""), at("us-west-2")]));
    assert_eq!(Ask::call(&arn, "invoke").send(&simulator).await.json()["model"], CLAUDE);
}

#[tokio::test]
async fn what_is_not_of_its_shape_makes_no_profile() {
    let simulator = start().await;
    let good = json!({ "inferenceProfileName": "a", "modelSource": { "copyFrom": NOVA } });
    let system = |region: &str, account: &str, id: &str| json!({ "copyFrom": format!("arn:aws:bedrock:{region}:{account}:inference-profile/{id}") });
    let nova = "us.amazon.nova-lite-v1:0";
    let tag = |key: &str, value: &str| json!([{ "key": key, "value": value }]);
    let cases = [
        ("inferenceProfileName", json!(null)),
        ("inferenceProfileName", json!("")),
        ("inferenceProfileName", json!(7)),
        ("inferenceProfileName", json!("a".repeat(65))),
        ("inferenceProfileName", json!("-a")),
        ("inferenceProfileName", json!("a__b")),
        ("inferenceProfileName", json!("a.b")),
        ("description", json!("a/b")),
        ("description", json!("a".repeat(201))),
        ("clientRequestToken", json!("-a")),
        ("clientRequestToken", json!("a_b")),
        ("clientRequestToken", json!("")),
        ("modelSource", json!({})),
        ("modelSource", json!({ "copyFrom": NOVA.replace("us-west-2", "us-east-1") })),
        ("modelSource", json!({ "copyFrom": NOVA.replace("amazon.", "nobody.") })),
        ("modelSource", json!({ "copyFrom": ARN })),
        ("modelSource", json!({ "copyFrom": "amazon.nova-lite-v1:0" })),
        ("modelSource", system("us-east-1", "123456789012", nova)),
        ("modelSource", system("us-west-2", "999999999999", nova)),
        ("tags", tag("a!", "")),
        ("tags", tag("", "")),
        ("tags", tag("aws:a", "")),
        ("tags", tag("a", "é")),
        ("tags", tag("a", &"b".repeat(257))),
        ("tags", json!([{ "key": "a", "value": "1" }, { "key": "a", "value": "2" }])),
        ("tags", json!("a")),
    ];
    for (member, value) in cases {
        let mut body = good.clone();
        body[member] = value;
        assert_eq!(refused(&create(&simulator, &body).await), invalid(), "{body}");
    }
    let mut body = good.clone();
    body["modelSource"] = system("us-west-2", "123456789012", &nova.replace("us.", "eu."));
    assert_eq!(refused(&create(&simulator, &body).await), not_found());
    assert_eq!(simulator.control().profiles().len(), 1);
    assert_eq!(create(&simulator, &good).await.status, 201);
}

#[tokio::test]
async fn the_same_token_makes_one_profile_of_an_account_and_region() {
    let simulator = start().await;
    let body = json!({
        "inferenceProfileName": "a",
        "clientRequestToken": "checkout-1",
        "modelSource": { "copyFrom": NOVA },
    });
    let first = arn_of(&create(&simulator, &body).await);
    let again = create(&simulator, &body).await;
    assert_eq!(arn_of(&again), first);
    assert_eq!(simulator.control().profiles().len(), 2);
    let other = body.to_string().replace("checkout-1", "checkout-2");
    let other = create(&simulator, &serde_json::from_str(&other).unwrap()).await;
    assert_ne!(arn_of(&other), first);
    let elsewhere = body.to_string().replace("us-west-2", "us-east-1");
    let ask = Ask::new(Method::POST, "/inference-profiles", &elsewhere);
    let ask = Ask { region: "us-east-1", ..ask };
    assert!(arn_of(&ask.send(&simulator).await).starts_with("arn:aws:bedrock:us-east-1:"));
    assert!(simulator.control().remove(&first));
    assert_ne!(arn_of(&create(&simulator, &body).await), first);
}

#[tokio::test]
async fn a_list_comes_in_pages_and_each_profile_once() {
    let simulator = start().await;
    for number in 0..7 {
        create_named(&simulator, &format!("profile {number}")).await;
    }
    let whole = list(&simulator, "").await;
    assert!(whole.get("nextToken").is_none());
    let (mut query, mut pages) = ("maxResults=3".to_owned(), Vec::new());
    loop {
        let page = list(&simulator, &query).await;
        pages.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(token) = page["nextToken"].as_str() else { break };
        assert_eq!(ids(&page).len(), 3);
        query = format!("maxResults=3&nextToken={}", encode(token));
    }
    assert_eq!(pages, ids(&whole));
    assert_eq!(pages.iter().collect::<BTreeSet<_>>().len(), pages.len());
    for query in ["maxResults=0", "maxResults=1001", "maxResults=x", "nextToken=x", "type=OTHER"] {
        let ask = Ask { query: query.to_owned(), ..Ask::new(Method::GET, "/inference-profiles", "") };
        assert_eq!(refused(&ask.send(&simulator).await), invalid(), "{query}");
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_profiles_where_the_request_names_no_number() {
    let simulator = start().await;
    let control = simulator.control();
    for number in 0..30_000 {
        let arn = ARN.replace("abc123def456", &format!("id{number}"));
        let profile = SimulatedProfile { arn, source_model: NOVA.to_owned(), tags: BTreeMap::new() };
        control.add(profile).unwrap();
    }
    assert_eq!(ids(&list(&simulator, "type=APPLICATION").await).len(), 100);
    let (mut query, mut count) = ("type=APPLICATION&maxResults=1000".to_owned(), 0);
    loop {
        let page = list(&simulator, &query).await;
        count += ids(&page).len();
        let Some(token) = page["nextToken"].as_str() else { break };
        query = format!("type=APPLICATION&maxResults=1000&nextToken={}", encode(token));
    }
    assert_eq!(count, 30_001);
    assert_eq!(get(&simulator, "id29999").await.status, 200);
}

#[tokio::test]
async fn the_type_filter_tells_application_and_system_defined_profiles_apart() {
    let simulator = start().await;
    assert_eq!(ids(&list(&simulator, "type=APPLICATION").await), ["abc123def456"]);
    let systems = list(&simulator, "type=SYSTEM_DEFINED").await;
    assert!(ids(&systems).contains(&"us.amazon.nova-lite-v1:0"));
    assert!(ids(&systems).iter().all(|id| id.starts_with("us.") || id.starts_with("global.")));
    let both = [ids(&systems), vec!["abc123def456"]].concat();
    assert_eq!(ids(&list(&simulator, "").await), both);
    let summary = &systems["inferenceProfileSummaries"][0];
    let id = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
    assert_eq!((&summary["inferenceProfileId"], &summary["type"]), (&json!(id), &json!("SYSTEM_DEFINED")));
    assert_eq!(summary["models"].as_array().unwrap().len(), 3);
    let arn = format!("arn:aws:bedrock:us-west-2:123456789012:inference-profile/{id}");
    for identifier in [id, &arn] {
        assert_eq!(get(&simulator, identifier).await.json(), *summary);
    }
    assert_eq!(refused(&delete(&simulator, id).await), invalid());
    let missing = arn.replace("/us.", "/eu.");
    assert_eq!(refused(&get(&simulator, &missing).await), not_found());
    let elsewhere = Ask::new(Method::GET, "/inference-profiles", "");
    let elsewhere = Ask { region: "sa-east-1", ..elsewhere }.send(&simulator).await.json();
    assert!(ids(&elsewhere).is_empty());
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed_up_to_fifty() {
    let simulator = start().await;
    let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
    let add = json!({ "resourceARN": ARN, "tags": [tag("service", "cart"), tag("team", "a b")] });
    assert_eq!(post(&simulator, "/tagResource", &add).await.json(), json!({}));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(tags(&simulator, ARN).await, [pair("service", "cart"), pair("team", "a b")].into());
    let remove = json!({ "resourceARN": ARN, "tagKeys": ["service", "absent"] });
    assert_eq!(post(&simulator, "/untagResource", &remove).await.json(), json!({}));
    assert_eq!(tags(&simulator, ARN).await, [pair("team", "a b")].into());
    let many: Vec<Value> = (0..50).map(|number| tag(&format!("k{number}"), "v")).collect();
    let too_many = (400, "TooManyTagsException".to_owned());
    let add = json!({ "resourceARN": ARN, "tags": many });
    assert_eq!(refused(&post(&simulator, "/tagResource", &add).await), too_many);
    assert_eq!(tags(&simulator, ARN).await.len(), 1);
    let add = json!({ "resourceARN": ARN, "tags": many[..49] });
    assert_eq!(post(&simulator, "/tagResource", &add).await.status, 200);
    assert_eq!(tags(&simulator, ARN).await.len(), 50);
    let created: Vec<Value> = (0..51).map(|number| tag(&format!("k{number}"), "v")).collect();
    let body = json!({ "inferenceProfileName": "a", "modelSource": { "copyFrom": NOVA }, "tags": created });
    assert_eq!(refused(&create(&simulator, &body).await), too_many);
    let longest: Vec<Value> = (0..201).map(|number| tag(&format!("k{number}"), "v")).collect();
    let add = json!({ "resourceARN": ARN, "tags": longest });
    assert_eq!(refused(&post(&simulator, "/tagResource", &add).await), invalid());
}

#[tokio::test]
async fn tags_of_what_does_not_exist_or_is_foreign_are_refused() {
    let simulator = start().await;
    let denied = (403, "AccessDeniedException".to_owned());
    let cases = [
        (ARN.replace("abc", "xyz"), not_found()),
        (ARN.replace("us-west-2", "us-east-1"), invalid()),
        (ARN.replace("123456789012", "999999999999"), denied),
        (GLOBAL.to_owned(), invalid()),
        ("abc123def456".to_owned(), invalid()),
    ];
    for (arn, expected) in cases {
        for (path, member) in
            [("/tagResource", "tags"), ("/untagResource", "tagKeys"), ("/listTagsForResource", "")]
        {
            let body = json!({ "resourceARN": arn, member: [] });
            assert_eq!(refused(&post(&simulator, path, &body).await), expected, "{path} {arn}");
        }
    }
    for path in ["/tagResource", "/untagResource"] {
        assert_eq!(refused(&post(&simulator, path, &json!({ "resourceARN": ARN })).await), invalid());
    }
    let nothing = json!({ "tags": [] });
    assert_eq!(refused(&post(&simulator, "/tagResource", &nothing).await), invalid());
}

#[tokio::test]
async fn profiles_that_tests_add_retag_and_remove_are_seen_at_once() {
    let simulator = start().await;
    let control = simulator.control();
    let arn = ARN.replace("abc", "xyz");
    let profile = |source: &str| SimulatedProfile {
        arn: arn.clone(),
        source_model: source.to_owned(),
        tags: BTreeMap::new(),
    };
    assert!(control.add(SimulatedProfile { arn: "abc".to_owned(), ..profile(NOVA) }).is_err());
    control.add(profile(NOVA)).unwrap();
    control.add(profile(CLAUDE)).unwrap();
    assert_eq!(control.profiles()[1..], [profile(CLAUDE)]);
    assert_eq!(Ask::call(&arn, "invoke").send(&simulator).await.json()["model"], CLAUDE);
    let other = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
    assert!(control.retag(&arn, other.clone()));
    assert_eq!(tags(&simulator, &arn).await, other);
    assert!(control.remove(&arn));
    assert!(!control.remove(&arn) && !control.retag(&arn, other));
    assert_eq!(refused(&Ask::call(&arn, "converse").send(&simulator).await), not_found());
    assert_eq!(ids(&list(&simulator, "type=APPLICATION").await), ["abc123def456"]);
}

#[tokio::test]
async fn foundation_models_are_listed_by_filter() {
    let simulator = start().await;
    for (query, count) in [
        ("", 6),
        ("byProvider=Anthropic", 3),
        ("byOutputModality=EMBEDDING", 2),
        ("byProvider=Amazon&byInferenceType=ON_DEMAND", 2),
        ("byCustomizationType=FINE_TUNING", 0),
    ] {
        let ask = Ask { query: query.to_owned(), ..Ask::new(Method::GET, "/foundation-models", "") };
        let heard = ask.send(&simulator).await.json();
        assert_eq!(heard["modelSummaries"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_simulator_does_not_start_with_an_arn_that_is_none() {
    let profile =
        SimulatedProfile { arn: "abc".to_owned(), source_model: NOVA.to_owned(), tags: BTreeMap::new() };
    let settings = super::Settings { profiles: vec![profile], ..super::Settings::default() };
    let error = Simulator::start(settings).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("not the ARN of an application inference profile"));
}
