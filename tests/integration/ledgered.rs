//! A gateway in a process of its own, with a ledger, under load that can be held against it afterwards.

use crate::gateway::{CLAUDE, DEADLINE, NOVA, converse_body, services};
use crate::program::{Running, Workplace};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tollgate::domain::{Outcome, Record};
use tollgate::ledger::store::{self, Access, From, Grain, RecordFilter, Span, StoreUrl, Totals};
use tollgate::simulator::{Settings, SimulatedProfile, Simulator};

/// Callers at a time.
const CALLERS: usize = 32;

/// What one call is to have used: input and output tokens, by its number.
fn tokens(number: u64) -> (u64, u64) {
    (number % 90_000 + 1, number % 700 + 1)
}

/// Starts the gateway of a folder, and returns the address of its data plane.
pub(crate) fn serve(place: &Workplace) -> (Running, String) {
    let running = place.start(&["serve"], &credentials());
    let address = running.serving();
    (running, address)
}

/// A simulated Bedrock, and what is known of the calls that were made.
pub(crate) struct Load {
    pub(crate) simulator: Simulator,
    client: Client<HttpConnector, Full<Bytes>>,
    next: AtomicU64,
    /// The calls whose answer's end a client has seen.
    answered: Mutex<BTreeSet<u64>>,
    /// The calls that Bedrock began to answer, with the ids that it gave them.
    served: Mutex<BTreeMap<String, u64>>,
}

impl Load {
    pub(crate) async fn new() -> Arc<Self> {
        let profile = |id: &str, model: &str| SimulatedProfile {
            arn: format!("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/{id}"),
            source_model: model.to_owned(),
            tags: BTreeMap::new(),
        };
        let profiles = ["a", "b"].into_iter().flat_map(|service| {
            [profile(&format!("{service}claude"), CLAUDE), profile(&format!("{service}nova"), NOVA)]
        });
        let settings = Settings { profiles: profiles.collect(), ..Settings::default() };
        Arc::new(Self {
            simulator: Simulator::start(settings).await.unwrap(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            next: AtomicU64::new(0),
            answered: Mutex::default(),
            served: Mutex::default(),
        })
    }

    /// Returns a folder with the files of a gateway in front of this Bedrock; `ledger` goes into its config.
    pub(crate) fn workplace(&self, ledger: &str) -> Workplace {
        let config = format!(
            "[listen]\ndata = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nshutdown_grace = \"5s\"\n\
             [upstream]\nendpoint = \"{}\"\n[log]\naccess = \"off\"\n[ledger]\n{ledger}\n",
            self.simulator.endpoint()
        );
        Workplace::with(&config, &services())
    }

    /// Calls a gateway from many tasks for so long, or until it does not answer any more.
    pub(crate) fn calling(self: &Arc<Self>, address: &str, lasting: Duration) -> JoinSet<()> {
        let (load, address) = (Arc::clone(self), address.to_owned());
        let mut calling = JoinSet::new();
        calling.spawn(async move { load.call(&address, lasting).await });
        calling
    }

    /// Does what [`Self::calling`] does, and waits for its end.
    pub(crate) async fn call(self: &Arc<Self>, address: &str, lasting: Duration) {
        let until = tokio::time::Instant::now() + lasting;
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (load, address) = (Arc::clone(self), address.to_owned());
            callers.spawn(async move {
                while tokio::time::Instant::now() < until {
                    let number = load.next.fetch_add(1, Ordering::Relaxed);
                    if !load.call_once(&address, number).await {
                        return;
                    }
                }
            });
        }
        callers.join_all().await;
        self.look();
    }

    /// Makes one call; tells whether its whole answer came.
    async fn call_once(&self, address: &str, number: u64) -> bool {
        let (operation, model) = match number % 4 {
            0 => ("converse-stream", CLAUDE),
            1 => ("converse", NOVA),
            2 => ("invoke-with-response-stream", CLAUDE),
            _ => ("converse", CLAUDE),
        };
        let service = if number.is_multiple_of(3) { "a" } else { "b" };
        let (input, output) = tokens(number);
        let request = Request::post(format!("http://{address}/s/{service}/model/{model}/{operation}"))
            .header("x-tollgate-labels", format!("call={number}"))
            .header("amz-sdk-invocation-id", number.to_string())
            .header("x-sim-input-tokens", input.to_string())
            .header("x-sim-output-tokens", output.to_string())
            .header("x-sim-chunks", "4")
            .header("x-sim-pace-ms", "3")
            .body(Full::new(Bytes::from(converse_body("words"))))
            .unwrap();
        let Ok(answer) = self.client.request(request).await else { return false };
        let is_good = answer.status() == 200;
        let is_whole = answer.into_body().collect().await.is_ok();
        if is_good && is_whole {
            self.answered.lock().unwrap().insert(number);
        }
        is_good && is_whole
    }

    /// Takes note of what Bedrock has seen lately.
    fn look(&self) {
        let mut served = self.served.lock().unwrap();
        for seen in self.simulator.seen() {
            let number = seen.headers["amz-sdk-invocation-id"].to_str().unwrap().parse().unwrap();
            served.insert(seen.aws_request_id, number);
        }
    }

    /// Returns how many calls were answered to their end.
    pub(crate) fn answered(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// Holds a ledger against what is known: every call that Bedrock served is in it once, with its true usage, or as
    /// interrupted where no client can have seen its end. Returns how many records are interrupted.
    pub(crate) fn check(&self, url: &StoreUrl) -> usize {
        self.look();
        let records = records(url);
        let mut by_call = BTreeMap::new();
        for record in &records {
            let call: u64 = record.labels["call"].parse().unwrap();
            assert!(by_call.insert(call, record).is_none(), "call {call} is there twice");
        }
        let (answered, served) = (self.answered.lock().unwrap(), self.served.lock().unwrap());
        for (id, call) in served.iter() {
            let record = by_call.get(call).unwrap_or_else(|| panic!("call {call} is missing"));
            if record.outcome == Outcome::Interrupted {
                assert!(!answered.contains(call), "the client saw the end of {call}");
            } else {
                assert_eq!(record.aws_request_id.as_deref(), Some(id.as_str()));
            }
        }
        for (call, record) in &by_call {
            assert!(record.cost.is_some() && record.price_id.is_some(), "{record:?}");
            match record.outcome {
                Outcome::Ok => {
                    let of = record.usage.tokens;
                    assert_eq!((of.input, of.output), (Some(tokens(*call).0), Some(tokens(*call).1)));
                }
                Outcome::Interrupted => assert_eq!(record.usage_source.name(), "estimated"),
                Outcome::Throttled
                | Outcome::ClientError
                | Outcome::UpstreamError
                | Outcome::UpstreamReset
                | Outcome::Timeout
                | Outcome::ClientGone
                | Outcome::Shutdown => panic!("{record:?}"),
            }
        }
        assert!(answered.iter().all(|call| by_call.contains_key(call)));
        check_rollups(url, &records);
        records.iter().filter(|record| record.outcome == Outcome::Interrupted).count()
    }
}

/// Returns the whole of a ledger's span.
pub(crate) fn always() -> Span {
    let hour = |hours: i64| {
        let now = OffsetDateTime::now_utc().unix_timestamp() / 3600 + hours;
        OffsetDateTime::from_unix_timestamp(now * 3600).unwrap()
    };
    Span { since: hour(-48), until: hour(48) }
}

/// Returns all records of a store.
pub(crate) fn records(url: &StoreUrl) -> Vec<Record> {
    let url = url.clone();
    let read = move || {
        let mut records = Vec::new();
        let mut store = store::open(&url, Access::Read, &[]).unwrap();
        let filter = RecordFilter { span: always(), service: None, id: None };
        store
            .records(&filter, &mut |record| {
                records.push(record);
                Ok(())
            })
            .unwrap();
        records
    };
    // PostgreSQL's client must not run on a thread of an asynchronous runtime.
    std::thread::spawn(read).join().unwrap()
}

/// The rollups say what the records say together.
fn check_rollups(url: &StoreUrl, records: &[Record]) {
    let (url, mut expected) = (url.clone(), Totals::default());
    for record in records {
        expected.add(&Totals::of(record));
    }
    let read = move || {
        let mut store = store::open(&url, Access::Read, &[]).unwrap();
        [From::Rollups, From::Records].map(|from| store.totals(always(), Grain::Whole, from).unwrap())
    };
    for slices in std::thread::spawn(read).join().unwrap() {
        let mut total = Totals::default();
        for slice in slices {
            total.add(&slice.totals);
        }
        assert_eq!(total, expected);
    }
}

/// Returns the variables with the credentials that the simulator accepts.
pub(crate) fn credentials() -> [(&'static str, &'static str); 3] {
    let credentials = tollgate::simulator::demo_credentials();
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    [
        ("AWS_ACCESS_KEY_ID", leak(credentials.access_key_id())),
        ("AWS_SECRET_ACCESS_KEY", leak(credentials.secret_access_key())),
        ("AWS_REGION", "us-west-2"),
    ]
}

/// Waits until a gateway's store has no less records than were answered.
pub(crate) async fn settled(load: &Load, url: &StoreUrl) {
    let until = tokio::time::Instant::now() + DEADLINE;
    while records(url).len() < load.answered() {
        assert!(tokio::time::Instant::now() < until, "records are missing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
