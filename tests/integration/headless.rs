//! Upstream fails before the head of an answer, and connections that it closed while they were idle.

use crate::books::{by_case, usage};
use crate::gateway::TestGateway;
use crate::held::Held;
use crate::samples::bodies;
use crate::socket::{Ask, Heard, send_all};
use crate::upstream::{Framing, Step};
use serde_json::Value;
use std::net::TcpListener;

/// Asserts that a client was told of a failure, and that its record is another side of the same.
fn assert_told(heard: &Heard, record: &Value, code: &str, outcome: &str) {
    assert!(heard.status == 503 && heard.ended_well(), "{heard:?}");
    assert_eq!(heard.header("x-tollgate-error"), code);
    assert_eq!(heard.header("x-amzn-errortype"), "ServiceUnavailableException");
    assert_eq!(record["id"], heard.header("x-tollgate-request-id"));
    assert!(record["outcome"] == outcome && record.get("status").is_none(), "{record}");
}

#[tokio::test]
async fn upstream_fails_before_its_head() {
    let (held, samples) = (Held::start(&[("UPSTREAM__IDLE_TIMEOUT", "1s")]).await, bodies().await);
    let part = || Step::Send(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec());
    let failures = [
        (vec![Step::Reset], "upstream_reset"),
        (vec![Step::Close], "upstream_reset"),
        (vec![part(), Step::Reset], "upstream_reset"),
        (vec![part(), Step::Close], "upstream_reset"),
        (vec![Step::Send(b"HTTP/7.7 banana\r\n\r\n".to_vec()), Step::Stay], "upstream_reset"),
        (vec![Step::Stay], "timeout"),
        (vec![part(), Step::Stay], "timeout"),
    ];
    let mut asks = Vec::new();
    for (case, (steps, _)) in failures.iter().enumerate() {
        held.upstream.script(&case.to_string(), steps.clone());
        asks.push(Ask::new(&samples[0].path, &case.to_string()));
    }
    let heard = send_all(asks, held.gateway.server.data()).await;
    let records = by_case(&held.gateway, failures.len()).await;
    for (case, ((_, outcome), heard)) in failures.iter().zip(&heard).enumerate() {
        let record = &records[&case.to_string()];
        let code = if *outcome == "timeout" { "upstream_timeout" } else { "upstream_reset" };
        assert_told(heard, record, code, outcome);
        assert_eq!(usage(record), (3, 0, "estimated"));
        assert_eq!(held.upstream.times(&case.to_string()), 1, "sent again");
    }
    held.stop().await;
}

#[tokio::test]
async fn nobody_is_there() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let gateway = TestGateway::start_with(&[("UPSTREAM__ENDPOINT", endpoint.as_str())]).await;
    let path = &bodies().await[0].path;
    let heard = send_all(vec![Ask::new(path, "0"), Ask::new(path, "1")], gateway.server.data()).await;
    let records = by_case(&gateway, 2).await;
    for (case, heard) in heard.iter().enumerate() {
        let record = &records[&case.to_string()];
        assert_told(heard, record, "upstream_unreachable", "upstream_error");
        assert_eq!(record["usage_source"], "not_applicable");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_upstream_closed_costs_no_call() {
    let (held, samples) = (Held::start(&[]).await, bodies().await);
    let sample = &samples[0];
    for round in 0..60 {
        let case = round.to_string();
        let mut script = sample.script(Framing::Length, sample.body.len(), Step::Send(Vec::new()));
        script.push(if round % 2 == 0 { Step::Close } else { Step::Reset });
        held.upstream.script(&case, script);
        let heard = Ask::new(&sample.path, &case).send(held.gateway.server.data()).await;
        assert!(heard.status == 200 && heard.body == sample.body, "{round}: {heard:?}");
        held.upstream.over(&case).await;
    }
    let records = by_case(&held.gateway, 60).await;
    assert!(records.values().all(|record| record["outcome"] == "ok"));
    held.stop().await;
}

#[tokio::test]
async fn what_was_sent_is_not_sent_again() {
    let (held, samples) = (Held::start(&[]).await, bodies().await);
    let sample = &samples[0];
    for round in 0..10 {
        // The first leaves a connection in the pool, on which the second fails.
        let (first, second) = (format!("first-{round}"), format!("second-{round}"));
        held.upstream.script(&first, sample.script(Framing::Length, 0, Step::Send(Vec::new())));
        held.upstream.script(&second, vec![if round % 2 == 0 { Step::Close } else { Step::Reset }]);
        let at = held.gateway.server.data();
        let heard = Ask::new(&sample.path, &first).send(at).await;
        assert!(heard.status == 200 && heard.ended_well(), "{heard:?}");
        let heard = Ask::new(&sample.path, &second).send(at).await;
        let record = held.gateway.record_of(&heard.header("x-tollgate-request-id")).await;
        assert_told(&heard, &record, "upstream_reset", "upstream_reset");
        assert_eq!(usage(&record), (3, 0, "estimated"));
        assert_eq!(held.upstream.times(&second), 1, "sent again");
    }
    by_case(&held.gateway, 20).await;
    held.stop().await;
}

#[tokio::test]
async fn many_connections_that_upstream_closed_cost_no_call() {
    // More than a task may poll at once.
    const MANY: usize = 200;
    let (held, samples) = (Held::start(&[]).await, bodies().await);
    let (sample, at) = (&samples[0], held.gateway.server.data());
    let mut script = sample.script(Framing::Length, 0, Step::Hold);
    script.push(Step::Close);
    let asks = (0..MANY).map(|case| {
        held.upstream.script(&case.to_string(), script.clone());
        Ask::new(&sample.path, &case.to_string())
    });
    let calls = send_all(asks.collect(), at);
    let all_begun = async {
        for case in 0..MANY {
            held.upstream.begun(&case.to_string()).await;
        }
        held.upstream.go_on();
        for case in 0..MANY {
            held.upstream.over(&case.to_string()).await;
        }
    };
    let (heard, ()) = tokio::join!(calls, all_begun);
    assert!(heard.iter().all(|heard| heard.status == 200));
    held.upstream.script("last", sample.script(Framing::Length, 0, Step::Send(Vec::new())));
    let heard = Ask::new(&sample.path, "last").send(at).await;
    assert_eq!(heard.status, 200, "{heard:?}");
    held.stop().await;
}
