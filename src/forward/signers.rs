//! Who signs calls: the gateway itself, a role of another account, or a role in a session of the calling service.

use super::credentials::CredentialsCache;
use crate::aws::{Access, Lender};
use crate::clock::Clock;
use crate::config::Upstream;
use crate::domain::RoleSession;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio_util::task::TaskTracker;

/// Everybody who signs.
#[derive(Debug)]
pub struct Signers {
    own: Arc<CredentialsCache>,
    /// By account.
    roles: HashMap<String, Arc<CredentialsCache>>,
    lender: Lender,
    /// Those that a snapshot, or a call that goes on, still uses: from one snapshot to the next they stay, and with the
    /// last user they go.
    sessions: Mutex<HashMap<RoleSession, Weak<CredentialsCache>>>,
    clock: Clock,
    tasks: TaskTracker,
}

impl Signers {
    /// Signs with the gateway's own credentials, but where an account has a role of its own; renewals run as tasks of
    /// `tasks`.
    pub fn new(access: &Access, upstream: &Upstream, tasks: TaskTracker) -> Self {
        let (lender, clock) = (Lender::new(access, upstream), access.clock());
        let cache = |whose: String, provider: SharedCredentialsProvider| {
            Arc::new(CredentialsCache::new(whose, provider, clock, tasks.clone()))
        };
        let role = |role| {
            let session = RoleSession::of_gateway(role);
            cache(session.to_string(), lender.session(session))
        };
        let roles =
            upstream.roles.iter().map(|(account, arn)| (account.clone(), role(arn.clone()))).collect();
        let own = cache("the gateway itself".to_owned(), access.credentials());
        Self { own, roles, lender, sessions: Mutex::default(), clock, tasks }
    }

    /// Returns the gateway's own credentials.
    pub fn own(&self) -> &Arc<CredentialsCache> {
        &self.own
    }

    /// Returns what signs calls with a resource of an account, its 12 digits.
    pub fn of(&self, account: &str) -> &Arc<CredentialsCache> {
        self.roles.get(account).unwrap_or(&self.own)
    }

    /// Returns what signs calls in a session of a role: the same for all who ask, as long as one of them keeps it. STS is
    /// asked when it is needed first.
    pub fn session(&self, session: &RoleSession) -> Arc<CredentialsCache> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sessions.get(session).and_then(Weak::upgrade) {
            return known;
        }
        sessions.retain(|_, cache| cache.strong_count() > 0);
        let provider = self.lender.session(session.clone());
        let cache = CredentialsCache::new(session.to_string(), provider, self.clock, self.tasks.clone());
        let cache = Arc::new(cache);
        sessions.insert(session.clone(), Arc::downgrade(&cache));
        cache
    }
}
