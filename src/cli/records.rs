//! `tollgate records`

mod csv;
mod table;

use super::progress::Progress;
use super::screen::Screen;
use super::when::{Between, When};
use super::{Context, Failure, ledger, service_name};
use crate::clock::Clock;
use crate::domain::{Record, RequestId, ServiceName};
use crate::ledger::store::{RecordFilter, Span, Store, StoreError};
use clap::{Args, ValueEnum};
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use time::{Date, OffsetDateTime};

/// Which records are shown, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RecordsArgs {
    #[command(flatten)]
    between: Between,
    /// Only this service's calls.
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    service: Option<ServiceName>,
    /// Only the call with this id, which its client got in `x-tollgate-request-id`; whenever it was.
    #[arg(long, value_name = "ID", value_parser = request_id, conflicts_with_all = ["since", "until"])]
    id: Option<RequestId>,
    /// Only the newest of them, so many [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// How they are written.
    #[arg(long, value_enum, default_value_t)]
    format: RecordsFormat,
}

/// What the help shows.
const EXAMPLES: &str = "Without --since: the last hour. Examples:
  tollgate records --limit 20
  tollgate records --since today --service checkout --format jsonl | jq -s 'map(.usage.output_tokens) | add'
  tollgate records --id 019ab3c2-7d1e-7c4a-9f00-3f6f0e0d8a11 --format jsonl";

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum RecordsFormat {
    /// A table for people, with rounded amounts.
    #[default]
    Table,
    /// A JSON object on each line: all that is known, exact.
    Jsonl,
    /// Comma-separated values: all that is known, exact.
    Csv,
}

/// Takes records, oldest first, and writes them.
trait Sink {
    /// Takes the next one.
    fn take(&mut self, record: &Record) -> io::Result<()>;

    /// Writes what is held back.
    fn finish(&mut self) -> io::Result<()>;
}

/// Writes the records.
pub(super) fn run(context: &mut Context<'_>, args: &RecordsArgs) -> Result<(), Failure> {
    let filter = filter(args)?;
    let (mut store, _) = ledger::open(context)?;
    let mut sink: Box<dyn Sink + '_> = match args.format {
        RecordsFormat::Table => {
            Box::new(table::Table::new(context.out, Screen::of_stdout(), &args.between.timezone))
        }
        RecordsFormat::Jsonl => Box::new(JsonLines(context.out)),
        RecordsFormat::Csv => Box::new(csv::Rows::new(context.out)),
    };
    let found = match args.limit.and_then(|limit| usize::try_from(limit).ok()) {
        None => pour(&mut *store, &filter, &mut |record| sink.take(&record))?,
        Some(limit) => {
            let mut newest = VecDeque::new();
            let found = pour(&mut *store, &filter, &mut |record| {
                if newest.len() == limit {
                    newest.pop_front();
                }
                newest.push_back(record);
                Ok(())
            })?;
            newest.iter().try_for_each(|record| sink.take(record))?;
            found
        }
    };
    match args.id {
        Some(id) if found == 0 => Err(no_such_record(id)),
        Some(_) | None => Ok(sink.finish()?),
    }
}

fn filter(args: &RecordsArgs) -> Result<RecordFilter, Failure> {
    let span = match args.id {
        Some(_) => Span { since: OffsetDateTime::UNIX_EPOCH, until: Date::MAX.midnight().assume_utc() },
        None => args.between.span(&When::hours_ago(1), Clock::system().utc())?,
    };
    Ok(RecordFilter { span, service: args.service.clone(), id: args.id })
}

fn no_such_record(id: RequestId) -> Failure {
    Failure::refused(
        format!("there is no record {id}"),
        "an id is what the client got in x-tollgate-request-id; a record is there a second after its call has ended, \
         and a call that was refused has none",
    )
}

/// Hands every record to `take`, and returns how many there were.
fn pour(
    store: &mut dyn Store,
    filter: &RecordFilter,
    take: &mut dyn FnMut(Record) -> io::Result<()>,
) -> Result<u64, Failure> {
    // Records that scroll by are progress enough.
    let progress = (!io::stdout().is_terminal()).then(|| Progress::begin("reading records"));
    let (mut found, mut broken) = (0_u64, None);
    let seconds = |from: OffsetDateTime, to: OffsetDateTime| (to - from).whole_seconds().unsigned_abs();
    let result = store.records(filter, &mut |record| {
        found = found.saturating_add(1);
        if let Some(progress) = &progress {
            progress.at(
                seconds(filter.span.since, record.started_at),
                seconds(filter.span.since, filter.span.until),
            );
        }
        take(record).map_err(|error| {
            let reason = error.to_string();
            broken = Some(error);
            StoreError::Away { place: "the output".to_owned(), reason }
        })
    });
    match broken {
        Some(error) => Err(error.into()),
        None => result.map(|()| found).map_err(Failure::from),
    }
}

/// Records as the JSON objects that they are.
struct JsonLines<'a>(&'a mut dyn Write);

impl Sink for JsonLines<'_> {
    fn take(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Parses a record's id for clap.
fn request_id(text: &str) -> Result<RequestId, String> {
    RequestId::parse(text)
        .ok_or_else(|| "no record's id: one looks like 019ab3c2-7d1e-7c4a-9f00-3f6f0e0d8a11".to_owned())
}
