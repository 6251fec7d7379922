//! `tollgate resolve`

use super::table::write_table;
use super::{Context, Failure, Format, service_name, write_json};
use crate::catalog::{Catalog, Profile, Service};
use crate::clock::Clock;
use crate::config::{Loaded, load_files};
use crate::discovery::stored::Stored;
use crate::discovery::{Discovered, SourceKnowledge};
use crate::domain::{ModelId, Money, ProfileArn, Region, RoleSession, ServiceName};
use crate::price::{InForce, Tier};
use crate::resolve::{Match, Miss, ResolveError, Resolved, Rule, meant, miss, resolve};
use clap::Args;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// Whose call of what.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The service that would call.
    #[arg(long, value_parser = service_name)]
    service: ServiceName,
    /// What it would ask for: a model id, an ARN, an alias, or "default".
    #[arg(long, value_parser = model_id)]
    model: ModelId,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Where a call would go.
#[derive(Debug, serde::Serialize)]
struct Way<'a> {
    service: &'a ServiceName,
    requested_model: &'a ModelId,
    /// What that stands for, where it is an alias or `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stands_for: Option<&'a ModelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_arn: Option<&'a ProfileArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_model: Option<&'a ModelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<String>,
    /// Where a profile that was found in AWS does not say what it was copied from, its models suggest it.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_inferred: Option<bool>,
    region: &'a Region,
    rule: &'static str,
    /// Who signs, where it is not the gateway itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<Signer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_id: Option<String>,
    /// USD at the standard tier, of tokens per 1,000,000, of anything else per one.
    prices: BTreeMap<&'static str, Money>,
    others: Vec<Other<'a>>,
}

/// A role, and a session of it.
#[derive(Debug, serde::Serialize)]
struct Signer {
    role_arn: String,
    session_name: String,
    session_tags: BTreeMap<String, String>,
}

/// A profile that the call would not get.
#[derive(Debug, serde::Serialize)]
struct Other<'a> {
    profile_arn: &'a ProfileArn,
    source_model: &'a ModelId,
    why_not: &'static str,
}

/// Shows it.
pub(super) fn run(context: &mut Context<'_>, args: &ResolveArgs) -> Result<(), Failure> {
    let loaded = load_files(&context.config, context.env.clone())?;
    let catalog = Catalog::build(&loaded.services, &discovered(&loaded)?);
    let service = find(&catalog, &loaded, args)?;
    let settings = &loaded.config.catalog;
    let resolved = resolve(&catalog, service, &settings.aliases, settings.unmapped_model, &args.model);
    let found = match &resolved {
        Ok(Resolved::Profile(found)) => Some(*found),
        Ok(Resolved::Passthrough) | Err(_) => None,
    };
    let meant = found.map_or_else(|| meant(service, &settings.aliases, &args.model), |found| found.meant);
    let others = others(service, meant, found.map(|found| found.profile));
    let rule = match &resolved {
        Ok(Resolved::Profile(found)) => rule(found.rule),
        Ok(Resolved::Passthrough) => PASSED_THROUGH,
        Err(_) => MADE,
    };
    match resolved {
        Ok(_) | Err(ResolveError::Unmade(_)) => {
            let way = Way { rule, ..way(&loaded, args, meant, found, others) };
            write(context.out, &way, args.format)
        }
        Err(error @ (ResolveError::Denied { .. } | ResolveError::Unnamed { .. })) => Err(Failure::refused(
            error.to_string(),
            "`tollgate services list --format json` shows allowed_models",
        )),
        Err(error) => {
            if args.format == Format::Table {
                write_others(context.out, &others)?;
            }
            let hint = if settings.discover {
                "`tollgate profiles list` shows what each service has"
            } else {
                "`tollgate services list` shows what each service has"
            };
            Err(Failure::refused(error.to_string(), hint))
        }
    }
}

/// Returns what a running gateway has found in AWS, if it looks there.
fn discovered(loaded: &Loaded) -> Result<Discovered, Failure> {
    let settings = &loaded.config.catalog;
    if !settings.discover {
        return Ok(Discovered::default());
    }
    let stored = Stored::read(&settings.snapshot).map_err(|error| {
        let message = format!("{:#}", anyhow::Error::new(error));
        Failure::refused(message, "a running `tollgate serve` writes a new one after its next look at AWS")
    })?;
    let inventory = stored.map(|stored| stored.inventory).unwrap_or_default();
    Ok(Discovered::of(&inventory, &settings.service_tag, &loaded.config.upstream.region))
}

fn find<'a>(catalog: &'a Catalog, loaded: &Loaded, args: &ResolveArgs) -> Result<&'a Arc<Service>, Failure> {
    let name = &args.service;
    catalog.service(name.as_str()).ok_or_else(|| {
        let message = format!("there is no service '{name}'");
        let hint = if loaded.config.catalog.discover {
            format!(
                "`tollgate services add {name}` adds it; one that a tag in AWS makes (`tollgate profiles list`) is \
                 known here once `tollgate serve` has found it"
            )
        } else {
            format!("`tollgate services list` shows which there are; `tollgate services add {name}` adds it")
        };
        Failure::refused(message, hint)
    })
}

fn way<'a>(
    loaded: &'a Loaded,
    args: &'a ResolveArgs,
    meant: &'a ModelId,
    found: Option<Match<'a>>,
    others: Vec<Other<'a>>,
) -> Way<'a> {
    let profile = found.map(|found| found.profile);
    let region = profile.map_or(&loaded.config.upstream.region, |profile| profile.arn.region());
    let billed = profile.map_or(meant, |profile| &profile.source_model);
    let rates = loaded.prices.rates(&args.service, Some(billed), region);
    let price = rates.in_force(Clock::system().utc());
    Way {
        service: &args.service,
        requested_model: &args.model,
        stands_for: Some(meant).filter(|meant| **meant != args.model),
        profile_arn: profile.map(|profile| &profile.arn),
        source_model: profile.map(|profile| &profile.source_model),
        routing: profile.map(|profile| routing(&profile.source_model)),
        source_inferred: profile.map(|profile| profile.knowledge == SourceKnowledge::Inferred),
        region,
        rule: "",
        signed_by: signer(loaded, args, profile, meant),
        price_id: price.map(|price| price.id.to_string()),
        prices: price.map(prices).unwrap_or_default(),
        others,
    }
}

/// Returns who signs, as the gateway finds them: the service's own session before a role of the account.
fn signer(loaded: &Loaded, args: &ResolveArgs, profile: Option<&Profile>, meant: &ModelId) -> Option<Signer> {
    let service = loaded.services.services.iter().find(|service| service.name == args.service);
    let own = service.and_then(|service| service.session(&loaded.config.catalog.service_tag));
    let account = profile.map_or_else(|| meant.account(), |profile| Some(profile.arn.account()));
    let of_account = || {
        let role = loaded.config.upstream.roles.get(account?)?;
        Some(RoleSession::of_gateway(role.clone()))
    };
    let RoleSession { role, name, tags } = own.or_else(of_account)?;
    Some(Signer { role_arn: role.to_string(), session_name: name, session_tags: tags })
}

/// What a call does that no profile fits, where it is let through.
const PASSED_THROUGH: &str = "no profile fits; unmapped_model is \"passthrough\", so it leaves as asked and AWS's books do not split it";

/// What a call does that no profile fits, where one is made.
const MADE: &str = "no profile fits; unmapped_model is \"provision\", so the first call makes one";

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tags: Vec<String> =
            self.session_tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        write!(f, "{} as session '{}'", self.role_arn, self.session_name)?;
        if tags.is_empty() { Ok(()) } else { write!(f, ", {}", tags.join(" ")) }
    }
}

fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::SourceModel => "it is the profile's source model",
        Rule::Profile => "it is the profile's own id or ARN",
        Rule::Geography => {
            "it is the foundation model behind the one geographic profile that the service has of it"
        }
    }
}

fn reason(miss: Miss) -> &'static str {
    match miss {
        Miss::OtherModel => "of another model",
        Miss::OtherGeography => "another geography: a prefixed id never crosses to one",
        Miss::Global => "global: reached only by its own id or an alias",
        Miss::LessExact => "geographic; another profile was copied from exactly this id",
        Miss::Ambiguous => "fits as well as another does: ask for one of them by its own id",
    }
}

/// Returns where calls under a source model are served, which is part of the price.
pub(super) fn routing(source: &ModelId) -> String {
    match source.geography() {
        None => "in-region".to_owned(),
        Some("global") => "global".to_owned(),
        Some(geography) => format!("geo ({geography})"),
    }
}

fn prices(in_force: &InForce) -> BTreeMap<&'static str, Money> {
    let standard = in_force.prices.units.iter().filter(|(tier, _, _)| *tier == Tier::Standard);
    let quoted =
        |meter: crate::price::Meter, price: Money| price.checked_mul(meter.quoted_for()).unwrap_or(price);
    standard.map(|(_, meter, price)| (meter.name(), quoted(*meter, *price))).collect()
}

fn others<'a>(service: &'a Service, meant: &ModelId, found: Option<&Profile>) -> Vec<Other<'a>> {
    let others = service.profiles.iter().filter(|profile| found.is_none_or(|found| found.arn != profile.arn));
    let other = |profile: &'a Profile| Other {
        profile_arn: &profile.arn,
        source_model: &profile.source_model,
        why_not: reason(miss(profile, meant, found)),
    };
    others.map(other).collect()
}

fn write(out: &mut dyn Write, way: &Way<'_>, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return write_json(out, way);
    }
    let text = |id: &ModelId| id.to_string();
    let certainty = if way.source_inferred == Some(true) { " (as its models suggest)" } else { "" };
    let source = |id: &ModelId| format!("{id}{certainty}");
    let prices: Vec<String> = way.prices.iter().map(|(meter, price)| format!("{meter} {price}")).collect();
    let price = way.price_id.as_ref().map(|id| format!("{} ({id})", prices.join(", ")));
    let own = || "the gateway's own credentials".to_owned();
    let lines = [
        ("service", Some(way.service.to_string())),
        ("asked for", Some(text(way.requested_model))),
        ("stands for", way.stands_for.map(text)),
        ("profile", Some(way.profile_arn.map_or_else(|| "none".to_owned(), ProfileArn::to_string))),
        ("source model", way.source_model.map(source)),
        ("routing", way.routing.clone()),
        ("region", Some(way.region.to_string())),
        ("because", Some(way.rule.to_owned())),
        ("signed by", Some(way.signed_by.as_ref().map_or_else(own, Signer::to_string))),
        ("USD", Some(price.unwrap_or_else(|| "no price: `tollgate prices check` tells more".to_owned()))),
    ];
    for (name, text) in lines {
        if let Some(text) = text {
            writeln!(out, "{name:<12}  {text}")?;
        }
    }
    write_others(out, &way.others)
}

fn write_others(out: &mut dyn Write, others: &[Other<'_>]) -> Result<(), Failure> {
    if others.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let row = |other: &Other<'_>| {
        [other.source_model.to_string(), other.profile_arn.id().to_owned(), other.why_not.to_owned()]
    };
    let rows: Vec<[String; 3]> = others.iter().map(row).collect();
    write_table(out, ["NOT", "PROFILE", "WHY NOT"], &rows).map_err(Failure::from)
}

fn model_id(text: &str) -> Result<ModelId, String> {
    ModelId::parse(text).map_err(|error| error.to_string())
}
