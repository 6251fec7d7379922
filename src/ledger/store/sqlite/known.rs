//! What is stored once, and the keys that a file has for it: remembered, since nearly every record has what was seen
//! before.

use super::fault::Fault;
use crate::domain::{ModelId, Record};
use crate::ledger::store::{Dimensions, DimensionsRow};
use rusqlite::{Connection, OptionalExtension, params};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// How many of a kind are remembered; clients choose the model ids that they ask for.
const MOST: usize = 10_000;

/// How many of a kind are looked through one by one.
const FEW: usize = 8;

/// Dimensions and prices that were seen.
#[derive(Debug, Default)]
pub(super) struct Known {
    hashes: RandomState,
    /// The dimensions and prices that were asked for last: most records have those.
    recent: Recent<Arc<Dimensions>>,
    recent_prices: Recent<Arc<str>>,
    /// Dimensions to write, by their hash.
    alike: HashMap<u64, Vec<(Arc<Dimensions>, i64)>>,
    /// How many those are.
    remembered: usize,
    /// Dimensions that were read.
    read: HashMap<i64, Arc<Dimensions>>,
    prices: HashMap<Arc<str>, i64>,
}

impl Known {
    /// Returns the key of a record's dimensions; writes them where the file has none.
    pub(super) fn dimensions_key(&mut self, connection: &Connection, record: &Record) -> Result<i64, Fault> {
        if let Some(key) = self.recent.find(|dimensions| dimensions.fit(record)) {
            return Ok(key);
        }
        let hash = self.hash(record);
        let alike = self.alike.get(&hash).map_or(&[][..], Vec::as_slice);
        if let Some((dimensions, key)) = alike.iter().find(|(dimensions, _)| dimensions.fit(record)) {
            self.recent.add(Arc::clone(dimensions), *key);
            return Ok(*key);
        }
        let dimensions = Arc::new(Dimensions::of(record));
        let key = find_or_write(connection, &dimensions)?;
        self.recent.add(Arc::clone(&dimensions), key);
        if self.remembered == MOST {
            self.alike.clear();
            self.remembered = 0;
        }
        self.alike.entry(hash).or_default().push((dimensions, key));
        self.remembered += 1;
        Ok(key)
    }

    /// Returns the key of prices; writes it where the file has none.
    pub(super) fn price_key(&mut self, connection: &Connection, id: &Arc<str>) -> Result<i64, Fault> {
        if let Some(key) = self.recent_prices.find(|known| known == id) {
            return Ok(key);
        }
        let key = match self.prices.get(id) {
            Some(key) => *key,
            None => self.new_price(connection, id)?,
        };
        self.recent_prices.add(Arc::clone(id), key);
        Ok(key)
    }

    fn new_price(&mut self, connection: &Connection, id: &Arc<str>) -> Result<i64, Fault> {
        let key = find_or_write_price(connection, id)?;
        if self.prices.len() == MOST {
            self.prices.clear();
        }
        self.prices.insert(Arc::clone(id), key);
        Ok(key)
    }

    /// Hashes what tells most records apart: a profile's id is short, and tells its model.
    fn hash(&self, record: &Record) -> u64 {
        let Record { service, operation, profile_arn, requested_model, key_id, .. } = record;
        let called = match profile_arn {
            Some(profile) => Some(profile.id()),
            None => requested_model.as_ref().map(ModelId::as_str),
        };
        self.hashes.hash_one((service, operation, called, key_id))
    }

    /// Returns the dimensions that have a key.
    pub(super) fn dimensions(&mut self, connection: &Connection, key: i64) -> Result<Arc<Dimensions>, Fault> {
        if let Some(dimensions) = self.read.get(&key) {
            return Ok(Arc::clone(dimensions));
        }
        let dimensions = Arc::new(read(connection, key)?);
        if self.read.len() == MOST {
            self.read.clear();
        }
        self.read.insert(key, Arc::clone(&dimensions));
        Ok(dimensions)
    }
}

/// A few things with their keys, the last that came first.
#[derive(Debug)]
struct Recent<T>(VecDeque<(T, i64)>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::with_capacity(FEW))
    }
}

impl<T> Recent<T> {
    fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<i64> {
        self.0.iter().find(|(one, _)| is_it(one)).map(|(_, key)| *key)
    }

    fn add(&mut self, one: T, key: i64) {
        self.0.truncate(FEW - 1);
        self.0.push_front((one, key));
    }
}

fn find_or_write(connection: &Connection, dimensions: &Dimensions) -> Result<i64, Fault> {
    let id = dimensions.id().0;
    let find = "SELECT key FROM dimensions WHERE id = ?";
    if let Some(key) = connection.query_row(find, [id], |row| row.get(0)).optional()? {
        return Ok(key);
    }
    let row = dimensions.row();
    connection.execute(
        "INSERT INTO dimensions (id, service, tags, operation, requested_model, source_model, profile_arn, region, key_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            row.service,
            row.tags,
            row.operation,
            row.requested_model,
            row.source_model,
            row.profile_arn,
            row.region,
            row.key_id
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

fn find_or_write_price(connection: &Connection, id: &str) -> Result<i64, Fault> {
    let find = "SELECT key FROM prices WHERE id = ?";
    if let Some(key) = connection.query_row(find, [id], |row| row.get(0)).optional()? {
        return Ok(key);
    }
    connection.execute("INSERT INTO prices (id) VALUES (?)", [id])?;
    Ok(connection.last_insert_rowid())
}

fn read(connection: &Connection, key: i64) -> Result<Dimensions, Fault> {
    let mut statement = connection.prepare(
        "SELECT service, tags, operation, requested_model, source_model, profile_arn, region, key_id
         FROM dimensions WHERE key = ?",
    )?;
    let mut rows = statement.query([key])?;
    let row = rows.next()?.ok_or_else(|| format!("dimensions {key} are not there"))?;
    let text = |column| row.get_ref(column)?.as_str().map_err(Fault::from);
    let some_text = |column| row.get_ref(column)?.as_str_or_null().map_err(Fault::from);
    let columns = DimensionsRow {
        service: text(0)?,
        tags: Cow::Borrowed(text(1)?),
        operation: text(2)?,
        requested_model: some_text(3)?,
        source_model: some_text(4)?,
        profile_arn: some_text(5)?,
        region: text(6)?,
        key_id: some_text(7)?,
    };
    columns.read().map_err(|error| Fault::Row(format!("dimensions {key}: {error}")))
}
