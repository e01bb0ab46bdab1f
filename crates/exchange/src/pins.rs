//! Wrong PINs: who has guessed too often is heard no more for a while.
//!
//! Wrong ones are counted for each pair of who asks and whose PIN it is, and for whose PIN it is
//! alone: else a PIN of four digits would be found by asking from many phones.

use core::time::Duration;
use std::collections::VecDeque;

use model::{ExtensionId, Mono};

/// Wrong PINs after which an extension's attempts at another are refused.
pub const WRONG_MAX: u8 = 5;
/// Wrong PINs of all together after which every attempt at an extension is refused.
pub const WRONG_AT_TARGET_MAX: u8 = 20;
/// For how long. A wrong PIN is remembered for no longer.
pub const LOCKED: Duration = Duration::from_secs(15 * 60);

/// Counts that are kept; two for each extension that somebody is guessing at.
const COUNTS_MAX: usize = 1_024;

/// What a PIN is for: wrong ones of one kind do not lock another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// To be served by another's phones.
    Replace,
    /// To listen to one's messages.
    Mailbox,
}

/// Who says whose PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// What it is for.
    pub pin: Pin,
    /// Who says it.
    pub actor: ExtensionId,
    /// Whose it is.
    pub target: ExtensionId,
}

/// The wrong PINs of one tenant.
#[derive(Clone, Debug, Default)]
pub struct WrongPins {
    /// The one that was added to last at the end.
    counts: VecDeque<Count>,
}

#[derive(Clone, Debug)]
struct Count {
    pin: Pin,
    /// Who asked; `None`: all together.
    actor: Option<ExtensionId>,
    target: ExtensionId,
    wrong: u8,
    /// Until then it counts.
    until: Mono,
}

impl WrongPins {
    /// Whether a PIN is not looked at, were it the right one: there were too many wrong ones.
    pub fn is_locked(&self, now: Mono, guess: Guess) -> bool {
        let Guess { pin, actor, target } = guess;
        self.count(now, pin, Some(actor), target) >= WRONG_MAX
            || self.count(now, pin, None, target) >= WRONG_AT_TARGET_MAX
    }

    /// It was a wrong one.
    pub fn wrong(&mut self, now: Mono, guess: Guess) {
        let Guess { pin, actor, target } = guess;
        self.counts.retain(|count| count.until > now);
        self.add(now, pin, None, target);
        self.add(now, pin, Some(actor), target);
    }

    /// It was the right one: the pair is forgiven its wrong ones, others are not.
    pub fn right(&mut self, now: Mono, guess: Guess) {
        let Guess { pin, actor, target } = guess;
        let is_of = |count: &Count| count.is_of(pin, Some(actor), target);
        self.counts.retain(|count| count.until > now && !is_of(count));
    }

    fn count(&self, now: Mono, pin: Pin, actor: Option<ExtensionId>, target: ExtensionId) -> u8 {
        let found = self.counts.iter().find(|count| count.is_of(pin, actor, target));
        found.filter(|count| count.until > now).map_or(0, |count| count.wrong)
    }

    fn add(&mut self, now: Mono, pin: Pin, actor: Option<ExtensionId>, target: ExtensionId) {
        let wrong = self.count(now, pin, actor, target).saturating_add(1);
        self.counts.retain(|count| !count.is_of(pin, actor, target));
        if self.counts.len() == COUNTS_MAX {
            self.forget_the_least();
        }
        self.counts.push_back(Count { pin, actor, target, wrong, until: now + LOCKED });
    }

    /// The oldest of the lowest counts gives way, so that nobody unlocks one PIN by guessing many.
    fn forget_the_least(&mut self) {
        let least = self.counts.iter().enumerate().min_by_key(|(_, count)| count.wrong);
        if let Some((at, _)) = least {
            self.counts.remove(at);
        }
    }
}

impl Count {
    fn is_of(&self, pin: Pin, actor: Option<ExtensionId>, target: ExtensionId) -> bool {
        (self.pin, self.actor, self.target) == (pin, actor, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> ExtensionId {
        ExtensionId(n)
    }

    fn at(seconds: u64) -> Mono {
        Mono::default() + Duration::from_secs(seconds)
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Attempt {
        Right,
        Wrong,
        Locked,
    }

    const RIGHT: bool = true;
    const WRONG: bool = false;

    impl WrongPins {
        fn attempt(
            &mut self,
            now: Mono,
            actor: ExtensionId,
            target: ExtensionId,
            is_right: bool,
        ) -> Attempt {
            let guess = Guess { pin: Pin::Replace, actor, target };
            if self.is_locked(now, guess) {
                return Attempt::Locked;
            }
            if is_right {
                self.right(now, guess);
                return Attempt::Right;
            }
            self.wrong(now, guess);
            Attempt::Wrong
        }
    }

    #[test]
    fn five_wrong_pins_lock_the_pair_for_a_quarter_of_an_hour() {
        let mut pins = WrongPins::default();
        for n in 0..5 {
            assert_eq!(pins.attempt(at(n), id(1), id(2), WRONG), Attempt::Wrong, "{n}");
        }
        assert_eq!(pins.attempt(at(5), id(1), id(2), RIGHT), Attempt::Locked);
        assert_eq!(pins.attempt(at(903), id(1), id(2), RIGHT), Attempt::Locked);
        assert_eq!(pins.attempt(at(904), id(1), id(2), RIGHT), Attempt::Right);
        assert_eq!(pins.attempt(at(905), id(1), id(2), WRONG), Attempt::Wrong, "from the start");
    }

    #[test]
    fn others_and_other_pins_are_not_locked() {
        let mut pins = WrongPins::default();
        for _ in 0..5 {
            pins.attempt(at(0), id(1), id(2), WRONG);
        }
        assert_eq!(pins.attempt(at(0), id(3), id(2), RIGHT), Attempt::Right);
        assert_eq!(pins.attempt(at(0), id(1), id(3), RIGHT), Attempt::Right);
        assert_eq!(pins.attempt(at(0), id(1), id(2), RIGHT), Attempt::Locked);
    }

    #[test]
    fn a_right_pin_forgives_the_pair() {
        let mut pins = WrongPins::default();
        for round in 0..4 {
            for _ in 0..4 {
                assert_eq!(pins.attempt(at(0), id(1), id(2), WRONG), Attempt::Wrong, "{round}");
            }
            assert_eq!(pins.attempt(at(0), id(1), id(2), RIGHT), Attempt::Right);
        }
    }

    #[test]
    fn twenty_wrong_pins_of_many_lock_the_target_for_all() {
        let mut pins = WrongPins::default();
        for actor in 0..20 {
            assert_eq!(pins.attempt(at(0), id(100 + actor), id(2), WRONG), Attempt::Wrong);
        }
        assert_eq!(pins.attempt(at(1), id(500), id(2), RIGHT), Attempt::Locked);
        assert_eq!(pins.attempt(at(1), id(500), id(3), RIGHT), Attempt::Right);
        assert_eq!(pins.attempt(at(900), id(500), id(2), RIGHT), Attempt::Right);
    }

    #[test]
    fn guessing_at_many_unlocks_none() {
        let mut pins = WrongPins::default();
        for _ in 0..5 {
            pins.attempt(at(0), id(1), id(2), WRONG);
        }
        for n in 0..5_000 {
            pins.attempt(at(1), id(1), id(10_000 + n), WRONG);
        }
        assert_eq!(pins.attempt(at(2), id(1), id(2), RIGHT), Attempt::Locked);
    }

    #[test]
    fn wrong_pins_of_one_kind_do_not_lock_another() {
        let mut pins = WrongPins::default();
        for _ in 0..5 {
            pins.attempt(at(0), id(1), id(2), WRONG);
        }
        let guess = |pin| Guess { pin, actor: id(1), target: id(2) };
        assert!(pins.is_locked(at(1), guess(Pin::Replace)));
        assert!(!pins.is_locked(at(1), guess(Pin::Mailbox)));
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let mut pins = WrongPins::default();
        for n in 0..5_000 {
            pins.attempt(at(0), id(n), id(10_000 + n), WRONG);
            assert!(pins.counts.len() <= COUNTS_MAX);
        }
        pins.attempt(at(901), id(1), id(2), RIGHT);
        assert!(pins.counts.is_empty(), "what counts no more is not kept");
    }
}
