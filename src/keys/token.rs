//! What keys look like: forms that secret scanners can know, with a checksum that parts them from look-alikes.

use aws_lc_rs::rand;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

/// What every service key, and every secret of an access key, begins with.
pub const KEY_PREFIX: &str = "tg_";

/// What every access key id of tollgate's begins with; AWS's own begin with A.
pub const ACCESS_KEY_PREFIX: &str = "TGAK";

/// Digits of base 62 that hold 256 bits.
const SECRET_DIGITS: usize = 43;

/// Digits of base 62 that hold a CRC-32.
const SECRET_CHECK: usize = 6;

/// Digits of base 32 in an access key id that are random: 65 bits.
const ID_DIGITS: usize = 13;

/// Digits of base 32 that check them.
const ID_CHECK: usize = 3;

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// RFC 4648, section 6.
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The operating system gave no random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot get random bits from the operating system")]
pub struct NoRandomness;

/// Returns a new key of 256 random bits: `tg_`, 43 digits and letters, and 6 more that are their CRC-32.
///
/// Also the secret of an access key, so that scanners need to know one form only.
///
/// # Errors
/// No random bits.
pub fn new_secret() -> Result<SecretString, NoRandomness> {
    let random = random_digits::<SECRET_DIGITS>(BASE_62)?;
    let check = digits::<SECRET_CHECK>(crc32fast::hash(random.as_bytes()), BASE_62);
    Ok([KEY_PREFIX, &random, &check].concat().into())
}

/// Tells whether a text has the form of a key, checksum and all. One that has not may be a key all the same: its owner
/// may have chosen it.
pub fn is_well_formed(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(KEY_PREFIX) else { return false };
    let parts = rest.split_at_checked(SECRET_DIGITS);
    parts.is_some_and(|(random, check)| {
        check == digits::<SECRET_CHECK>(crc32fast::hash(random.as_bytes()), BASE_62)
    })
}

/// Returns a new access key id, of AWS's form: 20 capital letters and digits.
///
/// # Errors
/// No random bits.
pub fn new_access_key_id() -> Result<String, NoRandomness> {
    let random = random_digits::<ID_DIGITS>(BASE_32)?;
    let check = digits::<ID_CHECK>(crc32fast::hash(random.as_bytes()), BASE_32);
    Ok([ACCESS_KEY_PREFIX, &random, &check].concat())
}

/// Tells whether tollgate has issued an access key id, this gateway or another.
pub fn is_access_key_id(id: &str) -> bool {
    let parts = id.strip_prefix(ACCESS_KEY_PREFIX).and_then(|rest| rest.split_at_checked(ID_DIGITS));
    parts.is_some_and(|(random, check)| {
        random.bytes().all(|digit| BASE_32.contains(&digit))
            && check == digits::<ID_CHECK>(crc32fast::hash(random.as_bytes()), BASE_32)
    })
}

/// Returns random digits, each as likely as any other.
fn random_digits<const N: usize>(alphabet: &[u8]) -> Result<Zeroizing<String>, NoRandomness> {
    let base = u8::try_from(alphabet.len()).unwrap_or(u8::MAX);
    // What is left over above the last whole round of the alphabet would favour its beginning.
    let fair = u8::MAX - (u8::MAX % base + 1) % base;
    let mut text = Zeroizing::new(String::with_capacity(N));
    while text.len() < N {
        let mut bytes = Zeroizing::new([0_u8; N]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
        let fair_ones = bytes.iter().filter(|byte| **byte <= fair);
        let chosen = fair_ones.filter_map(|byte| alphabet.get(usize::from(byte % base)));
        let room = N - text.len();
        text.extend(chosen.take(room).map(|digit| char::from(*digit)));
    }
    Ok(text)
}

/// Returns the last digits of a number.
fn digits<const N: usize>(number: u32, alphabet: &[u8]) -> String {
    let base = u32::try_from(alphabet.len()).unwrap_or(u32::MAX);
    let mut left = number;
    let mut text = [b'0'; N];
    for place in text.iter_mut().rev() {
        let digit = usize::try_from(left % base).ok().and_then(|digit| alphabet.get(digit));
        *place = digit.copied().unwrap_or(b'0');
        left /= base;
    }
    text.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::collections::HashSet;

    #[test]
    fn new_keys_have_their_form_and_differ() {
        let keys: HashSet<String> =
            (0..100).map(|_| new_secret().unwrap().expose_secret().to_owned()).collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            assert!(key.len() == 52 && is_well_formed(&key), "{key}");
            assert!(key[3..].bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
            let other = if key.ends_with('0') { "1" } else { "0" };
            assert!(!is_well_formed(&format!("{}{other}", &key[..51])), "{key}");
        }
        for not in ["", "tg_", "tg_a", "sk_0", &format!("tg_{}", "é".repeat(30))] {
            assert!(!is_well_formed(not), "{not}");
        }
    }

    #[test]
    fn new_access_key_ids_have_their_form_and_differ() {
        let ids: HashSet<String> = (0..100).map(|_| new_access_key_id().unwrap()).collect();
        assert_eq!(ids.len(), 100);
        for id in ids {
            assert!(id.len() == 20 && is_access_key_id(&id), "{id}");
            let swapped = if id.as_bytes()[4] == b'A' { 'B' } else { 'A' };
            assert!(!is_access_key_id(&format!("TGAK{swapped}{}", &id[5..])), "{id}");
        }
        for not in ["", "TGAK", "AKIDEXAMPLE", "TGAKAAAAAAAAAAAAAAAA", "TGAKéééééééééééé"] {
            assert!(!is_access_key_id(not), "{not}");
        }
    }
}
