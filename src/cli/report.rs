//! `tollgate report`

mod csv;
mod focus;
mod json;
mod measures;
mod parquet;
mod regions;
mod table;

use super::output::write_file;
use super::progress::Progress;
use super::screen::Screen;
use super::when::{Between, When};
use super::{Context, Failure, ledger, service_name};
use crate::clock::Clock;
use crate::config::{LedgerSettings, load_files};
use crate::domain::{ServiceName, stamp};
use crate::ledger::report::{self, Dimension, Query, Report};
use crate::ledger::store::{Slice, Span, Store};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use time::OffsetDateTime;

/// What is summed up, and how it is shown.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// What calls are grouped by, one or several of: service, model (the profile's source model), requested-model,
    /// profile, operation, region, attribution, key, hour, day, month, tag:KEY (a tag of the service), label:KEY (a
    /// label of the call). A KEY alone will do where a service in the services file has that tag, or `label_keys`
    /// under [ledger] names that label.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "service")]
    by: Vec<String>,
    #[command(flatten)]
    between: Between,
    /// Only this service's calls.
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    service: Option<ServiceName>,
    /// How many groups are shown, of each hour, day or month if those are asked for; the rest is summed as "(other)".
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,
    /// How the result is written. `focus` has groups of its own: one row for each hour, service, model and so on.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// The file to write, which appears when it is whole [default: the standard output].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The AWS account that is billed, for `BillingAccountId` of `focus` [default: the profile's account].
    #[arg(long, value_name = "ID", value_parser = account)]
    billing_account: Option<String>,
}

/// What the help shows.
const EXAMPLES: &str = "Without --since: the last seven days. Examples:
  tollgate report --by service,model --since 7d
  tollgate report --by day,team --since last-month --until this-month --timezone Europe/Berlin
  tollgate report --by label:feature --service checkout --since today --format json
  tollgate report --format focus --since last-month --until this-month --output focus.csv";

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ReportFormat {
    /// A table for people, with rounded amounts.
    #[default]
    Table,
    /// Comma-separated values, exact.
    Csv,
    /// One JSON document, exact.
    Json,
    /// Apache Parquet, exact.
    Parquet,
    /// Comma-separated values in the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification).
    Focus,
}

/// Sums up, and writes the result.
pub(super) fn run(context: &mut Context<'_>, args: &ReportArgs) -> Result<(), Failure> {
    let now = Clock::system().utc();
    let span = args.between.span(&When::days_ago(7), now)?;
    if args.format == ReportFormat::Parquet && args.output.is_none() && io::stdout().is_terminal() {
        let hint = "name a file with --output, or send the output elsewhere";
        return Err(Failure::Unusable {
            message: "Parquet is not for terminals".to_owned(),
            hint: hint.to_owned(),
        });
    }
    let (mut store, settings) = ledger::open(context)?;
    warn_of_retention(&settings, span, now);
    if args.format == ReportFormat::Focus {
        let rows = hourly(&mut *store, args, &settings, span)?;
        let rows = focus::rows(&rows, args.billing_account.as_deref())?;
        return deliver(context, args, |out, _| focus::write(out, &rows));
    }
    let query = query(context, args, &settings, span)?;
    let report = answer(&mut *store, &query, &settings)?;
    deliver(context, args, |out, screen| match args.format {
        ReportFormat::Csv => csv::write(out, &query, &report),
        ReportFormat::Json => json::write(out, &query, &report),
        ReportFormat::Parquet => parquet::write(out, &query, &report),
        ReportFormat::Table | ReportFormat::Focus => table::write(out, &query, &report, screen),
    })
}

fn query(
    context: &Context<'_>,
    args: &ReportArgs,
    settings: &LedgerSettings,
    span: Span,
) -> Result<Query, Failure> {
    let by: Result<Vec<Dimension>, Failure> =
        args.by.iter().map(|name| dimension(name, context, settings)).collect();
    Ok(Query {
        span,
        by: by?,
        zone: args.between.timezone.clone(),
        service: args.service.clone(),
        top: args.top.and_then(|top| usize::try_from(top).ok()),
    })
}

/// Returns the dimension of that name: one of its own, or the key of a tag or of a label that the files know.
fn dimension(name: &str, context: &Context<'_>, settings: &LedgerSettings) -> Result<Dimension, Failure> {
    let unknown = match Dimension::parse(name) {
        Ok(own) => return Ok(own),
        Err(unknown) => unknown,
    };
    let services = load_files(&context.config, context.env.clone())?.services.services;
    let tags: BTreeSet<&String> = services.iter().flat_map(|service| service.tags.keys()).collect();
    let is_tag = tags.iter().any(|key| *key == name);
    let is_label = settings.label_keys.iter().any(|key| key == name);
    let (message, hint) = match (is_tag, is_label) {
        (true, false) => return Ok(Dimension::Tag(name.to_owned())),
        (false, true) => return Ok(Dimension::Label(name.to_owned())),
        (true, true) => {
            (format!("'{name}' is both a tag and a label"), format!("write tag:{name} or label:{name}"))
        }
        (false, false) => (unknown.to_string(), known(&tags)),
    };
    Err(Failure::Unusable { message, hint })
}

fn known(tags: &BTreeSet<&String>) -> String {
    let names: Vec<&str> = Dimension::names().collect();
    let tags: Vec<&str> = tags.iter().map(|key| key.as_str()).collect();
    let of_services =
        if tags.is_empty() { String::new() } else { format!("; the services' tags are {}", tags.join(", ")) };
    format!("--by takes {}, tag:KEY and label:KEY{of_services}", names.join(", "))
}

fn answer(store: &mut dyn Store, query: &Query, settings: &LedgerSettings) -> Result<Report, Failure> {
    let progress = Progress::begin("adding up");
    let mut tell = |done: usize, of: usize| progress.at(count(done), count(of));
    Ok(report::run(store, query, &settings.label_keys, &mut tell)?)
}

fn hourly(
    store: &mut dyn Store,
    args: &ReportArgs,
    settings: &LedgerSettings,
    span: Span,
) -> Result<Vec<Slice>, Failure> {
    let progress = Progress::begin("adding up");
    let mut tell = |done: usize, of: usize| progress.at(count(done), count(of));
    let mut slices = report::hours(store, span, &settings.label_keys, &mut tell)?;
    slices.retain(|slice| args.service.as_ref().is_none_or(|service| *service == slice.dimensions.service));
    Ok(slices)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Hands the writer of the output to `write`, and what it looks like.
fn deliver(
    context: &mut Context<'_>,
    args: &ReportArgs,
    write: impl FnOnce(&mut dyn Write, Screen) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match &args.output {
        Some(file) => write_file(file, |out| write(out, Screen::NONE)),
        None => write(context.out, Screen::of_stdout()),
    }
}

/// Says so where the span goes back to what the ledger has forgotten.
fn warn_of_retention(settings: &LedgerSettings, span: Span, now: OffsetDateTime) {
    for (key, kept) in [("keep_records", settings.keep_records), ("keep_rollups", settings.keep_rollups)] {
        let Some(first) = kept.and_then(|kept| now.checked_sub(kept.try_into().ok()?)) else { continue };
        if span.since < first {
            // Nothing can be told to someone whose terminal is gone.
            drop(writeln!(
                io::stderr(),
                "warning: before {} the ledger is incomplete: `{key}` under [ledger] says for how long it is kept",
                stamp::rfc3339(first)
            ));
        }
    }
}

/// Checks the number of an AWS account for clap.
fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an AWS account has 12 digits".to_owned())
    }
}
