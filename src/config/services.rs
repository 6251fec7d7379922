//! The keys of the services file.

use super::settings::alias;
use super::tags::MAX_VALUE;
use super::{ServiceSpec, ServicesFile, keys};
use crate::domain::{
    CertificateName, ModelId, ModelPattern, Operation, ProfileArn, Region, RoleArn, ServiceName,
};
use crate::sheet::{Section, Sheet, dotted};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// The table of all services.
const SERVICES: &str = "services";

/// Reads the services of a sheet, without those whose names are not legal.
pub(super) fn read(sheet: &mut Sheet) -> ServicesFile {
    let mut file = ServicesFile::default();
    if let Some(services) = sheet.read_long(SERVICES, read_named).filter(|services| are_different(services)) {
        file.services = services;
        return file;
    }
    let text = sheet.text();
    if let Some(table) = sheet.parse(&text) {
        let mut root = sheet.root(&table);
        let mut shared = Shared::default();
        root.section(SERVICES)
            .each_named(|name, section| file.services.extend(read_named(&mut shared, name, section)));
        root.finish();
    }
    file
}

/// Tells whether no name is there twice.
fn are_different(services: &[ServiceSpec]) -> bool {
    let mut names = HashSet::with_capacity(services.len());
    services.iter().all(|service| names.insert(service.name.as_str()))
}

fn read_named(shared: &mut Shared, name: &str, mut section: Section<'_>) -> Option<ServiceSpec> {
    match ServiceName::parse(name) {
        Ok(name) => Some(read_service(section, name, shared)),
        Err(error) => {
            section.wrong(error.to_string());
            None
        }
    }
}

/// What many services name, kept once.
#[derive(Debug, Default)]
struct Shared {
    models: BTreeSet<ModelId>,
    regions: BTreeSet<Region>,
}

impl Shared {
    fn model(&mut self, text: &str) -> Result<ModelId, String> {
        if let Some(known) = self.models.get(text) {
            return Ok(known.clone());
        }
        let model = model_id(text)?;
        self.models.insert(model.clone());
        Ok(model)
    }

    fn profile(&mut self, text: &str) -> Result<ProfileArn, String> {
        ProfileArn::parse_among(text, &mut self.regions).map_err(|error| format!("'{text}' is {error}"))
    }
}

fn read_service(mut section: Section<'_>, name: ServiceName, shared: &mut Shared) -> ServiceSpec {
    let mut default_model = None;
    section.read_text("default_model", &mut default_model, |model| model_id(model).map(Some));
    let mut session_role = None;
    section.read_text("session_role_arn", &mut session_role, |arn| role(arn).map(Some));
    let mut stamp_request_metadata = false;
    section.read("stamp_request_metadata", &mut stamp_request_metadata, Ok);
    let tags = section.read_map("tags", |tag, value| Ok((tag.to_owned(), value.to_owned())));
    let profiles = section.read_map("profiles", |model, arn| {
        let arn = shared.profile(arn)?;
        Ok((shared.model(model)?, arn))
    });
    let mut seen = BTreeSet::new();
    let models = section.read_list("models", |text| {
        let model = source_id(text)?;
        if seen.insert(text.to_owned()) {
            return Ok(model);
        }
        Err(format!("'{text}' is there already: name each model once"))
    });
    let spec = ServiceSpec {
        name,
        tags: Arc::new(tags.unwrap_or_default().into_iter().collect()),
        models: models.unwrap_or_default(),
        profiles: profiles.unwrap_or_default(),
        default_model,
        aliases: section
            .read_map("aliases", alias)
            .unwrap_or_default()
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        key_sha256: section.read_list("key_sha256", hash).unwrap_or_default(),
        keys: keys::read(section.section("keys")),
        allowed_operations: section.read_list("allowed_operations", operation).unwrap_or_default(),
        allowed_models: section.read_list("allowed_models", pattern).unwrap_or_default(),
        client_certificates: section.read_list("client_certificates", certificate_name).unwrap_or_default(),
        session_role,
        stamp_request_metadata,
    };
    section.finish();
    spec
}

fn model_id(text: &str) -> Result<ModelId, String> {
    ModelId::parse(text).map_err(|error| format!("'{text}': {error}"))
}

/// Reads the id of what a profile is to be copied from.
fn source_id(text: &str) -> Result<ModelId, String> {
    let model = model_id(text)?;
    if text.starts_with("arn:") || text.len() > MAX_VALUE {
        return Err(format!(
            "'{text}' is no model's id: name a foundation model or a system-defined profile by its id, such as \
             us.amazon.nova-lite-v1:0, in up to {MAX_VALUE} characters"
        ));
    }
    Ok(model)
}

pub(crate) fn operation(name: &str) -> Result<Operation, String> {
    Operation::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Operation::ALL.into_iter().map(Operation::name).collect();
        format!("'{name}' is no operation; use {}", names.join(", "))
    })
}

pub(crate) fn pattern(text: &str) -> Result<ModelPattern, String> {
    ModelPattern::parse(text).map_err(|error| format!("'{text}' is {error}"))
}

fn certificate_name(text: &str) -> Result<CertificateName, String> {
    CertificateName::parse(text).map_err(|error| format!("'{text}' is {error}"))
}

fn role(text: &str) -> Result<RoleArn, String> {
    RoleArn::parse(text).map_err(|error| format!("'{text}' is {error}"))
}

/// Returns the 32 bytes of 64 hexadecimal digits.
pub(super) fn hash(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "must be 64 hexadecimal digits, as `tollgate keys create` prints them".to_owned();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let digits: Vec<char> = text.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

/// Returns the key of a service's setting, as problems name it.
pub(super) fn key_of(service: &ServiceName, setting: &str) -> String {
    format!("{}.{setting}", dotted("services", service.as_str()))
}
