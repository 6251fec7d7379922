//! What goes wrong with the control plane when it is told to.

use super::super::fixtures::{ARN, Ask, Heard, start};
use super::super::{Action, Failure, Trouble};
use super::tests::{create_named, get, ids, list, tags};
use http::Method;
use serde_json::json;
use std::io::ErrorKind;
use std::time::Duration;

fn listing() -> Ask {
    Ask::new(Method::GET, "/inference-profiles", "")
}

fn creation() -> Ask {
    let source = "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0";
    let body = json!({
        "inferenceProfileName": "a",
        "clientRequestToken": "a",
        "modelSource": { "copyFrom": source },
        "tags": [{ "key": "service", "value": "cart" }],
    });
    Ask::new(Method::POST, "/inference-profiles", &body.to_string())
}

fn error(heard: &Heard) -> (u16, &str) {
    (heard.status, heard.header("x-amzn-errortype"))
}

#[tokio::test]
async fn calls_are_counted_by_action_and_in_flight() {
    let simulator = start().await;
    let control = simulator.control();
    control.slow(Action::ListInferenceProfiles, Duration::from_hours(1));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(listing().open(&simulator).await);
    }
    while control.most_in_flight() < 3 {
        tokio::task::yield_now().await;
    }
    get(&simulator, ARN).await;
    assert_eq!(control.calls(), [("GetInferenceProfile", 1), ("ListInferenceProfiles", 3)].into());
    assert_eq!((control.calls_of(Action::TagResource), control.most_in_flight()), (0, 4));
    drop(held);
    while control.most_in_flight() > 0 {
        control.forget_calls();
        tokio::task::yield_now().await;
    }
    assert!(control.calls().is_empty());
}

#[tokio::test]
async fn a_slow_action_holds_its_answers_back() {
    let simulator = start().await;
    let delay = Duration::from_millis(150);
    simulator.control().slow(Action::ListInferenceProfiles, delay);
    let clock = crate::clock::Clock::system();
    let began = clock.instant();
    assert_eq!(listing().send(&simulator).await.status, 200);
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn a_throttle_answers_so_many_calls_a_second() {
    let simulator = start().await;
    let control = simulator.control();
    control.throttle(Action::ListInferenceProfiles, 0);
    assert_eq!(error(&listing().send(&simulator).await), (429, "ThrottlingException"));
    assert_eq!(get(&simulator, ARN).await.status, 200);
    control.throttle(Action::ListInferenceProfiles, 2);
    let clock = crate::clock::Clock::system();
    let began = clock.instant();
    let mut admitted = 0;
    while admitted < 3 {
        admitted += u32::from(listing().send(&simulator).await.status == 200);
    }
    assert!(began.elapsed() >= Duration::from_secs(1));
    control.heal();
    assert_eq!(listing().send(&simulator).await.status, 200);
}

#[tokio::test]
async fn an_action_fails_so_often_or_until_healed() {
    let simulator = start().await;
    let control = simulator.control();
    control.fail_next(Action::ListInferenceProfiles, 2, Failure::InternalError);
    for _ in 0..2 {
        assert_eq!(error(&listing().send(&simulator).await), (500, "InternalServerException"));
    }
    assert_eq!(listing().send(&simulator).await.status, 200);
    let quota = Failure::Other {
        status: 400,
        kind: "ServiceQuotaExceededException",
        message: "Too many profiles".to_owned(),
    };
    control.fail(Action::CreateInferenceProfile, quota);
    control.fail(Action::ListInferenceProfiles, Failure::Unavailable);
    for _ in 0..3 {
        assert_eq!(error(&listing().send(&simulator).await), (503, "ServiceUnavailableException"));
        assert_eq!(error(&creation().send(&simulator).await), (400, "ServiceQuotaExceededException"));
    }
    assert_eq!(control.profiles().len(), 1);
    control.heal();
    assert_eq!(creation().send(&simulator).await.status, 201);
    control.fail(Action::GetInferenceProfile, Failure::Throttled);
    assert_eq!(error(&get(&simulator, ARN).await), (429, "ThrottlingException"));
}

#[tokio::test]
async fn a_denied_action_is_worded_as_aws_does() {
    let simulator = start().await;
    let control = simulator.control();
    for action in Action::ALL {
        control.fail(action, Failure::AccessDenied);
    }
    let heard = listing().send(&simulator).await;
    assert_eq!(error(&heard), (403, "AccessDeniedException"));
    assert_eq!(
        heard.json()["message"],
        "User: arn:aws:iam::123456789012:user/simulator is not authorized to perform: \
         bedrock:ListInferenceProfiles on resource: \
         arn:aws:bedrock:us-west-2:123456789012:inference-profile/* because no identity-based policy \
         allows the bedrock:ListInferenceProfiles action"
    );
    let heard = creation().send(&simulator).await;
    let message = heard.json()["message"].to_string();
    assert!(message.contains("bedrock:CreateInferenceProfile") && heard.status == 403, "{message}");
    assert_eq!(control.profiles().len(), 1);
}

#[tokio::test]
async fn a_control_plane_that_is_down_resets_and_does_nothing() {
    let simulator = start().await;
    let control = simulator.control();
    control.begin(Trouble::Down);
    let heard = creation().send(&simulator).await;
    assert_eq!((heard.status, heard.error), (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(control.profiles().len(), 1);
    assert_eq!(Ask::call(ARN, "converse").send(&simulator).await.status, 200);
    control.end(Trouble::Down);
    assert_eq!(creation().send(&simulator).await.status, 201);
}

#[tokio::test]
async fn a_lost_answer_leaves_what_it_would_have_told_of() {
    let simulator = start().await;
    let control = simulator.control();
    control.begin(Trouble::AnswersLost);
    let heard = creation().send(&simulator).await;
    assert_eq!((heard.status, heard.error), (0, Some(ErrorKind::ConnectionReset)));
    control.heal();
    let made = control.profiles().remove(1);
    let again = creation().send(&simulator).await;
    assert_eq!(again.json()["inferenceProfileArn"], made.arn.as_str());
    assert_eq!(control.profiles().len(), 2);
}

#[tokio::test]
async fn an_endpoint_may_ignore_the_type_filter() {
    let simulator = start().await;
    simulator.control().begin(Trouble::TypeFilterIgnored);
    for kind in ["type=APPLICATION", "type=SYSTEM_DEFINED"] {
        let listed = list(&simulator, kind).await;
        assert!(ids(&listed).contains(&"abc123def456"));
        assert!(ids(&listed).contains(&"us.amazon.nova-lite-v1:0"));
    }
}

#[tokio::test]
async fn tags_may_be_hidden_or_lost() {
    let simulator = start().await;
    let control = simulator.control();
    control.begin(Trouble::TagsHidden);
    assert!(tags(&simulator, ARN).await.is_empty());
    control.end(Trouble::TagsHidden);
    assert_eq!(tags(&simulator, ARN).await.len(), 1);
    control.begin(Trouble::TagsLostAtCreation);
    let made = creation().send(&simulator).await.json();
    assert!(tags(&simulator, made["inferenceProfileArn"].as_str().unwrap()).await.is_empty());
}

#[tokio::test]
async fn a_new_profile_may_become_active_late() {
    let simulator = start().await;
    simulator.control().delay_readiness(2);
    assert_eq!(creation().send(&simulator).await.json()["status"], "CREATING");
    let arn = simulator.control().profiles().remove(1).arn;
    assert_eq!(get(&simulator, &arn).await.json()["status"], "CREATING");
    let listed = list(&simulator, "type=APPLICATION").await;
    assert_eq!(listed["inferenceProfileSummaries"][0]["status"], "ACTIVE");
    assert_eq!(listed["inferenceProfileSummaries"][1]["status"], "CREATING");
    assert_eq!(get(&simulator, &arn).await.json()["status"], "ACTIVE");
    simulator.control().delay_readiness(0);
    let arn = create_named(&simulator, "b").await;
    assert_eq!(get(&simulator, &arn).await.json()["status"], "ACTIVE");
}
