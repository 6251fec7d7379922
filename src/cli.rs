//! The command line: one file per verb.
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage or invalid config.

mod amount;
mod call;
mod certs;
mod check;
mod demo;
mod edit;
mod failure;
mod file_limit;
mod generate;
mod grid;
mod healthcheck;
mod init;
mod keys;
mod ledger;
mod output;
mod prices;
mod profiles;
mod progress;
mod records;
mod report;
mod resolve;
mod samples;
mod screen;
mod serve;
mod services;
mod table;
#[cfg(test)]
mod tests;
mod version;
mod when;

pub use failure::Failure;

use crate::config::is_variable;
use crate::domain::ServiceName;
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A gateway in front of the Amazon Bedrock runtime that makes every token belong to the service that spent it.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version = version::version())]
pub struct Cli {
    /// The config file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TOLLGATE_CONFIG",
        default_value = "config/tollgate.toml"
    )]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the gateway until SIGTERM or SIGINT; SIGHUP, like a change of its files, reloads the config.
    Serve,
    /// Writes a config file and a services file to begin with, for the region that this machine's AWS settings name.
    Init(init::InitArgs),
    /// Runs a gateway in front of a simulated Bedrock, with sample services: no AWS account needed.
    Demo(demo::DemoArgs),
    /// Makes one Converse call through a gateway with the AWS SDK, and prints the text and the usage.
    Call(call::CallArgs),
    /// Checks the config file, the files that it names and the ledger, and lists every mistake; with --aws, also what
    /// AWS has and allows. Changes nothing, but with --fix.
    Check(check::CheckArgs),
    /// Asks the gateway whether it is well, for container health checks: exit status 0 or 1.
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Lists, adds and removes services in the services file, keeping its comments.
    #[command(subcommand)]
    Services(services::ServicesCommand),
    /// Creates, lists and revokes service keys, whose hashes are in the services file.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Makes certificates for trials of TLS.
    #[command(subcommand)]
    Certs(certs::CertsCommand),
    /// Lists the application inference profiles in AWS, and makes and tags those that the services file asks for.
    #[command(subcommand)]
    Profiles(profiles::ProfilesCommand),
    /// Shows what calls cost, and checks the company's own prices.
    #[command(subcommand)]
    Prices(prices::PricesCommand),
    /// Shows single calls, newest last, with what each used and cost.
    Records(records::RecordsArgs),
    /// Sums up what was used and spent, by service, model, day and so on.
    Report(report::ReportArgs),
    /// Shows which profile, region, routing class and price a call would get, by which rule, and why no other.
    Resolve(resolve::ResolveArgs),
    /// Writes what a shell needs to complete this program's arguments.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Writes the manual page.
    Man(generate::ManArgs),
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// What every command works with.
pub(crate) struct Context<'a> {
    /// The config file.
    pub(crate) config: PathBuf,
    /// The variables of the environment that the config takes notice of.
    pub(crate) env: Vec<(String, String)>,
    /// Where the result goes.
    pub(crate) out: &'a mut dyn Write,
}

/// Runs the command of this process, and returns its exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be told to someone whose terminal is gone.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli, environment(), &mut std::io::stdout()) {
        Err(failure) if !failure.is_broken_pipe() => failure.report(&mut std::io::stderr()),
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

/// Runs one command, with what the environment says beside the config, and writes its result to `out`.
pub fn run(cli: Cli, env: Vec<(String, String)>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut context = Context { config: cli.config, env, out };
    match cli.command {
        Command::Serve => serve::run(&context),
        Command::Init(args) => init::run(&mut context, &args),
        Command::Demo(args) => demo::run(&mut context, &args),
        Command::Call(args) => call::run(&mut context, &args),
        Command::Check(args) => check::run(&mut context, &args),
        Command::Healthcheck(args) => healthcheck::run(&mut context, &args),
        Command::Services(command) => services::run(&mut context, command),
        Command::Keys(command) => keys::run(&mut context, command),
        Command::Certs(command) => certs::run(&mut context, &command),
        Command::Profiles(command) => profiles::run(&mut context, command),
        Command::Prices(command) => prices::run(&mut context, command),
        Command::Records(args) => records::run(&mut context, &args),
        Command::Report(args) => report::run(&mut context, &args),
        Command::Resolve(args) => resolve::run(&mut context, &args),
        Command::Completions { shell } => generate::completions(&mut context, shell),
        Command::Man(args) => generate::man(&mut context, &args),
    }
}

/// Returns the variables of the process that the config takes notice of.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| is_variable(name))
        .collect()
}

/// Parses a service's name for clap.
fn service_name(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text).map_err(|error| error.to_string())
}

/// Writes a value as indented JSON.
fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}
