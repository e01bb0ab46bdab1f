//! What becomes of what was sent: timers, connections that close, names that are found.

use model::{EndReason, Now};
use sip::Message;

use super::Endpoint;
use crate::core::{LegKey, Told, Turn};
use crate::dialog::Fate;
use crate::flows::FlowUser;
use crate::interface::{Answer, ConnectId, Effect, Flow, FlowId, LookupId};
use crate::timers::{LegTimer, Timer};
use crate::toward::is_unmade;
use crate::transaction::{self, Machine, Purpose, TransactionId, User, invite_client};
use crate::ways::Waiter;
use crate::{enrol, in_dialog, trunk, watch};

impl Endpoint {
    pub(super) fn timer(&mut self, now: Now, timer: Timer, effects: &mut Vec<Effect>) {
        let mut turn = Turn { core: &mut self.core, now, effects };
        match timer {
            Timer::Transaction(id, transaction::Timer::B) if turn.core.is_invite(id) => {
                turn.core.transactions.ran_out(id, transaction::Timer::B);
                self.never_heard(now, id, effects);
            }
            Timer::Transaction(id, timer) => {
                turn.core.transactions.ran_out(id, timer);
                let told = turn.step(id, None, |m, way, actions| m.timer(timer, way, actions));
                self.after(now, id, told, effects);
            }
            Timer::Leg(tenant, leg, _) if turn.core.enrolments.contains_key(&(tenant, leg)) => {
                enrol::with(&mut turn, (tenant, leg), |turn, e| e.wake(turn));
            }
            Timer::Leg(tenant, leg, LegTimer::Watch) => {
                watch::with(&mut turn, (tenant, leg), |turn, watch| watch.wake(turn));
            }
            Timer::Leg(tenant, leg, timer) => {
                self.with_leg(now, (tenant, leg), effects, |turn, leg| {
                    in_dialog::timer(turn, leg, timer)
                });
            }
            Timer::Binding(tenant, device) => {
                let (registrar, mut around) = turn.registrar(tenant);
                registrar.remove(&mut around, device);
            }
        }
    }

    /// Nothing was heard of an INVITE outside a dialog in all its time (Timer B). The phone may
    /// ring all the same, when every response of its was lost; 9.1 allows no CANCEL before one,
    /// so that it cannot overtake its INVITE. Now no INVITE is on its way any more: a last CANCEL
    /// lets nobody ring for a call that is gone.
    pub(super) fn never_heard(&mut self, now: Now, id: TransactionId, effects: &mut Vec<Effect>) {
        let Some(transaction) = self.core.transactions.get(id) else { return };
        let (user, state, flow) = (transaction.user, transaction.machine, transaction.flow);
        let reason = match user {
            User::Leg(..) | User::Nobody => EndReason::Unreachable,
            User::Cancelling { reason } => reason,
        };
        if let User::Leg(tenant, leg) = user {
            self.with_leg(now, (tenant, leg), effects, |turn, leg| {
                in_dialog::unanswered(turn, leg, id, Purpose::Invite)
            });
        }
        let mut turn = Turn { core: &mut self.core, now, effects };
        let reached = !is_unmade(&flow);
        if !matches!(state, Machine::InviteClient(invite_client::State::Calling { .. })) {
            return;
        }
        if reached {
            turn.core.transactions.stop_repeating(id, &mut turn.core.timers);
            turn.send_cancel(id, reason);
        } else {
            // Nobody can ring, and no timer of it runs any more.
            turn.drop_transaction(id);
        }
    }

    /// Tells the user of a transaction that it has failed, and removes it if it is over.
    pub(super) fn after(
        &mut self,
        now: Now,
        id: TransactionId,
        told: Told,
        effects: &mut Vec<Effect>,
    ) {
        let transaction = self.core.transactions.get(id).map(|t| (t.user, t.purpose));
        let mut turn = Turn { core: &mut self.core, now, effects };
        turn.sweep(id);
        if let (Told::TimedOut | Told::Unreachable, Some((User::Leg(tenant, leg), purpose))) =
            (told, transaction)
        {
            if enrol::with(&mut turn, (tenant, leg), |turn, e| e.unanswered(turn)) {
                return;
            }
            if purpose == Purpose::Notify {
                watch::with(&mut turn, (tenant, leg), |_, _| watch::Goes::Away);
                return;
            }
            self.with_leg(now, (tenant, leg), effects, |turn, leg| {
                in_dialog::unanswered(turn, leg, id, purpose)
            });
        }
    }

    /// A connection is gone.
    pub(super) fn flow_closed(&mut self, now: Now, flow: FlowId, effects: &mut Vec<Effect>) {
        self.core.ways.closed(flow);
        let users = self.core.flows.of(flow);
        // Devices first: what looks for another way to a phone must not find this one. Then legs,
        // so that nothing more is sent on it; then transactions, whose users are told.
        for user in &users {
            if let FlowUser::Device(tenant, device) = *user {
                let mut turn = Turn { core: &mut self.core, now, effects };
                let (registrar, mut around) = turn.registrar(tenant);
                registrar.remove(&mut around, device);
            }
        }
        for user in &users {
            if let FlowUser::Leg(tenant, leg) = *user
                && let Some(leg) = self.legs.get_mut(&(tenant, leg))
            {
                self.core.flows.remove(&leg.flow, *user);
                leg.lost = true;
            }
        }
        for user in users {
            if let FlowUser::Transaction(id) = user {
                self.unreachable(now, id, effects);
            }
        }
        let mut turn = Turn { core: &mut self.core, now, effects };
        watch::flow_closed(&mut turn, flow);
        let keys: Vec<LegKey> = turn.core.enrolments.keys().copied().collect();
        for key in keys {
            enrol::with(&mut turn, key, |turn, e| e.flow_closed(turn, flow));
        }
    }

    /// The way of a transaction is gone, or could not be made.
    pub(super) fn unreachable(&mut self, now: Now, id: TransactionId, effects: &mut Vec<Effect>) {
        self.guarded(now, effects, |e, effects| {
            if e.by_datagram(now, id, effects) {
                return;
            }
            let mut turn = Turn { core: &mut e.core, now, effects };
            let told = turn.step(id, None, |m, way, actions| m.transport_error(way, actions));
            e.after(now, id, told, effects);
        });
    }

    /// A request that went by TCP for its size alone goes by UDP.
    pub(super) fn by_datagram(
        &mut self,
        now: Now,
        id: TransactionId,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(leg) = self.leg_toward(id) else { return false };
        let mut done = false;
        match leg {
            Some(key) => self.with_leg(now, key, effects, |turn, leg| {
                done = turn.by_datagram(Some(leg), id);
                Fate::Lives
            }),
            None => {
                let mut turn = Turn { core: &mut self.core, now, effects };
                done = turn.by_datagram(None, id);
            }
        }
        done
    }

    /// A trunk asks for a proof; `false`: it gets none, and the response is a refusal.
    pub(super) fn prove_again(
        &mut self,
        now: Now,
        id: TransactionId,
        source: Flow,
        message: &Message,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(leg) = self.leg_toward(id) else { return false };
        let mut done = false;
        match leg {
            Some(key) => self.with_leg(now, key, effects, |turn, leg| {
                done = turn.prove_again(Some(leg), id, &source, message);
                Fate::Lives
            }),
            None => {
                let mut turn = Turn { core: &mut self.core, now, effects };
                done = turn.prove_again(None, id, &source, message);
            }
        }
        done
    }

    /// The leg of a transaction to a trunk; a BYE has none. `None`: it goes to no trunk, or nobody
    /// wants it any more.
    pub(super) fn leg_toward(&self, id: TransactionId) -> Option<Option<LegKey>> {
        let transaction = self.core.transactions.get(id).filter(|t| t.toward.is_some())?;
        match (transaction.user, transaction.purpose) {
            (User::Leg(..), Purpose::Register) => Some(None),
            (User::Leg(tenant, leg), _) => {
                Some((tenant, leg)).filter(|key| self.legs.contains_key(key)).map(Some)
            }
            (User::Nobody, Purpose::Bye) => Some(None),
            (User::Nobody | User::Cancelling { .. }, _) => None,
        }
    }

    /// The name of a trunk was looked up.
    pub(super) fn resolved(
        &mut self,
        now: Now,
        lookup: LookupId,
        answer: Answer,
        effects: &mut Vec<Effect>,
    ) {
        let (waiting, sites) = self.core.names.answered(now.mono, lookup, answer);
        for key in waiting {
            let sites = sites.clone();
            self.guarded(now, effects, |e, effects| {
                if e.core.enrolments.contains_key(&key) {
                    let mut turn = Turn { core: &mut e.core, now, effects };
                    enrol::with(&mut turn, key, |turn, e| e.resolved(turn, lookup, sites));
                    return;
                }
                e.with_leg(now, key, effects, |turn, leg| {
                    trunk::resolved(turn, leg, lookup, sites)
                });
            });
        }
    }

    /// A connection to a trunk is there, or cannot be had.
    pub(super) fn connected(
        &mut self,
        now: Now,
        connect: ConnectId,
        flow: Option<Flow>,
        effects: &mut Vec<Effect>,
    ) {
        for waiter in self.core.ways.connected(now.mono, connect, flow) {
            match (waiter, flow) {
                (Waiter::Leg(key), _) => {
                    self.guarded(now, effects, |e, effects| {
                        if e.core.enrolments.contains_key(&key) {
                            let mut turn = Turn { core: &mut e.core, now, effects };
                            enrol::with(&mut turn, key, |turn, e| e.connected(turn, connect, flow));
                            return;
                        }
                        e.with_leg(now, key, effects, |turn, leg| {
                            trunk::connected(turn, leg, connect, flow)
                        });
                    });
                }
                (Waiter::Request(id), Some(flow)) => {
                    let user = self.core.transactions.get(id).map(|t| t.user);
                    let mut turn = Turn { core: &mut self.core, now, effects };
                    turn.shipped(id, flow);
                    if let Some(User::Leg(tenant, leg)) = user
                        && let Some(leg) = self.legs.get_mut(&(tenant, leg))
                        && leg.lost
                    {
                        leg.follow(&mut turn, flow);
                    }
                }
                (Waiter::Request(id), None) => self.unreachable(now, id, effects),
            }
        }
    }
}
