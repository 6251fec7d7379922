//! The services file changes while calls flow.

use crate::gateway::{CLAUDE, DEADLINE, NOVA, TestGateway, converse_body, key_sha256, services};
use crate::program::Workplace;
use clap::Parser;
use http::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollgate::cli::{Cli, Failure};

const LATE: &str = r#"
[services.late]
key_sha256 = ["KEY_OF_LATE"]
[services.late.profiles]
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/latenova"
"#;

/// How soon a change of the services file must have its effect.
const SOON: Duration = Duration::from_secs(1);

/// A gateway whose services file is edited.
struct Edited(Arc<TestGateway>);

impl Edited {
    async fn start() -> Self {
        Self(Arc::new(TestGateway::start().await))
    }

    fn write(&self, text: &str) {
        std::fs::write(self.0.services_file(), text).unwrap();
    }

    /// Replaces the file as careful editors do.
    fn rename_over(&self, text: &str) {
        let new = self.0.services_file().with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.0.services_file()).unwrap();
    }

    /// Returns the status, the fault's code and the profile that a call with these headers comes to.
    async fn ask(&self, headers: &[(&str, &str)]) -> (u16, String, String) {
        let answer = self.0.post(&format!("/model/{NOVA}/converse"), headers, &converse_body("hi")).await;
        let profile = answer.header("x-tollgate-profile");
        let profile = profile.rsplit('/').next().unwrap_or_default().to_owned();
        (answer.status.as_u16(), answer.header("x-tollgate-error"), profile)
    }

    /// Asks until the answer is the one, and returns how long that took.
    async fn becomes(&self, headers: &[(&str, &str)], expected: (u16, &str, &str)) -> Duration {
        let since = Instant::now();
        loop {
            let (status, code, profile) = self.ask(headers).await;
            if (status, code.as_str(), profile.as_str()) == expected {
                return since.elapsed();
            }
            assert!(since.elapsed() < DEADLINE, "{status} {code} {profile} in place of {expected:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until as many reloads have succeeded and failed.
    async fn reloads(&self, ok: u32, failed: u32) {
        let since = Instant::now();
        loop {
            let mut counts = Vec::new();
            for result in ["ok", "failed"] {
                let label = format!("result=\"{result}\"");
                counts.push(self.0.sum("tollgate_config_reloads_total", &[&label]).await.to_string());
            }
            if counts == [ok.to_string(), failed.to_string()] {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "{counts:?} in place of {ok} and {failed}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns what `tollgate check` prints, and whether it finds the files valid.
    fn check(&self) -> (bool, String) {
        let config = self.0.folder.path().join("tollgate.toml");
        let cli = Cli::parse_from(["tollgate", "check", "--config", config.to_str().unwrap()]);
        let mut out = Vec::new();
        let result = tollgate::cli::run(cli, Vec::new(), &mut out);
        assert!(matches!(result, Ok(()) | Err(Failure::Checked(_))), "{result:?}");
        (result.is_ok(), String::from_utf8(out).unwrap())
    }

    /// Has two hundred calls a second made until the token is cancelled; each must succeed.
    async fn traffic(gateway: Arc<TestGateway>, stop: CancellationToken) -> usize {
        let (mut calls, mut made) = (JoinSet::new(), 0);
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while stop.run_until_cancelled(pace.tick()).await.is_some() {
            let gateway = Arc::clone(&gateway);
            let operation = ["converse", "converse-stream", "invoke"][made % 3];
            let (service, model) = [("a", NOVA), ("b", CLAUDE)][made % 2];
            made += 1;
            calls.spawn(async move {
                let path = format!("/s/{service}/model/{model}/{operation}");
                gateway.post(&path, &[], &converse_body("hi")).await
            });
        }
        let answers = calls.join_all().await;
        let failed: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert!(failed.is_empty(), "{failed:?}");
        made
    }

    async fn stop(self) {
        Arc::into_inner(self.0).unwrap().stop().await;
    }
}

const BY_LATE: [(&str, &str); 1] = [("x-tollgate-service", "late")];
const UNKNOWN: (u16, &str, &str) = (403, "service_unknown", "");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_come_change_and_go_while_calls_flow() {
    let edited = Edited::start().await;
    let stop = CancellationToken::new();
    let mut traffic = JoinSet::new();
    let since = Instant::now();
    traffic.spawn(Edited::traffic(Arc::clone(&edited.0), stop.clone()));

    let with_late = services() + &LATE.replace("KEY_OF_LATE", &key_sha256("tg_first"));
    assert_eq!(edited.ask(&BY_LATE).await.1, "service_unknown");
    edited.write(&with_late);
    let took = edited.becomes(&BY_LATE, (200, "", "latenova")).await;
    assert!(took < SOON, "a new service took {took:?}");
    edited.reloads(1, 0).await;

    // A broken file changes nothing, whatever is wrong with it.
    let twice = with_late.clone()
        + &LATE.replace("services.late", "services.more").replace("KEY_OF_LATE", &key_sha256("tg_more"));
    let broken = [
        (with_late.clone() + "[services.worse\n", 1, "unclosed table"),
        (with_late.clone() + "[services.worse]\nprofils = {}\n", 2, "profils"),
        (twice, 5, "already"),
    ];
    for (failed, (text, line, reason)) in (1..).zip(&broken) {
        edited.write(text);
        edited.reloads(1, failed).await;
        assert_eq!(edited.ask(&BY_LATE).await, (200, String::new(), "latenova".to_owned()));
        let (valid, printed) = edited.check();
        let at = format!("services.toml:{}:", with_late.lines().count() + line);
        assert!(!valid && printed.contains(&at) && printed.contains(reason), "{printed}");
    }
    edited.rename_over(
        &with_late
            .replace("/latenova", "/latenova2")
            .replace(&key_sha256("tg_first"), &key_sha256("tg_second")),
    );
    edited.becomes(&BY_LATE, (200, "", "latenova2")).await;
    edited.reloads(2, 3).await;
    assert!(edited.check().0);
    let key = |key| [("authorization", key)];
    assert_eq!(edited.ask(&key("Bearer tg_first")).await.1, "key_invalid");
    assert_eq!(edited.ask(&key("Bearer tg_second")).await.2, "latenova2");

    edited.write(&services());
    let took = edited.becomes(&BY_LATE, UNKNOWN).await;
    assert!(took < SOON, "a removed service took {took:?}");
    assert_eq!(edited.ask(&key("Bearer tg_second")).await.1, "key_invalid");

    stop.cancel();
    let made = traffic.join_all().await[0];
    println!("{made} calls in {:?}", since.elapsed());
    let ok = edited.0.sum("tollgate_requests_total", &[r#"outcome="ok""#, r#"status="200""#]).await;
    assert!((edited.0.sum("tollgate_requests_total", &[]).await - ok).abs() < 0.1);
    assert!(ok.to_string().parse::<usize>().unwrap() >= made);
    edited.stop().await;
}

#[tokio::test]
async fn a_call_under_way_keeps_what_it_was_begun_with() {
    let edited = Edited::start().await;
    edited.write(&(services() + &LATE.replace("KEY_OF_LATE", &key_sha256("tg_x"))));
    edited.becomes(&BY_LATE, (200, "", "latenova")).await;
    let path = format!("/s/late/model/{NOVA}/converse-stream");
    let steer = [("x-sim-pace-ms", "150"), ("x-sim-chunks", "12"), ("x-sim-output-tokens", "77")];
    let body = converse_body("hi");
    let call = edited.0.post(&path, &steer, &body);
    let removal = async {
        let gateway = &edited.0;
        crate::gateway::until(|| {
            gateway.simulator.seen().iter().find(|s| s.path.ends_with("stream")).map(drop)
        })
        .await;
        edited.write(&services());
        edited.becomes(&BY_LATE, UNKNOWN).await;
        Instant::now()
    };
    let ((answer, ended), removed) = tokio::join!(async { (call.await, Instant::now()) }, removal);
    assert!(removed < ended, "the call was to outlast its service");
    let record = edited.0.record(&answer).await;
    assert_eq!((&record["service"], &record["outcome"]), (&json!("late"), &json!("ok")));
    assert_eq!(record["usage"]["output_tokens"], 77);
    edited.stop().await;
}

#[tokio::test]
async fn a_file_that_vanishes_and_comes_back() {
    let edited = Edited::start().await;
    std::fs::remove_file(edited.0.services_file()).unwrap();
    edited.reloads(0, 1).await;
    assert_eq!(edited.ask(&[("x-tollgate-service", "a")]).await.2, "anova");
    assert!(!edited.check().0);
    edited.write(&services().replace("/anova", "/anova2"));
    edited.becomes(&[("x-tollgate-service", "a")], (200, "", "anova2")).await;
    edited.reloads(1, 1).await;
    // The config file counts, too; what it cannot change at once it warns of.
    std::fs::write(edited.0.folder.path().join("tollgate.toml"), "[identity]\nmethods = [\"path\"]\n")
        .unwrap();
    edited.becomes(&[("x-tollgate-service", "a")], (400, "service_missing", "")).await;
    let answer = edited.0.send(Method::POST, "/s/a/model/x/converse", &[], "{}".into()).await;
    assert_eq!(answer.header("x-tollgate-error"), "model_unmapped");
    edited.stop().await;
}

#[test]
fn a_config_that_names_another_file_is_reloaded_once() {
    let listen = "[listen]\ndata = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
    let place = Workplace::with(listen, "");
    let gateway = place.start(&["serve"], &[("AWS_REGION", "us-west-2")]);
    gateway.serving();
    std::fs::write(place.path("config/prices.toml"), "").unwrap();
    let named = format!("{listen}[prices]\noverrides = \"prices.toml\"\n");
    std::fs::write(place.path("config/tollgate.toml"), named).unwrap();
    gateway.logged("config reloaded");
    // Nothing tells that nothing comes: so long it would take, twice over.
    std::thread::sleep(2 * SOON);
    assert_eq!(gateway.end_and_count("config reloaded"), 0);
}

#[test]
fn a_file_that_was_named_when_it_was_wrong_is_taken_up_when_it_is_mended() {
    let listen = "[listen]\ndata = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
    let place = Workplace::with(listen, "");
    let gateway = place.start(&["serve"], &[("AWS_REGION", "us-west-2")]);
    gateway.serving();
    std::fs::write(place.path("config/prices.toml"), "[[price]]\n").unwrap();
    let named = format!("{listen}[prices]\noverrides = \"prices.toml\"\n");
    std::fs::write(place.path("config/tollgate.toml"), named).unwrap();
    let line = gateway.logged("config not reloaded");
    assert!(line["error"].as_str().unwrap().contains("config/prices.toml:1: price[0]"), "{line}");
    std::fs::write(place.path("config/prices.toml"), "").unwrap();
    gateway.logged("config reloaded");
}
