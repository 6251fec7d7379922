//! Connections to upstream: how long they live, which are kept ready, and what becomes of them when some die.

use crate::gateway::{NOVA, TestGateway, converse_body, until};
use crate::program::Workplace;
use crate::socket::{head_len, header};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// An upstream that counts its connections.
#[derive(Debug)]
struct Counting {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _stopping: DropGuard,
}

/// What it has seen, and what it does.
#[derive(Debug, Default)]
struct Seen {
    opened: usize,
    closed: usize,
    bytes: usize,
    /// The connections that requests came on, by their numbers.
    requests: Vec<usize>,
    /// How many requests wait before all are answered.
    together: usize,
    /// How long an answer takes.
    pace: Duration,
    /// Connections up to this number reset what they get.
    dead: usize,
    /// Closes all connections.
    closing: CancellationToken,
}

impl Counting {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stopping) = (Arc::new(Mutex::new(Seen::default())), CancellationToken::new());
        let upstream = Self { address, seen: Arc::clone(&seen), _stopping: stopping.clone().drop_guard() };
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
                let (seen, stopping) = (Arc::clone(&seen), stopping.clone());
                let serving = serve(accepted.unwrap().0, seen);
                tasks.spawn(async move { stopping.run_until_cancelled(serving).await });
            }
        });
        upstream
    }

    /// Starts a gateway in front of it.
    async fn gateway(&self, overrides: &[(&str, &str)]) -> TestGateway {
        let endpoint = self.endpoint();
        TestGateway::start_with(&[&[("UPSTREAM__ENDPOINT", endpoint.as_str())], overrides].concat()).await
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn look<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap())
    }

    async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        until(|| self.look(|seen| is_so(seen).then_some(()))).await;
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>) {
    let (number, closing) = {
        let mut seen = seen.lock().unwrap();
        seen.opened += 1;
        (seen.opened, seen.closing.clone())
    };
    closing.run_until_cancelled(answer_all(&mut stream, number, &seen)).await;
    seen.lock().unwrap().closed += 1;
}

async fn answer_all(stream: &mut TcpStream, number: usize, seen: &Mutex<Seen>) {
    let mut bytes = Vec::new();
    while let Ok(count @ 1..) = stream.read_buf(&mut bytes).await {
        let is_dead = {
            let mut seen = seen.lock().unwrap();
            seen.bytes += count;
            number <= seen.dead
        };
        if is_dead {
            return stream.set_zero_linger().unwrap();
        }
        let Some(end) = head_len(&bytes) else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
        if bytes.len() < end + length {
            continue;
        }
        bytes.clear();
        let pace = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(number);
            seen.pace
        };
        until(|| {
            let seen = seen.lock().unwrap();
            (seen.requests.len() >= seen.together).then_some(())
        })
        .await;
        tokio::time::sleep(pace).await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// Makes a call, and returns its status and the code of what the gateway has to say of it.
async fn call(gateway: &TestGateway) -> (u16, String) {
    let path = format!("/s/a/model/{NOVA}/converse");
    let answer = gateway.post(&path, &[], &converse_body("hi")).await;
    (answer.status.as_u16(), answer.header("x-tollgate-error"))
}

fn fine() -> (u16, String) {
    (200, String::new())
}

#[tokio::test]
async fn an_old_connection_is_closed_after_its_call() {
    let upstream = Counting::start().await;
    let gateway = upstream.gateway(&[("UPSTREAM__CONNECTION_AGE", "100ms")]).await;
    upstream.look(|seen| seen.pace = Duration::from_millis(400));
    assert_eq!(call(&gateway).await, fine());
    // Nobody asks for it again.
    upstream.until(|seen| seen.closed == 1).await;
    assert_eq!(call(&gateway).await, fine());
    assert_eq!(upstream.look(|seen| seen.requests.clone()), [1, 2]);
    let ended = gateway.sum("tollgate_upstream_connections_closed_total", &[r#"reason="age""#]).await;
    assert_eq!(ended.to_string(), "2");
    gateway.stop().await;
}

#[tokio::test]
async fn an_old_connection_is_closed_at_rest() {
    let upstream = Counting::start().await;
    let gateway = upstream.gateway(&[("UPSTREAM__CONNECTION_AGE", "3s")]).await;
    assert_eq!(call(&gateway).await, fine());
    assert_eq!(call(&gateway).await, fine());
    upstream.until(|seen| seen.closed == 1).await;
    assert_eq!(upstream.look(|seen| seen.requests.clone()), [1, 1]);
    gateway.stop().await;
}

/// Makes four calls at once, each on a connection of its own.
async fn four_calls(upstream: &Counting, gateway: &TestGateway) {
    upstream.look(|seen| seen.together = seen.requests.len() + 4);
    let calls = tokio::join!(call(gateway), call(gateway), call(gateway), call(gateway));
    assert_eq!([calls.0, calls.1, calls.2, calls.3], [fine(), fine(), fine(), fine()]);
    assert_eq!(upstream.look(|seen| seen.opened), 4);
}

#[tokio::test]
async fn what_rested_beside_a_dead_connection_is_given_up() {
    let upstream = Counting::start().await;
    let gateway = upstream.gateway(&[]).await;
    four_calls(&upstream, &gateway).await;
    // Nothing shows that they are dead: the answer to the next byte is a reset, as after a failover.
    upstream.look(|seen| seen.dead = 4);
    assert_eq!(call(&gateway).await, (503, "upstream_reset".to_owned()));
    assert_eq!(call(&gateway).await, fine());
    assert_eq!(upstream.look(|seen| seen.requests.last().copied()), Some(5));
    let ended = gateway.sum("tollgate_upstream_connections_closed_total", &[r#"reason="suspect""#]).await;
    assert_eq!(ended.to_string(), "3");
    gateway.stop().await;
}

#[tokio::test]
async fn what_has_answered_since_is_kept_beside_a_dead_connection() {
    let upstream = Counting::start().await;
    let gateway = upstream.gateway(&[]).await;
    upstream.look(|seen| seen.together = 2);
    let both = tokio::join!(call(&gateway), call(&gateway));
    assert_eq!([both.0, both.1], [fine(), fine()]);
    // One answers while the other is dead.
    upstream.look(|seen| (seen.dead, seen.pace) = (1, Duration::from_millis(300)));
    let both = tokio::join!(call(&gateway), call(&gateway));
    let mut statuses = [both.0.0, both.1.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503]);
    assert_eq!(call(&gateway).await, fine());
    assert_eq!(upstream.look(|seen| (seen.opened, seen.requests.last().copied())), (2, Some(2)));
    gateway.stop().await;
}

#[tokio::test]
async fn first_calls_find_connections_ready() {
    let upstream = Counting::start().await;
    let gateway = upstream.gateway(&[("UPSTREAM__WARM_CONNECTIONS", "2")]).await;
    upstream.until(|seen| seen.opened == 2).await;
    assert_eq!(upstream.look(|seen| seen.bytes), 0, "nothing is sent before there is a call");
    upstream.look(|seen| seen.together = 2);
    let both = tokio::join!(call(&gateway), call(&gateway));
    assert_eq!([both.0, both.1], [fine(), fine()]);
    assert_eq!(upstream.look(|seen| seen.opened), 2);
    let endpoint = format!("endpoint=\"{}\"", upstream.endpoint());
    for (family, label, count) in [
        ("tollgate_upstream_calls_total", r#"connection="kept""#, "2"),
        ("tollgate_upstream_calls_total", r#"connection="new""#, "0"),
        ("tollgate_upstream_connects_total", r#"outcome="ok""#, "2"),
        ("tollgate_upstream_connections", r#"state="busy""#, "0"),
        ("tollgate_upstream_connections", r#"state="resting""#, "2"),
        ("tollgate_upstream_connect_duration_seconds_count", "", "2"),
    ] {
        let counted = gateway.sum(family, &[label, &endpoint]).await;
        assert_eq!(counted.to_string(), count, "{family} {label}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn ready_connections_are_replaced() {
    let upstream = Counting::start().await;
    let gateway = upstream.gateway(&[("UPSTREAM__WARM_CONNECTIONS", "3")]).await;
    upstream.until(|seen| seen.opened == 3).await;
    let closing = upstream.look(|seen| std::mem::take(&mut seen.closing));
    closing.cancel();
    upstream.until(|seen| seen.opened == 6).await;
    assert_eq!(upstream.look(|seen| seen.closed), 3);
    let ended = gateway.sum("tollgate_upstream_connections_closed_total", &[r#"reason="closed""#]).await;
    assert_eq!(ended.to_string(), "3");
    gateway.stop().await;
}

#[tokio::test]
async fn a_start_does_not_wait_for_upstream() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Bound, and not listened on.
    let endpoint = format!("http://{}", socket.local_addr().unwrap());
    let overrides = [("UPSTREAM__ENDPOINT", endpoint.as_str()), ("UPSTREAM__WARM_CONNECTIONS", "2")];
    let gateway = TestGateway::start_with(&overrides).await;
    let ready = TcpStream::connect(gateway.server.admin()).await;
    assert!(ready.is_ok());
    assert_eq!(call(&gateway).await, (503, "upstream_unreachable".to_owned()));
    let failed = gateway.sum("tollgate_upstream_connects_total", &[r#"outcome="tcp""#]).await;
    assert!(failed >= 1.0, "{failed}");
    let open = gateway.sum("tollgate_upstream_connections", &[]).await;
    assert_eq!(open.to_string(), "0");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_new_endpoint_are_ready_after_a_reload() {
    let (old, new) = (Counting::start().await, Counting::start().await);
    let config = |upstream: &Counting| {
        format!("[upstream]\nendpoint = \"{}\"\nwarm_connections = 1\n", upstream.endpoint())
    };
    let place = Workplace::with(&config(&old), "");
    let ports = [("TOLLGATE__LISTEN__DATA", "127.0.0.1:0"), ("TOLLGATE__LISTEN__ADMIN", "127.0.0.1:0")];
    let gateway = place.start(&["serve"], &ports);
    gateway.serving();
    old.until(|seen| seen.opened == 1).await;
    std::fs::write(place.path("config/tollgate.toml"), config(&new)).unwrap();
    new.until(|seen| seen.opened == 1).await;
    gateway.stop();
    assert_eq!(old.look(|seen| seen.opened), 1);
}
