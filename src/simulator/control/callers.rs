//! Who may sign requests.

use aws_credential_types::Credentials;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Somebody whose signature is accepted.
#[derive(Debug)]
pub(in crate::simulator) struct Caller {
    /// What they sign with.
    pub(in crate::simulator) credentials: Credentials,
    /// The account that they act in: 12 digits.
    pub(in crate::simulator) account: String,
    /// The ARN by which AWS calls them.
    pub(in crate::simulator) arn: String,
    /// Their unique id.
    pub(in crate::simulator) user_id: String,
    /// The tags of their session, where they are in one.
    pub(in crate::simulator) tags: BTreeMap<String, String>,
    /// Until when their credentials count, since the Unix epoch; none: for ever.
    pub(in crate::simulator) expires: Option<Duration>,
}

/// All callers, by access key.
#[derive(Debug, Default)]
pub(super) struct Callers(RwLock<HashMap<String, Arc<Caller>>>);

impl Callers {
    pub(super) fn add(&self, caller: Caller) {
        let key = caller.credentials.access_key_id().to_owned();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::new(caller));
    }

    pub(super) fn get(&self, access_key: &str) -> Option<Arc<Caller>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(access_key).map(Arc::clone)
    }
}
