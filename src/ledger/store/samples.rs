//! Records for tests.

use crate::domain::{
    Attribution, MissingReason, ModelId, Money, Operation, Outcome, Picture, Policy, ProfileArn, Record,
    Region, RequestId, ServiceName, Tokens, Unit, Usage, UsageSource,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// The start of the first hour that test records lie in: 2026-01-02T03:00:00Z, in milliseconds since the epoch.
pub(crate) const START: u64 = 1_767_322_800_000;

/// Returns the time so many milliseconds after [`START`].
pub(crate) fn at(millis: u64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_millis(START + millis)
}

/// Returns the id of a call that started so many milliseconds after [`START`]; `number` tells it from others.
pub(crate) fn id(number: u64, millis: u64) -> RequestId {
    let bytes = (u128::from(START + millis) << 80) | 0x7000_8000_0000_0000_0000 | u128::from(number);
    RequestId::from_bytes(bytes.to_be_bytes())
}

/// Returns a priced call of service `checkout` that started so many milliseconds after [`START`].
pub(crate) fn plain(number: u64, millis: u64) -> Record {
    let usage = Usage {
        tokens: Tokens { input: Some(18), output: Some(386), ..Tokens::default() },
        ..Usage::default()
    };
    Record {
        id: id(number, millis),
        started_at: at(millis),
        finished_at: at(millis + 1500),
        service: ServiceName::parse("checkout").unwrap(),
        tags: Arc::new([("team".to_owned(), "payments".to_owned())].into()),
        operation: Operation::Converse,
        requested_model: None,
        source_model: Some(ModelId::parse("amazon.nova-lite-v1:0").unwrap()),
        profile_arn: None,
        attribution: Attribution::LedgerOnly,
        region: Region::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        client_gone: false,
        usage,
        usage_source: UsageSource::Converse,
        usage_missing: None,
        usage_raw: None,
        service_tier: None,
        latency_tier: None,
        picture: None,
        invoked_model: None,
        cost: Some(Money::from_picos(98_000_000)),
        price_id: Some("p1".into()),
        unpriced: None,
        time_to_first_byte: Some(Duration::from_micros(312_450)),
        duration: Duration::from_micros(1_500_250),
        aws_request_id: None,
        key_id: None,
        labels: std::collections::BTreeMap::new(),
    }
}

/// Any record that started within three hours of [`START`].
pub(crate) fn record() -> impl Strategy<Value = Record> {
    (times(), who(), usage(), charge(), rest()).prop_map(|(times, who, usage, charge, rest)| {
        let (number, millis, micros, duration) = times;
        Record {
            id: id(number, millis),
            started_at: at(millis) + Duration::from_micros(micros),
            finished_at: at(millis) + Duration::from_micros(duration),
            duration: Duration::from_micros(duration),
            ..with_rest(with_charge(with_usage(who, usage), charge), rest)
        }
    })
}

fn times() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    (any::<u64>(), 0..10_800_000_u64, 0..1000_u64, 0..60_000_000_u64)
}

fn who() -> impl Strategy<Value = Record> {
    let services = proptest::sample::select(vec!["checkout", "search", "a"]);
    let models = option::of(proptest::sample::select(vec!["amazon.nova-lite-v1:0", "us.anthropic.claude-x"]));
    let arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc";
    let tags = btree_map("[a-z]{1,3}", ".{0,4}", 0..3);
    let operations = proptest::sample::select(Operation::ALL.to_vec());
    (services, models.clone(), models, any::<bool>(), tags, operations, option::of("[0-9a-f]{16}")).prop_map(
        move |(service, requested, source, has_profile, tags, operation, key_id)| Record {
            service: ServiceName::parse(service).unwrap(),
            tags: Arc::new(tags),
            operation,
            requested_model: requested.map(|id| ModelId::parse(id).unwrap()),
            source_model: source.map(|id| ModelId::parse(id).unwrap()),
            profile_arn: has_profile.then(|| ProfileArn::parse(arn).unwrap()),
            attribution: if has_profile { Attribution::Profile } else { Attribution::LedgerOnly },
            key_id,
            ..plain(0, 0)
        },
    )
}

fn usage() -> impl Strategy<Value = (Usage, Option<Picture>)> {
    let tokens = proptest::array::uniform5(option::of(0..1_000_000_000_000_u64));
    let units = proptest::sample::subsequence(Unit::ALL.to_vec(), 0..=4);
    let policies = proptest::sample::subsequence(Policy::ALL.to_vec(), 0..=5);
    let picture =
        option::of((any::<u32>(), any::<u32>(), option::of("[a-z]{1,8}"), option::of(any::<u32>())));
    (tokens, units, policies, 1..1000_u64, picture).prop_map(|(tokens, units, policies, count, picture)| {
        let [input, output, cache_read, short, long] = tokens;
        let usage = Usage {
            tokens: Tokens { input, output, cache_read, cache_write_5m: short, cache_write_1h: long },
            units: units.into_iter().rev().zip(count..).collect(),
            policies: policies.into_iter().zip(count..).collect(),
        };
        let picture =
            picture.map(|(width, height, quality, steps)| Picture { width, height, quality, steps });
        (usage, picture)
    })
}

fn with_usage(record: Record, (usage, picture): (Usage, Option<Picture>)) -> Record {
    Record { usage, picture, ..record }
}

/// A cost, the prices it was computed with, and what has no price.
type AnyCharge = (Option<i64>, Option<String>, Option<String>);

fn charge() -> impl Strategy<Value = AnyCharge> {
    (option::of(0..1_000_000_000_000_000_i64), option::of("[a-z0-9@]{1,12}"), option::of("[a-z0-9.:-]{1,12}"))
}

fn with_charge(record: Record, (cost, price_id, unpriced): AnyCharge) -> Record {
    Record {
        cost: cost.map(|picos| Money::from_picos(picos.into())),
        price_id: price_id.map(Arc::from),
        unpriced: unpriced.map(Arc::from),
        ..record
    }
}

/// How it ended, where its usage came from, texts of upstream's, and labels.
type Rest = (
    (Option<u16>, Outcome, bool, UsageSource, bool),
    Vec<Option<String>>,
    std::collections::BTreeMap<String, String>,
);

fn rest() -> impl Strategy<Value = Rest> {
    let outcomes = proptest::sample::select(Outcome::ALL.to_vec());
    let sources = proptest::sample::select(UsageSource::ALL.to_vec());
    (
        (option::of(100..600_u16), outcomes, any::<bool>(), sources, any::<bool>()),
        vec(option::of("[a-z0-9-]{1,36}"), 4),
        btree_map("[a-c]", ".{0,3}", 0..3),
    )
}

fn with_rest(record: Record, (ending, texts, labels): Rest) -> Record {
    let (status, outcome, client_gone, usage_source, has_more) = ending;
    let mut texts = texts.into_iter();
    let mut text = || texts.next().flatten();
    Record {
        status,
        outcome,
        client_gone,
        usage_source,
        usage_missing: has_more.then_some(MissingReason::Unreadable),
        time_to_first_byte: has_more.then(|| Duration::from_micros(1234)),
        usage_raw: text().map(|said| serde_json::value::to_raw_value(&[said]).unwrap()),
        service_tier: text(),
        latency_tier: text(),
        aws_request_id: text(),
        invoked_model: has_more.then(|| ModelId::parse("amazon.nova-pro-v1:0").unwrap()),
        labels,
        ..record
    }
}
