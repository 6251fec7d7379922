//! Records read back, oldest first.
//!
//! A page at a time, each from where the last ended: neither memory nor a transaction grows with the answer, and a
//! reader that takes its time keeps nobody waiting.

use super::connection::Connection;
use super::months::{end_id_at, first_id_at};
use crate::domain::Record;
use crate::ledger::store::row::{Row, micros};
use crate::ledger::store::{Dimensions, DimensionsRow, RecordFilter, Span};
use postgres::{Client, Error, Row as Columns};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Records in a page.
const PAGE: i64 = 2_000;

const RECORDS: &str = "SELECT id, started_at, finished_at, dimensions, duration, time_to_first_byte, input_tokens,
        output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost, status, client_gone,
        outcome, usage_source, usage_missing, price_id, unpriced, service_tier, latency_tier, invoked_model,
        aws_request_id, labels, extras, usage_raw
    FROM records
    WHERE id >= $1 AND id < $2 AND started_at >= $3 AND started_at < $4
        AND ($5::uuid[] IS NULL OR dimensions = ANY($5))
    ORDER BY id LIMIT $6";

const DIMENSIONS: &str =
    "SELECT id, service, tags, operation, requested_model, source_model, profile_arn, region,
        key_id
    FROM dimensions WHERE id = ANY($1)";

/// The records that a filter lets through, a page at a time.
pub(super) struct Pages {
    span: Span,
    /// The first id that is still to be read, and the first that is not.
    ids: Option<(Uuid, Uuid)>,
    dimensions: Option<Vec<Uuid>>,
    known: Vocabulary,
}

impl Pages {
    /// Returns the pages of a filter; `None` where it lets nothing through.
    pub(super) fn of(connection: &mut Connection, filter: &RecordFilter) -> Result<Option<Self>, Error> {
        let dimensions = match &filter.service {
            Some(service) => Some(of_service(&mut connection.client, service.as_str())?),
            None => None,
        };
        let (mut first, mut end) = (first_id_at(filter.span.since), end_id_at(filter.span.until));
        if let Some(id) = filter.id {
            let id = Uuid::from_bytes(id.to_bytes());
            (first, end) = (first.max(id), end.min(after(id)));
        }
        let nobody = dimensions.as_ref().is_some_and(Vec::is_empty);
        let ids = Some((first, end)).filter(|(first, end)| first < end && !nobody);
        Ok(ids.map(|ids| Self {
            span: filter.span,
            ids: Some(ids),
            dimensions,
            known: Vocabulary::default(),
        }))
    }

    /// Returns the next page; `None` after the last.
    pub(super) fn next(&mut self, connection: &mut Connection) -> Result<Option<Vec<Columns>>, Error> {
        let Some((first, end)) = self.ids else {
            return Ok(None);
        };
        let statement = connection.prepare(RECORDS)?;
        let Span { since, until } = self.span;
        let rows =
            connection.client.query(&statement, &[&first, &end, &since, &until, &self.dimensions, &PAGE])?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|read| read < PAGE);
        self.ids = match rows.last() {
            Some(last) if !is_last => Some((after(last.try_get("id")?), end)),
            Some(_) | None => None,
        };
        let dimensions: Result<Vec<Uuid>, Error> = rows.iter().map(|row| row.try_get("dimensions")).collect();
        self.known.learn(&mut connection.client, dimensions?)?;
        Ok(Some(rows))
    }

    /// Returns the record of a row of a page; the error says what is wrong with it.
    pub(super) fn record(&self, columns: &Columns) -> Result<Record, String> {
        let row = row_of(columns).map_err(|error| super::fault::reason(&error))?;
        let dimensions = columns.try_get("dimensions").map_err(|error| super::fault::reason(&error))?;
        row.record(&*self.known.find(dimensions)?)
    }
}

/// Dimensions by their id, as far as they have been asked for.
#[derive(Debug, Default)]
pub(super) struct Vocabulary(HashMap<Uuid, Result<Arc<Dimensions>, String>>);

impl Vocabulary {
    /// Reads those of these dimensions that are not known yet.
    pub(super) fn learn(&mut self, client: &mut Client, mut ids: Vec<Uuid>) -> Result<(), Error> {
        ids.retain(|id| !self.0.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        for columns in client.query(DIMENSIONS, &[&ids])? {
            let read = dimensions_of(&columns)?.read().map(Arc::new);
            self.0.insert(columns.try_get("id")?, read);
        }
        Ok(())
    }

    /// Returns dimensions that were learnt; the error says what is wrong with them.
    pub(super) fn find(&self, id: Uuid) -> Result<Arc<Dimensions>, String> {
        let found = self.0.get(&id).cloned().unwrap_or_else(|| Err("there are none".to_owned()));
        found.map_err(|error| format!("dimensions {id}: {error}"))
    }
}

fn of_service(client: &mut Client, service: &str) -> Result<Vec<Uuid>, Error> {
    let rows = client.query("SELECT id FROM dimensions WHERE service = $1", &[&service])?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

fn after(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_add(1))
}

fn dimensions_of(columns: &Columns) -> Result<DimensionsRow<'_>, Error> {
    Ok(DimensionsRow {
        service: columns.try_get("service")?,
        tags: Cow::Borrowed(columns.try_get("tags")?),
        operation: columns.try_get("operation")?,
        requested_model: columns.try_get("requested_model")?,
        source_model: columns.try_get("source_model")?,
        profile_arn: columns.try_get("profile_arn")?,
        region: columns.try_get("region")?,
        key_id: columns.try_get("key_id")?,
    })
}

fn row_of(columns: &Columns) -> Result<Row<'_>, Error> {
    let text = |name: &str| columns.try_get::<_, Option<&str>>(name).map(|text| text.map(Cow::Borrowed));
    Ok(Row {
        id: columns.try_get::<_, Uuid>("id")?.into_bytes(),
        started_at: micros(columns.try_get("started_at")?),
        finished_at: micros(columns.try_get("finished_at")?),
        status: columns.try_get("status")?,
        outcome: columns.try_get("outcome")?,
        client_gone: columns.try_get("client_gone")?,
        input_tokens: columns.try_get("input_tokens")?,
        output_tokens: columns.try_get("output_tokens")?,
        cache_read_tokens: columns.try_get("cache_read_tokens")?,
        cache_write_5m_tokens: columns.try_get("cache_write_5m_tokens")?,
        cache_write_1h_tokens: columns.try_get("cache_write_1h_tokens")?,
        extras: text("extras")?,
        usage_source: columns.try_get("usage_source")?,
        usage_missing: columns.try_get("usage_missing")?,
        usage_raw: columns.try_get("usage_raw")?,
        service_tier: columns.try_get("service_tier")?,
        latency_tier: columns.try_get("latency_tier")?,
        invoked_model: columns.try_get("invoked_model")?,
        cost: columns.try_get("cost")?,
        price_id: columns.try_get("price_id")?,
        unpriced: columns.try_get("unpriced")?,
        time_to_first_byte: columns.try_get("time_to_first_byte")?,
        duration: columns.try_get("duration")?,
        aws_request_id: text("aws_request_id")?,
        labels: text("labels")?,
    })
}
