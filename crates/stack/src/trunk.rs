//! A leg to a trunk: which host is tried next, and when. RFC 3263 4.2 and 4.3.
//!
//! The hosts of the trunk in their order, each with its addresses in theirs. The next one is tried
//! when one says 503, cannot be reached, or says nothing; every other answer is the trunk's answer
//! to the call. What failed lately comes last.

mod attempt;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use leg::{Dial, Diversion, Identity, LegEvent};
use model::{EndReason, Mono, Number, TenantId, Trunk, TrunkHost, TrunkId, TrunkTransport};
use sip::{Message, Method};

pub(crate) use self::attempt::next;
use self::attempt::{begin, hops, invite};
use crate::core::{LegKey, Turn};
use crate::dialog::{Far, Fate, Leg, Phase};
use crate::interface::{ConnectId, Flow, FlowId, LookupId, Site, Transport};
use crate::limits::{BAD_FOR, BAD_FOR_MAX, ROUTES_MAX, SILENCE};
use crate::login::{Login, Proof, credentials};
use crate::timers::{LegTimer, TimerId};
use crate::toward::Toward;
use crate::transaction::{Purpose, TransactionId, User};
use crate::uac::end_reason;
use crate::uas::same_ip;
use crate::ways::Waiter;

/// The trunk at the other end of a leg.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Which.
    pub(crate) trunk: TrunkId,
    /// The name that its TLS connection must be verified for.
    pub(crate) name: Option<Box<str>>,
    /// What it has asked of us.
    pub(crate) login: Option<Login>,
    /// The proof in the request that is being written.
    pub(crate) proof: Option<Proof>,
    /// What is left to try; until the call is answered.
    pub(crate) search: Option<Box<Search>>,
    /// Ends the wait for a name, a connection or a first response.
    pub(crate) timer: Option<TimerId>,
}

/// What is left to try.
#[derive(Debug)]
pub(crate) struct Search {
    /// The user part of the Request-URI.
    pub(crate) number: Number,
    /// Who is shown as calling.
    pub(crate) identity: Identity,
    /// Which number of ours has forwarded the call.
    pub(crate) diversion: Option<Diversion>,
    /// Max-Forwards of the INVITE.
    pub(crate) max_forwards: u8,
    transport: Transport,
    /// Hosts whose addresses were not looked at yet.
    hosts: VecDeque<TrunkHost>,
    /// Addresses of the host at hand.
    hops: VecDeque<Hop>,
    /// Addresses that failed lately.
    later: VecDeque<Hop>,
    tries: u8,
    /// The last 503 or 408.
    status: Option<u16>,
}

/// One address of a host.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    host: TrunkHost,
    remote: SocketAddr,
}

/// What a leg to a trunk waits for that has no INVITE on its way.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Its turn.
    Begin,
    /// The addresses of a host.
    Asking(LookupId, TrunkHost),
    /// A connection.
    Connecting(ConnectId, Hop),
}

impl Outside {
    /// A trunk that nothing is known of yet.
    pub(crate) fn new(trunk: TrunkId, search: Option<Search>) -> Outside {
        let search = search.map(Box::new);
        Outside { trunk, name: None, login: None, proof: None, search, timer: None }
    }

    /// The proof for a request inside the dialog, if the trunk has asked for one.
    pub(crate) fn prove(
        &mut self,
        turn: &mut Turn<'_>,
        tenant: TenantId,
        flow: &Flow,
        request: (&str, &str),
    ) -> Option<Proof> {
        let login = self.login.as_mut()?;
        let credentials = credentials(turn.core, tenant, self.trunk)?;
        login.prove(&mut turn.core.chance, &credentials, flow.remote.ip(), request)
    }
}

impl Search {
    /// All hosts of a trunk, from the first on.
    pub(crate) fn new(
        trunk: &Trunk,
        number: Number,
        (identity, diversion): (Identity, Option<Diversion>),
        max_forwards: u8,
    ) -> Search {
        let transport = match trunk.transport {
            TrunkTransport::Udp => Transport::Udp,
            TrunkTransport::Tcp => Transport::Tcp,
            TrunkTransport::Tls => Transport::Tls,
        };
        Search {
            number,
            identity,
            diversion,
            max_forwards,
            transport,
            hosts: trunk.hosts.iter().take(ROUTES_MAX).cloned().collect(),
            hops: VecDeque::new(),
            later: VecDeque::new(),
            tries: 0,
            status: None,
        }
    }
}

/// The exchange begins a leg to a trunk. `legs` are there already.
pub(crate) fn dial(
    turn: &mut Turn<'_>,
    key: LegKey,
    (id, number): (TrunkId, Number),
    dial: Dial,
    legs: usize,
) -> Option<Box<Leg>> {
    match begin(turn, key, (id, number), dial, legs) {
        Ok(mut leg) => match next(turn, &mut leg) {
            Fate::Lives => Some(leg),
            Fate::Over => {
                leg.clear(turn);
                None
            }
        },
        Err(reason) => {
            turn.tell(key, LegEvent::Ended { reason, status: None, elsewhere: false });
            None
        }
    }
}

/// The flow of a leg that has none yet.
pub(crate) fn nowhere() -> Flow {
    let unset = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
    Flow { id: FlowId::BY_ADDRESS, transport: Transport::Udp, local: unset, remote: unset }
}

/// The name that a new TLS connection to a trunk must be verified for, when the trunk has called
/// us and its connection is gone.
pub(crate) fn verified_name(turn: &Turn<'_>, id: TrunkId, flow: &Flow) -> Option<Box<str>> {
    let host = turn.core.directory.trunks.get(&id)?.hosts.first()?;
    (flow.transport == Transport::Tls).then(|| host.host.as_str().into())
}

/// An INVITE is on its way: the host has a while to say anything.
pub(crate) fn listen(turn: &mut Turn<'_>, leg: &mut Leg) {
    wait(turn, leg, SILENCE);
}

/// A leg that was read back begins its search anew, at once.
pub(crate) fn resume(turn: &mut Turn<'_>, leg: &mut Leg) {
    wait(turn, leg, Duration::ZERO);
}

/// The first response to an INVITE is there.
pub(crate) fn heard(turn: &mut Turn<'_>, leg: &mut Leg, status: u16) {
    stop(turn, leg);
    if matches!(leg.far, Far::Trunk(_)) && status != 503 {
        turn.core.bad.forgive(leg.flow.transport, leg.flow.remote);
    }
}

/// The call was answered: nothing is left to try.
pub(crate) fn found(turn: &mut Turn<'_>, leg: &mut Leg) {
    stop(turn, leg);
    if let Far::Trunk(outside) = &mut leg.far {
        outside.search = None;
    }
}

/// A name that the leg waits for was looked up.
pub(crate) fn resolved(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    lookup: LookupId,
    sites: Vec<Site>,
) -> Fate {
    let Phase::Seeking(Stage::Asking(asked, host)) = &leg.phase else { return Fate::Lives };
    if *asked != lookup {
        return Fate::Lives;
    }
    let hops = hops(turn, &host.clone(), sites);
    if let Some(search) = search(leg) {
        search.hops = hops;
    }
    next(turn, leg)
}

/// A connection that the leg waits for is there, or cannot be had.
pub(crate) fn connected(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    connect: ConnectId,
    flow: Option<Flow>,
) -> Fate {
    let Phase::Seeking(Stage::Connecting(asked, hop)) = &leg.phase else { return Fate::Lives };
    if *asked != connect {
        return Fate::Lives;
    }
    let hop = hop.clone();
    stop(turn, leg);
    match flow {
        Some(flow) => invite(turn, leg, &hop, flow),
        None => {
            distrust(turn, leg, hop.remote, BAD_FOR);
            next(turn, leg)
        }
    }
}

/// The wait of a leg to a trunk is over.
pub(crate) fn waited(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    if let Far::Trunk(outside) = &mut leg.far {
        outside.timer = None;
    }
    match &leg.phase {
        Phase::Seeking(Stage::Begin) => next(turn, leg),
        Phase::Seeking(Stage::Asking(lookup, _)) => {
            turn.core.names.forget(*lookup, leg.key);
            next(turn, leg)
        }
        Phase::Seeking(Stage::Connecting(connect, hop)) => {
            turn.core.ways.forget(*connect, Waiter::Leg(leg.key));
            let remote = hop.remote;
            distrust(turn, leg, remote, BAD_FOR);
            next(turn, leg)
        }
        Phase::Inviting(inviting) if !inviting.heard => {
            let id = inviting.transaction;
            if turn.by_datagram(Some(leg), id) {
                return Fate::Lives;
            }
            // Not sent again, lest two hosts ring; what it may still say is answered with CANCEL
            // or ACK and BYE.
            turn.core.transactions.stop_repeating(id, &mut turn.core.timers);
            turn.cancel(id, EndReason::Unreachable);
            failed(turn, leg, None)
        }
        // Ignored: the timer is stopped when the wait ends in another way.
        Phase::Inviting(_) | Phase::Invited(_) | Phase::Up(_) => Fate::Lives,
    }
}

/// The trunk has refused the INVITE.
pub(crate) fn refused(turn: &mut Turn<'_>, leg: &mut Leg, response: &Message, heard: bool) -> Fate {
    let status = response.status().unwrap_or(0);
    match status {
        // RFC 3263 4.3
        503 => failed(turn, leg, Some(response)),
        // Of a proxy in between that heard nothing either.
        408 if !heard => failed(turn, leg, Some(response)),
        _ => end(turn, leg, end_reason(status, heard), Some(status)),
    }
}

/// The host at hand does not take the call: the next one.
pub(crate) fn failed(turn: &mut Turn<'_>, leg: &mut Leg, response: Option<&Message>) -> Fate {
    let retry_after = response.and_then(|r| r.retry_after().ok().flatten());
    let asked = retry_after.map(|after| Duration::from_secs(after.seconds.into()));
    let time = asked.map_or(BAD_FOR, |t| t.min(BAD_FOR_MAX));
    let remote = leg.flow.remote;
    distrust(turn, leg, remote, time);
    if let Some(search) = search(leg) {
        search.status = response.and_then(Message::status).or(search.status);
    }
    next(turn, leg)
}

/// Nothing is left to try.
fn fail(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let status = search(leg).and_then(|s| s.status);
    let reason = status.map_or(EndReason::Unreachable, |s| end_reason(s, false));
    end(turn, leg, reason, status)
}

fn end(turn: &mut Turn<'_>, leg: &mut Leg, reason: EndReason, status: Option<u16>) -> Fate {
    turn.tell(leg.key, LegEvent::Ended { reason, status, elsewhere: false });
    Fate::Over
}

fn distrust(turn: &mut Turn<'_>, leg: &mut Leg, remote: SocketAddr, time: Duration) {
    let now: Mono = turn.now.mono;
    let transport = search(leg).map(|s| s.transport).unwrap_or(leg.flow.transport);
    turn.core.bad.add(now, transport, remote, time);
}

fn search(leg: &mut Leg) -> Option<&mut Search> {
    match &mut leg.far {
        Far::Trunk(outside) => outside.search.as_deref_mut(),
        Far::Phone { .. } => None,
    }
}

fn wait(turn: &mut Turn<'_>, leg: &mut Leg, time: Duration) {
    stop(turn, leg);
    let timer = leg.start(turn, time, LegTimer::Reach);
    if let Far::Trunk(outside) = &mut leg.far {
        outside.timer = Some(timer);
    }
}

/// Stops the wait, whatever it is for.
pub(crate) fn stop(turn: &mut Turn<'_>, leg: &mut Leg) {
    if let Far::Trunk(outside) = &mut leg.far {
        turn.core.timers.clear(&mut outside.timer);
    }
}

/// The leg is about to go: it waits for nothing any more.
pub(crate) fn clear(turn: &mut Turn<'_>, leg: &mut Leg) {
    stop(turn, leg);
    match &leg.phase {
        Phase::Seeking(Stage::Asking(lookup, _)) => turn.core.names.forget(*lookup, leg.key),
        Phase::Seeking(Stage::Connecting(connect, _)) => {
            turn.core.ways.forget(*connect, Waiter::Leg(leg.key));
        }
        Phase::Seeking(Stage::Begin) | Phase::Inviting(_) | Phase::Invited(_) | Phase::Up(_) => {}
    }
}

/// The leg goes, or has its answer: what comes of its INVITE is told to nobody, but a BYE that it
/// needs must bring the proof.
pub(crate) fn entrust(turn: &mut Turn<'_>, leg: &Leg, id: TransactionId) {
    let Some(login) = leg.login() else { return };
    let transaction = turn.core.transactions.get_mut(id);
    if let Some(toward) = transaction.and_then(|t| t.toward.as_mut()) {
        toward.login = Some(login.clone());
    }
}

/// Whether a trunk is at this address, as far as is known.
pub(crate) fn is_at(turn: &Turn<'_>, id: TrunkId, ip: IpAddr) -> bool {
    let Some(trunk) = turn.core.directory.trunks.get(&id) else { return false };
    trunk.hosts.iter().any(|host| {
        host.host.parse::<IpAddr>().is_ok_and(|own| same_ip(own, ip))
            || turn.core.names.addresses(&host.host).any(|a| same_ip(a.ip(), ip))
    })
}

pub(crate) fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
        Transport::Ws => 80,
        Transport::Wss => 443,
    }
}

impl Leg {
    /// What the trunk at the other end has asked of us.
    pub(crate) fn login(&self) -> Option<&Login> {
        match &self.far {
            Far::Trunk(outside) => outside.login.as_ref(),
            Far::Phone { .. } => None,
        }
    }

    /// The trunk at the other end has asked something of us.
    pub(crate) fn learn(&mut self, login: Login) {
        if let Far::Trunk(outside) = &mut self.far {
            outside.login = Some(login);
        }
    }

    /// What a transaction of this leg must know of its trunk.
    pub(crate) fn toward(&mut self, purpose: Purpose) -> Option<Box<Toward>> {
        let tenant = self.tenant();
        let Far::Trunk(outside) = &mut self.far else { return None };
        Some(Box::new(Toward {
            tenant,
            trunk: outside.trunk,
            name: outside.name.clone(),
            login: (purpose == Purpose::Bye).then(|| outside.login.clone()).flatten(),
            answers: 0,
            proof: outside.proof.take(),
            datagrams: None,
        }))
    }

    /// Sends a request of this leg in a client transaction.
    pub(crate) fn request(
        &mut self,
        turn: &mut Turn<'_>,
        flow: Flow,
        branch: &str,
        method: Method,
        purpose: Purpose,
        bytes: crate::Bytes,
    ) -> Option<TransactionId> {
        // Nobody waits for the answer to a BYE: its leg is gone.
        let user = if purpose == Purpose::Bye { User::Nobody } else { self.user() };
        match self.toward(purpose) {
            None => turn.request(flow, branch, method, purpose, user, bytes),
            Some(toward) => {
                turn.request_toward(flow, branch, (method, purpose, user), bytes, toward)
            }
        }
    }
}
