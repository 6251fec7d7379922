//! What an entry's payload holds: `length u32 | what calls share | the other fields of an opening or a record but the
//! id`, both in `postcard`'s encoding; `length` counts the bytes of what calls share, little-endian.
//!
//! A field that is added, removed or reordered here makes another format: see `segment::FORMAT`.

use super::common::{self, Common, Memo, Pairs};
use super::words::{Counts, Name};
use crate::domain::{
    Attribution, MissingReason, ModelId, Money, Outcome, Picture, Policy, Record, RequestId, Tokens, Unit,
    Usage, UsageSource,
};
use crate::ledger::opening::{Opening, OpeningRef};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// A payload that does not hold what it should: a bug, or another program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entry at this place cannot be understood: its {0} is none")]
pub(super) struct Unreadable(pub(super) &'static str);

/// Bytes of `length`.
const PREFIX: usize = 4;

/// Nanoseconds since the Unix epoch, as seconds and the rest.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Moment(i64, u32);

#[derive(Debug, Serialize, Deserialize)]
struct OpeningImage<'a> {
    started_at: Moment,
    labels: Cow<'a, Pairs>,
    request_text_bytes: u64,
    max_output_tokens: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecordImage<'a> {
    started_at: Moment,
    finished_at: Moment,
    attribution: Name<Attribution>,
    status: Option<u16>,
    outcome: Name<Outcome>,
    client_gone: bool,
    #[serde(borrow)]
    usage: UsageImage<'a>,
    usage_source: Name<UsageSource>,
    usage_missing: Option<Name<MissingReason>>,
    usage_raw: Option<&'a str>,
    service_tier: Option<&'a str>,
    latency_tier: Option<&'a str>,
    #[serde(borrow)]
    picture: Option<PictureImage<'a>>,
    invoked_model: Option<&'a str>,
    cost: Option<i128>,
    price_id: Option<&'a str>,
    unpriced: Option<&'a str>,
    time_to_first_byte: Option<Duration>,
    duration: Duration,
    aws_request_id: Option<&'a str>,
    labels: Cow<'a, Pairs>,
}

#[derive(Debug, Serialize, Deserialize)]
struct UsageImage<'a> {
    tokens: TokensImage,
    units: Counts<'a, Unit>,
    policies: Counts<'a, Policy>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct TokensImage {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PictureImage<'a> {
    width: u32,
    height: u32,
    quality: Option<&'a str>,
    steps: Option<u32>,
}

/// Appends an opening's payload to `buffer`; `None` where it cannot be encoded, which no value can bring about.
pub(super) fn write_opening(opening: &OpeningRef<'_>, buffer: &mut Vec<u8>) -> Option<()> {
    write_common(&common::Image::of_opening(opening), buffer)?;
    let image = OpeningImage {
        started_at: Moment::of(opening.started_at),
        labels: Cow::Borrowed(opening.labels),
        request_text_bytes: opening.request_text_bytes,
        max_output_tokens: opening.max_output_tokens,
    };
    postcard::to_io(&image, buffer).ok().map(drop)
}

/// Appends a record's payload to `buffer`; `None` where it cannot be encoded, which no value can bring about.
pub(super) fn write_record(record: &Record, buffer: &mut Vec<u8>) -> Option<()> {
    write_common(&common::Image::of_record(record), buffer)?;
    let image = RecordImage {
        started_at: Moment::of(record.started_at),
        finished_at: Moment::of(record.finished_at),
        attribution: Name(record.attribution),
        status: record.status,
        outcome: Name(record.outcome),
        client_gone: record.client_gone,
        usage: UsageImage::of(&record.usage),
        usage_source: Name(record.usage_source),
        usage_missing: record.usage_missing.map(Name),
        usage_raw: record.usage_raw.as_ref().map(|raw| raw.get()),
        service_tier: record.service_tier.as_deref(),
        latency_tier: record.latency_tier.as_deref(),
        picture: record.picture.as_ref().map(PictureImage::of),
        invoked_model: record.invoked_model.as_ref().map(ModelId::as_str),
        cost: record.cost.map(Money::picos),
        price_id: record.price_id.as_deref(),
        unpriced: record.unpriced.as_deref(),
        time_to_first_byte: record.time_to_first_byte,
        duration: record.duration,
        aws_request_id: record.aws_request_id.as_deref(),
        labels: Cow::Borrowed(&record.labels),
    };
    postcard::to_io(&image, buffer).ok().map(drop)
}

fn write_common(image: &common::Image<'_>, buffer: &mut Vec<u8>) -> Option<()> {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; PREFIX]);
    postcard::to_io(image, &mut *buffer).ok()?;
    let (length, encoded) = buffer.get_mut(at..)?.split_first_chunk_mut::<PREFIX>()?;
    *length = u32::try_from(encoded.len()).ok()?.to_le_bytes();
    Some(())
}

/// Returns what calls share, and the rest.
fn split(payload: &[u8]) -> Result<(&[u8], &[u8]), Unreadable> {
    let parts = payload.split_first_chunk::<PREFIX>().and_then(|(length, parts)| {
        parts.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
    });
    parts.ok_or(Unreadable("encoding"))
}

/// Returns the opening that a payload holds.
pub(super) fn read_opening(id: RequestId, payload: &[u8]) -> Result<Opening, Unreadable> {
    let (common, own) = split(payload)?;
    let common = Common::parse(common)?;
    let image: OpeningImage<'_> = postcard::from_bytes(own).map_err(|_| Unreadable("encoding"))?;
    Ok(Opening {
        id,
        started_at: image.started_at.time()?,
        service: common.service,
        tags: common.tags,
        operation: common.operation,
        requested_model: common.requested_model,
        source_model: common.source_model,
        profile_arn: common.profile_arn,
        region: common.region,
        key_id: common.key_id,
        labels: image.labels.into_owned(),
        request_text_bytes: image.request_text_bytes,
        max_output_tokens: image.max_output_tokens,
    })
}

/// Returns the record that a payload holds.
pub(super) fn read_record(id: RequestId, payload: &[u8], memo: &mut Memo) -> Result<Record, Unreadable> {
    let (common, own) = split(payload)?;
    let image: RecordImage<'_> = postcard::from_bytes(own).map_err(|_| Unreadable("encoding"))?;
    let price_id = image.price_id.map(|id| memo.price_id(id));
    let common = memo.common(common)?;
    Ok(Record {
        id,
        started_at: image.started_at.time()?,
        finished_at: image.finished_at.time()?,
        service: common.service.clone(),
        tags: Arc::clone(&common.tags),
        operation: common.operation,
        requested_model: common.requested_model.clone(),
        source_model: common.source_model.clone(),
        profile_arn: common.profile_arn.clone(),
        attribution: image.attribution.0,
        region: common.region.clone(),
        status: image.status,
        outcome: image.outcome.0,
        client_gone: image.client_gone,
        usage: image.usage.usage(),
        usage_source: image.usage_source.0,
        usage_missing: image.usage_missing.map(|name| name.0),
        usage_raw: raw(image.usage_raw)?,
        service_tier: image.service_tier.map(str::to_owned),
        latency_tier: image.latency_tier.map(str::to_owned),
        picture: image.picture.map(PictureImage::picture),
        invoked_model: image
            .invoked_model
            .map(ModelId::parse)
            .transpose()
            .map_err(|_| Unreadable("model id"))?,
        cost: image.cost.map(Money::from_picos),
        price_id,
        unpriced: image.unpriced.map(Arc::from),
        time_to_first_byte: image.time_to_first_byte,
        duration: image.duration,
        aws_request_id: image.aws_request_id.map(str::to_owned),
        key_id: common.key_id.clone(),
        labels: image.labels.into_owned(),
    })
}

impl Moment {
    fn of(at: OffsetDateTime) -> Self {
        Self(at.unix_timestamp(), at.nanosecond())
    }

    fn time(self) -> Result<OffsetDateTime, Unreadable> {
        let whole = OffsetDateTime::from_unix_timestamp(self.0).ok();
        whole.and_then(|at| at.replace_nanosecond(self.1).ok()).ok_or(Unreadable("time"))
    }
}

impl<'a> UsageImage<'a> {
    fn of(usage: &'a Usage) -> Self {
        let Usage { tokens, units, policies } = usage;
        let Tokens { input, output, cache_read, cache_write_5m, cache_write_1h } = *tokens;
        Self {
            tokens: TokensImage { input, output, cache_read, cache_write_5m, cache_write_1h },
            units: Counts(Cow::Borrowed(units)),
            policies: Counts(Cow::Borrowed(policies)),
        }
    }

    fn usage(self) -> Usage {
        let TokensImage { input, output, cache_read, cache_write_5m, cache_write_1h } = self.tokens;
        Usage {
            tokens: Tokens { input, output, cache_read, cache_write_5m, cache_write_1h },
            units: self.units.0.into_owned(),
            policies: self.policies.0.into_owned(),
        }
    }
}

impl<'a> PictureImage<'a> {
    fn of(picture: &'a Picture) -> Self {
        let Picture { width, height, quality, steps } = picture;
        Self { width: *width, height: *height, quality: quality.as_deref(), steps: *steps }
    }

    fn picture(self) -> Picture {
        let Self { width, height, quality, steps } = self;
        Picture { width, height, quality: quality.map(str::to_owned), steps }
    }
}

fn raw(json: Option<&str>) -> Result<Option<Box<serde_json::value::RawValue>>, Unreadable> {
    let parsed = json.map(|json| serde_json::value::RawValue::from_string(json.to_owned()));
    parsed.transpose().map_err(|_| Unreadable("usage statement"))
}
