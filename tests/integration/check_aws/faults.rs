//! An AWS that denies, throttles, fails, or is not there.

use super::{Account, CREDENTIALS, HEAD, OTHER_ACCOUNT, SERVICES, lines, one_problem};
use crate::program::Ran;
use std::time::Duration;
use tokio::time::Instant;
use tollgate::simulator::{Action, Failure, Trouble};

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials() {
    let account = Account::new().await;
    let ran = account.check_as(&[], &[]);
    let problem = "sts:GetCallerIdentity in us-west-2: there are no AWS credentials: ";
    one_problem(&ran, problem, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give");
    let start = "\
credentials  none
region       us-west-2 (the default of upstream.region)
profiles     0 of the services file's 1 can be called, 1 could not be looked at
cost tag     Service: not known
not checked  bedrock:InvokeModel, ";
    assert!(ran.out.starts_with(start), "{ran:?}");
    assert!(account.control().calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_aws_does_not_take() {
    let account = Account::new().await;
    let ran = account.check_as(&[], &[("AWS_ACCESS_KEY_ID", "AKIANOBODY"), CREDENTIALS[1]]);
    let problem = "sts:GetCallerIdentity in us-west-2: AWS does not take the signature: ";
    one_problem(&ran, problem, "renew the credentials, and check this machine's clock");
    assert_eq!(account.control().calls_of(Action::ListInferenceProfiles), 0);
}

/// Returns the statement that is to be added for an action.
fn statement(ran: &Ran, action: &str) -> String {
    let all = format!("{}{}", ran.out, ran.err);
    let start = "hint: add to the policies of the gateway's role: ";
    let mut found =
        all.lines().filter_map(|line| line.strip_prefix(start)).filter(|text| text.contains(action));
    let statement = found.next().unwrap_or_else(|| panic!("{ran:?}")).to_owned();
    let only = statement.split("; ").next().unwrap();
    let value: serde_json::Value = serde_json::from_str(only).unwrap();
    assert_eq!((&value["Effect"], &value["Action"]), (&"Allow".into(), &action.into()));
    statement
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_that_is_denied_is_told_with_its_statement() {
    let profiles = "[\"arn:aws:bedrock:*:*:inference-profile/*\",\"arn:aws:bedrock:*:*:application-inference-profile/*\"]";
    for (action, name, resources) in [
        (Action::ListInferenceProfiles, "bedrock:ListInferenceProfiles", profiles),
        (
            Action::ListTagsForResource,
            "bedrock:ListTagsForResource",
            "[\"arn:aws:bedrock:*:123456789012:inference-profile/*\",\
             \"arn:aws:bedrock:*:123456789012:application-inference-profile/*\"]",
        ),
        (
            Action::GetInferenceProfile,
            "bedrock:GetInferenceProfile",
            "[\"arn:aws:bedrock:*:123456789012:inference-profile/*\",\
             \"arn:aws:bedrock:*:123456789012:application-inference-profile/*\"]",
        ),
        (
            Action::ListCostAllocationTags,
            "ce:ListCostAllocationTags",
            "[\"*\"]}; in an organization, only its management account has cost allocation tags",
        ),
    ] {
        for discover in [false, true] {
            let account = Account::with(&format!("catalog.discover = {discover}"), SERVICES).await;
            account.activate();
            account.control().fail(action, Failure::AccessDenied);
            let ran = account.check(&[]);
            let told = format!("{name} in us-west-2");
            let is_needed =
                discover && matches!(action, Action::ListInferenceProfiles | Action::ListTagsForResource);
            if is_needed {
                one_problem(&ran, &told, "add to the policies of the gateway's role: {\"Action\":");
            } else {
                assert_eq!(ran.status, 0, "{ran:?}");
                assert!(lines(&ran, "warning: ").iter().any(|line| line.starts_with(&told)), "{ran:?}");
            }
            assert_eq!(lines(&ran, "denied       "), [name]);
            assert!(statement(&ran, name).contains(resources), "{ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_profiles_needs_to_wait_for_them() {
    let settings = "catalog.discover = true\ncatalog.unmapped_model = 'provision'";
    let services = SERVICES.replace(", note = 'no tag: (it has parentheses)'", "");
    let account = Account::with(settings, &services).await;
    account.activate();
    let ran = account.check(&[]);
    let unchecked = "bedrock:CreateInferenceProfile, bedrock:DeleteInferenceProfile, bedrock:TagResource: \
                     only making, tagging and deleting profiles tells";
    assert!(ran.status == 0 && lines(&ran, "not checked  ").contains(&unchecked), "{ran:?}");
    account.control().fail(Action::GetInferenceProfile, Failure::AccessDenied);
    let problem = format!("bedrock:GetInferenceProfile in us-west-2 of {HEAD}nova: AWS denies it: ");
    one_problem(&account.check(&[]), &problem, "add to the policies of the gateway's role: ");
}

/// Services with sessions of two roles.
const SESSIONS: &str = "[services.shop]
session_role_arn = 'arn:aws:iam::123456789012:role/shop'
tags = { team = 'blue' }
profiles = { 'us.amazon.nova-lite-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/nova' }
[services.z]
session_role_arn = 'arn:aws:iam::123456789012:role/z'
models = ['us.amazon.nova-pro-v1:0']
";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_services_are_begun() {
    let account = Account::with("", SESSIONS).await;
    account.activate();
    let ran = account.check(&[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let session = |role: &str, name: &str| format!("arn:aws:sts::123456789012:assumed-role/{role}/{name}");
    let (shop, z) = (session("shop", "shop"), session("z", "z@tollgate"));
    assert_eq!(lines(&ran, "session      "), [format!("shop: {shop}"), format!("z: {z}")]);
    let allowed = lines(&ran, "allowed      ").concat();
    assert!(allowed.ends_with(", sts:AssumeRole, sts:TagSession"), "{ran:?}");
    assert_eq!(account.json(&[])["sessions"]["shop"]["arn"], shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_not_begin() {
    for (action, also) in [
        ("sts:AssumeRole", "the role's trust policy must name the gateway's role as well"),
        (
            "sts:TagSession",
            "the role's trust policy must allow the gateway's role sts:TagSession beside sts:AssumeRole as well",
        ),
    ] {
        let account = Account::with("", SESSIONS).await;
        account.activate();
        let message =
            format!("User: arn:aws:iam::123456789012:user/simulator is not authorized to perform: {action}");
        account
            .control()
            .fail(Action::AssumeRole, Failure::Other { status: 403, kind: "AccessDenied", message });
        let ran = account.check(&[]);
        // Each role by itself.
        let problems = lines(&ran, "problem: ");
        assert!(ran.status == 1 && problems.len() == 2, "{ran:?}");
        for (problem, role) in problems.iter().zip(["shop", "z"]) {
            let start =
                format!("{action} in us-west-2 of arn:aws:iam::123456789012:role/{role}: AWS denies it: ");
            assert!(problem.starts_with(&start), "{ran:?}");
        }
        assert!(statement(&ran, action).ends_with(&format!("; {also}")), "{ran:?}");
        assert_eq!(lines(&ran, "denied       "), [action]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_be_taken_on() {
    let role = format!("arn:aws:iam::{OTHER_ACCOUNT}:role/tollgate");
    let account = Account::with(&format!("[upstream.roles]\n{OTHER_ACCOUNT} = '{role}'"), SERVICES).await;
    account.activate();
    account.control().fail(Action::AssumeRole, Failure::AccessDenied);
    let ran = account.check(&[]);
    one_problem(
        &ran,
        &format!("sts:AssumeRole in us-west-2 of {role}: AWS denies it: "),
        "add to the policies",
    );
    assert!(statement(&ran, "sts:AssumeRole").ends_with(
        "\"Resource\":[\"arn:aws:iam::210987654321:role/tollgate\"]}; the role's trust policy must name the gateway's \
         role as well"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn activating_and_filling_in_may_be_denied() {
    let account = Account::new().await;
    account.control().fail(Action::UpdateCostAllocationTagsStatus, Failure::AccessDenied);
    let ran = account.check(&["--fix"]);
    one_problem(
        &ran,
        "ce:UpdateCostAllocationTagsStatus in us-west-2: AWS denies it: ",
        "add to the policies",
    );
    statement(&ran, "ce:UpdateCostAllocationTagsStatus");
    account.control().heal();
    account.activate();
    account.control().fail(Action::StartCostAllocationTagBackfill, Failure::AccessDenied);
    let ran = account.check(&["--fix", "--backfill-from", "2026-01"]);
    one_problem(
        &ran,
        "ce:StartCostAllocationTagBackfill in us-west-2: AWS denies it: ",
        "add to the policies",
    );
    statement(&ran, "ce:StartCostAllocationTagBackfill");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_does_not_pay_has_no_cost_tags() {
    let account = Account::new().await;
    let message = "Linked account doesn't have access to cost allocation tags.".to_owned();
    let failure = Failure::Other { status: 400, kind: "ValidationException", message };
    account.control().fail(Action::ListCostAllocationTags, failure);
    let out = account.passed(&[]);
    assert!(
        out.contains("warning: ce:ListCostAllocationTags in us-west-2: AWS does not take the request: "),
        "{out}"
    );
    assert!(
        out.contains("hint: in an organization, only its management account has cost allocation tags: "),
        "{out}"
    );
    let ran = account.check(&["--fix"]);
    one_problem(
        &ran,
        "ce:ListCostAllocationTags in us-west-2: ",
        "in an organization, only its management account",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_throttles_for_good() {
    let account = Account::new().await;
    account.activate();
    account.control().fail(Action::ListTagsForResource, Failure::Throttled);
    let ran = account.check(&[]);
    let problem = format!(
        "bedrock:ListTagsForResource in us-west-2 of {HEAD}nova: AWS throttles it, also after 10 tries"
    );
    one_problem(&ran, &problem, "try again later: others use up the account's rate in this region\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_out() {
    let account = Account::new().await;
    account.activate();
    let minutes = Duration::from_mins(10);
    let longer = "give AWS longer, as with --timeout 10m";
    let late = |action: Action, problem: &str| {
        account.control().heal();
        account.control().slow(action, minutes);
        let began = Instant::now();
        let ran = account.check(&["--timeout", "2s"]);
        one_problem(&ran, problem, longer);
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        ran
    };
    let ran = late(Action::ListTagsForResource, "the tags of 1 profile have not been read within 2s");
    assert_eq!(
        lines(&ran, "profiles     "),
        ["1 of the services file's 1 can be called, the tags of 1 could not be read"]
    );
    let ran = late(Action::ListInferenceProfiles, "the profiles in us-west-2 have not been listed within 2s");
    assert_eq!(
        lines(&ran, "profiles     "),
        ["0 of the services file's 1 can be called, 1 could not be looked at"]
    );
    late(Action::ListCostAllocationTags, "ce:ListCostAllocationTags: AWS has not answered within 2s");
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_is_away() {
    let account = Account::new().await;
    account.control().begin(Trouble::Down);
    let ran = account.check(&[]);
    let problems = lines(&ran, "problem: ");
    assert!(ran.status == 1 && problems.len() == 3, "{ran:?}");
    for (problem, action) in problems.iter().zip([
        "bedrock:ListInferenceProfiles",
        "ce:ListCostAllocationTags",
        "sts:GetCallerIdentity",
    ]) {
        assert!(problem.starts_with(&format!("{action} in us-west-2: AWS cannot be reached: ")), "{ran:?}");
    }
    // Once for all of them.
    assert_eq!(
        ran.err.matches("hint: check upstream.region, upstream.control_endpoint, ").count(),
        1,
        "{ran:?}"
    );
    assert_eq!(ran.err.lines().count(), 2, "{ran:?}");
}
