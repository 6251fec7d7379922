//! Keys in the services file.

use super::{ServicesEditor, text_of};
use crate::cli::Failure;
use crate::config::{KeyLimits, KeySpec, Proof};
use crate::domain::stamp::rfc3339_seconds;
use crate::domain::{ModelPattern, Operation, ServiceName};
use crate::hex::hex;
use crate::vault::Sealed;
use std::collections::BTreeSet;
use toml_edit::{Array, Item, Table, TableLike, Value};

/// How many digits of its hash are a bearer key's id.
const ID_DIGITS: usize = 16;

/// A key of the services file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct FoundKey {
    /// Its id.
    pub(in crate::cli) id: String,
    /// Whose it is.
    pub(in crate::cli) service: String,
    /// Its hash, where it has one.
    hash: Option<String>,
}

/// Returns a key as a table of the services file.
pub(in crate::cli) fn key_table(key: &KeySpec) -> Table {
    let mut table = Table::new();
    match &key.proof {
        Proof::Bearer(hash) => table.insert("sha256", toml_edit::value(hex(hash))),
        Proof::Signature(sealed) => table.insert("sealed_secret", toml_edit::value(sealed.as_str())),
    };
    let KeyLimits { expires, operations, models } = &key.limits;
    if let Some(end) = expires {
        table.insert("expires", toml_edit::value(rfc3339_seconds(*end)));
    }
    if !operations.is_empty() {
        let names: Array = operations.iter().map(|operation| Operation::name(*operation)).collect();
        table.insert("operations", toml_edit::value(names));
    }
    if !models.is_empty() {
        let patterns: Array = models.iter().map(ModelPattern::as_str).collect();
        table.insert("models", toml_edit::value(patterns));
    }
    table
}

impl ServicesEditor {
    /// Adds a key to a service: among the hashes where a hash is all that there is to say, else as a table.
    pub(in crate::cli) fn add_key(&mut self, service: &ServiceName, key: &KeySpec) -> Result<(), Failure> {
        let table = self.service(service)?;
        match &key.proof {
            Proof::Bearer(hash) if key.limits == KeyLimits::default() => add_hash(table, &hex(hash)),
            Proof::Bearer(_) | Proof::Signature(_) => {
                let keys = table.entry("keys").or_insert_with(|| {
                    let mut keys = Table::new();
                    keys.set_implicit(true);
                    Item::Table(keys)
                });
                if let Some(keys) = keys.as_table_like_mut() {
                    let mut table = key_table(key);
                    table.decor_mut().set_prefix("\n");
                    keys.insert(&key.id, Item::Table(table));
                }
            }
        }
        Ok(())
    }

    /// Finds the one key whose id, or hash, begins with some characters.
    pub(in crate::cli) fn find_key(&mut self, prefix: &str) -> Result<FoundKey, Failure> {
        let mut found = BTreeSet::new();
        for (name, item) in self.services().into_iter().flat_map(|services| services.iter()) {
            let Some(service) = item.as_table_like() else { continue };
            found.extend(keys_of(name, service).filter(|key| {
                let hash = key.hash.as_deref().unwrap_or_default();
                key.id.starts_with(prefix) || hash.starts_with(prefix)
            }));
        }
        let ids: BTreeSet<&str> = found.iter().map(|key| key.hash.as_deref().unwrap_or(&key.id)).collect();
        if ids.len() > 1 {
            let message = format!("{} keys begin with '{prefix}'", ids.len());
            return Err(Failure::refused(message, "give more digits; `tollgate keys list` shows them"));
        }
        found.pop_first().ok_or_else(|| {
            let message = format!("no key's id begins with '{prefix}'");
            Failure::refused(message, "`tollgate keys list` shows the ids")
        })
    }

    /// Removes a key wherever it is.
    pub(in crate::cli) fn remove_key(&mut self, key: &FoundKey) {
        for (_, item) in self.services().into_iter().flat_map(TableLike::iter_mut) {
            let Some(table) = item.as_table_like_mut() else { continue };
            if let Some(hash) = &key.hash {
                remove_hash(table, hash);
            }
            let Some(keys) = table.get_mut("keys").and_then(Item::as_table_like_mut) else { continue };
            keys.remove(&key.id);
            if keys.is_empty() {
                table.remove("keys");
            }
        }
    }

    /// Puts another sealed secret in the place of a key's.
    pub(in crate::cli) fn set_sealed(&mut self, service: &ServiceName, id: &str, sealed: &Sealed) {
        let Ok(table) = self.service(service) else { return };
        let key = table.get_mut("keys").and_then(Item::as_table_like_mut).and_then(|keys| keys.get_mut(id));
        let secret = key.and_then(Item::as_table_like_mut).and_then(|key| key.get_mut("sealed_secret"));
        if let Some(value) = secret.and_then(Item::as_value_mut) {
            let decor = value.decor().clone();
            *value = Value::from(sealed.as_str());
            *value.decor_mut() = decor;
        }
    }
}

fn keys_of<'a>(name: &'a str, service: &'a dyn TableLike) -> impl Iterator<Item = FoundKey> + 'a {
    let found = |id: String, hash: Option<String>| FoundKey { id, service: name.to_owned(), hash };
    let hashes = service.get("key_sha256").and_then(Item::as_array).into_iter().flatten();
    let listed = hashes.filter_map(Value::as_str).map(str::to_ascii_lowercase).map(move |hash| {
        let id = hash.chars().take(ID_DIGITS).collect();
        found(id, Some(hash))
    });
    let tables = service.get("keys").and_then(Item::as_table_like);
    let stated = tables.into_iter().flat_map(TableLike::iter).map(move |(id, item)| {
        let hash = item.as_table_like().and_then(|key| key.get("sha256")?.as_str());
        FoundKey { id: id.to_owned(), service: name.to_owned(), hash: hash.map(str::to_ascii_lowercase) }
    });
    listed.chain(stated)
}

fn add_hash(service: &mut dyn TableLike, hash: &str) {
    let keys = service.entry("key_sha256").or_insert(Item::Value(Value::Array(Array::new())));
    let Some(keys) = keys.as_array_mut() else { return };
    let mut value = Value::from(hash);
    let indent = keys.iter().last().map(|last| text_of(last.decor().prefix()));
    match indent {
        // One hash to a line stays one hash to a line; the comment of the last one is not repeated.
        Some(indent) if indent.contains('\n') => {
            let spaces = indent.rsplit('\n').next().unwrap_or_default();
            value.decor_mut().set_prefix(format!("\n{spaces}"));
            keys.push_formatted(value);
        }
        _ => keys.push(value),
    }
}

fn remove_hash(service: &mut dyn TableLike, hash: &str) {
    let Some(keys) = service.get_mut("key_sha256").and_then(Item::as_array_mut) else { return };
    let before = keys.len();
    keys.retain(|key| key.as_str().is_none_or(|key| !key.eq_ignore_ascii_case(hash)));
    if before > 0 && keys.is_empty() {
        service.remove("key_sha256");
    }
}
