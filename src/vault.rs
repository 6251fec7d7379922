//! Secrets at rest: sealed with AES-256-GCM, under keys that are in no file beside them.

mod material;

pub use material::{Material, MaterialError, Wrapped};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;

/// What a sealed secret begins with: the form of what follows, nonce, ciphertext and tag.
const FORM: &str = "v1.";

/// The length of a secrets key, in bytes.
pub const KEY_LEN: usize = 32;

/// A secret that only a vault with the right key opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Arc<str>);

/// Seals and opens secrets; without keys it does neither.
#[derive(Default)]
pub struct Vault {
    /// The first seals; any may open.
    keys: Vec<RandomizedNonceKey>,
}

/// Why a secret is neither sealed nor opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no secrets key.
    #[error(
        "there is no secrets key: `tollgate keys secrets-key` makes one; name its file with identity.secrets_key_file, \
         or put its text into TOLLGATE_SECRETS_KEY"
    )]
    NoKey,
    /// No secrets key opens it, or it was moved here from elsewhere.
    #[error(
        "no secrets key opens it: it was sealed with another one, for another key id or service, or is damaged"
    )]
    Unopenable,
    /// The operating system gave no random bits, or the like.
    #[error("the secret cannot be sealed")]
    Unsealable,
    /// A wrapped key was not unwrapped.
    #[error("the secrets key cannot be unwrapped: {0}")]
    Wrapped(String),
}

/// Takes the wrapping off secrets keys: a key management service that keeps the key that wraps them.
pub trait Unwrap {
    /// Returns the key inside.
    fn unwrap(
        &self,
        wrapped: &Wrapped,
    ) -> impl Future<Output = Result<Zeroizing<Vec<u8>>, VaultError>> + Send;
}

impl Vault {
    /// Makes a vault of keys, the first of which seals.
    ///
    /// # Errors
    /// A wrapped key that is not to be had.
    pub async fn new(materials: &[Material], unwrap: &impl Unwrap) -> Result<Self, VaultError> {
        let mut keys = Vec::with_capacity(materials.len());
        for material in materials {
            keys.push(match material {
                Material::Plain(key) => key_of(key.as_slice())?,
                Material::Wrapped(wrapped) => key_of(&unwrap.unwrap(wrapped).await?)?,
            });
        }
        Ok(Self { keys })
    }

    /// Makes a vault of the keys that are not wrapped: for what cannot ask a key management service.
    ///
    /// # Errors
    /// None is wrong by itself: a key that is no key was refused before.
    pub fn plain(materials: &[Material]) -> Result<Self, VaultError> {
        let plain = materials.iter().filter_map(|material| match material {
            Material::Plain(key) => Some(key_of(key.as_slice())),
            Material::Wrapped(_) => None,
        });
        Ok(Self { keys: plain.collect::<Result<_, _>>()? })
    }

    /// Seals a secret for what `context` names: it is opened under that name alone.
    ///
    /// # Errors
    /// There is no key.
    pub fn seal(&self, context: &str, secret: &SecretString) -> Result<Sealed, VaultError> {
        let key = self.keys.first().ok_or(VaultError::NoKey)?;
        let mut bytes = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
        let nonce = key
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut *bytes)
            .map_err(|_| VaultError::Unsealable)?;
        let whole = [nonce.as_ref().as_slice(), bytes.as_slice()].concat();
        Ok(Sealed(format!("{FORM}{}", URL_SAFE_NO_PAD.encode(whole)).into()))
    }

    /// Opens a secret that was sealed for what `context` names.
    ///
    /// # Errors
    /// There is no key, or none that opens it.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<SecretString, VaultError> {
        if self.keys.is_empty() {
            return Err(VaultError::NoKey);
        }
        let (nonce, ciphertext) = sealed.parts().ok_or(VaultError::Unopenable)?;
        for key in &self.keys {
            let mut bytes = Zeroizing::new(ciphertext.clone());
            let opened = key.open_in_place(Nonce::from(&nonce), Aad::from(context.as_bytes()), &mut bytes);
            if let Some(text) = opened.ok().and_then(|secret| std::str::from_utf8(secret).ok()) {
                return Ok(SecretString::from(text));
            }
        }
        Err(VaultError::Unopenable)
    }
}

fn key_of(bytes: &[u8]) -> Result<RandomizedNonceKey, VaultError> {
    let wrong = |_| VaultError::Wrapped(format!("it holds {} bytes in place of {KEY_LEN}", bytes.len()));
    RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(wrong)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} keys)", self.keys.len())
    }
}

impl Sealed {
    /// Returns a sealed secret, or `None` for what is none by its form.
    pub fn parse(text: &str) -> Option<Self> {
        let sealed = Self(text.into());
        sealed.parts().map(|_| sealed.clone())
    }

    /// Returns its text, which reveals nothing.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> Option<([u8; NONCE_LEN], Vec<u8>)> {
        let whole = URL_SAFE_NO_PAD.decode(self.0.strip_prefix(FORM)?).ok()?;
        let (nonce, ciphertext) = whole.split_first_chunk()?;
        (ciphertext.len() > AES_256_GCM.tag_len()).then(|| (*nonce, ciphertext.to_vec()))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vault(seeds: &[u8]) -> Vault {
        let keys: Vec<Material> =
            seeds.iter().map(|seed| Material::Plain(Arc::new(Zeroizing::new([*seed; KEY_LEN])))).collect();
        Vault::plain(&keys).unwrap()
    }

    fn exposed(opened: Result<SecretString, VaultError>) -> Result<String, VaultError> {
        opened.map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn only_the_right_key_and_name_open_a_secret() {
        let sealed = vault(&[1]).seal("a", &"hush".into()).unwrap();
        assert!(!sealed.as_str().contains("hush") && format!("{sealed:?}") == "Sealed");
        assert_eq!(exposed(vault(&[1]).open("a", &sealed)), Ok("hush".to_owned()));
        assert_eq!(exposed(vault(&[2, 1]).open("a", &sealed)), Ok("hush".to_owned()));
        assert_eq!(exposed(vault(&[1]).open("b", &sealed)), Err(VaultError::Unopenable));
        assert_eq!(exposed(vault(&[2]).open("a", &sealed)), Err(VaultError::Unopenable));
        assert_eq!(exposed(vault(&[]).open("a", &sealed)), Err(VaultError::NoKey));
        assert_eq!(vault(&[]).seal("a", &"x".into()).err(), Some(VaultError::NoKey));
        assert_ne!(vault(&[1]).seal("a", &"hush".into()).unwrap(), sealed, "each has a nonce of its own");
    }

    proptest! {
        #[test]
        fn what_is_damaged_stays_shut(secret in "\\PC{1,40}", at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let sealed = vault(&[1]).seal("a", &secret.as_str().into()).unwrap();
            prop_assert_eq!(exposed(vault(&[1]).open("a", &sealed)), Ok(secret));
            let mut whole = URL_SAFE_NO_PAD.decode(&sealed.as_str()[FORM.len()..]).unwrap();
            let at = at.index(whole.len());
            whole[at] ^= 1 << bit;
            let damaged = Sealed::parse(&format!("{FORM}{}", URL_SAFE_NO_PAD.encode(whole)));
            let opened = damaged.map(|damaged| exposed(vault(&[1]).open("a", &damaged)));
            prop_assert!(!matches!(opened, Some(Ok(_))));
        }
    }
}
