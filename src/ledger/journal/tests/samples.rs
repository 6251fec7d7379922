//! Calls to write down: any at all, and plain ones by number.

use crate::domain::{
    Attribution, MissingReason, ModelId, Money, Operation, Outcome, Picture, Policy, ProfileArn, Record,
    Region, RequestId, ServiceName, Tokens, Unit, Usage, UsageSource,
};
use crate::ledger::opening::Opening;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

fn id(number: u64) -> RequestId {
    RequestId::from_bytes(u128::from(number).to_be_bytes())
}

/// Returns a plain opening.
pub(super) fn opening(number: u64) -> Opening {
    Opening {
        id: id(number),
        started_at: OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_767_323_045_678 + number),
        service: ServiceName::parse("checkout").unwrap(),
        tags: Arc::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())])),
        operation: Operation::Converse,
        requested_model: ModelId::parse("us.anthropic.claude-haiku-4-5-20251001-v1:0").ok(),
        source_model: ModelId::parse("us.anthropic.claude-haiku-4-5-20251001-v1:0").ok(),
        profile_arn: ProfileArn::parse(ARN).ok(),
        region: Region::default(),
        key_id: None,
        labels: BTreeMap::new(),
        request_text_bytes: number,
        max_output_tokens: Some(100),
    }
}

const ARN: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123def456";

/// Returns the record of a plain call.
pub(super) fn record(number: u64) -> Box<Record> {
    let (outcome, usage_source) = (Outcome::Ok, UsageSource::Converse);
    Box::new(Record { outcome, usage_source, ..interrupted(&opening(number)) })
}

/// Returns the record of a call that was left open.
pub(super) fn interrupted(opening: &Opening) -> Record {
    let input = Some(opening.request_text_bytes.div_ceil(4));
    Record {
        id: opening.id,
        started_at: opening.started_at,
        finished_at: opening.started_at,
        service: opening.service.clone(),
        tags: Arc::clone(&opening.tags),
        operation: opening.operation,
        requested_model: opening.requested_model.clone(),
        source_model: opening.source_model.clone(),
        profile_arn: opening.profile_arn.clone(),
        attribution: Attribution::Profile,
        region: opening.region.clone(),
        status: None,
        outcome: Outcome::Interrupted,
        client_gone: false,
        usage: Usage { tokens: Tokens { input, output: Some(0), ..Tokens::default() }, ..Usage::default() },
        usage_source: UsageSource::Estimated,
        usage_missing: None,
        usage_raw: None,
        service_tier: None,
        latency_tier: None,
        picture: None,
        invoked_model: None,
        cost: None,
        price_id: None,
        unpriced: None,
        time_to_first_byte: None,
        duration: Duration::ZERO,
        aws_request_id: None,
        key_id: opening.key_id.clone(),
        labels: opening.labels.clone(),
    }
}

fn pairs() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(any::<String>(), any::<String>(), 0..4)
}

fn model() -> impl Strategy<Value = Option<ModelId>> {
    of("[A-Za-z0-9_:/-]{1,60}".prop_map(|id| ModelId::parse(&id).unwrap()))
}

fn moment() -> impl Strategy<Value = OffsetDateTime> {
    (-377_705_116_800..253_402_300_800_i64, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| {
        let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        at.replace_nanosecond(nanos).unwrap()
    })
}

fn span() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

prop_compose! {
    fn arn()(id in "[a-z0-9]{1,64}") -> ProfileArn {
        let arn = format!("arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:application-inference-profile/{id}");
        ProfileArn::parse(&arn).unwrap()
    }
}

prop_compose! {
    /// Any opening.
    pub(super) fn any_opening()(
        id in any::<[u8; 16]>().prop_map(RequestId::from_bytes),
        started_at in moment(),
        service in "s[a-z0-9._-]{0,62}".prop_map(|name| ServiceName::parse(&name).unwrap()),
        (tags, labels) in (pairs(), pairs()),
        operation in select(Operation::ALL.as_slice()),
        (requested_model, source_model, profile_arn) in (model(), model(), of(arn())),
        region in "[a-z0-9-]{1,32}".prop_map(|name| Region::parse(&name).unwrap()),
        key_id in any::<Option<String>>(),
        request_text_bytes in any::<u64>(),
        max_output_tokens in any::<Option<u64>>(),
    ) -> Opening {
        Opening {
            id, started_at, service, tags: Arc::new(tags), operation, requested_model, source_model, profile_arn,
            region, key_id, labels, request_text_bytes, max_output_tokens,
        }
    }
}

prop_compose! {
    fn usage()(
        [input, output, cache_read, cache_write_5m, cache_write_1h] in any::<[Option<u64>; 5]>(),
        units in subsequence(Unit::ALL.to_vec(), 0..=4).prop_shuffle(),
        policies in subsequence(Policy::ALL.to_vec(), 0..=5).prop_shuffle(),
        counts in vec(any::<u64>(), 5),
    ) -> Usage {
        Usage {
            tokens: Tokens { input, output, cache_read, cache_write_5m, cache_write_1h },
            units: units.into_iter().zip(counts.clone()).collect(),
            policies: policies.into_iter().zip(counts).collect(),
        }
    }
}

prop_compose! {
    fn picture()(
        (width, height, quality, steps) in any::<(u32, u32, Option<String>, Option<u32>)>(),
    ) -> Picture {
        Picture { width, height, quality, steps }
    }
}

prop_compose! {
    /// Any record.
    pub(super) fn any_record()(
        opening in any_opening(),
        (finished_at, duration, time_to_first_byte) in (moment(), span(), of(span())),
        (attribution, outcome, usage_source, usage_missing) in (
            select(vec![Attribution::Profile, Attribution::LedgerOnly]),
            select(Outcome::ALL.as_slice()),
            select(UsageSource::ALL.as_slice()),
            of(select(vec![MissingReason::NoStatement, MissingReason::Unreadable, MissingReason::Exception])),
        ),
        (status, client_gone, cost) in any::<(Option<u16>, bool, Option<i128>)>(),
        (usage, picture, invoked_model) in (usage(), of(picture()), model()),
        raw in of(any::<String>()),
        [service_tier, latency_tier, price_id, unpriced, aws_request_id] in any::<[Option<String>; 5]>(),
    ) -> Record {
        Record {
            finished_at, duration, time_to_first_byte, attribution, outcome, usage_source, usage_missing,
            status, client_gone, cost: cost.map(Money::from_picos), usage, picture, invoked_model,
            usage_raw: raw.map(|text| serde_json::value::to_raw_value(&BTreeMap::from([("a", text)])).unwrap()),
            service_tier, latency_tier, price_id: price_id.map(Arc::from), unpriced: unpriced.map(Arc::from),
            aws_request_id, ..interrupted(&opening)
        }
    }
}
