//! From what AWS has to a services file.

use super::{Account, HEAD, SONNET};
use std::fs;

const OPTION: [&str; 3] = ["import", "--output", "new.toml"];

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_has_becomes_a_services_file() {
    let account = Account::new("").await;
    let source = ("tollgate:source", SONNET);
    account.add(
        "p1",
        SONNET,
        &[("Service", "checkout"), ("team", "payments"), ("cost center", "42"), source],
    );
    account.add("p2", "us.amazon.nova-lite-v1:0", &[("Service", "checkout"), ("team", "payments")]);
    account.add("p3", SONNET, &[("Service", "search"), source]);
    account.add("p4", SONNET, &[]);
    let shown = account.done(&OPTION);
    assert_eq!(
        shown,
        "wrote new.toml: 2 services, 3 profiles\nleft out 1 profile: `tollgate profiles list` says why\n"
    );
    let expected = format!(
        "# The services, as `tollgate profiles import` found them in us-west-2.

[services.checkout]
tags = {{ team = \"payments\" }}

[services.checkout.profiles]
\"{SONNET}\" = \"{HEAD}p1\"
# Inferred from the models that it routes to: AWS does not say what it was copied from.
\"us.amazon.nova-lite-v1:0\" = \"{HEAD}p2\"

[services.search]

[services.search.profiles]
\"{SONNET}\" = \"{HEAD}p3\"
"
    );
    assert_eq!(account.place.text("new.toml"), expected);
    // It is one that a gateway takes.
    fs::copy(account.place.path("new.toml"), account.place.path("config/services.toml")).unwrap();
    let checked = account.place.run(&["check"], &[]);
    assert_eq!(checked.out, "config is valid: 2 services, 3 profiles\n", "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_exists_is_written_over() {
    let account = Account::new("# mine").await;
    account.add("p1", SONNET, &[("Service", "checkout")]);
    let ran = account.run(&["import"]);
    assert_eq!(
        ran.err,
        "error: config/services.toml exists already\nhint: name another with --output, and copy from that what is \
         wanted\n"
    );
    assert!(ran.status == 1 && account.services() == "# mine", "{ran:?}");
    assert!(account.control().calls().is_empty());
    fs::remove_file(account.place.path("config/services.toml")).unwrap();
    assert_eq!(account.done(&["import"]), "wrote config/services.toml: 1 service, 1 profile\n");
    let ran = account.run(&["import", "--output", "no/such/folder.toml"]);
    assert!(ran.err.starts_with("error: cannot write no/such/folder.toml: No such file"), "{ran:?}");
    assert!(ran.status == 1 && ran.err.ends_with("to with --output\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_tagged_nothing_is_written() {
    let account = Account::new("").await;
    account.add("p1", SONNET, &[("service", "checkout")]);
    let ran = account.run(&OPTION);
    assert_eq!(
        ran.err,
        "error: no profile in us-west-2 is tagged for a service (tag 'Service'), so nothing is written\nhint: \
         `tollgate profiles list` shows what there is; name other regions with --region, or another tag with \
         catalog.service_tag\n"
    );
    assert!(ran.status == 1 && !account.place.path("new.toml").exists(), "{ran:?}");
}
