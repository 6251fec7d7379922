//! The partitions of the records: one per month, made before they are needed and whenever one is.

use super::connection::{Connection, Lock};
use super::migrations;
use super::months::Month;
use postgres::{Client, Error};
use uuid::Uuid;

/// Makes sure that there is a partition for each of these ids, which are in order, and for the month after.
pub(super) fn ensure(connection: &mut Connection, ids: &[Uuid]) -> Result<(), Error> {
    let mut months: Vec<Month> = ids.iter().copied().map(Month::of).collect();
    months.dedup();
    months.extend(months.last().map(|last| last.next()));
    for month in months {
        if !connection.months.contains(&month) {
            make(&mut connection.client, month)?;
            connection.months.insert(month);
        }
    }
    Ok(())
}

/// Makes a month's partition, unless it is there. It is made by itself and then attached, which, other than making it
/// in its place, waits for no reader or writer, and lets none wait.
fn make(client: &mut Client, month: Month) -> Result<(), Error> {
    let name = month.partition();
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&Lock::Partitions.key()])?;
    if migrations::exists(&mut transaction, &name)? {
        return Ok(());
    }
    let first = month.first_id();
    let end = month.end().map_or("MAXVALUE".to_owned(), |end| format!("'{end}'"));
    transaction.batch_execute(&format!(
        "CREATE TABLE {name} (LIKE records INCLUDING ALL);
         ALTER TABLE records ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ({end})"
    ))?;
    transaction.commit()
}

/// Returns the months that have a partition, in order.
pub(super) fn months(client: &mut Client) -> Result<Vec<Month>, Error> {
    let names = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'records'::regclass";
    let rows = client.query(names, &[])?;
    let mut months = Vec::new();
    for row in &rows {
        months.extend(Month::of_partition(row.try_get(0)?));
    }
    months.sort_unstable();
    Ok(months)
}
