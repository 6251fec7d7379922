//! Bytes as lower-case hex digits.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Returns two digits per byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Returns the digits of a SHA-256, or of an HMAC with it, without an allocation.
pub(crate) fn digest_hex(digest: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(digest) {
        *pair = [byte >> 4, byte & 15].map(|nibble| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn digits_are_those_of_the_formatter() {
        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8 + 7).unwrap());
        let mut expected = String::new();
        for byte in bytes {
            write!(expected, "{byte:02x}").unwrap();
        }
        assert_eq!(hex(&bytes), expected);
        assert_eq!(&digest_hex(&bytes)[..], expected.as_bytes());
        assert_eq!(hex(&[]), "");
    }
}
