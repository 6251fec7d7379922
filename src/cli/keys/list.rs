//! `tollgate keys list`

use crate::cli::{Context, Failure, Format, ledger, write_json};
use crate::clock::Clock;
use crate::config::{KeyLimits, Proof, ServiceSpec, load_files};
use crate::domain::stamp::rfc3339_seconds;
use crate::domain::{ModelPattern, Operation, ServiceName};
use crate::keys::bearer_id;
use crate::ledger::report;
use crate::ledger::store::Span;
use clap::Args;
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// How far back the last use of a key is looked for.
const LOOK_BACK: Duration = Duration::days(90);

/// How keys are listed.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also shows in which hour of the last 90 days each key was last used, as the ledger has it.
    #[arg(long)]
    last_use: bool,
    /// How they are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One key as JSON.
#[derive(Debug, serde::Serialize)]
struct Listed<'a> {
    service: &'a ServiceName,
    key_id: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    is_expired: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operations: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<&'a str>,
    /// The beginning of the hour in which it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
}

/// Lists the keys.
pub(super) fn run(context: &mut Context<'_>, args: &ListArgs) -> Result<(), Failure> {
    let loaded = load_files(&context.config, context.env.clone())?;
    let now = Clock::system().utc();
    let used = if args.last_use { last_uses(context, now)? } else { HashMap::new() };
    let keys: Vec<Listed<'_>> =
        loaded.services.services.iter().flat_map(|service| of_service(service, &used, now)).collect();
    if args.format == Format::Json {
        return write_json(context.out, &keys);
    }
    let limited = |key: &Listed<'_>| !(key.operations.is_empty() && key.models.is_empty());
    let any = [keys.iter().any(|key| key.expires.is_some()), keys.iter().any(limited), args.last_use];
    write(context, &keys, any)
}

/// Writes the table; columns that would say nothing are left out.
fn write(
    context: &mut Context<'_>,
    keys: &[Listed<'_>],
    [expires, limits, used]: [bool; 3],
) -> Result<(), Failure> {
    let row = |key: &Listed<'_>| {
        let end = key.expires.as_deref().unwrap_or("never");
        let end = if key.is_expired { format!("{end} (over)") } else { end.to_owned() };
        let scope: Vec<&str> = key.operations.iter().chain(&key.models).copied().collect();
        let scope = if scope.is_empty() { "all".to_owned() } else { scope.join(" ") };
        let last = key.last_used.clone().unwrap_or_else(|| "not in 90 days".to_owned());
        [key.service.to_string(), key.key_id.clone(), key.kind.to_owned(), end, scope, last]
    };
    let shown = [true, true, true, expires, limits, used];
    let heads = ["SERVICE", "KEY ID", "KIND", "EXPIRES", "FOR", "LAST USED"].map(str::to_owned);
    let rows: Vec<Vec<String>> = std::iter::once(heads)
        .chain(keys.iter().map(row))
        .map(|row| row.into_iter().zip(shown).filter(|(_, shown)| *shown).map(|(cell, _)| cell).collect())
        .collect();
    let columns = shown.into_iter().filter(|shown| *shown).count();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(context.out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn of_service<'a>(
    service: &'a ServiceSpec,
    used: &HashMap<String, OffsetDateTime>,
    now: OffsetDateTime,
) -> Vec<Listed<'a>> {
    let listed = |key_id: String, kind: &'static str, limits: Option<&'a KeyLimits>| {
        let expires = limits.and_then(|limits| limits.expires);
        Listed {
            service: &service.name,
            kind,
            expires: expires.map(rfc3339_seconds),
            is_expired: expires.is_some_and(|end| end <= now),
            operations: limits
                .into_iter()
                .flat_map(|limits| &limits.operations)
                .map(|one| Operation::name(*one))
                .collect(),
            models: limits.into_iter().flat_map(|limits| &limits.models).map(ModelPattern::as_str).collect(),
            last_used: used.get(&key_id).copied().map(rfc3339_seconds),
            key_id,
        }
    };
    let plain = service.key_sha256.iter().map(|hash| listed(bearer_id(hash), "bearer", None));
    let stated = service.keys.iter().map(|key| {
        let kind = if matches!(key.proof, Proof::Bearer(_)) { "bearer" } else { "sigv4" };
        listed(key.id.clone(), kind, Some(&key.limits))
    });
    plain.chain(stated).collect()
}

/// Returns in which hour each key was last used.
fn last_uses(context: &Context<'_>, now: OffsetDateTime) -> Result<HashMap<String, OffsetDateTime>, Failure> {
    let (mut store, settings) = ledger::open(context)?;
    let span = Span { since: now - LOOK_BACK, until: now };
    let hours = report::hours(&mut *store, span, &settings.label_keys, &mut |_, _| {})?;
    let mut used: HashMap<String, OffsetDateTime> = HashMap::new();
    for hour in hours {
        if let (Some(key), Some(at)) = (&hour.dimensions.key_id, hour.at) {
            let last = used.entry(key.clone()).or_insert(at);
            *last = at.max(*last);
        }
    }
    Ok(used)
}
