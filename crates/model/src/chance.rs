//! Chance as a value: a seeded generator that is handed in, never saved.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// A cryptographically strong generator from a 32-byte seed.
///
/// `node` seeds it from the operating system, the simulator from the run's seed, so that the same
/// seed gives the same tags, branches and tokens. Its `Debug` shows nothing.
pub struct Chance(ChaCha12Rng);

/// Letters of [`Chance::token`]: 32 of them, so one byte gives one letter without bias.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl Chance {
    /// A generator that is determined by `seed`.
    pub fn from_seed(seed: [u8; 32]) -> Chance {
        Chance(ChaCha12Rng::from_seed(seed))
    }

    /// A generator for tests and simulations, determined by a number.
    pub fn from_number(seed: u64) -> Chance {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Chance::from_seed(bytes)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 128 random bits.
    pub fn wide_bits(&mut self) -> u128 {
        (u128::from(self.bits()) << 64) | u128::from(self.bits())
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift; the bias is under 2^-32 for the bounds that we use.
        u64::try_from((u128::from(self.bits()) * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// Fills `to` with random bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        self.0.fill_bytes(to);
    }

    /// Appends `letters` random lower-case letters and digits (5 bits each) to `to`.
    ///
    /// They are tokens of RFC 3261 25.1 and need no escaping in a URI.
    pub fn token(&mut self, letters: usize, to: &mut String) {
        let mut left = letters;
        while left > 0 {
            let mut bits = self.bits();
            for _ in 0..left.min(12) {
                to.push(char::from(LETTERS[usize::try_from(bits & 31).unwrap_or(0)]));
                bits >>= 5;
            }
            left = left.saturating_sub(12);
        }
    }
}

impl core::fmt::Debug for Chance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Chance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_token() {
        let token = |seed| {
            let mut t = String::new();
            Chance::from_number(seed).token(26, &mut t);
            t
        };
        assert_eq!(token(7), token(7));
        assert_ne!(token(7), token(8));
        assert_eq!(token(7).len(), 26);
    }

    #[test]
    fn below_stays_below() {
        let mut c = Chance::from_number(1);
        assert!((0..1000).all(|_| c.below(7) < 7));
        assert_eq!(c.below(0), 0);
    }
}
