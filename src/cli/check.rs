//! `tollgate check`

use super::table::counted;
use super::{Context, Failure, Format, write_json};
use crate::config::{Loaded, Problem, Problems, ServicesFile, load};
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
    let checked = load(&context.config, context.env.clone());
    match format {
        Format::Table => write_text(context.out, &checked)?,
        Format::Json => write_json(context.out, &report(&checked))?,
    }
    checked.map(drop).map_err(Failure::Checked)
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
