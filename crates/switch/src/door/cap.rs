//! How many answers a second strangers get: in all, and each of them.

use core::hash::BuildHasher as _;
use core::time::Duration;

use model::{Chance, Mono};

use super::denied::Denied;
use super::limits::{
    SHARD_PART_MIN, SHARE_SLOTS, STRANGER_ANSWERS_PER_SECOND, STRANGER_SHARE_PER_SECOND,
};
use super::source::{Keyed, Source};

const SECOND: Duration = Duration::from_secs(1);

/// The answers of the last second.
#[derive(Debug)]
pub(crate) struct Cap {
    /// When the last ones were given, a ring: the oldest is at `next`.
    given: Box<[Option<Mono>]>,
    next: usize,
    share: u16,
    slots: Box<[Slot]>,
    hash: Keyed,
}

/// What the sources of one hash had in the second that began then.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    begun: Mono,
    count: u16,
}

impl Cap {
    /// This shard's part of a node's.
    pub(crate) fn new(shards: usize, chance: &mut Chance) -> Cap {
        let part = |rate: usize| rate / shards.max(1);
        // The sum over all shards must hold, so only the sources' shares are rounded up.
        let all = part(STRANGER_ANSWERS_PER_SECOND).max(1);
        let share = part(STRANGER_SHARE_PER_SECOND).max(SHARD_PART_MIN).min(all);
        Cap {
            given: vec![None; all].into(),
            next: 0,
            share: u16::try_from(share).unwrap_or(u16::MAX),
            slots: vec![Slot::default(); SHARE_SLOTS].into(),
            hash: Keyed::new(chance),
        }
    }

    /// Whether an answer may be given now; nothing is counted.
    pub(crate) fn look(&mut self, now: Mono, source: Source) -> Result<(), Denied> {
        let oldest = self.given.get(self.next).copied().flatten();
        if oldest.is_some_and(|at| now.since(at) < SECOND) {
            return Err(Denied::StrangersCap);
        }
        let share = self.share;
        if self.slot(now, source).is_some_and(|slot| slot.count >= share) {
            return Err(Denied::SourceShare);
        }
        Ok(())
    }

    /// Gives an answer, if one may be given now.
    pub(crate) fn give(&mut self, now: Mono, source: Source) -> Result<(), Denied> {
        self.look(now, source)?;
        if let Some(slot) = self.slot(now, source) {
            slot.count += 1;
        }
        if let Some(oldest) = self.given.get_mut(self.next) {
            *oldest = Some(now);
        }
        self.next = (self.next + 1) % self.given.len().max(1);
        Ok(())
    }

    fn slot(&mut self, now: Mono, source: Source) -> Option<&mut Slot> {
        let slots = u64::try_from(self.slots.len()).unwrap_or(1).max(1);
        let at = usize::try_from(self.hash.hash_one(source) % slots).unwrap_or(0);
        let slot = self.slots.get_mut(at)?;
        if now.since(slot.begun) >= SECOND {
            *slot = Slot { begun: now, count: 0 };
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Mono = Mono(77_000_000);

    fn cap(shards: usize) -> Cap {
        Cap::new(shards, &mut Chance::from_number(1))
    }

    fn given(cap: &mut Cap, at: Mono, sources: impl Iterator<Item = u32>) -> usize {
        sources.filter(|n| cap.give(at, Source::V4(*n)).is_ok()).count()
    }

    #[test]
    fn strangers_together_get_so_many_answers_in_any_second() {
        let mut cap = cap(1);
        let half = BEGIN + Duration::from_millis(500);
        assert_eq!(given(&mut cap, BEGIN, 0..150), 150);
        assert_eq!(given(&mut cap, half, 1_000..2_000), 50);
        assert_eq!(cap.give(half, Source::V4(9)), Err(Denied::StrangersCap));
        // Those of the first moment are a second old, those of the second half are not.
        assert_eq!(given(&mut cap, BEGIN + SECOND, 0..1_000), 150);
        assert_eq!(given(&mut cap, half + SECOND, 0..1_000), 50);
    }

    #[test]
    fn one_stranger_leaves_the_rest_to_others() {
        let mut cap = cap(1);
        let one = core::iter::repeat_n(7, 1_000);
        assert_eq!(given(&mut cap, BEGIN, one.clone()), 50);
        assert_eq!(cap.give(BEGIN, Source::V4(7)), Err(Denied::SourceShare));
        assert_eq!(given(&mut cap, BEGIN, 1_000..1_100), 100);
        assert_eq!(given(&mut cap, BEGIN + SECOND, one), 50);
    }

    #[test]
    fn all_shards_together_give_no_more() {
        for shards in [1, 2, 3, 16, 64] {
            let each: usize = (0..shards)
                .map(|n| {
                    let mut cap = Cap::new(shards, &mut Chance::from_number(n as u64));
                    given(&mut cap, BEGIN, 0..2_000)
                })
                .sum();
            assert!((150..=STRANGER_ANSWERS_PER_SECOND).contains(&each), "{shards}: {each}");
        }
    }

    #[test]
    fn looking_counts_nothing() {
        let mut cap = cap(1);
        assert!((0..1_000).all(|_| cap.look(BEGIN, Source::V4(1)).is_ok()));
        assert_eq!(given(&mut cap, BEGIN, core::iter::repeat_n(1, 100)), 50);
    }
}
