//! Proxies and CA bundles as the built program takes them from its environment and its config file.

use crate::gateway::TestGateway;
use crate::program::{Ran, Workplace};
use crate::proxy::{Manner, Proxy};
use crate::tls_front::{AtTheEnd, Ca, TlsFront};
use crate::upstream::Upstream;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::DEFAULT_VERSIONS;
use tokio_util::task::TaskTracker;

const SERVICES: &str = "[services.a.profiles]
'amazon.nova-lite-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p1'
";

const ANY_PORTS: [(&str, &str); 2] =
    [("TOLLGATE__LISTEN__DATA", "127.0.0.1:0"), ("TOLLGATE__LISTEN__ADMIN", "127.0.0.1:0")];

/// Asserts that `check` and `serve` refuse the settings of a place with one problem, and say what to do.
fn refused(place: &Workplace, env: &[(&str, &str)], problem: &str) {
    let checked: Ran = place.run(&["check"], env);
    assert!(checked.status == 2 && checked.out.starts_with(problem), "{checked:?}");
    let served = place.run(&["serve"], env);
    assert!(served.status == 2 && served.err.starts_with(&format!("error: {problem}")), "{served:?}");
    assert!(served.err.contains("\nhint: mend what is named"), "{served:?}");
    assert!(!format!("{checked:?}{served:?}").contains("secret"), "{served:?}");
}

#[test]
fn a_malformed_proxy_is_refused() {
    let place = Workplace::with("", SERVICES);
    for (variable, value, problem) in [
        (
            "HTTPS_PROXY",
            "http://user:secret@:1",
            "HTTPS_PROXY: is no URL of a proxy: use http://, a host and",
        ),
        ("https_proxy", "http://user:secret#1@proxy:1", "https_proxy: is no URL of a proxy"),
        ("ALL_PROXY", "socks5://secret@proxy:1", "ALL_PROXY: the gateway knows no socks5 proxies"),
        ("http_proxy", "https://proxy:1", "http_proxy: the gateway knows no https proxies"),
    ] {
        refused(&place, &[(variable, value)], problem);
    }
    // Whoever edits the services goes nowhere.
    let listed = place.run(&["services", "list"], &[("ALL_PROXY", "socks5://proxy:1")]);
    assert_eq!(listed.status, 0, "{listed:?}");
}

#[test]
fn a_bad_ca_bundle_is_refused() {
    let place = Workplace::with("[upstream]\nca_bundle = 'ca.pem'\n", SERVICES);
    let file = place.path("config/ca.pem");
    let key = "config/tollgate.toml:2: upstream.ca_bundle: ";
    refused(&place, &[], &format!("{key}cannot read config/ca.pem (No such file or directory"));
    for (bytes, problem) in [
        ("", "config/ca.pem holds no certificate: use PEM"),
        ("\u{1}binary", "config/ca.pem holds no certificate: use PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "config/ca.pem is no valid PEM"),
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "config/ca.pem is no valid PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 1 of config/ca.pem is none",
        ),
    ] {
        std::fs::write(&file, bytes).unwrap();
        refused(&place, &[], &format!("{key}{problem}"));
    }
    std::fs::copy(Ca::new().bundle(), &file).unwrap();
    let env = [("AWS_CA_BUNDLE", "/none.pem")];
    assert_eq!(place.run(&["check"], &env).status, 0, "the key wins over the variable");
    let place = Workplace::with("", SERVICES);
    refused(&place, &env, "AWS_CA_BUNDLE: cannot read /none.pem (No such file");
    let env = [("TOLLGATE__UPSTREAM__CA_BUNDLE", "none.pem")];
    refused(&place, &env, "TOLLGATE__UPSTREAM__CA_BUNDLE: upstream.ca_bundle: cannot read config/none.pem");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_bundle_takes_a_restart() {
    let place = Workplace::with("", SERVICES);
    let gateway = place.start(&["serve"], &ANY_PORTS);
    gateway.serving();
    std::fs::copy(Ca::new().bundle(), place.path("config/ca.pem")).unwrap();
    std::fs::write(place.path("config/tollgate.toml"), "upstream.ca_bundle = 'ca.pem'").unwrap();
    let warning = gateway.logged("a change of this key takes a restart");
    assert_eq!(warning["key"], "upstream.ca_bundle");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_is_called_without_a_proxy() {
    let (gateway, proxy) = (TestGateway::start().await, Proxy::start(Manner::Says("")).await);
    let (url, env) = (gateway.url(""), proxy.url(""));
    let call = ["call", "--service", "a", "--url", &url, "hello"];
    let ran = Workplace::new().run(&call, &[("ALL_PROXY", &env)]);
    assert!(ran.status == 0 && proxy.asked().is_empty(), "{ran:?}");
    gateway.stop().await;
}

/// A server that gives credentials to whoever asks.
async fn credentials_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    TaskTracker::new().spawn(async move {
        let body =
            r#"{"AccessKeyId":"a","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_sdk_leaves_as_the_gateway_does() {
    let (ca, upstream, proxy) = (Ca::new(), Upstream::start(), Proxy::start(Manner::Opens).await);
    let behind = upstream.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    upstream.script("call", vec![crate::upstream::Step::Send(answer.into())]);
    let bedrock = ca.front(behind, AtTheEnd::Closed).await;
    let mut config = ca.server("localhost", 2100, DEFAULT_VERSIONS);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let credentials = TlsFront::start(config, credentials_server().await, AtTheEnd::Closed).await;
    let url = proxy.url("user:secret@");
    let (endpoint, source, bundle) =
        (bedrock.endpoint(), format!("{}/credentials", credentials.endpoint()), ca.bundle());
    let env = [
        ("TOLLGATE__UPSTREAM__ENDPOINT", endpoint.as_str()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &source),
        ("AWS_CA_BUNDLE", bundle.to_str().unwrap()),
        ("HTTPS_PROXY", &url),
        ("NO_PROXY", "a.test"),
    ];
    let place = Workplace::with("", SERVICES);
    let gateway = place.start(&["serve"], &[ANY_PORTS.as_slice(), &env].concat());
    let told = gateway.logged("connections go through a proxy");
    assert_eq!(
        [&told["scheme"], &told["proxy"], &told["variable"], &told["no_proxy"]],
        ["https", &proxy.url(""), "HTTPS_PROXY", "a.test"]
    );
    let address = gateway.serving().parse().unwrap();
    let heard = crate::tls::ask("call").send(address).await;
    assert_eq!(heard.status, 200, "{heard:?}");
    for front in [&bedrock, &credentials] {
        let asked = format!("CONNECT localhost:{} ", front.port());
        assert!(proxy.asked().iter().any(|head| head.starts_with(&asked)), "{:?}", proxy.asked());
    }
    assert_eq!(gateway.end_and_count("connections go through a proxy"), 0, "said more than once");
    upstream.stop().await;
}

/// What the manual says of `NO_PROXY` and roles: the AWS SDK asks for them through the proxy, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_asked_for_through_the_proxy_of_http() {
    let proxy = Proxy::start(Manner::Says("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")).await;
    let url = proxy.url("");
    let role = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/role");
    let (place, env) = (Workplace::with("", SERVICES), [role, ("HTTP_PROXY", &url)]);
    let gateway = place.start(&["serve"], &[ANY_PORTS.as_slice(), &env].concat());
    gateway.logged("no AWS credentials");
    assert!(proxy.asked()[0].starts_with("GET http://127.0.0.1:1/role HTTP/1.1\r\n"), "{:?}", proxy.asked());
    drop(gateway);
    let asked = proxy.asked().len();
    let env = [role, ("HTTP_PROXY", &url), ("NO_PROXY", "127.0.0.1")];
    let gateway = place.start(&["serve"], &[ANY_PORTS.as_slice(), &env].concat());
    gateway.logged("no AWS credentials");
    assert_eq!(proxy.asked().len(), asked);
}
