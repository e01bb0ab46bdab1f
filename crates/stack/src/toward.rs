//! Requests to a trunk: what a transaction must know so that its request can be made again, with
//! a proof or on another transport.

use model::{TenantId, TrunkId};
use sip::{Header, Message, Method, Writer};

use crate::core::Turn;
use crate::dialog::{Leg, Phase};
use crate::interface::{Bytes, Effect, Flow, FlowId, Transport};
use crate::limits::{CHALLENGES_MAX, DATAGRAM_REQUEST_BYTES_MAX, NO_STREAM_FOR};
use crate::login::{Login, Proof, credentials};
use crate::tag;
use crate::transaction::{Machine, Purpose, Timer, TransactionId, User, client, invite_client};
use crate::trunk;
use crate::uas::same_ip;
use crate::ways::{Open, Waiter, Way};

/// The trunk's side of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Toward {
    /// Whose trunk.
    pub(crate) tenant: TenantId,
    /// Which.
    pub(crate) trunk: TrunkId,
    /// The name that a TLS connection must have been verified for.
    pub(crate) name: Option<Box<str>>,
    /// What the dialog has learned, for a request that outlives its leg.
    pub(crate) login: Option<Login>,
    /// Challenges to this request that were answered.
    pub(crate) answers: u8,
    /// The proof that the request carries: the ACK of its 2xx repeats it (22.1).
    pub(crate) proof: Option<Proof>,
    /// It is too large for this flow of datagrams and goes by TCP; if that is refused, it comes
    /// back here.
    pub(crate) datagrams: Option<Flow>,
}

/// Whether a flow is a connection that has to be made first.
pub(crate) fn is_unmade(flow: &Flow) -> bool {
    flow.transport.is_reliable() && flow.id == FlowId::BY_ADDRESS
}

impl Turn<'_> {
    /// Sends a request to a trunk: like [`Turn::request`], but a connection that is not there is
    /// made first, and what is too large for datagrams goes by TCP.
    pub(crate) fn request_toward(
        &mut self,
        flow: Flow,
        branch: &str,
        (method, purpose, user): (Method, Purpose, User),
        bytes: Bytes,
        mut toward: Box<Toward>,
    ) -> Option<TransactionId> {
        let stream = Flow { id: FlowId::BY_ADDRESS, transport: Transport::Tcp, ..flow };
        // 18.1.1
        let large = flow.transport == Transport::Udp
            && bytes.len() > DATAGRAM_REQUEST_BYTES_MAX
            && !self.core.bad.is(self.now.mono, Transport::Tcp, flow.remote);
        let (flow, bytes) = match Message::parse(bytes.to_vec()) {
            Ok(request) if large => {
                toward.datagrams = Some(flow);
                let via = self.core.via(&stream, branch);
                (stream, rewritten(&request, &sip::written(via), None, None).into())
            }
            _ => (flow, bytes),
        };
        self.begin_request(flow, branch, (method, purpose, user), bytes, Some(toward))
    }

    /// Sends what a transaction has to say on a connection that is there or is made now.
    pub(crate) fn ship(&mut self, id: TransactionId) {
        let Some(transaction) = self.core.transactions.get(id) else { return };
        let Flow { transport, remote, .. } = transaction.flow;
        let name = transaction.toward.as_ref().and_then(|t| t.name.clone());
        let way = Way { transport, remote, name };
        match self.core.ways.open(self.now.mono, &way, Waiter::Request(id)) {
            Open::There(flow) => self.shipped(id, flow),
            Open::Asked { connect, new: true } => self.effects.push(connecting(connect, way)),
            Open::Asked { new: false, .. } => {}
            Open::Full => {
                self.core.counters.bound_hit += 1;
                // As if nobody answered, at once.
                let life = match transaction.machine {
                    Machine::InviteClient(_) => Timer::B,
                    _ => Timer::F,
                };
                let (now, timers) = (self.now.mono, &mut self.core.timers);
                let after = core::time::Duration::ZERO;
                self.core.transactions.start_timer(id, now, timers, life, after);
            }
        }
    }

    /// The connection of a transaction is there.
    pub(crate) fn shipped(&mut self, id: TransactionId, flow: Flow) {
        let Some(transaction) = self.core.transactions.get_mut(id) else { return };
        let user = crate::flows::FlowUser::Transaction(id);
        let before = core::mem::replace(&mut transaction.flow, flow);
        let bytes = transaction.message.clone();
        self.core.flows.remove(&before, user);
        self.core.flows.add(&flow, user);
        if let Some(bytes) = bytes {
            self.send(flow, bytes);
        }
    }

    /// Makes the request of a transaction again, in a new one: with the next CSeq and a new branch
    /// (22.2). `leg` is its leg, if it has one.
    pub(crate) fn again(
        &mut self,
        leg: Option<&mut Leg>,
        id: TransactionId,
        flow: Flow,
        proof: Option<Proof>,
    ) -> Option<TransactionId> {
        let transaction = self.core.transactions.get_mut(id)?;
        let mut toward = transaction.toward.take()?;
        let (purpose, user) = (transaction.purpose, transaction.user);
        let request = Message::parse(transaction.message.as_ref()?.to_vec()).ok()?;
        // What still comes of the old one is nobody's.
        transaction.user = User::Nobody;
        let method = request.method()?;
        let key = self.core.key_of(toward.tenant)?;
        let branch = tag::new_branch(key, &mut self.core.chance);
        let via = self.core.via(&flow, &branch);
        let next = request.cseq().ok()?.number.saturating_add(1);
        let cseq = leg.as_ref().map_or(next, |leg| leg.cseq.saturating_add(1));
        let bytes = rewritten(&request, &sip::written(via), Some(cseq), proof.as_ref());
        toward.datagrams = None;
        if proof.is_some() {
            toward.proof = proof;
        }
        let what = (method, purpose, user);
        let new = self.request_toward(flow, &branch, what, bytes.into(), toward)?;
        if let Some(leg) = leg {
            leg.cseq = cseq;
            if let (Phase::Inviting(inviting), Purpose::Invite) = (&mut leg.phase, purpose) {
                inviting.transaction = new;
                inviting.heard = false;
                trunk::listen(self, leg);
            }
        }
        Some(new)
    }

    /// A 401 or 407 to a request to a trunk, from `source`: the request is made again with our
    /// proof. `false`: it is a refusal like any other.
    pub(crate) fn prove_again(
        &mut self,
        leg: Option<&mut Leg>,
        id: TransactionId,
        source: &Flow,
        response: &Message,
    ) -> bool {
        self.try_prove(leg, id, source, response).is_some()
    }

    fn try_prove(
        &mut self,
        mut leg: Option<&mut Leg>,
        id: TransactionId,
        source: &Flow,
        response: &Message,
    ) -> Option<TransactionId> {
        let transaction = self.core.transactions.get(id)?;
        let flow = transaction.flow;
        let toward = transaction.toward.as_ref()?;
        let (tenant, trunk, answers) = (toward.tenant, toward.trunk, toward.answers);
        // Only who was asked may ask back, and not for ever.
        let near = same_ip(source.remote.ip(), flow.remote.ip())
            && source.transport == flow.transport
            && (!flow.transport.is_reliable() || source.id == flow.id);
        if !near || answers >= CHALLENGES_MAX {
            return None;
        }
        let first = matches!(transaction.purpose, Purpose::Invite | Purpose::Register);
        let request = Message::parse(transaction.message.as_ref()?.to_vec()).ok()?;
        let known = match &leg {
            Some(leg) => leg.login(),
            None => toward.login.as_ref(),
        };
        // A dialog that began without a proof needs none later: who asks then may be the far end
        // behind the trunk, which must not learn anything about our password.
        if known.is_none() && !first {
            return None;
        }
        let mut login = Login::learn(known, source.remote.ip(), response)?;
        let credentials = credentials(self.core, tenant, trunk)?;
        let method = request.method_name();
        let uri = request.uri().ok()?.as_str().to_owned();
        let chance = &mut self.core.chance;
        let proof = login.prove(chance, &credentials, flow.remote.ip(), (&method, &uri))?;
        let transaction = self.core.transactions.get_mut(id)?;
        if let Some(toward) = &mut transaction.toward {
            toward.answers += 1;
            if leg.is_none() {
                toward.login = Some(login.clone());
            }
        }
        if let Some(leg) = leg.as_deref_mut() {
            leg.learn(login);
        }
        // What is too large for datagrams is measured anew.
        let flow = self.core.transactions.get(id)?.toward.as_ref()?.datagrams.unwrap_or(flow);
        self.again(leg, id, flow, Some(proof))
    }

    /// A request that went by TCP for its size found nobody there: it goes by UDP after all
    /// (18.1.1). `false`: it was no such request, or it was heard already.
    pub(crate) fn by_datagram(&mut self, leg: Option<&mut Leg>, id: TransactionId) -> bool {
        let Some(transaction) = self.core.transactions.get(id) else { return false };
        let unheard = matches!(
            transaction.machine,
            Machine::InviteClient(invite_client::State::Calling { .. })
                | Machine::Client(client::State::Trying { .. })
        );
        let Some(flow) = transaction.toward.as_ref().and_then(|t| t.datagrams) else {
            return false;
        };
        if !unheard {
            return false;
        }
        let now = self.now.mono;
        self.core.bad.add(now, Transport::Tcp, flow.remote, NO_STREAM_FOR);
        let sent = self.again(leg, id, flow, None).is_some();
        self.drop_transaction(id);
        sent
    }
}

/// The ACK of a 2xx carries the proof of its INVITE: 22.1.
pub(crate) fn repeat_proof(turn: &Turn<'_>, invite: TransactionId, ack: &mut Writer) {
    let transaction = turn.core.transactions.get(invite);
    if let Some((header, proof)) = transaction.and_then(|t| t.toward.as_ref()?.proof.as_ref()) {
        ack.header(*header, proof);
    }
}

/// What a request that follows from an INVITE must know of the trunk.
pub(crate) fn of(turn: &Turn<'_>, invite: TransactionId) -> Option<Box<Toward>> {
    let toward = turn.core.transactions.get(invite)?.toward.as_ref()?;
    Some(Box::new(Toward { answers: 0, proof: None, datagrams: None, ..(**toward).clone() }))
}

/// The wish for a connection.
pub(crate) fn connecting(connect: crate::interface::ConnectId, way: Way) -> Effect {
    Effect::Connect { connect, transport: way.transport, remote: way.remote, name: way.name }
}

/// A request once more: with another Via, another CSeq number and another proof, if there are
/// any. Everything else is as it was.
fn rewritten(request: &Message, via: &str, cseq: Option<u32>, proof: Option<&Proof>) -> Vec<u8> {
    let uri = request.uri().map(|u| u.as_str()).unwrap_or_default();
    redirected(request, (uri, None), via, cseq, proof)
}

/// The same to another Request-URI, and by another route if there is one.
pub(crate) fn redirected(
    request: &Message,
    (uri, routes): (&str, Option<&[Box<str>]>),
    via: &str,
    cseq: Option<u32>,
    proof: Option<&Proof>,
) -> Vec<u8> {
    let method = request.method().unwrap_or(Method::Other);
    let mut w = Writer::request(method, uri);
    let mut kind = None;
    for line in request.lines() {
        let value = String::from_utf8_lossy(line.value);
        match line.header {
            Header::Via => {
                w.header(Header::Via, via);
                for route in routes.unwrap_or_default() {
                    w.header(Header::Route, format_args!("<{route}>"));
                }
            }
            Header::Route if routes.is_some() => {}
            Header::CSeq => match cseq {
                Some(number) => {
                    w.header(Header::CSeq, format_args!("{number} {method}"));
                }
                None => {
                    w.header(Header::CSeq, value);
                }
            },
            Header::Authorization | Header::ProxyAuthorization if proof.is_some() => {}
            Header::ContentType => kind = Some(value.into_owned()),
            Header::ContentLength => {}
            Header::Other => {
                w.named(&String::from_utf8_lossy(line.name), value);
            }
            header => {
                w.header(header, value);
            }
        }
    }
    if let Some((header, value)) = proof {
        w.header(*header, value);
    }
    match kind {
        Some(kind) => w.finish_with(&kind, request.body()),
        None => w.finish(),
    }
}
