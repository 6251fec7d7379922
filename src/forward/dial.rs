//! TCP connections by name: to any of the addresses that the name has when the connection is made.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use rustix::net::sockopt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

/// How long one address has before the next is tried beside it (RFC 8305, section 5: 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// How often the kernel asks a silent peer whether it is there: a connection at rest whose peer or NAT has forgotten it
/// is reset by the answer before a call takes it, and a call that waits keeps its place in NATs and load balancers
/// (AWS: 350 s in NAT gateways, Network Load Balancers and VPC endpoints; Azure: 4 minutes).
const PROBE: Duration = Duration::from_secs(10);

/// How long a peer may leave bytes or probes unacknowledged before the connection counts as broken. A call cannot be
/// sent again, so it is to outlast a route that fails over; without it the kernel waits for a quarter of an hour.
const PATIENCE: Duration = Duration::from_mins(1);

/// Finds the addresses of a host and port.
pub(super) type Resolve =
    Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Opens TCP connections. Nothing is remembered from one to the next, so that a name's new addresses are found as soon
/// as the system's resolver knows them.
#[derive(Clone)]
pub(super) struct Dialer(Resolve);

/// Why there is no TCP connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The name has no address, or nobody tells.
    #[error("its name leads nowhere")]
    Unresolved(#[source] io::Error),
    /// None of its addresses can be connected to; this is what the first of them said.
    #[error("none of its addresses answers")]
    Unconnected(#[source] io::Error),
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad("Dialer")
    }
}

impl Default for Dialer {
    /// Asks the system's resolver.
    fn default() -> Self {
        Self::new(Arc::new(|host, port| {
            Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
        }))
    }
}

impl Dialer {
    pub(super) fn new(resolve: Resolve) -> Self {
        Self(resolve)
    }

    /// Connects to a URL's host and port.
    pub(super) async fn dial(&self, uri: &Uri) -> Result<TcpStream, DialError> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        let addresses = (self.0)(host.to_owned(), port).await.map_err(DialError::Unresolved)?;
        race(in_turn(addresses, turn())).await
    }
}

/// Returns which of a name's addresses comes first: any, so that connections spread over all of them.
fn turn() -> usize {
    // Without randomness, the first is as good as any.
    getrandom::u32().ok().and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

/// Returns addresses in the order in which they are tried: of each family any first, and the families by turns, that
/// which the resolver prefers first (RFC 8305, section 4).
fn in_turn(addresses: Vec<SocketAddr>, turn: usize) -> Vec<SocketAddr> {
    let prefers_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut preferred, mut others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == prefers_v6);
    for family in [&mut preferred, &mut others] {
        if let Some(by) = turn.checked_rem(family.len()) {
            family.rotate_left(by);
        }
    }
    let (mut ordered, mut others) = (Vec::with_capacity(preferred.len() + others.len()), others.into_iter());
    for address in preferred {
        ordered.push(address);
        ordered.extend(others.next());
    }
    ordered.extend(others);
    ordered
}

/// Connects to the first of some addresses that answers. Each has a head start before the next is tried beside it.
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, DialError> {
    let mut waiting = addresses.into_iter();
    let (mut attempts, mut failed) = (FuturesUnordered::new(), None);
    loop {
        attempts.extend(waiting.next().map(connect));
        let attempt = if waiting.len() == 0 {
            attempts.next().await
        } else if let Ok(attempt) = timeout(HEAD_START, attempts.next()).await {
            attempt
        } else {
            continue;
        };
        match attempt {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => drop(failed.get_or_insert(error)),
            None => return Err(failed.map_or_else(no_address, DialError::Unconnected)),
        }
    }
}

fn no_address() -> DialError {
    DialError::Unresolved(io::Error::new(io::ErrorKind::NotFound, "its name has no address"))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    if let Err(error) = watch(&socket) {
        // As in some sandboxes: it does without.
        tracing::debug!(%error, "a dead peer of this connection is noticed late");
    }
    socket.connect(address).await
}

/// Lets the kernel notice a peer that is gone.
fn watch(socket: &TcpSocket) -> rustix::io::Result<()> {
    let patience = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, PROBE)?;
    sockopt::set_tcp_keepintvl(socket, PROBE)?;
    // It is for probes too, and so stands above their number.
    sockopt::set_tcp_user_timeout(socket, patience)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::net::TcpListener;

    /// Returns a dialer for which every name has these addresses.
    fn knowing(addresses: &[SocketAddr]) -> Dialer {
        let addresses = addresses.to_vec();
        Dialer::new(Arc::new(move |_, _| {
            let addresses = addresses.clone();
            Box::pin(async move { Ok(addresses) })
        }))
    }

    fn name() -> Uri {
        "https://bedrock.test".parse().unwrap()
    }

    /// Binds a port of a loopback address of its own, `127.0.0.n`.
    fn listen(n: u8) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, n], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Returns an address that refuses connections.
    fn refusing() -> SocketAddr {
        listen(2).1
    }

    /// Returns an address that leaves connections unanswered, as long as what comes with it is kept.
    async fn silent() -> (SocketAddr, Vec<TcpStream>, tokio::net::TcpListener) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 4], 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            queue.push(stream.unwrap());
        }
        (address, queue, listener)
    }

    #[tokio::test]
    async fn connections_spread_over_all_addresses() {
        let listeners = [listen(2), listen(3), listen(4)];
        let addresses: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
        let dialer = knowing(&addresses);
        let mut counts: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        for _ in 0..90 {
            let stream = dialer.dial(&name()).await.unwrap();
            *counts.entry(stream.peer_addr().unwrap()).or_default() += 1;
        }
        assert!(counts.len() == 3 && counts.values().all(|count| *count > 5), "{counts:?}");
    }

    #[tokio::test]
    async fn addresses_that_do_not_connect_are_passed_over() {
        let (_listener, good) = listen(3);
        let (silent, _queue, _socket) = silent().await;
        for bad in [vec![refusing()], vec![silent], vec![refusing(), silent, refusing()]] {
            let dialer = knowing(&[&bad[..], &[good]].concat());
            for _ in 0..8 {
                let dialled = timeout(Duration::from_secs(3), dialer.dial(&name())).await.unwrap();
                assert_eq!(dialled.unwrap().peer_addr().unwrap(), good);
            }
        }
    }

    #[tokio::test]
    async fn what_keeps_a_connection_from_coming_about_is_told_apart() {
        let refused = knowing(&[refusing(), refusing()]).dial(&name()).await.unwrap_err();
        assert!(
            matches!(&refused, DialError::Unconnected(error) if error.kind() == io::ErrorKind::ConnectionRefused)
        );
        let nowhere = knowing(&[]).dial(&name()).await.unwrap_err();
        assert!(matches!(nowhere, DialError::Unresolved(_)), "{nowhere:?}");
        let unknown = Dialer::default().dial(&"http://none.invalid".parse().unwrap()).await.unwrap_err();
        assert!(matches!(unknown, DialError::Unresolved(_)), "{unknown:?}");
    }

    #[tokio::test]
    async fn an_address_is_its_own_name() {
        let (listener, address) = listen(1);
        let stream = Dialer::default().dial(&format!("http://{address}").parse().unwrap()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let uri = format!("https://{}", listener.local_addr().unwrap());
        assert!(Dialer::default().dial(&uri.parse().unwrap()).await.is_ok());
    }

    #[tokio::test]
    async fn the_kernel_watches_the_peer() {
        let (_listener, address) = listen(1);
        let stream = knowing(&[address]).dial(&name()).await.unwrap();
        assert!(stream.nodelay().unwrap() && sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), PROBE);
        assert_eq!(sockopt::tcp_keepintvl(&stream).unwrap(), PROBE);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 60_000);
    }

    #[test]
    fn families_take_turns() {
        let four = ["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1"].map(|text| text.parse().unwrap());
        let six = ["[1::1]:1", "[1::2]:1"].map(|text| text.parse().unwrap());
        let known = vec![six[0], four[0], four[1], four[2], six[1]];
        assert_eq!(in_turn(known.clone(), 0), [six[0], four[0], six[1], four[1], four[2]]);
        assert_eq!(in_turn(known, 4), [six[0], four[1], six[1], four[2], four[0]]);
        let known = vec![four[0], six[0], four[1], six[1]];
        assert_eq!(in_turn(known, 3), [four[1], six[1], four[0], six[0]]);
        assert_eq!(in_turn(Vec::new(), 7), []);
    }
}
