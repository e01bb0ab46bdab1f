//! Wrong PINs: who has guessed too often is heard no more for a while.
//!
//! Wrong ones are counted for each pair of who asks and whose PIN it is, and for whose PIN it is
//! alone: else a PIN of four digits would be found by asking from many phones. Every count that
//! changes is written down, so that nobody may guess again after a restart.

use core::time::Duration;
use std::collections::VecDeque;

use leg::{PinKind, WrongPinCount};
use model::{ExtensionId, Mono, Now, TenantId};

/// Wrong PINs after which an extension's attempts at another are refused.
pub const WRONG_MAX: u8 = 5;
/// Wrong PINs of all together after which every attempt at an extension is refused.
pub const WRONG_AT_TARGET_MAX: u8 = 20;
/// For how long. A wrong PIN is remembered for no longer.
pub const LOCKED: Duration = Duration::from_secs(15 * 60);

/// Counts that are kept; two for each extension that somebody is guessing at.
const COUNTS_MAX: usize = 1_024;

/// Who says whose PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// What it is for.
    pub pin: PinKind,
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

/// How many wrong PINs were said.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pin: PinKind,
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

    /// It was a wrong one: the counts that are to be written down.
    pub fn wrong(&mut self, now: Mono, guess: Guess) -> [Count; 2] {
        let Guess { pin, actor, target } = guess;
        self.counts.retain(|count| count.until > now);
        [None, Some(actor)].map(|actor| self.add(now, pin, actor, target))
    }

    /// It was the right one: the pair is forgiven its wrong ones, others are not. If there were
    /// any, that is to be written down.
    pub fn right(&mut self, now: Mono, guess: Guess) -> Option<Count> {
        let Guess { pin, actor, target } = guess;
        self.counts.retain(|count| count.until > now);
        let at = self.counts.iter().position(|count| count.is_of(pin, Some(actor), target))?;
        let forgiven = self.counts.remove(at)?;
        Some(Count { wrong: 0, until: now, ..forgiven })
    }

    /// Takes in a count that was written down, if it counts still. None locks for longer than
    /// [`LOCKED`] from now on: one that would, since a clock was set back, is written down anew.
    pub fn restore(&mut self, now: Now, read: &WrongPinCount) -> Option<Count> {
        let WrongPinCount { pin, actor, target, wrong, .. } = *read;
        let left_us = read.until.0.saturating_sub(now.wall.0);
        let left = u64::try_from(left_us).map_or(Duration::ZERO, Duration::from_micros);
        if wrong == 0 || left.is_zero() {
            return None;
        }
        let count = Count { pin, actor, target, wrong, until: now.mono + left.min(LOCKED) };
        self.keep(count);
        (left > LOCKED).then_some(count)
    }

    /// What counts at this moment.
    pub fn iter(&self, now: Mono) -> impl Iterator<Item = &Count> {
        self.counts.iter().filter(move |count| count.until > now)
    }

    fn count(
        &self,
        now: Mono,
        pin: PinKind,
        actor: Option<ExtensionId>,
        target: ExtensionId,
    ) -> u8 {
        let found = self.counts.iter().find(|count| count.is_of(pin, actor, target));
        found.filter(|count| count.until > now).map_or(0, |count| count.wrong)
    }

    fn add(
        &mut self,
        now: Mono,
        pin: PinKind,
        actor: Option<ExtensionId>,
        target: ExtensionId,
    ) -> Count {
        let wrong = self.count(now, pin, actor, target).saturating_add(1);
        let count = Count { pin, actor, target, wrong, until: now + LOCKED };
        self.keep(count);
        count
    }

    fn keep(&mut self, count: Count) {
        self.counts.retain(|other| !other.is_of(count.pin, count.actor, count.target));
        if self.counts.len() == COUNTS_MAX {
            self.forget_the_least();
        }
        self.counts.push_back(count);
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
    /// As it is written down: by the wall clock, since the other one begins anew with a process.
    pub fn written(&self, tenant: TenantId, now: Now) -> WrongPinCount {
        let Count { pin, actor, target, wrong, until } = *self;
        let until = (now + until.since(now.mono)).wall;
        WrongPinCount { tenant, pin, actor, target, wrong, at: now.wall, until }
    }

    fn is_of(&self, pin: PinKind, actor: Option<ExtensionId>, target: ExtensionId) -> bool {
        (self.pin, self.actor, self.target) == (pin, actor, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Wall;

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
            let guess = Guess { pin: PinKind::Replace, actor, target };
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
        assert!(pins.is_locked(at(1), guess(PinKind::Replace)));
        assert!(!pins.is_locked(at(1), guess(PinKind::Mailbox)));
    }

    const TENANT: TenantId = TenantId(1);
    const PAIR: Guess =
        Guess { pin: PinKind::Replace, actor: ExtensionId(1), target: ExtensionId(2) };

    /// This long after the first moment, by clocks of which the wall's is this much ahead.
    fn by_clocks(seconds: u64, wall_ahead: i64) -> Now {
        let wall = Wall((1_000_000 + wall_ahead) * 1_000_000);
        Now { mono: at(0), wall } + Duration::from_secs(seconds)
    }

    /// Five wrong ones of a pair at 0 to 4 seconds, as they were written down.
    fn five_wrong() -> Vec<WrongPinCount> {
        let mut pins = WrongPins::default();
        let mut written = Vec::new();
        for n in 0..5 {
            let now = by_clocks(n, 0);
            written.extend(pins.wrong(now.mono, PAIR).map(|count| count.written(TENANT, now)));
        }
        written
    }

    fn restored(now: Now, written: &[WrongPinCount]) -> (WrongPins, Vec<WrongPinCount>) {
        let mut pins = WrongPins::default();
        let anew = written.iter().filter_map(|count| pins.restore(now, count));
        let anew = anew.map(|count| count.written(TENANT, now)).collect();
        (pins, anew)
    }

    #[test]
    fn what_was_written_down_locks_for_as_long_as_before_and_no_shorter() {
        let written = five_wrong();
        assert_eq!(written.len(), 10);
        // The process that reads it began 60 seconds later; its own clock began then.
        let began = Now { mono: at(77), wall: by_clocks(60, 0).wall };
        let (pins, anew) = restored(began, &written);
        assert_eq!(anew, []);
        let until = at(77 + 904 - 60);
        assert!(pins.is_locked(Mono(until.0 - 1), PAIR));
        assert!(!pins.is_locked(until, PAIR));
        let others = Guess { actor: ExtensionId(3), ..PAIR };
        assert!(!pins.is_locked(at(77), others));
        let still: Vec<_> = pins.iter(at(77)).map(|count| count.written(TENANT, began)).collect();
        assert_eq!(
            still.iter().map(|c| (c.actor, c.wrong, c.until)).collect::<Vec<_>>(),
            [(None, 5, written[9].until), (Some(PAIR.actor), 5, written[9].until),]
        );
    }

    #[test]
    fn what_was_written_down_is_over_in_its_time() {
        let (pins, anew) = restored(by_clocks(904, 0), &five_wrong());
        assert_eq!((pins.counts.len(), anew.len()), (0, 0));
    }

    #[test]
    fn a_clock_that_was_set_back_locks_no_longer_than_from_the_restart() {
        let now = by_clocks(10, -86_400);
        let (pins, anew) = restored(now, &five_wrong());
        assert!(pins.is_locked(Mono(at(910).0 - 1), PAIR));
        assert!(!pins.is_locked(at(910), PAIR));
        // Nor does the next restart lock anew.
        let later = by_clocks(10 + 900, -86_400);
        let (pins, _) = restored(later, &anew[anew.len() - 2..]);
        assert!(!pins.is_locked(later.mono, PAIR));
    }

    #[test]
    fn the_right_pin_forgives_what_was_written_down_and_says_so_once() {
        let first: Vec<_> = five_wrong().into_iter().take(8).collect();
        let now = by_clocks(10, 0);
        let (mut pins, _) = restored(now, &first);
        let forgiven = pins.right(now.mono, PAIR).unwrap().written(TENANT, now);
        assert_eq!((forgiven.wrong, forgiven.actor), (0, Some(PAIR.actor)));
        assert!(pins.right(now.mono, PAIR).is_none(), "nothing is left to write down");
        let (pins, _) = restored(now, &[forgiven, first[6]]);
        let left: Vec<_> = pins.iter(now.mono).map(|count| (count.actor, count.wrong)).collect();
        assert_eq!(left, [(None, 4)], "all together are not forgiven");
    }

    #[test]
    fn what_is_read_twice_or_too_often_stays_within_the_bound() {
        let now = by_clocks(5, 0);
        let five = five_wrong();
        let many = (0..5_000).map(|n| WrongPinCount { target: id(n + 10), wrong: 1, ..five[9] });
        let all: Vec<_> = five.iter().chain(&five).copied().chain(many).collect();
        let (pins, _) = restored(now, &all);
        assert_eq!(pins.counts.len(), COUNTS_MAX);
        assert!(pins.is_locked(now.mono, PAIR), "the least are forgotten");
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
