//! Which actions the config needs, and whether AWS allows them, as far as asking tells.

use super::ask::Facts;
use crate::aws::{Action, ErrorKind, Purpose};
use crate::config::{Loaded, UnmappedModel};
use crate::domain::Operation;
use crate::vault::Material;
use serde::Serialize;
use std::collections::BTreeSet;

/// An action that the config needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Permission {
    /// The action, by its name in policies.
    pub(super) action: &'static str,
    pub(super) state: State,
    /// Why it has not been checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<&'static str>,
}

/// Whether AWS allows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Allowed,
    /// Here, or elsewhere.
    Denied,
    NotChecked,
}

/// Returns them, in the order of [`Action::ALL`].
pub(super) fn permissions(loaded: &Loaded, facts: &Facts) -> Vec<Permission> {
    let needed = needed(loaded);
    let look = &facts.look;
    let failures = || facts.failures.iter().chain(&look.failures);
    let is_denied = |action: Action| {
        failures().any(|error| error.action == action && matches!(error.kind, ErrorKind::AccessDenied { .. }))
    };
    let mut allowed = facts.allowed.clone();
    if !look.complete.is_empty() {
        allowed.insert(Action::ListInferenceProfiles);
    }
    if look.found.profiles.values().any(|found| found.tags.is_some()) {
        allowed.insert(Action::ListTagsForResource);
    }
    let permission = |action: Action| {
        let (state, why) = if is_denied(action) {
            (State::Denied, None)
        } else if allowed.contains(&action) {
            (State::Allowed, None)
        } else {
            (State::NotChecked, Some(why_not(action)))
        };
        Permission { action: action.name(), state, why }
    };
    Action::ALL.into_iter().filter(|action| needed.contains(action)).map(permission).collect()
}

/// Returns the actions that the gateway and its commands come to need with that config. Who it is, everybody may ask.
fn needed(loaded: &Loaded) -> BTreeSet<Action> {
    let services = &loaded.services.services;
    let by_default = Operation::ALL.into_iter().filter(|operation| operation.is_allowed_by_default());
    let also = services.iter().flat_map(|service| service.allowed_operations.iter().copied());
    let mut needed: BTreeSet<Action> = by_default.chain(also).map(Action::from).collect();
    needed.extend(Action::needed_for(Purpose::Discovery));
    needed.extend(Action::needed_for(Purpose::CostTags));
    let provisions = loaded.config.catalog.unmapped_model == UnmappedModel::Provision;
    if provisions || services.iter().any(|service| !service.models.is_empty()) {
        needed.extend(Action::needed_for(Purpose::Provisioning));
    }
    let has_sessions = services.iter().any(|service| service.session_role.is_some());
    if has_sessions || !loaded.config.upstream.roles.is_empty() {
        needed.extend(Action::needed_for(Purpose::Roles));
    }
    if loaded.secrets.iter().any(|key| matches!(key, Material::Wrapped(_))) {
        needed.insert(Action::Decrypt);
    }
    if has_sessions {
        needed.extend(Action::needed_for(Purpose::Sessions));
    }
    needed
}

fn why_not(action: Action) -> &'static str {
    match action.purpose() {
        Purpose::DataPlane => "only a call tells, and costs: `tollgate call` makes one",
        Purpose::Provisioning => "only making, tagging and deleting profiles tells",
        Purpose::CostTags if action == Action::ListCostAllocationTags => NO_ANSWER,
        Purpose::CostTags => "only --fix, with --backfill-from, tells",
        Purpose::Discovery | Purpose::Roles | Purpose::Sessions | Purpose::Secrets | Purpose::Identity => {
            NO_ANSWER
        }
    }
}

const NO_ANSWER: &str = "nothing to try it on, or no answer";
