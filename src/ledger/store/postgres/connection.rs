//! One connection, with what is known of the database through it.

use super::address::Address;
use super::months::Month;
use super::{Access, StoreError, fault, migrations};
use postgres::{Client, Error, Statement};
use std::collections::{HashMap, HashSet};

/// A lock that somebody forgets to release shall not stop us for ever, nor ours them.
const SESSION: &str = "SET search_path = tollgate; \
                       SET lock_timeout = '30s'; \
                       SET idle_in_transaction_session_timeout = '60s'";

/// The first release with `date_bin`, which every release has that is still looked after.
const OLDEST: i32 = 14;

/// What no two gateways do at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lock {
    /// Changing the schema.
    Schema,
    /// Adding a partition.
    Partitions,
    /// Changing records that are there, or forgetting them: both take rows in no particular order.
    Records,
}

impl Lock {
    /// Returns the key of its advisory lock: from the bytes of `tollgate` on.
    pub(super) fn key(self) -> i64 {
        match self {
            Self::Schema => 0x746f_6c6c_6761_7465,
            Self::Partitions => 0x746f_6c6c_6761_7466,
            Self::Records => 0x746f_6c6c_6761_7467,
        }
    }
}

/// A connection to a database whose schema is up to date.
pub(super) struct Connection {
    /// The connection itself.
    pub(super) client: Client,
    /// Months that have a partition.
    pub(super) months: HashSet<Month>,
    statements: HashMap<&'static str, Statement>,
}

impl Connection {
    /// Connects, and brings the schema up to date if `access` allows that.
    pub(super) fn open(address: &Address, access: Access) -> Result<Self, StoreError> {
        let mut client = address.connect()?;
        check_server(&mut client, address)?;
        client.batch_execute(SESSION).map_err(|error| fault::of(address, &error))?;
        migrations::migrate(&mut client, address, access)?;
        Ok(Self { client, months: HashSet::new(), statements: HashMap::new() })
    }

    /// Returns a prepared statement.
    pub(super) fn prepare(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// Checks that every text can be stored, and that every statement is understood.
fn check_server(client: &mut Client, address: &Address) -> Result<(), StoreError> {
    let fault = |error| fault::of(address, &error);
    let settings =
        "SELECT current_setting('server_version_num')::int4 / 10000, current_setting('server_encoding')";
    let row = client.query_one(settings, &[]).map_err(fault)?;
    let version: i32 = row.try_get(0).map_err(fault)?;
    let encoding: &str = row.try_get(1).map_err(fault)?;
    let unusable =
        |reason, hint| Err(StoreError::Unusable { place: address.place().to_owned(), reason, hint });
    if version < OLDEST {
        let hint = format!("use PostgreSQL {OLDEST} or later");
        return unusable(format!("it is PostgreSQL {version}"), hint);
    }
    if encoding != "UTF8" {
        let hint =
            format!("make one with `createdb --encoding UTF8 --template template0 {}2`", address.database());
        return unusable(format!("the database's encoding is {encoding}"), hint);
    }
    Ok(())
}
