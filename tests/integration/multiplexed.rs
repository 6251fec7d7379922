//! The same faults over HTTP/2, where a connection outlives each of them.

use crate::books::{balanced, by_case, is_gone, usage};
use crate::gateway::converse_body;
use crate::held::{Case, Held};
use crate::samples::{Sample, messages, streams};
use crate::socket::{Ask, TEXT};
use crate::upstream::{Framing, Step, head, piece};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// One connection, and the task that drives it.
struct Connection {
    requests: SendRequest<Full<Bytes>>,
    driver: JoinSet<()>,
}

/// What came of a body, and the error that it ended with.
type Read = (Vec<u8>, Option<String>);

impl Connection {
    async fn open(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        let (requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its end is seen by those who use it.
            let _ = connection.await;
        });
        Self { requests, driver }
    }

    /// Sends a request, and returns what its answer is to come from.
    fn send(&mut self, ask: &Ask) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        let mut request = Request::post(format!("http://gateway{}", ask.path));
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        self.requests.send_request(request.body(Full::new(converse_body(TEXT).into())).unwrap())
    }
}

async fn read(answer: impl Future<Output = hyper::Result<Response<Incoming>>>) -> Read {
    let mut read = Vec::new();
    let mut body = match answer.await {
        Ok(answer) => answer.into_body(),
        Err(error) => return (read, Some(format!("{error:?}"))),
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => read.extend_from_slice(frame.data_ref().unwrap()),
            Err(error) => return (read, Some(format!("{error:?}"))),
        }
    }
    (read, None)
}

#[tokio::test]
async fn a_cut_ends_one_stream() {
    let samples = streams().await;
    for framing in [Framing::Chunks, Framing::OneChunk, Framing::Length] {
        let held = Held::start(&[]).await;
        let mut connection = Connection::open(held.gateway.server.data()).await;
        let cases = held.everywhere(&samples, framing, &Step::Reset);
        held.upstream.script("whole", samples[0].script(framing, 0, Step::Send(Vec::new())));
        let mut reading = JoinSet::new();
        for (turn, case) in cases.iter().enumerate() {
            let answer = connection.send(&case.ask());
            reading.spawn(async move { (turn, read(answer).await) });
        }
        while let Some(done) = reading.join_next().await {
            let (turn, read) = done.unwrap();
            assert_cut(&cases[turn], framing, &read);
        }
        let (whole, error) = read(connection.send(&Ask::new(&samples[0].path, "whole"))).await;
        assert!(whole == samples[0].body && error.is_none(), "{error:?}");
        let records = by_case(&held.gateway, cases.len() + 1).await;
        for Case { name, sample, place } in &cases {
            assert_eq!(records[name]["outcome"], "upstream_reset");
            assert_eq!(usage(&records[name]), sample.usage_at(*place), "{name}");
        }
        drop(connection);
        held.stop().await;
    }
}

fn assert_cut(case: &Case<'_>, framing: Framing, (read, error): &Read) {
    let sent = &case.sample.body[..case.place];
    if framing == Framing::Length || !case.sample.is_boundary(case.place) {
        let reason = error.as_ref().unwrap_or_else(|| panic!("{case:?} looks whole"));
        assert!(reason.contains("INTERNAL_ERROR"), "{reason}");
        assert!(sent.starts_with(read), "{case:?}");
    } else {
        assert!(error.is_none(), "{error:?}");
        assert_eq!(messages(read.strip_prefix(sent).unwrap()).len(), 1);
    }
}

#[tokio::test]
async fn a_client_leaves_one_stream() {
    let samples = streams().await;
    for (mode, action, outcome) in [("drain", "drained", "ok"), ("cancel", "cancelled", "client_gone")] {
        let held = Held::start(&[("UPSTREAM__ON_CLIENT_DISCONNECT", mode)]).await;
        let mut connection = Connection::open(held.gateway.server.data()).await;
        let cases = held.everywhere(&samples, Framing::Chunks, &Step::Hold);
        let mut leaving = JoinSet::new();
        for case in &cases {
            let (answer, sent) = (connection.send(&case.ask()), case.sample.body[..case.place].to_vec());
            leaving.spawn(async move {
                let (mut body, mut read) = (answer.await.unwrap().into_body(), Vec::new());
                while read.len() < sent.len() {
                    read.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
                }
                assert_eq!(read, sent);
            });
        }
        while let Some(left) = leaving.join_next().await {
            left.unwrap();
        }
        held.noticed(cases.len(), action).await;
        held.upstream.go_on();
        let records = by_case(&held.gateway, cases.len()).await;
        for Case { name, sample, place } in &cases {
            let record = &records[name];
            assert!(record["outcome"] == outcome && is_gone(record), "{record}");
            let place = if mode == "drain" { sample.body.len() } else { *place };
            assert_eq!(usage(record), sample.usage_at(place), "{record}");
        }
        drop(connection);
        held.stop().await;
    }
}

/// Answers a call with more than sockets and windows hold.
fn deafen(held: &Held, sample: &Sample, case: &str) -> Ask {
    let body = sample.body.repeat(3000);
    let first = head("application/vnd.amazon.eventstream", Framing::Chunks, body.len());
    held.upstream.script(case, vec![Step::Send(first), Step::Send(piece(Framing::Chunks, &body))]);
    Ask::new(&sample.path, case)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_end_waits_for_the_record_of_every_stream() {
    let samples = streams().await;
    let held = Held::start(&[("LISTEN__SHUTDOWN_GRACE", "100ms")]).await;
    let mut connection = Connection::open(held.gateway.server.data()).await;
    let mut answers = Vec::new();
    for case in 0..20 {
        let ask = deafen(&held, &samples[0], &case.to_string());
        answers.push(connection.send(&ask).await.unwrap());
    }
    let metrics = Arc::clone(&held.gateway.server.gateway().metrics);
    let begun = Instant::now();
    let records = held.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(100 + 2000 + 1000), "{:?}", begun.elapsed());
    for record in balanced(records, &metrics, answers.len()).values() {
        assert_eq!(record["outcome"], "shutdown");
    }
    drop((answers, connection.driver));
}
