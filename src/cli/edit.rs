//! Changing the services file in place: comments and order stay, and nothing invalid is written.

mod keys;

pub(super) use keys::key_table;

use super::services::AddArgs;
use super::{Context, Failure};
use crate::config::{load_edited, load_files, load_settings};
use crate::domain::{ModelId, ProfileArn, ServiceName};
use crate::replace::{lock_folder, replace};
use std::fs::{self, File};
use std::path::PathBuf;
use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

/// The services file while it is being changed.
pub(super) struct ServicesEditor {
    config: PathBuf,
    env: Vec<(String, String)>,
    file: PathBuf,
    document: DocumentMut,
    /// The locked folder: of two changes at the same time none is lost.
    _lock: Option<File>,
}

impl ServicesEditor {
    /// Opens the services file that the config names.
    pub(super) fn open(context: &Context<'_>) -> Result<Self, Failure> {
        let (config, env) = (context.config.clone(), context.env.clone());
        let file = load_settings(&config, env.clone())?.catalog.services;
        let lock = lock_folder(&file);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                load_files(&config, env)?;
                return Err(error.into());
            }
        };
        match text.parse() {
            Ok(document) => Ok(Self { config, env, file, document, _lock: lock }),
            Err(error) => {
                load_edited(&config, env, text)?;
                Err(Failure::Other(anyhow::Error::new::<toml_edit::TomlError>(error)))
            }
        }
    }

    /// Writes the file, if config and services are valid with it, and returns its path.
    pub(super) fn save(self) -> Result<PathBuf, Failure> {
        let text = self.document.to_string();
        load_edited(&self.config, self.env, text.clone())?;
        replace(&self.file, &text)?;
        Ok(self.file)
    }

    /// Adds a service at the end.
    pub(super) fn add_service(&mut self, service: &AddArgs) -> Result<(), Failure> {
        let name = service.name.as_str();
        if self.services().is_some_and(|services| services.contains_key(name)) {
            let hint = format!("edit it in {}, or choose another name", self.file.display());
            return Err(Failure::refused(format!("service '{name}' exists already"), hint));
        }
        let mut table = new_table(service);
        table.decor_mut().set_prefix(self.take_heading());
        let root = self.document.as_table_mut().entry("services").or_insert_with(|| {
            let mut services = Table::new();
            services.set_implicit(true);
            Item::Table(services)
        });
        if let Some(services) = root.as_table_like_mut() {
            services.insert(name, Item::Table(table));
        }
        Ok(())
    }

    /// Returns what parts a new table from what stands above it; comments of a file without tables become that.
    fn take_heading(&mut self) -> String {
        if !self.document.is_empty() {
            return "\n".to_owned();
        }
        let comments = text_of(Some(self.document.trailing()));
        self.document.set_trailing("");
        if comments.trim().is_empty() { String::new() } else { format!("{}\n\n", comments.trim_end()) }
    }

    /// Names the profile that a service has for a model, in place of the one that is named.
    pub(super) fn set_profile(
        &mut self,
        service: &ServiceName,
        model: &ModelId,
        arn: &ProfileArn,
    ) -> Result<(), Failure> {
        let service = self.service(service)?;
        if service.get("profiles").is_none() {
            let mut profiles = Table::new();
            profiles.decor_mut().set_prefix("\n");
            service.insert("profiles", Item::Table(profiles));
        }
        let Some(profiles) = service.get_mut("profiles").and_then(Item::as_table_like_mut) else {
            return Ok(());
        };
        let is_same = |key: &&str| ModelId::parse(key).is_ok_and(|key| key.bare() == model.as_str());
        let key = profiles.iter().map(|(key, _)| key).find(is_same).unwrap_or(model.as_str()).to_owned();
        match profiles.get_mut(&key).and_then(Item::as_value_mut) {
            Some(value) => {
                let decor = value.decor().clone();
                *value = Value::from(arn.as_str());
                *value.decor_mut() = decor;
            }
            None => {
                profiles.insert(&key, toml_edit::value(arn.as_str()));
            }
        }
        Ok(())
    }

    /// Removes a service and the comment just above it.
    pub(super) fn remove_service(&mut self, name: &ServiceName) -> Result<(), Failure> {
        self.service(name)?;
        let Some(services) = self.services() else { return Ok(()) };
        let removed = services.remove(name.as_str());
        let Some(removed) = removed.as_ref().and_then(Item::as_table) else { return Ok(()) };
        let heading = heading_of(removed);
        if heading.is_empty() {
            return Ok(());
        }
        let next = services
            .iter_mut()
            .filter_map(|(_, item)| item.as_table_mut())
            .filter(|table| !table.is_implicit() && table.position() > removed.position())
            .min_by_key(|table| table.position());
        if let Some(next) = next {
            let own = text_of(next.decor().prefix());
            next.decor_mut().set_prefix(format!("{heading}{}", own.trim_start_matches('\n')));
        } else {
            let trailing = text_of(Some(self.document.trailing()));
            self.document.set_trailing(format!("{heading}{trailing}"));
        }
        Ok(())
    }

    fn services(&mut self) -> Option<&mut dyn TableLike> {
        self.document.get_mut("services")?.as_table_like_mut()
    }

    fn service(&mut self, name: &ServiceName) -> Result<&mut dyn TableLike, Failure> {
        let message = format!("there is no service '{name}' in {}", self.file.display());
        let services = self.services();
        let names: Vec<String> =
            services.iter().flat_map(|services| services.iter()).map(|(name, _)| name.to_owned()).collect();
        let hint = match names.as_slice() {
            [] => format!("add it with `tollgate services add {name}`"),
            names => format!("it has {}; add one with `tollgate services add`", names.join(", ")),
        };
        self.services()
            .and_then(|services| services.get_mut(name.as_str())?.as_table_like_mut())
            .ok_or_else(|| Failure::refused(message, hint))
    }
}

fn new_table(service: &AddArgs) -> Table {
    let mut table = Table::new();
    if !service.tags.is_empty() {
        let tags: InlineTable = service.tags.iter().map(|(tag, value)| (tag, value.as_str())).collect();
        table.insert("tags", Item::Value(Value::InlineTable(tags)));
    }
    if !service.models.is_empty() {
        let models: Array = service.models.iter().map(ModelId::as_str).collect();
        table.insert("models", toml_edit::value(models));
    }
    if let Some(model) = &service.default_model {
        table.insert("default_model", toml_edit::value(model.as_str()));
    }
    if !service.profiles.is_empty() {
        let mut profiles = Table::new();
        profiles.decor_mut().set_prefix("\n");
        for (model, arn) in &service.profiles {
            profiles.insert(model.as_str(), toml_edit::value(arn.as_str()));
        }
        table.insert("profiles", Item::Table(profiles));
    }
    table
}

/// Returns the comments above a table that a blank line parts from it: they are about more than this table.
fn heading_of(table: &Table) -> String {
    let prefix = text_of(table.decor().prefix());
    match prefix.rsplit_once("\n\n") {
        Some((heading, _)) if heading.contains('#') => format!("{heading}\n\n"),
        _ => String::new(),
    }
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}
