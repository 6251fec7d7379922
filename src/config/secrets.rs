//! The keys that secrets in the services file are sealed with: from a file or a variable, beside the config.

use super::{Identity, Loaded, Proof};
use crate::keys::Keyring;
use crate::sheet::{Problem, Sheet, dotted};
use crate::vault::{Material, Vault};
use secrecy::zeroize::Zeroizing;
use std::path::Path;

/// The variable that holds secrets keys; it wins over the file.
pub(super) const SECRETS_KEY: &str = "TOLLGATE_SECRETS_KEY";

/// What to do where there is none.
const MAKE_ONE: &str = "`tollgate keys secrets-key` makes one";

/// Reads what the config and an environment name.
pub(super) fn read(identity: &Identity, env: &[(String, String)], sheet: &mut Sheet) -> Vec<Material> {
    if let Some((name, text)) = env.iter().find(|(name, text)| name == SECRETS_KEY && !text.is_empty()) {
        return Material::read(text).unwrap_or_else(|error| {
            sheet.problems.push(Problem::of_file(Path::new(name), error.to_string()));
            Vec::new()
        });
    }
    let Some(path) = &identity.secrets_key_file else { return Vec::new() };
    let read = std::fs::read_to_string(path).map(Zeroizing::new);
    let read = read.map_err(|error| format!("cannot read {}: {error}; {MAKE_ONE}", path.display()));
    let keys =
        read.and_then(|text| Material::read(&text).map_err(|error| format!("{}: {error}", path.display())));
    keys.unwrap_or_else(|message| {
        sheet.wrong_key("identity.secrets_key_file", message);
        Vec::new()
    })
}

/// Tells which secret of the services file no key opens, as far as the keys are at hand.
pub(super) fn check(loaded: &Loaded) -> Option<Problem> {
    let is_wrapped = |key: &Material| matches!(key, Material::Wrapped(_));
    let mut keys = loaded.services.services.iter().flat_map(|service| &service.keys);
    if loaded.secrets.iter().any(is_wrapped) || !keys.any(|key| matches!(key.proof, Proof::Signature(_))) {
        return None;
    }
    let built = Vault::plain(&loaded.secrets).map(|vault| Keyring::build(&loaded.services, &vault));
    let shut = built.ok()?.err()?;
    let key = dotted(&dotted(&dotted("services", shut.service.as_str()), "keys"), &shut.id);
    let problem = Problem::of_file(&loaded.config.catalog.services, shut.cause.to_string());
    Some(Problem { key: Some(format!("{key}.sealed_secret")), ..problem })
}
