//! What a handler of one input does with the endpoint: sends, answers, asks.

use leg::LegEvent;
use model::{EndReason, TenantId};
use sip::{Header, Message, Method, Reply, Writer};

use super::{LegKey, Told, Turn};
use crate::fingerprint::Fingerprint;
use crate::flows::FlowUser;
use crate::interface::{Bytes, Effect, Flow, FlowId};
use crate::limits;
use crate::reason;
use crate::registrar::{Around, Registrar};
use crate::toward::{Toward, is_unmade};
use crate::transaction::{
    Action, Actions, Initial, Machine, Purpose, Timer, Transaction, TransactionId, User, client,
    invite_client, invite_server, server,
};

impl Turn<'_> {
    /// Sends bytes.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes) {
        if flow.transport.is_reliable() && flow.id == FlowId::BY_ADDRESS {
            // A connection of an earlier run: its number may be another's by now.
            return;
        }
        let flow = self.core.resolved(flow);
        self.effects.push(Effect::Send { flow, bytes });
    }

    /// Tells the exchange.
    pub(crate) fn tell(&mut self, (tenant, leg): LegKey, event: LegEvent) {
        self.effects.push(Effect::Leg { tenant, leg, event });
    }

    /// The registrar of a tenant with what it needs.
    pub(crate) fn registrar(&mut self, tenant: TenantId) -> (&mut Registrar, Around<'_>) {
        let around = Around {
            now: self.now,
            tenant,
            timers: &mut self.core.timers,
            flows: &mut self.core.flows,
            effects: self.effects,
        };
        (self.core.registrars.entry(tenant).or_default(), around)
    }

    /// Begins a response; `tag` is ours, of a dialog or of an answer without state.
    pub(crate) fn response(
        &self,
        request: &Message,
        flow: &Flow,
        status: u16,
        tag: Option<&str>,
    ) -> Writer {
        let reply = Reply { status, reason: None, to_tag: tag, source: Some(flow.remote) };
        let mut writer = Writer::response_on(self.core.paper(), request, reply);
        if !self.core.config.product.is_empty() {
            writer.header(Header::Server, &self.core.config.product);
        }
        writer
    }

    /// Begins a server transaction for a request. `None`: no room, 503 was sent.
    pub(crate) fn accept(
        &mut self,
        request: &Message,
        flow: Flow,
        purpose: Purpose,
        user: User,
        initial: Option<Initial>,
    ) -> Option<TransactionId> {
        let name = request.method_name();
        let key = self.core.server_key(request, &name)?;
        let bound = match purpose {
            Purpose::Invite => limits::TRANSACTIONS_FOR_NEW_CALLS_MAX,
            _ => limits::TRANSACTIONS_MAX,
        };
        if self.core.transactions.len() >= bound {
            self.core.counters.bound_hit += 1;
            self.refuse(request, &flow, 503, |w| {
                w.header(Header::RetryAfter, limits::RETRY_AFTER_S);
            });
            return None;
        }
        let machine = if request.method() == Some(Method::Invite) {
            Machine::InviteServer(invite_server::State::Proceeding)
        } else {
            Machine::Server(server::State::Trying)
        };
        let way = self.reply_flow(request, &flow);
        let mut transaction = Transaction::new(key, machine, way, purpose, user);
        transaction.initial = initial.map(Box::new);
        Some(self.insert(transaction))
    }

    /// Adds a transaction to the table.
    pub(crate) fn insert(&mut self, transaction: Transaction) -> TransactionId {
        let flow = transaction.flow;
        let id = self.core.transactions.insert(transaction);
        self.core.flows.add(&flow, FlowUser::Transaction(id));
        id
    }

    /// Sends a response through its transaction.
    pub(crate) fn respond(&mut self, id: TransactionId, status: u16, bytes: Bytes) {
        if let Some(transaction) = self.core.transactions.get_mut(id) {
            transaction.message = Some(bytes);
        }
        self.step(id, None, |machine, way, actions| machine.respond(status, way, actions));
        // Over a reliable transport an answered request is over at once (17.2.2).
        self.sweep(id);
    }

    /// Answers a request that is complete with its answer: a server transaction only for copies.
    pub(crate) fn answer(
        &mut self,
        request: &Message,
        flow: &Flow,
        tag: Option<&str>,
        status: u16,
        more: impl FnOnce(&mut Writer),
    ) {
        let purpose = Purpose::Other;
        let Some(id) = self.accept(request, *flow, purpose, User::Nobody, None) else { return };
        let mut writer = self.response(request, flow, status, tag);
        more(&mut writer);
        let bytes = self.core.sealed(writer.finish());
        self.respond(id, status, bytes);
    }

    /// Sends a request in a client transaction. `None`: no room, it was sent once without.
    pub(crate) fn request(
        &mut self,
        flow: Flow,
        branch: &str,
        method: Method,
        purpose: Purpose,
        user: User,
        bytes: Bytes,
    ) -> Option<TransactionId> {
        self.begin_request(flow, branch, (method, purpose, user), bytes, None)
    }

    /// Sends a request in a client transaction; `toward`: to a trunk.
    pub(crate) fn begin_request(
        &mut self,
        flow: Flow,
        branch: &str,
        (method, purpose, user): (Method, Purpose, User),
        bytes: Bytes,
        toward: Option<Box<Toward>>,
    ) -> Option<TransactionId> {
        if self.core.transactions.len() >= limits::TRANSACTIONS_MAX {
            self.core.counters.bound_hit += 1;
            self.send(flow, bytes);
            return None;
        }
        let key = self.core.client_key(branch, method);
        // The machine begins in its first step; until then any state stands for it.
        let machine = if method == Method::Invite {
            Machine::InviteClient(invite_client::State::Terminated)
        } else {
            Machine::Client(client::State::Terminated)
        };
        let mut transaction = Transaction::new(key, machine, flow, purpose, user);
        transaction.message = Some(bytes);
        transaction.toward = toward;
        let id = self.insert(transaction);
        self.step(id, None, |machine, way, actions| match machine {
            Machine::InviteClient(_) => Machine::InviteClient(invite_client::begin(way, actions)),
            _ => Machine::Client(client::begin(way, actions)),
        });
        Some(id)
    }

    /// Lets a transaction take a step and carries out what it wants. `response` is the one at
    /// hand, which a client may have to acknowledge.
    pub(crate) fn step(
        &mut self,
        id: TransactionId,
        response: Option<&Message>,
        step: impl FnOnce(Machine, crate::transaction::Reliability, &mut Actions) -> Machine,
    ) -> Told {
        let core = &mut *self.core;
        let actions = core.transactions.step(id, self.now.mono, &mut core.timers, step);
        let mut told = Told::Nothing;
        for action in actions {
            match action {
                Action::Send => {
                    let transaction = self.core.transactions.get(id);
                    let what = transaction.map(|t| (t.flow, t.message.clone(), &t.toward));
                    match what {
                        Some((flow, _, Some(_))) if is_unmade(&flow) => self.ship(id),
                        Some((flow, Some(bytes), _)) => self.send(flow, bytes),
                        Some((_, None, _)) | None => {}
                    }
                }
                Action::Acknowledge => self.acknowledge(id, response),
                Action::Deliver => told = Told::Message,
                Action::TimedOut => told = Told::TimedOut,
                Action::Unreachable => told = Told::Unreachable,
                Action::Forget => {
                    // A trunk may ask for a proof, and the request is then made again.
                    let transaction = self.core.transactions.get_mut(id);
                    if let Some(transaction) = transaction.filter(|t| t.toward.is_none()) {
                        transaction.message = None;
                    }
                }
                Action::Start(..) | Action::StopTimers => {}
            }
        }
        told
    }

    /// Removes a transaction that is over; to be called when its user has been told.
    pub(crate) fn sweep(&mut self, id: TransactionId) {
        let over = self.core.transactions.get(id).is_some_and(|t| t.machine.is_terminated());
        if over {
            self.drop_transaction(id);
        }
    }

    /// Removes a transaction in whatever state.
    pub(crate) fn drop_transaction(&mut self, id: TransactionId) {
        let core = &mut *self.core;
        let Some(gone) = core.transactions.remove(id, &mut core.timers) else { return };
        core.flows.remove(&gone.flow, FlowUser::Transaction(id));
        if is_unmade(&gone.flow) {
            core.ways.forget_request(id);
        }
        if let Some(initial) = gone.initial
            && !self.core.transactions.has_call(initial.call)
        {
            self.effects.push(Effect::InviteGone { call_id: initial.call_id });
        }
    }

    /// The ACK to a final response above 299: made once, then repeated to the byte.
    pub(super) fn acknowledge(&mut self, id: TransactionId, response: Option<&Message>) {
        let Some(transaction) = self.core.transactions.get_mut(id) else { return };
        let flow = transaction.flow;
        let made = transaction.acks.first().map(|(_, ack)| ack.clone());
        let ack = made.or_else(|| {
            let invite = transaction.message.as_ref()?;
            let invite = Message::parse(invite.to_vec()).ok()?;
            let ack: Bytes = Writer::ack(&invite, response?).into();
            transaction.acks.push((Fingerprint(0), ack.clone()));
            Some(ack)
        });
        if let Some(ack) = ack {
            self.send(flow, ack);
        }
    }

    /// Cancels an INVITE that was sent, as RFC 3261 9.1 allows it: after a provisional response
    /// at once, before it as soon as one comes.
    pub(crate) fn cancel(&mut self, id: TransactionId, reason: EndReason) {
        let Some(transaction) = self.core.transactions.get_mut(id) else { return };
        transaction.user = User::Cancelling { reason };
        if transaction.machine == Machine::InviteClient(invite_client::State::Proceeding) {
            self.send_cancel(id, reason);
        }
    }

    /// Sends the CANCEL, once.
    pub(crate) fn send_cancel(&mut self, id: TransactionId, reason: EndReason) {
        let Some(transaction) = self.core.transactions.get_mut(id) else { return };
        transaction.user = User::Nobody;
        let flow = transaction.flow;
        let toward = transaction.toward.clone();
        let Some(invite) = transaction.message.clone() else { return };
        let Ok(invite) = Message::parse(invite.to_vec()) else { return };
        let mut writer = Writer::cancel(&invite);
        reason::write(&mut writer, Method::Cancel, reason);
        let branch = invite.top_via().ok().and_then(|v| v.branch).unwrap_or("").to_owned();
        let (now, timers) = (self.now.mono, &mut self.core.timers);
        let transactions = &mut self.core.transactions;
        transactions.start_timer(id, now, timers, Timer::Cancelled, limits::T1_64);
        let bytes = writer.finish().into();
        let what = (Method::Cancel, Purpose::Cancel, User::Nobody);
        self.begin_request(flow, &branch, what, bytes, toward);
    }

    /// A cancelled INVITE is over at the latest in 64 * T1 (9.1), whatever else comes of it.
    pub(crate) fn await_end(&mut self, id: TransactionId) {
        let (now, timers) = (self.now.mono, &mut self.core.timers);
        let transactions = &mut self.core.transactions;
        if transactions.get(id).is_some_and(|t| t.timers() == 0) {
            transactions.start_timer(id, now, timers, Timer::Cancelled, limits::T1_64);
        }
    }

    /// Sends the ACK of a 2xx again if this is a copy of one that was acknowledged.
    pub(crate) fn acknowledge_again(&mut self, id: TransactionId, message: &Message) -> bool {
        let acked = self.core.transactions.get(id).is_some_and(|t| !t.acks.is_empty());
        if !acked || !message.status().is_some_and(|s| (200..300).contains(&s)) {
            return false;
        }
        let tag = message.to_tag().unwrap_or("");
        let print = self.core.tag_key(tag);
        let Some(transaction) = self.core.transactions.get(id) else { return false };
        let ack = transaction.acks.iter().find(|(p, _)| *p == print);
        let Some((flow, ack)) = ack.map(|(_, ack)| (transaction.flow, ack.clone())) else {
            return false;
        };
        self.send(flow, ack);
        true
    }
}
