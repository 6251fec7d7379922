//! `tollgate profiles`

mod apply;
mod diff;
mod import;
mod list;
mod look;
mod pins;
mod plan;

pub(super) use look::Asking;

use super::{Context, Failure, Format};
use crate::domain::Region;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What can be done with application inference profiles in AWS.
#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    /// Lists the application inference profiles that AWS has, whose each is, and what is wrong with it.
    List {
        /// A region to look in beside upstream.region and those of the services file; may be repeated.
        #[arg(long = "region", value_name = "REGION", value_parser = region)]
        regions: Vec<Region>,
        /// How they are printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Shows what would have to change in AWS for every service to have its models and tags. Changes nothing.
    Plan {
        #[command(flatten)]
        scope: Scope,
        /// How the plan is printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Makes, tags and replaces profiles in AWS as `plan` shows it; run again, it goes on where it was broken off.
    Apply(ApplyArgs),
    /// Writes a services file from the profiles that AWS has.
    Import(ImportArgs),
}

/// What a plan is about.
#[derive(Debug, Args)]
pub struct Scope {
    /// Where each service is to have its profiles, in place of upstream.region; may be repeated, the preferred first.
    #[arg(long = "region", value_name = "REGION", value_parser = region)]
    regions: Vec<Region>,
    /// Also delete the profiles that the services file has no use for.
    #[arg(long)]
    delete_unused: bool,
}

/// What is applied, and how.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    scope: Scope,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Put the profiles' ARNs into the services file, whose comments and order are kept.
    #[arg(long)]
    write: bool,
    /// How the result is printed; json goes with --yes.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is imported, and where to.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A region to import from, in place of upstream.region; may be repeated.
    #[arg(long = "region", value_name = "REGION", value_parser = region)]
    regions: Vec<Region>,
    /// The file to write, which must not exist; that of catalog.services if none is named.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs one of the commands.
pub(super) fn run(context: &mut Context<'_>, command: ProfilesCommand) -> Result<(), Failure> {
    match command {
        ProfilesCommand::List { regions, format } => list::run(context, regions, format),
        ProfilesCommand::Plan { scope, format } => plan::run(context, &scope, format),
        ProfilesCommand::Apply(args) => apply::run(context, &args),
        ProfilesCommand::Import(args) => import::run(context, &args),
    }
}

/// Parses a region's name for clap.
fn region(name: &str) -> Result<Region, String> {
    Region::parse(name).ok_or_else(|| "no region's name; one looks like us-west-2".to_owned())
}
