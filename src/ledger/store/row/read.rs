//! From columns to a record. Each error names the record, and what is wrong with it.

use super::{Extras, Row, time_of};
use crate::domain::{MissingReason, ModelId, Money, Outcome, Record, Tokens, Usage, UsageSource};
use crate::ledger::store::{Dimensions, Totals};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Row<'_> {
    /// Returns the record that has these columns and dimensions. What only another version of tollgate can have
    /// written is an error, which names the record.
    pub(in crate::ledger::store) fn record(&self, dimensions: &Dimensions) -> Result<Record, String> {
        self.read(dimensions).map_err(|error| format!("record {}: {error}", self.request_id()))
    }

    fn read(&self, dimensions: &Dimensions) -> Result<Record, String> {
        let extras = self.extras.as_deref().map(Extras::parse).transpose()?.unwrap_or_default();
        let dimensions = dimensions.clone();
        Ok(Record {
            id: self.request_id(),
            started_at: time_of(self.started_at).ok_or("it started beyond the year 9999")?,
            finished_at: time_of(self.finished_at).ok_or("it finished beyond the year 9999")?,
            attribution: dimensions.attribution(),
            service: dimensions.service,
            tags: dimensions.tags,
            operation: dimensions.operation,
            requested_model: dimensions.requested_model,
            source_model: dimensions.source_model,
            profile_arn: dimensions.profile_arn,
            region: dimensions.region,
            key_id: dimensions.key_id,
            status: self.status.map(|status| u16::try_from(status).unwrap_or_default()),
            outcome: known("outcome", self.outcome, Outcome::from_name)?,
            client_gone: self.client_gone,
            usage: Usage { tokens: self.tokens(), units: extras.units()?, policies: extras.policies()? },
            usage_source: known("usage source", self.usage_source, UsageSource::from_name)?,
            usage_missing: known_if("missing reason", self.usage_missing, MissingReason::from_name)?,
            usage_raw: self.raw()?,
            service_tier: self.service_tier.map(str::to_owned),
            latency_tier: self.latency_tier.map(str::to_owned),
            picture: extras.picture(),
            invoked_model: known_if("model", self.invoked_model, |id| ModelId::parse(id).ok())?,
            cost: self.cost.map(|picos| Money::from_picos(picos.into())),
            price_id: self.price_id.map(Arc::from),
            unpriced: self.unpriced.map(Arc::from),
            time_to_first_byte: self.time_to_first_byte.map(span),
            duration: span(self.duration),
            aws_request_id: self.aws_request_id.as_deref().map(str::to_owned),
            labels: self.labels.as_deref().map(map_of).transpose()?.unwrap_or_default(),
        })
    }

    /// Returns what the record adds to totals; the error is that of [`Row::record`].
    pub(in crate::ledger::store) fn totals(&self) -> Result<Totals, String> {
        self.add_up().map_err(|error| format!("record {}: {error}", self.request_id()))
    }

    fn add_up(&self) -> Result<Totals, String> {
        let extras = self.extras.as_deref().map(Extras::parse).transpose()?.unwrap_or_default();
        let usage = Usage { tokens: self.tokens(), units: extras.units()?, policies: Vec::new() };
        let outcome = known("outcome", self.outcome, Outcome::from_name)?;
        let usage_source = known("usage source", self.usage_source, UsageSource::from_name)?;
        let cost = self.cost.map(|picos| Money::from_picos(picos.into()));
        Ok(Totals::of_call(&usage, outcome, usage_source, cost, self.unpriced))
    }

    fn tokens(&self) -> Tokens {
        let count = |column: Option<i64>| column.map(|count| u64::try_from(count).unwrap_or_default());
        Tokens {
            input: count(self.input_tokens),
            output: count(self.output_tokens),
            cache_read: count(self.cache_read_tokens),
            cache_write_5m: count(self.cache_write_5m_tokens),
            cache_write_1h: count(self.cache_write_1h_tokens),
        }
    }

    fn raw(&self) -> Result<Option<Box<RawValue>>, String> {
        let parse = |json: &str| RawValue::from_string(json.to_owned());
        self.usage_raw
            .map(parse)
            .transpose()
            .map_err(|error| format!("what upstream stated is no JSON: {error}"))
    }
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// Returns the map that [`map_json`](super::map_json) wrote.
pub(in crate::ledger::store) fn map_of(json: &str) -> Result<BTreeMap<String, String>, String> {
    serde_json::from_str(json).map_err(|error| format!("'{json}' is no map of texts: {error}"))
}

/// Returns what a name stands for.
pub(in crate::ledger::store) fn known<T>(
    what: &str,
    name: &str,
    of: impl Fn(&str) -> Option<T>,
) -> Result<T, String> {
    of(name).ok_or_else(|| format!("no {what} is called '{name}'"))
}

/// Returns what a name stands for, where there is one.
pub(in crate::ledger::store) fn known_if<T>(
    what: &str,
    name: Option<&str>,
    of: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    name.map(|name| known(what, name, of)).transpose()
}
