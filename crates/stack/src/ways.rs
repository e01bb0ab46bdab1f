//! The ways to trunks: connections that were asked for or are there, and hosts that failed.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use model::Mono;

use crate::core::LegKey;
use crate::interface::{ConnectId, Flow, FlowId, Transport};
use crate::limits::{BAD_HOPS_MAX, WAY_KEPT, WAYS_MAX};
use crate::transaction::TransactionId;

/// What makes two connections one: the name that the certificate was found good for is part of
/// it, so that no host gets what is meant for another on the same address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    /// How messages travel.
    pub(crate) transport: Transport,
    /// To where.
    pub(crate) remote: SocketAddr,
    /// The verified name; `None` but for TLS.
    pub(crate) name: Option<Box<str>>,
}

/// Who waits for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// A leg that wants to send its INVITE.
    Leg(LegKey),
    /// A transaction whose request is written.
    Request(TransactionId),
}

/// What is known at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// It is there.
    There(Flow),
    /// It is not there yet. `new`: it has to be asked for now, else it was asked for already.
    Asked {
        /// Under this number.
        connect: ConnectId,
        /// See above.
        new: bool,
    },
    /// There is no room for another.
    Full,
}

/// The ways of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    known: BTreeMap<Way, State>,
    asked: BTreeMap<ConnectId, Way>,
    /// Connections that are there, to find them when they close.
    there: BTreeMap<FlowId, Way>,
    last: u64,
}

#[derive(Debug)]
enum State {
    There { flow: Flow, since: Mono },
    Asked { connect: ConnectId, waiting: Vec<Waiter> },
}

impl Ways {
    /// The connection of a way, or who waits for it.
    pub(crate) fn open(&mut self, now: Mono, way: &Way, waiter: Waiter) -> Open {
        if !self.known.contains_key(way) && !self.make_room() {
            return Open::Full;
        }
        match self.known.get_mut(way) {
            Some(State::Asked { connect, waiting }) => {
                waiting.push(waiter);
                return Open::Asked { connect: *connect, new: false };
            }
            Some(State::There { flow, since })
                if way.transport.is_reliable() || now.since(*since) < WAY_KEPT =>
            {
                return Open::There(*flow);
            }
            Some(State::There { .. }) | None => {}
        }
        self.last += 1;
        let connect = ConnectId(self.last);
        let state = State::Asked { connect, waiting: vec![waiter] };
        self.known.insert(way.clone(), state);
        self.asked.insert(connect, way.clone());
        Open::Asked { connect, new: true }
    }

    /// A connection is there, or cannot be had: who waited.
    pub(crate) fn connected(
        &mut self,
        now: Mono,
        connect: ConnectId,
        flow: Option<Flow>,
    ) -> Vec<Waiter> {
        let Some(way) = self.asked.remove(&connect) else { return Vec::new() };
        let Some(State::Asked { waiting, .. }) = self.known.remove(&way) else {
            return Vec::new();
        };
        if let Some(flow) = flow {
            if way.transport.is_reliable() {
                self.there.insert(flow.id, way.clone());
            }
            self.known.insert(way, State::There { flow, since: now });
        }
        waiting
    }

    /// A connection is gone.
    pub(crate) fn closed(&mut self, flow: FlowId) {
        if let Some(way) = self.there.remove(&flow) {
            self.known.remove(&way);
        }
    }

    /// Someone waits no more.
    pub(crate) fn forget(&mut self, connect: ConnectId, waiter: Waiter) {
        let way = self.asked.get(&connect);
        if let Some(State::Asked { waiting, .. }) = way.and_then(|w| self.known.get_mut(w)) {
            waiting.retain(|w| *w != waiter);
        }
    }

    /// A request waits no more, for whatever it waited.
    pub(crate) fn forget_request(&mut self, id: TransactionId) {
        for way in self.asked.values() {
            if let Some(State::Asked { waiting, .. }) = self.known.get_mut(way) {
                waiting.retain(|w| *w != Waiter::Request(id));
            }
        }
    }

    /// Forgets a leg wherever it waits; slow, for a leg whose handling a defect ended.
    pub(crate) fn drop_leg(&mut self, leg: LegKey) {
        for state in self.known.values_mut() {
            if let State::Asked { waiting, .. } = state {
                waiting.retain(|w| *w != Waiter::Leg(leg));
            }
        }
    }

    /// All who wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Waiter> {
        self.known
            .values()
            .flat_map(|state| match state {
                State::Asked { waiting, .. } => waiting.as_slice(),
                State::There { .. } => &[],
            })
            .copied()
    }

    /// Lets the way of datagrams go that is oldest; connections stay until they close.
    fn make_room(&mut self) -> bool {
        if self.known.len() < WAYS_MAX {
            return true;
        }
        let of_datagrams = self.known.iter().filter_map(|(way, state)| match state {
            State::There { since, .. } if !way.transport.is_reliable() => Some((*since, way)),
            State::There { .. } | State::Asked { .. } => None,
        });
        let oldest = of_datagrams.min().map(|(_, way)| way.clone());
        oldest.is_some_and(|way| self.known.remove(&way).is_some())
    }
}

/// Hosts that failed lately: they are tried last.
#[derive(Debug, Default)]
pub(crate) struct Bad {
    until: BTreeMap<(Transport, SocketAddr), Mono>,
}

impl Bad {
    /// Remembers a host that failed.
    pub(crate) fn add(
        &mut self,
        now: Mono,
        transport: Transport,
        host: SocketAddr,
        time: Duration,
    ) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() >= BAD_HOPS_MAX {
            let soonest = self.until.iter().min_by_key(|(_, until)| **until).map(|(k, _)| *k);
            if let Some(soonest) = soonest {
                self.until.remove(&soonest);
            }
        }
        self.until.insert((transport, host), now + time);
    }

    /// Whether a host failed lately.
    pub(crate) fn is(&self, now: Mono, transport: Transport, host: SocketAddr) -> bool {
        self.until.get(&(transport, host)).is_some_and(|until| *until > now)
    }

    /// A host has answered.
    pub(crate) fn forgive(&mut self, transport: Transport, host: SocketAddr) {
        self.until.remove(&(transport, host));
    }
}

#[cfg(test)]
mod tests {
    use leg::LegId;
    use model::TenantId;

    use super::*;

    fn host(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], n))
    }

    fn way(transport: Transport, n: u16) -> Way {
        Way { transport, remote: host(n), name: None }
    }

    fn flow(id: u64, way: &Way) -> Flow {
        Flow { id: FlowId(id), transport: way.transport, local: host(1), remote: way.remote }
    }

    fn leg(n: u64) -> Waiter {
        Waiter::Leg((TenantId(1), LegId::outgoing(n)))
    }

    fn asks(ways: &mut Ways, now: u64, way: &Way, n: u64) -> ConnectId {
        match ways.open(Mono(now), way, leg(n)) {
            Open::Asked { connect, new: true } => connect,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_legs_share_one_connection_until_it_closes() {
        let mut ways = Ways::default();
        let way = way(Transport::Tcp, 5);
        let connect = asks(&mut ways, 0, &way, 1);
        assert_eq!(ways.open(Mono(1), &way, leg(2)), Open::Asked { connect, new: false });
        let flow = flow(7, &way);
        assert_eq!(ways.connected(Mono(2), connect, Some(flow)), [leg(1), leg(2)]);
        assert_eq!(ways.open(Mono(1 << 40), &way, leg(3)), Open::There(flow));
        ways.closed(FlowId(7));
        asks(&mut ways, 3, &way, 4);
    }

    #[test]
    fn another_verified_name_is_another_connection() {
        let mut ways = Ways::default();
        let one = Way { name: Some("a.example".into()), ..way(Transport::Tls, 5) };
        let two = Way { name: Some("b.example".into()), ..one.clone() };
        let connect = asks(&mut ways, 0, &one, 1);
        ways.connected(Mono(0), connect, Some(flow(7, &one)));
        asks(&mut ways, 0, &two, 2);
    }

    #[test]
    fn a_connection_that_cannot_be_had_leaves_nothing() {
        let mut ways = Ways::default();
        let way = way(Transport::Tcp, 5);
        let connect = asks(&mut ways, 0, &way, 1);
        ways.open(Mono(0), &way, leg(2));
        ways.forget(connect, leg(1));
        assert_eq!(ways.connected(Mono(1), connect, None), [leg(2)]);
        assert!(ways.known.is_empty() && ways.asked.is_empty());
        assert!(ways.connected(Mono(1), connect, None).is_empty(), "answered twice");
    }

    #[test]
    fn the_address_that_datagrams_leave_from_is_asked_for_now_and_then() {
        let mut ways = Ways::default();
        let way = way(Transport::Udp, 5);
        let connect = asks(&mut ways, 0, &way, 1);
        let flow = flow(7, &way);
        ways.connected(Mono(0), connect, Some(flow));
        let end = Mono(0) + WAY_KEPT;
        assert_eq!(ways.open(Mono(end.0 - 1), &way, leg(1)), Open::There(flow));
        asks(&mut ways, end.0, &way, 1);
    }

    #[test]
    fn ways_have_a_bound_and_old_datagram_ways_make_room() {
        let mut ways = Ways::default();
        let datagrams = way(Transport::Udp, 1);
        let connect = asks(&mut ways, 0, &datagrams, 0);
        ways.connected(Mono(0), connect, Some(flow(1, &datagrams)));
        for n in 0..u16::try_from(WAYS_MAX).unwrap() {
            asks(&mut ways, 1, &way(Transport::Tcp, n), 1);
        }
        assert_eq!(ways.open(Mono(2), &way(Transport::Tcp, 60_000), leg(1)), Open::Full);
        assert_eq!(ways.known.len(), WAYS_MAX);
    }

    #[test]
    fn a_bad_host_is_forgiven_in_time_and_the_table_has_a_bound() {
        let mut bad = Bad::default();
        bad.add(Mono(0), Transport::Udp, host(1), Duration::from_secs(30));
        assert!(bad.is(Mono(29_999_999), Transport::Udp, host(1)));
        assert!(!bad.is(Mono(30_000_000), Transport::Udp, host(1)));
        assert!(!bad.is(Mono(1), Transport::Tcp, host(1)));
        bad.forgive(Transport::Udp, host(1));
        assert!(!bad.is(Mono(1), Transport::Udp, host(1)));
        for n in 0..u16::try_from(BAD_HOPS_MAX).unwrap() + 10 {
            let time = Duration::from_secs(100 + u64::from(n));
            bad.add(Mono(0), Transport::Udp, host(n), time);
        }
        assert_eq!(bad.until.len(), BAD_HOPS_MAX);
        assert!(!bad.is(Mono(1), Transport::Udp, host(0)), "forgiven soonest");
    }
}
