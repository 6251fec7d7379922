//! Secrets keys as files and variables hold them: 32 bytes in base64, or what a key management service has wrapped.

use super::KEY_LEN;
use crate::domain::Region;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use std::fmt;
use std::sync::Arc;

/// What a wrapped key begins with.
const KMS: &str = "kms:";

/// A secrets key, or what one can be made of.
#[derive(Clone, PartialEq, Eq)]
pub enum Material {
    /// The key itself.
    Plain(Arc<Zeroizing<[u8; KEY_LEN]>>),
    /// The key as AWS KMS has encrypted it.
    Wrapped(Wrapped),
}

/// A key that AWS KMS has encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The region of the KMS key.
    pub region: Region,
    /// What `GenerateDataKeyWithoutPlaintext` or `Encrypt` answered as `CiphertextBlob`; it names the KMS key itself.
    pub blob: Arc<[u8]>,
}

/// Why a text holds no secrets keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} holds no secrets key: each is a line of 32 bytes in base64, as `tollgate keys secrets-key` writes it, \
     or kms:REGION: and the same as AWS KMS has encrypted it"
)]
pub struct MaterialError {
    /// The line that is wrong; the first is 1.
    line: usize,
}

impl Material {
    /// Reads the keys of a text, one to a line; empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// A line that holds no key, or no line that does. The error repeats nothing of it.
    pub fn read(text: &str) -> Result<Vec<Self>, MaterialError> {
        let lines = text.lines().map(str::trim).zip(1..);
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<Self> = lines
            .map(|(text, line)| Self::parse(text).ok_or(MaterialError { line }))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(MaterialError { line: 1 }) } else { Ok(keys) }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(wrapped) = text.strip_prefix(KMS) {
            let (region, blob) = wrapped.split_once(':')?;
            let blob = STANDARD.decode(blob).ok().filter(|blob| !blob.is_empty())?;
            return Some(Self::Wrapped(Wrapped { region: Region::parse(region)?, blob: blob.into() }));
        }
        let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
        let key: [u8; KEY_LEN] = bytes.as_slice().try_into().ok()?;
        Some(Self::Plain(Arc::new(Zeroizing::new(key))))
    }

    /// Returns the line that holds a new key.
    pub fn line(key: &[u8; KEY_LEN]) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(key))
    }
}

impl Wrapped {
    /// Returns the line that holds it.
    pub fn line(&self) -> String {
        format!("{KMS}{}:{}", self.region.as_str(), STANDARD.encode(&self.blob))
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Material::Plain",
            Self::Wrapped(_) => "Material::Wrapped",
        })
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({})", self.region.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_line_by_line() {
        let plain = Material::line(&[7; KEY_LEN]);
        let wrapped = Wrapped { region: Region::parse("eu-west-1").unwrap(), blob: Arc::from([1_u8, 2]) };
        let text = format!("# new\n{}\n\n  {}\r\n", *plain, wrapped.line());
        let keys = Material::read(&text).unwrap();
        let expected = [Material::Plain(Arc::new(Zeroizing::new([7; KEY_LEN]))), Material::Wrapped(wrapped)];
        assert_eq!(keys, expected);
        assert!(!format!("{keys:?}").contains(plain.as_str()));
    }

    #[test]
    fn what_holds_no_key_is_refused_without_repeating_it() {
        for (text, line) in
            [("", 1), ("#\n", 1), ("c2hvcnQ=", 1), ("\nsecret", 2), ("kms:x", 1), ("kms:eu-west-1:", 1)]
        {
            assert_eq!(Material::read(text), Err(MaterialError { line }), "{text}");
        }
        assert!(!Material::read("secret").unwrap_err().to_string().contains("secret,"));
    }
}
