//! `tollgate check`

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
}

/// Prints every mistake, or that there is none.
pub(super) fn run(context: &mut Context<'_>, format: Format) -> Result<(), Failure> {
    let mut checked = load_looking(&context.config, context.env.clone(), look_at_ledger);
    if let Ok(loaded) = &mut checked {
        let found = look_at_discovery(loaded);
        loaded.warnings.extend(found);
    }
    match format {
        Format::Table => write_text(context.out, &checked)?,
        Format::Json => write_json(context.out, &report(&checked))?,
    }
    checked.map(drop).map_err(Failure::Checked)
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
fn look_at_discovery(loaded: &Loaded) -> Vec<Problem> {
    let settings = &loaded.config.catalog;
    if !settings.discover {
        return Vec::new();
    }
    match Stored::read(&settings.snapshot) {
        Ok(None) => Vec::new(),
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

fn write_text(out: &mut dyn Write, checked: &Result<Loaded, Problems>) -> io::Result<()> {
    match checked {
        Ok(loaded) => {
            loaded.warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))?;
            let services = counted(loaded.services.services.len(), "service");
            writeln!(out, "config is valid: {services}, {}", counted(profiles(&loaded.services), "profile"))?;
            let mut hints = loaded.warnings.iter().filter_map(|warning| warning.hint.as_ref());
            hints.try_for_each(|hint| writeln!(out, "hint: {hint}"))
        }
        Err(problems) => writeln!(out, "{problems}"),
    }
}

fn report(checked: &Result<Loaded, Problems>) -> Report<'_> {
    match checked {
        Ok(loaded) => Report {
            valid: true,
            services: loaded.services.services.len(),
            profiles: profiles(&loaded.services),
            problems: Vec::new(),
            warnings: &loaded.warnings,
        },
        Err(problems) => {
            let problems = problems.iter().collect();
            Report { valid: false, services: 0, profiles: 0, problems, warnings: &[] }
        }
    }
}

fn profiles(file: &ServicesFile) -> usize {
    file.services.iter().map(|service| service.profiles.len()).sum()
}
