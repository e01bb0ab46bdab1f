//! Offer and answer inside a dialog: RFC 3264, RFC 3261 14, RFC 3311.
//!
//! The protocol is here: which message may carry which, who waits when both offer at once, which
//! version the o= line has. What is offered and answered is the exchange's.

use core::time::Duration;

use leg::{Direction, LegEvent, Session};
use model::EndReason;
use sip::sdp::{self, Description, OfferShape, Origin};
use sip::{Header, Message, Method, Writer, body};

use crate::core::{ALLOW, Turn};
use crate::dialog::{Fate, Leg, Phase, Unacked};
use crate::fingerprint::Fingerprint;
use crate::in_dialog::terminate;
use crate::interface::{Bytes, Flow};
use crate::limits::{GLARE_RETRIES_MAX, OFFER_WAIT, T1, T1_64};
use crate::timers::{LegTimer, TimerId};
use crate::transaction::{Purpose, TransactionId};

/// The media type of a session description.
pub(crate) const SDP: &str = "application/sdp";

/// What was offered and answered on a leg.
#[derive(Debug)]
pub(crate) struct Media {
    /// sess-id of our o= line.
    pub(crate) origin: u64,
    /// sess-version of our o= line as it was last sent; 0 before the first.
    pub(crate) version: u64,
    /// What our last description said, version included.
    pub(crate) print: Option<Fingerprint>,
    /// Our side as it was agreed.
    pub(crate) local: Option<Box<Session>>,
    /// The peer's side as it was agreed.
    pub(crate) remote: Option<Box<Session>>,
    /// The m= lines that both sides keep (RFC 3264 8).
    pub(crate) shape: Option<Box<OfferShape>>,
    /// The direction that we ourselves want, whatever the peer's hold made of it.
    pub(crate) own: Direction,
    /// What is going on.
    pub(crate) pending: Pending,
    /// What the exchange wants offered as soon as it can be; the newest wins.
    pub(crate) wanted: Option<Box<Session>>,
    /// How often the offer got 491.
    retries: u8,
}

/// What offer is under way.
#[derive(Debug)]
pub(crate) enum Pending {
    /// None.
    Idle,
    /// Ours, in a re-INVITE.
    Ours(Box<Session>),
    /// Ours, after 491.
    Waiting(TimerId, Box<Session>),
    /// The peer's, for which the exchange owes an answer.
    Theirs(Box<Theirs>),
}

/// An offer of the peer.
#[derive(Debug)]
pub(crate) struct Theirs {
    transaction: TransactionId,
    request: Message,
    source: Flow,
    description: Description,
    timer: TimerId,
}

impl Theirs {
    /// The transaction of the request that brought it.
    pub(crate) fn transaction(&self) -> TransactionId {
        self.transaction
    }
}

impl Media {
    /// Nothing was offered yet.
    pub(crate) fn new(origin: u64) -> Media {
        Media {
            // Signed 64-bit numbers and doubles are what peers keep it in.
            origin: origin >> 12,
            version: 0,
            print: None,
            local: None,
            remote: None,
            shape: None,
            own: Direction::SendRecv,
            pending: Pending::Idle,
            wanted: None,
            retries: 0,
        }
    }

    /// Our description as text. The version of its o= line rises exactly when it says something
    /// else than the one before (RFC 3264 8).
    pub(crate) fn describe(
        &mut self,
        turn: &Turn<'_>,
        flow: &Flow,
        session: &Session,
        shape: Option<&OfferShape>,
    ) -> Vec<u8> {
        let address = turn.core.address(flow).ip();
        let write = |version| {
            let origin = Origin { id: self.origin, version, address };
            match shape {
                Some(shape) => sdp::write_answer(session, shape, origin),
                None => sdp::write_offer(session, origin),
            }
        };
        let print = |text: &[u8]| turn.core.prints.of(&[b"sdp", text]);
        let same = write(self.version);
        if self.print == Some(print(&same)) {
            return same;
        }
        self.version += 1;
        let text = write(self.version);
        self.print = Some(print(&text));
        text
    }

    /// After loading: what our last description said, so that repeating it keeps its version.
    pub(crate) fn remember(&mut self, turn: &Turn<'_>, flow: &Flow) {
        let Some(local) = self.local.take() else { return };
        let shape = self.shape.take();
        let version = self.version.saturating_sub(1);
        self.print = None;
        let kept = core::mem::replace(&mut self.version, version);
        self.describe(turn, flow, &local, shape.as_deref());
        self.version = kept;
        self.local = Some(local);
        self.shape = shape;
    }

    /// The timer that runs, if one does.
    pub(crate) fn timer(&self) -> Option<TimerId> {
        match &self.pending {
            Pending::Waiting(timer, _) => Some(*timer),
            Pending::Theirs(theirs) => Some(theirs.timer),
            Pending::Idle | Pending::Ours(_) => None,
        }
    }

    /// Stops what runs.
    pub(crate) fn clear(&mut self, turn: &mut Turn<'_>) {
        match core::mem::replace(&mut self.pending, Pending::Idle) {
            Pending::Waiting(timer, _) => turn.core.timers.stop(timer),
            Pending::Theirs(theirs) => turn.core.timers.stop(theirs.timer),
            Pending::Idle | Pending::Ours(_) => {}
        }
    }
}

/// Why a message holds no session description that could be used, with the status owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadDescription {
    /// 400 or 488.
    pub(crate) status: u16,
}

/// The session description of a message; `None`: there is none.
pub(crate) fn description(message: &Message) -> Result<Option<Description>, BadDescription> {
    let Some(text) = body::session_description(message) else { return Ok(None) };
    match sdp::parse(text) {
        Ok(description) => Ok(Some(description)),
        Err(sdp::SdpError::Address) => Err(BadDescription { status: 488 }),
        Err(_) => Err(BadDescription { status: 400 }),
    }
}

/// An offer that holds audio which could be answered.
pub(crate) fn usable(description: Description) -> Result<Description, BadDescription> {
    if description.shape.audio.is_some() && description.session.port != 0 {
        Ok(description)
    } else {
        Err(BadDescription { status: 488 })
    }
}

/// The exchange offers a changed session.
pub(crate) fn offer(turn: &mut Turn<'_>, leg: &mut Leg, session: Box<Session>) -> Fate {
    leg.media.own = session.direction;
    match &mut leg.media.pending {
        Pending::Waiting(_, waiting) => *waiting = session,
        Pending::Idle | Pending::Ours(_) | Pending::Theirs(_) => leg.media.wanted = Some(session),
    }
    pump(turn, leg);
    Fate::Lives
}

/// Sends what is wanted if nothing is under way.
pub(crate) fn pump(turn: &mut Turn<'_>, leg: &mut Leg) {
    let free = matches!(leg.phase, Phase::Up(_))
        && leg.unacked.is_none()
        && matches!(leg.media.pending, Pending::Idle);
    if free && let Some(session) = leg.media.wanted.take() {
        leg.media.retries = 0;
        invite(turn, leg, session);
    }
}

/// Sends a re-INVITE with an offer.
fn invite(turn: &mut Turn<'_>, leg: &mut Leg, session: Box<Session>) {
    let sent = leg.way(turn).and_then(|flow| {
        let (writer, branch) = leg.begin(turn, &flow, Method::Invite)?;
        let shape = leg.media.shape.clone();
        let text = leg.media.describe(turn, &flow, &session, shape.as_deref());
        let bytes: Bytes = writer.finish_with(SDP, &text).into();
        leg.request(turn, flow, &branch, Method::Invite, Purpose::Reinvite, bytes)
    });
    match sent {
        Some(_) => leg.media.pending = Pending::Ours(session),
        // The connection is gone and the device has not come back: as if nobody had answered.
        None => turn.tell(leg.key, LegEvent::OfferRejected { status: 408 }),
    }
}

/// A response to our re-INVITE.
pub(crate) fn response(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    response: &Message,
) -> Fate {
    let status = response.status().unwrap_or(0);
    if status < 200 {
        return Fate::Lives;
    }
    let pending = core::mem::replace(&mut leg.media.pending, Pending::Idle);
    let Pending::Ours(session) = pending else {
        leg.media.pending = pending;
        return Fate::Lives;
    };
    match status {
        200..=299 => {
            acknowledge(turn, leg, id, response);
            let Ok(Some(theirs)) = description(response) else {
                return terminate(turn, leg, EndReason::ProtocolError, None);
            };
            leg.media.local = Some(session);
            leg.media.remote = Some(Box::new(theirs.session.clone()));
            turn.tell(leg.key, LegEvent::Answer(Box::new(theirs.session)));
        }
        // 14.1: both offered at once. Who made the Call-ID waits longer.
        491 if leg.media.retries < GLARE_RETRIES_MAX => {
            leg.media.retries += 1;
            let units = if leg.id().is_incoming() {
                turn.core.chance.below(201)
            } else {
                210 + turn.core.chance.below(191)
            };
            let timer = leg.start(turn, Duration::from_millis(10 * units), LegTimer::Glare);
            leg.media.pending = Pending::Waiting(timer, session);
            return Fate::Lives;
        }
        // 12.2.1.2: the peer knows the dialog no more.
        408 | 481 => return terminate(turn, leg, EndReason::TransportLost, Some(status)),
        _ => turn.tell(leg.key, LegEvent::OfferRejected { status }),
    }
    pump(turn, leg);
    Fate::Lives
}

/// The time to wait after 491 is over.
pub(crate) fn glare_over(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let pending = core::mem::replace(&mut leg.media.pending, Pending::Idle);
    match pending {
        Pending::Waiting(_, session) => invite(turn, leg, session),
        // Ignored: the timer is stopped when the wait ends in another way.
        other => leg.media.pending = other,
    }
    Fate::Lives
}

/// The ACK of a 2xx to our INVITE inside the dialog (13.2.2.4); the transaction keeps it for
/// copies of the 2xx.
fn acknowledge(turn: &mut Turn<'_>, leg: &mut Leg, id: TransactionId, response: &Message) {
    if let Some(target) = target(response)
        && let Some(peer) = leg.peer_mut()
    {
        peer.target = target;
    }
    let Ok(cseq) = response.cseq().map(|c| c.number) else { return };
    let tag = response.to().ok().and_then(|t| t.tag).unwrap_or("");
    let print = turn.core.tag_key(tag);
    let flow = leg.flow;
    let Some(key) = turn.core.key_of(leg.tenant()) else { return };
    let branch = crate::tag::new_branch(key, &mut turn.core.chance);
    let Some(peer) = leg.peer() else { return };
    let mut writer = leg.write(turn, &flow, peer, Method::Ack, cseq, &branch);
    crate::toward::repeat_proof(turn, id, &mut writer);
    let ack: Bytes = writer.finish().into();
    if let Some(transaction) = turn.core.transactions.get_mut(id) {
        transaction.acks.push((print, ack.clone()));
    }
    turn.send(flow, ack);
}

/// The Contact of a target refresh, if it can be used.
fn target(message: &Message) -> Option<Box<str>> {
    crate::dialog::uri(&message.contact().ok()??.uri).ok()
}

/// The peer's re-INVITE or UPDATE. Its CSeq was found right.
pub(crate) fn request(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: Flow,
    cell: &mut Option<Message>,
) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    let is_invite = message.method() == Some(Method::Invite);
    if let Some(status) = collision(turn, leg, message) {
        let wait_s = turn.core.chance.below(11);
        turn.answer(message, &flow, Some(&leg.tag), status, |w| {
            if status == 500 {
                // 14.2: a random wait of 0 to 10 seconds.
                w.header(Header::RetryAfter, wait_s);
            }
        });
        return Fate::Lives;
    }
    let offered = match description(message).and_then(|d| d.map(usable).transpose()) {
        Ok(offered) => offered,
        Err(bad) => {
            turn.answer(message, &flow, Some(&leg.tag), bad.status, |_| {});
            return Fate::Lives;
        }
    };
    if let Pending::Waiting(timer, session) =
        core::mem::replace(&mut leg.media.pending, Pending::Idle)
    {
        // The peer was first; ours follows when its offer is done.
        turn.core.timers.stop(timer);
        leg.media.wanted.get_or_insert(session);
    }
    let purpose = if is_invite { Purpose::Reinvite } else { Purpose::Other };
    let Some(id) = turn.accept(message, flow, purpose, leg.user(), None) else {
        return Fate::Lives;
    };
    refresh(leg, message);
    let same = |d: &Description| {
        leg.media.remote.as_deref() == Some(&d.session)
            && leg.media.shape.as_deref() == Some(&d.shape)
    };
    match offered {
        None if !is_invite => {
            let mut writer = turn.response(message, &flow, 200, Some(&leg.tag));
            writer.header(Header::Contact, turn.core.contact(&flow, &leg.tag));
            turn.respond(id, 200, writer.finish().into());
        }
        // 14.2: no offer, so ours is owed in the 2xx. It is what we have, in the direction that
        // we ourselves want: a peer that ends its hold so must not stay held.
        None => {
            let Some(mut session) = leg.media.local.clone() else { return Fate::Lives };
            session.direction = leg.media.own;
            let shape = leg.media.shape.clone();
            let text = leg.media.describe(turn, &flow, &session, shape.as_deref());
            leg.media.local = Some(session);
            let carries = Carries::Offer;
            succeed(turn, leg, id, message, flow, &text, carries);
        }
        // A refresh: answered as before, with the same version.
        Some(d) if same(&d) && leg.media.local.is_some() => {
            let Some(session) = leg.media.local.clone() else { return Fate::Lives };
            let text = leg.media.describe(turn, &flow, &session, Some(&d.shape));
            agree(turn, leg, id, message, flow, &text);
        }
        Some(description) => {
            let timer = leg.start(turn, OFFER_WAIT, LegTimer::Offer);
            let session = Box::new(description.session.clone());
            if let Some(request) = cell.take() {
                leg.media.pending = Pending::Theirs(Box::new(Theirs {
                    transaction: id,
                    request,
                    source: flow,
                    description,
                    timer,
                }));
                turn.tell(leg.key, LegEvent::Offer(session));
            }
        }
    }
    Fate::Lives
}

/// The status owed when an offer cannot be taken now: RFC 3261 14.2, RFC 3311 5.2.
fn collision(turn: &mut Turn<'_>, leg: &mut Leg, message: &Message) -> Option<u16> {
    let has_body = !message.body().is_empty();
    let is_invite = message.method() == Some(Method::Invite);
    if !is_invite && !has_body {
        return None;
    }
    if !matches!(leg.phase, Phase::Up(_)) {
        return Some(500);
    }
    match &leg.unacked {
        Some(unacked) if unacked.ending => return Some(481),
        Some(unacked) if unacked.offer => return Some(491),
        // The peer goes on, so our 2xx has arrived and only its ACK was lost.
        Some(_) if is_invite => {
            if leg.acknowledged(turn).is_some_and(|u| u.first) {
                turn.tell(leg.key, LegEvent::Acknowledged);
            }
        }
        Some(_) | None => {}
    }
    match &leg.media.pending {
        Pending::Ours(_) => Some(491),
        Pending::Theirs(_) => Some(500),
        Pending::Idle | Pending::Waiting(..) => None,
    }
}

/// 12.2.2: the remote target follows the peer's Contact.
fn refresh(leg: &mut Leg, message: &Message) {
    if let Some(target) = target(message)
        && let Some(peer) = leg.peer_mut()
    {
        peer.target = target;
    }
}

/// The exchange answers the peer's offer.
pub(crate) fn answer(turn: &mut Turn<'_>, leg: &mut Leg, session: Box<Session>) -> Fate {
    let Some(theirs) = take_theirs(turn, leg) else { return Fate::Lives };
    let Theirs { transaction, request, source, description, .. } = theirs;
    let text = leg.media.describe(turn, &source, &session, Some(&description.shape));
    leg.media.remote = Some(Box::new(description.session));
    leg.media.shape = Some(Box::new(description.shape));
    leg.media.local = Some(session);
    agree(turn, leg, transaction, &request, source, &text);
    pump(turn, leg);
    Fate::Lives
}

/// The exchange refuses the peer's offer, or was too slow.
pub(crate) fn reject(turn: &mut Turn<'_>, leg: &mut Leg, status: u16) -> Fate {
    let Some(theirs) = take_theirs(turn, leg) else { return Fate::Lives };
    let status = if (400..700).contains(&status) { status } else { 488 };
    let writer = turn.response(&theirs.request, &theirs.source, status, Some(&leg.tag));
    turn.respond(theirs.transaction, status, writer.finish().into());
    pump(turn, leg);
    Fate::Lives
}

/// The leg ends: an offer of the peer gets 487 (15.1.2), ours is not made any more.
pub(crate) fn abandon(turn: &mut Turn<'_>, leg: &mut Leg) {
    leg.media.wanted = None;
    reject(turn, leg, 487);
}

fn take_theirs(turn: &mut Turn<'_>, leg: &mut Leg) -> Option<Theirs> {
    match core::mem::replace(&mut leg.media.pending, Pending::Idle) {
        Pending::Theirs(theirs) => {
            turn.core.timers.stop(theirs.timer);
            Some(*theirs)
        }
        other => {
            leg.media.pending = other;
            None
        }
    }
}

/// The 2xx with our answer, to a re-INVITE or an UPDATE.
fn agree(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    request: &Message,
    flow: Flow,
    text: &[u8],
) {
    if request.method() == Some(Method::Invite) {
        succeed(turn, leg, id, request, flow, text, Carries::Answer);
    } else {
        let mut writer = turn.response(request, &flow, 200, Some(&leg.tag));
        writer.header(Header::Contact, turn.core.contact(&flow, &leg.tag));
        turn.respond(id, 200, writer.finish_with(SDP, text).into());
    }
}

/// What a 2xx carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// The answer to the peer's offer.
    Answer,
    /// Our offer.
    Offer,
}

/// The 2xx to an INVITE, repeated until its ACK comes: 13.3.1.4.
pub(crate) fn succeed(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    request: &Message,
    flow: Flow,
    text: &[u8],
    carries: Carries,
) {
    let mut writer: Writer = turn.response(request, &flow, 200, Some(&leg.tag));
    writer.header(Header::Contact, turn.core.contact(&flow, &leg.tag));
    writer.header(Header::Allow, ALLOW);
    let bytes: Bytes = writer.finish_with(SDP, text).into();
    turn.respond(id, 200, bytes.clone());
    leg.unacked = Some(Unacked {
        cseq: request.cseq().map(|c| c.number).unwrap_or(0),
        bytes,
        interval: T1,
        repeat: leg.start(turn, T1, LegTimer::Answer),
        lost: leg.start(turn, T1_64, LegTimer::AnswerLost),
        first: false,
        offer: carries == Carries::Offer,
        ending: false,
    });
}
