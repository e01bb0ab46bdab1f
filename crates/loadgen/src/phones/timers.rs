//! What the phones have to do later.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Round-trip estimate (RFC 3261 17.1.1.1).
pub(super) const T1: Duration = Duration::from_millis(500);
/// Longest gap between two retransmissions (RFC 3261 17.1.2.2).
pub(super) const T2: Duration = Duration::from_secs(4);
/// A request that nobody has answered by then has failed (timers B and F).
pub(super) const GIVE_UP: Duration = Duration::from_secs(32);

/// Something to do at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Begin the next call of the plan.
    Call,
    /// The caller of this call hangs up.
    HangUp(usize),
    /// Send the request of this transaction again (timers A and E).
    Request(u64),
    /// Send the 200 of this answered call again (RFC 3261 13.3.1.4).
    Answer(u64),
}

/// Timers in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Instant, Timer)>>);

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.0.push(Reverse((at, timer)));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one that is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse((_, timer))| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_order_and_not_early() {
        let mut timers = Timers::default();
        let now = Instant::now();
        timers.set(now + T2, Timer::Request(2));
        timers.set(now + T1, Timer::Request(1));
        assert_eq!(timers.due(now), None);
        assert_eq!(timers.due(now + T2), Some(Timer::Request(1)));
        assert_eq!(timers.due(now + T2), Some(Timer::Request(2)));
        assert_eq!(timers.due(now + T2), None);
    }
}
