//! `tollgate check --aws` as its own process, in front of the simulated control plane.

mod faults;
mod profiles;

use crate::ledger_reads::json;
use crate::program::{Ran, Workplace};
use serde_json::{Value, json};
use tollgate::simulator::{Action, ControlPlane, Settings, SimulatedProfile, Simulator, Trouble};

const HEAD: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/";
const NOVA: &str = "us.amazon.nova-lite-v1:0";
const OTHER_ACCOUNT: &str = "210987654321";

const SERVICES: &str = "[services.shop]
tags = { team = 'blue', note = 'no tag: (it has parentheses)' }
profiles = { 'us.amazon.nova-lite-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/nova' }
";

const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIASIMULATOR"),
    ("AWS_SECRET_ACCESS_KEY", "no-secret-but-agreed-with-the-simulator"),
];

/// An AWS account, and the files of a gateway.
struct Account {
    simulator: Simulator,
    place: Workplace,
}

impl Account {
    /// Starts one with a profile as the services file has it.
    async fn new() -> Self {
        Self::with("", SERVICES).await
    }

    /// Starts one with other settings and services.
    async fn with(settings: &str, services: &str) -> Self {
        let simulator = Simulator::start(Settings::default()).await.unwrap();
        let config = format!("upstream.control_endpoint = '{}'\n{settings}\n", simulator.endpoint());
        let account = Self { simulator, place: Workplace::with(&config, services) };
        account.add(&format!("{HEAD}nova"), NOVA, &[("Service", "shop"), ("team", "blue")]);
        account
    }

    fn control(&self) -> ControlPlane {
        self.simulator.control()
    }

    fn add(&self, arn: &str, source: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let profile = SimulatedProfile { arn: arn.to_owned(), source_model: source.to_owned(), tags };
        self.control().add(profile).unwrap();
    }

    fn check(&self, arguments: &[&str]) -> Ran {
        self.check_as(arguments, &CREDENTIALS)
    }

    fn check_as(&self, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
        // The simulator goes on meanwhile, on another thread.
        tokio::task::block_in_place(|| self.place.run(&[&["check", "--aws"], arguments].concat(), env))
    }

    /// Checks what is in order, or to be warned of, and returns the output.
    fn passed(&self, arguments: &[&str]) -> String {
        let ran = self.check(arguments);
        assert!(ran.status == 0 && ran.err.is_empty(), "{ran:?}");
        ran.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        json(&self.check(&[arguments, &["--format", "json"]].concat()).out)["aws"].take()
    }

    /// Has AWS's bill split by the service tag.
    fn activate(&self) {
        self.check(&["--fix"]);
        assert_eq!(self.control().active_cost_tags("123456789012"), ["Service"]);
    }
}

/// Returns the lines that begin so.
fn lines<'a>(ran: &'a Ran, start: &str) -> Vec<&'a str> {
    ran.out.lines().filter_map(|line| line.strip_prefix(start)).collect()
}

/// Asserts that a check found one problem, and said what to do about it.
fn one_problem(ran: &Ran, problem: &str, hint: &str) {
    let problems = lines(ran, "problem: ");
    assert!(ran.status == 1 && problems.len() == 1 && problems[0].starts_with(problem), "{ran:?}");
    let expected = "error: not all that the config needs of AWS is there: 1 problem\nhint: ";
    assert!(ran.err.strip_prefix(expected).is_some_and(|told| told.starts_with(hint)), "{ran:?}");
}

const GOOD: &str = "\
credentials  EnvironmentVariable: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
region       us-west-2 (the default of upstream.region)
identity     arn:aws:iam::123456789012:user/simulator
profiles     1 of the services file's 1 can be called
cost tag     Service: active: the bill splits by it
allowed      bedrock:ListInferenceProfiles, bedrock:GetInferenceProfile, bedrock:ListTagsForResource, ce:ListCostAllocationTags
not checked  bedrock:InvokeModel, bedrock:InvokeModelWithResponseStream, bedrock:CountTokens: only a call tells, and costs: `tollgate call` makes one
not checked  ce:UpdateCostAllocationTagsStatus, ce:StartCostAllocationTagBackfill: only --fix, with --backfill-from, tells
config is valid: 1 service, 1 profile
";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_in_order() {
    let account = Account::new().await;
    account.activate();
    account.control().forget_calls();
    assert_eq!(account.passed(&[]), GOOD);
    let called: Vec<&str> = account.control().calls().into_keys().collect();
    let reading = [
        "GetCallerIdentity",
        "GetInferenceProfile",
        "ListCostAllocationTags",
        "ListInferenceProfiles",
        "ListTagsForResource",
    ];
    assert_eq!(called, reading);
    assert!(account.simulator.stated_by_request().is_empty());
    let state = |action: &str, state: &str| json!({ "action": action, "state": state });
    let unchecked = |action: &str, why: &str| json!({ "action": action, "state": "not_checked", "why": why });
    let (call, fix) = (
        "only a call tells, and costs: `tollgate call` makes one",
        "only --fix, with --backfill-from, tells",
    );
    assert_eq!(
        account.json(&[]),
        json!({
            "credentials": "EnvironmentVariable",
            "region": "us-west-2",
            "region_from": "default",
            "identity": { "account": "123456789012", "arn": "arn:aws:iam::123456789012:user/simulator" },
            "profiles": { "of_file": 1, "usable": 1, "unseen": 0, "unread": 0 },
            "cost_tag": { "key": "Service", "status": "active", "activated": false },
            "permissions": [
                unchecked("bedrock:InvokeModel", call),
                unchecked("bedrock:InvokeModelWithResponseStream", call),
                unchecked("bedrock:CountTokens", call),
                state("bedrock:ListInferenceProfiles", "allowed"),
                state("bedrock:GetInferenceProfile", "allowed"),
                state("bedrock:ListTagsForResource", "allowed"),
                state("ce:ListCostAllocationTags", "allowed"),
                unchecked("ce:UpdateCostAllocationTagsStatus", fix),
                unchecked("ce:StartCostAllocationTagBackfill", fix),
            ],
            "problems": [],
            "warnings": [],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_region_and_credentials_come_from_is_told() {
    let account = Account::with("upstream.region = 'us-east-1'", SERVICES).await;
    let files = [
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ("AWS_PROFILE", "work"),
        ("TOLLGATE__UPSTREAM__REGION", "us-east-2"),
    ];
    let text = CREDENTIALS.map(|(key, value)| format!("{} = {value}\n", key.to_lowercase())).concat();
    std::fs::write(account.place.path("credentials"), format!("[work]\n{text}")).unwrap();
    let head = |env| {
        let ran = account.check_as(&[], env);
        ran.out.lines().take(2).map(|line| line[13..].to_owned()).collect::<Vec<_>>()
    };
    let profile = "ProfileFile: the AWS profile of AWS_PROFILE, or the default one";
    assert_eq!(head(&files), [profile, "us-east-2 (TOLLGATE__UPSTREAM__REGION)"]);
    assert_eq!(head(&CREDENTIALS)[1], "us-east-1 (config/tollgate.toml:2: upstream.region)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_tag_is_activated_when_that_is_asked_for() {
    let account = Account::new().await;
    let warned = account.passed(&[]);
    let warning = "\
warning: the tag 'Service' is no active cost allocation tag, so AWS's bill does not split by service
config is valid: 1 service, 1 profile
hint: `tollgate check --aws --fix` activates it for what is used from then on; with --backfill-from YYYY-MM, for past months as well
";
    assert!(warned.contains("\ncost tag     Service: inactive: the bill does not split by it\n"), "{warned}");
    assert!(warned.ends_with(warning), "{warned}");
    assert_eq!(account.json(&[])["warnings"][0]["kind"], "cost_tag_inactive");
    assert!(account.control().active_cost_tags("123456789012").is_empty());

    let fixed = account.passed(&["--fix"]);
    let told = "\ncost tag     Service: activated now: the bill splits by it from tomorrow on; for past months as well, \
                run it again with --fix --backfill-from YYYY-MM\n";
    assert!(fixed.contains(told) && !fixed.contains("warning"), "{fixed}");
    assert_eq!(account.control().active_cost_tags("123456789012"), ["Service"]);

    let now = time::OffsetDateTime::now_utc();
    let month = format!("{:04}-{:02}", now.year(), u8::from(now.month()));
    let filled = account.passed(&["--fix", "--backfill-from", &month]);
    let told = format!(
        "\ncost tag     Service: active: the bill splits by it; past months from {month} on are being filled in, which \
         takes hours\n"
    );
    assert!(filled.contains(&told), "{filled}");
    assert_eq!(account.control().backfills("123456789012"), [format!("{month}-01T00:00:00Z")]);
    assert_eq!(account.control().calls_of(Action::UpdateCostAllocationTagsStatus), 1);
    let again = account.check(&["--fix", "--backfill-from", &month]);
    let refused = "ce:StartCostAllocationTagBackfill in us-west-2: a quota is used up: A backfill";
    one_problem(&again, refused, "AWS takes one backfill a day: ask again tomorrow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_billing_has_not_seen_cannot_be_activated() {
    let account = Account::new().await;
    account.control().begin(Trouble::CostTagsLate);
    let warned = account.passed(&[]);
    assert!(warned.contains("\ncost tag     Service: not seen by AWS's billing yet\n"), "{warned}");
    let unseen = "AWS's billing has not seen the tag 'Service' yet, so it cannot be activated";
    let hint = "that takes up to 24 hours after a tagged profile's first use: look again tomorrow";
    assert!(warned.contains(&format!("warning: {unseen}\n")), "{warned}");
    assert!(warned.ends_with(&format!("hint: {hint}\n")), "{warned}");
    one_problem(&account.check(&["--fix"]), unseen, hint);
    assert_eq!(account.control().calls_of(Action::UpdateCostAllocationTagsStatus), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_is_asked_only_about_files_that_are_in_order() {
    let account = Account::with("log.levle = 'x'", SERVICES).await;
    let ran = account.check(&[]);
    assert!(ran.status == 2 && ran.err.starts_with("error: config is invalid: 1 problem\n"), "{ran:?}");
    let ran = account.check(&["--format", "json"]);
    assert!(json(&ran.out).get("aws").is_none(), "{ran:?}");
    for arguments in [&["check", "--fix"][..], &["check", "--aws", "--backfill-from", "2026-01"]] {
        let ran = account.place.run(arguments, &CREDENTIALS);
        assert!(ran.status == 2 && ran.err.contains("required"), "{ran:?}");
    }
    assert!(account.control().calls().is_empty());
}
