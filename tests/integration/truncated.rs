//! A TLS session that is cut: whoever stands between can close a connection, but not send a `close_notify`.

use crate::gateway::TestGateway;
use crate::socket::Heard;
use crate::tls::ask;
use crate::tls_front::{AtTheEnd, Ca};
use crate::upstream::{Step, Upstream};

/// How an answer's body is delimited, and how much of it comes before the end of the connection.
const BODIES: [(&str, &str, Fate); 5] = [
    ("until-close", "\r\n{\"a\":1}", Fate::AsTheSession),
    ("length", "content-length: 7\r\n\r\n{\"a\":1}", Fate::Whole),
    ("length-short", "content-length: 8\r\n\r\n{\"a\":1}", Fate::Broken),
    ("chunks", "transfer-encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n", Fate::Whole),
    ("chunks-short", "transfer-encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n", Fate::Broken),
];

/// What the gateway's client is to see of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    Broken,
    /// Whole where the session is closed in order.
    AsTheSession,
}

#[tokio::test]
async fn a_cut_session_ends_no_body() {
    let (upstream, ca) = (Upstream::start(), Ca::new());
    for (case, wire, _) in BODIES {
        let wire =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n{wire}");
        upstream.script(case, vec![Step::Send(wire.into_bytes()), Step::Close]);
    }
    let behind = upstream.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    let plain = ca.gateway(&upstream.endpoint(), &[]).await;
    answers(&plain, AtTheEnd::Closed).await;
    for at_the_end in [AtTheEnd::Closed, AtTheEnd::Cut] {
        let front = ca.front(behind, at_the_end).await;
        let gateway = ca.gateway(&front.endpoint(), &[]).await;
        answers(&gateway, at_the_end).await;
        let records = gateway.stop().await;
        let broken = records.iter().filter(|record| record["outcome"] == "upstream_reset").count();
        assert_eq!(broken, if at_the_end == AtTheEnd::Cut { 3 } else { 2 }, "{records:#?}");
    }
    plain.stop().await;
    upstream.stop().await;
}

/// Asks for every body, and holds what comes against what is to come.
async fn answers(gateway: &TestGateway, at_the_end: AtTheEnd) {
    for (case, _, fate) in BODIES {
        let heard: Heard = ask(case).send(gateway.server.data()).await;
        let is_whole = match fate {
            Fate::Whole => true,
            Fate::Broken => false,
            Fate::AsTheSession => at_the_end == AtTheEnd::Closed,
        };
        if is_whole {
            assert!(heard.ended_well() && heard.body == b"{\"a\":1}", "{case} {at_the_end:?} {heard:?}");
        } else {
            assert!(heard.status == 200 && heard.was_broken_off(), "{case} {at_the_end:?} {heard:?}");
        }
    }
}
