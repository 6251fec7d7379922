//! What the data plane tells of profiles: the calling service's own, in the control plane's shape, to AWS's own client.

use crate::gateway::{CLAUDE, NOVA, TITAN, TestGateway, converse_body};
use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::config::retry::RetryConfig;
use aws_sdk_bedrock::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_bedrock::error::ProvideErrorMetadata;
use aws_sdk_bedrock::types::{InferenceProfileStatus, InferenceProfileSummary, InferenceProfileType};
use http::{Method, StatusCode};
use std::sync::Arc;
use tollgate::server::discover;
use tollgate::simulator::SimulatedProfile;

/// Returns a client of the control plane that has been pointed at a service's base URL.
fn client(gateway: &TestGateway, prefix: &str) -> Client {
    let config = aws_sdk_bedrock::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .endpoint_url(gateway.url(prefix))
        .credentials_provider(Credentials::new("AKIDOFTHECLIENT", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn arn(id: &str) -> String {
    format!("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/{id}")
}

#[tokio::test]
async fn a_service_lists_its_own_profiles() {
    let gateway = TestGateway::start().await;
    let client = client(&gateway, "/s/a");
    let listing = client.list_inference_profiles().send().await.unwrap();
    let told: Vec<_> = listing
        .inference_profile_summaries()
        .iter()
        .map(|one| (one.inference_profile_arn().to_owned(), one.models()[0].model_arn().unwrap().to_owned()))
        .collect();
    let model = |id: &str| format!("arn:aws:bedrock:us-west-2::foundation-model/{id}");
    let claude = model(CLAUDE.strip_prefix("us.").unwrap());
    assert_eq!(told, [(arn("aclaude"), claude), (arn("anova"), model(NOVA)), (arn("atitan"), model(TITAN))]);

    // A page at a time.
    let pages = client.list_inference_profiles().into_paginator().page_size(2).items().send();
    let ids: Vec<_> = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(
        ids.iter().map(InferenceProfileSummary::inference_profile_id).collect::<Vec<_>>(),
        ["aclaude", "anova", "atitan"]
    );
    let only = client.list_inference_profiles().type_equals(InferenceProfileType::SystemDefined).send();
    assert!(only.await.unwrap().inference_profile_summaries().is_empty());
    // Nothing of it went upstream, and there is no record.
    assert!(gateway.simulator.control().calls().is_empty());
    assert!(gateway.stop().await.is_empty());
}

#[tokio::test]
async fn a_service_gets_one_of_its_own_by_id_or_arn() {
    let gateway = TestGateway::start().await;
    let client = client(&gateway, "/s/a");
    for asked in ["anova".to_owned(), arn("anova")] {
        let found = client.get_inference_profile().inference_profile_identifier(asked).send().await.unwrap();
        assert_eq!(found.inference_profile_arn(), arn("anova"));
        assert_eq!(found.status(), &InferenceProfileStatus::Active);
        assert_eq!(found.r#type(), &InferenceProfileType::Application);
        assert_eq!(found.inference_profile_name(), "a amazon-nova-lite-v1-0 2aca3b946350");
    }
    // As curl sends it, with the slash as it is.
    let raw =
        gateway.send(Method::GET, &format!("/s/a/inference-profiles/{}", arn("anova")), &[], "".into()).await;
    assert_eq!(raw.status, StatusCode::OK);
    assert_eq!(raw.header("x-amzn-requestid"), raw.header("x-tollgate-request-id"));
    // Another service's is as good as none.
    for asked in [arn("bnova"), "nothing".to_owned()] {
        let missing = client.get_inference_profile().inference_profile_identifier(&asked).send().await;
        let missing = missing.unwrap_err().into_service_error();
        assert!(missing.is_resource_not_found_exception(), "{missing:?}");
        let message = format!(
            "service 'a' has no inference profile '{asked}'; GET /inference-profiles lists what it has"
        );
        assert_eq!(missing.message(), Some(message.as_str()));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_discovered_is_told_as_aws_tells_it() {
    let gateway = TestGateway::start_with(&[("CATALOG__DISCOVER", "true")]).await;
    let tags = [("Service".to_owned(), "shop".to_owned())];
    let claude =
        SimulatedProfile { arn: arn("shopclaude"), source_model: CLAUDE.to_owned(), tags: tags.into() };
    gateway.simulator.control().add(claude).unwrap();
    let running = Arc::clone(gateway.server.gateway());
    let reader = gateway.server.aws().reader(running.shutdown.stopping.clone());
    running.shutdown.tasks.clone().spawn(discover::run(running, reader));
    let path = format!("/s/shop/model/{CLAUDE}/converse");
    let found = async {
        while gateway.post(&path, &[], &converse_body("Hello")).await.status != StatusCode::OK {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::gateway::DEADLINE, found).await.unwrap();
    let told = client(&gateway, "/s/shop").list_inference_profiles().send().await.unwrap();
    let told = &told.inference_profile_summaries()[0];
    let name = gateway.simulator.control().name_of(&arn("shopclaude"));
    assert_eq!(Some(told.inference_profile_name()), name.as_deref());
    assert!(told.created_at().is_some());
    let regions: Vec<_> =
        told.models().iter().map(|model| model.model_arn().unwrap().split(':').nth(3)).collect();
    assert_eq!(regions, [Some("us-east-1"), Some("us-east-2"), Some("us-west-2")]);
    gateway.stop().await;
}
