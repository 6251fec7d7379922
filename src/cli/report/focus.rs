//! A report in the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification.
//!
//! What is mapped to which column, and why, is in docs/REPORTS.md. The estimate is the effective, contracted and list
//! cost; the billed cost is 0, since nobody is billed by this data: AWS's own export has the bill.

mod columns;

use super::Failure;
use crate::cli::output::io_error;
use crate::domain::ProfileArn;
use crate::ledger::store::Slice;
use columns::COLUMNS;
use std::collections::BTreeSet;
use std::io::Write;
use time::OffsetDateTime;

/// A row: the charge of an hour, and which account is billed for it.
#[derive(Debug)]
pub(super) struct Row<'a> {
    slice: &'a Slice,
    at: OffsetDateTime,
    account: &'a str,
}

impl Row<'_> {
    fn profile(&self) -> Option<&ProfileArn> {
        self.slice.dimensions.profile_arn.as_ref()
    }
}

/// Returns the rows of hourly slices. A call that left without a profile tells no account: it is billed to `account`,
/// or else to the one that all other calls are billed to.
pub(super) fn rows<'a>(slices: &'a [Slice], account: Option<&'a str>) -> Result<Vec<Row<'a>>, Failure> {
    let profiles = slices.iter().filter_map(|slice| slice.dimensions.profile_arn.as_ref());
    let accounts: BTreeSet<&str> = profiles.map(ProfileArn::account).collect();
    let only = accounts.first().copied().filter(|_| accounts.len() == 1);
    let rows = slices.iter().map(|slice| {
        let own = slice.dimensions.profile_arn.as_ref().map(ProfileArn::account);
        let account = account.or(own).or(only).ok_or_else(no_account)?;
        Ok(Row { slice, at: slice.at.unwrap_or(OffsetDateTime::UNIX_EPOCH), account })
    });
    rows.collect()
}

fn no_account() -> Failure {
    Failure::Unusable {
        message: "FOCUS wants an account for every charge, and a call that left without a profile tells none"
            .to_owned(),
        hint: "name the AWS account that is billed with --billing-account".to_owned(),
    }
}

/// Writes the rows under the names of their columns.
pub(super) fn write(out: &mut dyn Write, rows: &[Row<'_>]) -> Result<(), Failure> {
    let mut file = csv::Writer::from_writer(out);
    let written = file
        .write_record(COLUMNS.map(|(name, _)| name))
        .and_then(|()| rows.iter().try_for_each(|row| file.write_record(COLUMNS.map(|(_, cell)| cell(row)))));
    written.map_err(io_error)?;
    file.flush()?;
    Ok(())
}
