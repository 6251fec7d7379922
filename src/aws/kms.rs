//! Secrets keys that AWS KMS has encrypted.

use super::{Action, Aws, AwsError, ErrorKind, Site};
use crate::vault::{Unwrap, VaultError, Wrapped};
use aws_smithy_types::Blob;
use secrecy::zeroize::Zeroizing;

/// AWS KMS, as far as secrets keys need it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kms(Aws);

impl Aws {
    /// Returns what unwraps secrets keys.
    pub fn kms(&self) -> Kms {
        Kms(self.clone())
    }
}

impl Kms {
    async fn decrypt(&self, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, AwsError> {
        let desk = self.0.desk(&Site::own(wrapped.region.clone()));
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
        let failed = |error: AwsError| VaultError::Wrapped(format!("{error}; {}", error.hint()));
        self.decrypt(wrapped).await.map_err(failed)
    }
}
