//! All files, read and checked whole.

use super::egress::{self, Egress};
use super::file_read::FileRead;
use super::ingress::{self, Ingress};
use super::{Config, ServicesFile, rules, secrets, services, settings};
use crate::domain::ServiceName;
use crate::price::PriceTable;
use crate::sheet::Sheet;
use crate::sheet::overrides;
use crate::sheet::{Problem, Problems};
use crate::vault::Material;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// What the files of a gateway say, all of it checked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The config file.
    pub config: Config,
    /// The services file.
    pub services: ServicesFile,
    /// What calls cost.
    pub prices: PriceTable,
    /// How calls leave this machine; read by [`load`] alone.
    pub egress: Egress,
    /// How clients come in; read by [`load`] alone.
    pub ingress: Ingress,
    /// The keys that secrets in the services file are sealed with; read by [`load`] alone.
    pub secrets: Vec<Material>,
    /// What is no mistake, but should be looked at.
    pub warnings: Vec<Problem>,
    /// The files that were read, and whose changes are taken up: config file, services file and, where there are such,
    /// the prices' overrides file, that of secrets keys, and those of the ingress.
    pub files: Vec<FileRead>,
}

/// Reads the config file at `path`, with what an environment says beside it, and the files that it names.
///
/// # Errors
///
/// Every mistake of all files and of the environment, at once.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    load_looking(path, env, |_, _| {})
}

/// Does what [`load`] does, and lets `look` add what it finds where the config file leads to.
pub(crate) fn load_looking(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    look: impl FnOnce(&Config, &mut Sheet),
) -> Result<Loaded, Problems> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let (mut egress, mut ingress, mut more) = (Egress::default(), Ingress::default(), Vec::new());
    let mut keys = Vec::new();
    let mut loaded = load_with(path, env.iter().cloned(), |config, sheet| {
        egress = egress::read(&config.upstream, &env, sheet);
        (ingress, more) = ingress::read(&config.listen, sheet);
        keys = secrets::read(&config.identity, &env, sheet);
        look(config, sheet);
    })?;
    loaded.files.extend(more);
    let loaded = Loaded { egress, ingress, secrets: keys, ..loaded };
    match secrets::check(&loaded) {
        Some(problem) => Err(Problems(vec![problem])),
        None => Ok(loaded),
    }
}

/// Does what [`load`] does, but looks at no proxy and no certificate: for commands that call and serve nobody.
pub fn load_files(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    load_with(path, env, |_, _| {})
}

fn load_with(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    look: impl FnOnce(&Config, &mut Sheet),
) -> Result<Loaded, Problems> {
    let config_file = FileRead::begin(path);
    let (config, mut sheet) = read_config(path, env);
    look(&config, &mut sheet);
    let services_file = FileRead::begin(&config.catalog.services);
    let text = std::fs::read_to_string(&config.catalog.services);
    finish(vec![config_file, services_file], config, sheet, text)
}

/// Does what [`load`] does, with a text in place of what the services file holds: tells whether it may be written.
pub fn load_edited(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    services: String,
) -> Result<Loaded, Problems> {
    let config_file = FileRead::begin(path);
    let (config, sheet) = read_config(path, env);
    let services_file = FileRead::begin(&config.catalog.services);
    finish(vec![config_file, services_file], config, sheet, Ok(services))
}

/// Reads the config file alone, and the secrets keys that it names: for commands that seal secrets.
pub fn load_secrets(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<(Config, Egress, Vec<Material>), Problems> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let (config, mut sheet) = read_config(path, env.iter().cloned());
    let egress = egress::read(&config.upstream, &env, &mut sheet);
    let keys = secrets::read(&config.identity, &env, &mut sheet);
    done((config, egress, keys), sheet.problems)
}

/// Reads the config file alone: for commands that mend the services file.
pub fn load_settings(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Problems> {
    let (config, sheet) = read_config(path, env);
    done(config, sheet.problems)
}

/// Reads the config file alone, and how calls leave this machine: for commands that ask AWS, and need no services.
pub fn load_access(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<(Config, Egress), Problems> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let (config, mut sheet) = read_config(path, env.iter().cloned());
    let egress = egress::read(&config.upstream, &env, &mut sheet);
    done((config, egress), sheet.problems)
}

fn finish(
    mut files: Vec<FileRead>,
    config: Config,
    mut sheet: Sheet,
    text: std::io::Result<String>,
) -> Result<Loaded, Problems> {
    let file = config.catalog.services.clone();
    let services = match text {
        Ok(text) => add_services(&file, text, &config, &mut sheet),
        // A config file that could not be read may have named another services file.
        Err(_) if sheet.problems.iter().any(|problem| problem.key.is_none()) => ServicesFile::default(),
        Err(error) => {
            let hint = "an empty file will do, and `tollgate services add` fills it; or name another with \
                        `services` under [catalog]";
            sheet.problems.push(unreadable(&file, &error, "services", hint));
            ServicesFile::default()
        }
    };
    files.extend(config.prices.overrides.as_deref().map(FileRead::begin));
    files.extend(config.identity.secrets_key_file.as_deref().map(FileRead::begin));
    let prices = add_prices(&config, &services, &mut sheet);
    let warnings = std::mem::take(&mut sheet.warnings);
    let (egress, ingress, secrets) = (Egress::default(), Ingress::default(), Vec::new());
    done(Loaded { config, services, prices, egress, ingress, secrets, warnings, files }, sheet.problems)
}

/// Reads the prices, and adds what is wrong with them to what is wrong with the config.
fn add_prices(config: &Config, services: &ServicesFile, sheet: &mut Sheet) -> PriceTable {
    let overrides = config.prices.overrides.as_deref();
    let prices = PriceTable::load(overrides).unwrap_or_else(|problems| {
        sheet.problems.extend(problems.0);
        PriceTable::builtin()
    });
    let listed = |name: &ServiceName| services.services.iter().any(|service| service.name == *name);
    // A service that the file lacks may come from AWS.
    let known = |name: &ServiceName| config.catalog.discover || listed(name);
    for service in prices.services().into_iter().filter(|service| !known(service)) {
        let message = format!("has prices for service '{service}', which the services file does not have");
        sheet.warnings.extend(overrides.map(|file| Problem::of_file(file, message)));
    }
    prices
}

/// Reads the services, and adds what is wrong with them to what is wrong with the config.
fn add_services(file: &Path, text: String, config: &Config, sheet: &mut Sheet) -> ServicesFile {
    let mut own = Sheet::new(file, Arc::new(text), BTreeMap::new());
    let services = services::read(&mut own);
    rules::check_services(config, &services, &mut own);
    if own.problems.is_empty() {
        rules::check_shared_aliases(config, &services, sheet);
    }
    sheet.problems.extend(own.problems);
    sheet.warnings.extend(own.warnings);
    services
}

fn read_config(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> (Config, Sheet) {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut problems = Vec::new();
    let overrides = overrides(env, &mut problems);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| {
        let hint = "`tollgate init` writes one with every setting explained; or name another with --config";
        problems.push(unreadable(path, &error, "config", hint));
        String::new()
    });
    let mut sheet = Sheet::new(path, Arc::new(text), overrides);
    sheet.problems = problems;
    let config = settings::read(&mut sheet, folder);
    rules::check_config(&config, &mut sheet);
    (config, sheet)
}

/// Returns what is wrong with a file that cannot be read; `hint` says what to do where there is none.
fn unreadable(file: &Path, error: &std::io::Error, what: &str, hint: &str) -> Problem {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        return Problem::of_file(file, format!("no such {what} file")).with_hint(hint);
    }
    let hint = if kind == ErrorKind::PermissionDenied {
        format!("let the user that runs tollgate read it: `ls -l {}` shows who may", file.display())
    } else if kind == ErrorKind::IsADirectory {
        format!("name the {what} file itself, not its folder")
    } else if kind == ErrorKind::InvalidData {
        "save it as UTF-8 text".to_owned()
    } else {
        format!("`cat {}` should show its text", file.display())
    };
    Problem::of_file(file, format!("cannot read the {what} file: {error}")).with_hint(hint)
}

fn done<T>(value: T, mut problems: Vec<Problem>) -> Result<T, Problems> {
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    if problems.is_empty() { Ok(value) } else { Err(Problems(problems)) }
}
