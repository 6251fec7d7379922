//! (service, model id) -> route, by a written order of rules and a memo.

use crate::catalog::{Catalog, Profile, Service};
use crate::config::UnmappedModel;
use crate::domain::{ModelId, ModelPattern, ServiceName};
use std::collections::BTreeMap;

/// What a model id stands for, for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// One of the service's profiles.
    Profile(Match<'a>),
    /// No profile: forwarded as asked, because `unmapped_model` says so.
    Passthrough,
}

/// A profile of the service, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// The rule that fits it.
    pub rule: Rule,
    /// What was asked for, or what that stands for as an alias or as `default`.
    pub meant: &'a ModelId,
}

/// How a model id leads to a profile; of two that fit, the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is the profile's source model.
    SourceModel,
    /// It is the profile's own id or ARN.
    Profile,
    /// It is the foundation model behind the geographic profile that the profile was copied from.
    Geography,
}

/// Why a profile of the service is not the one that a model id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// It was copied from another model.
    OtherModel,
    /// Its geography is not the one that the id names: price and data residency differ.
    OtherGeography,
    /// It was copied from a global profile, which no other id than its own leads to.
    Global,
    /// It was copied from the model's geographic profile, but another one was copied from exactly what was asked for.
    LessExact,
    /// It would fit, and so would another.
    Ambiguous,
}

/// A profile that a service is to have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Whose it is to be.
    pub service: ServiceName,
    /// The id of the foundation model or system-defined profile that it is to be copied from.
    pub model: ModelId,
}

/// Why a model id stands for nothing that the service may use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No profile fits.
    #[error(
        "service '{service}' has no profile for model '{model}'; it has {has}; {}",
        remedy(service, model)
    )]
    Unmapped {
        /// The calling service.
        service: ServiceName,
        /// What it asked for.
        model: String,
        /// What it could have asked for.
        has: String,
    },
    /// No profile fits yet: one is to be made, as `unmapped_model` says.
    #[error("service '{}' has no profile for model '{}' yet: the first call makes it", .0.service, .0.model)]
    Unmade(Wish),
    /// The service may not use the model.
    #[error(
        "service '{service}' may not use model '{model}': its allowed_models take {allowed}; to change that, edit them \
         under [services.{service}] in the services file"
    )]
    Denied {
        /// The calling service.
        service: ServiceName,
        /// The model, by the id that the patterns are held against.
        model: String,
        /// The patterns.
        allowed: String,
    },
    /// The body has to name a model that the service may use, and names none.
    #[error(
        "service '{service}' may use models that fit {allowed}, and the body of this call names none that can be read: \
         send one modelId, or edit allowed_models under [services.{service}] in the services file"
    )]
    Unnamed {
        /// The calling service.
        service: ServiceName,
        /// The patterns.
        allowed: String,
    },
    /// Two profiles fit.
    #[error(
        "model '{model}' fits more than one profile of service '{service}': {fits}; ask for one of them by its own id"
    )]
    Ambiguous {
        /// The calling service.
        service: ServiceName,
        /// What it asked for.
        model: String,
        /// The source models that fit.
        fits: String,
    },
    /// The profile belongs to another service.
    #[error(
        "the profile '{profile}' belongs to another service than '{service}': ask for the model by its id"
    )]
    Foreign {
        /// The calling service.
        service: ServiceName,
        /// The profile that it asked for.
        profile: String,
    },
}

fn remedy(service: &ServiceName, model: &str) -> String {
    if model == "default" {
        return format!("ask for a model by its id, or set default_model under [services.{service}]");
    }
    format!("add one under [services.{service}.profiles] in the services file")
}

/// Finds what a model id stands for, by the first rule that fits, and holds it against the service's `allowed_models`:
/// what the profile was copied from, or, without one, what was asked for.
pub fn resolve<'a>(
    catalog: &Catalog,
    service: &'a Service,
    shared_aliases: &'a BTreeMap<String, ModelId>,
    unmapped: UnmappedModel,
    asked: &'a ModelId,
) -> Result<Resolved<'a>, ResolveError> {
    let resolved = find(catalog, service, shared_aliases, unmapped, asked)?;
    let model = match &resolved {
        Resolved::Profile(found) => &found.profile.source_model,
        Resolved::Passthrough => asked,
    };
    if service.may_use_model(model.bare()) { Ok(resolved) } else { Err(denied(service, model.bare())) }
}

/// Holds the model that a call's body names against the service's `allowed_models`; one of its own profiles stands for
/// what that was copied from.
pub fn check_named(service: &Service, named: Option<&ModelId>) -> Result<(), ResolveError> {
    if service.allowed_models.is_empty() {
        return Ok(());
    }
    let Some(named) = named else {
        return Err(ResolveError::Unnamed { service: service.name.clone(), allowed: patterns(service) });
    };
    let id = by_profile(service, named).map_or(named, |profile| &profile.source_model).bare();
    if service.may_use_model(id) { Ok(()) } else { Err(denied(service, id)) }
}

fn denied(service: &Service, id: &str) -> ResolveError {
    ResolveError::Denied { service: service.name.clone(), model: id.to_owned(), allowed: patterns(service) }
}

/// Returns the patterns of a service's `allowed_models`, as a message lists them.
fn patterns(service: &Service) -> String {
    let patterns: Vec<&str> = service.allowed_models.iter().map(ModelPattern::as_str).collect();
    some_of(&patterns)
}

fn find<'a>(
    catalog: &Catalog,
    service: &'a Service,
    shared_aliases: &'a BTreeMap<String, ModelId>,
    unmapped: UnmappedModel,
    asked: &'a ModelId,
) -> Result<Resolved<'a>, ResolveError> {
    let found = |profile, rule, meant| Resolved::Profile(Match { profile, rule, meant });
    if let Some(profile) = by_source_model(service, asked)? {
        return Ok(found(profile, Rule::SourceModel, asked));
    }
    let meant = meant(service, shared_aliases, asked);
    if let Some(profile) = by_source_model(service, meant)? {
        return Ok(found(profile, Rule::SourceModel, meant));
    }
    if let Some(profile) = by_profile(service, meant) {
        return Ok(found(profile, Rule::Profile, meant));
    }
    if let Some(profile) = by_geography(service, meant)? {
        return Ok(found(profile, Rule::Geography, meant));
    }
    if catalog.owner(meant.as_str()).is_some_and(|owner| *owner != service.name) {
        return Err(ResolveError::Foreign { service: service.name.clone(), profile: meant.to_string() });
    }
    match unmapped {
        UnmappedModel::Passthrough => Ok(Resolved::Passthrough),
        UnmappedModel::Provision => Err(wish(service, meant, asked)),
        UnmappedModel::Reject => Err(unmapped_error(service, asked)),
    }
}

fn unmapped_error(service: &Service, asked: &ModelId) -> ResolveError {
    ResolveError::Unmapped {
        service: service.name.clone(),
        model: asked.to_string(),
        has: listed(service.profiles.iter().collect()),
    }
}

/// Returns the profile that would fit, if there can be one and the service may have it.
fn wish(service: &Service, meant: &ModelId, asked: &ModelId) -> ResolveError {
    let source = ModelId::parse(meant.bare()).ok();
    match source.filter(|source| !source.as_str().starts_with("arn:") && source.as_str() != "default") {
        None => unmapped_error(service, asked),
        Some(model) if service.may_use_model(model.as_str()) => {
            ResolveError::Unmade(Wish { service: service.name.clone(), model })
        }
        Some(model) => denied(service, model.as_str()),
    }
}

/// Returns what an id stands for, as an alias or as `default`: else itself.
pub fn meant<'a>(
    service: &'a Service,
    shared_aliases: &'a BTreeMap<String, ModelId>,
    asked: &'a ModelId,
) -> &'a ModelId {
    let alias = |id: &ModelId| service.aliases.get(id.as_str()).or_else(|| shared_aliases.get(id.as_str()));
    let default = service.default_model.as_ref().filter(|_| asked.as_str() == "default");
    let meant = alias(asked).or(default).unwrap_or(asked);
    alias(meant).unwrap_or(meant)
}

/// Tells why a profile is not the one that `meant` leads to; `found` is the one that is.
pub fn miss(profile: &Profile, meant: &ModelId, found: Option<&Profile>) -> Miss {
    let source = &profile.source_model;
    if source.foundation_model() != meant.foundation_model() {
        return Miss::OtherModel;
    }
    match (source.geography(), meant.geography()) {
        (Some("global"), _) => Miss::Global,
        (Some(_), None) if found.is_some() => Miss::LessExact,
        (Some(_), None) => Miss::Ambiguous,
        (_, _) => Miss::OtherGeography,
    }
}

/// The id, or the id inside a foundation-model or system-profile ARN, equals a profile's source model id.
fn by_source_model<'a>(service: &'a Service, model: &ModelId) -> Result<Option<&'a Profile>, ResolveError> {
    let fits = service.profiles.iter().filter(|profile| profile.source_model.bare() == model.bare());
    at_most_one(service, model, fits)
}

/// The id or ARN of one of the service's own profiles.
fn by_profile<'a>(service: &'a Service, model: &ModelId) -> Option<&'a Profile> {
    let is =
        |profile: &&Profile| profile.arn.as_str() == model.as_str() || profile.arn.id() == model.as_str();
    service.profiles.iter().find(is)
}

/// An unprefixed foundation model matches the one profile copied from its geographic profile; never a global one.
fn by_geography<'a>(service: &'a Service, model: &ModelId) -> Result<Option<&'a Profile>, ResolveError> {
    if model.geography().is_some() {
        return Ok(None);
    }
    let fits = service.profiles.iter().filter(|profile| {
        let geography = profile.source_model.geography();
        geography.is_some_and(|geography| geography != "global")
            && profile.source_model.foundation_model() == model.bare()
    });
    at_most_one(service, model, fits)
}

fn at_most_one<'a>(
    service: &Service,
    model: &ModelId,
    fits: impl Iterator<Item = &'a Profile>,
) -> Result<Option<&'a Profile>, ResolveError> {
    let fits: Vec<&Profile> = fits.collect();
    if fits.len() > 1 {
        let (service, model) = (service.name.clone(), model.to_string());
        return Err(ResolveError::Ambiguous { service, model, fits: listed(fits) });
    }
    Ok(fits.first().copied())
}

fn listed(profiles: Vec<&Profile>) -> String {
    let models: Vec<&str> = profiles.into_iter().map(|profile| profile.source_model.as_str()).collect();
    some_of(&models)
}

/// Lists names, though not more than anybody reads.
fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let more = names.len().saturating_sub(SHOWN);
    let names: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ServiceSpec, ServicesFile};
    use crate::discovery::Discovered;
    use crate::domain::ProfileArn;

    fn arn(id: &str) -> ProfileArn {
        ProfileArn::parse(&format!(
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/{id}"
        ))
        .unwrap()
    }

    fn model(id: &str) -> ModelId {
        ModelId::parse(id).unwrap()
    }

    fn catalog() -> Catalog {
        let spec = |name: &str, profiles: &[(&str, &str)]| ServiceSpec {
            profiles: profiles.iter().map(|(source, id)| (model(source), arn(id))).collect(),
            default_model: Some(model("fast")),
            aliases: BTreeMap::from([("fast".to_owned(), model("us.amazon.nova-lite-v1:0"))]),
            ..ServiceSpec::new(ServiceName::parse(name).unwrap())
        };
        let a = [
            ("us.amazon.nova-lite-v1:0", "lite"),
            ("global.vendor.big-v1:0", "global"),
            ("us.vendor.twin-v1:0", "twinus"),
            ("eu.vendor.twin-v1:0", "twineu"),
        ];
        let services = vec![spec("a", &a), spec("b", &[("amazon.nova-lite-v1:0", "lent")])];
        Catalog::build(&ServicesFile { services }, &Discovered::default())
    }

    #[test]
    fn a_default_that_is_not_set_is_told() {
        let (service, has) = (ServiceName::parse("a").unwrap(), "m".to_owned());
        let unmapped = |model: &str| {
            let (service, has) = (service.clone(), has.clone());
            ResolveError::Unmapped { service, model: model.to_owned(), has }.to_string()
        };
        assert!(
            unmapped("default")
                .ends_with("; it has m; ask for a model by its id, or set default_model under [services.a]")
        );
        assert!(
            unmapped("n").ends_with("; it has m; add one under [services.a.profiles] in the services file")
        );
    }

    fn asked(id: &str, unmapped: UnmappedModel) -> Result<Option<String>, ResolveError> {
        let catalog = catalog();
        let service = catalog.service("a").unwrap();
        resolve(&catalog, service, &BTreeMap::new(), unmapped, &model(id)).map(|resolved| match resolved {
            Resolved::Profile(found) => Some(found.profile.arn.id().to_owned()),
            Resolved::Passthrough => None,
        })
    }

    #[test]
    fn each_rule_finds_its_profile() {
        for (id, profile) in [
            ("us.amazon.nova-lite-v1:0", "lite"),
            ("arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.amazon.nova-lite-v1:0", "lite"),
            ("fast", "lite"),
            ("default", "lite"),
            ("lite", "lite"),
            (arn("lite").as_str(), "lite"),
            ("amazon.nova-lite-v1:0", "lite"),
            ("global.vendor.big-v1:0", "global"),
        ] {
            assert_eq!(asked(id, UnmappedModel::Reject).unwrap().as_deref(), Some(profile), "{id}");
        }
    }

    #[test]
    fn allowed_models_hold_for_profiles_and_for_what_has_none() {
        let spec = ServiceSpec {
            profiles: vec![
                (model("us.amazon.nova-lite-v1:0"), arn("lite")),
                (model("us.vendor.big-v1:0"), arn("big")),
            ],
            allowed_models: ["us.amazon.*", "vendor.*"]
                .map(|text| ModelPattern::parse(text).unwrap())
                .to_vec(),
            ..ServiceSpec::new(ServiceName::parse("a").unwrap())
        };
        let catalog = Catalog::build(&ServicesFile { services: vec![spec] }, &Discovered::default());
        let service = catalog.service("a").unwrap();
        let ask = |id: &str, unmapped| {
            let (shared, asked) = (BTreeMap::new(), model(id));
            resolve(&catalog, service, &shared, unmapped, &asked).map(drop).map_err(|error| error.to_string())
        };
        let denied = |id: &str| {
            Err(format!(
                "service 'a' may not use model '{id}': its allowed_models take us.amazon.*, vendor.*; to change that, \
                 edit them under [services.a] in the services file"
            ))
        };
        let foundation = |id: &str| format!("arn:aws:bedrock:us-west-2::foundation-model/{id}");
        for (id, unmapped, expected) in [
            ("us.amazon.nova-lite-v1:0", UnmappedModel::Reject, Ok(())),
            ("amazon.nova-lite-v1:0", UnmappedModel::Reject, Ok(())),
            // By whatever name: the profile's source counts.
            ("big", UnmappedModel::Reject, denied("us.vendor.big-v1:0")),
            ("vendor.big-v1:0", UnmappedModel::Reject, denied("us.vendor.big-v1:0")),
            ("vendor.other-v1:0", UnmappedModel::Passthrough, Ok(())),
            (&foundation("vendor.other-v1:0"), UnmappedModel::Passthrough, Ok(())),
            (&foundation("foreign.other-v1:0"), UnmappedModel::Passthrough, denied("foreign.other-v1:0")),
            (
                "meta.llama3-3-70b-instruct-v1:0",
                UnmappedModel::Provision,
                denied("meta.llama3-3-70b-instruct-v1:0"),
            ),
        ] {
            assert_eq!(ask(id, unmapped), expected, "{id}");
        }
        let named = |id: &str| check_named(service, Some(&model(id))).is_ok();
        assert!(named("vendor.reel-v1:0") && named("lite") && named(arn("lite").as_str()));
        assert!(!named("amazon.nova-reel-v1:0") && !named("big"));
        assert!(matches!(check_named(service, None), Err(ResolveError::Unnamed { .. })));
    }

    #[test]
    fn nothing_crosses_a_border_or_reaches_a_stranger() {
        for id in ["eu.amazon.nova-lite-v1:0", "vendor.big-v1:0", "us.vendor.big-v1:0", "vendor.none-v1:0"] {
            assert!(matches!(asked(id, UnmappedModel::Reject), Err(ResolveError::Unmapped { .. })), "{id}");
            assert_eq!(asked(id, UnmappedModel::Passthrough), Ok(None), "{id}");
        }
        assert!(matches!(
            asked("vendor.twin-v1:0", UnmappedModel::Passthrough),
            Err(ResolveError::Ambiguous { .. })
        ));
        for id in ["lent", arn("lent").as_str()] {
            assert!(
                matches!(asked(id, UnmappedModel::Passthrough), Err(ResolveError::Foreign { .. })),
                "{id}"
            );
        }
    }
}
