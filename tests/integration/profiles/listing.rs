//! What there is, whose it is, and what is wrong with it.

use super::{Account, HEAD, SONNET};

fn services() -> String {
    format!(
        "[services.checkout.profiles]\n'{SONNET}' = '{HEAD}p1'\n'us.amazon.nova-lite-v1:0' = '{HEAD}gone'\n
        [services.search.profiles]\n'{SONNET}' = '{HEAD}p3'\n"
    )
}

async fn account(catalog: &str) -> Account {
    let account = Account::with(catalog, &services()).await;
    account.add("p1", SONNET, &[("Service", "checkout"), ("team", "payments"), ("tollgate:source", SONNET)]);
    account.add("p2", "us.amazon.nova-lite-v1:0", &[("Service", "search")]);
    account.add("p3", "amazon.nova-lite-v1:0", &[("Service", "elsewhere")]);
    account.add("p4", SONNET, &[]);
    account.add("p5", SONNET, &[("Service", "checkout"), ("tollgate:source", SONNET)]);
    account.add("p6", SONNET, &[("Service", "Not legal")]);
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn every_profile_is_listed_with_what_is_wrong_with_it() {
    let account = account("discover = true").await;
    let shown = account.done(&["list"]);
    let (table, findings) = shown.split_once("\n\n").unwrap();
    let expected = "\
SERVICE   SOURCE MODEL                                ROUTING    REGION     PROFILE  STATUS  USED  TAGS                                                                                      WRONG
checkout  anthropic.claude-3-5-sonnet-20241022-v2:0   in-region  us-west-2  p1       ACTIVE  file  Service=checkout team=payments tollgate:source=anthropic.claude-3-5-sonnet-20241022-v2:0
checkout  anthropic.claude-3-5-sonnet-20241022-v2:0   in-region  us-west-2  p5       ACTIVE  no    Service=checkout tollgate:source=anthropic.claude-3-5-sonnet-20241022-v2:0                file wins
checkout  us.amazon.nova-lite-v1:0                    geo (us)   us-west-2  gone     GONE    file  -                                                                                         gone
search    anthropic.claude-3-5-sonnet-20241022-v2:0   in-region  us-west-2  p3       ACTIVE  file  Service=elsewhere                                                                         owner differs, source differs
search    us.amazon.nova-lite-v1:0?                   geo (us)   us-west-2  p2       ACTIVE  tag   Service=search
-         anthropic.claude-3-5-sonnet-20241022-v2:0?  in-region  us-west-2  p4       ACTIVE  no                                                                                              untagged
-         anthropic.claude-3-5-sonnet-20241022-v2:0?  in-region  us-west-2  p6       ACTIVE  no    Service=Not legal                                                                         illegal service";
    assert_eq!(table, expected);
    for finding in [
        format!(
            "file wins: {HEAD}p5: it is tagged for service 'checkout' and {SONNET}, for which the services file"
        ),
        format!("gone: {HEAD}gone: the services file has it, but AWS does not: correct the services file\n"),
        format!(
            "owner differs: {HEAD}p3: the services file gives it to service 'search', which holds, but it is"
        ),
        format!(
            "source differs: {HEAD}p3: the services file has it for {SONNET}, which holds, but AWS routes it as"
        ),
        format!(
            "untagged: {HEAD}p4: it has no tag 'Service', so it is nobody's: aws bedrock tag-resource --resource-arn \
             {HEAD}p4 --tags key=Service,value=<service>\n"
        ),
        format!(
            "illegal service: {HEAD}p6: the value of its tag 'Service' names no service, so it serves none: "
        ),
    ] {
        assert!(findings.contains(&finding), "{finding}: {findings}");
    }
    assert!(findings.ends_with("\n\n7 profiles, 6 findings\n"), "{findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_json() {
    let account = account("").await;
    let listed = account.json(&["list", "--format", "json"]);
    let by_id = |id: &str| {
        let arn = format!("{HEAD}{id}");
        listed.as_array().unwrap().iter().find(|one| one["arn"] == arn).unwrap()
    };
    let expected = serde_json::json!({
        "service": "checkout",
        "source_model": SONNET,
        "source_inferred": false,
        "routing": "in-region",
        "region": "us-west-2",
        "account": "123456789012",
        "arn": format!("{HEAD}p1"),
        "name": "simulated p1",
        "status": "ACTIVE",
        "tags": { "Service": "checkout", "team": "payments", "tollgate:source": SONNET },
        "used": "file",
        "wrong": [],
    });
    assert_eq!(by_id("p1"), &expected);
    // Nothing is discovered, so that a tag alone leads to nothing.
    assert_eq!((&by_id("p2")["used"], &by_id("p2")["source_inferred"]), (&"no".into(), &true.into()));
    assert_eq!((&by_id("gone")["status"], by_id("gone").get("name")), (&"GONE".into(), None));
    assert_eq!((&by_id("p4")["wrong"][0]["kind"], by_id("p4").get("service")), (&"untagged".into(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_regions_are_looked_in_if_they_are_named() {
    let account = Account::new("").await;
    assert_eq!(account.done(&["list"]), "no application inference profiles\n");
    let arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/far";
    let profile = tollgate::simulator::SimulatedProfile {
        arn: arn.to_owned(),
        source_model: "eu.amazon.nova-lite-v1:0".to_owned(),
        tags: [("Service".to_owned(), "a".to_owned())].into(),
    };
    account.control().add(profile).unwrap();
    assert_eq!(account.done(&["list"]), "no application inference profiles\n");
    let shown = account.done(&["list", "--region", "eu-west-1"]);
    assert!(shown.contains("eu-west-1  far "), "{shown}");
}
