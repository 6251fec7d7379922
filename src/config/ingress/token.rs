//! The token of the admin plane.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// The shortest token, in bytes: what can be guessed is none.
const MIN_LEN: usize = 16;

/// What a caller of the admin plane has to show.
#[derive(Debug, Clone)]
pub struct AdminToken(SecretString);

impl AdminToken {
    /// Reads a file of one token; an error says what is wrong with it, and what would be right, without showing it.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let name = file.display();
        let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
            format!(
                "cannot read {name} ({error}): name a file with a token, as `openssl rand -hex 32` makes one"
            )
        })?;
        let token = text.trim();
        if token.len() < MIN_LEN {
            return Err(format!(
                "the token in {name} is too short: use at least {MIN_LEN} characters, as `openssl rand -hex 32` makes \
                 them"
            ));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "the token in {name} cannot be sent in a header: use one line of ASCII without blanks, as `openssl rand \
                 -hex 32` makes it"
            ));
        }
        Ok(Self(token.into()))
    }

    /// Tells whether a caller shows this token, in a time that tells nothing but its length.
    pub fn is(&self, shown: &[u8]) -> bool {
        verify_slices_are_equal(self.0.expose_secret().as_bytes(), shown).is_ok()
    }
}

/// Tells whether every user of the machine may read a file.
pub(super) fn is_open_to_all(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}
