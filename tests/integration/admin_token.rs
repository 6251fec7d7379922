//! The admin plane's token, and its TLS.

use crate::gateway::{DEADLINE, TestGateway, until};
use crate::pki::{HOLDS, Pki};
use crate::program::Workplace;
use crate::socket::Heard;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "0123456789abcdef";

fn request(path: &str, authorization: &[&str]) -> String {
    let headers = authorization.iter().map(|value| format!("authorization: {value}\r\n"));
    let headers: String = headers.collect();
    format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n{headers}\r\n")
}

async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Heard {
    stream.write_all(request.as_bytes()).await.unwrap();
    Heard::read(stream).await
}

async fn ask(at: SocketAddr, path: &str, authorization: &[&str]) -> Heard {
    speak(TcpStream::connect(at).await.unwrap(), &request(path, authorization)).await
}

/// Starts with a token in a file beside the config file.
async fn start(pki: &Pki, more: &str) -> TestGateway {
    pki.put("token", &format!("{TOKEN}\n"));
    let config = format!("listen.admin_token_file = \"{}\"\n{more}", pki.text("token"));
    TestGateway::start_configured(&config, &[("LISTEN__ADMIN", "0.0.0.0:0")]).await
}

fn admin(gateway: &TestGateway) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], gateway.server.admin().port()))
}

#[tokio::test]
async fn all_but_probes_need_the_token() {
    let pki = Pki::new("a CA");
    let gateway = start(&pki, "").await;
    let at = admin(&gateway);
    let right = format!("Bearer {TOKEN}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(at, path, &[]).await.status, 200, "{path}");
    }
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        "Basic 0123456789abcdef",
        "Bearer 0123456789abcdeF",
        "Bearer 0123456789abcde",
    ] {
        let heard = ask(at, "/metrics", &[wrong]).await;
        assert!(heard.status == 401 && heard.header("www-authenticate") == "Bearer", "{wrong}: {heard:?}");
        assert!(!heard.body.windows(8).any(|part| part == b"tollgate"), "{heard:?}");
    }
    for path in ["/metrics", "/", "/nothing", "/healthz/", "//healthz", "/metrics/../healthz", "/HEALTHZ"] {
        assert_eq!(ask(at, path, &[]).await.status, 401, "{path}");
    }
    for right in [&right, &format!("bearer  {TOKEN}")] {
        let heard = ask(at, "/metrics", &[right]).await;
        assert!(heard.status == 200 && heard.body.starts_with(b"# HELP"), "{heard:?}");
    }
    assert_eq!(ask(at, "/nothing", &[&right]).await.status, 404);
    gateway.stop().await;
}

#[tokio::test]
async fn a_token_is_replaced_without_a_restart_and_never_given_up() {
    let pki = Pki::new("a CA");
    let gateway = start(&pki, "").await;
    let at = admin(&gateway);
    pki.put("token", "another token would have blanks");
    let metrics = &gateway.server.gateway().metrics;
    let line =
        |line: &str| String::from_utf8(metrics.render().unwrap()).unwrap().contains(line).then_some(());
    until(|| line("tollgate_config_reloads_total{result=\"failed\"} 1\n")).await;
    let right = format!("Bearer {TOKEN}");
    assert_eq!(ask(at, "/metrics", &[&right]).await.status, 200);
    pki.put("token", "fedcba9876543210");
    tokio::time::timeout(DEADLINE, async {
        while ask(at, "/metrics", &["Bearer fedcba9876543210"]).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(ask(at, "/metrics", &[&right]).await.status, 401);
    gateway.stop().await;
    // The listener stays where it is bound, so the token stays, too.
    pki.put("token", TOKEN);
    let config = format!("listen.admin_token_file = \"{}\"\n", pki.text("token"));
    let gateway = TestGateway::start_configured(&config, &[]).await;
    std::fs::write(gateway.folder.path().join("tollgate.toml"), "").unwrap();
    let metrics = &gateway.server.gateway().metrics;
    let line =
        |line: &str| String::from_utf8(metrics.render().unwrap()).unwrap().contains(line).then_some(());
    until(|| line("tollgate_config_reloads_total{result=\"ok\"} 1\n")).await;
    assert_eq!(ask(gateway.server.admin(), "/metrics", &[]).await.status, 401);
    gateway.stop().await;
}

#[tokio::test]
async fn the_admin_plane_speaks_tls() {
    let pki = Pki::new("a CA");
    pki.server("a", &["localhost"], &HOLDS);
    let (certificate, key) = (pki.text("a.crt"), pki.text("a.key"));
    let gateway =
        start(&pki, &format!("listen.admin_tls.certificates = {{ \"{certificate}\" = \"{key}\" }}\n")).await;
    let at = admin(&gateway);
    let client = pki.trusting().offering("http/1.1");
    let right = format!("Bearer {TOKEN}");
    let heard = speak(client.connect(at).await.unwrap(), &request("/metrics", &[&right])).await;
    let text = String::from_utf8_lossy(&heard.body);
    assert!(heard.status == 200 && heard.ended_well(), "{heard:?}");
    assert!(
        text.contains("\ntollgate_tls_certificate_not_after_timestamp_seconds{plane=\"admin\"} 1"),
        "{text}"
    );
    assert_eq!(ask(at, "/healthz", &[]).await.status, 400);
    // Slow ones hold up nobody else.
    let mut slow = TcpStream::connect(at).await.unwrap();
    slow.write_all(&[0x16, 3]).await.unwrap();
    assert_eq!(speak(client.connect(at).await.unwrap(), &request("/healthz", &[])).await.status, 200);
    gateway.stop().await;
}

#[test]
fn what_check_says_of_a_token() {
    let place = Workplace::with("[listen]\nadmin = '0.0.0.0:9090'\nadmin_token_file = 'token'", "");
    let check = |token: Option<&str>| {
        if let Some(token) = token {
            std::fs::write(place.path("config/token"), token).unwrap();
        }
        place.run(&["check"], &[])
    };
    let ran = check(None);
    assert!(
        ran.status == 2
            && ran.out.starts_with("config/tollgate.toml:3: listen.admin_token_file: cannot read"),
        "{ran:?}"
    );
    for (bad, expected) in [
        ("0123456789abcde\n", "too short"),
        ("0123456789 abcdef", "without blanks"),
        ("sixteen bytes: ä", "ASCII"),
    ] {
        let ran = check(Some(bad));
        assert!(ran.status == 2 && ran.out.contains(expected) && !ran.out.contains(bad.trim()), "{ran:?}");
    }
    let ran = check(Some("0123456789abcdef"));
    assert!(
        ran.status == 0 && ran.out.contains("listen.admin: the admin plane's token goes over the network"),
        "{ran:?}"
    );
    assert!(ran.out.contains("`chmod o-r config/token`"), "{ran:?}");
}
