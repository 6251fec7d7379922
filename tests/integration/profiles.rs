//! `tollgate profiles` as its own process, in front of the simulated control plane.

mod faults;
mod importing;
mod listing;

use crate::program::{Ran, Workplace};
use serde_json::Value;
use std::collections::BTreeMap;
use tollgate::simulator::{Action, ControlPlane, Settings, SimulatedProfile, Simulator, Trouble};

const SONNET: &str = "anthropic.claude-3-5-sonnet-20241022-v2:0";
const HEAD: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/";

const TWO: &str = "# Who pays.
[services.service-1]
tags = { team = 'payments' } # theirs
models = ['anthropic.claude-3-5-sonnet-20241022-v2:0']

[services.service-2]
models = ['anthropic.claude-3-5-sonnet-20241022-v2:0', 'us.amazon.nova-lite-v1:0']
";

const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIASIMULATOR"),
    ("AWS_SECRET_ACCESS_KEY", "no-secret-but-agreed-with-the-simulator"),
];

/// An AWS account, and a folder of a platform engineer.
struct Account {
    simulator: Simulator,
    place: Workplace,
}

impl Account {
    async fn new(services: &str) -> Self {
        Self::with("", services).await
    }

    /// Starts one, with settings under `[catalog]`.
    async fn with(catalog: &str, services: &str) -> Self {
        let simulator = Simulator::start(Settings::default()).await.unwrap();
        let endpoint = simulator.endpoint();
        let config = format!("upstream.control_endpoint = '{endpoint}'\n[catalog]\n{catalog}\n");
        Self { simulator, place: Workplace::with(&config, services) }
    }

    fn control(&self) -> ControlPlane {
        self.simulator.control()
    }

    fn services(&self) -> String {
        self.place.text("config/services.toml")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &CREDENTIALS)
    }

    fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
        // The simulator goes on meanwhile, on another thread.
        tokio::task::block_in_place(|| self.place.run(&[&["profiles"], arguments].concat(), env))
    }

    /// Runs a command that does what it should, and returns its output.
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert!(ran.status == 0 && ran.err.is_empty(), "{ran:?}");
        ran.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }

    fn add(&self, id: &str, source: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let profile = SimulatedProfile { arn: format!("{HEAD}{id}"), source_model: source.to_owned(), tags };
        self.control().add(profile).unwrap();
    }

    /// Returns the tags of every profile, by service and source as these say.
    fn tags(&self) -> BTreeMap<(String, String), BTreeMap<String, String>> {
        let key =
            |tags: &BTreeMap<String, String>| (tags["Service"].clone(), tags["tollgate:source"].clone());
        self.control().profiles().into_iter().map(|profile| (key(&profile.tags), profile.tags)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_would_change_and_changes_nothing() {
    let account = Account::new(TWO).await;
    let shown = account.done(&["plan"]);
    let expected = "\
+ service-1  anthropic.claude-3-5-sonnet-20241022-v2:0  us-west-2  create 'service-1 anthropic-claude-3-5-sonnet-20241022-v2-0 7236877aac6a'
    from arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0
    + Service = service-1
    + team = payments
    + tollgate:source = anthropic.claude-3-5-sonnet-20241022-v2:0

+ service-2  anthropic.claude-3-5-sonnet-20241022-v2:0  us-west-2  create 'service-2 anthropic-claude-3-5-sonnet-20241022-v2-0 439d4ab89081'
    from arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0
    + Service = service-2
    + tollgate:source = anthropic.claude-3-5-sonnet-20241022-v2:0

+ service-2  us.amazon.nova-lite-v1:0  us-west-2  create 'service-2 us-amazon-nova-lite-v1-0 34b6b753e71d'
    from arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.amazon.nova-lite-v1:0
    + Service = service-2
    + tollgate:source = us.amazon.nova-lite-v1:0

3 to create, 0 to tag, 0 to replace, 0 to delete; 0 profiles in place
";
    assert_eq!(shown, expected);
    let plan = account.json(&["plan", "--format", "json"]);
    let first = &plan["changes"][0];
    assert_eq!((&first["change"], &first["service"]), (&"create".into(), &"service-1".into()));
    assert_eq!((&first["region"], &first["account"]), (&"us-west-2".into(), &"123456789012".into()));
    assert_eq!(first["tags"]["tollgate:source"], SONNET);
    assert_eq!(plan["changes"].as_array().unwrap().len(), 3);
    assert!(account.control().profiles().is_empty());
    let called = account.control().calls();
    let called: Vec<&str> = called.into_keys().collect();
    assert_eq!(called, ["ListInferenceProfiles"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_get_their_profiles_and_a_second_time_nothing_is_done() {
    let account = Account::new(TWO).await;
    let shown = account.done(&["apply", "--yes"]);
    assert_eq!(
        shown.lines().filter(|line| line.starts_with(&format!("created {HEAD}"))).count(),
        3,
        "{shown}"
    );
    assert!(shown.ends_with("done: 3 steps\n"), "{shown}");
    let tags = account.tags();
    assert_eq!(tags.len(), 3);
    let first = &tags[&("service-1".to_owned(), SONNET.to_owned())];
    let expected = [("Service", "service-1"), ("team", "payments"), ("tollgate:source", SONNET)];
    assert!(first.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected), "{first:?}");
    assert_eq!(account.services(), TWO);
    for command in [&["plan"][..], &["apply", "--yes"]] {
        assert_eq!(account.done(command), "nothing to do: 3 profiles as asked for\n");
    }
    assert_eq!(account.control().calls_of(Action::CreateInferenceProfile), 3);
    assert_eq!(account.control().calls_of(Action::TagResource), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn write_puts_the_arns_into_the_services_file() {
    let account = Account::new(TWO).await;
    let shown = account.done(&["apply", "--yes", "--write"]);
    assert!(shown.contains("wrote 3 profiles into config/services.toml\n"), "{shown}");
    let arn = |service: &str, source: &str| {
        let all = account.control().profiles();
        let is_it =
            |tags: &BTreeMap<String, String>| tags["Service"] == service && tags["tollgate:source"] == source;
        all.into_iter().find(|profile| is_it(&profile.tags)).unwrap().arn
    };
    let expected = format!(
        "# Who pays.
[services.service-1]
tags = {{ team = 'payments' }} # theirs
models = ['anthropic.claude-3-5-sonnet-20241022-v2:0']

[services.service-1.profiles]
\"anthropic.claude-3-5-sonnet-20241022-v2:0\" = \"{}\"

[services.service-2]
models = ['anthropic.claude-3-5-sonnet-20241022-v2:0', 'us.amazon.nova-lite-v1:0']

[services.service-2.profiles]
\"anthropic.claude-3-5-sonnet-20241022-v2:0\" = \"{}\"
\"us.amazon.nova-lite-v1:0\" = \"{}\"
",
        arn("service-1", SONNET),
        arn("service-2", SONNET),
        arn("service-2", "us.amazon.nova-lite-v1:0")
    );
    assert_eq!(account.services(), expected);
    std::fs::write(account.place.path("config/services.toml"), TWO).unwrap();
    let shown = account.done(&["apply", "--yes", "--write"]);
    let said = "nothing to do: 3 profiles as asked for
3 profiles in place to be written into config/services.toml
wrote 3 profiles into config/services.toml
";
    assert_eq!((shown.as_str(), account.services()), (said, expected.clone()));
    // What the file names is looked at as well, and holds.
    assert_eq!(account.done(&["apply", "--yes", "--write"]), "nothing to do: 3 profiles as asked for\n");
    // One that is gone is made anew, and takes its place in the file.
    let gone = arn("service-1", SONNET);
    assert!(account.control().remove(&gone));
    let shown = account.done(&["apply", "--yes", "--write"]);
    assert!(
        shown.contains(&format!("note: {gone}: the services file has it for service 'service-1'")),
        "{shown}"
    );
    let made = arn("service-1", SONNET);
    assert_ne!(gone, made);
    assert_eq!(account.services(), expected.replace(&gone, &made));
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_what_was_done_as_json() {
    let account = Account::new(TWO).await;
    let applied = account.json(&["apply", "--yes", "--write", "--format", "json"]);
    let done = applied["done"].as_array().unwrap();
    assert_eq!(done.len(), 3);
    assert_eq!((&done[0]["step"], &done[0]["service"]), (&"create".into(), &"service-1".into()));
    assert!(done[0]["arn"].as_str().unwrap().starts_with(HEAD));
    assert_eq!((&applied["failed"], &applied["not_tried"]), (&serde_json::json!([]), &0.into()));
    let written = serde_json::json!({ "file": "config/services.toml", "profiles": 3 });
    assert_eq!(applied["written"], written);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_where_there_is_no_terminal() {
    let account = Account::new(TWO).await;
    for (arguments, why) in [
        (&["apply"][..], "there is no terminal to ask at"),
        (&["apply", "--format", "json"], "with --format json nothing is asked"),
    ] {
        let ran = account.run(arguments);
        let said = format!(
            "error: {why}, and --yes is missing\nhint: look at `tollgate profiles plan`, and then apply it with --yes\n"
        );
        assert!(ran.status == 2 && ran.out.is_empty() && ran.err == said, "{ran:?}");
    }
    assert!(account.control().calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_brought_in_line_and_others_left_alone() {
    let account = Account::new(TWO).await;
    account.add("p1", SONNET, &[("Service", "service-1"), ("team", "none"), ("own", "x")]);
    let shown = account.done(&["plan"]);
    let expected = format!(
        "~ service-1  {SONNET}  us-west-2  tag {HEAD}p1
    ~ team = payments (was none)
    + tollgate:source = {SONNET}
"
    );
    assert!(shown.starts_with(&expected), "{shown}");
    let shown = account.done(&["apply", "--yes"]);
    assert!(shown.contains(&format!("tagged {HEAD}p1 for service-1, {SONNET}\n")), "{shown}");
    let tags = &account.tags()[&("service-1".to_owned(), SONNET.to_owned())];
    assert_eq!((tags["team"].as_str(), tags["own"].as_str()), ("payments", "x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_routes_elsewhere_is_replaced_and_what_is_unused_deleted_if_told_so() {
    let services = "[services.a]\nmodels = ['us.amazon.nova-lite-v1:0']";
    let account = Account::new(services).await;
    account.add("lying", SONNET, &[("Service", "a"), ("tollgate:source", "us.amazon.nova-lite-v1:0")]);
    account.add("unasked", SONNET, &[("Service", "a"), ("tollgate:source", SONNET)]);
    let shown = account.done(&["plan"]);
    assert!(shown.contains(&format!("    - {HEAD}lying, which is of {SONNET}\n")), "{shown}");
    let unused = format!("unused: {HEAD}unasked (a, {SONNET}): --delete-unused deletes it\n");
    assert!(shown.contains(&unused), "{shown}");
    let shown = account.done(&["apply", "--yes"]);
    let (created, deleted) = (shown.find("\ncreated ").unwrap(), shown.find("\ndeleted ").unwrap());
    assert!(created < deleted, "{shown}");
    let left: Vec<String> = account.control().profiles().into_iter().map(|profile| profile.arn).collect();
    assert!(left.len() == 2 && left.contains(&format!("{HEAD}unasked")), "{left:?}");
    let shown = account.done(&["apply", "--yes", "--delete-unused"]);
    assert!(shown.contains(&format!("- a  {SONNET}  us-west-2  delete {HEAD}unasked\n")), "{shown}");
    assert_eq!(account.control().profiles().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_late_or_lost_its_tags_ends_as_it_should() {
    let account = Account::new(TWO).await;
    account.control().delay_readiness(3);
    account.control().begin(Trouble::TagsLostAtCreation);
    account.done(&["apply", "--yes"]);
    account.control().heal();
    assert_eq!(account.tags().len(), 3);
    assert_eq!(account.done(&["plan"]), "nothing to do: 3 profiles as asked for\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_are_named_and_what_they_lack_is_said() {
    let account = Account::new("[services.a]\nmodels = ['us.amazon.nova-lite-v1:0']").await;
    let ran = account.run(&["plan", "--region", "eu-west-1"]);
    let expected =
        "problem: service 'a': eu-west-1 has no system-defined profile us.amazon.nova-lite-v1:0, but \
                    eu.amazon.nova-lite-v1:0; correct `models`, or plan for a region that has it with --region

nothing that can be done: 0 profiles as asked for
";
    assert_eq!(ran.out, expected);
    assert_eq!(
        ran.err,
        "error: not all that is asked for can be had: 1 problem (unavailable)\nhint: each problem above says what to \
         do about it; then plan again\n"
    );
    assert_eq!(ran.status, 1);
    let both = [
        "plan",
        "--region",
        "us-east-1",
        "--region",
        "us-west-2",
        "--region",
        "us-east-1",
        "--format",
        "json",
    ];
    let plan = account.json(&both);
    let regions: Vec<&Value> =
        plan["changes"].as_array().unwrap().iter().map(|change| &change["region"]).collect();
    assert_eq!(regions, ["us-east-1", "us-west-2"]);
    let nothing = Account::new("[services.a]").await;
    let said = "nothing is asked for: name the models of a service with `models` in the services file\n";
    assert_eq!(nothing.done(&["plan"]), said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_given_to_another_service_is_not_taken_back() {
    let account = Account::new("[services.a]\nmodels = ['us.amazon.nova-lite-v1:0']").await;
    account.done(&["apply", "--yes"]);
    let given = account.control().profiles().remove(0).arn;
    assert!(account.control().retag(&given, [("Service".to_owned(), "b".to_owned())].into()));
    // AWS answers the same request with the same profile: only another request makes another.
    let shown = account.done(&["apply", "--yes"]);
    assert!(shown.contains("created arn:") && !shown.contains(&given), "{shown}");
    assert_eq!(account.control().profiles().len(), 2);
    assert_eq!(account.control().calls_of(Action::CreateInferenceProfile), 3);
    assert_eq!(account.done(&["plan"]), "nothing to do: 1 profile as asked for\n");
}
