//! A gateway with a simulated Bedrock behind it, on ports of their own.

use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Notify;
use tollgate::access_log::{AccessLog, AccessLogGuard};
use tollgate::config::load;
use tollgate::server::reload::Sources;
use tollgate::server::{Server, Surroundings};
use tollgate::simulator::{Settings, SimulatedProfile, Simulator, demo_credentials};

/// How long anything may take that is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub(crate) const NOVA: &str = "amazon.nova-lite-v1:0";
pub(crate) const TITAN: &str = "amazon.titan-embed-text-v2:0";

/// The services `a` and `b`, each with profiles of the same models.
pub(crate) const SERVICES: &str = r#"
[services.a]
tags = { team = "red" }
default_model = "amazon.nova-lite-v1:0"
aliases = { claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0" }
allowed_operations = ["ApplyGuardrail", "InvokeGuardrailChecks", "StartAsyncInvoke", "GetAsyncInvoke", "ListAsyncInvokes"]
# The key is "tg_of-a".
key_sha256 = ["KEY_OF_A"]
[services.a.profiles]
"us.anthropic.claude-sonnet-4-5-20250929-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/aclaude"
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/anova"
"amazon.titan-embed-text-v2:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/atitan"
[services.b.profiles]
"us.anthropic.claude-sonnet-4-5-20250929-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/bclaude"
"amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/bnova"
"#;

/// A running gateway and what it needs.
pub(crate) struct TestGateway {
    pub(crate) simulator: Simulator,
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    pub(crate) client: Client<HttpConnector, Full<Bytes>>,
    log: Arc<Mutex<Vec<u8>>>,
    guard: AccessLogGuard,
}

/// What a gateway's folder holds.
struct Files<'a> {
    config: &'a str,
    more_services: &'a str,
}

/// Returns overrides as variables of the environment.
fn named(overrides: &[(&str, &str)]) -> Vec<(String, String)> {
    overrides.iter().map(|(key, value)| (format!("TOLLGATE__{key}"), (*value).to_owned())).collect()
}

impl TestGateway {
    /// Starts with the default settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with overrides such as `("UPSTREAM__IDLE_TIMEOUT", "1s")`, in front of a simulator of its own.
    pub(crate) async fn start_with(overrides: &[(&str, &str)]) -> Self {
        Self::start_serving("", overrides).await
    }

    /// Starts with a config file.
    pub(crate) async fn start_configured(config: &str, overrides: &[(&str, &str)]) -> Self {
        let files = Files { config, more_services: "" };
        Self::start_from(files, named(overrides)).await
    }

    /// Starts with more services than `a` and `b`, written as in the services file.
    pub(crate) async fn start_serving(more: &str, overrides: &[(&str, &str)]) -> Self {
        Self::start_in(more, named(overrides)).await
    }

    /// Starts with a config file, and more services than `a` and `b`.
    pub(crate) async fn start_configured_serving(config: &str, more_services: &str) -> Self {
        Self::start_from(Files { config, more_services }, Vec::new()).await
    }

    /// Starts with variables of an environment, such as `HTTPS_PROXY`.
    pub(crate) async fn start_in(more: &str, variables: Vec<(String, String)>) -> Self {
        Self::start_from(Files { config: "", more_services: more }, variables).await
    }

    async fn start_from(files: Files<'_>, variables: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("services.toml"), services() + files.more_services).unwrap();
        std::fs::write(folder.path().join("tollgate.toml"), files.config).unwrap();
        let config = folder.path().join("tollgate.toml");
        let profiles = profiles(&config);
        let settings = Settings { profiles, other_profiles: Some(NOVA.to_owned()), ..Settings::default() };
        let simulator = Simulator::start(settings).await.unwrap();
        let mut env = vec![
            ("TOLLGATE__LISTEN__DATA".to_owned(), "127.0.0.1:0".to_owned()),
            ("TOLLGATE__LISTEN__ADMIN".to_owned(), "127.0.0.1:0".to_owned()),
            ("TOLLGATE__UPSTREAM__ENDPOINT".to_owned(), simulator.endpoint()),
            ("TOLLGATE__UPSTREAM__CONTROL_ENDPOINT".to_owned(), simulator.endpoint()),
            // Upstreams of tests count their connections.
            ("TOLLGATE__UPSTREAM__WARM_CONNECTIONS".to_owned(), "0".to_owned()),
        ];
        for (key, value) in variables {
            env.retain(|(known, _)| *known != key);
            env.push((key, value));
        }
        let loaded = load(&config, env.clone()).unwrap_or_else(|problems| panic!("{problems}"));
        let sources = Sources { config, env, files: loaded.files.clone(), demand: Arc::new(Notify::new()) };
        let log = Arc::new(Mutex::new(Vec::new()));
        let (access_log, guard) = AccessLog::start(SharedLog(Arc::clone(&log))).unwrap();
        let credentials = SharedCredentialsProvider::new(demo_credentials());
        let surroundings = Surroundings { credentials, access_log: Some(access_log) };
        let server = Server::start(loaded, surroundings).await.unwrap();
        server.gateway().shutdown.tasks.spawn(sources.watch(Arc::clone(server.gateway())));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { simulator, server, folder, client, log, guard }
    }

    /// Returns the URL of a path on the data plane.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.data())
    }

    /// Returns the path of the services file.
    pub(crate) fn services_file(&self) -> PathBuf {
        self.folder.path().join("services.toml")
    }

    /// Sends a POST and reads the whole answer.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(Method::POST, path, headers, body.to_owned().into()).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let answer = tokio::time::timeout(DEADLINE, self.client.request(request)).await.unwrap().unwrap();
        Answer::read(answer).await
    }

    /// Waits until there are as many records as `count`, and returns all, in the order of their writing.
    pub(crate) async fn records(&self, count: usize) -> Vec<Value> {
        until(|| {
            let text = self.log.lock().unwrap().clone();
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            let whole = lines.filter(|line| line.ends_with(b"\n"));
            let records: Vec<Value> = whole.map(|line| serde_json::from_slice(line).unwrap()).collect();
            (records.len() >= count).then_some(records)
        })
        .await
    }

    /// Returns the record of an answer.
    pub(crate) async fn record(&self, answer: &Answer) -> Value {
        let id = answer.header("x-tollgate-request-id");
        self.record_of(&id).await
    }

    /// Returns the record of an id.
    pub(crate) async fn record_of(&self, id: &str) -> Value {
        until(|| {
            let text = self.log.lock().unwrap().clone();
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            let mut whole = lines.filter(|line| line.ends_with(b"\n"));
            whole.find_map(|line| {
                let record: Value = serde_json::from_slice(line).unwrap();
                (record["id"] == *id).then_some(record)
            })
        })
        .await
    }

    /// Returns every sample of `/metrics`, by its name with sorted labels as Prometheus writes it.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, f64> {
        let uri = format!("http://{}/metrics", self.server.admin());
        let request = Request::get(uri).body(Full::default()).unwrap();
        let answer = Answer::read(self.client.request(request).await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
        samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// Returns the sum of a family's samples whose labels contain every one of `labels`, as `name="value"`.
    pub(crate) async fn sum(&self, family: &str, labels: &[&str]) -> f64 {
        let samples = self.metrics().await;
        let of_family = samples.iter().filter(|(name, _)| name.split('{').next() == Some(family));
        let fitting = of_family.filter(|(name, _)| labels.iter().all(|label| name.contains(label)));
        fitting.map(|(_, value)| value).sum()
    }

    /// Stops gateway and simulator; nothing may be left unaccounted for. Returns the records.
    pub(crate) async fn stop(self) -> Vec<Value> {
        let gateway = Arc::clone(self.server.gateway());
        tokio::time::timeout(DEADLINE, self.server.stop()).await.unwrap();
        assert_eq!(gateway.shutdown.tasks.len(), 0, "tasks are left");
        let text = String::from_utf8(gateway.metrics.render().unwrap()).unwrap();
        let mut in_flight = text.lines().filter(|line| line.starts_with("tollgate_in_flight_requests{"));
        assert!(in_flight.all(|line| line.ends_with(" 0")), "calls are left in flight");
        self.simulator.stop().await;
        // The log's thread writes what it has.
        drop(self.guard);
        let lines = self.log.lock().unwrap().clone();
        lines
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(answer: Response<hyper::body::Incoming>) -> Self {
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(DEADLINE, body.collect()).await.unwrap().unwrap().to_bytes();
        Self { status: head.status, headers: head.headers, body }
    }

    /// Returns a header's text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Waits for a condition; there is no other way to see what another thread has written.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("what was waited for did not come about")
}

/// Returns the body of a Converse call.
pub(crate) fn converse_body(text: &str) -> String {
    serde_json::json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] }).to_string()
}

/// Returns the services file, with the hash of `tg_of-a` in it.
pub(crate) fn services() -> String {
    SERVICES.replace("KEY_OF_A", &key_sha256("tg_of-a"))
}

/// Returns what the services file holds of a key.
pub(crate) fn key_sha256(key: &str) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in Sha256::digest(key.as_bytes()) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn profiles(config: &Path) -> Vec<SimulatedProfile> {
    let loaded = load(config, Vec::new()).unwrap_or_else(|problems| panic!("{problems}"));
    let services = loaded.services.services.iter();
    services
        .flat_map(|service| {
            service.profiles.iter().map(|(model, arn)| SimulatedProfile {
                arn: arn.to_string(),
                source_model: model.to_string(),
                tags: BTreeMap::clone(&service.tags),
            })
        })
        .collect()
}

/// An access log in memory.
struct SharedLog(Arc<Mutex<Vec<u8>>>);

impl Write for SharedLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
