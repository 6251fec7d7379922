//! From what AWS has answered to what is wrong.

use super::CheckArgs;
use super::ask::{Facts, regions};
use super::note::{Note, Notes, Weight};
use super::profiles::{self, Count};
use crate::aws::{Action, AwsError, CostTagStatus, ErrorKind, Purpose, Site};
use crate::catalog::Catalog;
use crate::cli::table::counted;
use crate::config::{Loaded, UnmappedModel};
use crate::discovery::{Discovered, Finding};
use crate::domain::{ProfileArn, Region};
use std::collections::{BTreeMap, BTreeSet};

/// What to do where AWS took too long.
const LONGER: &str = "give AWS longer, as with --timeout 10m; where it never answers, check that this machine may connect \
                      to it";

/// What to do where billing does not answer for the account's tags.
const PAYER: &str = "in an organization, only its management account has cost allocation tags: check, and activate, the \
                     tag with credentials of that account";

/// What is wrong, and how the services file's profiles are.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) notes: Notes,
    pub(super) profiles: Count,
}

/// Says what is wrong.
pub(super) fn judge(loaded: &Loaded, args: &CheckArgs, facts: &Facts) -> Verdict {
    let settings = &loaded.config.catalog;
    let mut notes = Notes::default();
    failures(loaded, args, facts, &mut notes);
    late(loaded, args, facts, &mut notes);
    let discovered = Discovered::of(&facts.look.found, &settings.service_tag, &loaded.config.upstream.region);
    let profiles = profiles::check(loaded, facts, &discovered, &mut notes);
    notes.warnings.extend(found_odd(loaded, &discovered));
    cost_tag(&settings.service_tag, args, facts, &mut notes);
    Verdict { notes, profiles }
}

/// What AWS answered with an error: of each action at each place, the first; of roles, each.
fn failures(loaded: &Loaded, args: &CheckArgs, facts: &Facts, notes: &mut Notes) {
    let mut firsts: BTreeMap<(Action, &Site, Option<&str>), &AwsError> = BTreeMap::new();
    for error in facts.failures.iter().chain(&facts.look.failures) {
        let is_of_role = matches!(error.action.purpose(), Purpose::Roles | Purpose::Sessions);
        let role = error.resource.as_deref().filter(|_| is_of_role);
        firsts.entry((error.action, &error.site, role)).or_insert(error);
    }
    for error in firsts.into_values() {
        let is_of_account =
            matches!(error.kind, ErrorKind::Invalid { .. }) && error.action == Action::ListCostAllocationTags;
        let hint = if is_of_account { PAYER.to_owned() } else { error.hint() };
        let note = Note::new(kind(error), error.to_string()).with_hint(hint).of_action(error.action);
        let profile = error.resource.as_deref().and_then(|arn| ProfileArn::parse(arn).ok());
        notes.add(weight(loaded, args, error), Note { profile, ..note });
    }
}

fn kind(error: &AwsError) -> &'static str {
    match error.kind {
        ErrorKind::NoCredentials { .. } => "no_credentials",
        ErrorKind::BadCredentials { .. } => "bad_credentials",
        ErrorKind::AccessDenied { .. } => "access_denied",
        ErrorKind::Throttled { .. } => "throttled",
        ErrorKind::NotFound { .. } => "not_found",
        ErrorKind::Quota { .. } => "quota",
        ErrorKind::Conflict { .. } => "conflict",
        ErrorKind::Invalid { .. } => "invalid",
        ErrorKind::Unreachable { .. } => "unreachable",
        ErrorKind::Silent => "silent",
        ErrorKind::Server { .. } => "server",
        ErrorKind::Unexpected { .. } => "unexpected",
    }
}

/// Tells how bad a failure is: where calls and discovery do without what AWS refuses, it is to be looked at.
fn weight(loaded: &Loaded, args: &CheckArgs, error: &AwsError) -> Weight {
    let is_refused = matches!(error.kind, ErrorKind::AccessDenied { .. } | ErrorKind::Invalid { .. });
    let settings = &loaded.config.catalog;
    let is_needed = match error.action.purpose() {
        // Who makes profiles waits for each of them.
        Purpose::Discovery if error.action == Action::GetInferenceProfile => {
            settings.unmapped_model == UnmappedModel::Provision
        }
        Purpose::Discovery => settings.discover,
        Purpose::CostTags => args.fix,
        Purpose::DataPlane
        | Purpose::Provisioning
        | Purpose::Roles
        | Purpose::Secrets
        | Purpose::Sessions
        | Purpose::Identity => true,
    };
    if is_refused && !is_needed { Weight::Warning } else { Weight::Problem }
}

/// What AWS did not answer in time.
fn late(loaded: &Loaded, args: &CheckArgs, facts: &Facts, notes: &mut Notes) {
    let limit = humantime::format_duration(args.timeout);
    for action in &facts.late {
        let note = Note::new("late", format!("{action}: AWS has not answered within {limit}"));
        notes.add(Weight::Problem, note.with_hint(LONGER).of_action(*action));
    }
    if facts.is_cut {
        let asked = regions(loaded);
        let listed: BTreeSet<_> = facts.look.complete.iter().map(|place| &place.region).collect();
        let missing: Vec<&str> =
            asked.iter().filter(|region| !listed.contains(region)).map(Region::as_str).collect();
        let message = if missing.is_empty() {
            format!("the tags of {} have not been read within {limit}", counted(facts.look.left, "profile"))
        } else {
            format!("the profiles in {} have not been listed within {limit}", missing.join(", "))
        };
        notes.add(Weight::Problem, Note::new("late", message).with_hint(LONGER));
    }
}

/// What is odd about tags that state a source, and, where discovery goes by it, about profiles that the services file
/// does not have.
fn found_odd(loaded: &Loaded, discovered: &Discovered) -> Vec<Note> {
    let catalog = Catalog::build(&loaded.services, discovered);
    let services = loaded.services.services.iter();
    let of_file: BTreeSet<&ProfileArn> =
        services.flat_map(|service| service.profiles.iter().map(|(_, arn)| arn)).collect();
    let odd = |finding: &&Finding| {
        if of_file.contains(finding.profile()) {
            matches!(finding, Finding::IllegalSource { .. } | Finding::SourceContradicted { .. })
        } else {
            loaded.config.catalog.discover
        }
    };
    let note =
        |finding: &Finding| Note::new(finding.kind(), finding.to_string()).of_profile(finding.profile());
    catalog.findings().iter().filter(odd).map(note).collect()
}

/// Whether AWS's bill splits by service.
fn cost_tag(key: &str, args: &CheckArgs, facts: &Facts, notes: &mut Notes) {
    let note = match facts.cost_tag {
        // Why it could not be activated has been told.
        Some(CostTagStatus::Inactive) if args.fix => return,
        Some(CostTagStatus::Inactive) => Note::new(
            "cost_tag_inactive",
            format!("the tag '{key}' is no active cost allocation tag, so AWS's bill does not split by service"),
        )
        .with_hint(
            "`tollgate check --aws --fix` activates it for what is used from then on; with --backfill-from YYYY-MM, \
             for past months as well",
        ),
        Some(CostTagStatus::Unknown) => Note::new(
            "cost_tag_unknown",
            format!("AWS's billing has not seen the tag '{key}' yet, so it cannot be activated"),
        )
        .with_hint("that takes up to 24 hours after a tagged profile's first use: look again tomorrow"),
        Some(CostTagStatus::Active) | None => return,
    };
    notes.add(if args.fix { Weight::Problem } else { Weight::Warning }, note);
}
