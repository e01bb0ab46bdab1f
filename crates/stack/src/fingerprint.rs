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
        let mut room = [0; ROOM];
        let long;
        let text = match joined(parts, &mut room) {
            Some(text) => text,
            None => {
                let pieces = parts.iter().map(|p| [&p.len().to_ne_bytes()[..], p].concat());
                long = pieces.collect::<Vec<_>>().concat();
                &long
            }
        };
        let half = |key: u128| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u128(key);
            hasher.write(text);
            u128::from(hasher.finish())
        };
        Fingerprint((half(self.keys[0]) << 64) | half(self.keys[1]))
    }
}

/// Room for the parts of nearly every key.
const ROOM: usize = 256;

/// The parts and their lengths in one piece: a hasher that is fed piece by piece spends more on
/// their borders than on what they say. `None`: there is no room for them.
fn joined<'a>(parts: &[&[u8]], room: &'a mut [u8; ROOM]) -> Option<&'a [u8]> {
    let mut end = 0;
    for part in parts {
        for piece in [&part.len().to_ne_bytes()[..], part] {
            let begin = end;
            end = begin + piece.len();
            room.get_mut(begin..end)?.copy_from_slice(piece);
        }
    }
    room.get(..end)
}

/// A table by fingerprint. Nothing depends on its order.
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
    fn parts_of_any_length_count_to_their_last_byte() {
        let f = Fingerprints::new(&mut Chance::from_number(1));
        for length in [0, 1, ROOM - 16, ROOM - 8, ROOM - 7, ROOM, 4 * ROOM] {
            let (a, mut b) = (vec![b'a'; length], vec![b'a'; length + 1]);
            assert_eq!(f.of(&[&a, b"x"]), f.of(&[&a, b"x"]), "{length}");
            assert_ne!(f.of(&[&a]), f.of(&[&b]), "{length}");
            let before = f.of(&[&b]);
            b[length] = b'b';
            assert_ne!(f.of(&[&b]), before, "{length}");
        }
    }

    #[test]
    fn another_key_gives_another_fingerprint() {
        let a = Fingerprints::new(&mut Chance::from_number(1));
        let b = Fingerprints::new(&mut Chance::from_number(2));
        assert_ne!(a.of(&[b"x"]), b.of(&[b"x"]));
    }
}
