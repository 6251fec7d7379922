//! What is wrong with profiles: those of the services file, and those that discovery finds.

use super::{Account, HEAD, NOVA, OTHER_ACCOUNT, SERVICES, lines, one_problem};
use aws_credential_types::provider::SharedCredentialsProvider;
use std::collections::BTreeMap;
use tollgate::aws::{Access, Aws, NewProfile, Site};
use tollgate::clock::Clock;
use tollgate::config::{Egress, Upstream};
use tollgate::domain::Region;
use tollgate::simulator::demo_credentials;

const KEY: &str = "config/services.toml: services.shop.profiles.\"us.amazon.nova-lite-v1:0\": ";

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_aws_does_not_have() {
    let account = Account::new().await;
    account.activate();
    account.control().remove(&format!("{HEAD}nova"));
    let ran = account.check(&[]);
    let problem = format!("{KEY}{HEAD}nova: there is no such profile in us-west-2 of account 123456789012");
    one_problem(
        &ran,
        &problem,
        "correct the ARN; `aws bedrock list-inference-profiles --type-equals APPLICATION",
    );
    assert_eq!(lines(&ran, "profiles     "), ["0 of the services file's 1 can be called"]);
    let note = &account.json(&[])["problems"][0];
    assert_eq!((&note["kind"], &note["profile"]), (&"gone".into(), &format!("{HEAD}nova").into()));
    assert_eq!(note["key"], "services.shop.profiles.\"us.amazon.nova-lite-v1:0\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_another_region() {
    let account = Account::with("", &SERVICES.replace("us-west-2", "us-east-1")).await;
    account.activate();
    // Only where the right region is looked in as well is it known where the profile is.
    let arn = format!("{HEAD}nova").replace("us-west-2", "us-east-1");
    let problem = format!("{KEY}{arn}: there is no such profile in us-east-1 of account 123456789012");
    one_problem(&account.check(&[]), &problem, "correct the ARN; ");
    assert!(account.check(&[]).out.contains(&format!("account 123456789012; {HEAD}nova is there\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_not_active() {
    let account = Account::new().await;
    account.activate();
    let endpoint = account.simulator.endpoint().parse().unwrap();
    let upstream = Upstream { control_endpoint: Some(endpoint), ..Upstream::default() };
    let provider = SharedCredentialsProvider::new(demo_credentials());
    let access = Access::new(provider, &Egress::default(), Clock::system()).unwrap();
    account.control().delay_readiness(1000);
    let new = NewProfile {
        name: "slow".to_owned(),
        description: None,
        copy_from: format!("arn:aws:bedrock:us-west-2:123456789012:inference-profile/{NOVA}"),
        token: "slow".to_owned(),
        tags: BTreeMap::from([("Service", "shop"), ("team", "blue")].map(|(k, v)| (k.into(), v.into()))),
    };
    let arn = Aws::new(&access, &upstream).create(&Site::own(Region::default()), &new).await.unwrap();
    let services = SERVICES.replace(&format!("{HEAD}nova"), arn.as_str());
    std::fs::write(account.place.path("config/services.toml"), services).unwrap();
    let problem = format!("{KEY}{arn}: its status is CREATING, and calls can be made with ACTIVE ones alone");
    one_problem(&account.check(&[]), &problem, "wait until the profile is ACTIVE, or make a new one\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_differ() {
    let account = Account::new().await;
    account.add(&format!("{HEAD}nova"), NOVA, &[("Service", "deli")]);
    account.activate();
    let ran = account.check(&[]);
    let expected = format!(
        "{KEY}{HEAD}nova: its tags, by which AWS's bill splits, differ: Service is 'deli', not 'shop'; team is not \
         there, and should be 'blue'"
    );
    assert_eq!((ran.status, lines(&ran, "warning: ")), (0, vec![expected.as_str()]));
    let hint = format!(
        "aws bedrock tag-resource --region us-west-2 --resource-arn {HEAD}nova --tags 'key=Service,value=shop' \
         'key=team,value=blue'"
    );
    assert_eq!(lines(&ran, "hint: "), [hint]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_another_source() {
    let account = Account::new().await;
    let tags = [("Service", "shop"), ("team", "blue")];
    let stated = |source| [tags[0], tags[1], ("tollgate:source", source)];
    let nova = format!("{HEAD}nova");
    account.add(&nova, "amazon.nova-lite-v1:0", &tags);
    account.activate();
    let price = "calls get that, at another price perhaps than is counted";
    let inferred = format!("{KEY}{nova}: its models are those of amazon.nova-lite-v1:0, not {NOVA}: {price}");
    let ran = account.check(&[]);
    assert_eq!((ran.status, lines(&ran, "warning: ")), (0, vec![inferred.as_str()]));
    assert_eq!(lines(&ran, "hint: "), ["name each profile under the model that it was copied from"]);
    account.add(&nova, "amazon.nova-lite-v1:0", &stated("amazon.nova-lite-v1:0"));
    let said = format!("{KEY}{nova}: its tag says amazon.nova-lite-v1:0, not {NOVA}: {price}");
    assert_eq!(lines(&account.check(&[]), "warning: "), [said]);
    // A tag that says otherwise than the models does not hold.
    account.add(&nova, NOVA, &stated("amazon.nova-lite-v1:0"));
    let contradicted = format!(
        "{nova}: its tag 'tollgate:source' says amazon.nova-lite-v1:0, but AWS routes it as {NOVA}, which holds: correct \
         the tag, or make a new profile from amazon.nova-lite-v1:0"
    );
    assert_eq!(lines(&account.check(&[]), "warning: "), [contradicted]);
    account.add(&nova, NOVA, &stated(NOVA));
    assert_eq!(account.passed(&[]), super::GOOD);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_another_account_needs_a_role() {
    let services = SERVICES.replace("123456789012", OTHER_ACCOUNT);
    let arn = format!("{HEAD}nova").replace("123456789012", OTHER_ACCOUNT);
    let account = Account::with("", &services).await;
    account.activate();
    let problem = format!(
        "{KEY}{arn}: it is in account {OTHER_ACCOUNT}, the gateway in 123456789012, and upstream.roles has no role there"
    );
    let hint = format!(
        "have a role in account {OTHER_ACCOUNT} that trusts the gateway's, and name it under [upstream.roles]: \
         \"{OTHER_ACCOUNT}\" = \"arn:aws:iam::{OTHER_ACCOUNT}:role/<name>\"\n"
    );
    one_problem(&account.check(&[]), &problem, &hint);

    let role = format!("arn:aws:iam::{OTHER_ACCOUNT}:role/tollgate");
    let account = Account::with(&format!("[upstream.roles]\n{OTHER_ACCOUNT} = '{role}'"), &services).await;
    account.add(&arn, NOVA, &[("Service", "shop"), ("team", "blue")]);
    account.activate();
    let out = account.passed(&[]);
    let session = format!("arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/tollgate/tollgate");
    assert!(out.contains(&format!("\nrole         {role}, as {session}\n")), "{out}");
    assert!(out.contains("\nprofiles     1 of the services file's 1 can be called\n"), "{out}");
    assert!(out.contains(", ce:ListCostAllocationTags, sts:AssumeRole\n"), "{out}");
    assert_eq!(account.json(&[])["roles"][&role]["arn"], session);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_discovery_finds_odd() {
    let account = Account::with("catalog.discover = true", SERVICES).await;
    account.activate();
    account.add(&format!("{HEAD}odd"), NOVA, &[("Service", "No Name")]);
    account.add(&format!("{HEAD}other"), NOVA, &[("Service", "deli")]);
    // Of another region, it is nothing to a gateway that does not look there.
    account.add(&format!("{HEAD}far").replace("us-west-2", "eu-west-1"), NOVA, &[("Service", "No Name")]);
    let ran = account.check(&[]);
    let [warning] = lines(&ran, "warning: ")[..] else { panic!("{ran:?}") };
    let expected = format!("{HEAD}odd: the value of its tag 'Service' names no service, so it serves none: ");
    assert!(ran.status == 0 && warning.starts_with(&expected), "{ran:?}");
    assert_eq!(lines(&ran, "profiles     "), ["1 of the services file's 1 can be called; AWS has 3"]);
    assert_eq!(account.json(&[])["profiles"]["found"], 3);
}
