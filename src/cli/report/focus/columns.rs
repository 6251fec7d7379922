//! Each column with what is in it; an empty cell is null.

use super::Row;
use crate::cli::report::regions::region_name;
use crate::domain::{ModelId, ProfileArn};
use crate::ledger::store::Totals;
use std::collections::BTreeMap;
use time::{Date, Duration, Month, OffsetDateTime};

/// A column's name, and its cell in a row.
type Column = (&'static str, fn(&Row<'_>) -> String);

/// The columns of FOCUS in the order of the specification, then our own.
pub(super) const COLUMNS: [Column; 54] = [
    ("BilledCost", |_| text("0")),
    ("BillingAccountId", |row| text(row.account)),
    ("BillingAccountName", |_| null()),
    ("BillingCurrency", |_| text("USD")),
    ("BillingPeriodEnd", |row| stamp(month(row.at).1)),
    ("BillingPeriodStart", |row| stamp(month(row.at).0)),
    ("ChargeCategory", |_| text("Usage")),
    ("ChargeClass", |_| null()),
    ("ChargeDescription", description),
    ("ChargeFrequency", |_| text("Usage-Based")),
    ("ChargePeriodEnd", |row| stamp(row.at.saturating_add(Duration::HOUR))),
    ("ChargePeriodStart", |row| stamp(row.at)),
    ("ConsumedQuantity", |row| consumed(&row.slice.totals).0.to_string()),
    ("ConsumedUnit", |row| text(consumed(&row.slice.totals).1)),
    ("ContractedCost", cost),
    ("EffectiveCost", cost),
    ("InvoiceId", |_| null()),
    ("InvoiceIssuerName", |_| text("AWS")),
    ("ListCost", cost),
    ("PricingCategory", |_| text("Standard")),
    ("PricingQuantity", |row| consumed(&row.slice.totals).0.to_string()),
    ("PricingUnit", |row| text(consumed(&row.slice.totals).1)),
    ("ProviderName", |_| text("AWS")),
    ("PublisherName", |_| text("AWS")),
    ("RegionId", |row| text(row.slice.dimensions.region.as_str())),
    ("RegionName", |row| text(region_name(row.slice.dimensions.region.as_str()))),
    ("ResourceId", |row| optional(row.profile().map(ProfileArn::as_str))),
    ("ResourceName", |_| null()),
    ("ResourceType", |row| optional(row.profile().map(|_| "Application Inference Profile"))),
    ("ServiceCategory", |_| text("AI and Machine Learning")),
    ("ServiceName", |_| text("Amazon Bedrock")),
    ("ServiceSubcategory", |_| text("Generative AI")),
    ("SkuId", |row| text(sku(row))),
    ("SkuMeter", |row| text(row.slice.dimensions.operation.name())),
    ("SubAccountId", |row| optional(row.profile().map(ProfileArn::account))),
    ("Tags", |row| json(&row.slice.dimensions.tags)),
    ("x_TollgateService", |row| text(row.slice.dimensions.service.as_str())),
    ("x_TollgateLabels", |row| json(&row.slice.labels)),
    ("x_TollgateOperation", |row| text(row.slice.dimensions.operation.name())),
    ("x_TollgateRequestedModel", |row| {
        optional(row.slice.dimensions.requested_model.as_ref().map(ModelId::as_str))
    }),
    ("x_TollgateModel", |row| optional(row.slice.dimensions.model().map(ModelId::as_str))),
    ("x_TollgateAttribution", |row| text(row.slice.dimensions.attribution().name())),
    ("x_TollgateKeyId", |row| optional(row.slice.dimensions.key_id.as_deref())),
    ("x_TollgateCalls", |row| row.slice.totals.calls.to_string()),
    ("x_TollgateFailedCalls", |row| row.slice.totals.failed_calls.to_string()),
    ("x_TollgateMissingCalls", |row| row.slice.totals.missing_calls.to_string()),
    ("x_TollgateUnpricedCalls", |row| row.slice.totals.unpriced_calls.to_string()),
    ("x_TollgateCostOfEstimatedUsage", |row| row.slice.totals.cost_of_estimates.to_string()),
    ("x_TollgateInputTokens", |row| row.slice.totals.input_tokens.to_string()),
    ("x_TollgateOutputTokens", |row| row.slice.totals.output_tokens.to_string()),
    ("x_TollgateCacheReadTokens", |row| row.slice.totals.cache_read_tokens.to_string()),
    ("x_TollgateCacheWrite5mTokens", |row| row.slice.totals.cache_write_5m_tokens.to_string()),
    ("x_TollgateCacheWrite1hTokens", |row| row.slice.totals.cache_write_1h_tokens.to_string()),
    ("x_TollgateOtherUnits", other_units),
];

fn text(text: &str) -> String {
    text.to_owned()
}

fn null() -> String {
    String::new()
}

fn optional(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn cost(row: &Row<'_>) -> String {
    row.slice.totals.cost.to_string()
}

/// Returns what stands for the SKU: the model's id, or the operation where no model was called. AWS's own codes are
/// in no answer of Bedrock's.
fn sku<'a>(row: &'a Row<'_>) -> &'a str {
    let of = &row.slice.dimensions;
    of.model().map_or(of.operation.name(), ModelId::as_str)
}

fn description(row: &Row<'_>) -> String {
    let of = &row.slice.dimensions;
    format!("{} {} for {}: estimated from usage and prices, not billed", sku(row), of.operation, of.service)
}

/// Returns a quantity and its unit: tokens of all kinds, else what was used instead, else the number of calls.
fn consumed(totals: &Totals) -> (u64, &'static str) {
    let kinds = [
        totals.input_tokens,
        totals.output_tokens,
        totals.cache_read_tokens,
        totals.cache_write_5m_tokens,
        totals.cache_write_1h_tokens,
    ];
    let tokens = kinds.into_iter().fold(0, u64::saturating_add);
    let quantities = [
        (tokens, "Tokens"),
        (totals.images, "Images"),
        (totals.queries, "Queries"),
        (totals.text_units, "Units"),
        (totals.guardrail_images, "Images"),
    ];
    quantities.into_iter().find(|(quantity, _)| *quantity > 0).unwrap_or((totals.calls, "Requests"))
}

fn other_units(row: &Row<'_>) -> String {
    let totals = &row.slice.totals;
    let units = [
        ("images", totals.images),
        ("queries", totals.queries),
        ("text_units", totals.text_units),
        ("guardrail_images", totals.guardrail_images),
    ];
    json(&units.into_iter().filter(|(_, count)| *count > 0).collect())
}

/// Returns a JSON object (FOCUS's Key-Value Format); null where it would be empty.
fn json<K: serde::Serialize + Ord, V: serde::Serialize>(map: &BTreeMap<K, V>) -> String {
    if map.is_empty() { null() } else { serde_json::to_string(map).unwrap_or_default() }
}

/// Returns a moment of UTC by FOCUS's Date/Time Format, to the second.
fn stamp(at: OffsetDateTime) -> String {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

/// Returns the beginnings of the month of UTC that holds a moment, and of the next one.
fn month(at: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    let first =
        |year, month| Date::from_calendar_date(year, month, 1).map(|date| date.midnight().assume_utc());
    let (year, month) = (at.year(), at.month());
    let next = if month == Month::December { year.saturating_add(1) } else { year };
    // There is none after the last month of the calendar.
    (first(year, month).unwrap_or(at), first(next, month.next()).unwrap_or(at))
}
