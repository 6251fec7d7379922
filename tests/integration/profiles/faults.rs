//! What goes wrong between here and AWS: said with what to do about it, and made good by the next run.

use super::{Account, CREDENTIALS, HEAD, TWO};
use crate::gateway::DEADLINE;
use crate::program::Ran;
use tokio::time::Instant;
use tollgate::simulator::{Action, Failure, Trouble};

const COMMANDS: [&[&str]; 4] =
    [&["list"], &["plan"], &["apply", "--yes"], &["import", "--output", "new.toml"]];

/// Asserts that a command ended with status 1, an error and a hint.
fn fails(ran: &Ran, error: &str, hint: &str) {
    let (said, advice) = ran.err.trim_end().rsplit_once('\n').unwrap();
    assert!(ran.status == 1 && said.starts_with("error: ") && said.contains(error), "{ran:?}");
    assert!(advice.starts_with("hint: ") && advice.contains(hint), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials() {
    let account = Account::new(TWO).await;
    for command in COMMANDS {
        fails(&account.run_with(command, &[]), "there are no AWS credentials", "set AWS_ACCESS_KEY_ID");
    }
    assert!(account.control().calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_aws_does_not_take() {
    let account = Account::new(TWO).await;
    let env = [("AWS_ACCESS_KEY_ID", "AKIANOBODY"), CREDENTIALS[1]];
    for command in COMMANDS {
        fails(&account.run_with(command, &env), "AWS does not take the signature", "renew the credentials");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_denied() {
    let account = Account::new(TWO).await;
    account.control().fail(Action::ListInferenceProfiles, Failure::AccessDenied);
    for command in COMMANDS {
        fails(
            &account.run(command),
            "bedrock:ListInferenceProfiles in us-west-2: AWS denies it",
            "{\"Action\":",
        );
    }
    assert!(!account.place.path("new.toml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_away() {
    let account = Account::new(TWO).await;
    account.control().begin(Trouble::Down);
    for command in COMMANDS {
        let ran = account.run(command);
        // Nothing is known, which is not the same as nothing being there.
        assert!(ran.out.is_empty(), "{ran:?}");
        fails(&ran, "AWS cannot be reached", "check upstream.region, upstream.control_endpoint");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_for_good() {
    let account = Account::new(TWO).await;
    account.control().fail(Action::ListInferenceProfiles, Failure::Throttled);
    fails(&account.run(&["plan"]), "AWS throttles it, also after", "try again later");
}

#[tokio::test(flavor = "multi_thread")]
async fn making_denied_changes_nothing_and_says_what_to_grant() {
    let account = Account::new(TWO).await;
    account.control().fail(Action::CreateInferenceProfile, Failure::AccessDenied);
    let ran = account.run(&["apply", "--yes", "--write"]);
    fails(&ran, "failed, ", "\"bedrock:CreateInferenceProfile\"");
    assert!(
        ran.err.contains("; what is done stays done, and the next `tollgate profiles apply` goes on"),
        "{ran:?}"
    );
    assert!(ran.out.contains("\nfailed to create for service-1, anthropic."), "{ran:?}");
    assert_eq!(account.services(), TWO);
    account.control().heal();
    account.done(&["apply", "--yes"]);
    assert_eq!(account.control().profiles().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_alone_does_not_hold_up_the_others() {
    let services = format!("[services.a]\nmodels = ['nobody.none-v1:0']\n{TWO}");
    let account = Account::new(&services).await;
    let ran = account.run(&["apply", "--yes", "--write"]);
    fails(
        &ran,
        "1 of 4 steps failed, 0 not tried: bedrock:CreateInferenceProfile",
        "correct what the message names",
    );
    assert_eq!(account.control().profiles().len(), 3);
    // What was made is in the file.
    assert_eq!(account.services().matches(HEAD).count(), 3);
    let failed: serde_json::Value =
        serde_json::from_str(&account.run(&["apply", "--yes", "--format", "json"]).out).unwrap();
    assert_eq!(failed["failed"][0]["service"], "a");
    assert_eq!(failed["failed"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_make_no_profile_twice() {
    let account = Account::new(TWO).await;
    // The listings come first: from the first creation on, nothing is heard of AWS.
    let control = account.control();
    let watching = control.clone();
    let watch = std::thread::spawn(move || {
        let until = Instant::now() + DEADLINE;
        while watching.calls_of(Action::CreateInferenceProfile) == 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        watching.begin(Trouble::AnswersLost);
    });
    let ran = account.run(&["apply", "--yes"]);
    watch.join().unwrap();
    fails(&ran, "AWS cannot be reached", "goes on from there");
    assert!(!control.profiles().is_empty(), "{ran:?}");
    control.heal();
    account.done(&["apply", "--yes"]);
    assert_eq!(account.tags().len(), 3);
    assert_eq!(control.profiles().len(), 3);
    assert_eq!(account.done(&["plan"]), "nothing to do: 3 profiles as asked for\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_unless_all_else_is_done() {
    let account = Account::new("[services.a]\nmodels = ['us.amazon.nova-lite-v1:0']").await;
    account.add("lying", super::SONNET, &[("Service", "a"), ("tollgate:source", "us.amazon.nova-lite-v1:0")]);
    account.control().fail(Action::CreateInferenceProfile, Failure::Unavailable);
    fails(&account.run(&["apply", "--yes"]), "1 of 2 steps failed, 1 not tried", "try again later");
    assert_eq!(account.control().profiles().len(), 1);
    // Broken off between the two, the next run deletes what the first has replaced.
    account.control().heal();
    account.control().fail(Action::DeleteInferenceProfile, Failure::AccessDenied);
    fails(
        &account.run(&["apply", "--yes"]),
        "1 of 2 steps failed, 0 not tried",
        "bedrock:DeleteInferenceProfile",
    );
    account.control().heal();
    let shown = account.done(&["apply", "--yes"]);
    assert!(shown.contains("± a  us.amazon.nova-lite-v1:0  replace: use arn:"), "{shown}");
    assert_eq!(account.control().profiles().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_seems_unused_stays_while_what_is_asked_for_cannot_be_had() {
    let account = Account::new("[services.a]\nmodels = ['us.amazon.nova-lite-v1.0']").await;
    let own = [("Service", "a"), ("tollgate:source", "us.amazon.nova-lite-v1:0")];
    account.add("works", "us.amazon.nova-lite-v1:0", &own);
    let ran = account.run(&["apply", "--yes", "--delete-unused"]);
    assert!(ran.status == 1 && ran.out.contains("1 to delete"), "{ran:?}");
    assert_eq!(account.control().profiles().len(), 1, "{ran:?}");
    // Nor is what somebody else has made deleted.
    let account = Account::new("[services.a]\nmodels = ['us.amazon.nova-lite-v1:0']").await;
    account.add("works", "us.amazon.nova-lite-v1:0", &own);
    account.add("theirs", super::SONNET, &[("Service", "a")]);
    let shown = account.done(&["apply", "--yes", "--delete-unused"]);
    assert!(shown.contains("theirs (a, ") && shown.contains(": made by others, so it stays\n"), "{shown}");
    assert_eq!(account.control().profiles().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_may_not_be_read_stop_what_they_may_be_about() {
    let account = Account::new(TWO).await;
    account.add("p1", super::SONNET, &[("Service", "service-1")]);
    account.control().fail(Action::ListTagsForResource, Failure::AccessDenied);
    let ran = account.run(&["plan"]);
    assert!(ran.status == 1 && ran.err.contains("2 problems (unread)"), "{ran:?}");
    assert!(ran.err.starts_with("warning: bedrock:ListTagsForResource in us-west-2 of arn:"), "{ran:?}");
    assert!(ran.out.contains("let the role use bedrock:ListTagsForResource, and plan again"), "{ran:?}");
    assert!(ran.out.contains("1 to create"), "{ran:?}");
    fails(&account.run(&["import", "--output", "new.toml"]), "bedrock:ListTagsForResource", "{\"Action\":");
    let ran = account.run(&["list"]);
    assert!(ran.status == 1 && ran.out.contains("unread"), "{ran:?}");
}
