//! `tollgate profiles plan`

use super::look::{Asking, warn_of_failures};
use super::{Scope, diff};
use crate::cli::screen::Screen;
use crate::cli::table::counted;
use crate::cli::{Context, Failure, Format, write_json};
use crate::config::{Loaded, load};
use crate::domain::Region;
use crate::provision::{Leftovers, Plan, Problem, Settings, Unlisted, plan};

/// A plan, and all that it was made from.
pub(super) struct Planned {
    pub(super) loaded: Loaded,
    pub(super) asking: Asking,
    pub(super) settings: Settings,
    pub(super) plan: Plan,
}

/// Prints what would have to change.
pub(super) fn run(context: &mut Context<'_>, scope: &Scope, format: Format) -> Result<(), Failure> {
    let planned = make(context, scope)?;
    match format {
        Format::Table => diff::write(context.out, &planned.plan, Screen::of_stdout().paint)?,
        Format::Json => write_json(context.out, &planned.plan)?,
    }
    refuse_blocked(&planned.plan)
}

/// Asks AWS what there is, and plans.
pub(super) fn make(context: &Context<'_>, scope: &Scope) -> Result<Planned, Failure> {
    let loaded = load(&context.config, context.env.clone())?;
    let catalog = &loaded.config.catalog;
    let regions = regions(&scope.regions, &loaded.config.upstream.region);
    let asking = Asking::new(&loaded.config, &loaded.egress)?;
    let (look, places) = asking.look_whole(&regions)?;
    warn_of_failures(&look);
    let settings = Settings {
        service_tag: catalog.service_tag.clone(),
        places,
        unlisted: if catalog.discover { Unlisted::Alive } else { Unlisted::GivenUp },
        unused: if scope.delete_unused { Leftovers::Deleted } else { Leftovers::Kept },
    };
    let plan = plan(&loaded.services, &look.found, &settings);
    Ok(Planned { loaded, asking, settings, plan })
}

/// Returns the regions that were named, each once, or else the one of the config.
pub(super) fn regions(named: &[Region], home: &Region) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for region in named {
        if !regions.contains(region) {
            regions.push(region.clone());
        }
    }
    if regions.is_empty() { vec![home.clone()] } else { regions }
}

/// Fails where a plan does not lead to all that is asked for.
pub(super) fn refuse_blocked(plan: &Plan) -> Result<(), Failure> {
    let blocking = plan.problems.iter().filter(|problem| problem.is_blocking()).count();
    if blocking == 0 {
        return Ok(());
    }
    let kinds: std::collections::BTreeSet<&str> =
        plan.problems.iter().filter(|problem| problem.is_blocking()).map(Problem::kind).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let message = format!(
        "not all that is asked for can be had: {} ({})",
        counted(blocking, "problem"),
        kinds.join(", ")
    );
    Err(Failure::refused(message, "each problem above says what to do about it; then plan again"))
}
