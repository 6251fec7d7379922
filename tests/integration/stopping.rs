//! The gateway stops while calls are under way.

use crate::books::{balanced, is_gone, usage};
use crate::breaking::{Failure, assert_recorded, assert_told};
use crate::held::{Case, Held};
use crate::leaving::leave_everywhere;
use crate::samples::{STATED, streams};
use crate::socket::{Ask, Heard};
use crate::upstream::{Framing, Step, end, head, piece};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SHORT: (&str, &str) = ("LISTEN__SHUTDOWN_GRACE", "300ms");
const LONG: (&str, &str) = ("LISTEN__SHUTDOWN_GRACE", "1h");

/// How long a stop may take with a short grace: two seconds more, and one for the test's own part.
const LIMIT: Duration = Duration::from_millis(300 + 2000 + 1000);

const CUT: Failure =
    Failure { step: Step::Hold, outcome: "shutdown", exception: "serviceUnavailableException" };

/// Stops while clients wait; returns what they heard, and the records of as many calls.
async fn stop(
    held: Held,
    mut clients: JoinSet<(String, Heard)>,
    count: usize,
) -> (BTreeMap<String, Heard>, BTreeMap<String, Value>) {
    let metrics = Arc::clone(&held.gateway.server.gateway().metrics);
    let begun = Instant::now();
    let records = held.stop().await;
    let took = begun.elapsed();
    assert!(took < LIMIT, "stopping took {took:?}");
    let mut heard = BTreeMap::new();
    while let Some(client) = clients.join_next().await {
        heard.extend([client.unwrap()]);
    }
    (heard, balanced(records, &metrics, count))
}

/// Has a client for each case read until its answer is held, and then to its end.
async fn read_up_to(held: &Held, cases: &[Case<'_>]) -> JoinSet<(String, Heard)> {
    let (mut opening, mut clients) = (JoinSet::new(), JoinSet::new());
    for case in cases {
        let (ask, at, name) = (case.ask(), held.gateway.server.data(), case.name.clone());
        let place = case.place;
        opening.spawn(async move {
            let mut stream = ask.open(at).await;
            let bytes = Heard::bytes_of_body(&mut stream, place).await;
            (name, stream, bytes)
        });
    }
    while let Some(opened) = opening.join_next().await {
        let (name, stream, bytes) = opened.unwrap();
        clients.spawn(async move { (name, Heard::read_on(stream, bytes).await) });
    }
    clients
}

#[tokio::test]
async fn what_is_under_way_goes_on_to_its_end() {
    let samples = streams().await;
    for framing in [Framing::Chunks, Framing::Length] {
        let held = Held::start(&[LONG]).await;
        let cases = held.everywhere(&samples, framing, &Step::Hold);
        let clients = read_up_to(&held, &cases).await;
        let (stopping, going_on) =
            (held.gateway.server.gateway().shutdown.stopping.clone(), held.upstream.going_on());
        let ((heard, records), ()) = tokio::join!(stop(held, clients, cases.len()), async {
            stopping.cancelled().await;
            going_on.cancel();
        });
        for Case { name, sample, .. } in &cases {
            assert!(heard[name].ended_well() && heard[name].body == sample.body, "{:?}", heard[name]);
            let record = &records[name];
            assert!(record["outcome"] == "ok" && !is_gone(record), "{record}");
            assert_eq!(usage(record), (STATED.0, STATED.1, sample.source()));
        }
    }
}

#[tokio::test]
async fn what_outlasts_the_grace_is_cut() {
    let samples = streams().await;
    for framing in [Framing::Chunks, Framing::OneChunk, Framing::Length] {
        let held = Held::start(&[SHORT]).await;
        let cases = held.everywhere(&samples, framing, &Step::Hold);
        let clients = read_up_to(&held, &cases).await;
        let (heard, records) = stop(held, clients, cases.len()).await;
        for case in &cases {
            assert_told(&heard[&case.name], case, framing, &CUT);
            assert_recorded(&records[&case.name], case, &CUT);
        }
    }
}

#[tokio::test]
async fn a_drain_that_outlasts_the_grace_is_cut() {
    let (held, samples) = (Held::start(&[SHORT]).await, streams().await);
    let cases = leave_everywhere(&held, &samples, Framing::Chunks, "drained").await;
    let (_, records) = stop(held, JoinSet::new(), cases.len()).await;
    for Case { name, sample, place } in &cases {
        let record = &records[name];
        assert!(record["outcome"] == "shutdown" && is_gone(record), "{record}");
        assert_eq!(usage(record), sample.usage_at(*place), "{record}");
    }
}

#[tokio::test]
async fn a_drain_within_the_grace_reaches_its_end() {
    let (held, samples) = (Held::start(&[LONG]).await, streams().await);
    let cases = leave_everywhere(&held, &samples, Framing::Chunks, "drained").await;
    let (stopping, going_on) =
        (held.gateway.server.gateway().shutdown.stopping.clone(), held.upstream.going_on());
    let ((_, records), ()) = tokio::join!(stop(held, JoinSet::new(), cases.len()), async {
        stopping.cancelled().await;
        going_on.cancel();
    });
    for Case { name, sample, .. } in &cases {
        let record = &records[name];
        assert!(record["outcome"] == "ok" && is_gone(record), "{record}");
        assert_eq!(usage(record), (STATED.0, STATED.1, sample.source()));
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_head_is_told() {
    let (held, samples) = (Held::start(&[SHORT]).await, streams().await);
    let cases = held.before_the_head(&samples);
    let mut clients = JoinSet::new();
    for case in &cases {
        let (name, stream) = (case.name.clone(), case.ask().open(held.gateway.server.data()).await);
        held.upstream.begun(&name).await;
        clients.spawn(async move { (name, Heard::read(stream).await) });
    }
    let (heard, records) = stop(held, clients, cases.len()).await;
    for Case { name, .. } in &cases {
        let (heard, record) = (&heard[name], &records[name]);
        assert!(heard.status == 503 && heard.ended_well(), "{heard:?}");
        assert_eq!(heard.header("x-tollgate-error"), "draining");
        assert_eq!(record["id"], heard.header("x-tollgate-request-id"));
        assert!(record["outcome"] == "shutdown" && record.get("status").is_none(), "{record}");
        assert_eq!(usage(record), (3, 0, "estimated"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    for framing in [Framing::Chunks, Framing::Length] {
        let held = Held::start(&[SHORT]).await;
        let samples = streams().await;
        // More than sockets hold.
        let body = samples[0].body.repeat(10_000);
        let first = head("application/vnd.amazon.eventstream", framing, body.len());
        let script = vec![Step::Send(first), Step::Send(piece(framing, &body)), Step::Send(end(framing))];
        held.upstream.script("deaf", script);
        let mut stream = Ask::new(&samples[0].path, "deaf").open(held.gateway.server.data()).await;
        Heard::bytes_of_body(&mut stream, 1).await;
        let (_, records) = stop(held, JoinSet::new(), 1).await;
        assert_eq!(records["deaf"]["outcome"], "shutdown");
        drop(stream);
    }
}

#[tokio::test]
async fn connections_while_stopping() {
    let (held, samples) = (Held::start(&[LONG]).await, streams().await);
    let at = held.gateway.server.data();
    let sample = &samples[0];
    // One call keeps the gateway from ending.
    held.upstream.script("long", sample.script(Framing::Chunks, 0, Step::Hold));
    let mut long = Ask::new(&sample.path, "long").open(at).await;
    let bytes = Heard::bytes_of_body(&mut long, 0).await;
    let (idle, mut halfway) = (kept_alive(at).await, kept_alive(at).await);
    let late = Ask::new(&sample.path, "late").wire();
    let (first, rest) = late.split_at(40);
    halfway.write_all(first).await.unwrap();
    let shutdown = held.gateway.server.gateway().shutdown.clone();
    let going_on = held.upstream.going_on();
    let ((_, records), ()) = tokio::join!(stop(held, JoinSet::new(), 1), async {
        shutdown.stopping.cancelled().await;
        let idle = Heard::read(idle).await;
        assert!(idle.status == 0 && idle.error.is_none(), "{idle:?}");
        // A request on its way may find the connection closed; what it may not do is go upstream.
        let refused = match halfway.write_all(rest).await {
            Ok(()) => Heard::read(halfway).await.status,
            Err(_) => 0,
        };
        assert!([0, 503].contains(&refused), "{refused}");
        assert!(TcpStream::connect(at).await.is_err());
        going_on.cancel();
        let heard = Heard::read_on(long, bytes).await;
        assert!(heard.ended_well() && heard.body == sample.body, "{heard:?}");
    });
    assert_eq!(records["long"]["outcome"], "ok");
}

/// Returns a connection on which a request was answered.
async fn kept_alive(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    let heard = Heard::read_body(&mut stream, 3).await;
    assert!(heard.status == 200 && heard.is_whole, "{heard:?}");
    stream
}
