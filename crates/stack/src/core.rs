//! What all parts of the endpoint share, and one turn of work on it.

use core::cell::Cell;
use core::net::SocketAddr;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leg::{LegEvent, LegId, Package};
use model::{Chance, Directory, EndReason, ExtensionId, Now, Number, TenantId, TenantKey};
use sip::{Header, Host, Line, Message, Method, Reply, Value, Writer};

use crate::counters::Counters;
use crate::enrol::Enrolment;
use crate::fingerprint::{Fingerprint, Fingerprints, Table};
use crate::flows::{FlowUser, FlowUsers};
use crate::interface::{Bytes, Config, Effect, Flow, FlowId};
use crate::limits;
use crate::names::Names;
use crate::nonce::Nonces;
use crate::reason;
use crate::registrar::{Around, Registrar};
use crate::timers::Timers;
use crate::toward::{Toward, is_unmade};
use crate::transaction::{
    Action, Actions, Initial, Machine, Purpose, Timer, Transaction, TransactionId, Transactions,
    User, client, invite_client, invite_server, server,
};
use crate::watch::Watch;
use crate::ways::{Bad, Ways};

/// Methods that we take, as Allow tells them.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER, REFER, SUBSCRIBE";
/// Event packages that are granted to somebody, as Allow-Events tells them.
pub(crate) const ALLOW_EVENTS: &str = "dialog, message-summary, refer";
/// Option tags that we understand, wherever a request may require them.
pub(crate) const OPTIONS: [&str; 5] = ["path", "100rel", "timer", "replaces", "norefersub"];
/// The same as Supported tells them.
pub(crate) const SUPPORTED: &str = "path, 100rel, timer, replaces, norefersub";
/// Those that a dialog may make use of.
pub(crate) const SUPPORTED_IN_DIALOG: &str = "100rel, timer, replaces, norefersub";

/// Names a leg on this endpoint.
pub(crate) type LegKey = (TenantId, LegId);

/// Everything of the endpoint but its legs.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) chance: Chance,
    pub(crate) directory: Arc<Directory>,
    pub(crate) timers: Timers,
    pub(crate) transactions: Transactions,
    pub(crate) flows: FlowUsers,
    pub(crate) prints: Fingerprints,
    pub(crate) nonces: Nonces,
    pub(crate) registrars: BTreeMap<TenantId, Registrar>,
    pub(crate) counters: Counters,
    /// Legs by the fingerprint of our tag.
    pub(crate) by_tag: Table<LegKey>,
    /// How many legs came in so far: the number of the next one.
    pub(crate) incoming: u64,
    /// INVITEs outside a dialog get 503.
    pub(crate) draining: bool,
    /// Where the names of trunks lead.
    pub(crate) names: Names,
    /// Connections to trunks.
    pub(crate) ways: Ways,
    /// Hosts of trunks that failed lately.
    pub(crate) bad: Bad,
    /// What messages are written in, one after the other.
    paper: Cell<Vec<u8>>,
    /// Tenants that live here.
    pub(crate) homes: BTreeSet<TenantId>,
    /// Phones that may call for help and nothing else.
    pub(crate) blocked: BTreeSet<(TenantId, ExtensionId)>,
    /// What is kept of their trunks besides calls.
    pub(crate) enrolments: BTreeMap<LegKey, Box<Enrolment>>,
    /// Subscriptions of phones.
    pub(crate) watches: BTreeMap<LegKey, Box<Watch>>,
    /// The same by the fingerprint of our tag.
    pub(crate) watch_tags: Table<LegKey>,
    /// The same by what is watched.
    pub(crate) lamps: BTreeMap<(TenantId, Package, Number), BTreeSet<LegKey>>,
    /// How many there were so far.
    pub(crate) subscribed: u64,
    /// Effects of loading, until the next input.
    pub(crate) queued: Vec<Effect>,
    /// Datagram sockets that a message was seen of, by their address.
    sockets: Vec<(SocketAddr, FlowId)>,
    /// Makes the next handling of a leg panic: what a defect would do.
    #[cfg(test)]
    pub(crate) trip: bool,
}

/// One turn: the shared parts, the moment, and where effects go.
pub(crate) struct Turn<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) now: Now,
    pub(crate) effects: &'a mut Vec<Effect>,
}

/// What the user of a transaction is to be told after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// The message at hand.
    Message,
    /// No answer came.
    TimedOut,
    /// The way to the peer is gone.
    Unreachable,
}

impl Core {
    /// Without legs, registrations and transactions.
    pub(crate) fn new(config: Config, mut chance: Chance) -> Core {
        Core {
            prints: Fingerprints::new(&mut chance),
            nonces: Nonces::new(&config.nonce_key),
            config,
            chance,
            directory: Arc::default(),
            timers: Timers::default(),
            transactions: Transactions::default(),
            flows: FlowUsers::default(),
            registrars: BTreeMap::new(),
            counters: Counters::default(),
            by_tag: Table::default(),
            incoming: 0,
            draining: false,
            names: Names::default(),
            ways: Ways::default(),
            bad: Bad::default(),
            paper: Cell::default(),
            homes: BTreeSet::new(),
            blocked: BTreeSet::new(),
            enrolments: BTreeMap::new(),
            watches: BTreeMap::new(),
            watch_tags: Table::default(),
            lamps: BTreeMap::new(),
            subscribed: 0,
            queued: Vec::new(),
            sockets: Vec::new(),
            #[cfg(test)]
            trip: false,
        }
    }

    /// An empty buffer to write a message in; comes back with [`Core::sealed`].
    pub(crate) fn paper(&self) -> Vec<u8> {
        self.paper.take()
    }

    /// A message that was written, to be sent as often as needed.
    pub(crate) fn sealed(&self, mut written: Vec<u8>) -> Bytes {
        let bytes = Bytes::from(written.as_slice());
        written.clear();
        self.paper.set(written);
        bytes
    }

    /// Notes the number of a datagram socket.
    pub(crate) fn see(&mut self, flow: &Flow) {
        if flow.transport.is_reliable() || flow.id == FlowId::BY_ADDRESS {
            return;
        }
        // A node listens on a handful of addresses; the bound is against its mistakes.
        let room = self.sockets.len() < 64;
        match self.sockets.iter_mut().find(|(local, _)| *local == flow.local) {
            Some((_, id)) => *id = flow.id,
            None if room => self.sockets.push((flow.local, flow.id)),
            None => {}
        }
    }

    /// The flow with the number of its socket, as far as that is known.
    fn resolved(&self, flow: Flow) -> Flow {
        if flow.id != FlowId::BY_ADDRESS {
            return flow;
        }
        let known = self.sockets.iter().find(|(local, _)| *local == flow.local);
        known.map_or(flow, |(_, id)| Flow { id: *id, ..flow })
    }

    /// The address that a peer on this flow reaches us at.
    pub(crate) fn address(&self, flow: &Flow) -> SocketAddr {
        let local = flow.local.ip();
        let public = self.config.public_address.and_then(|public| public.beside(local));
        SocketAddr::new(public.unwrap_or(local), flow.local.port())
    }

    /// Our Contact on a flow.
    pub(crate) fn contact<'a>(&self, flow: &Flow, tag: &'a str) -> impl Value + use<'a> {
        let (address, transport) = (self.address(flow), flow.transport);
        move |line: &mut Line<'_>| {
            line.value(["<sip:", tag, "@"]).host_port(address);
            if transport.is_reliable() {
                line.value([";transport=", transport.uri_parameter()]);
            }
            line.text(">");
        }
    }

    /// Our Via on a flow.
    pub(crate) fn via<'a>(&self, flow: &Flow, branch: &'a str) -> impl Value + use<'a> {
        let (address, transport) = (self.address(flow), flow.transport.as_str());
        move |line: &mut Line<'_>| {
            line.value(["SIP/2.0/", transport, " "]).host_port(address);
            line.value([";rport;branch=", branch]);
        }
    }

    /// What tags and branches of a tenant carry; `None`: the tenant has gone.
    pub(crate) fn key_of(&self, tenant: TenantId) -> Option<TenantKey> {
        self.directory.tenants.get(&tenant).map(|t| t.key)
    }

    /// Under what a client transaction is found: RFC 3261 17.1.3.
    pub(crate) fn client_key(&self, branch: &str, method: Method) -> Fingerprint {
        self.prints.of(&[b"client", branch.as_bytes(), method.as_str().as_bytes()])
    }

    /// Under what a server transaction is found: RFC 3261 17.2.3. `method` is INVITE for ACK and
    /// for what CANCEL looks for.
    pub(crate) fn server_key(&self, request: &Message, method: &str) -> Option<Fingerprint> {
        let via = request.top_via().ok()?;
        let (name, v4, v6);
        let host = match via.host {
            Host::Name(text) => {
                name = lower_case(text);
                name.as_bytes()
            }
            Host::V4(ip) => {
                v4 = ip.octets();
                &v4
            }
            Host::V6(ip) => {
                v6 = ip.octets();
                &v6[..]
            }
        };
        let port = via.port_or_default().to_be_bytes();
        if let Some(branch) = via.branch.filter(|_| via.has_rfc3261_branch()) {
            let kind = if via.host.ip().is_some() { b"server at" } else { b"server of" };
            let parts = [&kind[..], branch.as_bytes(), host, &port, method.as_bytes()];
            return Some(self.prints.of(&parts));
        }
        // Of before RFC 3261: the branch need not be unique. The To tag is left out, since an ACK
        // carries ours.
        let parts = [
            b"2543",
            request.call_id().ok()?.as_bytes(),
            request.from_tag().unwrap_or("").as_bytes(),
            &request.cseq().ok()?.number.to_be_bytes(),
            via.raw,
            method.as_bytes(),
        ];
        Some(self.prints.of(&parts))
    }

    /// Whether a transaction is of an INVITE of ours outside a dialog.
    pub(crate) fn is_invite(&self, id: TransactionId) -> bool {
        self.transactions.get(id).is_some_and(|t| t.purpose == Purpose::Invite)
    }

    /// What is to be known of an INVITE outside a dialog.
    pub(crate) fn initial(&self, request: &Message) -> Option<Initial> {
        let call_id = request.call_id().ok()?;
        Some(Initial {
            call_id: call_id.into(),
            call: self.prints.of(&[b"call", call_id.as_bytes()]),
            origin: self.origin_key(request)?,
        })
    }

    /// What makes two INVITEs one, whatever way they came: RFC 3261 8.2.2.2.
    pub(crate) fn origin_key(&self, request: &Message) -> Option<Fingerprint> {
        let cseq = request.cseq().ok()?.number.to_be_bytes();
        let from = request.from_tag().unwrap_or("");
        let call_id = request.call_id().ok()?;
        Some(self.prints.of(&[b"origin", call_id.as_bytes(), from.as_bytes(), &cseq]))
    }

    /// Under what a leg is found by our tag.
    pub(crate) fn tag_key(&self, tag: &str) -> Fingerprint {
        self.prints.of(&[b"tag", tag.as_bytes()])
    }
}

/// A host name as it is compared.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

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
    fn acknowledge(&mut self, id: TransactionId, response: Option<&Message>) {
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
