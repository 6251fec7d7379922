//! Costs against an independent calculation: `tests/prices/oracle.py`, from the reference prices alone.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use time::OffsetDateTime;
use tollgate::domain::{ModelId, Picture, Policy, Region, ServiceName, Tokens, Unit, Usage};
use tollgate::price::{PriceTable, Sold, Used};

const REGIONS: [&str; 10] = [
    "us-east-1",
    "us-west-2",
    "us-gov-west-1",
    "eu-central-1",
    "eu-west-2",
    "ap-northeast-1",
    "ap-southeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ca-central-1",
];

/// How many calls of each model are charged in each of the regions.
const CALLS: usize = 2;

/// One call, and what it used.
#[derive(Debug, Clone)]
struct Call {
    usage: Usage,
    service_tier: Option<&'static str>,
    latency_tier: Option<&'static str>,
    picture: Option<Picture>,
}

fn count() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(0)),
        4 => (1_u64..50_000).prop_map(Some),
        2 => (50_000_u64..2_000_000).prop_map(Some),
    ]
}

fn tokens() -> impl Strategy<Value = Tokens> {
    (count(), count(), count(), count(), prop_oneof![2 => Just(None), 1 => count()]).prop_map(
        |(input, output, cache_read, cache_write_5m, cache_write_1h)| Tokens {
            input,
            output,
            cache_read,
            cache_write_5m,
            cache_write_1h,
        },
    )
}

/// Tokens as one calls for: of a cache or not, beside guardrails or not.
fn usage() -> impl Strategy<Value = Usage> {
    let plain = (count(), count())
        .prop_map(|(input, output)| Tokens { input, output, ..Tokens::default() })
        .prop_map(|tokens| Usage { tokens, ..Usage::default() });
    let cached = || tokens().prop_map(|tokens| Usage { tokens, ..Usage::default() });
    let unit = prop_oneof![Just(Unit::Images), Just(Unit::Queries)];
    let units =
        (unit, 1_u64..9).prop_map(|(unit, count)| Usage { units: vec![(unit, count)], ..Usage::default() });
    prop_oneof![3 => plain, 3 => cached(), 2 => units, 1 => cached().prop_flat_map(guarded)]
}

fn guarded(usage: Usage) -> impl Strategy<Value = Usage> {
    let counts = proptest::array::uniform7(0_u64..30);
    counts.prop_map(move |[images, counts @ ..]| {
        let mut usage = usage.clone();
        for (policy, count) in Policy::ALL.into_iter().zip(counts) {
            usage.add_policy(policy, count);
            if policy != Policy::AutomatedReasoning {
                usage.add(Unit::TextUnits, count);
            }
        }
        usage.add(Unit::GuardrailImages, images);
        usage
    })
}

fn call() -> impl Strategy<Value = Call> {
    let service_tier = prop_oneof![
        6 => Just(None), 1 => Just(Some("default")), 2 => Just(Some("priority")), 2 => Just(Some("flex")),
        1 => Just(Some("reserved")),
    ];
    let latency_tier =
        prop_oneof![8 => Just(None), 1 => Just(Some("standard")), 1 => Just(Some("optimized"))];
    let side = || prop_oneof![Just(512_u32), Just(896), Just(1024), Just(1152), Just(1536)];
    let picture = (side(), side(), 10_u32..150).prop_map(|(width, height, steps)| Picture {
        width,
        height,
        quality: None,
        steps: Some(steps),
    });
    (usage(), service_tier, latency_tier, proptest::option::of(picture)).prop_map(
        |(usage, service_tier, latency_tier, picture)| Call { usage, service_tier, latency_tier, picture },
    )
}

/// Returns a call as the oracle reads it, with what it is charged here.
fn case(table: &PriceTable, model: &str, region: &str, call: &Call) -> Value {
    let (id, place) = (ModelId::parse(model).unwrap(), Region::parse(region).unwrap());
    let rates = table.rates(&ServiceName::parse("a").unwrap(), Some(&id), &place);
    let charge = rates.charge(&Used {
        at: OffsetDateTime::from_unix_timestamp(1_795_500_000).unwrap(),
        usage: &call.usage,
        service_tier: call.service_tier,
        latency_tier: call.latency_tier,
        picture: call.picture.as_ref(),
    });
    assert_eq!(charge.cost.is_none(), charge.unpriced.is_some(), "{call:?}");
    let mut usage = serde_json::Map::new();
    for (kind, count) in call.usage.tokens.by_kind() {
        usage.extend(count.map(|count| (kind.to_owned(), json!(count))));
    }
    usage.extend(call.usage.units.iter().map(|(unit, count)| (unit.name().to_owned(), json!(count))));
    usage.extend(call.usage.policies.iter().map(|(policy, count)| (policy.name().to_owned(), json!(count))));
    json!({
        "model": model, "region": region, "usage": usage, "service_tier": call.service_tier,
        "latency_tier": call.latency_tier, "picture": call.picture, "cost": charge.cost,
    })
}

/// Returns every price of the table: model, region, way of sale, tier, unit, USD per one.
fn listed(table: &PriceTable) -> Vec<Value> {
    let of_row = |row: &std::sync::Arc<tollgate::price::Row>| {
        let region = row.region.as_ref().map(|region| region.as_str().to_owned());
        let (model, sold) = (row.model.clone(), row.sold.name());
        let units = row.prices.units.clone();
        units
            .into_iter()
            .map(move |(tier, meter, price)| json!([model, region, sold, tier.name(), meter.name(), price]))
    };
    table.rows().flat_map(of_row).collect()
}

/// Returns a plain call for each unit that any model is charged by.
fn singles() -> Vec<Call> {
    let one = Some(1_000);
    let of = |tokens| Usage { tokens, ..Usage::default() };
    let usages = [
        of(Tokens { input: one, ..Tokens::default() }),
        of(Tokens { output: one, ..Tokens::default() }),
        of(Tokens { cache_read: one, ..Tokens::default() }),
        of(Tokens { cache_write_5m: one, ..Tokens::default() }),
        of(Tokens { cache_write_1h: one, ..Tokens::default() }),
        Usage { units: vec![(Unit::Images, 1)], ..Usage::default() },
        Usage { units: vec![(Unit::Queries, 1)], ..Usage::default() },
    ];
    let picture = Some(Picture { width: 1024, height: 1024, quality: None, steps: Some(50) });
    let call = |usage| Call { usage, service_tier: None, latency_tier: None, picture: picture.clone() };
    usages.into_iter().map(call).collect()
}

fn cases(table: &PriceTable) -> Vec<Value> {
    let mut runner = TestRunner::default();
    let calls = call();
    let mut cases = Vec::new();
    for row in table.rows().filter(|row| row.sold == Sold::OnDemand && row.model != "guardrails") {
        let own = row.region.as_ref().map(Region::as_str);
        for region in own.map_or_else(|| REGIONS.to_vec(), |region| vec![region; REGIONS.len()]) {
            let random = (0..CALLS).map(|_| calls.new_tree(&mut runner).unwrap().current());
            for call in random.collect::<Vec<_>>().into_iter().chain(singles()) {
                // What has no usage at all has no cost, and needs none.
                if !call.usage.is_empty() {
                    cases.push(case(table, &row.model, region, &call));
                }
            }
        }
    }
    cases
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prices")
}

#[track_caller]
fn compare(reference: &Path) {
    let table = PriceTable::builtin();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("cases.json");
    let given = json!({ "cases": cases(&table), "table": listed(&table) });
    std::fs::write(&file, serde_json::to_vec(&given).unwrap()).unwrap();
    let run = Command::new("python3").arg(folder().join("oracle.py")).arg(reference).arg(&file).output();
    let output = match run {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIPPED: no python3 to compare costs with: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    eprint!("{said}");
}

#[test]
fn every_model_costs_what_the_reference_says() {
    compare(&folder().join("reference.json"));
}

#[test]
fn the_committed_reference_is_the_given_one() {
    match std::env::var_os("TOLLGATE_REFERENCE_PRICES") {
        Some(reference) => compare(Path::new(&reference)),
        None => eprintln!("SKIPPED: TOLLGATE_REFERENCE_PRICES names no reference to compare with"),
    }
}
