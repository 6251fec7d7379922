//! Environment variables that win over the config file.

use super::problem::Problem;
use super::tree::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the names of such variables begin with; `__` separates the levels of a key.
pub(crate) const ENV_PREFIX: &str = "TOLLGATE__";

/// A value from the environment.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    /// The variable's name.
    pub(crate) variable: String,
    /// The variable's value.
    pub(super) value: String,
}

impl Override {
    /// Returns what the value can be meant as: TOML where it is that, and a string.
    pub(super) fn readings(&self) -> Vec<Value<'static>> {
        let parsed = self.value.trim().parse::<toml_edit::Value>().ok();
        let text = Value::Text(Cow::Owned(self.value.clone()));
        parsed.iter().map(Value::of_inline).chain([text]).collect()
    }
}

/// Returns the overrides of an environment by their keys (`upstream.region`).
pub(crate) fn overrides(
    env: impl IntoIterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Override> {
    let mut found: BTreeMap<String, Override> = BTreeMap::new();
    for (variable, value) in env {
        let Some(levels) = variable.strip_prefix(ENV_PREFIX) else { continue };
        let key = levels.to_ascii_lowercase().replace("__", ".");
        if let Some(other) = found.get(&key) {
            let message = format!("{} sets the same key: keep one of them", other.variable);
            problems.push(Problem { key: Some(key), ..Problem::of_file(variable.as_ref(), message) });
            continue;
        }
        found.insert(key, Override { variable, value });
    }
    found
}
