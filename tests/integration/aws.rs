//! Asking AWS, past the gateway: what each failure is told as, with what to do about it.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::collections::BTreeMap;
use tollgate::aws::{Access, Aws, AwsError, CostTagStatus, Effort, NewProfile, Site};
use tollgate::clock::Clock;
use tollgate::config::{Egress, Upstream};
use tollgate::domain::{ProfileArn, Region, RoleArn};
use tollgate::inventory::SOURCE_TAG;
use tollgate::simulator::{Action, Failure, Settings, Simulator, Trouble, demo_credentials};

const NOVA: &str = "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0";

async fn simulator() -> Simulator {
    Simulator::start(Settings::default()).await.unwrap()
}

fn upstream(simulator: &Simulator) -> Upstream {
    Upstream { control_endpoint: Some(simulator.endpoint().parse().unwrap()), ..Upstream::default() }
}

fn aws_as(credentials: Credentials, upstream: &Upstream) -> Aws {
    let provider = SharedCredentialsProvider::new(credentials);
    let access = Access::new(provider, &Egress::default(), Clock::system()).unwrap();
    Aws::new(&access, upstream)
}

fn aws(simulator: &Simulator) -> Aws {
    aws_as(demo_credentials(), &upstream(simulator))
}

fn here() -> Site {
    Site::own(Region::default())
}

fn nova() -> NewProfile {
    NewProfile {
        name: "shop nova".to_owned(),
        description: None,
        copy_from: NOVA.to_owned(),
        token: "shop-nova".to_owned(),
        tags: tags(&[("Service", "shop"), (SOURCE_TAG, "amazon.nova-lite-v1:0")]),
    }
}

fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn told(error: &AwsError) -> String {
    format!("{error}\n{}", error.hint())
}

#[tokio::test]
async fn a_profile_lives() {
    let simulator = simulator().await;
    let (aws, here) = (aws(&simulator), here());
    // An answer that is lost on its way is asked for again, and the token makes that the same profile.
    simulator.control().begin(Trouble::AnswersLost);
    let new = nova();
    let creating = aws.create(&here, &new);
    let healing = async {
        while simulator.control().calls_of(Action::CreateInferenceProfile) < 2 {
            tokio::task::yield_now().await;
        }
        simulator.control().heal();
    };
    let (arn, ()) = tokio::join!(creating, healing);
    let arn = arn.unwrap();
    assert_eq!(simulator.control().profiles().len(), 1);
    assert_eq!(aws.tags(&here, &arn).await.unwrap(), nova().tags);
    aws.tag(&here, &arn, &tags(&[("team", "blue")])).await.unwrap();
    let left = tags(&[("Service", "shop"), ("team", "blue"), (SOURCE_TAG, "amazon.nova-lite-v1:0")]);
    assert_eq!(aws.tags(&here, &arn).await.unwrap(), left);
    let found = aws.profile(&here, &arn).await.unwrap();
    assert_eq!(
        (found.name.as_str(), found.is_active(), found.models),
        ("shop nova", true, vec![NOVA.to_owned()])
    );
    let look = aws.read(std::slice::from_ref(&here), &Effort::default(), &|_| {}).await;
    assert_eq!(look.found.profiles[&arn].tags.as_ref(), Some(&left));
    assert!(look.found.systems.values().any(|system| system.id == "us.amazon.nova-lite-v1:0"));
    aws.delete(&here, &arn).await.unwrap();
    // Twice is as good as once.
    aws.delete(&here, &arn).await.unwrap();
    let gone = aws.tags(&here, &arn).await.unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
    simulator.stop().await;
}

#[tokio::test]
async fn an_empty_account_is_known_by_its_name() {
    let simulator = simulator().await;
    let aws = aws(&simulator);
    assert_eq!(aws.account(&here()).await.unwrap(), "123456789012");
    let (account, arn) = aws.caller(&here()).await.unwrap();
    assert_eq!(
        (account.as_str(), arn.as_str()),
        ("123456789012", "arn:aws:iam::123456789012:user/simulator")
    );
    let look = aws.read(&[here()], &Effort::default(), &|_| {}).await;
    let places: Vec<&str> = look.complete.iter().map(|place| place.account.as_str()).collect();
    assert_eq!(places, ["123456789012"]);
    simulator.stop().await;
}

#[tokio::test]
async fn cost_tags_are_activated_and_backfilled() {
    let simulator = simulator().await;
    let (aws, control) = (aws(&simulator), simulator.control());
    control.begin(Trouble::CostTagsLate);
    aws.create(&here(), &nova()).await.unwrap();
    assert_eq!(aws.cost_tag("Service").await.unwrap(), CostTagStatus::Unknown);
    let late = aws.activate_cost_tag("Service").await.unwrap_err();
    assert!(
        told(&late)
            .starts_with("ce:UpdateCostAllocationTagsStatus in us-west-2: AWS does not take the request")
    );
    control.heal();
    assert_eq!(aws.cost_tag("Service").await.unwrap(), CostTagStatus::Inactive);
    aws.activate_cost_tag("Service").await.unwrap();
    assert_eq!(aws.cost_tag("Service").await.unwrap(), CostTagStatus::Active);
    let now = time::OffsetDateTime::now_utc();
    aws.backfill_cost_tags(now).await.unwrap();
    let month = format!("{:04}-{:02}-01T00:00:00Z", now.year(), u8::from(now.month()));
    assert_eq!(control.backfills("123456789012"), [month]);
    simulator.stop().await;
}

const DENIED: &str = "bedrock:ListTagsForResource in us-west-2 of \
    arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc: AWS denies it: User: \
    arn:aws:iam::123456789012:user/simulator is not authorized to perform: bedrock:ListTagsForResource on resource: \
    arn:aws:bedrock:us-west-2:123456789012:inference-profile/* because no identity-based policy allows the \
    bedrock:ListTagsForResource action\nadd to the policies of the gateway's role: \
    {\"Action\":\"bedrock:ListTagsForResource\",\"Effect\":\"Allow\",\"Resource\":\
    [\"arn:aws:bedrock:*:123456789012:inference-profile/*\",\
    \"arn:aws:bedrock:*:123456789012:application-inference-profile/*\"]}";

#[tokio::test]
async fn failures_say_what_to_do() {
    let simulator = simulator().await;
    let (aws, control, here) = (aws(&simulator), simulator.control(), here());
    let arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc";
    let arn = ProfileArn::parse(arn).unwrap();
    control.fail(Action::ListTagsForResource, Failure::AccessDenied);
    assert_eq!(told(&aws.tags(&here, &arn).await.unwrap_err()), DENIED);

    control.fail(Action::ListTagsForResource, Failure::InternalError);
    let failed = aws.tags(&here, &arn).await.unwrap_err();
    assert!(failed.is_transient());
    assert!(told(&failed).contains("AWS fails with status 500"), "{}", told(&failed));
    assert_eq!(control.calls_of(Action::ListTagsForResource), 5);

    let quota = Failure::Other {
        status: 400,
        kind: "ServiceQuotaExceededException",
        message: "at most 1000".to_owned(),
    };
    control.fail(Action::CreateInferenceProfile, quota);
    assert_eq!(
        told(&aws.create(&here, &nova()).await.unwrap_err()),
        format!(
            "bedrock:CreateInferenceProfile in us-west-2 of {NOVA}: a quota is used up: at most 1000\ndelete what is not \
             needed, or ask for more in Service Quotas (service code bedrock)"
        )
    );
    control.heal();
    let illegal = NewProfile { name: "a  b".to_owned(), ..nova() };
    let refused = told(&aws.create(&here, &illegal).await.unwrap_err());
    assert!(refused.contains("AWS does not take the request: "), "{refused}");
    assert!(refused.ends_with("correct what the message names"), "{refused}");
    simulator.stop().await;
}

#[tokio::test]
async fn who_cannot_sign_is_told() {
    let simulator = simulator().await;
    let unknown = aws_as(Credentials::new("AKIAUNKNOWN", "x", None, None, "test"), &upstream(&simulator));
    let error = told(&unknown.profiles(&here()).await.unwrap_err());
    assert!(error.contains(": AWS does not take the signature: "), "{error}");
    assert!(error.contains("renew the credentials, and check this machine's clock"), "{error}");
    simulator.control().fail(Action::AssumeRole, Failure::AccessDenied);
    let role = RoleArn::parse("arn:aws:iam::210987654321:role/tollgate").unwrap();
    let there = Site::of_role(role, Region::default());
    // What keeps the role away is told, and not that there are no credentials.
    let error = told(&aws(&simulator).profiles(&there).await.unwrap_err());
    assert!(error.starts_with(
        "sts:AssumeRole in us-west-2 of arn:aws:iam::210987654321:role/tollgate: AWS denies it"
    ));
    assert!(
        error.ends_with(
            "{\"Action\":\"sts:AssumeRole\",\"Effect\":\"Allow\",\"Resource\":\
             [\"arn:aws:iam::210987654321:role/tollgate\"]}; the role's trust policy must name the gateway's role as well"
        ),
        "{error}"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn an_aws_that_is_not_there_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let upstream = Upstream { control_endpoint: Some(nowhere.parse().unwrap()), ..Upstream::default() };
    let error = aws_as(demo_credentials(), &upstream).profiles(&here()).await.unwrap_err();
    assert!(error.is_transient());
    let told = told(&error);
    assert!(
        told.starts_with("bedrock:ListInferenceProfiles in us-west-2: AWS cannot be reached: "),
        "{told}"
    );
    assert!(told.contains("check upstream.region, upstream.control_endpoint"), "{told}");
}
