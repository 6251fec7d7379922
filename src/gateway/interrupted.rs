//! What is recorded of a call whose end nobody saw.

use crate::domain::{Attribution, Outcome, Record};
use crate::ledger::Opening;
use crate::price::PriceTable;
use crate::tap::{End, Reading, Tap};
use http::HeaderMap;
use std::time::Duration;

/// Returns the record of a call that was open when the process died: its usage is estimated as that of any answer
/// that was cut before its first byte. When it ended is not known; that it started is.
pub(crate) fn interrupted(opening: Opening, prices: &PriceTable) -> Record {
    let Opening { id, started_at, operation, request_text_bytes, .. } = opening;
    let model = opening.source_model.as_ref().or(opening.requested_model.as_ref());
    let tap = Tap::new(operation, model, 200, &HeaderMap::new(), request_text_bytes);
    let Reading { usage, source, missing, .. } = tap.finish(End::Cut);
    let attribution =
        if opening.profile_arn.is_some() { Attribution::Profile } else { Attribution::LedgerOnly };
    let mut record = Record {
        id,
        started_at,
        finished_at: started_at,
        service: opening.service,
        tags: opening.tags,
        operation,
        requested_model: opening.requested_model,
        source_model: opening.source_model,
        profile_arn: opening.profile_arn,
        attribution,
        region: opening.region,
        status: None,
        outcome: Outcome::Interrupted,
        client_gone: false,
        usage,
        usage_source: source,
        usage_missing: missing,
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
        key_id: opening.key_id,
        labels: opening.labels,
    };
    record.set_charge(prices.charge(&record));
    record
}
