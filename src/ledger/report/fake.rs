//! A store in memory, and records to put into it.

use crate::domain::{Money, Record, ServiceName, Tokens, Usage};
use crate::ledger::store::{
    Dimensions, From, Grain, RecordFilter, Rerated, Slice, Span, Store, StoreError, Totals, samples,
};
use std::sync::Arc;
use time::OffsetDateTime;

/// A store that adds everything up anew, each time it is asked.
#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    pub(crate) records: Vec<Record>,
    pub(crate) label_keys: Vec<String>,
    /// What was asked for.
    pub(crate) asked: Vec<(Span, Grain, From)>,
}

impl Store for FakeStore {
    fn append_with_breaks(&mut self, records: &[Record], _: &mut dyn FnMut()) -> Result<u64, StoreError> {
        self.records.extend_from_slice(records);
        Ok(u64::try_from(records.len()).unwrap())
    }

    fn records(
        &mut self,
        _: &RecordFilter,
        _: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        unreachable!("reports ask for totals")
    }

    fn totals(&mut self, span: Span, grain: Grain, from: From) -> Result<Vec<Slice>, StoreError> {
        self.asked.push((span, grain, from));
        if from == From::Rollups {
            let is_whole = |at: OffsetDateTime| at == at.truncate_to_hour();
            assert!(is_whole(span.since) && is_whole(span.until) && grain != Grain::Quarter, "{span:?}");
        }
        let within = |record: &&Record| (span.since..span.until).contains(&record.started_at);
        Ok(self.records.iter().filter(within).map(|record| self.slice(record, grain, from)).collect())
    }

    fn rerate(&mut self, _: &[Rerated], _: OffsetDateTime) -> Result<u64, StoreError> {
        unreachable!("reports change nothing")
    }

    fn retain(&mut self, _: Option<OffsetDateTime>, _: Option<OffsetDateTime>) -> Result<u64, StoreError> {
        unreachable!("reports forget nothing")
    }
}

impl FakeStore {
    fn slice(&self, record: &Record, grain: Grain, from: From) -> Slice {
        let mut labels = record.labels.clone();
        if from == From::Rollups {
            labels.retain(|key, _| self.label_keys.contains(key));
        }
        let seconds = match grain {
            Grain::Whole => None,
            Grain::Hour => Some(3600),
            Grain::Quarter => Some(900),
        };
        let at = seconds.map(|length| {
            let second = record.started_at.unix_timestamp().div_euclid(length) * length;
            OffsetDateTime::from_unix_timestamp(second).unwrap()
        });
        Slice { dimensions: Arc::new(Dimensions::of(record)), labels, at, totals: Totals::of(record) }
    }
}

/// Returns a successful call of a service with that many input tokens, a thousand picodollars each.
pub(crate) fn record(service: &str, at: OffsetDateTime, input: u64) -> Record {
    let tokens = Tokens { input: Some(input), ..Tokens::default() };
    Record {
        started_at: at,
        service: ServiceName::parse(service).unwrap(),
        tags: Arc::default(),
        usage: Usage { tokens, ..Usage::default() },
        cost: Some(Money::from_picos(i128::from(input) * 1000)),
        ..samples::plain(0, 0)
    }
}
