//! Secrets keys that AWS KMS has encrypted.

use super::{Action, Aws, AwsError, ErrorKind, Site};
use crate::domain::Region;
use crate::vault::{KEY_LEN, Unwrap, VaultError, Wrapped};
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
    /// Has KMS make a secrets key that nobody has seen, encrypted under a KMS key of that id or ARN.
    ///
    /// # Errors
    /// KMS is away, or does not allow it.
    pub async fn generate(&self, region: &Region, key: &str) -> Result<Wrapped, AwsError> {
        let desk = self.0.desk(&Site::own(region.clone()));
        let action = Action::GenerateDataKeyWithoutPlaintext;
        let len = i32::try_from(KEY_LEN).unwrap_or(i32::MAX);
        let request = desk.kms.generate_data_key_without_plaintext().key_id(key).number_of_bytes(len);
        let answer = desk.ask(action, Some(key), || request.clone().send()).await?;
        let Some(blob) = answer.ciphertext_blob() else {
            let cause = "the answer has no CiphertextBlob".to_owned();
            return Err(desk.error(action, Some(key), ErrorKind::Unexpected { cause }));
        };
        Ok(Wrapped { region: region.clone(), blob: blob.as_ref().into() })
    }

    async fn decrypt(&self, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, AwsError> {
        let desk = self.0.desk(&Site::own(wrapped.region.clone()));
        let action = Action::Decrypt;
        let request = desk.kms.decrypt().ciphertext_blob(Blob::new(wrapped.blob.to_vec()));
        let answer = desk.ask(action, None, || request.clone().send()).await?;
        match answer.plaintext {
            Some(plaintext) => Ok(Zeroizing::new(plaintext.into_inner())),
            None => {
                let cause = "the answer has no Plaintext".to_owned();
                Err(desk.error(action, None, ErrorKind::Unexpected { cause }))
            }
        }
    }
}

impl Unwrap for Kms {
    async fn unwrap(&self, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let failed = |error: AwsError| VaultError::Wrapped(format!("{error}; {}", error.hint()));
        self.decrypt(wrapped).await.map_err(failed)
    }
}
