//! A leg that comes in: RFC 3261 13.3, 9.2.

use core::net::IpAddr;

use leg::{Capabilities, Dialled, Identity, Incoming, LegEvent, LegId, Origin, Session};
use model::{EndReason, ExtensionId, IdentityHeader, Number, Status, TenantId, TrunkId};
use sip::{Header, Message, Method, Uri};

use crate::core::{ALLOW, SUPPORTED_IN_DIALOG, Turn};
use crate::dialog::{self, Able, Far, Fate, Invited, Leg, Peer, Phase, Unusable};
use crate::display::Display;
use crate::flows::FlowUser;
use crate::interface::{Effect, Flow};
use crate::limits::{LEGS_MAX, PROVISIONAL_INTERVAL, STALLED};
use crate::offer::{self, Carries, Media};
use crate::refer::Refers;
use crate::reliable::Agreed;
use crate::replaces::Named;
use crate::session_timer::Timed;
use crate::timers::{LegTimer, Timer};
use crate::transaction::{Purpose, TransactionId, User};
use crate::trunk::{self, Outside};
use crate::{identity, owed, reason, reliable, session_timer, tag};

/// Who sent a request, proven by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    /// Whose phone.
    pub(crate) tenant: TenantId,
    /// Which.
    pub(crate) extension: ExtensionId,
    /// Blocked: it may call for help and nothing else.
    pub(crate) status: Status,
}

impl Proven {
    /// Whether it may send a request outside a dialog: one that is blocked may send INVITE. Whether
    /// that is a call for help is known where calls are routed.
    pub(crate) fn may_send(&self, request: &Message) -> bool {
        let may_be_for_help =
            request.method() == Some(Method::Invite) && !request.has(Header::Replaces);
        self.status == Status::Active || may_be_for_help
    }
}

/// Who sent an INVITE outside a dialog, and may.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A phone, proven by digest.
    Phone(Proven),
    /// A trunk, by where it calls from or what it calls.
    Trunk {
        /// Whose.
        tenant: TenantId,
        /// Which.
        trunk: TrunkId,
        /// The number that it calls.
        did: Box<str>,
    },
}

impl Caller {
    fn tenant(&self) -> TenantId {
        match self {
            Caller::Phone(proven) => proven.tenant,
            Caller::Trunk { tenant, .. } => *tenant,
        }
    }
}

/// An INVITE outside a dialog whose sender may call. `legs` are there already; `named` is whom it
/// wants to replace.
pub(crate) fn invite(
    turn: &mut Turn<'_>,
    caller: Caller,
    flow: Flow,
    cell: &mut Option<Message>,
    (legs, named): (usize, Named),
) -> Option<Box<Leg>> {
    let message = cell.as_ref()?;
    let initial = turn.core.initial(message)?;
    let call_id = initial.call_id.clone();
    let key = (caller.tenant(), LegId::incoming(turn.core.incoming));
    let (user, initial) = (User::Leg(key.0, key.1), Some(initial));
    // From here on everything goes through the transaction: the digest is used up, so a copy of
    // the INVITE must not come this far again.
    let id = turn.accept(message, flow, Purpose::Invite, user, initial)?;
    turn.core.incoming += 1;
    turn.effects.push(Effect::InviteTaken { tenant: key.0, call_id: call_id.clone() });
    let trusted = match &caller {
        Caller::Phone(_) => None,
        Caller::Trunk { trunk, .. } => turn.core.directory.trunks.get(trunk).map(|t| t.identity),
    };
    let read = read(turn, key.0, message, trusted, legs);
    let (read, replaces) = match read.and_then(|read| Ok((read, named.by_invite()?))) {
        Ok(read) => read,
        Err(status) => {
            fail(turn, key.0, id, message, &flow, status);
            return None;
        }
    };
    let trying = turn.response(message, &flow, 100, None);
    let trying = turn.core.sealed(trying.finish());
    turn.respond(id, 100, trying);
    let Read { peer, local, remote, dialled, identity, description, tag } = read;
    let (far, origin, device) = match caller {
        Caller::Phone(Proven { tenant, extension, .. }) => {
            let registrar = turn.core.registrars.get(&tenant);
            let device = registrar.and_then(|r| r.device_on(extension, &flow));
            (Far::Phone { extension, device }, Origin::Extension(extension), device)
        }
        Caller::Trunk { trunk, did, .. } => {
            let mut outside = Outside::new(trunk, None);
            outside.name = trunk::verified_name(turn, trunk, &flow);
            (Far::Trunk(Box::new(outside)), Origin::Trunk { trunk, did }, None)
        }
    };
    let mut media = Media::new(turn.core.chance.bits());
    let offer = description.map(|d| {
        media.shape = Some(Box::new(d.shape));
        Box::new(d.session)
    });
    media.remote.clone_from(&offer);
    let incoming = Incoming {
        origin,
        device,
        peer: flow.remote.ip(),
        dialled,
        identity,
        offer,
        capabilities: peer_capabilities(message),
        max_forwards: message.max_forwards().ok().flatten().unwrap_or(70),
        replaces,
    };
    let mut able = Able::default();
    able.learn(message);
    let request = Box::new(cell.take()?);
    let timer = Timer::Leg(key.0, key.1, LegTimer::Stalled);
    let stalled = turn.core.timers.start(turn.now.mono, STALLED, timer);
    let phase = Phase::Invited(Invited {
        request,
        source: flow,
        transaction: id,
        peer,
        provisional: None,
        stalled,
    });
    let leg = Box::new(Leg {
        key,
        far,
        call_id,
        tag,
        local,
        remote,
        flow,
        lost: false,
        cseq: 0,
        phase,
        unacked: None,
        media,
        able,
        reliable: None,
        timed: Timed::default(),
        refers: Refers::default(),
        keys: Default::default(),
        display: Display::default(),
    });
    turn.core.flows.add(&flow, FlowUser::Leg(key.0, key.1));
    let print = turn.core.tag_key(&leg.tag);
    turn.core.by_tag.insert(print, key);
    turn.tell(key, LegEvent::Incoming(Box::new(incoming)));
    Some(leg)
}

/// What an INVITE says.
struct Read {
    peer: Peer,
    local: Box<str>,
    remote: Box<str>,
    dialled: Dialled,
    identity: Identity,
    description: Option<sip::sdp::Description>,
    tag: Box<str>,
}

/// Reads an INVITE; the error is the status owed.
fn read(
    turn: &mut Turn<'_>,
    tenant: TenantId,
    message: &Message,
    trusted: Option<IdentityHeader>,
    legs: usize,
) -> Result<Read, u16> {
    if legs >= LEGS_MAX {
        turn.core.counters.bound_hit += 1;
        return Err(503);
    }
    // 16.3: it has come to a place that would send it on.
    if message.max_forwards().ok().flatten() == Some(0) {
        return Err(483);
    }
    let bad = |_: Unusable| 400u16;
    if session_timer::is_too_small(message) {
        return Err(422);
    }
    let peer = Peer::of(message).map_err(bad)?;
    dialog::token(message.call_id().map_err(|_| 400u16)?).map_err(bad)?;
    let from = message.from().map_err(|_| 400u16)?;
    let to = message.to().map_err(|_| 400u16)?;
    let dialled = dialled(message).ok_or(404u16)?;
    let description = offer::description(message)
        .and_then(|d| d.map(offer::usable).transpose())
        .map_err(|bad| bad.status)?;
    Ok(Read {
        peer,
        local: dialog::party(&to),
        remote: dialog::party(&from),
        dialled,
        identity: identity::read(message, trusted),
        description,
        tag: tag_for(turn.core, tenant).ok_or(500u16)?,
    })
}

/// A final response for an INVITE that does not become a leg.
fn fail(
    turn: &mut Turn<'_>,
    tenant: TenantId,
    id: TransactionId,
    message: &Message,
    flow: &Flow,
    status: u16,
) {
    if let Some(transaction) = turn.core.transactions.get_mut(id) {
        transaction.user = User::Nobody;
    }
    let tag = tag_for(turn.core, tenant);
    let mut writer = turn.response(message, flow, status, tag.as_deref());
    owed::write(&mut writer, status);
    let bytes = turn.core.sealed(writer.finish());
    turn.respond(id, status, bytes);
}

/// What was dialled: the user of the Request-URI, unescaped.
fn dialled(message: &Message) -> Option<Dialled> {
    let uri = message.uri().ok()?;
    let number = Number::parse(&uri.number()?).ok()?;
    let domain = uri.sip().map(|s| s.host.to_string().to_ascii_lowercase()).unwrap_or_default();
    Some(Dialled { number, domain })
}

pub(crate) fn peer_capabilities(message: &Message) -> Capabilities {
    Capabilities {
        update: message.has_token(Header::Allow, "UPDATE"),
        reliable_provisional: message.has_token(Header::Supported, "100rel")
            || message.has_token(Header::Require, "100rel"),
        reliable_required: message.has_token(Header::Require, "100rel"),
        replaces: message.has_token(Header::Supported, "replaces"),
        info: message.has_token(Header::Allow, "INFO"),
    }
}

/// The exchange lets it ring: 180, or 183 with early media.
pub(crate) fn ring(turn: &mut Turn<'_>, leg: &mut Leg, early: Option<Box<Session>>) -> Fate {
    let Phase::Invited(invited) = &mut leg.phase else { return Fate::Lives };
    turn.core.timers.stop(invited.stalled);
    let timer = Timer::Leg(leg.key.0, leg.key.1, LegTimer::Stalled);
    invited.stalled = turn.core.timers.start(turn.now.mono, STALLED, timer);
    if reliable::is_wanted(leg, &early) {
        return reliable::ring(turn, leg, early);
    }
    let Phase::Invited(invited) = &leg.phase else { return Fate::Lives };
    // Early media is an answer: there must have been an offer.
    let early = early.zip(leg.media.shape.clone());
    let status = if early.is_some() { 183 } else { 180 };
    let (source, id) = (invited.source, invited.transaction);
    let mut writer = turn.response(&invited.request, &source, status, Some(&leg.tag));
    writer.header(Header::Contact, turn.core.contact(&source, &leg.tag));
    writer.header(Header::Allow, ALLOW);
    writer.header(Header::Supported, SUPPORTED_IN_DIALOG);
    let bytes: crate::Bytes = match early {
        Some((session, shape)) => {
            let text = leg.media.describe(turn, &source, &session, Some(&shape));
            leg.media.own = session.direction;
            leg.media.local = Some(session);
            turn.core.sealed(writer.finish_with(offer::SDP, &text))
        }
        None => turn.core.sealed(writer.finish()),
    };
    turn.respond(id, status, bytes.clone());
    keep_ringing(turn, leg, bytes);
    Fate::Lives
}

/// 13.3.1.1: the newest provisional response is sent again before a proxy gives up. A reliable one
/// was acknowledged, so that another takes its place.
pub(crate) fn still_ringing(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let Phase::Invited(invited) = &mut leg.phase else { return Fate::Lives };
    let Some((bytes, _)) = invited.provisional.take() else { return Fate::Lives };
    let id = invited.transaction;
    match &leg.reliable {
        None => {
            turn.respond(id, 180, bytes.clone());
            keep_ringing(turn, leg, bytes);
            Fate::Lives
        }
        Some(reliable) if reliable.open.is_none() => reliable::ring(turn, leg, None),
        Some(_) => {
            keep_ringing(turn, leg, bytes);
            Fate::Lives
        }
    }
}

/// Notes the newest provisional response, which is repeated in a minute.
pub(crate) fn keep_ringing(turn: &mut Turn<'_>, leg: &mut Leg, bytes: crate::Bytes) {
    let timer = leg.start(turn, PROVISIONAL_INTERVAL, LegTimer::Provisional);
    if let Phase::Invited(invited) = &mut leg.phase
        && let Some((_, before)) = invited.provisional.replace((bytes, timer))
    {
        turn.core.timers.stop(before);
    }
}

/// The exchange answers.
pub(crate) fn answer(turn: &mut Turn<'_>, leg: &mut Leg, session: Box<Session>) -> Fate {
    if !matches!(leg.phase, Phase::Invited(_)) {
        return Fate::Lives;
    }
    let Some(session) = reliable::hold_answer(leg, session) else { return Fate::Lives };
    let Phase::Invited(invited) = &mut leg.phase else { return Fate::Lives };
    turn.core.timers.stop(invited.stalled);
    if let Some((_, timer)) = invited.provisional.take() {
        turn.core.timers.stop(timer);
    }
    let up = Phase::Up(core::mem::take(&mut invited.peer));
    let Phase::Invited(invited) = core::mem::replace(&mut leg.phase, up) else {
        return Fate::Lives;
    };
    let (id, source) = (invited.transaction, invited.source);
    let agreed = leg.reliable.as_ref().is_some_and(|r| r.agreed == Agreed::Yes);
    if let Some(reliable) = &mut leg.reliable {
        // RFC 3262 3: what is not acknowledged is not repeated any more.
        reliable.stop(turn);
    }
    let (text, carries) = if agreed {
        // 13.2.1: both have described themselves already.
        (None, Carries::Nothing)
    } else {
        let shape = leg.media.shape.take();
        let text = leg.media.describe(turn, &source, &session, shape.as_deref());
        leg.media.shape = shape;
        leg.media.own = session.direction;
        leg.media.local = Some(session);
        let is_answer = leg.media.remote.is_some();
        (Some(text), if is_answer { Carries::Answer } else { Carries::Offer })
    };
    offer::succeed(turn, leg, id, &invited.request, source, text.as_deref(), carries);
    if let Some(unacked) = &mut leg.unacked {
        unacked.first = true;
    }
    Fate::Lives
}

/// The exchange refuses.
pub(crate) fn refuse(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    reason: EndReason,
    retry_after_s: Option<u32>,
) -> Fate {
    offer::abandon(turn, leg);
    let Phase::Invited(invited) = &leg.phase else { return Fate::Lives };
    let status = reason.sip_status();
    let mut writer = turn.response(&invited.request, &invited.source, status, Some(&leg.tag));
    match retry_after_s {
        Some(seconds) => {
            writer.header(Header::RetryAfter, seconds);
        }
        None => owed::write(&mut writer, status),
    }
    finish(turn, invited, status, writer);
    Fate::Over
}

/// The leg cannot go on before it was answered: a final response, and the exchange is told.
pub(crate) fn fail_leg(turn: &mut Turn<'_>, leg: &mut Leg, status: u16, reason: EndReason) -> Fate {
    offer::abandon(turn, leg);
    let Phase::Invited(invited) = &leg.phase else { return Fate::Lives };
    let mut writer = turn.response(&invited.request, &invited.source, status, Some(&leg.tag));
    owed::write(&mut writer, status);
    finish(turn, invited, status, writer);
    turn.tell(leg.key, LegEvent::Ended { reason, status: None, elsewhere: false });
    Fate::Over
}

/// The caller gave up, by CANCEL or BYE: 487, RFC 3261 9.2.
pub(crate) fn cancelled(turn: &mut Turn<'_>, leg: &mut Leg, request: &Message) -> Fate {
    offer::abandon(turn, leg);
    let Phase::Invited(invited) = &leg.phase else { return Fate::Lives };
    let writer = turn.response(&invited.request, &invited.source, 487, Some(&leg.tag));
    finish(turn, invited, 487, writer);
    let (status, elsewhere) = (reason::status(request), reason::answered_elsewhere(request));
    turn.tell(leg.key, LegEvent::Ended { reason: EndReason::Cancelled, status, elsewhere });
    Fate::Over
}

fn finish(turn: &mut Turn<'_>, invited: &Invited, status: u16, writer: sip::Writer) {
    if let Some(transaction) = turn.core.transactions.get_mut(invited.transaction) {
        transaction.user = User::Nobody;
    }
    let bytes = turn.core.sealed(writer.finish());
    turn.respond(invited.transaction, status, bytes);
}

/// Whether two addresses are one, however the socket shows them.
pub(crate) fn same_ip(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}

/// Whether a digest was computed for this Request-URI. Port and parameters are left out, since
/// phones differ there; what counts is who or what is meant.
pub(crate) fn same_target(digest: &str, request: &Uri<'_>) -> bool {
    match (Uri::parse(digest), request) {
        (Ok(Uri::Sip(a)), Uri::Sip(b)) => a.user() == b.user() && a.host == b.host,
        (Ok(a), b) => a.equals(b),
        (Err(_), _) => false,
    }
}

/// Makes the tag for a leg of a tenant.
pub(crate) fn tag_for(core: &mut crate::core::Core, tenant: TenantId) -> Option<Box<str>> {
    let key = core.key_of(tenant)?;
    Some(tag::new_tag(key, &mut core.chance))
}
