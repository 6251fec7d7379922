//! Calls through an HTTP proxy.

use crate::gateway::TestGateway;
use crate::proxy::{Manner, Proxy};
use crate::tls::{ask, unreachable};
use crate::tls_front::{AtTheEnd, Ca, TlsFront};
use tokio::net::TcpSocket;
use tollgate::simulator::{Settings, Simulator};

/// What a proxy is to be told, and nobody else.
const CREDENTIALS: &str = "user:se%40cret@";

/// A simulated Bedrock of profiles that nobody checks, behind TLS.
struct Bedrock {
    simulator: Simulator,
    front: TlsFront,
    ca: Ca,
}

impl Bedrock {
    async fn start() -> Self {
        let other_profiles = Some(crate::gateway::NOVA.to_owned());
        let simulator = Simulator::start(Settings { other_profiles, ..Settings::default() }).await.unwrap();
        let ca = Ca::new();
        let front = ca.front(simulator.address(), AtTheEnd::Closed).await;
        Self { simulator, front, ca }
    }

    /// Starts a gateway in front of it with variables, makes two calls, and returns their statuses.
    async fn statuses(&self, endpoint: &str, variables: &[(&str, &str)]) -> Vec<u16> {
        let gateway = self.ca.gateway(endpoint, variables).await;
        let mut statuses = Vec::new();
        for case in ["one", "two"] {
            statuses.push(ask(case).send(gateway.server.data()).await.status);
        }
        gateway.stop().await;
        assert_eq!(self.simulator.bad_signatures(), 0);
        statuses
    }
}

#[tokio::test]
async fn a_call_goes_through_a_tunnel() {
    let (bedrock, proxy) = (Bedrock::start().await, Proxy::start(Manner::Opens).await);
    let (endpoint, url) = (bedrock.front.endpoint(), proxy.url(""));
    assert_eq!(bedrock.statuses(&endpoint, &[("HTTPS_PROXY", &url)]).await, [200, 200]);
    let target = format!("localhost:{}", bedrock.front.port());
    // The second call takes the connection of the first.
    assert_eq!(proxy.asked(), [format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n")]);
    assert_eq!(bedrock.front.handshakes()[0].name.as_deref(), Some("localhost"));
}

#[tokio::test]
async fn an_http_endpoint_has_a_tunnel_of_its_own() {
    let (bedrock, proxy) = (Bedrock::start().await, Proxy::start(Manner::Opens).await);
    let (endpoint, url) = (bedrock.simulator.endpoint(), proxy.url(""));
    assert_eq!(bedrock.statuses(&endpoint, &[("HTTPS_PROXY", &url)]).await, [200, 200]);
    assert_eq!(proxy.asked().len(), 0, "the proxy is that of https");
    assert_eq!(bedrock.statuses(&endpoint, &[("http_proxy", &url)]).await, [200, 200]);
    assert_eq!(bedrock.statuses(&endpoint, &[("ALL_PROXY", &url)]).await, [200, 200]);
    let asked = format!("CONNECT {} HTTP/1.1\r\n", bedrock.simulator.address());
    assert!(proxy.asked().len() == 2 && proxy.asked()[0].starts_with(&asked), "{:?}", proxy.asked());
}

#[tokio::test]
async fn a_proxy_gets_its_credentials() {
    let (bedrock, proxy) = (Bedrock::start().await, Proxy::start(Manner::Opens).await);
    let (endpoint, url) = (bedrock.front.endpoint(), proxy.url(CREDENTIALS));
    assert_eq!(bedrock.statuses(&endpoint, &[("HTTPS_PROXY", &url)]).await, [200, 200]);
    // "user:se@cret"
    let line = "\r\nproxy-authorization: Basic dXNlcjpzZUBjcmV0\r\n";
    assert!(proxy.asked()[0].contains(line), "{:?}", proxy.asked());
}

#[tokio::test]
async fn hosts_without_a_proxy_are_connected_to_straight() {
    let (bedrock, proxy) = (Bedrock::start().await, Proxy::start(Manner::Says("")).await);
    let (url, by_name, by_address) = (proxy.url(""), bedrock.front.endpoint(), bedrock.simulator.endpoint());
    for (endpoint, hosts) in [
        (&by_name, "localhost"),
        (&by_name, "a.test, LOCALHOST"),
        (&by_name, "*"),
        (&by_address, "127.0.0.1"),
        (&by_address, "10.0.0.0/8,127.0.0.0/8"),
    ] {
        let variables = [("ALL_PROXY", url.as_str()), ("no_proxy", hosts)];
        assert_eq!(bedrock.statuses(endpoint, &variables).await, [200, 200], "{hosts}");
    }
    assert_eq!(proxy.asked().len(), 0);
    for (endpoint, hosts) in [(&by_name, "host"), (&by_name, "127.0.0.0/8"), (&by_address, "128.0.0.0/8")] {
        let variables = [("ALL_PROXY", url.as_str()), ("NO_PROXY", hosts)];
        assert_eq!(bedrock.statuses(endpoint, &variables).await, [503, 503], "{hosts}");
    }
}

/// Returns what a call says through a proxy of that manner that has so long, and the proxy.
async fn told(manner: Manner, timeout: &str) -> (String, Proxy) {
    let proxy = Proxy::start(manner).await;
    let variables = [
        ("TOLLGATE__UPSTREAM__ENDPOINT", "https://bedrock.test"),
        ("TOLLGATE__UPSTREAM__CONNECT_TIMEOUT", timeout),
        ("HTTPS_PROXY", &proxy.url(CREDENTIALS)),
    ];
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let gateway = TestGateway::start_in("", variables).await;
    let message = unreachable(&ask("told").send(gateway.server.data()).await);
    gateway.stop().await;
    let named = format!("the proxy {} (HTTPS_PROXY)", proxy.url(""));
    assert!(message.contains(&named) && !message.contains("cret"), "{message}");
    (message, proxy)
}

#[tokio::test]
async fn what_keeps_a_proxy_from_opening_a_tunnel_is_said() {
    let html = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<p>?";
    for (answer, expected) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "wants credentials, or others (407): put them into",
        ),
        (
            "HTTP/1.0 403 No\r\n\r\nno",
            "opens no tunnel to bedrock.test:443 (403 Forbidden): let it allow that host",
        ),
        ("HTTP/1.1 502 Bad\r\n\r\n", "opens no tunnel to bedrock.test:443 (502 Bad Gateway)"),
        (
            "SSH-2.0-OpenSSH_9.2\r\n",
            "does not answer as an HTTP proxy (it speaks no HTTP): check the host and port",
        ),
        ("HTTP/1.1 200", "does not answer as an HTTP proxy (it closes the connection)"),
        ("", "does not answer as an HTTP proxy (it closes the connection)"),
        (html, "does not answer as an HTTP proxy (it sends more than a head)"),
    ] {
        let (message, _) = told(Manner::Says(answer), "10s").await;
        assert!(message.contains(expected), "{message}");
    }
    let (message, proxy) = told(Manner::IsSilent, "700ms").await;
    assert!(message.contains("no connection within 700ms through the proxy"), "{message}");
    assert_eq!(proxy.asked().len(), 1, "a call is not repeated");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let bedrock = Bedrock::start().await;
    // Bound, and not listened on.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let gateway = bedrock.ca.gateway(&bedrock.front.endpoint(), &[("HTTPS_PROXY", &url)]).await;
    let message = unreachable(&ask("none").send(gateway.server.data()).await);
    assert!(message.contains(&format!("the proxy {url} (HTTPS_PROXY) cannot be reached (")), "{message}");
    gateway.stop().await;
}
