//! Records as comma-separated values: exact amounts, times by RFC 3339, nothing where nothing is known.

use super::Sink;
use crate::cli::output::io_error;
use crate::domain::{MissingReason, ModelId, Money, ProfileArn, Record, Tokens, Unit, stamp};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// A column's name, and its cell in a row.
type Column = (&'static str, fn(&Record) -> String);

const COLUMNS: [Column; 36] = [
    ("id", |record| record.id.to_string()),
    ("started_at", |record| stamp::rfc3339(record.started_at)),
    ("finished_at", |record| stamp::rfc3339(record.finished_at)),
    ("service", |record| record.service.to_string()),
    ("operation", |record| record.operation.to_string()),
    ("requested_model", |record| text(record.requested_model.as_ref().map(ModelId::as_str))),
    ("source_model", |record| text(record.source_model.as_ref().map(ModelId::as_str))),
    ("invoked_model", |record| text(record.invoked_model.as_ref().map(ModelId::as_str))),
    ("profile_arn", |record| text(record.profile_arn.as_ref().map(ProfileArn::as_str))),
    ("attribution", |record| record.attribution.name().to_owned()),
    ("region", |record| record.region.to_string()),
    ("status", |record| number(record.status)),
    ("outcome", |record| record.outcome.name().to_owned()),
    ("client_gone", |record| record.client_gone.to_string()),
    ("input_tokens", |record| number(tokens(record).input)),
    ("output_tokens", |record| number(tokens(record).output)),
    ("cache_read_tokens", |record| number(tokens(record).cache_read)),
    ("cache_write_5m_tokens", |record| number(tokens(record).cache_write_5m)),
    ("cache_write_1h_tokens", |record| number(tokens(record).cache_write_1h)),
    ("images", |record| unit(record, Unit::Images)),
    ("queries", |record| unit(record, Unit::Queries)),
    ("text_units", |record| unit(record, Unit::TextUnits)),
    ("guardrail_images", |record| unit(record, Unit::GuardrailImages)),
    ("usage_source", |record| record.usage_source.name().to_owned()),
    ("usage_missing", |record| text(record.usage_missing.map(MissingReason::name))),
    ("service_tier", |record| text(record.service_tier.as_deref())),
    ("latency_tier", |record| text(record.latency_tier.as_deref())),
    ("estimated_cost_usd", |record| number(record.cost.as_ref().map(Money::to_string))),
    ("price_id", |record| text(record.price_id.as_deref())),
    ("unpriced", |record| text(record.unpriced.as_deref())),
    ("time_to_first_byte_ms", |record| number(record.time_to_first_byte.map(|span| span.as_millis()))),
    ("duration_ms", |record| record.duration.as_millis().to_string()),
    ("aws_request_id", |record| text(record.aws_request_id.as_deref())),
    ("key_id", |record| text(record.key_id.as_deref())),
    ("tags", |record| json(&record.tags)),
    ("labels", |record| json(&record.labels)),
];

/// Records under the names of their columns.
pub(super) struct Rows<'a> {
    file: csv::Writer<&'a mut dyn Write>,
    has_begun: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { file: csv::Writer::from_writer(out), has_begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.file.write_record(COLUMNS.map(|(name, _)| name)).map_err(io_error)?;
        }
        Ok(())
    }
}

impl Sink for Rows<'_> {
    fn take(&mut self, record: &Record) -> io::Result<()> {
        self.begin()?;
        self.file.write_record(COLUMNS.map(|(_, cell)| cell(record))).map_err(io_error)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.file.flush()
    }
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn number(number: Option<impl ToString>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn tokens(record: &Record) -> &Tokens {
    &record.usage.tokens
}

fn unit(record: &Record, wanted: Unit) -> String {
    number(record.usage.units.iter().find(|(unit, _)| *unit == wanted).map(|(_, count)| *count))
}

fn json(map: &BTreeMap<String, String>) -> String {
    if map.is_empty() { String::new() } else { serde_json::to_string(map).unwrap_or_default() }
}
