//! What calls share, in the form in which entries carry it: one part, which the reader takes apart once.

use super::payload::Unreadable;
use super::words::Name;
use crate::domain::{ModelId, Operation, ProfileArn, Record, Region, ServiceName};
use crate::ledger::opening::OpeningRef;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many parts are remembered.
const CAPACITY: usize = 1024;

pub(super) type Pairs = BTreeMap<String, String>;

/// A part that is to be encoded, or is decoded.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Image<'a> {
    service: &'a str,
    tags: Cow<'a, Pairs>,
    operation: Name<Operation>,
    requested_model: Option<&'a str>,
    source_model: Option<&'a str>,
    profile_arn: Option<&'a str>,
    region: &'a str,
    key_id: Option<&'a str>,
}

/// The values that a part holds.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) service: ServiceName,
    pub(super) tags: Arc<Pairs>,
    pub(super) operation: Operation,
    pub(super) requested_model: Option<ModelId>,
    pub(super) source_model: Option<ModelId>,
    pub(super) profile_arn: Option<ProfileArn>,
    pub(super) region: Region,
    pub(super) key_id: Option<String>,
}

/// Parts that were taken apart already, so that records share what they have in common.
#[derive(Debug, Default)]
pub(super) struct Memo {
    last: Option<Arc<Known>>,
    /// By the checksum of their bytes; of two with the same one, the later.
    known: HashMap<u32, Arc<Known>>,
    price_id: Option<Arc<str>>,
}

#[derive(Debug)]
struct Known {
    bytes: Box<[u8]>,
    common: Common,
}

impl<'a> Image<'a> {
    /// Returns an opening's part.
    pub(super) fn of_opening(opening: &OpeningRef<'a>) -> Self {
        Self {
            service: opening.service.as_str(),
            tags: Cow::Borrowed(opening.tags),
            operation: Name(opening.operation),
            requested_model: opening.requested_model.map(ModelId::as_str),
            source_model: opening.source_model.map(ModelId::as_str),
            profile_arn: opening.profile_arn.map(ProfileArn::as_str),
            region: opening.region.as_str(),
            key_id: opening.key_id,
        }
    }

    /// Returns a record's part.
    pub(super) fn of_record(record: &'a Record) -> Self {
        Self {
            service: record.service.as_str(),
            tags: Cow::Borrowed(&record.tags),
            operation: Name(record.operation),
            requested_model: record.requested_model.as_ref().map(ModelId::as_str),
            source_model: record.source_model.as_ref().map(ModelId::as_str),
            profile_arn: record.profile_arn.as_ref().map(ProfileArn::as_str),
            region: record.region.as_str(),
            key_id: record.key_id.as_deref(),
        }
    }
}

impl Common {
    /// Takes a part apart.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let image: Image<'_> = postcard::from_bytes(bytes).map_err(|_| Unreadable("encoding"))?;
        let model = |id: Option<&str>| id.map(ModelId::parse).transpose().map_err(|_| Unreadable("model id"));
        let profile = image.profile_arn.map(ProfileArn::parse).transpose();
        Ok(Self {
            service: ServiceName::parse(image.service).map_err(|_| Unreadable("service"))?,
            tags: Arc::new(image.tags.into_owned()),
            operation: image.operation.0,
            requested_model: model(image.requested_model)?,
            source_model: model(image.source_model)?,
            profile_arn: profile.map_err(|_| Unreadable("profile"))?,
            region: Region::parse(image.region).ok_or(Unreadable("region"))?,
            key_id: image.key_id.map(str::to_owned),
        })
    }
}

impl Memo {
    /// Returns what a part holds.
    pub(super) fn common(&mut self, bytes: &[u8]) -> Result<&Common, Unreadable> {
        let is_last = self.last.as_ref().is_some_and(|last| *last.bytes == *bytes);
        let known = match self.last.take().filter(|_| is_last) {
            Some(last) => last,
            None => self.look_up(bytes)?,
        };
        Ok(&self.last.insert(known).common)
    }

    fn look_up(&mut self, bytes: &[u8]) -> Result<Arc<Known>, Unreadable> {
        let checksum = crc32fast::hash(bytes);
        if let Some(known) = self.known.get(&checksum).filter(|known| *known.bytes == *bytes) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(Known { bytes: bytes.into(), common: Common::parse(bytes)? });
        if self.known.len() >= CAPACITY {
            self.known.clear();
        }
        self.known.insert(checksum, Arc::clone(&known));
        Ok(known)
    }

    /// Returns a price's id, shared with the record before where that has the same.
    pub(super) fn price_id(&mut self, id: &str) -> Arc<str> {
        let last = self.price_id.take().filter(|last| **last == *id);
        Arc::clone(self.price_id.insert(last.unwrap_or_else(|| id.into())))
    }
}
