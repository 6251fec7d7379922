use super::*;
use crate::config::ServiceSpec;
use crate::discovery::tests::{any_profiles, arn, found, inventory};
use crate::domain::Region;
use crate::inventory::{FoundProfile, Inventory, SOURCE_TAG};
use proptest::prelude::*;

const HOME: &str = "us-west-2";

fn name(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn model(id: &str) -> ModelId {
    ModelId::parse(id).unwrap()
}

fn spec(service: &str, tags: &[(&str, &str)], profiles: &[(&str, ProfileArn)]) -> ServiceSpec {
    ServiceSpec {
        tags: Arc::new(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()),
        profiles: profiles.iter().map(|(source, arn)| (model(source), arn.clone())).collect(),
        ..ServiceSpec::new(name(service))
    }
}

fn build(services: Vec<ServiceSpec>, inventory: &Inventory) -> Catalog {
    let discovered = Discovered::of(inventory, "Service", &Region::default());
    Catalog::build(&ServicesFile { services }, &discovered)
}

/// Returns a service's profiles as `source=id`.
fn profiles(catalog: &Catalog, service: &str) -> Vec<String> {
    let service = catalog.service(service).unwrap();
    service.profiles.iter().map(|profile| format!("{}={}", profile.source_model, profile.arn.id())).collect()
}

fn kinds(catalog: &Catalog) -> Vec<&'static str> {
    catalog.findings().iter().map(Finding::kind).collect()
}

fn tagged(service: &str) -> FoundProfile {
    found(&["v.m"], &[("Service", service)])
}

#[test]
fn a_tag_alone_makes_a_service() {
    let both = [("Service", "a"), ("team", "x"), ("env", "prod")];
    let other = [("Service", "a"), ("team", "x"), ("env", "test"), (SOURCE_TAG, "us.v.m")];
    let inventory = inventory([
        (arn(HOME, "one"), found(&["v.m"], &both)),
        (arn(HOME, "two"), found(&["us-east-1/v.m", "us-west-2/v.m"], &other)),
    ]);
    let catalog = build(Vec::new(), &inventory);
    assert_eq!(profiles(&catalog, "a"), ["us.v.m=two", "v.m=one"]);
    let service = catalog.service("a").unwrap();
    assert_eq!(*service.tags, BTreeMap::from([("team".to_owned(), "x".to_owned())]));
    let knowledge: Vec<SourceKnowledge> = service.profiles.iter().map(|profile| profile.knowledge).collect();
    assert_eq!(knowledge, [SourceKnowledge::Stated, SourceKnowledge::Inferred]);
    assert_eq!(catalog.owner("one"), Some(&name("a")));
    assert_eq!(catalog.findings(), []);
}

#[test]
fn what_no_call_of_its_service_leads_to_is_its_own_all_the_same() {
    let twin = || found(&["v.m"], &[("Service", "a")]);
    let profiles = [(arn(HOME, "one"), twin()), (arn(HOME, "two"), twin())];
    let catalog = build(vec![spec("b", &[], &[])], &inventory(profiles));
    assert_eq!(self::profiles(&catalog, "a").len(), 1);
    for id in ["one", "two"] {
        assert_eq!(catalog.owner(id), Some(&name("a")));
        assert_eq!(catalog.owner(arn(HOME, id).as_str()), Some(&name("a")));
    }
}

#[test]
fn the_file_wins_over_the_tag_of_a_model_and_adds_what_it_lacks() {
    let inventory = inventory([
        (arn(HOME, "tagged"), found(&["v.m"], &[("Service", "a"), ("team", "x"), ("env", "prod")])),
        (arn(HOME, "more"), found(&["v.other"], &[("Service", "a"), ("team", "y"), ("env", "prod")])),
    ]);
    let catalog = build(vec![spec("a", &[("team", "z")], &[("v.m", arn(HOME, "mine"))])], &inventory);
    assert_eq!(profiles(&catalog, "a"), ["v.m=mine", "v.other=more"]);
    let tags = [("team", "z"), ("env", "prod")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(*catalog.service("a").unwrap().tags, BTreeMap::from(tags));
    let findings: Vec<String> = catalog.findings().iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].contains("tagged: it is tagged for service 'a' and v.m, for which the services file has")
    );
    assert!(findings[0].ends_with("mine, which holds: take one of the two away"), "{findings:?}");
    // The same profile in both is no conflict.
    let catalog = build(vec![spec("a", &[], &[("v.m", arn(HOME, "tagged"))])], &inventory);
    assert_eq!(kinds(&catalog), Vec::<&str>::new());
}

#[test]
fn what_the_file_gives_to_one_service_no_tag_gives_to_another() {
    let inventory = inventory([(arn(HOME, "first"), tagged("b")), (arn(HOME, "second"), tagged("b"))]);
    let catalog = build(vec![spec("a", &[], &[("v.m", arn(HOME, "first"))])], &inventory);
    assert_eq!(profiles(&catalog, "a"), ["v.m=first"]);
    assert_eq!(profiles(&catalog, "b"), ["v.m=second"]);
    assert_eq!(kinds(&catalog), ["owner_differs"]);
    assert!(catalog.findings()[0].to_string().contains(
        "first: the services file gives it to service 'a', which holds, but it is tagged for 'b', as AWS's bill"
    ));
    let both = [("v.m", arn(HOME, "first")), ("v.n", arn(HOME, "second"))];
    let catalog = build(vec![spec("a", &[], &both)], &inventory);
    assert!(catalog.service("b").is_none());
    assert_eq!(kinds(&catalog), ["owner_differs", "owner_differs", "source_differs"]);
    assert!(catalog.findings()[2].to_string().ends_with(
        "second: the services file has it for v.n, which holds, but AWS routes it as v.m, so that its price may be \
         wrong: correct the services file"
    ));
}

#[test]
fn of_several_profiles_for_a_model_one_is_taken_and_the_others_are_told() {
    let inventory = inventory([
        (arn(HOME, "x"), tagged("a")),
        (arn(HOME, "y"), tagged("a")),
        (arn("us-east-1", "z"), found(&["us-east-1/v.m"], &[("Service", "a")])),
    ]);
    let catalog = build(Vec::new(), &inventory);
    assert_eq!(profiles(&catalog, "a"), ["v.m=x"]);
    assert_eq!(kinds(&catalog), ["duplicate", "other_region"]);
    let texts: Vec<String> = catalog.findings().iter().map(ToString::to_string).collect();
    assert!(texts[0].contains("/y: service 'a' has "), "{texts:?}");
    assert!(texts[0].ends_with("delete the one that is not to be used, or tag it for another service"));
    assert!(texts[1].contains("/x for v.m, in us-west-2, which comes first: to have calls go to us-east-1"));
}

#[test]
fn a_profile_of_the_file_that_is_not_active_is_told_once() {
    let inactive = |found: FoundProfile| FoundProfile { status: "FAILED".to_owned(), ..found };
    let inventory = inventory([
        (arn(HOME, "plain"), inactive(found(&["v.m"], &[]))),
        (arn(HOME, "tagged"), inactive(tagged("b"))),
    ]);
    let file =
        [spec("a", &[], &[("v.m", arn(HOME, "plain"))]), spec("b", &[], &[("v.m", arn(HOME, "tagged"))])];
    let catalog = build(file.to_vec(), &inventory);
    assert_eq!(kinds(&catalog), ["not_active", "not_active"]);
    assert_eq!(profiles(&catalog, "a"), ["v.m=plain"]);
}

/// Services `a` and `c` with few profiles, some of which AWS has, too.
fn any_file() -> impl Strategy<Value = Vec<ServiceSpec>> {
    let profile = || {
        let ids = proptest::sample::subsequence((0..20_u8).collect::<Vec<_>>(), 0..4);
        ids.prop_map(|ids| ids.into_iter().map(|id| arn(HOME, &format!("p{id}"))).collect::<Vec<_>>())
    };
    (profile(), profile()).prop_map(|(first, mut second)| {
        second.retain(|arn| !first.contains(arn));
        let sources = ["v.m", "us.v.m", "v.other"];
        let of = |arns: Vec<ProfileArn>| sources.into_iter().zip(arns).collect::<Vec<_>>();
        vec![spec("a", &[], &of(first)), spec("c", &[], &of(second))]
    })
}

proptest! {
    #[test]
    fn what_the_file_says_holds_whatever_aws_has(file in any_file(), found in any_profiles()) {
        let catalog = build(file.clone(), &inventory(found));
        for spec in &file {
            let service = catalog.service(spec.name.as_str()).unwrap();
            for (model, arn) in &spec.profiles {
                let stated = Profile::stated(model.clone(), arn.clone());
                prop_assert!(service.profiles.contains(&stated));
                prop_assert_eq!(catalog.owner(arn.as_str()), Some(&spec.name));
            }
        }
        for service in catalog.services() {
            let models: std::collections::BTreeSet<&str> =
                service.profiles.iter().map(|profile| profile.source_model.bare()).collect();
            prop_assert_eq!(models.len(), service.profiles.len(), "one profile per model");
            for profile in &service.profiles {
                prop_assert_eq!(catalog.owner(profile.arn.as_str()), Some(&service.name));
            }
        }
    }
}
