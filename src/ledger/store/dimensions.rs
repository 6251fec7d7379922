//! What calls share: stored once, referred to by every record and rollup.

use super::row::{known, known_if, map_json, map_of};
use crate::domain::{Attribution, ModelId, Operation, ProfileArn, Record, Region, ServiceName};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a record has in common with many others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dimensions {
    /// Who carries the cost.
    pub service: ServiceName,
    /// The service's tags when the calls started.
    pub tags: Arc<BTreeMap<String, String>>,
    /// What was called.
    pub operation: Operation,
    /// The model id that was asked for.
    pub requested_model: Option<ModelId>,
    /// What the profile was copied from.
    pub source_model: Option<ModelId>,
    /// The profile.
    pub profile_arn: Option<ProfileArn>,
    /// The region.
    pub region: Region,
    /// The service key.
    pub key_id: Option<String>,
}

/// The first 16 bytes of the SHA-256 of dimensions: the same in every store, whoever writes them first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DimensionsId(pub [u8; 16]);

impl Dimensions {
    /// Returns a record's dimensions.
    pub fn of(record: &Record) -> Self {
        Self {
            service: record.service.clone(),
            tags: Arc::clone(&record.tags),
            operation: record.operation,
            requested_model: record.requested_model.clone(),
            source_model: record.source_model.clone(),
            profile_arn: record.profile_arn.clone(),
            region: record.region.clone(),
            key_id: record.key_id.clone(),
        }
    }

    /// Tells whether a record has these dimensions. What both share is not compared: an `Arc` equals itself.
    pub fn fit(&self, record: &Record) -> bool {
        self.service == record.service
            && self.operation == record.operation
            && self.requested_model == record.requested_model
            && self.source_model == record.source_model
            && self.profile_arn == record.profile_arn
            && self.region == record.region
            && self.key_id == record.key_id
            && self.tags == record.tags
    }

    /// Returns which of AWS's books show the calls under the service.
    pub fn attribution(&self) -> Attribution {
        if self.profile_arn.is_some() { Attribution::Profile } else { Attribution::LedgerOnly }
    }

    /// Returns the model that the profile was copied from, or that was called without a profile.
    pub fn model(&self) -> Option<&ModelId> {
        self.source_model.as_ref().or(self.requested_model.as_ref())
    }

    /// Returns their id.
    pub fn id(&self) -> DimensionsId {
        let optional =
            |text: Option<&str>| text.map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat());
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        };
        part(self.service.as_str().as_bytes());
        part(self.operation.name().as_bytes());
        part(&optional(self.requested_model.as_ref().map(ModelId::as_str)));
        part(&optional(self.source_model.as_ref().map(ModelId::as_str)));
        part(&optional(self.profile_arn.as_ref().map(ProfileArn::as_str)));
        part(self.region.as_str().as_bytes());
        part(&optional(self.key_id.as_deref()));
        for (key, value) in self.tags.iter() {
            part(key.as_bytes());
            part(value.as_bytes());
        }
        let hash: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        DimensionsId(id)
    }
}

/// Dimensions as the columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionsRow<'a> {
    /// The service's name.
    pub service: &'a str,
    /// The service's tags, a JSON object with its keys in order.
    pub tags: Cow<'a, str>,
    /// The operation's name.
    pub operation: &'a str,
    /// The model id that was asked for.
    pub requested_model: Option<&'a str>,
    /// What the profile was copied from.
    pub source_model: Option<&'a str>,
    /// The profile.
    pub profile_arn: Option<&'a str>,
    /// The region's name.
    pub region: &'a str,
    /// The service key.
    pub key_id: Option<&'a str>,
}

impl Dimensions {
    /// Returns their columns.
    pub fn row(&self) -> DimensionsRow<'_> {
        DimensionsRow {
            service: self.service.as_str(),
            tags: Cow::Owned(map_json(&self.tags)),
            operation: self.operation.name(),
            requested_model: self.requested_model.as_ref().map(ModelId::as_str),
            source_model: self.source_model.as_ref().map(ModelId::as_str),
            profile_arn: self.profile_arn.as_ref().map(ProfileArn::as_str),
            region: self.region.as_str(),
            key_id: self.key_id.as_deref(),
        }
    }
}

impl DimensionsRow<'_> {
    /// Returns the dimensions that have these columns, or what is wrong with them.
    pub fn read(&self) -> Result<Dimensions, String> {
        let model = |id: &str| ModelId::parse(id).ok();
        Ok(Dimensions {
            service: known("service", self.service, |name| ServiceName::parse(name).ok())?,
            tags: Arc::new(map_of(&self.tags)?),
            operation: known("operation", self.operation, Operation::from_name)?,
            requested_model: known_if("model", self.requested_model, model)?,
            source_model: known_if("model", self.source_model, model)?,
            profile_arn: known_if("profile", self.profile_arn, |arn| ProfileArn::parse(arn).ok())?,
            region: known("region", self.region, Region::parse)?,
            key_id: self.key_id.map(str::to_owned),
        })
    }
}
