//! `unmapped_model = "provision"`: the first call for a model makes the service's profile, once.

use crate::gateway::{CLAUDE, DEADLINE, NOVA, TestGateway, converse_body};
use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tollgate::server::discover;
use tollgate::simulator::{Action, ControlPlane, Failure, Trouble};

const SERVICES: &str = "
[services.shop]
tags = { team = \"blue\" }
allowed_models = [\"amazon.*\", \"us.anthropic.claude-*\"]
[services.deli]
";

struct Run {
    gateway: TestGateway,
    control: ControlPlane,
}

/// A call's answer, as far as it is of interest here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    status: StatusCode,
    error: String,
    message: String,
    profile: String,
}

impl Run {
    async fn start(trouble: Option<Trouble>) -> Self {
        let overrides = [
            ("CATALOG__DISCOVER", "true"),
            ("CATALOG__REFRESH_SECONDS", "3600"),
            ("CATALOG__UNMAPPED_MODEL", "provision"),
        ];
        let gateway = TestGateway::start_serving(SERVICES, &overrides).await;
        let control = gateway.simulator.control();
        if let Some(trouble) = trouble {
            control.begin(trouble);
        }
        let run = Self { gateway, control };
        let gateway = Arc::clone(run.gateway.server.gateway());
        let reader = run.gateway.server.aws().reader(gateway.shutdown.stopping.clone());
        gateway.shutdown.tasks.clone().spawn(discover::run(gateway, reader));
        run
    }

    async fn ready() -> Self {
        let run = Self::start(None).await;
        let uri = format!("http://{}/readyz", run.gateway.server.admin());
        let ready = async || {
            let request = Request::get(&uri).body(Full::default()).unwrap();
            run.gateway.client.request(request).await.unwrap().status() == StatusCode::OK
        };
        let waiting = async {
            while !ready().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.unwrap();
        run
    }

    async fn call(&self, service: &str, model: &str) -> Told {
        let path = format!("/s/{service}/model/{model}/converse");
        let answer = self.gateway.post(&path, &[], &converse_body("Hello")).await;
        let header = |name: &str| {
            answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        Told {
            status: answer.status,
            error: header("x-tollgate-error"),
            message: body["message"].as_str().unwrap_or_default().to_owned(),
            profile: header("x-tollgate-profile"),
        }
    }

    fn made(&self) -> u64 {
        self.control.calls_of(Action::CreateInferenceProfile)
    }
}

#[tokio::test]
async fn the_first_calls_make_one_profile_together() {
    let run = Run::ready().await;
    run.control.delay_readiness(2);
    let calls = join_all((0..20).map(|_| run.call("shop", CLAUDE))).await;
    let profile = calls[0].profile.clone();
    assert!(profile.contains(":application-inference-profile/"), "{:?}", calls[0]);
    assert!(calls.iter().all(|told| told.status == StatusCode::OK && told.profile == profile), "{calls:?}");
    assert_eq!(run.made(), 1);
    let made = run.control.profiles().into_iter().find(|made| made.arn == profile).unwrap();
    let tags: Vec<_> = made.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("Service", "shop"), ("team", "blue"), ("tollgate:source", CLAUDE)]);

    // A look at AWS that comes now changes nothing, and a restart of the service finds it.
    run.gateway.server.gateway().discovery.as_ref().unwrap().ask();
    assert_eq!(run.call("shop", CLAUDE).await.profile, profile);
    // Each service has its own.
    let other = run.call("deli", CLAUDE).await;
    assert_eq!(other.status, StatusCode::OK);
    assert_ne!(other.profile, profile);
    assert_eq!(run.made(), 2);
    let metrics = run.gateway.metrics().await;
    let made = "tollgate_catalog_provisions_total{result=\"ok\",service=\"shop\"}";
    assert_eq!(metrics.get(made).map(ToString::to_string).as_deref(), Some("1"));
    let records = run.gateway.stop().await;
    assert!(records.iter().all(|record| record["attribution"] == "profile"), "{records:?}");
}

#[tokio::test]
async fn a_service_gets_what_it_may_have() {
    let run = Run::ready().await;
    let refused = run.call("shop", "meta.llama3-3-70b-instruct-v1:0").await;
    assert_eq!((refused.status, refused.error.as_str()), (StatusCode::FORBIDDEN, "model_denied"));
    assert_eq!(
        refused.message,
        "service 'shop' may not use model 'meta.llama3-3-70b-instruct-v1:0': its allowed_models take amazon.*, \
         us.anthropic.claude-*; to change that, edit them under [services.shop] in the services file"
    );
    // What can have no profile.
    let router = "arn:aws:bedrock:us-west-2:123456789012:default-prompt-router%2Fanthropic.claude:1";
    assert_eq!(run.call("deli", router).await.error, "model_unmapped");
    assert_eq!(run.call("deli", "default").await.error, "model_unmapped");
    assert_eq!(run.made(), 0);
    run.gateway.stop().await;
}

#[tokio::test]
async fn a_failure_is_told_and_remembered() {
    let run = Run::ready().await;
    run.control.fail(Action::CreateInferenceProfile, Failure::AccessDenied);
    let first = run.call("deli", NOVA).await;
    assert_eq!((first.status, first.error.as_str()), (StatusCode::FORBIDDEN, "model_unmapped"));
    let start = format!(
        "service 'deli' has no profile for model '{NOVA}', and none could be made: bedrock:CreateInferenceProfile in \
         us-west-2 of arn:aws:bedrock:us-west-2::foundation-model/{NOVA}: AWS denies it: "
    );
    assert!(first.message.starts_with(&start), "{}", first.message);
    let asked = run.made();
    assert_eq!(run.call("deli", NOVA).await, first);
    assert_eq!(run.made(), asked);
    // Another model, or another service, is another matter; and what has profiles goes on.
    run.control.heal();
    assert_eq!(run.call("deli", CLAUDE).await.status, StatusCode::OK);
    assert_eq!(run.call("a", NOVA).await.status, StatusCode::OK);
    run.gateway.stop().await;
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let run = Run::ready().await;
    run.control.fail_next(Action::CreateInferenceProfile, 4, Failure::Unavailable);
    let told = run.call("deli", NOVA).await;
    assert_eq!((told.status, told.error.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "profile_unmade"));
    let waiting = async {
        while run.call("deli", NOVA).await.status != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap();
    // The answer that is lost makes no second one.
    let profiles = run.control.profiles().len();
    run.control.begin(Trouble::AnswersLost);
    let calling = run.call("deli", CLAUDE);
    let healing = async {
        let before = run.made();
        while run.made() < before + 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        run.control.end(Trouble::AnswersLost);
    };
    let (told, ()) = tokio::join!(calling, healing);
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    assert_eq!(run.control.profiles().len(), profiles + 1);
    run.gateway.stop().await;
}

#[tokio::test]
async fn nothing_is_made_in_the_dark() {
    let run = Run::start(Some(Trouble::Down)).await;
    let told = run.call("deli", NOVA).await;
    assert_eq!((told.status, told.error.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "profile_unmade"));
    let cause = "which profiles there are is not known yet: AWS has not been read";
    assert!(told.message.ends_with(cause), "{}", told.message);
    // What has a profile is served all the same.
    assert_eq!(run.call("a", NOVA).await.status, StatusCode::OK);
    run.gateway.stop().await;
}
