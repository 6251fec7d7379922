//! The keys of the config file.

use super::{
    AccessLog, CatalogSettings, Config, LedgerSettings, Listen, Log, OnClientDisconnect, OnJournalFailure,
    PriceSettings, UnmappedModel, Upstream, identity, tags, tls,
};
use crate::domain::{ModelId, Region, RoleArn, is_account};
use crate::ledger::journal::Fsync;
use crate::ledger::store::StoreUrl;
use crate::sheet::{Section, Sheet};
use http::{HeaderName, Uri};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The most connections that may be configured: each costs memory and a file descriptor.
const MAX_CONNECTIONS: u64 = 1_000_000;

/// The longest request body that may be configured, in bytes: bodies are held in memory.
const MAX_BODY_BYTES: u64 = 1 << 30;

/// The longest duration that may be configured: a year.
const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

/// The most connections that may be kept ready per endpoint.
const MAX_WARM: usize = 100;

/// The shortest time between two looks at AWS: its control plane throttles.
const MIN_REFRESH_SECONDS: u64 = 10;

/// The smallest limit of a journal: some thousand calls.
const MIN_JOURNAL_BYTES: u64 = 1 << 20;

/// The most labels that hourly sums may tell apart.
const MAX_LABEL_KEYS: usize = 16;

/// The shortest and the longest time that records may be kept.
const MIN_KEEP: Duration = Duration::from_hours(24);
const MAX_KEEP: Duration = Duration::from_hours(100 * 366 * 24);

/// Headers that cannot name a service: they have another meaning, or are signed, or belong to the connection.
const TAKEN_HEADERS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-api-key",
];

/// Reads the config of a sheet; what is wrong or absent keeps its default.
pub(super) fn read(sheet: &mut Sheet, folder: &Path) -> Config {
    let mut config = Config::default();
    config.catalog.services = folder.join(&config.catalog.services);
    config.catalog.snapshot = folder.join(&config.catalog.snapshot);
    config.ledger.journal = folder.join(&config.ledger.journal);
    config.ledger.store = config.ledger.store.within(folder);
    let text = sheet.text();
    if let Some(table) = sheet.parse(&text) {
        let mut root = sheet.root(&table);
        read_listen(root.section("listen"), &mut config.listen, folder);
        read_upstream(root.section("upstream"), &mut config.upstream, folder);
        identity::read(root.section("identity"), &mut config.identity, folder);
        read_catalog(root.section("catalog"), &mut config.catalog, folder);
        read_ledger(root.section("ledger"), &mut config.ledger, folder);
        read_prices(root.section("prices"), &mut config.prices, folder);
        read_log(root.section("log"), &mut config.log, folder);
        root.finish();
        sheet.finish();
    }
    config
}

fn read_listen(mut section: Section<'_>, listen: &mut Listen, folder: &Path) {
    section.read_text("data", &mut listen.data, address);
    section.read_text("admin", &mut listen.admin, address);
    section.read("max_connections", &mut listen.max_connections, |number| {
        let number = within(number, MAX_CONNECTIONS)?;
        usize::try_from(number).map_err(|error| error.to_string())
    });
    section.read_text("header_read_timeout", &mut listen.header_read_timeout, duration);
    section.read_text("idle_timeout", &mut listen.idle_timeout, duration);
    section.read_text("write_timeout", &mut listen.write_timeout, duration);
    section.read("body_limit_bytes", &mut listen.body_limit_bytes, |number| within(number, MAX_BODY_BYTES));
    section.read_text("shutdown_grace", &mut listen.shutdown_grace, duration);
    tls::read(&mut section, listen, folder);
    section.finish();
}

fn read_upstream(mut section: Section<'_>, upstream: &mut Upstream, folder: &Path) {
    section.read_text("region", &mut upstream.region, region);
    section.read_text("endpoint", &mut upstream.endpoint, |text| endpoint(text).map(Some));
    section.read_text("control_endpoint", &mut upstream.control_endpoint, |text| endpoint(text).map(Some));
    section.read("use_fips", &mut upstream.use_fips, Ok);
    section.read("use_dual_stack", &mut upstream.use_dual_stack, Ok);
    section.read_text("ca_bundle", &mut upstream.ca_bundle, |path| file(path, folder).map(Some));
    section.read_text("connect_timeout", &mut upstream.connect_timeout, duration);
    section.read_text("connection_age", &mut upstream.connection_age, duration);
    section.read("warm_connections", &mut upstream.warm_connections, warm);
    section.read_text("idle_timeout", &mut upstream.idle_timeout, duration);
    section.read_text("on_client_disconnect", &mut upstream.on_client_disconnect, |word| {
        choice(word, &[("drain", OnClientDisconnect::Drain), ("cancel", OnClientDisconnect::Cancel)])
    });
    section.read_text("drain_timeout", &mut upstream.drain_timeout, duration);
    section.read("drain_limit_bytes", &mut upstream.drain_limit_bytes, |number| {
        within(number, i64::MAX.unsigned_abs())
    });
    upstream.roles = section.read_map("roles", role).unwrap_or_default().into_iter().collect();
    section.finish();
}

fn read_catalog(mut section: Section<'_>, catalog: &mut CatalogSettings, folder: &Path) {
    section.read_text("services", &mut catalog.services, |path| file(path, folder));
    section.read_text("unmapped_model", &mut catalog.unmapped_model, |word| {
        let choices = [
            ("reject", UnmappedModel::Reject),
            ("passthrough", UnmappedModel::Passthrough),
            ("provision", UnmappedModel::Provision),
        ];
        choice(word, &choices)
    });
    catalog.aliases = section.read_map("aliases", alias).unwrap_or_default().into_iter().collect();
    section.read("discover", &mut catalog.discover, Ok);
    section.read_text("service_tag", &mut catalog.service_tag, tags::key);
    section.read("refresh_seconds", &mut catalog.refresh, refresh);
    section.read_text("snapshot", &mut catalog.snapshot, |path| file(path, folder));
    catalog.regions = section.read_list("regions", region).unwrap_or_default();
    section.finish();
}

fn read_ledger(mut section: Section<'_>, ledger: &mut LedgerSettings, folder: &Path) {
    section.read("enabled", &mut ledger.enabled, Ok);
    section.read_text("journal", &mut ledger.journal, |path| file(path, folder));
    section.read_text("fsync", &mut ledger.fsync, |word| {
        choice(word, &[("always", Fsync::Always), ("interval", Fsync::Interval), ("never", Fsync::Never)])
    });
    section.read_text("on_journal_failure", &mut ledger.on_journal_failure, |word| {
        choice(word, &[("refuse", OnJournalFailure::Refuse), ("serve", OnJournalFailure::Serve)])
    });
    section.read("journal_limit_bytes", &mut ledger.journal_limit_bytes, |number| {
        let number = within(number, i64::MAX.unsigned_abs())?;
        if number < MIN_JOURNAL_BYTES {
            return Err(format!("{number} is too small: use at least {MIN_JOURNAL_BYTES}"));
        }
        Ok(number)
    });
    section.read_text("store", &mut ledger.store, |url| StoreUrl::parse(url, folder));
    if let Some(keys) = section.read_list("label_keys", label_key) {
        if keys.len() > MAX_LABEL_KEYS {
            section.wrong_key("label_keys", format!("holds more than {MAX_LABEL_KEYS} keys"));
        }
        ledger.label_keys = keys;
    }
    section.read_text("keep_records", &mut ledger.keep_records, keep);
    section.read_text("keep_rollups", &mut ledger.keep_rollups, keep);
    if outlives(ledger.keep_records, ledger.keep_rollups) {
        section.wrong_key(
            "keep_rollups",
            "is shorter than keep_records: reports need hourly sums for as long as there are records; \
             lengthen it, as in \"forever\", or shorten keep_records",
        );
    }
    section.finish();
}

/// Checks the role of an account.
fn role(account: &str, arn: &str) -> Result<(String, RoleArn), String> {
    if !is_account(account) {
        return Err(format!("'{account}' is no account: use its 12 digits, in quotes"));
    }
    let role = RoleArn::parse(arn).map_err(|error| format!("'{arn}' is {error}"))?;
    if role.account() != account {
        return Err(format!("'{arn}' is a role of account {}: name one of {account}", role.account()));
    }
    Ok((account.to_owned(), role))
}

/// Checks how many connections are kept ready.
fn warm(number: i64) -> Result<usize, String> {
    let number = usize::try_from(number).ok().filter(|number| *number <= MAX_WARM);
    number.ok_or_else(|| format!("is out of range: use 0 to {MAX_WARM}"))
}

/// Checks a region's name.
fn region(name: &str) -> Result<Region, String> {
    Region::parse(name).ok_or_else(|| format!("'{name}' is no region's name; one looks like us-west-2"))
}

/// Returns how long a look at AWS holds.
fn refresh(seconds: i64) -> Result<Duration, String> {
    let seconds = within(seconds, MAX_DURATION.as_secs())?;
    if seconds < MIN_REFRESH_SECONDS {
        return Err(format!("{seconds} is too short: use at least {MIN_REFRESH_SECONDS}"));
    }
    Ok(Duration::from_secs(seconds))
}

/// Tells whether something is kept for longer than something else; `None` is for ever.
fn outlives(one: Option<Duration>, other: Option<Duration>) -> bool {
    other.is_some_and(|other| one.is_none_or(|one| one > other))
}

/// Checks the key of a label, by the rule of `x-tollgate-labels`.
fn label_key(key: &str) -> Result<String, String> {
    let legal = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let starts_well = key.starts_with(|first: char| first.is_ascii_lowercase());
    if legal && starts_well && key.len() <= 32 {
        Ok(key.to_owned())
    } else {
        Err(format!("'{key}' is no label's key: a letter, then up to 31 of a-z 0-9 _"))
    }
}

/// Returns how long something is kept; `None` is for ever.
fn keep(text: &str) -> Result<Option<Duration>, String> {
    if text == "forever" {
        return Ok(None);
    }
    let kept = humantime::parse_duration(text)
        .map_err(|_| format!("'{text}' is no duration; one looks like 90days, or is \"forever\""))?;
    if !(MIN_KEEP..=MAX_KEEP).contains(&kept) {
        return Err(format!("'{text}' is out of range: use 1day to 100years, or \"forever\""));
    }
    Ok(Some(kept))
}

fn read_prices(mut section: Section<'_>, prices: &mut PriceSettings, folder: &Path) {
    section.read_text("overrides", &mut prices.overrides, |path| file(path, folder).map(Some));
    section.finish();
}

fn read_log(mut section: Section<'_>, log: &mut Log, folder: &Path) {
    section.read_text("level", &mut log.level, level);
    section.read_text("access", &mut log.access, |word| match word {
        "stdout" => Ok(AccessLog::Stdout),
        "off" => Ok(AccessLog::Off),
        path => file(path, folder).map(AccessLog::File),
    });
    section.finish();
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is no address with a port; one looks like 127.0.0.1:8080"))
}

fn within(number: i64, most: u64) -> Result<u64, String> {
    u64::try_from(number)
        .ok()
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("{number} is out of range: use 1 to {most}"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("'{text}' is no duration; one looks like 500ms, 10s or 5m"))?;
    if duration.is_zero() || duration > MAX_DURATION {
        return Err(format!("'{text}' is out of range: use more than 0s, and at most 365days"));
    }
    Ok(duration)
}

/// Returns what a word of a list stands for.
pub(super) fn choice<T: Copy>(word: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("'{word}' is not one of {}", names.join(", "))
    })
}

fn endpoint(text: &str) -> Result<Uri, String> {
    const RIGHT: &str =
        "use http:// or https://, a host and, where needed, a port, as in http://127.0.0.1:4000";
    if text.contains('@') {
        // Not repeated: it may hold a password.
        return Err(format!("takes no user and no password: {RIGHT}"));
    }
    let uri: Uri = text.parse().map_err(|error| format!("'{text}' is no URL ({error}): {RIGHT}"))?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.host().is_some_and(|host| !host.is_empty());
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if scheme && host && bare { Ok(uri) } else { Err(format!("'{text}' does not do: {RIGHT}")) }
}

pub(super) fn header(text: &str) -> Result<HeaderName, String> {
    let name: HeaderName = text.parse().map_err(|_| format!("'{text}' is no header's name"))?;
    let taken = TAKEN_HEADERS.contains(&name.as_str()) || name.as_str().starts_with("x-amz");
    if taken {
        return Err(format!("'{name}' has a meaning of its own: use another, such as x-tollgate-service"));
    }
    Ok(name)
}

pub(super) fn file(path: &str, folder: &Path) -> Result<std::path::PathBuf, String> {
    if path.is_empty() { Err("must name a file".to_owned()) } else { Ok(folder.join(path)) }
}

/// Checks one alias of the config or of a service.
pub(super) fn alias(name: &str, model: &str) -> Result<(String, ModelId), String> {
    if name == "default" {
        return Err("'default' cannot be an alias: set a service's default_model".to_owned());
    }
    ModelId::parse(name).map_err(|error| format!("'{name}' cannot be asked for: {error}"))?;
    let model = ModelId::parse(model).map_err(|error| format!("'{model}': {error}"))?;
    Ok((name.to_owned(), model))
}

/// Checks a log filter. A word alone must be a level: taken as a target, a mistyped one would silence the rest.
fn level(text: &str) -> Result<String, String> {
    let wrong = || format!("'{text}' is no log filter; use info, debug, or as in info,tollgate=debug");
    let is_level = |word: &str| word.contains('=') || word.trim().parse::<LevelFilter>().is_ok();
    let parsed = EnvFilter::builder().parse(text).is_ok();
    if parsed && text.split(',').all(is_level) { Ok(text.to_owned()) } else { Err(wrong()) }
}
