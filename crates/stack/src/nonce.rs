//! Nonces without memory: a moment, a salt and a keyed hash over both.
//!
//! A challenge costs nothing to keep. Only after a right answer is the highest nonce count of
//! (login, nonce) remembered, bounded, so that an answer that was overheard is worth nothing.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use model::{ExtensionId, Mono, TenantId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::limits::{NONCE_LIFETIME, NONCE_STEP, NONCES_MAX};

/// Bytes of the moment, the salt and the hash in a nonce: 24 letters, since a challenge to a
/// stranger shall not be much longer than what the stranger sent. 40 bits of salt keep two phones
/// of one login apart, 72 bits of hash keep forgers out.
const STEP_BYTES: usize = 4;
const SALT_BYTES: usize = 5;
const MAC_BYTES: usize = 9;
const BYTES: usize = STEP_BYTES + SALT_BYTES + MAC_BYTES;

/// Six bits a letter, none of which needs quoting (RFC 4648 5).
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A moment in units of [`NONCE_STEP`].
type Step = u32;

/// What a nonce in an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Ours and young.
    Good(Name),
    /// Ours, but too old, or of another run of the switch: a right answer deserves `stale=true`.
    Stale,
}

/// What tells a nonce from all others of its run: its moment, its salt and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Name {
    step: Step,
    rest: u128,
}

/// Whose answer a count is of.
pub(crate) type Owner = (TenantId, ExtensionId);

/// A remembered count as it is taken to another shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    name: Name,
    extension: ExtensionId,
    count: u32,
}

/// Makes and judges nonces and everything else that is derived from the nonce key.
pub(crate) struct Nonces {
    mac: Hmac<Sha256>,
    /// Tells runs of the switch apart.
    run: u64,
    /// The highest count that was accepted for a nonce, the oldest first.
    counts: BTreeMap<(Name, Owner), u32>,
    /// Nonces of before this moment are stale: their counts were forgotten for want of room.
    floor: Step,
}

impl Nonces {
    /// With the key that all shards share.
    pub(crate) fn new(key: &[u8; 32]) -> Nonces {
        // HMAC takes keys of every length, so this cannot fail.
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
        let mut nonces = Nonces { mac, run: 0, counts: BTreeMap::new(), floor: 0 };
        nonces.run = nonces.hash(b"run", &[]);
        nonces
    }

    /// Tells runs of the switch apart: of the key, which is new at each start.
    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// 64 bits of keyed hash over texts; `purpose` keeps the uses of the key apart.
    pub(crate) fn hash(&self, purpose: &[u8], parts: &[&[u8]]) -> u64 {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(self.digest(purpose, parts)) {
            *to = from;
        }
        u64::from_be_bytes(first)
    }

    /// A nonce of this moment. The same request gets the same one during [`NONCE_STEP`].
    pub(crate) fn make(&self, now: Mono, request: &[&[u8]]) -> String {
        let mut nonce = [0; BYTES];
        let salt = self.hash(b"salt", request).to_be_bytes();
        let text = step_of(now).to_be_bytes().into_iter().chain(salt.into_iter().take(SALT_BYTES));
        for (to, from) in nonce.iter_mut().zip(text) {
            *to = from;
        }
        self.seal(&mut nonce);
        letters(&nonce)
    }

    /// What a nonce is worth now.
    pub(crate) fn judge(&self, now: Mono, nonce: &str) -> Worth {
        let Some(bytes) = bytes(nonce) else { return Worth::Stale };
        let mut right = bytes;
        self.seal(&mut right);
        if !bool::from(right.ct_eq(&bytes)) {
            return Worth::Stale;
        }
        let [a, b, c, d, rest @ ..] = bytes;
        let (step, current) = (Step::from_be_bytes([a, b, c, d]), step_of(now));
        if step > current || step < oldest(current) || step < self.floor {
            return Worth::Stale;
        }
        let rest = rest.into_iter().fold(0, |n, b| (n << 8) | u128::from(b));
        Worth::Good(Name { step, rest })
    }

    /// Whether this count is higher than every one before; then it is remembered. Only to be
    /// asked after the answer was found right.
    pub(crate) fn accept(&mut self, now: Mono, name: Name, owner: Owner, count: u32) -> bool {
        while let Some(first) = self.counts.first_entry() {
            if first.key().0.step >= oldest(step_of(now)) {
                break;
            }
            first.remove();
        }
        match self.counts.get_mut(&(name, owner)) {
            Some(highest) if count <= *highest => return false,
            Some(highest) => *highest = count,
            None => {
                if self.counts.len() >= NONCES_MAX {
                    self.forget_oldest();
                }
                self.counts.insert((name, owner), count);
            }
        }
        true
    }

    /// Nonces of before this moment's step are stale from now on.
    pub(crate) fn raise_floor(&mut self, now: Mono) {
        self.floor = self.floor.max(step_of(now));
    }

    /// The counts of a tenant, to be remembered elsewhere.
    pub(crate) fn counts_of(&self, tenant: TenantId) -> Vec<Counted> {
        let all = self.counts.iter();
        let own = all.filter(|((_, (t, _)), _)| *t == tenant);
        own.map(|((name, (_, extension)), count)| Counted {
            name: *name,
            extension: *extension,
            count: *count,
        })
        .collect()
    }

    /// Remembers counts that were seen elsewhere in this run.
    pub(crate) fn remember(&mut self, now: Mono, tenant: TenantId, counts: Vec<Counted>) {
        for counted in counts {
            let owner = (tenant, counted.extension);
            // A higher one that is known here already stays.
            self.accept(now, counted.name, owner, counted.count);
        }
    }

    /// How many counts are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// What was forgotten must not be accepted again, so its whole moment becomes stale.
    fn forget_oldest(&mut self) {
        let Some((&(Name { step, .. }, _), _)) = self.counts.first_key_value() else { return };
        self.floor = step.saturating_add(1);
        while let Some(first) = self.counts.first_entry() {
            if first.key().0.step > step {
                break;
            }
            first.remove();
        }
    }

    /// Puts the hash behind the moment and the salt.
    fn seal(&self, nonce: &mut [u8; BYTES]) {
        let (text, mac) = nonce.split_at_mut(STEP_BYTES + SALT_BYTES);
        for (to, from) in mac.iter_mut().zip(self.digest(b"nonce", &[text])) {
            *to = from;
        }
    }

    fn digest(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(purpose);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn step_of(now: Mono) -> Step {
    let us = u64::try_from(NONCE_STEP.as_micros()).unwrap_or(u64::MAX);
    Step::try_from(now.0 / us).unwrap_or(Step::MAX)
}

/// Bytes as letters; their number is a multiple of three.
fn letters(bytes: &[u8; BYTES]) -> String {
    let mut text = String::with_capacity(BYTES / 3 * 4);
    for chunk in bytes.chunks_exact(3) {
        let group = chunk.iter().fold(0, |n, b| (n << 8) | usize::from(*b));
        for shift in [18, 12, 6, 0] {
            let letter = LETTERS.get((group >> shift) & 63).copied().unwrap_or(b'A');
            text.push(char::from(letter));
        }
    }
    text
}

/// Letters as bytes.
fn bytes(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != BYTES / 3 * 4 {
        return None;
    }
    let mut all = [0; BYTES];
    for (to, from) in all.chunks_exact_mut(3).zip(text.as_bytes().chunks_exact(4)) {
        let mut group = 0u32;
        for letter in from {
            let six = LETTERS.iter().position(|l| l == letter)?;
            group = (group << 6) | u32::try_from(six).ok()?;
        }
        let [_, a, b, c] = group.to_be_bytes();
        to.copy_from_slice(&[a, b, c]);
    }
    Some(all)
}

/// The oldest moment whose nonces are good.
fn oldest(current: Step) -> Step {
    let steps = NONCE_LIFETIME.as_secs() / NONCE_STEP.as_secs();
    current.saturating_sub(Step::try_from(steps).unwrap_or(Step::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const START: Mono = Mono(1_000_000_000_000);

    fn nonces() -> Nonces {
        Nonces::new(&[7; 32])
    }

    #[test]
    fn a_repeated_request_gets_the_same_nonce_and_another_a_new_one() {
        let n = nonces();
        let soon = START + Duration::from_millis(500);
        assert_eq!(n.make(START, &[b"a"]), n.make(soon, &[b"a"]));
        assert_ne!(n.make(START, &[b"a"]), n.make(START, &[b"b"]));
    }

    fn is_good(worth: Worth) -> bool {
        matches!(worth, Worth::Good(_))
    }

    fn name(step: Step, rest: u128) -> Name {
        Name { step, rest }
    }

    const OWNER: Owner = (TenantId(1), ExtensionId(100_000));

    #[test]
    fn a_nonce_is_good_until_its_lifetime_is_over() {
        let n = nonces();
        let nonce = n.make(START, &[]);
        assert!(is_good(n.judge(START, &nonce)));
        assert!(is_good(n.judge(START + NONCE_LIFETIME, &nonce)));
        assert_eq!(n.judge(START + NONCE_LIFETIME + NONCE_STEP, &nonce), Worth::Stale);
    }

    #[test]
    fn nonces_have_names_of_their_own() {
        let n = nonces();
        let (a, b) = (n.make(START, &[b"a"]), n.make(START, &[b"b"]));
        assert_eq!(n.judge(START, &a), n.judge(START, &a));
        assert_ne!(n.judge(START, &a), n.judge(START, &b));
    }

    #[test]
    fn counts_that_were_seen_elsewhere_are_not_accepted_again() {
        let (mut here, mut there) = (nonces(), nonces());
        let one = name(step_of(START), 1);
        assert!(here.accept(START, one, OWNER, 7));
        assert!(here.accept(START, one, (TenantId(2), OWNER.1), 9));
        there.remember(START, OWNER.0, here.counts_of(OWNER.0));
        assert_eq!(there.len(), 1);
        assert!(!there.accept(START, one, OWNER, 7));
        assert!(there.accept(START, one, OWNER, 8));
        there.remember(START, OWNER.0, here.counts_of(OWNER.0));
        assert!(!there.accept(START, one, OWNER, 8), "a lower count changes nothing");
    }

    #[test]
    fn a_made_up_or_changed_nonce_is_stale() {
        let n = nonces();
        let nonce = n.make(START, &[]);
        for place in 0..nonce.len() {
            let mut bad = nonce.clone().into_bytes();
            bad[place] = if bad[place] == b'a' { b'b' } else { b'a' };
            let bad = String::from_utf8(bad).unwrap();
            assert_eq!(n.judge(START, &bad), Worth::Stale, "{bad}");
        }
        let accents = "\u{e9}".repeat(12);
        for bad in ["", "0", &accents, &nonce[..23], &format!("{nonce}0")] {
            assert_eq!(n.judge(START, bad), Worth::Stale, "{bad}");
        }
        assert_eq!(Nonces::new(&[8; 32]).judge(START, &nonce), Worth::Stale);
    }

    #[test]
    fn a_count_is_accepted_once_and_only_upwards() {
        let mut n = nonces();
        let step = step_of(START);
        let verdicts =
            [1, 1, 2, 10, 9, 11].map(|count| n.accept(START, name(step, 1), OWNER, count));
        assert_eq!(verdicts, [true, false, true, true, false, true]);
        assert!(n.accept(START, name(step, 2), OWNER, 1));
    }

    #[test]
    fn remembered_counts_are_bounded_and_what_is_forgotten_is_stale() {
        let mut n = nonces();
        let early = n.make(START, &[]);
        let step = step_of(START);
        let late = START + NONCE_STEP * 2;
        assert!(n.accept(START, name(step, 0), OWNER, 1));
        for i in 1..=u128::try_from(NONCES_MAX).unwrap() {
            assert!(n.accept(late, name(step + 2, i), OWNER, 1));
        }
        assert_eq!(n.len(), NONCES_MAX);
        assert_eq!(n.judge(late, &early), Worth::Stale);
        assert!(is_good(n.judge(late, &n.make(late, &[]))));
        let much_later = late + NONCE_LIFETIME * 2;
        assert!(n.accept(much_later, name(step_of(much_later), 1), OWNER, 1));
        assert_eq!(n.len(), 1);
    }
}
