//! The stages of a call, one by one.

use crate::{Stage, fixtures};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::Full;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;
use tollgate::aws::Access;
use tollgate::clock::Clock;
use tollgate::config::{Egress, Upstream, load};
use tollgate::domain::{ModelId, Operation, Peer};
use tollgate::forward::headers::Passing;
use tollgate::forward::signers::Signers;
use tollgate::forward::{Client, Forward, Outgoing};
use tollgate::gateway::{Basis, Route, Setting, Snapshot};
use tollgate::identify::{Covered, Payload, Shown, identify};
use tollgate::intake;
use tollgate::keys::Keyring;
use tollgate::ledger::journal::{Journal, Settings, Started};
use tollgate::metrics::Metrics;
use tollgate::operation::{self, Resource};
use tollgate::record::{self, Recorder};
use tollgate::shutdown::Shutdown;
use tollgate::tap::{End, Tap};
use tollgate::vault::Vault;

/// What stages work with.
pub(crate) struct Parts {
    snapshot: Snapshot,
    route: Arc<Route>,
    forward: Forward,
    journal: Started,
    recorder: Recorder,
}

impl Parts {
    pub(crate) fn new(runtime: &Runtime, folder: &Path) -> Self {
        let _within = runtime.enter();
        let loaded = load(&fixtures::write_config(folder, "http://127.0.0.1:1", ""), Vec::new()).unwrap();
        let keyring = Keyring::build(&loaded.services, &Vault::plain(&loaded.secrets).unwrap()).unwrap();
        let provider =
            SharedCredentialsProvider::new(Credentials::new("AKIDEXAMPLE", "s", None, None, "bench"));
        let clock = Clock::system();
        let access = Access::new(provider, &Egress::default(), clock).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let setting = Setting {
            signers: Arc::new(Signers::new(&access, &Upstream::default(), TaskTracker::new())),
            metrics: Arc::clone(&metrics),
            shutdown: Shutdown::default(),
            clock,
        };
        let basis = Basis::new(loaded, keyring, Arc::default());
        let snapshot = runtime.block_on(Snapshot::build(basis, setting)).unwrap();
        let service = Arc::clone(snapshot.known().catalog.service("service-1").unwrap());
        let target = operation::parse(&Method::POST, fixtures::PATH).unwrap();
        let route = snapshot.route(&service, Operation::Converse, &target.resource).unwrap();
        let client = Client::new(&Upstream::default(), &Egress::default(), clock, metrics).unwrap();
        // None of the openings is without its closing.
        let left_open = &mut |_| fixtures::record();
        let settings = Settings { limit_bytes: u64::MAX, ..Settings::default() };
        let journal = Journal::start(&folder.join("journal"), settings, left_open).unwrap();
        let forward = Forward::new(client, clock);
        Self { snapshot, route, forward, journal, recorder: Recorder::new(None, None) }
    }

    pub(crate) fn stages<'a>(&'a self, runtime: &'a Runtime) -> Vec<Stage<'a>> {
        vec![
            ("operation", Box::new(|| drop(black_box(operation::parse(&Method::POST, fixtures::PATH))))),
            ("identify: header", self.identify(fixtures::by_header())),
            ("identify: service key", self.identify(fixtures::by_key())),
            ("identify: signature, verified", self.verify()),
            ("route", self.route()),
            ("intake, 1 KiB", intake()),
            ("headers, signature, head", self.outgoing(runtime)),
            ("tap: Converse, 1 KiB", tap_body()),
            ("tap: ConverseStream, 20 events", tap_stream()),
            ("price", self.price()),
            ("metrics", self.metrics()),
            ("access log's line", line()),
            ("journal: opening, closing", self.journal()),
        ]
    }

    fn identify(&self, headers: HeaderMap) -> Box<dyn FnMut() + '_> {
        let peer = Peer::default();
        Box::new(move || {
            let shown = Shown { headers: &headers, path_service: None, peer: &peer, at: fixtures::at() };
            drop(black_box(identify(self.snapshot.known(), shown).unwrap()));
        })
    }

    fn verify(&self) -> Box<dyn FnMut() + '_> {
        let body = fixtures::request();
        let (headers, peer) = (fixtures::by_signature(&body), Peer::default());
        let body_sha256 = <sha2::Sha256 as sha2::Digest>::digest(&body).into();
        Box::new(move || {
            let shown = Shown { headers: &headers, path_service: None, peer: &peer, at: fixtures::at() };
            let caller = identify(self.snapshot.known(), shown).unwrap();
            let covered = Covered {
                method: &Method::POST,
                path: fixtures::PATH,
                query: "",
                authority: None,
                headers: &headers,
                body_sha256: &body_sha256,
            };
            caller.claim.unwrap().verify(covered, Payload::Signed).unwrap();
        })
    }

    fn route(&self) -> Box<dyn FnMut() + '_> {
        let target = operation::parse(&Method::POST, fixtures::PATH).unwrap();
        Box::new(move || {
            let found = self.snapshot.route(&self.route.service, target.operation, &target.resource);
            drop(black_box(found.unwrap()));
        })
    }

    /// What the client's headers become upstream's in: filtered, signed, laid out.
    fn outgoing<'a>(&'a self, runtime: &'a Runtime) -> Box<dyn FnMut() + 'a> {
        let _within = runtime.enter();
        let identity_header = HeaderName::from_static("x-tollgate-service");
        let (sent, pieces) = (fixtures::by_header(), vec![Bytes::from(fixtures::request())]);
        Box::new(move || {
            let outgoing = Outgoing {
                signer: &self.route.signer,
                method: &Method::POST,
                endpoint: &self.route.endpoint,
                region: self.route.region.as_str(),
                path: self.route.path(Operation::Converse, &Resource::Model(fixtures::MODEL)),
                query: None,
                headers: Passing::of(&sent, &identity_header),
                pieces: pieces.clone(),
                len: 1024,
                sha256: [7; 32],
            };
            drop(black_box(runtime.block_on(self.forward.sign(outgoing)).unwrap()));
        })
    }

    fn price(&self) -> Box<dyn FnMut() + '_> {
        let record = fixtures::record();
        Box::new(move || drop(black_box(self.route.charge(&record))))
    }

    fn metrics(&self) -> Box<dyn FnMut() + '_> {
        let record = fixtures::record();
        Box::new(move || self.recorder.count(&record, &self.route.metrics))
    }

    fn journal(&self) -> Box<dyn FnMut() + '_> {
        let record = fixtures::record();
        Box::new(move || {
            let ticket = self.journal.journal.opening(&fixtures::opening(&record)).unwrap();
            self.journal.journal.closing(Some(ticket), Box::new(record.clone()));
        })
    }
}

fn intake() -> Box<dyn FnMut()> {
    let body = Bytes::from(fixtures::request());
    Box::new(move || {
        let mut body = Full::new(body.clone());
        let read = intake::read(&HeaderMap::new(), &mut body, 1 << 20, Clock::system()).now_or_never();
        drop(black_box(read.unwrap().unwrap()));
    })
}

fn tap_body() -> Box<dyn FnMut()> {
    let (model, body) = (ModelId::parse(fixtures::MODEL).unwrap(), Bytes::from(fixtures::answer()));
    Box::new(move || {
        let mut tap = Tap::new(Operation::Converse, Some(&model), 200, &HeaderMap::new(), 876);
        tap.feed(&body);
        drop(black_box(tap.finish(End::Complete)));
    })
}

fn tap_stream() -> Box<dyn FnMut()> {
    let model = ModelId::parse(fixtures::MODEL).unwrap();
    let chunks: Vec<Bytes> = fixtures::events().into_iter().map(Bytes::from).collect();
    let kind = HeaderValue::from_static("application/vnd.amazon.eventstream");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
    Box::new(move || {
        let mut tap = Tap::new(Operation::ConverseStream, Some(&model), 200, &headers, 876);
        for chunk in &chunks {
            tap.feed(chunk);
        }
        drop(black_box(tap.finish(End::Complete)));
    })
}

fn line() -> Box<dyn FnMut()> {
    let record = fixtures::record();
    Box::new(move || drop(black_box(record::line(&record))))
}
