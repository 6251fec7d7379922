//! `tollgate certs`, and commands that speak TLS with a gateway.

use crate::gateway::NOVA;
use crate::program::{Running, Workplace};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use tollgate::simulator::{Settings, SimulatedProfile, Simulator};

const SERVICES: &str = "[services.a.profiles]
'amazon.nova-lite-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p1'
";

fn mode(place: &Workplace, name: &str) -> u32 {
    std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777
}

/// Starts a gateway, which listens on ports of its own, and returns both.
fn start(place: &Workplace, endpoint: &str) -> (Running, String, String) {
    let env = [
        ("TOLLGATE__LISTEN__DATA", "127.0.0.1:0"),
        ("TOLLGATE__LISTEN__ADMIN", "127.0.0.1:0"),
        ("TOLLGATE__UPSTREAM__ENDPOINT", endpoint),
        ("TOLLGATE__LOG__ACCESS", "off"),
        ("AWS_ACCESS_KEY_ID", "AKIASIMULATOR"),
        ("AWS_SECRET_ACCESS_KEY", "no-secret-but-agreed-with-the-simulator"),
    ];
    let gateway = place.start(&["serve"], &env);
    let line = gateway.logged("serving");
    let address = |key: &str| line[key].as_str().unwrap().to_owned();
    let (data, admin) = (address("data"), address("admin"));
    (gateway, data, admin)
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let place = Workplace::new();
    let ran = place.run(&["certs", "self-signed", "--out", "deep/tls"], &[]);
    assert!(ran.status == 0 && ran.err.is_empty(), "{ran:?}");
    for (name, expected) in [("tls.crt", 0o644), ("ca.pem", 0o644), ("tls.key", 0o600)] {
        assert_eq!(mode(&place, &format!("deep/tls/{name}")), expected, "{name}");
    }
    assert!(
        !place.path("deep/tls/ca.key").exists() && ran.out.contains("The CA's key is not kept"),
        "{ran:?}"
    );
    let (before, again) = (place.text("deep/tls/tls.key"), ["certs", "self-signed", "--out", "deep/tls"]);
    let ran = place.run(&again, &[]);
    assert!(
        ran.status == 1 && ran.err.starts_with("error: deep/tls/ca.pem exists already\nhint: "),
        "{ran:?}"
    );
    assert_eq!(before, place.text("deep/tls/tls.key"));
    // A key that all could read is none that stays so.
    std::fs::set_permissions(place.path("deep/tls/tls.key"), PermissionsExt::from_mode(0o666)).unwrap();
    let ran = place.run(&[&again[..], &["--force", "--keep-ca-key"]].concat(), &[]);
    assert!(ran.status == 0 && before != place.text("deep/tls/tls.key"), "{ran:?}");
    assert_eq!((mode(&place, "deep/tls/tls.key"), mode(&place, "deep/tls/ca.key")), (0o600, 0o600));
    assert_eq!(std::fs::read_dir(place.path("deep/tls")).unwrap().count(), 4);
    for bad in [&["--name", "ä"][..], &["--days", "0"], &["--days", "826"]] {
        let ran = place.run(&[&["certs", "self-signed", "--out", "other"][..], bad].concat(), &[]);
        assert!(ran.status != 0 && ran.out.is_empty() && !place.path("other").exists(), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_lines_make_a_gateway_that_commands_reach() {
    let place = Workplace::with("", SERVICES);
    let profile = SimulatedProfile {
        arn: "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p1".to_owned(),
        source_model: NOVA.to_owned(),
        tags: BTreeMap::new(),
    };
    let upstream =
        Simulator::start(Settings { profiles: vec![profile], ..Settings::default() }).await.unwrap();
    let ran = place.run(&["certs", "self-signed", "--days", "365"], &[]);
    let lines = ran.out.lines().skip_while(|line| *line != "[listen.tls]").take(2);
    let config = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(place.path("config/tollgate.toml"), &config).unwrap();
    let ran = place.run(&["check"], &[]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "config is valid: 1 service, 1 profile\n"));
    let (gateway, data, admin) = start(&place, &upstream.endpoint());

    let env = [("TOLLGATE__LISTEN__DATA", data.as_str()), ("TOLLGATE__LISTEN__ADMIN", admin.as_str())];
    let ran = place.run(&["healthcheck"], &env);
    assert_eq!((ran.status, ran.out.as_str()), (0, &*format!("https://{data}/healthz answers\n")), "{ran:?}");

    let url = format!("https://{data}");
    let call = ["call", "--service", "a", "--model", NOVA, "--url", &url, "Hello"];
    let ran = place.run(&[&call[..], &["--ca", "tls/ca.pem"]].concat(), &[]);
    assert!(ran.status == 0 && ran.out.contains("output 30 tokens"), "{ran:?}");
    let ran = place.run(&call, &[]);
    assert!(ran.status == 1 && ran.err.contains("--ca names the CAs"), "{ran:?}");
    let ran = place.run(&[&call[..], &["--ca", "tls/nothing"]].concat(), &[]);
    assert!(ran.status == 1 && ran.err.contains("cannot read tls/nothing"), "{ran:?}");

    // A certificate that the gateway did not take up is told of; the gateway is as well as before.
    std::fs::write(place.path("tls/tls.key"), "").unwrap();
    gateway.logged("config not reloaded");
    let (other, out) = (Workplace::new(), "other");
    assert_eq!(other.run(&["certs", "self-signed", "--out", out], &[]).status, 0);
    std::fs::copy(other.path("other/tls.crt"), place.path("tls/tls.crt")).unwrap();
    let ran = place.run(&["healthcheck"], &env);
    assert!(ran.status == 0 && ran.out.contains("warning: by a certificate that is in none"), "{ran:?}");
    gateway.stop();
    upstream.stop().await;
}

#[test]
fn a_health_check_without_a_certificate_asks_the_admin_plane() {
    let place = Workplace::with("", SERVICES);
    place.run(&["certs", "self-signed"], &[]);
    let tls = "certificates = { '../tls/tls.crt' = '../tls/tls.key' }\n";
    for (more, scheme) in [("", "http"), ("[listen.admin_tls]\n", "https")] {
        let more = if more.is_empty() { String::new() } else { format!("{more}{tls}") };
        let config =
            format!("[listen.tls]\n{tls}client_ca = '../tls/ca.pem'\nclient_auth = 'required'\n{more}");
        std::fs::write(place.path("config/tollgate.toml"), config).unwrap();
        let (gateway, data, admin) = start(&place, "http://127.0.0.1:9");
        let env = [("TOLLGATE__LISTEN__DATA", data.as_str()), ("TOLLGATE__LISTEN__ADMIN", admin.as_str())];
        let ran = place.run(&["healthcheck"], &env);
        assert_eq!(
            (ran.status, ran.out),
            (0, format!("{scheme}://{admin}/healthz answers\n")),
            "{}",
            ran.err
        );
        gateway.stop();
    }
}
