//! Offer and answer inside a dialog: RFC 3264, RFC 3261 14, RFC 3311.
//!
//! The protocol is here: which message may carry which, who waits when both offer at once, which
//! version the o= line has. What is offered and answered is the exchange's.

mod theirs;

use leg::{Direction, LegEvent, Session};
use model::EndReason;
use sip::sdp::{self, Description, OfferShape, Origin};
use sip::{Message, Method, body};

pub(crate) use self::theirs::{Carries, abandon, answer, reject, request, succeed};
use crate::core::Turn;
use crate::dialog::{Fate, Leg, Phase};
use crate::fingerprint::Fingerprint;
use crate::in_dialog::terminate;
use crate::interface::{Bytes, Flow};
use crate::limits::{GLARE_RETRIES_MAX, REINVITE_WAIT};
use crate::timers::{LegTimer, TimerId};
use crate::transaction::{Purpose, Timer, TransactionId};
use crate::{display, early, glare, reliable, session_timer};

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
    /// Ours, in a re-INVITE or an UPDATE.
    Ours(Box<Session>, Cause),
    /// Ours, after 491.
    Waiting(TimerId, Box<Session>),
    /// The peer's, for which the exchange owes an answer.
    Theirs(Box<Theirs>),
}

/// Why we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The exchange wants it.
    Exchange,
    /// The session must be refreshed; the exchange hears of it only if something changed.
    Refresh,
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
        if let Some(last) = self.print {
            let same = write(self.version);
            if last == print(&same) {
                return same;
            }
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
            Pending::Idle | Pending::Ours(..) => None,
        }
    }

    /// Stops what runs.
    pub(crate) fn clear(&mut self, turn: &mut Turn<'_>) {
        match core::mem::replace(&mut self.pending, Pending::Idle) {
            Pending::Waiting(timer, _) => turn.core.timers.stop(timer),
            Pending::Theirs(theirs) => turn.core.timers.stop(theirs.timer),
            Pending::Idle | Pending::Ours(..) => {}
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
        Pending::Idle | Pending::Ours(..) | Pending::Theirs(_) => {
            leg.media.wanted = Some(session);
        }
    }
    pump(turn, leg);
    Fate::Lives
}

/// Sends what is wanted if nothing is under way.
pub(crate) fn pump(turn: &mut Turn<'_>, leg: &mut Leg) {
    if is_free(leg)
        && let Some(session) = leg.media.wanted.take()
    {
        leg.media.retries = 0;
        propose(turn, leg, session, Cause::Exchange);
    }
    display::pump(turn, leg);
}

/// Whether an offer of ours may go out now.
pub(crate) fn is_free(leg: &Leg) -> bool {
    let open = match &leg.phase {
        Phase::Up(_) => leg.unacked.is_none(),
        // RFC 3311 5.1: between the answer and the end of the INVITE, by UPDATE only.
        Phase::Invited(_) => {
            leg.able.update
                && reliable::is_agreed(leg)
                && leg.reliable.as_ref().is_some_and(|r| r.open.is_none() && r.answer.is_none())
        }
        Phase::Inviting(_) => early::open_to_offers(leg).is_some(),
        Phase::Seeking(_) => false,
    };
    open && matches!(leg.media.pending, Pending::Idle)
}

/// Refreshes the session by a re-INVITE without change, if nothing is under way.
pub(crate) fn refresh(turn: &mut Turn<'_>, leg: &mut Leg) {
    if is_free(leg)
        && let Some(session) = leg.media.local.clone()
    {
        leg.media.retries = 0;
        propose(turn, leg, session, Cause::Refresh);
    }
}

/// Sends an offer: in a re-INVITE, or before the answer in an UPDATE.
fn propose(turn: &mut Turn<'_>, leg: &mut Leg, session: Box<Session>, cause: Cause) {
    let (method, purpose, peer) = match &leg.phase {
        Phase::Up(peer) => (Method::Invite, Purpose::Reinvite, Some(peer.clone())),
        Phase::Invited(invited) => (Method::Update, Purpose::Update, Some(invited.peer.clone())),
        Phase::Inviting(_) => (Method::Update, Purpose::Update, early::open_to_offers(leg)),
        Phase::Seeking(_) => return leg.media.wanted = Some(session),
    };
    let sent = leg.way(turn).zip(peer).and_then(|(flow, peer)| {
        let (mut writer, branch) = leg.begin_to(turn, &flow, method, &peer)?;
        if method == Method::Invite {
            session_timer::propose_again(&mut writer, leg);
            display::write(turn, leg, &mut writer);
        }
        let shape = leg.media.shape.clone();
        let text = leg.media.describe(turn, &flow, &session, shape.as_deref());
        let bytes: Bytes = writer.finish_with(SDP, &text).into();
        leg.request(turn, flow, &branch, method, purpose, bytes)
    });
    match (sent, cause) {
        (Some(_), _) => leg.media.pending = Pending::Ours(session, cause),
        // The connection is gone and the device has not come back: as if nobody had answered.
        (None, Cause::Exchange) => turn.tell(leg.key, LegEvent::OfferRejected { status: 408 }),
        // It is tried again until the session ends.
        (None, Cause::Refresh) => {}
    }
}

/// A response to our re-INVITE or to our UPDATE with an offer.
pub(crate) fn response(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    response: &Message,
) -> Fate {
    let status = response.status().unwrap_or(0);
    let is_invite = response.cseq().is_ok_and(|c| c.method == Method::Invite);
    if status < 200 {
        if is_invite {
            // A peer that goes on saying that it thinks about it is not waited for for ever.
            let (now, timers) = (turn.now.mono, &mut turn.core.timers);
            let transactions = &mut turn.core.transactions;
            transactions.start_timer(id, now, timers, Timer::Cancelled, REINVITE_WAIT);
        }
        return Fate::Lives;
    }
    let pending = core::mem::replace(&mut leg.media.pending, Pending::Idle);
    let Pending::Ours(session, cause) = pending else {
        leg.media.pending = pending;
        return Fate::Lives;
    };
    if (200..300).contains(&status) {
        if is_invite {
            acknowledge(turn, leg, id, response);
        }
        return accepted(turn, leg, response, session, cause);
    }
    if leg.media.retries < GLARE_RETRIES_MAX
        && let Some(wait) = glare::wait(turn, leg, status, response)
    {
        leg.display.again();
        let wanted = match cause {
            Cause::Exchange => leg.media.wanted.take().or(Some(session)),
            // The session timer asks again by itself.
            Cause::Refresh => leg.media.wanted.take(),
        };
        if wanted.is_none() {
            display::wait(turn, leg, wait);
        }
        if let Some(session) = wanted {
            leg.media.retries += 1;
            let timer = leg.start(turn, wait, LegTimer::Glare);
            leg.media.pending = Pending::Waiting(timer, session);
        }
        return Fate::Lives;
    }
    match status {
        // RFC 4028 7.4: the same again with a longer interval.
        422 if session_timer::raise(leg, response) => propose(turn, leg, session, cause),
        _ if glare::ends_dialog(status) && matches!(leg.phase, Phase::Up(_)) => {
            let reason = match cause {
                Cause::Exchange => EndReason::TransportLost,
                Cause::Refresh => EndReason::SessionExpired,
            };
            return terminate(turn, leg, reason, Some(status));
        }
        // It said that it takes UPDATE, and does not: then it waits until the call is up.
        405 | 501 if !is_invite => {
            leg.able.update = false;
            if let Phase::Inviting(inviting) = &mut leg.phase {
                inviting.early.iter_mut().for_each(|e| e.able.update = false);
            }
            leg.media.wanted.get_or_insert(session);
        }
        _ if cause == Cause::Exchange => turn.tell(leg.key, LegEvent::OfferRejected { status }),
        _ => {}
    }
    pump(turn, leg);
    Fate::Lives
}

/// The peer has answered our offer.
fn accepted(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    response: &Message,
    session: Box<Session>,
    cause: Cause,
) -> Fate {
    let tag = response.to_tag().unwrap_or("");
    if leg.peer().is_some_and(|peer| *peer.tag != *tag) {
        // Of a fork that did not win: its session is gone.
        pump(turn, leg);
        return Fate::Lives;
    }
    refresh_target(leg, response);
    leg.display.told();
    let Ok(Some(theirs)) = description(response) else {
        if matches!(leg.phase, Phase::Up(_)) {
            return terminate(turn, leg, EndReason::ProtocolError, None);
        }
        turn.tell(leg.key, LegEvent::OfferRejected { status: 488 });
        return Fate::Lives;
    };
    if matches!(leg.phase, Phase::Up(_)) {
        leg.able.learn(response);
        session_timer::granted(turn, leg, response);
    }
    let answer = Box::new(theirs.session);
    let is_news = leg.media.remote.as_ref() != Some(&answer);
    leg.media.local = Some(session);
    leg.media.remote = Some(answer.clone());
    note_fork(leg, tag, &answer);
    if cause == Cause::Exchange || is_news {
        turn.tell(leg.key, LegEvent::Answer(answer));
    }
    pump(turn, leg);
    Fate::Lives
}

/// Notes how a fork that has not answered yet describes itself now.
fn note_fork(leg: &mut Leg, tag: &str, session: &Session) {
    if let Phase::Inviting(inviting) = &mut leg.phase
        && let Some(early) = inviting.early.iter_mut().find(|e| *e.peer.tag == *tag)
    {
        early.session = Some(Box::new(session.clone()));
    }
}

/// The time to wait after 491 is over.
pub(crate) fn glare_over(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let pending = core::mem::replace(&mut leg.media.pending, Pending::Idle);
    match pending {
        Pending::Waiting(_, session) => {
            // Meanwhile the INVITE may have been answered, and only its ACK be missing.
            leg.media.wanted.get_or_insert(session);
            let retries = leg.media.retries;
            pump(turn, leg);
            leg.media.retries = retries;
        }
        // Ignored: the timer is stopped when the wait ends in another way.
        other => leg.media.pending = other,
    }
    Fate::Lives
}

/// The ACK of a 2xx to our INVITE inside the dialog (13.2.2.4); the transaction keeps it for
/// copies of the 2xx.
fn acknowledge(turn: &mut Turn<'_>, leg: &mut Leg, id: TransactionId, response: &Message) {
    refresh_target(leg, response);
    let Ok(cseq) = response.cseq().map(|c| c.number) else { return };
    let tag = response.to_tag().unwrap_or("");
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
pub(crate) fn target(message: &Message) -> Option<Box<str>> {
    crate::dialog::uri(&message.contact().ok()??.uri).ok()
}

/// 12.2.2: the remote target follows the Contact of the peer's requests and 2xx.
pub(crate) fn refresh_target(leg: &mut Leg, message: &Message) {
    let party = if message.is_request() { message.from() } else { message.to() };
    let tag = party.ok().and_then(|p| p.tag).unwrap_or("");
    if let Some(target) = target(message)
        && let Some(peer) = leg.peer_tagged(tag)
    {
        peer.target = target;
    }
}
