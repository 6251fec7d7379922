//! Whatever keeps the gateway from starting says what to do about it, in the last line.

use crate::program::{Ran, Workplace};
use std::net::TcpListener;

const ANY_PORTS: [(&str, &str); 2] =
    [("TOLLGATE__LISTEN__DATA", "127.0.0.1:0"), ("TOLLGATE__LISTEN__ADMIN", "127.0.0.1:0")];

/// Asserts that a start fails with a status, an error and a hint, the hint last.
fn fails(ran: &Ran, status: i32, error: &str, hint: &str) {
    let lines: Vec<&str> = ran.err.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(lines[0].starts_with("error: ") && lines[0].contains(error), "{ran:?}");
    assert!(lines[1].starts_with("hint: ") && lines[1].contains(hint), "{ran:?}");
    assert!(lines.len() == 2 && ran.status == status, "{ran:?}");
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Workplace::with("", "");
    for (key, variable) in
        [("listen.data", "TOLLGATE__LISTEN__DATA"), ("listen.admin", "TOLLGATE__LISTEN__ADMIN")]
    {
        let mut env = ANY_PORTS.to_vec();
        env.push((variable, &address));
        let error = format!("cannot listen on {address} ({key}): Address already in use");
        fails(
            &place.run(&["serve"], &env),
            1,
            &error,
            &format!("set {key} to another port, as in {variable}="),
        );
    }
    let error = format!("cannot listen on {address} (--data)");
    fails(
        &place.run(&["demo", "--data", &address], &[]),
        1,
        &error,
        "`--data 127.0.0.1:0` takes any free port",
    );
    let demo = ["demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--simulator", &address];
    fails(&place.run(&demo, &[]), 1, "(--simulator)", "choose another with --simulator");
}

#[test]
fn an_address_that_the_machine_does_not_have() {
    let place = Workplace::with("listen.data = '192.0.2.1:8080'\nlisten.admin = '127.0.0.1:0'", "");
    fails(&place.run(&["serve"], &[]), 1, "192.0.2.1:8080 (listen.data)", "this machine has no such address");
}

#[test]
fn an_admin_plane_for_all() {
    let place = Workplace::with("listen.admin = '0.0.0.0:9090'", "");
    let ran = place.run(&["serve"], &[]);
    fails(&ran, 2, "config/tollgate.toml:1: listen.admin: the admin plane has no access", "`tollgate check`");
    assert!(ran.err.contains("as in 127.0.0.1:9090"), "{ran:?}");
}

#[test]
fn no_config_file() {
    let place = Workplace::new();
    for arguments in [["serve"].as_slice(), &["services", "list"], &["keys", "list"]] {
        let ran = place.run(arguments, &[]);
        fails(&ran, 2, "config/tollgate.toml: no such config file", "`tollgate init` writes one");
    }
    let ran = place.run(&["check"], &[]);
    assert_eq!(ran.out, "config/tollgate.toml: no such config file\n");
    fails(&ran, 2, "config is invalid: 1 problem", "`tollgate init` writes one");
}

#[test]
fn no_services_file() {
    let place = Workplace::with("", "");
    std::fs::remove_file(place.path("config/services.toml")).unwrap();
    fails(
        &place.run(&["serve"], &[]),
        2,
        "config/services.toml: no such services file",
        "an empty file will do",
    );
}

#[test]
fn files_that_are_not_text_or_not_toml() {
    let place = Workplace::with("listen = [", "");
    let error = "config/tollgate.toml:1: not TOML: ";
    fails(&place.run(&["serve"], &[]), 2, error, "mend what is named");
    std::fs::write(place.path("config/tollgate.toml"), "catalog.services = '.'").unwrap();
    fails(&place.run(&["serve"], &[]), 2, "cannot read the services file", "not its folder");
    std::fs::write(place.path("config/tollgate.toml"), b"\xff").unwrap();
    fails(&place.run(&["serve"], &[]), 2, "cannot read the config file", "save it as UTF-8");
}

#[test]
fn an_unknown_key() {
    let place = Workplace::with("[upstream]\nregoin = 'eu-west-1'\n", "");
    let error = "config/tollgate.toml:2: upstream.regoin: unknown key; did you mean 'region'?";
    fails(&place.run(&["serve"], &[]), 2, error, "mend what is named");
}

#[test]
fn a_call_that_gets_no_answer() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Workplace::new();
    let call = |url: &str| place.run(&["call", "--service", "a", "--url", url, "hi"], &[]);
    let url = format!("http://{free}");
    let error = format!("no answer from {url}: Connection refused (os error 111)");
    let ran = call(&url);
    fails(&ran, 1, &error, "name another with --url");
    assert!(ran.err.starts_with(&format!("error: {error}\n")), "{ran:?}");
    for url in ["localhost:8080", "127.0.0.1:8080", "/x", "ftp://a"] {
        let ran = call(url);
        assert!(ran.status == 2 && ran.err.contains("write it with http:// or https://"), "{ran:?}");
    }
}

#[test]
fn an_access_log_that_cannot_be_written() {
    let place = Workplace::with("log.access = 'none/access.jsonl'", "");
    let error = "cannot open the access log config/none/access.jsonl";
    fails(&place.run(&["serve"], &ANY_PORTS), 1, error, "set log.access to a file");
}

#[test]
fn no_ca_certificates() {
    let place = Workplace::with("", "");
    let mut env = ANY_PORTS.to_vec();
    env.push(("SSL_CERT_FILE", "/none.pem"));
    fails(&place.run(&["serve"], &env), 1, "cannot set up TLS towards Bedrock", "package ca-certificates");
}

#[test]
fn no_credentials_are_told_while_it_serves() {
    let place = Workplace::with("", "");
    let gateway = place.start(&["serve"], &ANY_PORTS);
    let warning = gateway.logged("config");
    assert!(warning["hint"].as_str().unwrap().starts_with("`tollgate services add "), "{warning}");
    gateway.serving();
    let error = gateway.logged("no AWS credentials: calls fail until there are some");
    assert!(error["hint"].as_str().unwrap().contains("set AWS_ACCESS_KEY_ID"), "{error}");
}
