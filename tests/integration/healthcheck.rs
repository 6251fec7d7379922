//! `tollgate healthcheck`, as a container runtime calls it.

use crate::gateway::TestGateway;
use crate::program::{Ran, Workplace};
use std::net::TcpListener;

fn is_ill(ran: &Ran, error: &str) {
    assert!(ran.status == 1 && ran.out.is_empty(), "{ran:?}");
    let (first, hint) = ran.err.trim_end().rsplit_once('\n').unwrap();
    assert!(first.starts_with("error: ") && first.contains(error) && hint.starts_with("hint: "), "{ran:?}");
}

#[test]
fn a_gateway_that_serves_is_well() {
    let place = Workplace::with("listen = { data = '0.0.0.0:0', admin = '127.0.0.1:0' }", "");
    let gateway = place.start(&["serve"], &[]);
    // As it is found by whoever only knows the config.
    let data = gateway.serving();
    let ran = place.run(&["healthcheck"], &[("TOLLGATE__LISTEN__DATA", &data)]);
    let found = format!("http://{}/healthz", data.replace("0.0.0.0", "127.0.0.1"));
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, &*format!("{found} answers\n"), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_may_name_another_place() {
    let (gateway, place) = (TestGateway::start().await, Workplace::new());
    let ask = |url: String| place.run(&["healthcheck", "--url", &url], &[]);
    let (data, admin) = (format!("http://{}", gateway.server.data()), gateway.server.admin());
    assert_eq!(ask(data.clone()).out, format!("{data}/healthz answers\n"));
    assert_eq!(ask(format!("{data}/")).out, format!("{data}/healthz answers\n"));
    assert_eq!(ask(format!("http://{admin}/readyz")).out, format!("http://{admin}/readyz answers\n"));
    is_ill(&ask(format!("{data}/nothing")), "it answers 404 Not Found");
    gateway.stop().await;
}

#[test]
fn whoever_does_not_answer_is_ill() {
    let place = Workplace::with("", "");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let env = [("TOLLGATE__LISTEN__DATA", address.as_str())];
    is_ill(&place.run(&["healthcheck"], &env), "no answer within 2s");
    drop(silent);
    is_ill(
        &place.run(&["healthcheck"], &env),
        &format!("http://{address}/healthz is not well: Connection refused"),
    );
}

#[test]
fn what_cannot_be_asked_is_ill() {
    let place = Workplace::with("", "");
    is_ill(&place.run(&["healthcheck"], &[("TOLLGATE__LISTEN__DATA", "127.0.0.1:0")]), "any free port");
    is_ill(&place.run(&["healthcheck"], &[("TOLLGATE__LISTEN__DATA", "x")]), "does not tell where to ask");
    for url in ["/x", "127.0.0.1:8080", "https://127.0.0.1:1"] {
        is_ill(&place.run(&["healthcheck", "--url", url], &[]), "--url cannot be asked");
    }
    is_ill(&Workplace::new().run(&["healthcheck"], &[]), "no such config file");
}
