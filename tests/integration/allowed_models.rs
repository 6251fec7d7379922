//! Which models a service's calls may use.

use crate::gateway::{Answer, CLAUDE, NOVA, TestGateway, converse_body};
use http::StatusCode;
use serde_json::json;

/// A service that may use Amazon's models alone.
const PICKY: &str = r#"
[services.picky]
allowed_operations = ["StartAsyncInvoke", "ListAsyncInvokes"]
allowed_models = ["amazon.*"]
[services.picky.profiles]
"us.anthropic.claude-sonnet-4-5-20250929-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/pclaude"
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/pnova"
"#;

fn denied(model: &str) -> String {
    format!(
        "service 'picky' may not use model '{model}': its allowed_models take amazon.*; to change that, edit them under \
         [services.picky] in the services file"
    )
}

/// Returns the message of a refusal by policy.
fn refusal(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert_eq!(answer.header("x-tollgate-error"), "model_denied");
    assert_eq!(answer.header("x-amzn-errortype"), "AccessDeniedException");
    answer.json()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_operation_of_a_model_is_held_to_them() {
    let gateway = TestGateway::start_serving(PICKY, &[]).await;
    for operation in ["converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens"]
    {
        let body = if operation == "count-tokens" {
            json!({ "input": { "converse": { "messages": [] } } }).to_string()
        } else {
            converse_body("hi")
        };
        let ask = async |service: &str, model: &str| {
            let path = format!("/s/{service}/model/{model}/{operation}");
            gateway.post(&path, &[("content-type", "application/json")], &body).await
        };
        let answer = ask("picky", NOVA).await;
        assert_eq!(answer.status, StatusCode::OK, "{operation}: {answer:?}");
        // By the profile's own id as well: what it was copied from counts.
        for model in [CLAUDE, "anthropic.claude-sonnet-4-5-20250929-v1:0", "pclaude"] {
            assert_eq!(refusal(&ask("picky", model).await), denied(CLAUDE), "{operation} {model}");
        }
        // Others are not touched.
        assert_eq!(ask("b", CLAUDE).await.status, StatusCode::OK, "{operation}");
    }
    assert!(
        (gateway.sum("tollgate_rejected_total", &[r#"code="model_denied""#, r#"service="picky""#]).await
            - 15.0)
            .abs()
            < 0.1
    );
    // What was refused went nowhere.
    assert!(gateway.simulator.seen().iter().all(|seen| !seen.path.contains("pclaude")));
    gateway.stop().await;
}

#[tokio::test]
async fn what_passes_without_a_profile_is_held_to_them() {
    let gateway = TestGateway::start_serving(PICKY, &[("CATALOG__UNMAPPED_MODEL", "passthrough")]).await;
    let ask = async |model: &str| {
        let path = format!("/s/picky/model/{model}/converse");
        gateway.post(&path, &[("content-type", "application/json")], &converse_body("hi")).await
    };
    for model in
        ["amazon.nova-pro-v1:0", "arn:aws:bedrock:us-west-2::foundation-model%2Famazon.nova-pro-v1:0"]
    {
        assert_eq!(ask(model).await.status, StatusCode::OK, "{model}");
    }
    for model in [
        "meta.llama3-3-70b-instruct-v1:0",
        "arn:aws:bedrock:us-west-2::foundation-model%2Fmeta.llama3-3-70b-instruct-v1:0",
    ] {
        assert_eq!(refusal(&ask(model).await), denied("meta.llama3-3-70b-instruct-v1:0"));
    }
    let profile = "us.amazon.nova-pro-v1:0";
    let arn = format!("arn:aws:bedrock:us-west-2:123456789012:inference-profile%2F{profile}");
    assert_eq!(refusal(&ask(&arn).await), denied(profile));
    gateway.stop().await;
}

#[tokio::test]
async fn a_model_in_the_body_is_held_to_them() {
    let gateway = TestGateway::start_serving(PICKY, &[]).await;
    let start = async |service: &str, body: String| {
        gateway
            .post(&format!("/s/{service}/async-invoke"), &[("content-type", "application/json")], &body)
            .await
    };
    let body = |model: &str| {
        json!({ "modelInput": { "modelId": "amazon.x" }, "modelId": model, "outputDataConfig": {} })
            .to_string()
    };
    assert_eq!(start("picky", body("amazon.nova-reel-v1:0")).await.status, StatusCode::OK);
    // A profile of the service's own stands for what it was copied from.
    assert_eq!(start("picky", body("pnova")).await.status, StatusCode::OK);
    assert_eq!(refusal(&start("picky", body("pclaude")).await), denied(CLAUDE));
    assert_eq!(refusal(&start("picky", body("luma.ray-v2:0")).await), denied("luma.ray-v2:0"));
    let hidden = r#"{"modelInput":{},"outputDataConfig":{},"m\u006fdelId":"luma.ray-v2:0"}"#;
    assert_eq!(refusal(&start("picky", hidden.to_owned()).await), denied("luma.ray-v2:0"));
    for unreadable in [
        r#"{"modelInput":{"modelId":"amazon.x"}}"#,
        r#"{"modelId":"amazon.x","modelId":"luma.ray-v2:0"}"#,
        r#"{"modelId":7}"#,
        "amazon.x",
        "",
    ] {
        let message = refusal(&start("picky", unreadable.to_owned()).await);
        assert!(
            message.contains("the body of this call names none that can be read"),
            "{unreadable}: {message}"
        );
    }
    // A service without the key sends what it likes.
    assert_eq!(start("a", body("luma.ray-v2:0")).await.status, StatusCode::OK);
    let listed = gateway.send(http::Method::GET, "/s/picky/async-invoke", &[], bytes::Bytes::new()).await;
    assert_eq!(listed.status, StatusCode::OK);
    gateway.stop().await;
}

#[tokio::test]
async fn a_change_of_them_takes_effect() {
    let gateway = TestGateway::start_serving(PICKY, &[]).await;
    let status = async || {
        let path = format!("/s/picky/model/{CLAUDE}/converse");
        gateway.post(&path, &[], &converse_body("hi")).await.status
    };
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    let text = std::fs::read_to_string(gateway.services_file()).unwrap();
    std::fs::write(
        gateway.services_file(),
        text.replace("[\"amazon.*\"]", "[\"amazon.*\", \"us.anthropic.*\"]"),
    )
    .unwrap();
    let began = tokio::time::Instant::now();
    while status().await != StatusCode::OK {
        assert!(began.elapsed() < crate::gateway::DEADLINE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    gateway.stop().await;
}
