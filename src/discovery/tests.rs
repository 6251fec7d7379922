use super::*;
use crate::inventory::SystemProfile;
use proptest::prelude::*;
use std::collections::BTreeSet;
use time::OffsetDateTime;

pub(crate) fn arn(region: &str, id: &str) -> ProfileArn {
    let arn = format!("arn:aws:bedrock:{region}:123456789012:application-inference-profile/{id}");
    ProfileArn::parse(&arn).unwrap()
}

/// Returns a profile that routes to models, written `id` (in us-west-2), `region/id` or `/id` (no region).
pub(crate) fn found(models: &[&str], tags: &[(&str, &str)]) -> FoundProfile {
    FoundProfile {
        name: "name".to_owned(),
        status: "ACTIVE".to_owned(),
        models: models.iter().map(|model| destination(model)).collect(),
        tags: Some(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()),
        created_at: None,
    }
}

fn destination(model: &str) -> String {
    let (region, id) = model.split_once('/').unwrap_or(("us-west-2", model));
    format!("arn:aws:bedrock:{region}::foundation-model/{id}")
}

pub(crate) fn inventory(profiles: impl IntoIterator<Item = (ProfileArn, FoundProfile)>) -> Inventory {
    let system = |id: &str, models: &[&str]| {
        let region = Region::default();
        let arn = format!("arn:aws:bedrock:{region}:123456789012:inference-profile/{id}");
        let models = models.iter().map(|model| destination(model)).collect();
        (arn, SystemProfile { id: id.to_owned(), region, models })
    };
    let systems = [
        system("us.v.m", &["us-east-1/v.m", "us-west-2/v.m"]),
        system("global.v.m", &["us-west-2/v.m", "/v.m"]),
        system("us.v.twin", &["us-east-1/v.twin", "us-west-2/v.twin"]),
        system("global.v.twin", &["us-east-1/v.twin", "us-west-2/v.twin"]),
        system("us.v.lone", &["us-west-2/v.lone"]),
    ];
    Inventory { profiles: profiles.into_iter().collect(), systems: systems.into_iter().collect() }
}

fn discover(inventory: &Inventory) -> Discovered {
    Discovered::of(inventory, "Service", &Region::default())
}

fn model(id: &str) -> ModelId {
    ModelId::parse(id).unwrap()
}

/// Returns the source of a profile of service `a` in us-west-2, `?` where it is inferred, and what is wrong with it.
fn source(models: &[&str], stated: Option<&str>) -> (String, Vec<&'static str>) {
    source_in("us-west-2", models, stated)
}

fn source_in(region: &str, models: &[&str], stated: Option<&str>) -> (String, Vec<&'static str>) {
    let mut profile = found(models, &[("Service", "a")]);
    let tags = profile.tags.as_mut().unwrap();
    tags.extend(stated.map(|stated| (SOURCE_TAG.to_owned(), stated.to_owned())));
    let discovered = discover(&inventory([(arn(region, "p"), profile)]));
    let kinds = discovered.findings.iter().map(Finding::kind).collect();
    let source = discovered.profiles[&arn(region, "p")].source.clone();
    let text = source.map_or("none".to_owned(), |source| match source.knowledge {
        SourceKnowledge::Stated => source.model.to_string(),
        SourceKnowledge::Inferred => format!("{}?", source.model),
    });
    (text, kinds)
}

#[test]
fn what_no_tag_says_is_inferred_from_models_and_regions() {
    let inferred = |models: &[&str]| source(models, None);
    let plain = |text: &str| (text.to_owned(), Vec::new());
    assert_eq!(inferred(&["v.m"]), plain("v.m?"));
    assert_eq!(inferred(&["us-west-2/v.m", "us-east-1/v.m"]), plain("us.v.m?"));
    assert_eq!(inferred(&["/v.m", "us-west-2/v.m"]), plain("global.v.m?"));
    // No system-defined profile has these models: the regions tell.
    assert_eq!(inferred(&["us-west-2/v.m", "us-east-2/v.m"]), plain("us.v.m?"));
    assert_eq!(inferred(&["us-west-2/v.m", "eu-west-1/v.m"]), plain("global.v.m?"));
    assert_eq!(inferred(&["us-east-1/v.m"]), plain("us.v.m?"));
    assert_eq!(inferred(&["me-central-1/v.m"]), plain("global.v.m?"));
    let japan = source_in("ap-northeast-1", &["ap-northeast-1/v.m", "ap-northeast-3/v.m"], None);
    assert_eq!(japan, plain("jp.v.m?"));
    let asia = source_in("ap-northeast-1", &["ap-northeast-1/v.m", "ap-southeast-2/v.m"], None);
    assert_eq!(asia, plain("apac.v.m?"));
    let ambiguous = |text: &str| (text.to_owned(), vec!["source_ambiguous"]);
    assert_eq!(inferred(&["us-east-1/v.twin", "us-west-2/v.twin"]), ambiguous("us.v.twin?"));
    assert_eq!(inferred(&["v.lone"]), ambiguous("v.lone?"));
    for models in [&[][..], &["v.m", "v.other"], &["us-west-2/"], &["U S/v.m"]] {
        assert_eq!(inferred(models), ("none".to_owned(), vec!["source_unknown"]), "{models:?}");
    }
}

#[test]
fn a_stated_source_holds_unless_the_models_contradict_it() {
    for (models, stated) in [
        (&["v.m"][..], "v.m"),
        (&["v.lone"], "us.v.lone"),
        (&["us-east-1/v.twin", "us-west-2/v.twin"], "global.v.twin"),
        // AWS has added a region to the system-defined profile since.
        (&["us-west-2/v.m", "us-east-2/v.m"], "us.v.m"),
        (&[], "us.v.m"),
    ] {
        assert_eq!(source(models, Some(stated)), (stated.to_owned(), Vec::new()), "{models:?}");
    }
    let by_arn = source(&["v.m"], Some("arn:aws:bedrock:us-west-2::foundation-model/v.m"));
    assert_eq!(by_arn, ("v.m".to_owned(), Vec::new()));
    for (models, stated, shown) in [
        (&["v.m"][..], "v.other", "v.m?"),
        (&["v.m"], "us.v.m", "v.m?"),
        (&["us-west-2/v.m", "/v.m"], "us.v.m", "global.v.m?"),
        (&["us-west-2/v.m", "us-east-2/v.m"], "v.m", "us.v.m?"),
    ] {
        let expected = (shown.to_owned(), vec!["source_contradicted"]);
        assert_eq!(source(models, Some(stated)), expected, "{models:?} {stated}");
    }
    // Where nobody knows the region's system-defined profiles, a geography cannot be held against a profile.
    assert_eq!(source_in("eu-west-1", &["eu-west-1/v.m"], Some("eu.v.m")), ("eu.v.m".to_owned(), vec![]));
    assert_eq!(source(&["v.m"], Some("a b")), ("v.m?".to_owned(), vec!["illegal_source"]));
    assert_eq!(source(&[], Some("")), ("none".to_owned(), vec!["illegal_source", "source_unknown"]));
}

#[test]
fn a_profile_belongs_to_the_service_that_its_tag_names() {
    let mut unread = found(&["v.m"], &[]);
    unread.tags = None;
    let mut inactive = found(&["v.m"], &[("Service", "b")]);
    inactive.status = "CREATING".to_owned();
    let tags = [("Service", "a"), ("team", "x"), ("aws:y", "1"), ("tollgate:source", "v.m")];
    let discovered = discover(&inventory([
        (arn("us-west-2", "good"), found(&["v.m"], &tags)),
        (arn("us-west-2", "illegal"), found(&["v.m"], &[("Service", "Check Out")])),
        (arn("us-west-2", "inactive"), inactive),
        (arn("us-west-2", "unread"), unread),
        (arn("us-west-2", "untagged"), found(&[], &[("service", "a")])),
    ]));
    let owners: Vec<&Owner> = discovered.profiles.values().map(|known| &known.owner).collect();
    let service = |name: &str| Owner::Service(ServiceName::parse(name).unwrap());
    assert_eq!(owners, [&service("a"), &Owner::Illegal, &service("b"), &Owner::Unread, &Owner::Untagged]);
    assert_eq!(discovered.services.keys().map(ServiceName::as_str).collect::<Vec<_>>(), ["a"]);
    let tags = discovered.profiles[&arn("us-west-2", "good")].tags.as_ref().unwrap();
    assert_eq!(tags, &BTreeMap::from([("team".to_owned(), "x".to_owned())]));
    let findings: Vec<String> = discovered.findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert_eq!(
        findings[0],
        "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/illegal: the value of its tag \
         'Service' names no service, so it serves none: 'Check Out' is not a service name: use 1 to 63 of a-z 0-9 \
         . _ -, starting with a letter or digit, and not one of unknown, other, none; tag it anew: aws bedrock \
         tag-resource --resource-arn arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/illegal \
         --tags key=Service,value=<service>"
    );
    assert!(findings[1].ends_with(
        "inactive: its status is CREATING, and calls can be made with ACTIVE ones alone: wait until it is, or make a \
         new one"
    ));
}

#[test]
fn the_home_region_is_preferred_then_the_oldest_profile() {
    let of = |second: Option<i64>| {
        let created_at = second.map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
        FoundProfile {
            created_at,
            ..found(&["us-east-1/v.m", "us-west-2/v.m"], &[("Service", "a"), (SOURCE_TAG, "us.v.m")])
        }
    };
    let discovered = discover(&inventory([
        (arn("eu-west-1", "a"), of(Some(1))),
        (arn("us-east-1", "b"), of(Some(0))),
        (arn("us-west-2", "c"), of(None)),
        (arn("us-west-2", "d"), of(Some(9))),
        (arn("us-west-2", "e"), of(Some(8))),
        (arn("us-west-2", "f"), of(Some(8))),
    ]));
    let ids: Vec<&str> = discovered.services["a"][&model("us.v.m")].iter().map(ProfileArn::id).collect();
    assert_eq!(ids, ["e", "f", "d", "c", "a", "b"]);
}

#[test]
fn a_profile_that_two_accounts_list_is_one_source() {
    let mut inventory =
        inventory([(arn("us-west-2", "p"), found(&["us-east-1/v.m", "us-west-2/v.m"], &[("Service", "a")]))]);
    let systems = inventory.systems.clone().into_iter();
    let of_other = systems.map(|(arn, system)| (arn.replace("123456789012", "210987654321"), system));
    inventory.systems.extend(of_other.collect::<Vec<_>>());
    let discovered = discover(&inventory);
    assert_eq!(discovered.findings, []);
    assert!(discovered.services[&ServiceName::parse("a").unwrap()].contains_key(&model("us.v.m")));
}

#[test]
fn only_a_complete_listing_tells_that_a_profile_is_gone() {
    let tagged = || found(&["v.m"], &[("Service", "a")]);
    let mut unread = tagged();
    unread.tags = None;
    let before = inventory(["a", "b", "c"].map(|id| (arn("us-west-2", id), tagged())));
    let regions = BTreeSet::from([Region::default()]);
    let failed = Reading { regions: regions.clone(), ..Reading::default() };
    assert_eq!(failed.after(&before), before);
    let place = Place::of(&arn("us-west-2", "a"));
    let complete = Reading {
        found: inventory([(arn("us-west-2", "b"), unread)]),
        complete: BTreeSet::from([place.clone()]),
        regions: regions.clone(),
        ..Reading::default()
    };
    assert_eq!(complete.after(&before), inventory([(arn("us-west-2", "b"), tagged())]));
    // The listing of another account says nothing of this one.
    let place = Place { account: "210987654321".to_owned(), ..place };
    let other = Reading { complete: BTreeSet::from([place]), regions, ..Reading::default() };
    let other = other.after(&before);
    let other_systems = other.systems.len();
    assert_eq!(other.profiles, before.profiles);
    // Nor of the system-defined profiles that this one lists.
    assert_eq!(other_systems, before.systems.len());
    // An account that is looked in no more is forgotten.
    let accounts = Some(BTreeSet::from(["210987654321".to_owned()]));
    let regions = BTreeSet::from([Region::default()]);
    let elsewhere = Reading { regions, accounts, ..Reading::default() };
    assert_eq!(elsewhere.after(&before).profiles, BTreeMap::new());
    // A region that is looked in no more is forgotten.
    assert_eq!(Reading::default().after(&before), Inventory::default());
}

/// Profiles of few services, models and regions, so that they meet.
pub(crate) fn any_profiles() -> impl Strategy<Value = Vec<(ProfileArn, FoundProfile)>> {
    let region = prop_oneof![Just("us-west-2"), Just("us-east-1"), Just("eu-west-1")];
    let service = prop_oneof![Just(None), Just(Some("a")), Just(Some("b")), Just(Some("No Name"))];
    let source = prop_oneof![Just(None), Just(Some("us.v.m")), Just(Some("v.m")), Just(Some("v.other"))];
    let models = prop_oneof![
        Just(vec!["us-west-2/v.m"]),
        Just(vec!["us-west-2/v.m", "us-east-1/v.m"]),
        Just(vec!["us-west-2/v.m", "/v.m"]),
    ];
    let profile = (region, 0..20_u8, service, source, models, proptest::option::of(0..3_i64), any::<bool>());
    let profile = profile.prop_map(|(region, id, service, source, models, made, active)| {
        let tags = service.map(|service| ("Service", service)).into_iter();
        let tags: Vec<(&str, &str)> = tags.chain(source.map(|source| (SOURCE_TAG, source))).collect();
        let mut profile = found(&models, &tags);
        profile.created_at = made.map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
        if !active {
            profile.status = "FAILED".to_owned();
        }
        (arn(region, &format!("p{id}")), profile)
    });
    proptest::collection::vec(profile, 0..24)
}

proptest! {
    #[test]
    fn the_order_of_models_changes_nothing(profiles in any_profiles()) {
        let mirrored = profiles.iter().cloned().map(|(arn, mut found)| {
            found.models.reverse();
            (arn, found)
        });
        prop_assert_eq!(discover(&inventory(mirrored)), discover(&inventory(profiles.clone())));
    }

    #[test]
    fn a_profile_that_goes_takes_no_other_along(profiles in any_profiles(), at in any::<prop::sample::Index>()) {
        let whole = inventory(profiles);
        prop_assume!(!whole.profiles.is_empty());
        let gone = whole.profiles.keys().nth(at.index(whole.profiles.len())).unwrap().clone();
        let mut rest = whole.clone();
        rest.profiles.remove(&gone);
        let (mut expected, left) = (discover(&whole), discover(&rest));
        expected.profiles.remove(&gone);
        for models in expected.services.values_mut() {
            for arns in models.values_mut() {
                arns.retain(|arn| *arn != gone);
            }
            models.retain(|_, arns| !arns.is_empty());
        }
        expected.services.retain(|_, models| !models.is_empty());
        expected.findings.retain(|finding| *finding.profile() != gone);
        prop_assert_eq!(left, expected);
    }

    #[test]
    fn a_look_that_fails_changes_nothing(profiles in any_profiles()) {
        let before = inventory(profiles);
        let regions = before.profiles.keys().map(|arn| arn.region().clone()).chain([Region::default()]).collect();
        let failed = Reading { regions, failures: vec!["throttled".to_owned()], ..Reading::default() };
        prop_assert_eq!(failed.after(&before), before);
    }
}
