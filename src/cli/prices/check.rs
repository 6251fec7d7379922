//! `tollgate prices check`

use crate::cli::table::{counted, write_table};
use crate::cli::{Context, Failure, Format, write_json};
use crate::clock::Clock;
use crate::config::{Loaded, Problem, ServiceSpec, load_files};
use crate::domain::{ModelId, ProfileArn, ServiceName};
use crate::price::{InForce, Meter, PriceTable, Tier};
use std::io::Write;
use time::OffsetDateTime;

/// What a service's profile has no price for.
#[derive(Debug, serde::Serialize)]
struct Checked<'a> {
    service: &'a ServiceName,
    model: &'a ModelId,
    region: &'a str,
    /// Names the prices; absent where the model has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_id: Option<String>,
    /// Kinds of tokens without a price.
    units: Vec<&'static str>,
    /// Service and latency tiers without a price.
    tiers: Vec<&'static str>,
}

/// The result as JSON.
#[derive(Debug, serde::Serialize)]
struct Report<'a> {
    prices: &'a str,
    as_of: Option<String>,
    age_days: Option<i64>,
    unpriced: usize,
    profiles: &'a [Checked<'a>],
    warnings: &'a [Problem],
}

/// Checks the prices.
pub(super) fn run(context: &mut Context<'_>, format: Format) -> Result<(), Failure> {
    let loaded = load_files(&context.config, context.env.clone())?;
    let now = Clock::system().utc();
    let services = &loaded.services.services;
    let checked: Vec<Checked<'_>> =
        services.iter().flat_map(|service| check(&loaded.prices, service, now)).collect();
    let age_days = PriceTable::as_of().map(|as_of| (now.date() - as_of).whole_days());
    let report = Report {
        prices: loaded.prices.id(),
        as_of: PriceTable::as_of().map(|day| day.to_string()),
        age_days,
        unpriced: checked.iter().filter(|checked| checked.price_id.is_none()).count(),
        profiles: &checked,
        warnings: &loaded.warnings,
    };
    match format {
        Format::Json => write_json(context.out, &report),
        Format::Table => write_text(context.out, &report, &loaded),
    }
}

fn check<'a>(
    table: &'a PriceTable,
    service: &'a ServiceSpec,
    now: OffsetDateTime,
) -> impl Iterator<Item = Checked<'a>> {
    service.profiles.iter().map(move |(model, profile): &'a (ModelId, ProfileArn)| {
        let in_force = table.in_force(Some(&service.name), model, Some(profile.region()), now);
        Checked {
            service: &service.name,
            model,
            region: profile.region().as_str(),
            price_id: in_force.as_ref().map(|in_force| in_force.id.to_string()),
            units: in_force.as_ref().map(units).unwrap_or_default(),
            tiers: in_force.as_ref().map(tiers).unwrap_or_default(),
        }
    })
}

/// Returns the kinds of tokens that have no price, of a model that is charged by tokens.
fn units(in_force: &InForce) -> Vec<&'static str> {
    const TOKENS: [Meter; 5] =
        [Meter::Input, Meter::Output, Meter::CacheRead, Meter::CacheWrite5m, Meter::CacheWrite1h];
    let has = |meter: &Meter| in_force.prices.get(Tier::Standard, *meter).is_some();
    let by_tokens = has(&Meter::Input) || has(&Meter::Output);
    TOKENS.into_iter().filter(|meter| by_tokens && !has(meter)).map(Meter::name).collect()
}

fn tiers(in_force: &InForce) -> Vec<&'static str> {
    let tiers = [Tier::Priority, Tier::Flex, Tier::Optimized].into_iter();
    tiers.filter(|tier| !in_force.prices.lists(*tier)).map(Tier::name).collect()
}

fn write_text(out: &mut dyn Write, report: &Report<'_>, loaded: &Loaded) -> Result<(), Failure> {
    let named = |names: &[&str]| if names.is_empty() { "-".to_owned() } else { names.join(", ") };
    let row = |checked: &Checked<'_>| {
        [
            checked.service.to_string(),
            checked.model.to_string(),
            checked.region.to_owned(),
            checked.price_id.clone().unwrap_or_else(|| "NONE".to_owned()),
            named(&checked.units),
            named(&checked.tiers),
        ]
    };
    let rows: Vec<[String; 6]> = report.profiles.iter().map(row).collect();
    let headings = ["SERVICE", "MODEL", "REGION", "PRICE", "UNITS WITHOUT", "TIERS WITHOUT"];
    write_table(out, headings, &rows)?;
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let count = counted(rows.len(), "profile");
    writeln!(out, "prices are valid: {count}, {} without a price", report.unpriced)?;
    if let (Some(as_of), Some(days)) = (&report.as_of, report.age_days) {
        writeln!(out, "built-in prices are as of {as_of}, {} ago", counted_days(days))?;
    }
    if report.unpriced > 0 {
        writeln!(
            out,
            "hint: add a [[price]] to the overrides file: `tollgate prices show --help` shows one"
        )?;
    }
    Ok(())
}

fn counted_days(days: i64) -> String {
    counted(usize::try_from(days).unwrap_or(0), "day")
}
