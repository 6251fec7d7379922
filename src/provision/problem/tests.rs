use super::*;
use crate::discovery::tests::arn;

/// Returns a profile, a service and a model.
fn some() -> (ProfileArn, ServiceName, ModelId) {
    (arn("us-west-2", "p"), ServiceName::parse("a").unwrap(), ModelId::parse("v.m").unwrap())
}

fn says(problem: &Problem, said: &str) {
    assert_eq!(problem.to_string(), format!("{}: {said}", arn("us-west-2", "p")));
}

#[test]
fn what_a_service_asks_for_and_cannot_have_is_said_with_what_to_do() {
    let (arn, service, model) = some();
    says(
        &Problem::Unread { arn: arn.clone(), service: service.clone(), model: model.clone() },
        "its tags cannot be read, and it may be what service 'a' asks for, so nothing is planned for v.m: let the \
         role use bedrock:ListTagsForResource, and plan again",
    );
    let status = "CREATING".to_owned();
    says(
        &Problem::NotActive { arn: arn.clone(), service: service.clone(), model: model.clone(), status },
        "service 'a' has it for v.m, but its status is CREATING: wait until it is ACTIVE, or delete it and plan again",
    );
    let owner = ServiceName::parse("b").unwrap();
    says(
        &Problem::Foreign { arn, service: service.clone(), model: model.clone(), owner },
        "the services file has it for service 'a' and v.m, but it is tagged for 'b', so it is left as it is: correct \
         the one that is wrong",
    );
    let unavailable = Problem::Unavailable { service, model, region: Region::default(), others: Vec::new() };
    assert_eq!(
        unavailable.to_string(),
        "service 'a': us-west-2 has no system-defined profile v.m; correct `models`, or plan for a region that has it \
         with --region"
    );
}

#[test]
fn what_a_service_gets_anew_is_said_with_what_it_had() {
    let (arn, service, model) = some();
    says(
        &Problem::Untagged { arn: arn.clone(), service: service.clone(), model: model.clone() },
        "it is of v.m, but untagged, so service 'a' gets another; to use this one, name it under the service's \
         `profiles`",
    );
    says(
        &Problem::Gone { arn: arn.clone(), service: service.clone(), model: model.clone() },
        "the services file has it for service 'a' and v.m, but AWS has no such profile: `tollgate profiles apply \
         --write` puts the right one there",
    );
    says(
        &Problem::OtherModel { arn, service, model },
        "the services file has it for service 'a' and v.m, but AWS does not route it so: `tollgate profiles apply \
         --write` puts the right one there",
    );
}

#[test]
fn what_is_wrong_with_a_profile_is_said_with_what_to_do() {
    let (left, service, model) = some();
    let taken = arn("us-west-2", "q");
    says(
        &Problem::Duplicate { service, model, taken: taken.clone(), left: left.clone() },
        &format!(
            "service 'a' has {taken} for v.m already: delete the one that is not to be used, or tag it for another \
             service"
        ),
    );
    let sources = ["us.v.m", "global.v.m"].map(|id| ModelId::parse(id).unwrap()).into();
    says(
        &Problem::Ambiguous { arn: left.clone(), sources },
        "it may be copied from us.v.m or from global.v.m, which are priced differently, so it is left as it is: say \
         which in its tag 'tollgate:source'",
    );
    says(
        &Problem::TooManyTags { arn: left, count: 51, max: 50 },
        "it would have 51 tags, and AWS takes 50: remove some, of the service or in AWS",
    );
}
