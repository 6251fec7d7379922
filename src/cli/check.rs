//! `tollgate check`

mod args;
mod ask;
mod judge;
mod note;
mod permissions;
mod profiles;
mod report;

pub(super) use args::CheckArgs;

use super::table::counted;
use super::{Context, Failure, Format, write_json};
use crate::catalog::Catalog;
use crate::config::{Config, Loaded, Problem, Problems, ServicesFile, load_looking};
use crate::discovery::stored::Stored;
use crate::discovery::{Discovered, Finding};
use crate::ledger;
use crate::sheet::Sheet;
use std::io::{self, Write};

/// The result as JSON.
#[derive(Debug, serde::Serialize)]
struct Report<'a> {
    valid: bool,
    services: usize,
    profiles: usize,
    problems: Vec<&'a Problem>,
    warnings: &'a [Problem],
    /// Absent where AWS was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<&'a report::Aws>,
}

/// Prints every mistake, or that there is none.
pub(super) fn run(context: &mut Context<'_>, args: &CheckArgs) -> Result<(), Failure> {
    let mut region_from = report::RegionFrom::Default;
    let mut checked = load_looking(&context.config, context.env.clone(), |config, sheet| {
        region_from = report::RegionFrom::of(sheet, &context.config);
        look_at_ledger(config, sheet);
    });
    if let Ok(loaded) = &mut checked {
        let found = look_at_discovery(loaded, args);
        loaded.warnings.extend(found);
    }
    let aws = match &checked {
        Ok(loaded) if args.aws => Some(report::Aws::of(loaded, args, region_from)?),
        Ok(_) | Err(_) => None,
    };
    match args.format {
        Format::Table => write_text(context.out, &checked, aws.as_ref())?,
        Format::Json => write_json(context.out, &report(&checked, aws.as_ref()))?,
    }
    checked.map_err(Failure::Checked)?;
    aws.map_or(Ok(()), report::Aws::verdict)
}

/// What a store means that is away.
const WAITED_FOR: &str =
    "`tollgate serve` starts all the same, and keeps records in its journal until the store is there";

/// Adds what in the ledger keeps a gateway from starting, and what it would wait for.
fn look_at_ledger(config: &Config, sheet: &mut Sheet) {
    // Where the config is wrong, it may name others than those that are meant.
    if !sheet.problems.is_empty() {
        return;
    }
    for finding in ledger::check(&config.ledger) {
        let (is_passing, hint) = (finding.is_passing(), finding.error.hint());
        let message = format!("{:#}", anyhow::Error::new(finding.error));
        let problem = sheet.problem_of(finding.key, message);
        if is_passing {
            sheet.warnings.push(problem.with_hint(WAITED_FOR));
        } else {
            sheet.problems.push(problem.with_hint(hint));
        }
    }
}

/// What to do about a snapshot that cannot be used.
const REPLACED: &str = "`tollgate serve` starts without it, and writes a new one after its next look at AWS";

/// Returns what a running gateway has found in AWS that is odd, or differs from the services file.
fn look_at_discovery(loaded: &Loaded, args: &CheckArgs) -> Vec<Problem> {
    let settings = &loaded.config.catalog;
    if !settings.discover {
        return Vec::new();
    }
    match Stored::read(&settings.snapshot) {
        Ok(None) => Vec::new(),
        // AWS itself is about to be asked.
        Ok(Some(_)) if args.aws => Vec::new(),
        Ok(Some(stored)) => {
            let home = &loaded.config.upstream.region;
            let discovered = Discovered::of(&stored.inventory, &settings.service_tag, home);
            let catalog = Catalog::build(&loaded.services, &discovered);
            let problem = |finding: &Finding| Problem::of_file(&settings.snapshot, finding.to_string());
            catalog.findings().iter().map(problem).collect()
        }
        Err(error) => {
            let message = format!("{:#}", anyhow::Error::new(error));
            vec![Problem::of_file(&settings.snapshot, message).with_hint(REPLACED)]
        }
    }
}

fn write_text(
    out: &mut dyn Write,
    checked: &Result<Loaded, Problems>,
    aws: Option<&report::Aws>,
) -> io::Result<()> {
    match checked {
        Ok(loaded) => {
            aws.map_or(Ok(()), |aws| aws.write(out))?;
            loaded.warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))?;
            let services = counted(loaded.services.services.len(), "service");
            writeln!(out, "config is valid: {services}, {}", counted(profiles(&loaded.services), "profile"))?;
            let mut hints = loaded.warnings.iter().filter_map(|warning| warning.hint.as_ref());
            hints.try_for_each(|hint| writeln!(out, "hint: {hint}"))?;
            aws.map_or(Ok(()), |aws| aws.write_hints(out))
        }
        Err(problems) => writeln!(out, "{problems}"),
    }
}

fn report<'a>(checked: &'a Result<Loaded, Problems>, aws: Option<&'a report::Aws>) -> Report<'a> {
    match checked {
        Ok(loaded) => Report {
            valid: true,
            services: loaded.services.services.len(),
            profiles: profiles(&loaded.services),
            problems: Vec::new(),
            warnings: &loaded.warnings,
            aws,
        },
        Err(problems) => {
            let problems = problems.iter().collect();
            Report { valid: false, services: 0, profiles: 0, problems, warnings: &[], aws: None }
        }
    }
}

fn profiles(file: &ServicesFile) -> usize {
    file.services.iter().map(|service| service.profiles.len()).sum()
}
