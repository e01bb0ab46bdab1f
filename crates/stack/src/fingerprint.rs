//! Keys of look-up tables: keyed hashes of texts that peers choose.
//!
//! The key is the process's own chance, so that no peer can make two texts meet on purpose; 128
//! bits make an accident impossible in practice. A table then holds 16 bytes instead of texts.

use core::fmt;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;
use std::hash::DefaultHasher;

use model::Chance;

/// A keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint(pub(crate) u128);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Makes fingerprints under one key.
pub(crate) struct Fingerprints {
    keys: [u128; 2],
}

impl Fingerprints {
    /// With a key from chance.
    pub(crate) fn new(chance: &mut Chance) -> Fingerprints {
        Fingerprints { keys: [chance.wide_bits(), chance.wide_bits()] }
    }

    /// The fingerprint of a sequence of texts; where one ends and the next begins counts.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> Fingerprint {
        let half = |key: u128| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u128(key);
            for part in parts {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
            u128::from(hasher.finish())
        };
        Fingerprint((half(self.keys[0]) << 64) | half(self.keys[1]))
    }
}

/// A table by fingerprint. It is never iterated.
pub(crate) type Table<V> = HashMap<Fingerprint, V, BuildHasherDefault<Through>>;

/// Passes a fingerprint's bits through: they are a keyed hash already.
#[derive(Default)]
pub(crate) struct Through(u64);

impl Hasher for Through {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 ^= u64::from_ne_bytes(word);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_between_two_texts_counts() {
        let f = Fingerprints::new(&mut Chance::from_number(1));
        assert_eq!(f.of(&[b"ab", b"c"]), f.of(&[b"ab", b"c"]));
        assert_ne!(f.of(&[b"ab", b"c"]), f.of(&[b"a", b"bc"]));
        assert_ne!(f.of(&[b"abc"]), f.of(&[b"ab", b"c"]));
    }

    #[test]
    fn another_key_gives_another_fingerprint() {
        let a = Fingerprints::new(&mut Chance::from_number(1));
        let b = Fingerprints::new(&mut Chance::from_number(2));
        assert_ne!(a.of(&[b"x"]), b.of(&[b"x"]));
    }
}
