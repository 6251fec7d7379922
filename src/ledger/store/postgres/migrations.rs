//! The schema, brought up to date step by step, once, by whichever gateway comes first.

use super::address::Address;
use super::connection::Lock;
use super::{Access, StoreError, fault};
use postgres::{Client, Error, GenericClient};

/// The version that the steps lead to.
pub(super) const VERSION: i32 = 1;

/// Each version with the step that leads to it.
const STEPS: [(i32, &str); 1] = [(VERSION, include_str!("0001_ledger.sql"))];

/// Brings the schema up to date.
///
/// # Errors
/// It is of a newer version; or it is not up to date, and `access` does not allow to change it.
pub(super) fn migrate(client: &mut Client, address: &Address, access: Access) -> Result<(), StoreError> {
    let fault = |error| fault::of(address, &error);
    let place = address.place().to_owned();
    let found = version(client).map_err(fault)?;
    let found = match access {
        Access::Write if found < VERSION => climb(client).map_err(fault)?,
        Access::Write | Access::Read => found,
    };
    match found {
        VERSION => Ok(()),
        0 => Err(StoreError::Unprepared {
            place,
            reason: "it holds no ledger".to_owned(),
            hint: "start `tollgate serve` with it once, or name another database in the URL".to_owned(),
        }),
        found if found > VERSION => Err(StoreError::Unusable {
            place,
            reason: format!("its schema has version {found}; this tollgate knows versions up to {VERSION}"),
            hint: "use the version of tollgate that made it so, or a later one".to_owned(),
        }),
        found => Err(StoreError::Unprepared {
            place,
            reason: format!("its schema has version {found}; this tollgate needs version {VERSION}"),
            hint: "start this version's `tollgate serve` with it once".to_owned(),
        }),
    }
}

/// Returns the version of the schema; 0 where there is none.
fn version(client: &mut impl GenericClient) -> Result<i32, Error> {
    if !exists(client, "schema_version")? {
        return Ok(0);
    }
    client.query_one("SELECT COALESCE(max(version), 0) FROM tollgate.schema_version", &[])?.try_get(0)
}

/// Tells whether the schema has a table of that name. The catalog is asked itself: `to_regclass` may answer from what it
/// knew before a lock was waited for.
pub(super) fn exists(client: &mut impl GenericClient, table: &str) -> Result<bool, Error> {
    let found = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'tollgate' AND c.relname = $1)";
    client.query_one(found, &[&table])?.try_get(0)
}

/// Takes the steps that are missing, and returns the version that was reached, or found already.
fn climb(client: &mut Client) -> Result<i32, Error> {
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&Lock::Schema.key()])?;
    let found = version(&mut transaction)?;
    if found == 0 {
        make_schema(&mut transaction)?;
    }
    for (version, step) in STEPS.iter().filter(|(version, _)| *version > found) {
        transaction.batch_execute(step)?;
        transaction.execute("INSERT INTO schema_version (version) VALUES ($1)", &[version])?;
    }
    transaction.commit()?;
    Ok(found.max(VERSION))
}

/// A schema that somebody made for us is taken as it is: `CREATE SCHEMA IF NOT EXISTS` asks for the right to make one
/// all the same.
fn make_schema(client: &mut impl GenericClient) -> Result<(), Error> {
    let exists =
        client.query_one("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'tollgate')", &[])?;
    if !exists.try_get::<_, bool>(0)? {
        client.batch_execute("CREATE SCHEMA tollgate")?;
    }
    client.batch_execute(
        "CREATE TABLE schema_version (version int4 PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
    )
}
