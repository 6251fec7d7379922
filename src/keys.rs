//! Service keys: what proves that a call is a service's, and what each may be used for.
//!
//! A bearer key is found by its SHA-256; no file holds more of it. An access key signs, so that its secret is needed
//! to verify: the services file holds it sealed.

mod signing;
mod token;

pub use signing::{Deriving, SigningSecret};
pub use token::{
    ACCESS_KEY_PREFIX, KEY_PREFIX, NoRandomness, is_access_key_id, is_well_formed, new_access_key_id,
    new_secret,
};

use crate::config::{KeyLimits, Proof, ServicesFile};
use crate::domain::{Operation, ServiceName, fits_any};
use crate::hex::hex;
use crate::vault::{Material, Unwrap, Vault, VaultError};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// How many hexadecimal digits of its hash name a bearer key.
const BEARER_ID_DIGITS: usize = 16;

/// All keys, by what a request shows of them.
#[derive(Debug, Default)]
pub struct Keyring {
    bearers: HashMap<[u8; 32], Arc<Key>>,
    access_keys: HashMap<Box<str>, Arc<AccessKey>>,
}

/// A key, without what proves it.
#[derive(Debug)]
pub struct Key {
    /// Its public name: the first 16 hex digits of a bearer key's SHA-256, or the access key id.
    pub id: Arc<str>,
    /// Whose it is.
    pub service: ServiceName,
    limits: KeyLimits,
}

/// A key that signs.
#[derive(Debug)]
pub struct AccessKey {
    /// The key.
    pub key: Arc<Key>,
    /// What it signs with.
    pub secret: SigningSecret,
}

/// Why there is no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The secrets key is not to be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A secret stays shut.
    #[error(transparent)]
    Shut(#[from] ShutKey),
}

/// A secret of the services file cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret of access key {id} of service '{service}' stays shut: {cause}")]
pub struct ShutKey {
    /// The key's id.
    pub id: String,
    /// Whose key it is.
    pub service: ServiceName,
    /// Why.
    pub cause: VaultError,
}

impl Keyring {
    /// Collects the keys of a services file, which has been validated, with the secrets keys that there are.
    ///
    /// # Errors
    /// A secrets key that cannot be unwrapped, a secret that none opens.
    pub async fn open(
        file: &ServicesFile,
        materials: &[Material],
        unwrap: &impl Unwrap,
    ) -> Result<Self, KeyringError> {
        Ok(Self::build(file, &Vault::new(materials, unwrap).await?)?)
    }

    /// Collects the keys of a services file, which has been validated, and opens the secrets of those that sign.
    ///
    /// # Errors
    /// A secret that the vault does not open.
    pub fn build(file: &ServicesFile, vault: &Vault) -> Result<Self, ShutKey> {
        let mut ring = Self::default();
        for spec in &file.services {
            let key = |id: &str, limits: &KeyLimits| {
                Arc::new(Key { id: id.into(), service: spec.name.clone(), limits: limits.clone() })
            };
            for hash in &spec.key_sha256 {
                ring.bearers.insert(*hash, key(&bearer_id(hash), &KeyLimits::default()));
            }
            for stated in &spec.keys {
                match &stated.proof {
                    Proof::Bearer(hash) => {
                        ring.bearers.insert(*hash, key(&stated.id, &stated.limits));
                    }
                    Proof::Signature(sealed) => {
                        let opened = vault.open(&seal_context(&spec.name, &stated.id), sealed);
                        let secret = opened.map_err(|cause| ShutKey {
                            id: stated.id.clone(),
                            service: spec.name.clone(),
                            cause,
                        })?;
                        let secret = SigningSecret::new(secret);
                        let access_key = AccessKey { key: key(&stated.id, &stated.limits), secret };
                        ring.access_keys.insert(stated.id.as_str().into(), Arc::new(access_key));
                    }
                }
            }
        }
        Ok(ring)
    }

    /// Returns the bearer key that was sent.
    pub fn bearer(&self, sent: &str) -> Option<&Arc<Key>> {
        let hash: [u8; 32] = Sha256::digest(sent.as_bytes()).into();
        self.bearers.get(&hash)
    }

    /// Returns the access key of that id.
    pub fn access_key(&self, id: &str) -> Option<&Arc<AccessKey>> {
        self.access_keys.get(id)
    }
}

impl Key {
    /// Tells whether the key counts no more.
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.limits.expires.is_some_and(|end| end <= now)
    }

    /// Tells whether the key may be used for an operation.
    pub fn may_use(&self, operation: Operation) -> bool {
        self.limits.operations.is_empty() || self.limits.operations.contains(&operation)
    }

    /// Tells whether the key may be used for some models only.
    pub fn has_models(&self) -> bool {
        !self.limits.models.is_empty()
    }

    /// Tells whether the key may be used for a model.
    pub fn may_call(&self, model: &str) -> bool {
        fits_any(&self.limits.models, model)
    }
}

/// Returns the public name of the bearer key with that hash.
pub fn bearer_id(hash: &[u8; 32]) -> String {
    let mut id = hex(hash);
    id.truncate(BEARER_ID_DIGITS);
    id
}

/// Returns the hash by which a bearer key is found.
pub fn bearer_hash(key: &SecretString) -> [u8; 32] {
    Sha256::digest(key.expose_secret().as_bytes()).into()
}

/// Returns what the secret of an access key is sealed for.
pub fn seal_context(service: &ServiceName, id: &str) -> String {
    format!("tollgate access key {id} of {service}")
}
