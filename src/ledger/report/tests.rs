use super::fake::{FakeStore, record};
use super::*;
use crate::domain::{Money, Record};
use crate::ledger::store::{From, Grain};
use proptest::prelude::*;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn at(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

fn query(since: &str, until: &str, by: &[&str]) -> Query {
    Query {
        span: Span { since: at(since), until: at(until) },
        by: by.iter().map(|name| Dimension::parse(name).unwrap()).collect(),
        zone: TimeZone::UTC,
        service: None,
        top: None,
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn answer(store: &mut FakeStore, query: &Query) -> Report {
    let label_keys = store.label_keys.clone();
    run(store, query, &label_keys, &mut |_, _| {}).unwrap()
}

/// Returns each group's cells and calls.
fn rows(report: &Report) -> Vec<(Vec<String>, u64)> {
    let text = |cell: &Cell| match cell {
        Cell::Time(at) => at.format(&Rfc3339).unwrap(),
        Cell::Text(text) => text.clone(),
        Cell::Nothing => "(none)".to_owned(),
        Cell::Other => "(other)".to_owned(),
    };
    report.groups.iter().map(|group| (group.cells.iter().map(text).collect(), group.totals.calls)).collect()
}

fn row(cells: &[&str], count: u64) -> (Vec<String>, u64) {
    (cells.iter().map(|cell| (*cell).to_owned()).collect(), count)
}

#[test]
fn dimensions_print_as_they_are_named() {
    for name in Dimension::names().chain(["tag:team", "label:feature", "tag:a:b"]) {
        assert_eq!(Dimension::parse(name).unwrap().to_string(), name);
    }
    for bad in ["", "tag:", "label:", "team", "Service", "tags"] {
        assert!(Dimension::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn whole_hours_come_from_rollups_and_the_edges_from_records() {
    let plan =
        Plan::of(&query("2026-11-01T00:59:59.999999Z", "2026-11-03T00:00:00.000001Z", &["service"]), &[]);
    let part = |since, until, from| Part { span: Span { since: at(since), until: at(until) }, from };
    let expected = [
        part("2026-11-01T00:59:59.999999Z", "2026-11-01T01:00:00Z", From::Records),
        part("2026-11-01T01:00:00Z", "2026-11-03T00:00:00Z", From::Rollups),
        part("2026-11-03T00:00:00Z", "2026-11-03T00:00:00.000001Z", From::Records),
    ];
    assert_eq!((plan.grain, plan.parts.as_slice()), (Grain::Whole, &expected[..]));
    // A span within one hour, or over the edge of two, has no whole one.
    for (since, until) in [("00:10:00", "00:20:00"), ("00:59:00", "01:59:00")] {
        let (since, until) = (format!("2026-11-01T{since}Z"), format!("2026-11-01T{until}Z"));
        let plan = Plan::of(&query(&since, &until, &["hour"]), &[]);
        assert!(plan.parts.iter().all(|part| part.from == From::Records), "{plan:?}");
        assert_eq!(plan.grain, Grain::Hour);
    }
}

#[test]
fn what_rollups_lack_comes_from_records() {
    let whole = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    let from = |query: &Query, keys: &[String]| Plan::of(query, keys).parts[0].from;
    let feature = query(whole.0, whole.1, &["label:feature"]);
    assert_eq!(from(&feature, &[]), From::Records);
    assert_eq!(from(&feature, &["feature".to_owned()]), From::Rollups);
    let in_zone = |name, by| Query { zone: zone(name), ..query(whole.0, whole.1, &[by]) };
    assert_eq!(from(&in_zone("Europe/Berlin", "day"), &[]), From::Rollups);
    assert_eq!(from(&in_zone("Asia/Kolkata", "day"), &[]), From::Records);
    assert_eq!(Plan::of(&in_zone("Asia/Kolkata", "day"), &[]).grain, Grain::Quarter);
    assert_eq!(from(&in_zone("Asia/Kolkata", "service"), &[]), From::Rollups);
    // Lord Howe's summer time, from October to April, is half an hour; its summer is 11 hours from UTC.
    let summer = |since, until| Query { zone: zone("Australia/Lord_Howe"), ..query(since, until, &["day"]) };
    assert_eq!(from(&summer("2026-11-01T00:00:00Z", "2027-04-01T00:00:00Z"), &[]), From::Rollups);
    assert_eq!(from(&summer("2026-11-01T00:00:00Z", "2027-05-01T00:00:00Z"), &[]), From::Records);
}

#[test]
fn days_and_months_are_those_of_the_zone() {
    let mut store = FakeStore::default();
    // The last half hour of October in Berlin, and the first of November; then the end of summer time.
    for start in
        ["2026-10-31T22:30:00Z", "2026-10-31T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
    {
        store.records.push(record("a", at(start), 1));
    }
    let by = |name| Query {
        zone: zone("Europe/Berlin"),
        ..query("2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z", &[name])
    };
    let days = [
        row(&["2026-10-24T22:00:00Z"], 2),
        row(&["2026-10-30T23:00:00Z"], 1),
        row(&["2026-10-31T23:00:00Z"], 1),
    ];
    assert_eq!(rows(&answer(&mut store, &by("day"))), days);
    let months = [row(&["2026-09-30T22:00:00Z"], 3), row(&["2026-10-31T23:00:00Z"], 1)];
    assert_eq!(rows(&answer(&mut store, &by("month"))), months);
    // 2 o'clock comes twice that night.
    let hours = rows(&answer(&mut store, &by("hour")));
    assert_eq!(hours[..2], [row(&["2026-10-25T00:00:00Z"], 1), row(&["2026-10-25T01:00:00Z"], 1)]);
}

#[test]
fn the_costliest_come_first_and_times_before_that() {
    let mut store = FakeStore::default();
    for (service, start, input) in [
        ("a", "2026-11-01T10:00:00Z", 1),
        ("b", "2026-11-01T11:00:00Z", 5),
        ("c", "2026-11-01T12:00:00Z", 3),
        ("a", "2026-11-02T12:00:00Z", 9),
    ] {
        store.records.push(record(service, at(start), input));
    }
    let by = |names: &[&str]| query("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", names);
    let services = rows(&answer(&mut store, &by(&["service"])));
    assert_eq!(services, [row(&["a"], 2), row(&["b"], 1), row(&["c"], 1)]);
    let (first, second) = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    let expected =
        [row(&["b", first], 1), row(&["c", first], 1), row(&["a", first], 1), row(&["a", second], 1)];
    assert_eq!(rows(&answer(&mut store, &by(&["service", "day"]))), expected);
    let top = Query { top: Some(1), ..by(&["service", "day"]) };
    let expected = [row(&["b", first], 1), row(&["(other)", first], 2), row(&["a", second], 1)];
    assert_eq!(rows(&answer(&mut store, &top)), expected);
    let one = Query { service: Some(ServiceName::parse("a").unwrap()), ..by(&["service"]) };
    let report = answer(&mut store, &one);
    assert_eq!((rows(&report), report.totals.calls), (vec![row(&["a"], 2)], 2));
}

#[test]
fn tags_labels_and_what_has_none_are_told_apart() {
    let mut store = FakeStore { label_keys: vec!["env".to_owned()], ..FakeStore::default() };
    let mut tagged = record("a", at("2026-11-01T10:00:00Z"), 3);
    tagged.tags = Arc::new([("team".to_owned(), "payments".to_owned())].into());
    tagged.labels = [("feature".to_owned(), "search".to_owned())].into();
    store.records.extend([tagged, record("b", at("2026-11-01T11:00:00Z"), 1)]);
    let by = |name| query("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", &[name]);
    assert_eq!(rows(&answer(&mut store, &by("tag:team"))), [row(&["payments"], 1), row(&["(none)"], 1)]);
    assert_eq!(rows(&answer(&mut store, &by("label:feature"))), [row(&["search"], 1), row(&["(none)"], 1)]);
}

#[test]
fn a_call_without_a_profile_is_of_the_model_that_it_named() {
    let mut store = FakeStore::default();
    let profiled = record("a", at("2026-11-01T10:00:00Z"), 3);
    let model = |id| Some(crate::domain::ModelId::parse(id).unwrap());
    let passed = Record { source_model: None, requested_model: model("acme.x"), ..profiled.clone() };
    let modelless = Record { source_model: None, ..record("a", at("2026-11-01T10:00:00Z"), 1) };
    let aliased = Record { requested_model: model("fast"), ..record("a", at("2026-11-01T10:00:00Z"), 2) };
    store.records.extend([profiled, passed, modelless, aliased]);
    let models = answer(&mut store, &query("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", &["model"]));
    assert_eq!(rows(&models), [row(&["amazon.nova-lite-v1:0"], 2), row(&["acme.x"], 1), row(&["(none)"], 1)]);
}

#[test]
fn shares_are_rounded_once() {
    let share = |cost, total| share_of(Money::from_picos(cost), Money::from_picos(total));
    assert_eq!(
        [share(1, 3), share(2, 3), share(1, 1), share(0, 7)],
        [Some(3333), Some(6667), Some(10_000), Some(0)]
    );
    assert_eq!(share(1, 20_000), Some(1), "half a hundredth of a percent");
    assert_eq!(share(0, 0), None);
}

#[test]
fn progress_reaches_its_end() {
    let (mut store, mut seen) = (FakeStore::default(), Vec::new());
    let query = query("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", &["label:x"]);
    run(&mut store, &query, &[], &mut |done, of| seen.push((done, of))).unwrap();
    assert!(seen.len() > 50 && seen.len() <= 200, "{}", seen.len());
    assert_eq!(seen.last(), Some(&(seen.len(), seen.len())));
}

/// Micros of a moment in the days around the end of summer time in Berlin, often on the edge of an hour.
fn moment() -> impl Strategy<Value = OffsetDateTime> {
    let edge = prop_oneof![Just(-1_i64), Just(0), Just(1), -3_600_000_000..3_600_000_000_i64];
    (0..96_i64, edge).prop_map(|(hour, micros)| {
        at("2026-10-24T00:00:00Z") + time::Duration::hours(hour) + time::Duration::microseconds(micros)
    })
}

proptest! {
    #[test]
    fn a_report_is_the_sum_of_its_records(
        calls in prop::collection::vec((moment(), 0..1_000_000_u64, 0..3_usize), 0..40),
        (since, until) in (moment(), moment()),
        by in prop::sample::subsequence(vec!["service", "hour", "day", "month", "label:env", "label:x"], 0..4),
        zone_name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        top in prop::option::of(0..3_usize),
    ) {
        prop_assume!(since < until);
        let mut store = FakeStore { label_keys: vec!["env".to_owned()], ..FakeStore::default() };
        for (start, input, number) in calls {
            let mut record = record(["a", "b", "c"][number], start, input);
            record.labels.insert(["env", "x", "y"][number].to_owned(), number.to_string());
            store.records.push(record);
        }
        let by = by.into_iter().map(|name| Dimension::parse(name).unwrap()).collect();
        let query = Query { span: Span { since, until }, by, zone: zone(zone_name), service: None, top };
        let report = answer(&mut store, &query);
        let mut expected = Totals::default();
        let within = store.records.iter().filter(|record| (since..until).contains(&record.started_at));
        within.for_each(|record| expected.add(&Totals::of(record)));
        prop_assert_eq!(report.totals, expected);
        let mut of_groups = Totals::default();
        report.groups.iter().for_each(|group| of_groups.add(&group.totals));
        prop_assert_eq!(of_groups, expected);
        // The parts adjoin, and are the span.
        let parts: Vec<Span> = store.asked.iter().map(|(span, _, _)| *span).collect();
        prop_assert!(parts.windows(2).all(|pair| pair[0].until == pair[1].since));
        prop_assert_eq!((parts[0].since, parts[parts.len() - 1].until), (since, until));
    }

    #[test]
    fn a_period_holds_its_moments(start in moment(), zone_name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])) {
        let zone = zone(zone_name);
        for (period, longest) in [(Period::Hour, 1), (Period::Day, 25), (Period::Month, 31 * 24 + 1)] {
            let begun = period.start(start, &zone);
            prop_assert!(begun <= start && start - begun < time::Duration::hours(longest), "{period:?} {begun}");
            prop_assert_eq!(period.start(begun, &zone), begun);
        }
    }
}
