//! What several keys, or both files, must agree on.

use super::services::key_of;
use super::tls::NO_CERTIFICATES;
use super::{Config, KeySpec, Listen, Proof, ServiceSpec, ServicesFile, UnmappedModel, sessions, tags};
use crate::domain::{CertificateName, ModelId, ProfileArn, ServiceName, fits_any};
use crate::sheet::{Problem, Sheet, dotted};
use http::Uri;
use sha2::{Digest, Sha256};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

/// What to do about a services file without services.
const ADD_SERVICE: &str = "`tollgate services add NAME --profile MODEL=ARN` adds one";

/// Checks the config file by itself.
pub(super) fn check_config(config: &Config, sheet: &mut Sheet) {
    let listen = &config.listen;
    check_admin(listen, sheet);
    for (plane, tls) in [("listen.tls", &listen.tls), ("listen.admin_tls", &listen.admin_tls)] {
        let key = format!("{plane}.certificates");
        let is_told = |problem: &Problem| problem.key.as_ref().is_some_and(|found| found.starts_with(&key));
        let is_empty = tls.as_ref().is_some_and(|tls| tls.certificates.is_empty());
        if is_empty && !sheet.problems.iter().any(is_told) {
            sheet.wrong_key(&key, NO_CERTIFICATES);
        }
    }
    if collide(listen.data, listen.admin) {
        sheet.wrong_key("listen.admin", format!("listen.data takes the same port, {}", listen.data));
    }
    if config.catalog.unmapped_model == UnmappedModel::Provision && !config.catalog.discover {
        let message =
            "\"provision\" needs catalog.discover = true: else nobody knows which profiles there are already";
        sheet.wrong_key("catalog.unmapped_model", message);
    }
    let upstream = &config.upstream;
    for (key, endpoint) in
        [("upstream.endpoint", &upstream.endpoint), ("upstream.control_endpoint", &upstream.control_endpoint)]
    {
        if let Some(endpoint) = endpoint {
            check_endpoint(config, key, endpoint, sheet);
        }
    }
}

/// What leaves this machine needs a token, and should be encrypted.
fn check_admin(listen: &Listen, sheet: &mut Sheet) {
    if listen.admin.ip().to_canonical().is_loopback() {
        return;
    }
    if listen.admin_token_file.is_none() {
        let message = "the admin plane has no access control: name the file of a token with listen.admin_token_file, \
                       or bind it to loopback, as in 127.0.0.1:9090";
        sheet.wrong_key("listen.admin", message);
    } else if listen.admin_tls.is_none() {
        let message = "the admin plane's token goes over the network in clear text: set certificates under \
                       [listen.admin_tls], or bind it to loopback, as in 127.0.0.1:9090";
        sheet.warn_key("listen.admin", message);
    }
}

fn check_endpoint(config: &Config, endpoint_key: &str, endpoint: &Uri, sheet: &mut Sheet) {
    let upstream = &config.upstream;
    for (key, set) in [("use_fips", upstream.use_fips), ("use_dual_stack", upstream.use_dual_stack)] {
        if set {
            let message = format!("cannot hold together with {endpoint_key}: remove one of them");
            sheet.wrong_key(&format!("upstream.{key}"), message);
        }
    }
    for (name, address) in [("data", config.listen.data), ("admin", config.listen.admin)] {
        if is_own(endpoint, address) {
            let message = format!("'{endpoint}' is the gateway's own listener (listen.{name})");
            sheet.wrong_key(endpoint_key, message);
        }
    }
}

/// Tells whether two listeners cannot both have their port.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (any || one.ip() == other.ip())
}

/// Tells whether an endpoint leads to a listener of this machine.
fn is_own(endpoint: &Uri, listener: SocketAddr) -> bool {
    let default_port = if endpoint.scheme_str() == Some("https") { 443 } else { 80 };
    let host = endpoint.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| {
            let ip = ip.to_canonical();
            ip.is_loopback() || ip.is_unspecified() || ip == listener.ip().to_canonical()
        });
    here && endpoint.port_u16().unwrap_or(default_port) == listener.port()
}

/// Checks the services against each other and against the config.
pub(super) fn check_services(config: &Config, file: &ServicesFile, sheet: &mut Sheet) {
    check_owners(file, sheet);
    // What the file lacks may come from AWS.
    let complete = !config.catalog.discover;
    if complete && file.services.is_empty() && sheet.problems.is_empty() {
        sheet.warn("has no services: every call is refused", ADD_SERVICE);
    }
    for service in &file.services {
        if complete && service.profiles.is_empty() {
            let message = if service.models.is_empty() {
                "has no profiles: every model is unmapped for it"
            } else {
                "has no profiles yet, though it has models: every model is unmapped for it"
            };
            sheet.warn_key(&dotted("services", service.name.as_str()), message);
        }
        check_profiles(service, sheet);
        check_allowed(service, sheet);
        check_tags(config, service, sheet);
        sessions::check(config, service, sheet);
        if complete && config.catalog.unmapped_model == UnmappedModel::Reject {
            check_targets(config, service, sheet);
        }
    }
}

/// Where something of a service stands, put into words where two services have it.
#[derive(Debug, Clone, Copy)]
enum Stands<'a> {
    Member(&'a ServiceName, &'static str, &'a str),
    Element(&'a ServiceName, &'static str, usize),
}

impl fmt::Display for Stands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(service, setting, name) => f.write_str(&dotted(&key_of(service, setting), name)),
            Self::Element(service, setting, index) => write!(f, "{}[{index}]", key_of(service, setting)),
        }
    }
}

/// A profile, a key and a certificate belong to one service only.
fn check_owners(file: &ServicesFile, sheet: &mut Sheet) {
    check_certificates(file, sheet);
    let count = file.services.iter().map(|service| service.profiles.len()).sum();
    let mut profiles: HashMap<&ProfileArn, Stands<'_>> = HashMap::with_capacity(count);
    let mut keys: HashMap<[u8; 32], Stands<'_>> = HashMap::new();
    for service in &file.services {
        let name = &service.name;
        for (model, arn) in &service.profiles {
            let place = Stands::Member(name, "profiles", model.as_str());
            if let Some(first) = claim(&mut profiles, arn, place) {
                let message = format!("the profile is {first} already: a profile has one place");
                sheet.wrong_key(&place.to_string(), message);
            }
        }
        let hashes = service.key_sha256.iter().enumerate();
        let hashes = hashes.map(|(index, hash)| (*hash, Stands::Element(name, "key_sha256", index)));
        let specs = service.keys.iter().map(|spec| (found_by(spec), Stands::Member(name, "keys", &spec.id)));
        for (hash, place) in hashes.chain(specs) {
            if let Some(first) = claim(&mut keys, hash, place) {
                let message = format!("the key is {first} already: a key belongs to one service");
                sheet.wrong_key(&place.to_string(), message);
            }
        }
    }
}

/// Returns the place that has something already; else it has this one from now on.
fn claim<'a, K: Eq + Hash>(
    places: &mut HashMap<K, Stands<'a>>,
    what: K,
    place: Stands<'a>,
) -> Option<Stands<'a>> {
    match places.entry(what) {
        Entry::Occupied(first) => Some(*first.get()),
        Entry::Vacant(free) => {
            free.insert(place);
            None
        }
    }
}

/// Returns what a key is found by: of access keys, that is the id.
fn found_by(spec: &KeySpec) -> [u8; 32] {
    match &spec.proof {
        Proof::Bearer(hash) => *hash,
        Proof::Signature(_) => Sha256::digest(spec.id.as_bytes()).into(),
    }
}

/// A certificate's name is claimed once.
fn check_certificates(file: &ServicesFile, sheet: &mut Sheet) {
    let mut names: HashMap<&CertificateName, Stands<'_>> = HashMap::new();
    for service in &file.services {
        for (index, name) in service.client_certificates.iter().enumerate() {
            let place = Stands::Element(&service.name, "client_certificates", index);
            if let Some(first) = claim(&mut names, name, place) {
                let message = format!(
                    "the name is {first} already: a certificate tells one service, so keep one of them"
                );
                sheet.wrong_key(&place.to_string(), message);
            }
        }
    }
}

/// A source model occurs once, and fits its profile's region.
fn check_profiles(service: &ServiceSpec, sheet: &mut Sheet) {
    let key = |model: &ModelId| dotted(&key_of(&service.name, "profiles"), model.as_str());
    let mut seen: HashMap<&str, &ModelId> = HashMap::with_capacity(service.profiles.len());
    for (model, arn) in &service.profiles {
        if let Some(first) = seen.insert(model.bare(), model) {
            sheet.wrong_key(&key(model), format!("is the same model as {first}: keep one of them"));
        }
        if !fits_region(model, arn) {
            let message = format!("the profile's region, {}, is outside the model's geography", arn.region());
            sheet.warn_key(&key(model), message);
        }
    }
}

/// What a service may not use need not be there.
fn check_allowed(service: &ServiceSpec, sheet: &mut Sheet) {
    if service.allowed_models.is_empty() {
        return;
    }
    let key = key_of(&service.name, "profiles");
    let is_denied = |model: &ModelId| !fits_any(&service.allowed_models, model.bare());
    for (model, _) in service.profiles.iter().filter(|(model, _)| is_denied(model)) {
        sheet.warn_key(
            &dotted(&key, model.as_str()),
            "the service's allowed_models do not take it: its calls are refused",
        );
    }
    for (index, model) in service.models.iter().enumerate().filter(|(_, model)| is_denied(model)) {
        let key = format!("{}[{index}]", key_of(&service.name, "models"));
        sheet.warn_key(
            &key,
            format!("the service's allowed_models do not take {model}: its calls are refused"),
        );
    }
}

/// What is to be made in AWS can be tagged there.
fn check_tags(config: &Config, service: &ServiceSpec, sheet: &mut Sheet) {
    if service.models.is_empty() && config.catalog.unmapped_model != UnmappedModel::Provision {
        return;
    }
    let key = key_of(&service.name, "tags");
    for (tag, value) in service.tags.iter() {
        let taken = || format!("'{tag}' is the tag that names the service itself (catalog.service_tag)");
        let checked = match tags::key(tag) {
            Ok(tag) if tag == config.catalog.service_tag => Err(taken()),
            Ok(_) => tags::value(value),
            Err(message) => Err(message),
        };
        if let Err(message) = checked {
            sheet.wrong_key(&dotted(&key, tag), format!("its profiles could not be tagged: {message}"));
        }
    }
    // The service's name and the source are tags as well.
    let most = tags::MAX_TAGS.saturating_sub(2);
    if service.tags.len() > most {
        let count = service.tags.len();
        let message =
            format!("{count} tags are too many: with those that name service and source, AWS takes {most}");
        sheet.wrong_key(&key, message);
    }
}

fn fits_region(model: &ModelId, arn: &ProfileArn) -> bool {
    let region = arn.region().as_str();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| region.starts_with(prefix));
    match model.geography() {
        Some("us") => starts(&["us-"]) && !starts(&["us-gov-"]),
        Some("jp") => starts(&["ap-northeast-"]),
        Some("au") => starts(&["ap-southeast-"]),
        Some("apac") => starts(&["ap-"]),
        Some("in") => starts(&["ap-south-"]),
        Some("uk") => starts(&["eu-west-2"]),
        Some("global") | None => true,
        Some(geography) => region.split_once('-').is_some_and(|_| starts(&[&format!("{geography}-")])),
    }
}

/// Whatever stands for a model leads to one of the service's profiles.
fn check_targets(config: &Config, service: &ServiceSpec, sheet: &mut Sheet) {
    let shared = &config.catalog.aliases;
    let known = |model: &ModelId| leads_to_profile(service, shared, model);
    if let Some(model) = service.default_model.as_ref().filter(|model| !known(model)) {
        sheet.wrong_key(&key_of(&service.name, "default_model"), dangling(service, model));
    }
    for (name, model) in service.aliases.iter().filter(|(_, model)| !known(model)) {
        let key = dotted(&key_of(&service.name, "aliases"), name);
        sheet.wrong_key(&key, dangling(service, model));
    }
}

/// Checks that the aliases of the config lead somewhere for at least one service.
pub(super) fn check_shared_aliases(config: &Config, file: &ServicesFile, sheet: &mut Sheet) {
    if config.catalog.discover || config.catalog.unmapped_model == UnmappedModel::Passthrough {
        return;
    }
    let shared = &config.catalog.aliases;
    for (name, model) in shared {
        if !file.services.iter().any(|service| leads_to_profile(service, shared, model)) {
            let message = format!("no service has a profile for '{model}'");
            sheet.wrong_key(&dotted("catalog.aliases", name), message);
        }
    }
}

fn leads_to_profile(service: &ServiceSpec, shared: &BTreeMap<String, ModelId>, model: &ModelId) -> bool {
    let alias = service.aliases.get(model.as_str()).or_else(|| shared.get(model.as_str()));
    has_profile(service, model) || alias.is_some_and(|model| has_profile(service, model))
}

fn has_profile(service: &ServiceSpec, model: &ModelId) -> bool {
    let leads_to = |source: &ModelId| {
        let geographic = source.geography().is_some_and(|geography| geography != "global");
        source.bare() == model.bare()
            || (geographic && model.geography().is_none() && source.foundation_model() == model.bare())
    };
    // Profiles that are still to be made count: what stands for them is no mistake meanwhile.
    service.models.iter().any(leads_to)
        || service
            .profiles
            .iter()
            .any(|(source, arn)| leads_to(source) || [arn.as_str(), arn.id()].contains(&model.as_str()))
}

fn dangling(service: &ServiceSpec, model: &ModelId) -> String {
    let has: Vec<&str> = service.profiles.iter().map(|(model, _)| model.as_str()).collect();
    let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
    format!("service '{}' has no profile for '{model}'; it has {has}", service.name)
}
