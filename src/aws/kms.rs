//! Secrets keys that AWS KMS has encrypted.

use super::{Action, Aws, AwsError, ErrorKind, Site};
use crate::vault::{Unwrap, VaultError, Wrapped};
use aws_smithy_types::Blob;
use secrecy::zeroize::Zeroizing;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// AWS KMS, as far as secrets keys need it. Cheap to clone.
#[derive(Clone)]
pub struct Kms {
    aws: Aws,
    /// Keys that were unwrapped before, so that a reload does not depend on KMS.
    known: Arc<Mutex<Vec<Unwrapped>>>,
}

/// A key that was wrapped, and what was in it.
type Unwrapped = (Wrapped, Zeroizing<Vec<u8>>);

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kms")
    }
}

impl Aws {
    /// Returns what unwraps secrets keys.
    pub fn kms(&self) -> Kms {
        Kms { aws: self.clone(), known: Arc::default() }
    }
}

impl Kms {
    async fn decrypt(&self, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, AwsError> {
        let desk = self.aws.desk(&Site::own(wrapped.region.clone()));
        let action = Action::Decrypt;
        let request = desk.kms.decrypt().ciphertext_blob(Blob::new(wrapped.blob.to_vec()));
        let answer = desk.ask(action, None, || request.clone().send()).await?;
        let Some(plaintext) = answer.plaintext else {
            let cause = "the answer has no Plaintext".to_owned();
            return Err(desk.error(action, None, ErrorKind::Unexpected { cause }));
        };
        Ok(Zeroizing::new(plaintext.into_inner()))
    }
}

impl Unwrap for Kms {
    async fn unwrap(&self, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known().iter().find(|(key, _)| key == wrapped).map(|(_, key)| key.clone());
        if let Some(key) = before {
            return Ok(key);
        }
        let failed = |error: AwsError| VaultError::Wrapped(format!("{error}; {}", error.hint()));
        let key = self.decrypt(wrapped).await.map_err(failed)?;
        known().push((wrapped.clone(), key.clone()));
        Ok(key)
    }
}
