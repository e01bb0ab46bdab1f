//! The one queue of everything in the endpoint that waits.

use core::time::Duration;
use std::collections::BTreeMap;

use leg::LegId;
use model::{DeviceId, Mono, TenantId};

use crate::transaction::{self, TransactionId};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A timer of RFC 3261 17.
    Transaction(TransactionId, transaction::Timer),
    /// A timer of a leg.
    Leg(TenantId, LegId, LegTimer),
    /// A registration runs out.
    Binding(TenantId, DeviceId),
}

/// The timers of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegTimer {
    /// Repeats the last provisional response: 13.3.1.1 wants one a minute.
    Provisional,
    /// Repeats our 2xx until its ACK comes: 13.3.1.4.
    Answer,
    /// Ends the wait for that ACK after 64 * T1: 13.3.1.4.
    AnswerLost,
    /// Ends the wait for the exchange's answer to an offer, so that the peer is not left alone.
    Offer,
    /// Makes an offer again after 491: 14.1.
    Glare,
    /// Ends the wait for a trunk's name, for a connection to it, or for its first response.
    Reach,
    /// Repeats a reliable provisional response until its PRACK comes: RFC 3262 3.
    Reliable,
    /// Ends the wait for that PRACK after 64 * T1: RFC 3262 3.
    ReliableLost,
    /// Refreshes the session, or ends it when nobody has: RFC 4028 10.
    Session,
    /// Ends the wait for the exchange's answer to the REFER with this CSeq number, then the time
    /// in which its sender hears of it: RFC 3515 2.4.7.
    Refer(u32),
    /// Ends the wait for the exchange's answer to a SUBSCRIBE, then the subscription.
    Watch,
    /// Shows the peer with whom it talks, after 491: RFC 3261 14.1.
    Display,
    /// Ends a call that came in and of which the exchange says nothing any more.
    Stalled,
}

/// Names a timer that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId {
    at: Mono,
    number: u32,
}

impl TimerId {
    /// When it is due.
    pub(crate) fn at(self) -> Mono {
        self.at
    }
}

/// All running timers by the moment at which they are due. Stopped ones leave nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<(Mono, u32), Timer>,
    next: u32,
}

impl Timers {
    /// Starts a timer.
    pub(crate) fn start(&mut self, now: Mono, after: Duration, timer: Timer) -> TimerId {
        let at = now + after;
        loop {
            let number = self.next;
            self.next = self.next.wrapping_add(1);
            // The number is taken only if 2^32 timers began since; then the next one is tried.
            if let std::collections::btree_map::Entry::Vacant(free) = self.queue.entry((at, number))
            {
                free.insert(timer);
                return TimerId { at, number };
            }
        }
    }

    /// Stops a timer; one that has run out already is no matter.
    pub(crate) fn stop(&mut self, id: TimerId) {
        self.queue.remove(&(id.at, id.number));
    }

    /// Stops the timer in a slot and empties the slot.
    pub(crate) fn clear(&mut self, slot: &mut Option<TimerId>) {
        if let Some(id) = slot.take() {
            self.stop(id);
        }
    }

    /// Stops all timers of a leg; slow, for a leg whose handling a defect ended.
    pub(crate) fn drop_leg(&mut self, (tenant, leg): (TenantId, LegId)) {
        self.queue.retain(|_, t| !matches!(t, Timer::Leg(t, l, _) if (*t, *l) == (tenant, leg)));
    }

    /// What a running timer is for.
    pub(crate) fn what(&self, id: TimerId) -> Option<Timer> {
        self.queue.get(&(id.at, id.number)).copied()
    }

    /// Takes out the next timer that is due.
    pub(crate) fn due(&mut self, now: Mono) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next one is due.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(n: u64) -> Timer {
        Timer::Binding(TenantId(1), DeviceId(n))
    }

    #[test]
    fn timers_come_out_in_the_order_of_their_moments() {
        let mut timers = Timers::default();
        for (after, n) in [(30, 3), (10, 1), (20, 2), (10, 4)] {
            timers.start(Mono(0), Duration::from_micros(after), binding(n));
        }
        assert_eq!(timers.deadline(), Some(Mono(10)));
        assert_eq!(timers.due(Mono(9)), None);
        let order: Vec<_> = core::iter::from_fn(|| timers.due(Mono(25))).collect();
        assert_eq!(order, [binding(1), binding(4), binding(2)]);
        assert_eq!(timers.deadline(), Some(Mono(30)));
    }

    #[test]
    fn a_stopped_timer_leaves_nothing() {
        let mut timers = Timers::default();
        let id = timers.start(Mono(0), Duration::from_secs(1), binding(1));
        assert_eq!(timers.what(id), Some(binding(1)));
        let mut slot = Some(id);
        timers.clear(&mut slot);
        timers.clear(&mut slot);
        assert_eq!((timers.len(), timers.deadline(), slot), (0, None, None));
    }
}
