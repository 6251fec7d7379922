//! A hash of request ids, for maps of calls: 16 bytes that the gateway chose at random, so that nobody can aim at it.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes hashers for a map whose keys are request ids.
pub(super) type BuildIdHasher = BuildHasherDefault<IdHasher>;

/// 2^64 divided by the golden ratio, odd: spreads each bit over those above.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(SPREAD);
    }

    /// What is a slice's length is the same for all ids.
    fn write_usize(&mut self, _len: usize) {}

    fn finish(&self) -> u64 {
        // Maps look at the lowest bits, and the multiplication spreads upwards.
        self.0 ^ (self.0 >> 32)
    }
}
