//! `tollgate prices rerate`

use crate::cli::grid::thousands;
use crate::cli::progress::Progress;
use crate::cli::when::{Between, When};
use crate::cli::{Context, Failure, Format, service_name};
use crate::clock::Clock;
use crate::config::load_files;
use crate::domain::{Money, ServiceName};
use crate::ledger::rerate::{Mode, Rerating, rerate};
use crate::ledger::store::{self, Access, RecordFilter, Span};
use crate::price::Charging;
use clap::Args;
use std::io::Write;
use time::OffsetDateTime;

/// Which costs are computed again.
#[derive(Debug, Args)]
pub struct RerateArgs {
    #[command(flatten)]
    between: Between,
    /// Only this service's calls.
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    service: Option<ServiceName>,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Computes costs again, from the usage that records state and the prices that hold for their time.
pub(super) fn run(context: &mut Context<'_>, args: &RerateArgs) -> Result<(), Failure> {
    if args.between.since.is_none() {
        return Err(Failure::Unusable {
            message: "--since is missing".to_owned(),
            hint: "say from when on costs are to be computed again, as in --since this-month; --dry-run tells what \
                   would change"
                .to_owned(),
        });
    }
    let loaded = load_files(&context.config, context.env.clone())?;
    let (ledger, prices) = (loaded.config.ledger, loaded.prices);
    let span = args.between.span(&When::hours_ago(1), Clock::system().utc())?;
    let filter = RecordFilter { span, service: args.service.clone(), id: None };
    let mut reader = store::open(&ledger.store, Access::Read, &ledger.label_keys)?;
    let mut writer = store::open(&ledger.store, Access::Read, &ledger.label_keys)?;
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Apply };
    let progress = Progress::begin("computing costs");
    let mut charging = Charging::at(&prices);
    let rerating = rerate(
        (&mut *reader, &mut *writer),
        &filter,
        |record| charging.charge(record),
        mode,
        |record| progress.at(seconds(span.since, record.started_at), whole(span)),
    )?;
    drop(progress);
    match args.format {
        Format::Table => write_text(context.out, &rerating, mode)?,
        Format::Json => write_json(context.out, &rerating, mode)?,
    }
    Ok(())
}

fn whole(span: Span) -> u64 {
    seconds(span.since, span.until)
}

fn seconds(from: OffsetDateTime, to: OffsetDateTime) -> u64 {
    (to - from).whole_seconds().try_into().unwrap_or(0)
}

fn write_text(out: &mut dyn Write, rerating: &Rerating, mode: Mode) -> std::io::Result<()> {
    let Rerating { looked_at, changed, newly_priced, before, after } = *rerating;
    let (verb, sums) = match mode {
        Mode::Apply => ("changed", "their cost was"),
        Mode::DryRun => ("would change", "their cost is"),
    };
    let records = if looked_at == 1 { "record" } else { "records" };
    let count = |count: u64| thousands(&count.to_string());
    write!(out, "{} {records} looked at, {} {verb}", count(looked_at), count(changed))?;
    if newly_priced > 0 {
        write!(out, ", {} of them without a price before", count(newly_priced))?;
    }
    writeln!(out)?;
    if changed > 0 {
        let now = if mode == Mode::Apply { "is" } else { "would be" };
        writeln!(out, "{sums} {before} USD and {now} {after} USD, {} USD in all", signed(after - before))?;
    }
    Ok(())
}

fn signed(difference: Money) -> String {
    if difference < Money::ZERO { difference.to_string() } else { format!("+{difference}") }
}

fn write_json(out: &mut dyn Write, rerating: &Rerating, mode: Mode) -> Result<(), Failure> {
    let document = serde_json::json!({
        "dry_run": mode == Mode::DryRun,
        "looked_at": rerating.looked_at,
        "changed": rerating.changed,
        "newly_priced": rerating.newly_priced,
        "estimated_cost_usd_before": rerating.before,
        "estimated_cost_usd_after": rerating.after,
    });
    writeln!(out, "{document:#}")?;
    Ok(())
}
