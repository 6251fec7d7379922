//! How calls leave this machine, beside what the config file says: through which proxy, and trusting whom.

use super::Upstream;
use super::ca_bundle::CaBundle;
use super::proxies::Proxies;
use super::secrets::SECRETS_KEY;
use crate::sheet::ENV_PREFIX;
use crate::sheet::Problem;
use crate::sheet::Sheet;
use std::path::Path;

/// The AWS SDKs' own variable for a CA bundle.
const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// How calls leave this machine; by default straight, trusting whom the machine trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Egress {
    /// The proxies that connections go through.
    pub proxies: Proxies,
    /// Whom to trust beside the machine's own CAs.
    pub ca_bundle: Option<CaBundle>,
}

/// Tells whether the config takes notice of a variable of the environment.
pub fn is_variable(name: &str) -> bool {
    name.starts_with(ENV_PREFIX) || name == AWS_CA_BUNDLE || name == SECRETS_KEY || Proxies::asks_for(name)
}

/// Reads what the config and an environment name.
pub(super) fn read(upstream: &Upstream, env: &[(String, String)], sheet: &mut Sheet) -> Egress {
    let proxies = Proxies::read(env, &mut sheet.problems);
    let of_env = env.iter().find(|(name, path)| name == AWS_CA_BUNDLE && !path.is_empty());
    let ca_bundle = if let Some(path) = &upstream.ca_bundle {
        CaBundle::read(path).map_err(|message| sheet.wrong_key("upstream.ca_bundle", message)).ok()
    } else if let Some((name, path)) = of_env {
        let wrong = |message| Problem::of_file(Path::new(name), message);
        CaBundle::read(Path::new(path)).map_err(|message| sheet.problems.push(wrong(message))).ok()
    } else {
        None
    };
    Egress { proxies, ca_bundle }
}
