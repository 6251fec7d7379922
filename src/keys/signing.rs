//! The secret of an access key, and the signing keys derived from it.

use crate::sigv4::DerivedKey;
use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How many derived keys are kept: an application signs for a region or two, around midnight for two days.
const MAX_DERIVED: usize = 8;

const SECONDS_PER_DAY: u64 = 86_400;

/// A secret that requests are signed with.
pub struct SigningSecret {
    secret: SecretString,
    derived: ArcSwap<Vec<Arc<Derived>>>,
}

/// A key for one day and region.
struct Derived {
    day: u64,
    region: Box<str>,
    key: DerivedKey,
}

/// A signing key for one day and region, which may be new.
pub struct Deriving {
    derived: Arc<Derived>,
    is_new: bool,
}

impl SigningSecret {
    /// Keeps a secret.
    pub fn new(secret: SecretString) -> Self {
        Self { secret, derived: ArcSwap::default() }
    }

    /// Returns the key of a day, the one that `since_epoch` is in, and of a region.
    pub fn derive(&self, since_epoch: Duration, region: &str) -> Deriving {
        let day = since_epoch.as_secs() / SECONDS_PER_DAY;
        let known = self.derived.load();
        if let Some(derived) = known.iter().find(|known| known.day == day && *known.region == *region) {
            return Deriving { derived: Arc::clone(derived), is_new: false };
        }
        let key = DerivedKey::derive(self.secret.expose_secret(), since_epoch, region);
        Deriving { derived: Arc::new(Derived { day, region: region.into(), key }), is_new: true }
    }

    /// Keeps a key that has verified a request; others would let anybody fill the room.
    pub fn keep(&self, deriving: &Deriving) {
        if deriving.is_new {
            self.derived.rcu(|known| {
                let newest = known.iter().rev().take(MAX_DERIVED - 1).rev().cloned();
                newest.chain([Arc::clone(&deriving.derived)]).collect::<Vec<_>>()
            });
        }
    }
}

impl Deriving {
    /// Returns the signature of a string to sign, in lower-case hex.
    pub fn signature(&self, string_to_sign: &[u8]) -> [u8; 64] {
        self.derived.key.signature(&[string_to_sign])
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

impl fmt::Debug for Deriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deriving")
    }
}
