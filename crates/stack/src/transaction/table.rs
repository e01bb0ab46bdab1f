//! The running transactions.

use core::time::Duration;
use std::sync::Arc;

use leg::LegId;
use model::{EndReason, Mono, TenantId};
use slab::Slab;
use smallvec::SmallVec;

use super::{Action, Actions, Machine, Reliability, Timer};
use crate::fingerprint::{Fingerprint, Table};
use crate::interface::{Bytes, Flow};
use crate::timers::{self, TimerId, Timers};
use crate::toward::Toward;

/// Names a running transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionId(usize);

impl TransactionId {
    /// The lowest, where a range begins.
    pub(crate) const MIN: TransactionId = TransactionId(0);
}

/// What a transaction is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The INVITE that begins a leg.
    Invite,
    /// An INVITE inside a dialog.
    Reinvite,
    /// Ends a leg; nobody waits for its result.
    Bye,
    /// Cancels an INVITE; nobody waits for its result.
    Cancel,
    /// A digit.
    Info,
    /// Acknowledges a reliable provisional response.
    Prack,
    /// An offer in an UPDATE.
    Update,
    /// Keeps a session alive without an offer: UPDATE or OPTIONS.
    Refresh,
    /// Our registration with a trunk.
    Register,
    /// Tells how far what the REFER with this CSeq number asked for is.
    Referred(u32),
    /// Tells who watches something how it is.
    Notify,
    /// Some other request of a peer.
    Other,
}

/// Who is told what becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// A leg.
    Leg(TenantId, LegId),
    /// Nobody any more: its leg is gone.
    Nobody,
    /// Nobody, and the INVITE shall be cancelled as soon as RFC 3261 9.1 allows it.
    Cancelling {
        /// Why, which the CANCEL may say.
        reason: EndReason,
    },
}

/// What is known of an INVITE outside a dialog.
#[derive(Clone, Debug)]
pub(crate) struct Initial {
    /// Its Call-ID.
    pub(crate) call_id: Arc<str>,
    /// The fingerprint of it.
    pub(crate) call: Fingerprint,
    /// Under what copies that came another way are found (8.2.2.2).
    pub(crate) origin: Fingerprint,
}

/// One running transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// Under what it is found.
    pub(crate) key: Fingerprint,
    /// Its state.
    pub(crate) machine: Machine,
    /// Where it sends to.
    pub(crate) flow: Flow,
    /// The request of a client, the newest response of a server; while it may be sent again.
    pub(crate) message: Option<Bytes>,
    /// The ACKs of an INVITE client by the fingerprint of the To tag that they acknowledge.
    pub(crate) acks: Vec<(Fingerprint, Bytes)>,
    /// What it is about.
    pub(crate) purpose: Purpose,
    /// Who is told.
    pub(crate) user: User,
    /// What it is besides, if it is the server of an INVITE outside a dialog.
    pub(crate) initial: Option<Box<Initial>>,
    /// What it is besides, if it goes to a trunk.
    pub(crate) toward: Option<Box<Toward>>,
    repeat: Option<TimerId>,
    life: Option<TimerId>,
}

impl Transaction {
    /// A transaction in the first state of its machine, without timers.
    pub(crate) fn new(
        key: Fingerprint,
        machine: Machine,
        flow: Flow,
        purpose: Purpose,
        user: User,
    ) -> Transaction {
        Transaction {
            key,
            machine,
            flow,
            message: None,
            acks: Vec::new(),
            purpose,
            user,
            initial: None,
            toward: None,
            repeat: None,
            life: None,
        }
    }

    /// Whether its transport repeats what is lost.
    pub(crate) fn way(&self) -> Reliability {
        if self.flow.transport.is_reliable() {
            Reliability::Reliable
        } else {
            Reliability::Unreliable
        }
    }
}

/// All running transactions.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    running: Slab<Transaction>,
    by_key: Table<TransactionId>,
    by_origin: Table<TransactionId>,
    /// How many INVITEs outside a dialog have a Call-ID: a caller that was refused may try again
    /// with the same one.
    by_call: Table<u32>,
}

impl Transactions {
    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// The transaction under this key.
    pub(crate) fn find(&self, key: Fingerprint) -> Option<TransactionId> {
        self.by_key.get(&key).copied()
    }

    /// The initial INVITE with this From tag, Call-ID and CSeq, whatever way it came.
    pub(crate) fn find_origin(&self, origin: Fingerprint) -> Option<TransactionId> {
        self.by_origin.get(&origin).copied()
    }

    /// Adds a transaction.
    pub(crate) fn insert(&mut self, transaction: Transaction) -> TransactionId {
        let key = transaction.key;
        let initial = transaction.initial.as_ref().map(|i| (i.origin, i.call));
        let id = TransactionId(self.running.insert(transaction));
        self.by_key.insert(key, id);
        if let Some((origin, call)) = initial {
            self.by_origin.insert(origin, id);
            *self.by_call.entry(call).or_default() += 1;
        }
        id
    }

    /// One of them.
    pub(crate) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.running.get(id.0)
    }

    /// One of them, to change.
    pub(crate) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.running.get_mut(id.0)
    }

    /// Takes one out with its timers.
    pub(crate) fn remove(&mut self, id: TransactionId, timers: &mut Timers) -> Option<Transaction> {
        let mut gone = self.running.try_remove(id.0)?;
        timers.clear(&mut gone.repeat);
        timers.clear(&mut gone.life);
        if self.by_key.get(&gone.key) == Some(&id) {
            self.by_key.remove(&gone.key);
        }
        if let Some(initial) = &gone.initial {
            if self.by_origin.get(&initial.origin) == Some(&id) {
                self.by_origin.remove(&initial.origin);
            }
            if let Some(count) = self.by_call.get_mut(&initial.call) {
                *count -= 1;
                if *count == 0 {
                    self.by_call.remove(&initial.call);
                }
            }
        }
        Some(gone)
    }

    /// Whether an INVITE outside a dialog runs that has this Call-ID.
    pub(crate) fn has_call(&self, call: Fingerprint) -> bool {
        self.by_call.contains_key(&call)
    }

    /// Those of a user, in the order of their numbers.
    pub(crate) fn of(&self, user: User) -> SmallVec<[TransactionId; 4]> {
        self.running.iter().filter(|(_, t)| t.user == user).map(|(n, _)| TransactionId(n)).collect()
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TransactionId, &Transaction)> {
        self.running.iter().map(|(n, t)| (TransactionId(n), t))
    }

    /// Lets the machine of a transaction take a step; its timers follow at once, what else it
    /// wants is returned. The slot of a timer that has just run out is empty already.
    pub(crate) fn step(
        &mut self,
        id: TransactionId,
        now: Mono,
        timers: &mut Timers,
        step: impl FnOnce(Machine, Reliability, &mut Actions) -> Machine,
    ) -> Actions {
        let mut actions = Actions::new();
        let Some(transaction) = self.running.get_mut(id.0) else { return actions };
        transaction.machine = step(transaction.machine, transaction.way(), &mut actions);
        for action in &actions {
            match *action {
                Action::Start(timer, after) => transaction.start(id, now, timers, timer, after),
                Action::StopTimers => {
                    timers.clear(&mut transaction.repeat);
                    timers.clear(&mut transaction.life);
                }
                Action::Send
                | Action::Acknowledge
                | Action::Deliver
                | Action::Forget
                | Action::TimedOut
                | Action::Unreachable => {}
            }
        }
        actions
    }

    /// Starts a timer of a transaction from outside of its machine.
    pub(crate) fn start_timer(
        &mut self,
        id: TransactionId,
        now: Mono,
        timers: &mut Timers,
        timer: Timer,
        after: Duration,
    ) {
        if let Some(transaction) = self.running.get_mut(id.0) {
            transaction.start(id, now, timers, timer, after);
        }
    }

    /// A request shall not be sent again by itself.
    pub(crate) fn stop_repeating(&mut self, id: TransactionId, timers: &mut Timers) {
        if let Some(transaction) = self.running.get_mut(id.0) {
            timers.clear(&mut transaction.repeat);
        }
    }

    /// A timer of a transaction has run out: its slot is empty from now on.
    pub(crate) fn ran_out(&mut self, id: TransactionId, timer: Timer) {
        if let Some(transaction) = self.running.get_mut(id.0) {
            *transaction.slot(timer) = None;
        }
    }

    /// Whether tables, transactions and timers agree.
    pub(crate) fn check(&self, timers: &Timers) -> Result<(), String> {
        for (id, transaction) in self.iter() {
            if self.find(transaction.key) != Some(id) {
                return Err(format!("{id:?} is not found under its key"));
            }
            if transaction.machine.is_terminated() {
                return Err(format!("{id:?} is terminated and still there"));
            }
            for timer in [transaction.repeat, transaction.life].into_iter().flatten() {
                match timers.what(timer) {
                    Some(timers::Timer::Transaction(owner, _)) if owner == id => {}
                    other => return Err(format!("{id:?} names a timer of {other:?}")),
                }
            }
        }
        let origins = self.iter().filter(|(_, t)| t.initial.is_some()).count();
        if (self.by_key.len(), self.by_origin.len()) != (self.running.len(), origins) {
            return Err("a table of transactions holds more than the transactions".into());
        }
        Ok(())
    }
}

impl Transaction {
    fn slot(&mut self, timer: Timer) -> &mut Option<TimerId> {
        if timer.repeats() { &mut self.repeat } else { &mut self.life }
    }

    fn start(
        &mut self,
        id: TransactionId,
        now: Mono,
        timers: &mut Timers,
        timer: Timer,
        after: Duration,
    ) {
        let slot = self.slot(timer);
        timers.clear(slot);
        *slot = Some(timers.start(now, after, timers::Timer::Transaction(id, timer)));
    }

    /// How many timers it has running.
    pub(crate) fn timers(&self) -> usize {
        usize::from(self.repeat.is_some()) + usize::from(self.life.is_some())
    }
}
