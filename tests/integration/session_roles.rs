//! Calls that are signed in a session of a role, one for each service.

use crate::gateway::{Answer, DEADLINE, NOVA, TestGateway, converse_body, until};
use crate::program::Workplace;
use bytes::Bytes;
use http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollgate::simulator::{Action, ControlPlane, Failure, Seen, Signer, Trouble};

const ROLE: &str = "arn:aws:iam::123456789012:role/path/bills";

/// A service with a session, and one with a name that is too short for one.
const SERVICES: &str = r#"
[services.shop]
session_role_arn = "arn:aws:iam::123456789012:role/path/bills"
tags = { team = "red", "cost center" = "cc-1" }
allowed_operations = ["ListAsyncInvokes"]
[services.shop.profiles]
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/shopnova"
[services.z]
session_role_arn = "arn:aws:iam::123456789012:role/other"
[services.z.profiles]
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/znova"
"#;

const GATEWAY_ITSELF: &str = "arn:aws:iam::123456789012:user/simulator";

fn session(role: &str, name: &str) -> String {
    format!("arn:aws:sts::123456789012:assumed-role/{role}/{name}")
}

struct Run {
    gateway: Arc<TestGateway>,
    control: ControlPlane,
}

impl Run {
    async fn start() -> Self {
        let gateway = Arc::new(TestGateway::start_serving(SERVICES, &[]).await);
        let control = gateway.simulator.control();
        Self { gateway, control }
    }

    async fn call(&self, service: &str) -> Answer {
        call(&self.gateway, service).await
    }

    /// Calls, and returns who signed.
    async fn signer(&self, service: &str) -> Signer {
        let answer = self.call(service).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let id = answer.header("x-amzn-requestid");
        self.runtime_calls().into_iter().find(|seen| seen.aws_request_id == id).unwrap().signer.unwrap()
    }

    /// Returns what came for the runtime.
    fn runtime_calls(&self) -> Vec<Seen> {
        self.gateway.simulator.seen().into_iter().filter(|seen| seen.operation.is_some()).collect()
    }

    fn sessions_begun(&self) -> u64 {
        self.control.calls_of(Action::AssumeRole)
    }

    /// Edits the services file.
    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.gateway.services_file()).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(self.gateway.services_file(), text.replacen(from, to, 1)).unwrap();
    }

    /// Waits until a service's calls are signed by that ARN; all of them succeed meanwhile.
    async fn becomes(&self, service: &str, arn: &str) -> Signer {
        let began = tokio::time::Instant::now();
        loop {
            let signer = self.signer(service).await;
            if signer.arn == arn {
                return signer;
            }
            assert!(began.elapsed() < DEADLINE, "{signer:?} in place of {arn}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) {
        assert_eq!(self.gateway.simulator.bad_signatures(), 0);
        Arc::into_inner(self.gateway).unwrap().stop().await;
    }
}

async fn call(gateway: &TestGateway, service: &str) -> Answer {
    gateway.post(&format!("/s/{service}/model/{NOVA}/converse"), &[], &converse_body("hi")).await
}

#[tokio::test]
async fn the_bill_shows_the_service_and_its_tags() {
    let run = Run::start().await;
    let tags = [("Service", "shop"), ("cost center", "cc-1"), ("team", "red")];
    let tags: BTreeMap<String, String> =
        tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    for operation in ["converse", "converse-stream", "invoke", "invoke-with-response-stream"] {
        let path = format!("/s/shop/model/{NOVA}/{operation}");
        assert_eq!(run.gateway.post(&path, &[], &converse_body("hi")).await.status, StatusCode::OK);
    }
    // Also where there is no model in the path.
    let listed = run.gateway.send(Method::GET, "/s/shop/async-invoke", &[], Bytes::new()).await;
    assert_eq!(listed.status, StatusCode::OK, "{listed:?}");
    let calls = run.runtime_calls();
    let expected = Signer { arn: session("bills", "shop"), tags };
    assert!(
        calls.len() == 5 && calls.iter().all(|seen| seen.signer.as_ref() == Some(&expected)),
        "{calls:?}"
    );
    assert_eq!(run.sessions_begun(), 1);
    // A name of one letter is none that STS takes.
    let signer = run.signer("z").await;
    assert_eq!(signer.arn, session("other", "z@tollgate"));
    assert_eq!(signer.tags, BTreeMap::from([("Service".to_owned(), "z".to_owned())]));
    // The others are signed as ever.
    assert_eq!(run.signer("b").await, Signer { arn: GATEWAY_ITSELF.to_owned(), tags: BTreeMap::new() });
    run.stop().await;
}

#[tokio::test]
async fn many_first_calls_begin_one_session() {
    let run = Run::start().await;
    // Slow enough that all of them wait.
    run.control.slow(Action::AssumeRole, Duration::from_millis(200));
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let gateway = Arc::clone(&run.gateway);
        calls.spawn(async move { call(&gateway, "shop").await.status });
    }
    assert!(calls.join_all().await.into_iter().all(|status| status == StatusCode::OK));
    assert_eq!(run.sessions_begun(), 1);
    run.stop().await;
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends() {
    let run = Run::start().await;
    // Less than the five minutes before the end from which on it is renewed.
    run.control.lend_for(Duration::from_secs(290));
    let key = async || {
        assert_eq!(run.call("shop").await.status, StatusCode::OK);
        let calls = run.runtime_calls();
        let header = calls.last().unwrap().headers["authorization"].to_str().unwrap().to_owned();
        header.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
    };
    let first = key().await;
    run.control.lend_for(Duration::from_hours(1));
    // The call that notices does not wait for it.
    run.control.slow(Action::AssumeRole, Duration::from_millis(300));
    assert_eq!(key().await, first);
    until(|| (run.sessions_begun() == 2).then_some(())).await;
    let began = tokio::time::Instant::now();
    while key().await == first {
        assert!(began.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(run.sessions_begun(), 2);
    run.stop().await;
}

#[tokio::test]
async fn a_renewal_that_fails_costs_no_call_while_the_session_lasts() {
    let run = Run::start().await;
    run.control.lend_for(Duration::from_secs(290));
    assert_eq!(run.signer("shop").await.arn, session("bills", "shop"));
    run.control.fail(Action::AssumeRole, Failure::AccessDenied);
    for _ in 0..20 {
        assert_eq!(run.signer("shop").await.arn, session("bills", "shop"));
    }
    // And STS is not asked at every call.
    assert!(run.sessions_begun() < 10, "{}", run.sessions_begun());
    run.stop().await;
}

/// Asserts that a call was refused for want of credentials.
fn is_without_credentials(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.header("x-tollgate-error"), "upstream_unreachable");
}

#[tokio::test]
async fn a_session_that_is_not_to_be_had_concerns_its_service_alone() {
    let run = Run::start().await;
    assert_eq!(run.signer("z").await.arn, session("other", "z@tollgate"));
    for name in ["denied", "away", "failing"] {
        match name {
            "denied" => run.control.fail(Action::AssumeRole, Failure::AccessDenied),
            "away" => run.control.begin(Trouble::Down),
            _ => run.control.fail(Action::AssumeRole, Failure::InternalError),
        }
        is_without_credentials(&run.call("shop").await);
        // Whoever has a session keeps it, and whoever needs none does without.
        assert_eq!(run.signer("z").await.arn, session("other", "z@tollgate"), "{name}");
        assert_eq!(run.signer("b").await.arn, GATEWAY_ITSELF, "{name}");
        run.control.heal();
    }
    let began = tokio::time::Instant::now();
    while run.call("shop").await.status != StatusCode::OK {
        assert!(began.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    run.stop().await;
}

#[tokio::test]
async fn a_throttled_session_is_asked_for_again() {
    let run = Run::start().await;
    run.control.fail_next(Action::AssumeRole, 2, Failure::Throttled);
    assert_eq!(run.signer("shop").await.arn, session("bills", "shop"));
    assert_eq!(run.sessions_begun(), 3);
    run.stop().await;
}

#[tokio::test]
async fn a_slow_sts_holds_up_its_service_alone() {
    let run = Run::start().await;
    run.control.slow(Action::AssumeRole, Duration::from_secs(2));
    let gateway = Arc::clone(&run.gateway);
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { call(&gateway, "shop").await.status });
    until(|| (run.sessions_begun() == 1).then_some(())).await;
    for _ in 0..5 {
        assert_eq!(run.signer("b").await.arn, GATEWAY_ITSELF);
    }
    assert!(waiting.try_join_next().is_none());
    assert_eq!(waiting.join_all().await, [StatusCode::OK]);
    run.stop().await;
}

/// Has calls of all services made until the token is cancelled; each must succeed.
async fn traffic(gateway: Arc<TestGateway>, stop: CancellationToken) {
    let mut calls = JoinSet::new();
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut services = ["shop", "z", "b"].into_iter().cycle();
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        let (gateway, service) = (Arc::clone(&gateway), services.next().unwrap());
        calls.spawn(async move { call(&gateway, service).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_adds_changes_and_removes_sessions_while_calls_run() {
    let run = Run::start().await;
    let stop = CancellationToken::new();
    let mut calls = JoinSet::new();
    calls.spawn(traffic(Arc::clone(&run.gateway), stop.clone()));
    run.becomes("shop", &session("bills", "shop")).await;
    run.becomes("z", &session("other", "z@tollgate")).await;
    assert_eq!(run.sessions_begun(), 2);
    // What does not concern a session leaves it as it is.
    run.edit("[\"ListAsyncInvokes\"]", "[\"GetAsyncInvoke\"]");
    let reloads = async |count: f64| {
        let began = tokio::time::Instant::now();
        while run.gateway.sum("tollgate_config_reloads_total", &["result=\"ok\""]).await < count - 0.1 {
            assert!(began.elapsed() < DEADLINE);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    reloads(1.0).await;
    run.signer("shop").await;
    assert_eq!(run.sessions_begun(), 2);
    // Other tags, another role, a role where there was none, none where there was one.
    run.edit("team = \"red\", \"cost", "team = \"blue\", \"cost");
    reloads(2.0).await;
    let signer = run.signer("shop").await;
    assert_eq!((signer.arn, signer.tags["team"].as_str()), (session("bills", "shop"), "blue"));
    run.edit("role/path/bills", "role/paid");
    run.becomes("shop", &session("paid", "shop")).await;
    run.edit(
        "[services.b.profiles]",
        &format!("[services.b]\nsession_role_arn = \"{ROLE}\"\n[services.b.profiles]"),
    );
    run.becomes("b", &session("bills", "b@tollgate")).await;
    run.edit("session_role_arn = \"arn:aws:iam::123456789012:role/other\"\n", "");
    run.becomes("z", GATEWAY_ITSELF).await;
    assert_eq!(run.sessions_begun(), 5);
    stop.cancel();
    calls.join_all().await;
    run.stop().await;
}

#[tokio::test]
async fn a_session_comes_before_a_role_of_the_account() {
    let other = "210987654321";
    let services = format!(
        "[services.far]\nsession_role_arn = 'arn:aws:iam::{other}:role/far'\n[services.far.profiles]\n\
         '{NOVA}' = 'arn:aws:bedrock:us-west-2:{other}:application-inference-profile/farnova'\n\
         [services.near.profiles]\n\
         '{NOVA}' = 'arn:aws:bedrock:us-west-2:{other}:application-inference-profile/nearnova'\n"
    );
    let config = format!("[upstream.roles]\n{other} = 'arn:aws:iam::{other}:role/tollgate'\n");
    let gateway = TestGateway::start_configured_serving(&config, &services).await;
    for (service, role) in [("far", "far/far"), ("near", "tollgate/tollgate")] {
        let answer = call(&gateway, service).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let seen = gateway.simulator.seen().pop().unwrap();
        assert_eq!(seen.signer.unwrap().arn, format!("arn:aws:sts::{other}:assumed-role/{role}"));
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_which_role_and_what_to_do() {
    let simulator =
        tollgate::simulator::Simulator::start(tollgate::simulator::Settings::default()).await.unwrap();
    let config = format!(
        "listen = {{ data = '127.0.0.1:0', admin = '127.0.0.1:0' }}\nupstream = {{ endpoint = '{0}', control_endpoint = '{0}' }}\n",
        simulator.endpoint()
    );
    let env = [
        ("AWS_ACCESS_KEY_ID", "AKIASIMULATOR"),
        ("AWS_SECRET_ACCESS_KEY", "no-secret-but-agreed-with-the-simulator"),
    ];
    for (message, permission) in [
        (
            format!(
                "User: {GATEWAY_ITSELF} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
            ),
            "sts:AssumeRole",
        ),
        (
            format!(
                "User: {GATEWAY_ITSELF} is not authorized to perform: sts:TagSession on resource: {ROLE}"
            ),
            "sts:TagSession",
        ),
    ] {
        simulator
            .control()
            .fail(Action::AssumeRole, Failure::Other { status: 403, kind: "AccessDenied", message });
        let place = Workplace::with(&config, SERVICES);
        let running = place.start(&["serve"], &env);
        let url = format!("http://{}/s/shop/model/{NOVA}/converse", running.serving());
        let client =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let body = http_body_util::Full::new(Bytes::from(converse_body("hi")));
        let answer = client.request(http::Request::post(url).body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let line = running.logged("no AWS credentials");
        assert_eq!(line["whose"], format!("{ROLE} as session 'shop'"));
        assert!(
            line["cause"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{permission} in us-west-2 of {ROLE}: AWS denies it"))
        );
        let hint = line["hint"].as_str().unwrap();
        assert!(
            hint.contains(&format!("\"Action\":\"{permission}\"")) && hint.contains("trust policy"),
            "{hint}"
        );
    }
    simulator.stop().await;
}
