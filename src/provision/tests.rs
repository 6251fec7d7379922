use super::*;
use crate::config::ServiceSpec;
use crate::discovery::tests::{arn, found, inventory};
use crate::domain::Region;
use crate::inventory::{FoundProfile, SOURCE_TAG};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn model(id: &str) -> ModelId {
    ModelId::parse(id).unwrap()
}

fn place(region: &str) -> Place {
    Place { region: Region::parse(region).unwrap(), account: "123456789012".to_owned() }
}

fn settings() -> Settings {
    Settings {
        service_tag: "Service".to_owned(),
        places: vec![place("us-west-2")],
        unlisted: Unlisted::Alive,
        unused: Leftovers::Kept,
    }
}

fn spec(name: &str, models: &[&str], pins: &[(&str, &str)]) -> ServiceSpec {
    ServiceSpec {
        tags: Arc::new(BTreeMap::from([("team".to_owned(), format!("of {name}"))])),
        models: models.iter().map(|id| model(id)).collect(),
        profiles: pins.iter().map(|(source, id)| (model(source), arn("us-west-2", id))).collect(),
        ..ServiceSpec::new(ServiceName::parse(name).unwrap())
    }
}

fn file(services: impl IntoIterator<Item = ServiceSpec>) -> ServicesFile {
    ServicesFile { services: services.into_iter().collect() }
}

type Tags<'a> = &'a [(&'a str, &'a str)];

/// Returns an inventory of profiles in us-west-2: id, models and tags.
fn aws(profiles: &[(&str, &[&str], Tags<'_>)]) -> Inventory {
    inventory(profiles.iter().map(|(id, models, tags)| (arn("us-west-2", id), found(models, tags))))
}

/// Does a step to an inventory, as AWS would.
fn carry_out(step: Step<'_>, aws: &mut Inventory) {
    match step {
        Step::Create(create) => {
            let made = arn(create.place.region.as_str(), &create.token()[9..21]);
            assert!(!create.avoid.contains(&made));
            let models = match aws.systems.get(&create.copy_from) {
                Some(system) => system.models.clone(),
                None => vec![create.copy_from.clone()],
            };
            let profile = FoundProfile {
                name: create.name.clone(),
                status: "ACTIVE".to_owned(),
                models,
                tags: Some(create.tags.clone()),
                created_at: None,
            };
            aws.profiles.entry(made).or_insert(profile);
        }
        Step::Tag(retag) => {
            let tags = aws.profiles.get_mut(&retag.arn).unwrap().tags.as_mut().unwrap();
            tags.extend(retag.set.iter().map(|(key, change)| (key.clone(), change.new.clone())));
        }
        Step::Delete(arn) => drop(aws.profiles.remove(arn).unwrap()),
    }
}

/// Returns what a plan comes to, one word per change, and the kinds of problems.
fn summed(plan: &Plan) -> (Vec<String>, Vec<&'static str>) {
    let changes = plan.changes.iter().map(|change| match change {
        Change::Create(create) => format!("create {} {}", create.service, create.source),
        Change::Tag(retag) => {
            let keys: Vec<&str> = retag.set.keys().map(String::as_str).collect();
            format!("tag {} {}", retag.arn.id(), keys.join(","))
        }
        Change::Replace(Replace { old, by, source, .. }) => {
            let by = match by {
                Replacement::Create(_) => "a new one".to_owned(),
                Replacement::Made(arn) => arn.id().to_owned(),
            };
            format!("replace {} by {by} of {source}", old[0].arn.id())
        }
        Change::Delete(unused) => format!("delete {}", unused.arn.id()),
    });
    (changes.collect(), plan.problems.iter().map(Problem::kind).collect())
}

fn planned(spec: ServiceSpec, aws: &Inventory) -> (Vec<String>, Vec<&'static str>) {
    summed(&plan(&file([spec]), aws, &settings()))
}

fn only(change: &str) -> (Vec<String>, Vec<&'static str>) {
    (vec![change.to_owned()], Vec::new())
}

fn problem(kind: &'static str) -> (Vec<String>, Vec<&'static str>) {
    (Vec::new(), vec![kind])
}

const A: (&str, &str) = ("Service", "a");
const TEAM: (&str, &str) = ("team", "of a");

#[test]
fn what_is_missing_is_made() {
    let services = file([spec("a", &["v.m", "us.v.m"], &[])]);
    let plan = plan(&services, &aws(&[]), &settings());
    assert_eq!(summed(&plan), (vec!["create a v.m".to_owned(), "create a us.v.m".to_owned()], vec![]));
    let Change::Create(create) = &plan.changes[0] else { panic!("{plan:?}") };
    assert_eq!(create.copy_from, "arn:aws:bedrock:us-west-2::foundation-model/v.m");
    let tags = [("Service", "a"), ("team", "of a"), ("tollgate:source", "v.m")];
    assert!(create.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(tags));
    let Change::Create(create) = &plan.changes[1] else { panic!("{plan:?}") };
    assert_eq!(create.copy_from, "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.v.m");
}

#[test]
fn the_partition_is_that_of_the_region() {
    let settings = Settings { places: vec![place("us-gov-west-1")], ..settings() };
    let plan = plan(&file([spec("a", &["v.m"], &[])]), &aws(&[]), &settings);
    let Change::Create(create) = &plan.changes[0] else { panic!("{plan:?}") };
    assert_eq!(create.copy_from, "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/v.m");
}

#[test]
fn what_is_there_is_tagged_at_most() {
    let wish = || spec("a", &["v.m"], &[]);
    let whole = [A, TEAM, (SOURCE_TAG, "v.m"), ("own", "left alone")];
    assert_eq!(planned(wish(), &aws(&[("p", &["v.m"], &whole)])), (vec![], vec![]));
    assert_eq!(planned(wish(), &aws(&[("p", &["v.m"], &[A])])), only("tag p team,tollgate:source"));
    let wrong = [A, ("team", "of b"), (SOURCE_TAG, "v.m")];
    assert_eq!(planned(wish(), &aws(&[("p", &["v.m"], &wrong)])), only("tag p team"));
    // The services file says whose it is.
    let pinned = || spec("a", &["v.m"], &[("v.m", "p")]);
    let untagged = aws(&[("p", &["v.m"], &[])]);
    assert_eq!(planned(pinned(), &untagged), only("tag p Service,team,tollgate:source"));
    let illegal = aws(&[("p", &["v.m"], &[("Service", "Not a")])]);
    assert_eq!(planned(pinned(), &illegal), only("tag p Service,team,tollgate:source"));
}

#[test]
fn a_service_that_asks_for_no_models_is_left_alone() {
    let aws = aws(&[("p", &["v.m"], &[A]), ("q", &["v.m"], &[])]);
    let plan = plan(&file([spec("a", &[], &[("v.m", "q")])]), &aws, &settings());
    assert_eq!(plan, Plan::default());
}

#[test]
fn what_routes_elsewhere_is_replaced() {
    let wish = |models: &[&str]| spec("a", models, &[]);
    let lying = aws(&[("p", &["us-west-2/v.m", "us-east-2/v.m"], &[A, TEAM, (SOURCE_TAG, "v.m")])]);
    assert_eq!(planned(wish(&["v.m"]), &lying), only("replace p by a new one of v.m"));
    let made = ("q", &["v.m"][..], &[A, TEAM, (SOURCE_TAG, "v.m")][..]);
    let both = aws(&[("p", &["us-west-2/v.m", "us-east-2/v.m"], &[A, TEAM, (SOURCE_TAG, "v.m")]), made]);
    assert_eq!(planned(wish(&["v.m"]), &both), only("replace p by q of v.m"));
    // Where what it routes as is asked for as well, it is that.
    let (changes, problems) = planned(wish(&["v.m", "us.v.m"]), &lying);
    assert_eq!((changes, problems), (vec!["create a v.m".into(), "tag p tollgate:source".into()], vec![]));
    // Where it may be what is asked for, it stays.
    let unclear = aws(&[("p", &["us-east-1/v.twin", "us-west-2/v.twin"], &[A, TEAM, (SOURCE_TAG, "v.m")])]);
    let (changes, problems) = planned(wish(&["v.m", "global.v.twin"]), &unclear);
    assert_eq!((changes, problems), (vec!["create a v.m".into()], vec!["ambiguous"]));
}

#[test]
fn what_cannot_be_told_stops_the_plan_of_that_model() {
    let wish = |id: &str| spec("a", &[id], &[]);
    let pin = |id: &str| spec("a", &[id], &[(id, "p")]);
    assert_eq!(planned(wish("eu.v.m"), &aws(&[])), problem("unavailable"));
    let twin = aws(&[("p", &["us-east-1/v.twin", "us-west-2/v.twin"], &[A])]);
    assert_eq!(planned(wish("global.v.twin"), &twin), problem("ambiguous"));
    let (changes, problems) = planned(wish("us.v.twin"), &twin);
    assert_eq!((changes, problems), (vec!["tag p team".to_owned()], vec!["ambiguous"]));
    assert_eq!(planned(pin("global.v.twin"), &twin), only("tag p team,tollgate:source"));
    let mut creating = aws(&[("p", &["v.m"], &[A])]);
    creating.profiles.get_mut(&arn("us-west-2", "p")).unwrap().status = "CREATING".to_owned();
    assert_eq!(planned(wish("v.m"), &creating), problem("not_active"));
    assert_eq!(planned(pin("v.m"), &creating), problem("not_active"));
    let mut unread = aws(&[("p", &["v.m"], &[])]);
    unread.profiles.get_mut(&arn("us-west-2", "p")).unwrap().tags = None;
    assert_eq!(planned(wish("v.m"), &unread), problem("unread"));
    assert_eq!(planned(pin("v.m"), &unread), problem("unread"));
    assert_eq!(planned(wish("us.v.m"), &unread), only("create a us.v.m"));
    let foreign = aws(&[("p", &["v.m"], &[("Service", "b")])]);
    assert_eq!(planned(pin("v.m"), &foreign), problem("foreign"));
    let names: Vec<String> = (0..49).map(|number| format!("t{number}")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).chain([A]).collect();
    assert_eq!(planned(wish("v.m"), &aws(&[("p", &["v.m"], &tags)])), problem("too_many_tags"));
}

#[test]
fn what_the_services_file_has_wrong_is_made_anew() {
    let pin = || spec("a", &["v.m"], &[("v.m", "p")]);
    let create = vec!["create a v.m".to_owned()];
    assert_eq!(planned(pin(), &aws(&[])), (create.clone(), vec!["gone"]));
    let other = aws(&[("p", &["v.other"], &[])]);
    assert_eq!(planned(pin(), &other), (create.clone(), vec!["other_model"]));
    let untagged = aws(&[("q", &["v.m"], &[])]);
    assert_eq!(planned(spec("a", &["v.m"], &[]), &untagged), (create, vec!["untagged"]));
    let both = plan(&file([spec("a", &["v.m"], &[]), spec("b", &["v.m"], &[])]), &untagged, &settings());
    assert_eq!((both.changes.len(), both.problems.len()), (2, 1));
    // Nobody has looked where it is.
    let mut far = spec("a", &["v.m"], &[]);
    far.profiles = vec![(model("v.m"), arn("eu-west-1", "p"))];
    assert_eq!(planned(far, &aws(&[])), (vec![], vec![]));
}

#[test]
fn a_profile_that_is_gone_is_not_asked_for_by_its_token_again() {
    let token = |spec: ServiceSpec| {
        let plan = plan(&file([spec]), &aws(&[]), &settings());
        let Some(Change::Create(create)) = plan.changes.into_iter().next() else { panic!() };
        (create.token(), create.avoiding(arn("us-west-2", "ghost")).token())
    };
    let (first, avoiding) = token(spec("a", &["v.m"], &[]));
    let (after, _) = token(spec("a", &["v.m"], &[("v.m", "ghost")]));
    assert_ne!(first, after);
    assert_eq!(avoiding, after);
}

#[test]
fn what_nobody_asks_for_is_shown_and_deleted_only_if_told_so() {
    let all = aws(&[
        ("asked", &["v.m"], &[A, TEAM, (SOURCE_TAG, "v.m")]),
        ("twice", &["v.m"], &[A]),
        ("other", &["v.other"], &[A, (SOURCE_TAG, "v.other")]),
        ("theirs", &["v.lone"], &[A]),
        ("named", &["v.third"], &[A]),
        ("given-up", &["v.m"], &[("Service", "b"), (SOURCE_TAG, "v.m")]),
        ("by-hand", &["v.m"], &[("Service", "b")]),
    ]);
    let services = file([spec("a", &["v.m"], &[("v.third", "named")])]);
    let unused = |unlisted| {
        let plan = plan(&services, &all, &Settings { unlisted, ..settings() });
        assert_eq!(summed(&plan), (vec![], vec!["duplicate"]));
        plan.unused.iter().map(|unused| unused.arn.id().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unused(Unlisted::Alive), ["other", "theirs"]);
    assert_eq!(unused(Unlisted::GivenUp), ["given-up", "other", "theirs"]);
    let plan = plan(&services, &all, &Settings { unused: Leftovers::Deleted, ..settings() });
    assert_eq!(summed(&plan), (vec!["delete other".to_owned()], vec!["duplicate"]));
    // Who has made a profile is to delete it.
    assert_eq!(plan.unused.iter().map(|unused| unused.arn.id()).collect::<Vec<_>>(), ["theirs"]);
}

#[test]
fn problems_say_what_to_do() {
    let plan = plan(&file([spec("a", &["eu.v.m"], &[])]), &aws(&[]), &settings());
    assert_eq!(
        serde_json::to_value(&plan.problems).unwrap(),
        serde_json::json!([{
            "problem": "unavailable",
            "blocking": true,
            "message": "service 'a': us-west-2 has no system-defined profile eu.v.m, but global.v.m and us.v.m; \
                        correct `models`, or plan for a region that has it with --region",
        }])
    );
}

/// Returns a plan with a change of every kind, something unused and a problem.
pub(crate) fn sample() -> Plan {
    let lying = (SOURCE_TAG, "global.v.m");
    let all = aws(&[
        ("tagged", &["v.m"], &[A, ("team", "of b")]),
        ("lying", &["v.lone"], &[A, TEAM, lying]),
        ("unasked", &["v.other"], &[A, (SOURCE_TAG, "v.other")]),
    ]);
    let services = file([spec("a", &["us.v.m", "v.m", "global.v.m", "eu.v.m"], &[])]);
    let kept = plan(&services, &all, &settings());
    let mut deleted = plan(&services, &all, &Settings { unused: Leftovers::Deleted, ..settings() });
    deleted.unused = kept.unused;
    deleted
}

const IDS: [&str; 9] =
    ["v.m", "us.v.m", "global.v.m", "v.twin", "us.v.twin", "global.v.twin", "v.lone", "us.v.lone", "eu.v.m"];

const ROUTES: [&[&str]; 8] = [
    &["v.m"],
    &["us-east-1/v.m", "us-west-2/v.m"],
    &["us-west-2/v.m", "/v.m"],
    &["us-east-1/v.twin", "us-west-2/v.twin"],
    &["v.lone"],
    &["us-east-2/v.m"],
    &["v.m", "v.lone"],
    &[],
];

prop_compose! {
    fn some_profile()(
        routes in prop::sample::select(&ROUTES[..]),
        owner in prop::option::weighted(0.8, prop::sample::select(vec!["a", "b", "c", "Not legal"])),
        source in prop::option::of(prop::sample::select(&IDS[..])),
        is_active in prop::bool::weighted(0.9),
        is_read in prop::bool::weighted(0.9),
    ) -> FoundProfile {
        let owner = owner.map(|owner| ("Service", owner));
        let source = source.map(|source| (SOURCE_TAG, source));
        let tags: Vec<(&str, &str)> = owner.into_iter().chain(source).collect();
        let mut profile = found(routes, &tags);
        if !is_active { profile.status = "CREATING".to_owned(); }
        if !is_read { profile.tags = None; }
        profile
    }
}

prop_compose! {
    fn some_service(name: &'static str, pins: [&'static str; 2])(
        models in prop::sample::subsequence(&IDS[..], 0..=4),
        pins in prop::sample::subsequence(pins.to_vec(), 0..=2),
        pinned in prop::sample::subsequence(&IDS[..], 2),
    ) -> ServiceSpec {
        let pins: Vec<(&str, &str)> = pinned.into_iter().zip(pins).collect();
        spec(name, &models, &pins)
    }
}

fn some_aws() -> impl Strategy<Value = Inventory> {
    let regions = prop::sample::select(vec!["us-west-2", "us-west-2", "us-east-1"]);
    prop::collection::vec((regions, some_profile()), 0..8).prop_map(|profiles| {
        let ids = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
        inventory(ids.iter().zip(profiles).map(|(id, (region, profile))| (arn(region, id), profile)))
    })
}

/// Returns what there is, whatever its ARN.
fn contents(aws: &Inventory) -> Vec<String> {
    let mut all: Vec<String> = aws
        .profiles
        .iter()
        .map(|(arn, profile)| format!("{} {:?} {:?}", arn.region(), profile.models, profile.tags))
        .collect();
    all.sort();
    all
}

proptest! {
    #[test]
    fn a_plan_leads_to_one_end_however_often_it_is_broken_off(
        a in some_service("a", ["p0", "p1"]),
        b in some_service("b", ["p2", "p3"]),
        aws in some_aws(),
        places in prop::sample::subsequence(vec!["us-west-2", "us-east-1"], 1..=2),
        (unlisted, unused) in prop::sample::select(vec![
            (Unlisted::Alive, Leftovers::Kept),
            (Unlisted::Alive, Leftovers::Deleted),
            (Unlisted::GivenUp, Leftovers::Deleted),
        ]),
    ) {
        let services = file([a, b]);
        let places = places.into_iter().map(place).collect();
        let settings = Settings { places, unlisted, unused, ..settings() };
        let whole = plan(&services, &aws, &settings);
        let mut end = aws.clone();
        whole.steps().into_iter().for_each(|step| carry_out(step, &mut end));
        let after = plan(&services, &end, &settings);
        prop_assert!(after.is_empty(), "{whole:#?}\n{after:#?}");
        for done in 0..whole.steps().len() {
            let mut broken_off = aws.clone();
            whole.steps().into_iter().take(done).for_each(|step| carry_out(step, &mut broken_off));
            let rest = plan(&services, &broken_off, &settings);
            rest.steps().into_iter().for_each(|step| carry_out(step, &mut broken_off));
            prop_assert_eq!(contents(&broken_off), contents(&end), "{} of {:#?}", done, whole);
            prop_assert!(plan(&services, &broken_off, &settings).is_empty());
        }
    }
}
