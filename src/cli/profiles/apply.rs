//! `tollgate profiles apply`

use super::pins::{Pin, pins};
use super::plan::{Planned, make, refuse_blocked};
use super::{ApplyArgs, diff};
use crate::aws::Aws;
use crate::cli::edit::ServicesEditor;
use crate::cli::screen::Screen;
use crate::cli::table::counted;
use crate::cli::{Context, Failure, Format, write_json};
use crate::domain::ProfileArn;
use crate::provision::{CarryError, Plan, Problem, Step};
use futures_util::stream::{StreamExt, iter};
use serde_json::{Value, json};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// How many steps are under way at a time.
const AT_A_TIME: usize = 4;

/// What came of a plan's steps.
#[derive(Debug, Default)]
struct Outcome<'a> {
    done: Vec<(Step<'a>, ProfileArn)>,
    failed: Vec<(Step<'a>, CarryError)>,
    /// How many were not tried.
    left: usize,
}

/// What was put into the services file.
#[derive(Debug, serde::Serialize)]
struct Written {
    file: PathBuf,
    profiles: usize,
}

/// Plans, asks, and does it.
pub(super) fn run(context: &mut Context<'_>, args: &ApplyArgs) -> Result<(), Failure> {
    if !args.yes {
        refuse_unasked(args.format)?;
    }
    let planned = make(context, &args.scope)?;
    let Planned { loaded, settings, plan, .. } = &planned;
    if args.format == Format::Table {
        diff::write(context.out, plan, Screen::of_stdout().paint)?;
    }
    let known = if args.write { pins(&loaded.services, plan, &[], &settings.places) } else { Vec::new() };
    if args.format == Format::Table && !known.is_empty() {
        let (count, file) = (counted(known.len(), "profile"), loaded.config.catalog.services.display());
        writeln!(context.out, "{count} in place to be written into {file}")?;
    }
    let is_asked = !args.yes && (!plan.is_empty() || !known.is_empty());
    if is_asked && !is_agreed(&mut io::stdin().lock(), &mut io::stderr())? {
        return Err(Failure::refused("nothing was changed", "answer y to go on, or use --yes"));
    }
    let outcome = planned.asking.runtime.block_on(carry_out(&planned.asking.aws, &planned, |line| {
        if args.format == Format::Table {
            // The work goes on, even if nobody reads of it any more.
            drop(writeln!(context.out, "{line}"));
        }
    }));
    let pins = pins(&loaded.services, plan, &outcome.done, &settings.places);
    let written = if args.write && !pins.is_empty() { Some(write_pins(context, &pins)) } else { None };
    let written = written.transpose();
    report(context, args.format, plan, &outcome, written.as_ref().ok().and_then(Option::as_ref))?;
    written?;
    refuse_failed(&outcome)?;
    refuse_blocked(plan)
}

/// Fails where nobody can be asked.
fn refuse_unasked(format: Format) -> Result<(), Failure> {
    let why = match format {
        Format::Json => "with --format json nothing is asked",
        Format::Table if io::stdin().is_terminal() => return Ok(()),
        Format::Table => "there is no terminal to ask at",
    };
    Err(Failure::Unusable {
        message: format!("{why}, and --yes is missing"),
        hint: "look at `tollgate profiles plan`, and then apply it with --yes".to_owned(),
    })
}

/// Asks whether to go on; only a yes is one.
fn is_agreed(input: &mut dyn BufRead, ask: &mut dyn Write) -> io::Result<bool> {
    write!(ask, "Make these changes? [y/N] ")?;
    ask.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Does a plan's steps, and tells of each. Where one fails for a reason that others share, the rest is not tried; and
/// nothing is deleted unless all else is done, and nothing stands in the way of what is asked for: what nobody seems to
/// ask for may be all that a service has.
async fn carry_out<'a>(aws: &Aws, planned: &'a Planned, mut tell: impl FnMut(String)) -> Outcome<'a> {
    let (makes, deletes): (Vec<Step<'a>>, Vec<Step<'a>>) =
        planned.plan.steps().into_iter().partition(|step| !matches!(step, Step::Delete(_)));
    let is_blocked = planned.plan.problems.iter().any(Problem::is_blocking);
    let mut outcome = Outcome::default();
    for steps in [makes, deletes] {
        let deletes = steps.iter().any(|step| matches!(step, Step::Delete(_)));
        if !outcome.failed.is_empty() || (deletes && is_blocked) {
            outcome.left = outcome.left.saturating_add(steps.len());
            continue;
        }
        let stop = CancellationToken::new();
        let tries = steps.into_iter().map(|step| {
            let stop = &stop;
            async move {
                if stop.is_cancelled() {
                    return (step, None);
                }
                let result = step.carry_out(aws, &planned.settings.service_tag).await;
                if result.as_ref().is_err_and(|error| !error.is_local()) {
                    stop.cancel();
                }
                (step, Some(result))
            }
        });
        let mut tries = iter(tries).buffered(AT_A_TIME);
        while let Some((step, result)) = tries.next().await {
            match result {
                None => outcome.left = outcome.left.saturating_add(1),
                Some(Ok(arn)) => {
                    tell(format!("{} {arn}{}", verb(step), for_whom(step)));
                    outcome.done.push((step, arn));
                }
                Some(Err(error)) => {
                    tell(format!("failed to {}{}: {error}", infinitive(step), for_whom(step)));
                    outcome.failed.push((step, error));
                }
            }
        }
    }
    outcome
}

fn verb(step: Step<'_>) -> &'static str {
    match step {
        Step::Create(_) => "created",
        Step::Tag(_) => "tagged",
        Step::Delete(_) => "deleted",
    }
}

fn infinitive(step: Step<'_>) -> &'static str {
    match step {
        Step::Create(_) => "create",
        Step::Tag(_) => "tag",
        Step::Delete(_) => "delete",
    }
}

fn for_whom(step: Step<'_>) -> String {
    match step {
        Step::Create(create) => format!(" for {}, {}", create.service, create.source),
        Step::Tag(retag) => format!(" for {}, {}", retag.service, retag.source),
        Step::Delete(_) => String::new(),
    }
}

/// Puts profiles into the services file, which may have changed since it was read.
fn write_pins(context: &Context<'_>, pins: &[Pin]) -> Result<Written, Failure> {
    let mut editor = ServicesEditor::open(context)?;
    for Pin { service, model, arn } in pins {
        editor.set_profile(service, model, arn)?;
    }
    Ok(Written { file: editor.save()?, profiles: pins.len() })
}

fn report(
    context: &mut Context<'_>,
    format: Format,
    plan: &Plan,
    outcome: &Outcome<'_>,
    written: Option<&Written>,
) -> Result<(), Failure> {
    if format == Format::Json {
        let document = json!({
            "done": outcome.done.iter().map(|(step, arn)| shown(*step, Some(arn))).collect::<Vec<_>>(),
            "failed": outcome.failed.iter().map(|(step, error)| {
                let mut shown = shown(*step, None);
                if let Value::Object(shown) = &mut shown {
                    shown.insert("error".to_owned(), error.to_string().into());
                    shown.insert("hint".to_owned(), error.hint().into());
                }
                shown
            }).collect::<Vec<_>>(),
            "not_tried": outcome.left,
            "written": written,
            "unused": plan.unused,
            "problems": plan.problems,
        });
        return write_json(context.out, &document);
    }
    if let Some(Written { file, profiles }) = written {
        writeln!(context.out, "wrote {} into {}", counted(*profiles, "profile"), file.display())?;
    }
    if outcome.failed.is_empty() && !outcome.done.is_empty() {
        writeln!(context.out, "done: {}", counted(outcome.done.len(), "step"))?;
    }
    Ok(())
}

fn shown(step: Step<'_>, arn: Option<&ProfileArn>) -> Value {
    let (service, source, own) = match step {
        Step::Create(create) => (Some(&create.service), Some(&create.source), None),
        Step::Tag(retag) => (Some(&retag.service), Some(&retag.source), Some(&retag.arn)),
        Step::Delete(arn) => (None, None, Some(arn)),
    };
    let mut shown = serde_json::Map::new();
    shown.insert("step".to_owned(), infinitive(step).into());
    shown.extend(service.map(|service| ("service".to_owned(), service.to_string().into())));
    shown.extend(source.map(|source| ("source".to_owned(), source.to_string().into())));
    shown.extend(arn.or(own).map(|arn| ("arn".to_owned(), arn.to_string().into())));
    Value::Object(shown)
}

/// Fails where a step did, and says that nothing is lost.
fn refuse_failed(outcome: &Outcome<'_>) -> Result<(), Failure> {
    let Some((_, first)) = outcome.failed.first() else { return Ok(()) };
    let total = outcome.done.len().saturating_add(outcome.failed.len()).saturating_add(outcome.left);
    let message = format!(
        "{} of {} failed, {} not tried: {first}",
        outcome.failed.len(),
        counted(total, "step"),
        outcome.left
    );
    let hint = format!(
        "{}; what is done stays done, and the next `tollgate profiles apply` goes on from there",
        first.hint()
    );
    Err(Failure::refused(message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, agreed) in [("y\n", true), ("Yes\n", true), ("\n", false), ("", false), ("nay\n", false)]
        {
            let mut asked = Vec::new();
            assert_eq!(is_agreed(&mut answer.as_bytes(), &mut asked).unwrap(), agreed, "{answer}");
            assert_eq!(asked, b"Make these changes? [y/N] ");
        }
    }
}
