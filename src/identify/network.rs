//! Where a request comes from, behind proxies that are trusted to say so.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Returns the address that a request comes from: the peer's, or, where that is a trusted proxy, the last one in
/// `x-forwarded-for` that is none. `None` where a trusted proxy
/// names nothing, or something that is no address: a client may have had the header taken out.
pub(super) fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|proxy| proxy.contains(address));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut nearest = None;
    for hop in hops {
        let from = address(hop)?;
        nearest = Some(from);
        if !is_trusted(&from) {
            break;
        }
    }
    nearest
}

/// Reads an address as proxies write it, with or without a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn from(peer: &str, forwarded: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        origin(peer.parse().unwrap(), &headers, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["10.1.1.1"][..], Some("192.0.2.1")),
            ("10.0.0.1", &[], None),
            ("10.0.0.1", &["192.0.2.7"], Some("192.0.2.7")),
            ("10.0.0.1", &["10.9.9.9, 192.0.2.7"], Some("192.0.2.7")),
            ("10.0.0.1", &["192.0.2.7, 10.0.0.2"], Some("192.0.2.7")),
            ("10.0.0.1", &["192.0.2.7", "10.0.0.2,10.0.0.3"], Some("192.0.2.7")),
            ("10.0.0.1", &["10.0.0.4,10.0.0.2"], Some("10.0.0.4")),
            ("fd00::1", &["[2001:db8::7]:443"], Some("2001:db8::7")),
            ("10.0.0.1", &["2001:db8::7"], Some("2001:db8::7")),
            ("10.0.0.1", &["192.0.2.7:5000"], Some("192.0.2.7")),
            ("10.0.0.1", &["::ffff:192.0.2.7"], Some("192.0.2.7")),
            ("10.0.0.1", &["unknown"], None),
            ("10.0.0.1", &["10.0.0.2, _hidden"], None),
            ("10.0.0.1", &[""], None),
        ] {
            assert_eq!(from(peer, forwarded).as_deref(), expected, "{peer} {forwarded:?}");
        }
    }
}
