//! Calls to and from the outside: how many there are, and how many have begun lately.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use leg::AlertCause;
use model::{EndReason, ExtensionId, Mono, Number, OutsideLimits, TrunkId};
use serde::{Deserialize, Serialize};

/// By what a call came from the outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameBy {
    /// The trunk.
    pub trunk: TrunkId,
    /// The number that was called, as the client writes it.
    pub did: Number,
    /// The same in E.164 digits.
    pub digits: Number,
}

/// What a leg to or from a trunk takes of the client's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The trunk, of whose channels it takes one.
    pub trunk: TrunkId,
    /// Who pays for it; `None`: it came in, or is an emergency call.
    pub by: Option<ExtensionId>,
}

/// The minute of "calls per minute".
const MINUTE: Duration = Duration::from_secs(60);

/// Beginnings that are remembered of one owner: a bound above it is none.
const BEGUN_MAX: usize = 10_000;

/// The calls of one client with the outside.
#[derive(Clone, Debug, Default)]
pub struct OutsideCalls {
    channels: BTreeMap<TrunkId, u32>,
    client: Owner,
    extensions: BTreeMap<ExtensionId, Owner>,
    alerts: BTreeMap<AlertCause, Mono>,
}

/// What somebody has to do with the outside.
#[derive(Clone, Debug, Default)]
struct Owner {
    /// Calls to the outside at the moment.
    calls: u32,
    /// When those of the last minute began, oldest first.
    begun: VecDeque<Mono>,
}

impl Owner {
    fn begun_lately(&self, now: Mono) -> usize {
        self.begun.iter().rev().take_while(|at| now.since(**at) < MINUTE).count()
    }

    fn begins(&mut self, now: Mono) {
        while self.begun.front().is_some_and(|at| now.since(*at) >= MINUTE)
            || self.begun.len() >= BEGUN_MAX
        {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
    }

    /// Whether it may begin one more besides `more` that begin now.
    fn has_room(&self, now: Mono, more: usize, calls: u32, per_minute: u32) -> bool {
        let under = |count: usize, bound: u32| u32::try_from(count).is_ok_and(|c| c < bound);
        let at_once = usize::try_from(self.calls).unwrap_or(usize::MAX).saturating_add(more);
        under(at_once, calls) && under(self.begun_lately(now).saturating_add(more), per_minute)
    }
}

impl OutsideCalls {
    /// Legs to and from a trunk at the moment.
    pub fn channels(&self, trunk: TrunkId) -> u32 {
        self.channels.get(&trunk).copied().unwrap_or(0)
    }

    /// Whether an extension may begin one more call to the outside, besides so many of its own
    /// and of the client that begin at this very moment.
    pub fn may_begin(
        &self,
        now: Mono,
        extension: ExtensionId,
        (own, all): (usize, usize),
        limits: &OutsideLimits,
    ) -> Result<(), EndReason> {
        let nobody = Owner::default();
        let of = self.extensions.get(&extension).unwrap_or(&nobody);
        let own = of.has_room(now, own, limits.extension_calls, limits.extension_calls_per_minute);
        let all = self.client.has_room(now, all, limits.calls, limits.calls_per_minute);
        if own && all { Ok(()) } else { Err(EndReason::OutsideLimit) }
    }

    /// A call to the outside begins: it counts for a minute, whatever comes of it.
    pub fn begins(&mut self, now: Mono, by: ExtensionId) {
        self.client.begins(now);
        self.extensions.entry(by).or_default().begins(now);
        if self.extensions.len() > BEGUN_MAX {
            self.extensions.retain(|_, owner| owner.calls > 0 || owner.begun_lately(now) > 0);
        }
    }

    /// A leg begins; to or from a trunk it has a line.
    pub fn enter(&mut self, line: Option<Line>) {
        let Some(line) = line else { return };
        *self.channels.entry(line.trunk).or_default() += 1;
        if let Some(by) = line.by {
            self.client.calls += 1;
            self.extensions.entry(by).or_default().calls += 1;
        }
    }

    /// A leg is over.
    pub fn leave(&mut self, now: Mono, line: Option<Line>) {
        let Some(line) = line else { return };
        if let Some(count) = self.channels.get_mut(&line.trunk) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.channels.remove(&line.trunk);
            }
        }
        let Some(by) = line.by else { return };
        self.client.calls = self.client.calls.saturating_sub(1);
        if let Some(owner) = self.extensions.get_mut(&by) {
            owner.calls = owner.calls.saturating_sub(1);
            if owner.calls == 0 && owner.begun_lately(now) == 0 {
                self.extensions.remove(&by);
            }
        }
    }

    /// Whether an alert shall be raised: each emergency call raises one, everything else at most
    /// one a minute.
    pub fn shall_alert(&mut self, now: Mono, cause: AlertCause) -> bool {
        let is_due = cause == AlertCause::Emergency
            || self.alerts.get(&cause).is_none_or(|last| now.since(*last) >= MINUTE);
        if is_due {
            self.alerts.insert(cause, now);
        }
        is_due
    }

    /// Legs to and from trunks, and calls of the client to the outside; for [`crate::check`].
    pub fn totals(&self) -> (u32, u32, u32) {
        let own = self.extensions.values().map(|owner| owner.calls).sum();
        (self.channels.values().sum(), self.client.calls, own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: ExtensionId = ExtensionId(1);
    const BOB: ExtensionId = ExtensionId(2);
    const LIMITS: OutsideLimits = OutsideLimits {
        calls: 3,
        calls_per_minute: 4,
        extension_calls: 2,
        extension_calls_per_minute: 3,
    };

    fn at(seconds: u64) -> Mono {
        Mono(0) + Duration::from_secs(seconds)
    }

    fn line(by: ExtensionId) -> Option<Line> {
        Some(Line { trunk: TrunkId(1), by: Some(by) })
    }

    fn may(calls: &OutsideCalls, now: Mono, by: ExtensionId) -> bool {
        calls.may_begin(now, by, (0, 0), &LIMITS).is_ok()
    }

    #[test]
    fn calls_at_a_time_have_a_bound_of_the_extension_and_of_the_client() {
        let mut calls = OutsideCalls::default();
        for by in [ANN, ANN] {
            assert!(may(&calls, at(1), by));
            calls.enter(line(by));
        }
        assert!(!may(&calls, at(1), ANN) && may(&calls, at(1), BOB));
        assert!(calls.may_begin(at(1), BOB, (0, 1), &LIMITS).is_err(), "one begins just now");
        assert!(calls.may_begin(at(1), BOB, (2, 0), &LIMITS).is_err(), "two of its own do");
        calls.enter(line(BOB));
        assert!(!may(&calls, at(1), BOB), "the client has three");
        calls.leave(at(1), line(ANN));
        assert!(may(&calls, at(1), BOB) && may(&calls, at(1), ANN));
        assert_eq!(calls.channels(TrunkId(1)), 2);
        calls.leave(at(1), line(ANN));
        calls.leave(at(1), line(BOB));
        assert_eq!(calls.totals(), (0, 0, 0));
    }

    #[test]
    fn a_minute_slides() {
        let mut calls = OutsideCalls::default();
        for second in [0, 20, 40] {
            assert!(may(&calls, at(second), ANN));
            calls.begins(at(second), ANN);
        }
        assert!(!may(&calls, at(59), ANN) && may(&calls, at(59), BOB));
        assert!(may(&calls, at(60), ANN), "the first is a minute ago");
        calls.begins(at(50), BOB);
        assert!(!may(&calls, at(59), BOB), "four of the client");
        assert!(may(&calls, at(60), BOB));
    }

    #[test]
    fn an_alert_is_raised_once_a_minute_and_for_each_emergency() {
        let mut calls = OutsideCalls::default();
        let limit = AlertCause::OutsideLimit;
        assert!(calls.shall_alert(at(0), limit) && !calls.shall_alert(at(59), limit));
        assert!(calls.shall_alert(at(0), AlertCause::OutsideNotAllowed), "another cause");
        assert!(calls.shall_alert(at(60), limit));
        let emergency = AlertCause::Emergency;
        assert!(calls.shall_alert(at(0), emergency) && calls.shall_alert(at(0), emergency));
    }
}
