//! Connections over sockets: which name leads where, and how many are kept for how long.

use super::connection::TURN;
use super::dial::Dialer;
use super::outbound::RequestHead;
use super::{Client, Endpoint, Outbound};
use crate::clock::Clock;
use crate::config::{Egress, Upstream};
use crate::metrics::Metrics;
use bytes::{Buf, Bytes};
use http::{HeaderValue, Method, Uri};
use http_body_util::BodyExt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// Answers every request with the last byte of the address that it came to.
async fn serve(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let SocketAddr::V4(v4) = address else { panic!("{address}") };
    let [.., name] = v4.ip().octets();
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tasks.spawn(async move {
                while let Ok(1..) = stream.read(&mut [0; 4096]).await {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{name}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

fn client(change: impl FnOnce(&mut Upstream), dialer: Dialer) -> Client {
    let mut upstream = Upstream::default();
    change(&mut upstream);
    let metrics = Arc::new(Metrics::new().unwrap());
    Client::with(&upstream, &Egress::default(), Clock::system(), metrics, dialer).unwrap()
}

fn endpoint(uri: &str) -> Arc<Endpoint> {
    let uri: Uri = uri.parse().unwrap();
    Arc::new(Endpoint { origin: uri.to_string().into(), uri, host: HeaderValue::from_static("h") })
}

/// Makes a call, and returns who answered.
async fn call(client: &Client, endpoint: &Arc<Endpoint>) -> Bytes {
    let head = RequestHead::new(&Method::GET, &"/".to_owned().into(), None);
    let request = Outbound::new(head, Vec::new());
    client.call(endpoint, request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_long_body_lets_other_calls_go_between() {
    let address = serve("127.0.0.2:0").await;
    let (client, endpoint) = (client(|_| {}, Dialer::default()), endpoint(&format!("http://{address}")));
    let mut connection = client.open(&endpoint).await.unwrap();
    let body = vec![Bytes::from(vec![b' '; TURN / 4]); 64];
    let mut request = Outbound::new(RequestHead::new(&Method::PUT, &"/".to_owned().into(), None), body);
    let mut before = request.remaining();
    poll_fn(|context| {
        connection.poll_send(context, &mut request).unwrap();
        // A turn is over once it has lasted too long, by a write at most, which ends with the buffer that fills a turn.
        assert!(before - request.remaining() < TURN * 9 / 4, "{} at once", before - request.remaining());
        before = request.remaining();
        if request.is_out { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_followed_within_the_age() {
    let (old, new) = (serve("127.0.0.2:0").await, serve("127.0.0.3:0").await);
    let known = Arc::new(Mutex::new(old));
    let resolver = Arc::clone(&known);
    let dialer = Dialer::new(Arc::new(move |_, _| {
        let address = *resolver.lock().unwrap();
        Box::pin(async move { Ok(vec![address]) })
    }));
    let age = Duration::from_millis(500);
    let (client, endpoint) =
        (client(|upstream| upstream.connection_age = age, dialer), endpoint("http://bedrock.test"));
    assert_eq!(call(&client, &endpoint).await, "2");
    *known.lock().unwrap() = new;
    let changed_at = tokio::time::Instant::now();
    // Calls without a rest, so that no connection is ever idle.
    while changed_at.elapsed() < age {
        call(&client, &endpoint).await;
    }
    assert_eq!(call(&client, &endpoint).await, "3");
}

#[tokio::test]
async fn connections_are_kept_ready_where_calls_come_and_no_longer() {
    let address = serve("127.0.0.2:0").await;
    let client = client(|upstream| upstream.warm_connections = 2, Dialer::default());
    let endpoint = endpoint(&format!("http://{address}"));
    let (pool, now) = (&client.pool, Clock::system().instant());
    let lacking = |seconds| pool.lacking(2, now + Duration::from_secs(seconds)).len();
    assert_eq!(lacking(0), 0, "nobody expects calls");
    client.expect(&[Arc::clone(&endpoint), Arc::clone(&endpoint)]);
    assert_eq!(lacking(1), 2);
    assert_eq!(lacking(1), 0, "they are being opened");
    for news in [true, false] {
        assert_eq!(pool.not_opened(&endpoint.origin), news);
    }
    assert_eq!(lacking(59), 2, "what did not come about is tried again");
    pool.opened(&endpoint.origin, client.open(&endpoint).await.unwrap(), now);
    pool.opened(&endpoint.origin, client.open(&endpoint).await.unwrap(), now);
    assert_eq!(pool.counts(), [(Arc::clone(&endpoint.origin), 0, 2)]);
    pool.sweep(now + Duration::from_secs(30));
    assert_eq!(pool.counts(), [(Arc::clone(&endpoint.origin), 0, 0)]);
    assert_eq!(lacking(58), 2, "what rested for too long is replaced");
    let _ = (pool.not_opened(&endpoint.origin), pool.not_opened(&endpoint.origin));
    assert_eq!(lacking(70), 0, "but for nobody");
    client.expect(&[Arc::clone(&endpoint)]);
    assert_eq!(lacking(70), 0, "an endpoint that is known is not new");
    let resting = pool.take(&endpoint.origin, now + Duration::from_secs(100));
    assert!(resting.is_none() && lacking(101) == 2, "a call came");
}
