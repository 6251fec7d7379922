//! Discovery with the reader that asks AWS: a tag makes a service, and whatever AWS does, calls go on.

use crate::gateway::{CLAUDE, DEADLINE, NOVA, TestGateway, converse_body};
use http::{Request, StatusCode};
use http_body_util::Full;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tollgate::clock::Clock;
use tollgate::server::discover;
use tollgate::simulator::{Action, ControlPlane, Failure, SimulatedProfile, Trouble};

/// How many profiles there are where there are many.
const MANY: &str = "TOLLGATE_MANY_PROFILES";

const OTHER_ACCOUNT: &str = "210987654321";

struct Run {
    gateway: TestGateway,
    control: ControlPlane,
}

/// Returns a profile of a service, as somebody has made it.
fn profile(account: &str, id: &str, service: &str, source: &str) -> SimulatedProfile {
    let tags = [("Service".to_owned(), service.to_owned())];
    SimulatedProfile {
        arn: format!("arn:aws:bedrock:us-west-2:{account}:application-inference-profile/{id}"),
        source_model: source.to_owned(),
        tags: BTreeMap::from(tags),
    }
}

fn own(id: &str, service: &str) -> SimulatedProfile {
    profile("123456789012", id, service, NOVA)
}

impl Run {
    async fn start(overrides: &[(&str, &str)]) -> Self {
        Self::start_with("", overrides).await
    }

    async fn start_with(config: &str, overrides: &[(&str, &str)]) -> Self {
        let mut all = vec![("CATALOG__DISCOVER", "true"), ("CATALOG__REFRESH_SECONDS", "3600")];
        all.extend(overrides);
        let gateway = TestGateway::start_configured(config, &all).await;
        let control = gateway.simulator.control();
        Self { gateway, control }
    }

    /// Begins to look at AWS.
    fn begin(&self) {
        let gateway = Arc::clone(self.gateway.server.gateway());
        let reader = self.gateway.server.aws().reader(gateway.shutdown.stopping.clone());
        gateway.shutdown.tasks.clone().spawn(discover::run(gateway, reader));
    }

    fn look(&self) {
        self.gateway.server.gateway().discovery.as_ref().unwrap().ask();
    }

    async fn call(&self, service: &str, model: &str) -> (StatusCode, Option<String>) {
        let path = format!("/s/{service}/model/{model}/converse");
        let answer = self.gateway.post(&path, &[], &converse_body("Hello")).await;
        let profile = answer.headers.get("x-tollgate-profile");
        let id = profile.and_then(|arn| arn.to_str().unwrap().rsplit_once('/'));
        (answer.status, id.map(|(_, id)| id.to_owned()))
    }

    async fn is_ready(&self) -> bool {
        let uri = format!("http://{}/readyz", self.gateway.server.admin());
        let request = Request::get(uri).body(Full::default()).unwrap();
        self.gateway.client.request(request).await.unwrap().status() == StatusCode::OK
    }

    async fn metric(&self, name: &str) -> f64 {
        self.gateway.metrics().await[&format!("tollgate_catalog_{name}")]
    }
}

async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    within(DEADLINE, what, holds).await;
}

async fn within<F: Future<Output = bool>>(deadline: Duration, what: &str, holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(deadline, waiting).await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_tag_makes_a_service() {
    let run = Run::start(&[]).await;
    run.control.begin(Trouble::TypeFilterIgnored);
    run.begin();
    until("the first look", || run.is_ready()).await;
    assert_eq!(run.call("shop", NOVA).await.0, StatusCode::FORBIDDEN);
    run.control.add(own("shopnova", "shop")).unwrap();
    run.control.add(profile("123456789012", "shopclaude", "shop", CLAUDE)).unwrap();
    run.look();
    until("the service", || async { run.call("shop", NOVA).await.0 == StatusCode::OK }).await;
    assert_eq!(run.call("shop", NOVA).await.1.as_deref(), Some("shopnova"));
    // What was copied from a system-defined profile is told by its models alone.
    assert_eq!(run.call("shop", CLAUDE).await, (StatusCode::OK, Some("shopclaude".to_owned())));

    run.control.retag(&own("shopnova", "shop").arn, own("", "deli").tags);
    run.look();
    until("the other service", || async { run.call("deli", NOVA).await.0 == StatusCode::OK }).await;
    assert!(run.control.remove(&own("shopnova", "").arn));
    run.look();
    until("its end", || async { run.call("deli", NOVA).await.0 == StatusCode::FORBIDDEN }).await;
    run.gateway.stop().await;
}

#[tokio::test]
async fn a_profile_of_another_account_is_found_and_called_with_its_role() {
    let roles = format!("[upstream.roles]\n{OTHER_ACCOUNT} = 'arn:aws:iam::{OTHER_ACCOUNT}:role/tollgate'");
    let run = Run::start_with(&roles, &[]).await;
    run.control.add(own("here", "shop")).unwrap();
    run.control.add(profile(OTHER_ACCOUNT, "there", "deli", NOVA)).unwrap();
    run.begin();
    until("the first look", || run.is_ready()).await;
    assert_eq!(run.call("shop", NOVA).await, (StatusCode::OK, Some("here".to_owned())));
    for _ in 0..3 {
        assert_eq!(run.call("deli", NOVA).await, (StatusCode::OK, Some("there".to_owned())));
    }
    // One for what is asked, one for what is forwarded.
    assert_eq!(run.control.calls_of(Action::AssumeRole), 2);

    // Without the role, what was found serves on as long as its credentials do, and the failure is told.
    run.control.fail(Action::AssumeRole, Failure::AccessDenied);
    run.look();
    until("another look", || async { run.control.calls_of(Action::ListInferenceProfiles) >= 8 }).await;
    assert_eq!(run.call("deli", NOVA).await.0, StatusCode::OK);
    run.gateway.stop().await;
}

#[tokio::test]
async fn many_profiles_under_throttling_do_not_hold_up_calls() {
    let many = std::env::var(MANY).map_or(1_100, |many| many.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("catalog.json");
    let run = Run::start(&[("CATALOG__SNAPSHOT", snapshot.to_str().unwrap())]).await;
    let service = |number: usize| format!("service-{number}");
    for number in 0..many {
        run.control.add(own(&format!("p{number:09}"), &service(number))).unwrap();
    }
    run.control.throttle(Action::ListTagsForResource, 400);
    run.begin();
    // Some seconds' worth of tags, while the services of the file go on.
    let deadline = DEADLINE * u32::try_from(many.div_ceil(1_000)).unwrap();
    let (began, slowest) = (Clock::system().instant(), Mutex::new(Duration::ZERO));
    within(deadline, "the last of the services", || async {
        let called = Clock::system().instant();
        assert_eq!(run.call("a", NOVA).await.0, StatusCode::OK);
        let mut slowest = slowest.lock().unwrap();
        *slowest = called.elapsed().max(*slowest);
        run.gateway.server.gateway().snapshot.load().catalog.services().count() == many + 2
    })
    .await;
    println!("{many} profiles in {:?}; the slowest call took {:?}", began.elapsed(), slowest.lock().unwrap());
    for number in [0, many / 2, many - 1] {
        assert_eq!(run.call(&service(number), NOVA).await.0, StatusCode::OK);
    }
    within(deadline, "the end of the look", || async {
        run.gateway.metrics().await.contains_key("tollgate_catalog_age_seconds")
    })
    .await;
    assert!(run.metric("refresh_failures_total").await < 1.0);
    // A thousand to a page.
    assert!(run.control.calls_of(Action::ListInferenceProfiles) >= 3);
    run.gateway.stop().await;
}

#[tokio::test]
async fn aws_comes_back_without_a_rush() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("catalog.json");
    let run = Run::start(&[("CATALOG__SNAPSHOT", snapshot.to_str().unwrap())]).await;
    for number in 0..40 {
        run.control.add(own(&format!("p{number:09}"), "shop")).unwrap();
    }
    run.begin();
    until("the first look", || run.is_ready()).await;
    run.control.begin(Trouble::Down);
    run.look();
    until("the failure", || async { run.metric("refresh_failures_total").await >= 1.0 }).await;
    assert_eq!(run.call("shop", NOVA).await.0, StatusCode::OK);
    run.control.heal();
    run.control.forget_calls();
    run.control.add(own("late", "deli")).unwrap();
    run.look();
    until("the new service", || async { run.call("deli", NOVA).await.0 == StatusCode::OK }).await;
    // The new one by itself, then all.
    let reads = 1 + u64::try_from(run.control.profiles().len()).unwrap();
    until("the rest", || async { run.control.calls_of(Action::ListTagsForResource) >= reads }).await;
    assert_eq!(run.control.calls_of(Action::ListTagsForResource), reads);
    assert!(run.control.most_in_flight() <= 10, "{}", run.control.most_in_flight());
    run.gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_takes_nothing_away() {
    let run = Run::start(&[]).await;
    run.control.add(own("first", "shop")).unwrap();
    run.begin();
    until("the first look", || run.is_ready()).await;
    let failures = [
        (Action::ListTagsForResource, Failure::AccessDenied),
        (Action::ListInferenceProfiles, Failure::AccessDenied),
        (Action::ListInferenceProfiles, Failure::InternalError),
        (Action::ListTagsForResource, Failure::Unavailable),
    ];
    for (count, (action, failure)) in (1_u32..).zip(failures) {
        run.control.fail(action, failure.clone());
        run.look();
        until("the failure", || async { run.metric("refresh_failures_total").await >= f64::from(count) })
            .await;
        assert_eq!(run.call("shop", NOVA).await.0, StatusCode::OK, "{action:?} {failure:?}");
        run.control.heal();
    }
    run.gateway.stop().await;
}
