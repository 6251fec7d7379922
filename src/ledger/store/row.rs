//! A record as the columns of a table, and back.

mod extras;
mod read;

use crate::domain::{ModelId, Money, Record, RequestId};
use extras::Extras;
pub(super) use read::{known, known_if, map_of};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;

/// A record without its [`Dimensions`](super::Dimensions): plain integers and texts. Counts and amounts that 64 bits
/// cannot hold are clamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// The record's id, whose order is that of time.
    pub(super) id: [u8; 16],
    /// Microseconds since the epoch.
    pub(super) started_at: i64,
    /// Microseconds since the epoch.
    pub(super) finished_at: i64,
    /// The HTTP status.
    pub(super) status: Option<i16>,
    /// The outcome's name.
    pub(super) outcome: &'a str,
    /// Whether the client had left before the end.
    pub(super) client_gone: bool,
    /// Input tokens outside prompt caches.
    pub(super) input_tokens: Option<i64>,
    /// Output tokens.
    pub(super) output_tokens: Option<i64>,
    /// Input tokens read from a prompt cache.
    pub(super) cache_read_tokens: Option<i64>,
    /// Input tokens written to a prompt cache for five minutes.
    pub(super) cache_write_5m_tokens: Option<i64>,
    /// Input tokens written to a prompt cache for one hour.
    pub(super) cache_write_1h_tokens: Option<i64>,
    /// Units other than tokens, guardrail policies and the picture: JSON; mostly absent.
    pub(super) extras: Option<Cow<'a, str>>,
    /// The usage source's name.
    pub(super) usage_source: &'a str,
    /// The missing reason's name.
    pub(super) usage_missing: Option<&'a str>,
    /// Upstream's statements: JSON, byte for byte.
    pub(super) usage_raw: Option<&'a str>,
    /// The service tier.
    pub(super) service_tier: Option<&'a str>,
    /// The latency tier.
    pub(super) latency_tier: Option<&'a str>,
    /// The model that a router called.
    pub(super) invoked_model: Option<&'a str>,
    /// 10^-12 USD.
    pub(super) cost: Option<i64>,
    /// The prices of `cost`.
    pub(super) price_id: Option<&'a str>,
    /// What has no price.
    pub(super) unpriced: Option<&'a str>,
    /// Microseconds.
    pub(super) time_to_first_byte: Option<i64>,
    /// Microseconds.
    pub(super) duration: i64,
    /// Upstream's own request id.
    pub(super) aws_request_id: Option<Cow<'a, str>>,
    /// Labels as [`map_json`] writes them; absent where there are none.
    pub(super) labels: Option<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    /// Returns a record's columns.
    pub(super) fn of(record: &'a Record) -> Self {
        let tokens = &record.usage.tokens;
        Self {
            id: record.id.to_bytes(),
            started_at: micros(record.started_at),
            finished_at: micros(record.finished_at),
            status: record.status.map(|status| i16::try_from(status).unwrap_or(i16::MAX)),
            outcome: record.outcome.name(),
            client_gone: record.client_gone,
            input_tokens: tokens.input.map(count),
            output_tokens: tokens.output.map(count),
            cache_read_tokens: tokens.cache_read.map(count),
            cache_write_5m_tokens: tokens.cache_write_5m.map(count),
            cache_write_1h_tokens: tokens.cache_write_1h.map(count),
            extras: Extras::json_of(record).map(Cow::Owned),
            usage_source: record.usage_source.name(),
            usage_missing: record.usage_missing.map(crate::domain::MissingReason::name),
            usage_raw: record.usage_raw.as_deref().map(serde_json::value::RawValue::get),
            service_tier: record.service_tier.as_deref(),
            latency_tier: record.latency_tier.as_deref(),
            invoked_model: record.invoked_model.as_ref().map(ModelId::as_str),
            cost: record.cost.map(picos),
            price_id: record.price_id.as_deref(),
            unpriced: record.unpriced.as_deref(),
            time_to_first_byte: record.time_to_first_byte.map(span),
            duration: span(record.duration),
            aws_request_id: record.aws_request_id.as_deref().map(Cow::Borrowed),
            labels: (!record.labels.is_empty()).then(|| Cow::Owned(map_json(&record.labels))),
        }
    }

    /// Returns the record's id.
    pub(super) fn request_id(&self) -> RequestId {
        RequestId::from_bytes(self.id)
    }
}

/// Returns a map as a JSON object with its keys in order: the same text for the same map.
pub(super) fn map_json(map: &BTreeMap<String, String>) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

/// Returns microseconds since the epoch.
pub(super) fn micros(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().saturating_mul(1_000_000).saturating_add(at.microsecond().into())
}

/// Returns the time so many microseconds after the epoch, or `None` beyond the year 9999.
pub(super) fn time_of(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()
}

/// Returns a count as a column holds it.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns an amount as a column holds it, in 10^-12 USD: 64 bits reach to 9.2 million USD.
pub(super) fn picos(money: Money) -> i64 {
    let limit = if money < Money::ZERO { i64::MIN } else { i64::MAX };
    i64::try_from(money.picos()).unwrap_or(limit)
}

fn span(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::ledger::store::Dimensions;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_comes_out_as_it_went_in(record in samples::record()) {
            let back = Row::of(&record).record(&Dimensions::of(&record)).unwrap();
            prop_assert_eq!(serde_json::to_string(&back).unwrap(), serde_json::to_string(&record).unwrap());
            prop_assert_eq!(Row::of(&back), Row::of(&record));
            prop_assert_eq!((back.usage, back.picture), (record.usage, record.picture));
        }

        #[test]
        fn dimensions_come_out_as_they_went_in(record in samples::record()) {
            let dimensions = Dimensions::of(&record);
            prop_assert_eq!(dimensions.row().read().unwrap(), dimensions);
        }
    }

    #[test]
    fn a_time_is_a_whole_number_of_microseconds() {
        for micros in [-1_500_001, -1, 0, 1, 1_767_322_800_123_456] {
            assert_eq!(super::micros(time_of(micros).unwrap()), micros);
            assert_eq!(super::micros(time_of(micros).unwrap() + Duration::from_nanos(999)), micros);
        }
    }

    #[test]
    fn what_64_bits_cannot_hold_is_clamped() {
        assert_eq!((count(u64::MAX), picos(Money::from_picos(i128::MAX))), (i64::MAX, i64::MAX));
        assert_eq!(picos(Money::from_picos(i128::MIN)), i64::MIN);
    }

    #[test]
    fn what_no_record_can_hold_is_named() {
        let record = samples::plain(1, 0);
        let row = Row { outcome: "odd", ..Row::of(&record) };
        let error = row.record(&Dimensions::of(&record)).unwrap_err();
        assert_eq!(error, format!("record {}: no outcome is called 'odd'", record.id));
    }
}
