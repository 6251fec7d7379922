//! `tollgate prices`

mod check;
mod rerate;
mod show;

use super::{Context, Failure, Format, service_name};
use crate::domain::{Region, ServiceName};
use crate::price::date;
use clap::{Args, Subcommand};
use time::Date;

/// The format of price files, as `--help` shows it.
const FILES: &str = r#"The overrides file, which [prices] overrides names, holds rows and discounts:

  [[price]]
  model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
  standard = { input = "0.9", output = "4.5", cache_read = "0.09", cache_write_5m = "1.125" }
  priority = { input = "1.575" }        # also: flex, optimized, batch
  long = { above = 200000, input = "1.8" }
  # region = "us-west-2", for ids without a geography
  # service = "checkout"
  from = "2026-01-01"                   # the first day; without it, always
  until = "2027-01-01"                  # the first day on which it does not hold any more;
                                        # then what began earlier and has no end holds again

  [[discount]]
  percent = "12.5"                      # of every unit's price, which is rounded half to even once
  model = "anthropic.claude-*"          # or vendor = "anthropic", or neither: all models
  # service, from, until: as above

Prices are in USD, of tokens per 1,000,000, of anything else per one, and in quotes. Rows of this file win over
built-in ones, a service's own over everyone's, a region's over every region's. Of several discounts the one that says
most holds, alone: a service's own, then that of the longest pattern, of a vendor, of all models."#;

/// What can be done with prices.
#[derive(Debug, Subcommand)]
pub enum PricesCommand {
    /// Shows the prices in force, with where they come from.
    #[command(after_long_help = FILES)]
    Show(ShowArgs),
    /// Lists the mistakes of the company's own prices, else which profiles of the services have no price.
    Check {
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Computes costs again, at the prices that hold for the time of each call; the old ones are kept.
    Rerate(rerate::RerateArgs),
}

/// Which prices are shown.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Only of models whose id contains this.
    #[arg(long)]
    pub model: Option<String>,
    /// What a call in this region is charged.
    #[arg(long, value_parser = region)]
    pub region: Option<Region>,
    /// What this service is charged.
    #[arg(long, value_parser = service_name)]
    pub service: Option<ServiceName>,
    /// What held on this day (UTC), as in 2026-11-24; default: now.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub at: Option<Date>,
    /// How they are printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs one of the commands.
pub(super) fn run(context: &mut Context<'_>, command: PricesCommand) -> Result<(), Failure> {
    match command {
        PricesCommand::Show(args) => show::run(context, &args),
        PricesCommand::Check { format } => check::run(context, format),
        PricesCommand::Rerate(args) => rerate::run(context, &args),
    }
}

fn region(text: &str) -> Result<Region, String> {
    Region::parse(text).ok_or_else(|| "one looks like us-west-2".to_owned())
}
