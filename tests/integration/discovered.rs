//! Profiles that are discovered in AWS: served without an edit, kept while AWS is away, gone when AWS says so.

use crate::gateway::{DEADLINE, NOVA, TestGateway, converse_body};
use futures_util::FutureExt;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use tollgate::discovery::stored::Stored;
use tollgate::discovery::{Ask, Place, Read, Reading};
use tollgate::domain::{ProfileArn, Region};
use tollgate::inventory::{FoundProfile, Inventory};
use tollgate::server::discover;

/// What an AWS that is not there answers.
enum Aws {
    Has(Vec<(ProfileArn, FoundProfile)>),
    Fails,
    IsSilent,
}

type Shared = Arc<Mutex<Aws>>;

fn arn(id: &str) -> ProfileArn {
    let arn = format!("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/{id}");
    ProfileArn::parse(&arn).unwrap()
}

/// Returns a profile of Nova for a service.
fn tagged(id: &str, service: &str) -> (ProfileArn, FoundProfile) {
    let tags = [("Service", service), ("team", "blue")];
    let profile = FoundProfile {
        name: id.to_owned(),
        status: "ACTIVE".to_owned(),
        models: vec![format!("arn:aws:bedrock:us-west-2::foundation-model/{NOVA}")],
        tags: Some(BTreeMap::from(tags.map(|(key, value)| (key.to_owned(), value.to_owned())))),
        created_at: None,
    };
    (arn(id), profile)
}

fn inventory(profiles: Vec<(ProfileArn, FoundProfile)>) -> Inventory {
    Inventory { profiles: profiles.into_iter().collect(), systems: BTreeMap::new() }
}

fn reader(aws: &Shared) -> Read {
    let aws = Arc::clone(aws);
    Box::new(move |Ask { regions, .. }| {
        let failed = |failure: &str| Reading {
            regions: regions.clone(),
            failures: vec![failure.to_owned()],
            ..Reading::default()
        };
        match &*aws.lock().unwrap() {
            Aws::Has(profiles) => {
                let place = Place { region: Region::default(), account: "123456789012".to_owned() };
                let (found, complete) = (inventory(profiles.clone()), BTreeSet::from([place]));
                let reading = Reading {
                    found,
                    complete,
                    regions,
                    failures: Vec::new(),
                    accounts: None,
                    is_partial: false,
                };
                async { reading }.boxed()
            }
            Aws::Fails => {
                let reading = failed("us-west-2: throttled");
                async { reading }.boxed()
            }
            Aws::IsSilent => pending().boxed(),
        }
    })
}

/// A gateway that discovers.
struct Discovering {
    gateway: TestGateway,
    aws: Shared,
}

impl Discovering {
    async fn start(aws: Aws, snapshot: &Path) -> Self {
        let overrides = [
            ("CATALOG__DISCOVER", "true"),
            ("CATALOG__REFRESH_SECONDS", "3600"),
            ("CATALOG__SNAPSHOT", snapshot.to_str().unwrap()),
        ];
        let gateway = TestGateway::start_with(&overrides).await;
        Self { gateway, aws: Arc::new(Mutex::new(aws)) }
    }

    fn begin(&self) {
        let gateway = Arc::clone(self.gateway.server.gateway());
        gateway.shutdown.tasks.clone().spawn(discover::run(gateway, reader(&self.aws)));
    }

    /// Asks AWS, which now answers so.
    fn look(&self, aws: Aws) {
        *self.aws.lock().unwrap() = aws;
        self.gateway.server.gateway().discovery.as_ref().unwrap().ask();
    }

    async fn call(&self, service: &str) -> (StatusCode, Option<String>) {
        let path = format!("/s/{service}/model/{NOVA}/converse");
        let answer = self.gateway.post(&path, &[], &converse_body("Hello")).await;
        let profile = answer.header("x-tollgate-profile");
        (answer.status, profile.rsplit_once('/').map(|(_, id)| id.to_owned()))
    }

    async fn ready(&self) -> StatusCode {
        let uri = format!("http://{}/readyz", self.gateway.server.admin());
        let request = Request::get(uri).body(Full::default()).unwrap();
        self.gateway.client.request(request).await.unwrap().status()
    }

    /// Returns a sample of a family of discovery's.
    async fn metric(&self, name: &str) -> Option<f64> {
        self.gateway.metrics().await.get(&format!("tollgate_catalog_{name}")).copied()
    }
}

/// Waits until something holds.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_profile_is_served_while_aws_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/catalog.json");
    let run = Discovering::start(Aws::Has(vec![tagged("first", "shop")]), &file).await;
    assert_eq!(run.ready().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(run.call("shop").await.0, StatusCode::FORBIDDEN);
    run.begin();
    until("the first look", || async { run.ready().await == StatusCode::OK }).await;
    assert_eq!(run.call("shop").await, (StatusCode::OK, Some("first".to_owned())));
    assert_eq!(run.call("a").await, (StatusCode::OK, Some("anova".to_owned())));
    until("the file", || async { file.exists() }).await;
    let kept = Stored::read(&file).unwrap().unwrap();
    assert_eq!(kept.inventory, inventory(vec![tagged("first", "shop")]));
    assert!(run.metric("age_seconds").await.unwrap() < 60.0);
    assert_eq!(run.metric("refresh_failures_total").await, Some(0.0));

    run.look(Aws::Has(vec![tagged("second", "shop"), tagged("third", "No Name")]));
    until("the other profile", || async { run.call("shop").await.1.as_deref() == Some("second") }).await;
    assert_eq!(run.metric("findings{kind=\"illegal_service\"}").await, Some(1.0));

    run.look(Aws::Has(Vec::new()));
    until("the end of the service", || async { run.call("shop").await.0 == StatusCode::FORBIDDEN }).await;
    assert_eq!(run.call("a").await.0, StatusCode::OK);
    let records = run.gateway.stop().await;
    assert_eq!(records.first().map(|record| &record["tags"]["team"]), Some(&"blue".into()));
}

#[tokio::test]
async fn what_was_found_last_serves_while_aws_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.json");
    let long_ago = OffsetDateTime::now_utc() - time::Duration::hours(1);
    Stored::write(&file, long_ago, &inventory(vec![tagged("first", "shop")])).unwrap();
    let run = Discovering::start(Aws::Fails, &file).await;
    // At once, before anybody has looked.
    assert_eq!(run.call("shop").await, (StatusCode::OK, Some("first".to_owned())));
    assert_eq!(run.ready().await, StatusCode::SERVICE_UNAVAILABLE);
    run.begin();
    until("the failure", || async { run.ready().await == StatusCode::OK }).await;
    assert_eq!(run.call("shop").await.0, StatusCode::OK);
    assert_eq!(run.metric("refresh_failures_total").await, Some(1.0));
    let age = run.metric("age_seconds").await.unwrap();
    assert!((3600.0..3700.0).contains(&age), "{age}");
    assert_eq!(Stored::read(&file).unwrap().unwrap().taken_at, long_ago);

    // A file that changes meanwhile is taken up together with what was found.
    let services = std::fs::read_to_string(run.gateway.services_file()).unwrap();
    let more = "[services.late.profiles]\n\"amazon.nova-lite-v1:0\" = \
                \"arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/late\"\n";
    std::fs::write(run.gateway.services_file(), services + more).unwrap();
    until("the reload", || async { run.call("late").await.0 == StatusCode::OK }).await;
    assert_eq!(run.call("shop").await.0, StatusCode::OK);

    run.look(Aws::Has(vec![tagged("second", "deli"), tagged("first", "shop")]));
    until("AWS to be back", || async { run.call("deli").await.0 == StatusCode::OK }).await;
    for service in ["late", "shop", "a"] {
        assert_eq!(run.call(service).await.0, StatusCode::OK, "{service}");
    }
    assert!(run.metric("age_seconds").await.unwrap() < 60.0);
    run.gateway.stop().await;
}

#[tokio::test]
async fn a_start_does_not_wait_for_an_aws_that_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.json");
    std::fs::write(&file, "{").unwrap();
    let run = Discovering::start(Aws::IsSilent, &file).await;
    run.begin();
    assert_eq!(run.call("a").await.0, StatusCode::OK);
    assert_eq!(run.ready().await, StatusCode::SERVICE_UNAVAILABLE);
    until("patience to end", || async { run.ready().await == StatusCode::OK }).await;
    assert_eq!(run.metric("age_seconds").await, None);
    // Nor does the end.
    run.gateway.stop().await;
}
