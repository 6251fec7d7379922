//! STS and Cost Explorer beside the control plane.

use super::super::fixtures::{ARN, Ask, Heard, start};
use super::super::{Action, Failure, SimulatedProfile, Simulator, Trouble, demo_credentials};
use super::tests::{get, ids};
use crate::clock::Clock;
use crate::operation::encode;
use aws_credential_types::Credentials;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

const OTHER: &str = "210987654321";

fn sts(form: &str) -> Ask {
    let content = "application/x-www-form-urlencoded; charset=utf-8";
    let ask = Ask::new(Method::POST, "/", &format!("{form}&Version=2011-06-15"));
    Ask { headers: vec![("content-type", content.to_owned())], signing_name: "sts", ..ask }
}

fn cost(action: &str, body: &Value) -> Ask {
    let headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target", format!("AWSInsightsIndexService.{action}")),
    ];
    let ask = Ask::new(Method::POST, "/", &body.to_string());
    Ask { headers, signing_name: "ce", region: "us-east-1", ..ask }
}

/// Returns what stands between the first two tags of that name.
fn between(heard: &Heard, tag: &str) -> String {
    let text = std::str::from_utf8(&heard.body).unwrap();
    assert_eq!(heard.header("content-type"), "text/xml", "{text}");
    let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag}: {text}"));
    rest.split_once(&format!("</{tag}>")).unwrap().0.to_owned()
}

async fn assume(simulator: &Simulator, role: &str) -> Heard {
    let role = encode(role);
    sts(&format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=tollgate")).send(simulator).await
}

#[tokio::test]
async fn the_caller_is_told_who_it_is() {
    let simulator = start().await;
    let heard = sts("Action=GetCallerIdentity").send(&simulator).await;
    assert_eq!((heard.status, between(&heard, "Account").as_str()), (200, "123456789012"));
    assert_eq!(between(&heard, "Arn"), "arn:aws:iam::123456789012:user/simulator");
    assert_eq!(between(&heard, "RequestId"), heard.header("x-amzn-requestid"));
}

#[tokio::test]
async fn a_role_sees_and_calls_the_profiles_of_its_own_account() {
    let simulator = start().await;
    let arn = ARN.replace("123456789012", OTHER).replace("abc", "xyz");
    let model = "amazon.nova-lite-v1:0".to_owned();
    let profile = SimulatedProfile { arn: arn.clone(), source_model: model, tags: BTreeMap::new() };
    simulator.control().add(profile).unwrap();
    let heard = assume(&simulator, &format!("arn:aws:iam::{OTHER}:role/path/gateway")).await;
    assert_eq!(heard.status, 200);
    assert!(between(&heard, "Expiration").ends_with('Z'));
    let credentials = Credentials::new(
        between(&heard, "AccessKeyId"),
        between(&heard, "SecretAccessKey"),
        Some(between(&heard, "SessionToken")),
        None,
        "tests",
    );
    let with = |ask: Ask| Ask { credentials: credentials.clone(), ..ask };
    let identity = with(sts("Action=GetCallerIdentity")).send(&simulator).await;
    let role = format!("arn:aws:sts::{OTHER}:assumed-role/gateway/tollgate");
    assert_eq!((between(&identity, "Arn"), between(&identity, "Account").as_str()), (role.clone(), OTHER));
    let list = Ask::new(Method::GET, "/inference-profiles", "");
    let list = Ask { query: "type=APPLICATION".to_owned(), ..list };
    assert_eq!(ids(&with(list.clone()).send(&simulator).await.json()), ["xyz123def456"]);
    assert_eq!(ids(&list.send(&simulator).await.json()), ["abc123def456"]);
    assert_eq!(with(Ask::call(&arn, "converse")).send(&simulator).await.status, 200);
    let foreign = with(Ask::call(ARN, "converse")).send(&simulator).await;
    assert_eq!((foreign.status, foreign.header("x-amzn-errortype")), (403, "AccessDeniedException"));
    let message = foreign.json()["message"].to_string();
    assert!(message.contains(&role) && message.contains("bedrock:InvokeModel on resource"), "{message}");
    assert_eq!(get(&simulator, &arn).await.status, 403);
    let bare = Credentials::new(between(&heard, "AccessKeyId"), "guess", None, None, "tests");
    let bare = Ask { credentials: bare, ..Ask::call(&arn, "converse") };
    assert_eq!(bare.send(&simulator).await.status, 403);
}

#[tokio::test]
async fn sts_refuses_in_xml() {
    let simulator = start().await;
    let long = "Action=AssumeRole&RoleArn=arn:aws:iam::210987654321:role/r&RoleSessionName=tollgate";
    for form in [
        "Action=AssumeRole&RoleArn=arn:aws:iam::1:role/r&RoleSessionName=tollgate",
        "Action=AssumeRole&RoleArn=arn:aws:iam::210987654321:role/r&RoleSessionName=a%20b",
        &format!("{long}&DurationSeconds=899"),
    ] {
        let heard = sts(form).send(&simulator).await;
        assert_eq!((heard.status, between(&heard, "Code").as_str()), (400, "ValidationError"), "{form}");
    }
    assert_eq!(sts("Action=GetFederationToken").send(&simulator).await.status, 404);
    let forged = Credentials::new("AKIASIMULATOR", "other", None, None, "tests");
    let forged = Ask { credentials: forged, ..sts("Action=GetCallerIdentity") }.send(&simulator).await;
    assert_eq!((forged.status, between(&forged, "Code").as_str()), (403, "SignatureDoesNotMatch"));
    let control = simulator.control();
    control.fail(Action::AssumeRole, Failure::AccessDenied);
    let role = format!("arn:aws:iam::{OTHER}:role/gateway");
    let heard = assume(&simulator, &role).await;
    assert_eq!((heard.status, between(&heard, "Code").as_str()), (403, "AccessDenied"));
    assert!(between(&heard, "Message").contains(&format!("sts:AssumeRole on resource: {role}")));
    for (failure, status, code) in [
        (Failure::Throttled, 400, "Throttling"),
        (Failure::InternalError, 500, "InternalFailure"),
        (Failure::Unavailable, 503, "ServiceUnavailable"),
    ] {
        control.fail(Action::AssumeRole, failure);
        let heard = assume(&simulator, &role).await;
        assert_eq!((heard.status, between(&heard, "Code").as_str()), (status, code));
    }
}

#[tokio::test]
async fn a_request_is_signed_for_the_service_that_it_is_for() {
    let simulator = start().await;
    let signed_for = |ask: Ask, signing_name| Ask { signing_name, ..ask };
    for ask in [
        signed_for(sts("Action=GetCallerIdentity"), "bedrock"),
        signed_for(cost("ListCostAllocationTags", &json!({})), "sts"),
        signed_for(Ask::new(Method::GET, "/inference-profiles", ""), "ce"),
    ] {
        assert_eq!(ask.send(&simulator).await.status, 403);
    }
    assert_eq!(simulator.bad_signatures(), 3);
    let target = ("x-amz-target", "AWSInsightsIndexService.ListCostAllocationTags".to_owned());
    let mut unsigned = cost("ListCostAllocationTags", &json!({}));
    unsigned.headers.pop();
    unsigned.unsigned.push(target);
    assert_eq!(unsigned.send(&simulator).await.status, 403);
}

#[tokio::test]
async fn tag_keys_of_profiles_can_be_activated_for_cost_allocation() {
    let simulator = start().await;
    let control = simulator.control();
    let tags = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect();
    control.retag(ARN, tags(&["service", "team", "tollgate:source"]));
    let listed = |body: Value| cost("ListCostAllocationTags", &body);
    let heard = listed(json!({ "MaxResults": 2 })).send(&simulator).await;
    assert_eq!(heard.header("content-type"), "application/x-amz-json-1.1");
    let page = heard.json();
    assert_eq!(page["CostAllocationTags"][0]["TagKey"], "service");
    assert_eq!(page["CostAllocationTags"][1]["Status"], "Inactive");
    let rest = listed(json!({ "NextToken": page["NextToken"] })).send(&simulator).await.json();
    assert_eq!(rest["CostAllocationTags"][0]["TagKey"], "tollgate:source");
    assert!(rest.get("NextToken").is_none());
    control.begin(Trouble::CostTagsLate);
    control.retag(ARN, tags(&["service", "fresh"]));
    let entry = |key: &str| json!({ "TagKey": key, "Status": "Active" });
    let update = json!({ "CostAllocationTagsStatus": [entry("service"), entry("fresh")] });
    let update = cost("UpdateCostAllocationTagsStatus", &update);
    let errors = update.send(&simulator).await.json()["Errors"].clone();
    assert_eq!((errors.as_array().unwrap().len(), &errors[0]["TagKey"]), (1, &json!("fresh")));
    assert_eq!(control.active_cost_tags("123456789012"), ["service"]);
    control.heal();
    assert_eq!(update.send(&simulator).await.json()["Errors"], json!([]));
    let active = listed(json!({ "Status": "Active", "TagKeys": ["fresh", "team"], "Type": "UserDefined" }));
    let active = active.send(&simulator).await.json()["CostAllocationTags"].clone();
    assert_eq!((active.as_array().unwrap().len(), &active[0]["TagKey"]), (1, &json!("fresh")));
    assert!(control.active_cost_tags(OTHER).is_empty());
}

#[tokio::test]
async fn a_backfill_begins_with_a_month_and_comes_once_a_day() {
    let simulator = start().await;
    let now = OffsetDateTime::UNIX_EPOCH + Clock::system().since_epoch();
    let month = |year: i32| format!("{year}-{:02}", u8::from(now.month()));
    let ask = |from: &str| cost("StartCostAllocationTagBackfill", &json!({ "BackfillFrom": from }));
    let old = format!("{}-01T00:00:00Z", month(now.year() - 2));
    for from in ["yesterday", &old, "2999-01-01T00:00:00Z", &format!("{}-01T00:00:01Z", month(now.year()))] {
        let heard = ask(from).send(&simulator).await;
        assert_eq!((heard.status, &heard.json()["__type"]), (400, &json!("ValidationException")), "{from}");
    }
    let from = format!("{}-01T00:00:00Z", month(now.year() - 1));
    let heard = ask(&from).send(&simulator).await.json();
    assert_eq!(heard["BackfillRequest"]["BackfillStatus"], "PROCESSING");
    let heard = ask(&from).send(&simulator).await;
    assert_eq!((heard.status, heard.header("x-amzn-errortype")), (400, "BackfillLimitExceededException"));
    assert_eq!(simulator.control().backfills("123456789012"), [from]);
}

#[tokio::test]
async fn cost_explorer_refuses_in_json() {
    let simulator = start().await;
    for (action, body) in [
        ("ListCostAllocationTags", json!({ "MaxResults": 0 })),
        ("ListCostAllocationTags", json!({ "NextToken": "x" })),
        ("UpdateCostAllocationTagsStatus", json!({})),
        ("UpdateCostAllocationTagsStatus", json!({ "CostAllocationTagsStatus": [] })),
        (
            "UpdateCostAllocationTagsStatus",
            json!({ "CostAllocationTagsStatus": [{ "TagKey": "a", "Status": "On" }] }),
        ),
    ] {
        let heard = cost(action, &body).send(&simulator).await;
        assert_eq!((heard.status, &heard.json()["__type"]), (400, &json!("ValidationException")), "{body}");
    }
    simulator.control().fail(Action::ListCostAllocationTags, Failure::AccessDenied);
    let heard = cost("ListCostAllocationTags", &json!({})).send(&simulator).await;
    assert_eq!((heard.status, heard.header("x-amzn-errortype")), (400, "AccessDeniedException"));
    assert!(heard.json()["message"].to_string().contains("ce:ListCostAllocationTags on resource"));
    let denied = Ask { credentials: demo_credentials(), ..cost("GetCostAndUsage", &json!({})) };
    let heard = denied.send(&simulator).await;
    assert_eq!((heard.status, &heard.json()["__type"]), (404, &json!("UnknownOperationException")));
}
