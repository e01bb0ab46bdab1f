//! An offer of the far side: asked, answered, refused.

use leg::{LegEvent, Session};
use sip::sdp::Description;
use sip::{Header, Message, Method, Writer};

use super::{Pending, SDP, Theirs, description, note_fork, pump, refresh_target, usable};
use crate::core::{ALLOW, SUPPORTED_IN_DIALOG, Turn};
use crate::dialog::{Fate, Leg, Phase, Unacked};
use crate::interface::{Bytes, Flow};
use crate::limits::{OFFER_WAIT, T1, T1_64};
use crate::timers::LegTimer;
use crate::transaction::{Purpose, TransactionId};
use crate::{display, glare, owed, reliable, session_timer};

/// The exchange answers the peer's offer.
pub(crate) fn answer(turn: &mut Turn<'_>, leg: &mut Leg, session: Box<Session>) -> Fate {
    let Some(theirs) = take_theirs(turn, leg) else { return Fate::Lives };
    let Theirs { transaction, request, source, description, .. } = theirs;
    let text = leg.media.describe(turn, &source, &session, Some(&description.shape));
    let tag = request.from_tag().unwrap_or("");
    note_fork(leg, tag, &description.session);
    leg.media.remote = Some(Box::new(description.session));
    leg.media.shape = Some(Box::new(description.shape));
    leg.media.local = Some(session);
    agree(turn, leg, transaction, &request, source, Some(&text));
    go_on(turn, leg)
}

/// An offer of the peer is done: what waited for that goes on.
pub(super) fn go_on(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    if matches!(leg.phase, Phase::Invited(_)) {
        return reliable::proceed(turn, leg);
    }
    pump(turn, leg);
    Fate::Lives
}

/// The exchange refuses the peer's offer, or was too slow.
pub(crate) fn reject(turn: &mut Turn<'_>, leg: &mut Leg, status: u16) -> Fate {
    let Some(theirs) = take_theirs(turn, leg) else { return Fate::Lives };
    let status = if (400..700).contains(&status) { status } else { 488 };
    let mut writer = turn.response(&theirs.request, &theirs.source, status, Some(&leg.tag));
    owed::write(&mut writer, status);
    turn.respond(theirs.transaction, status, writer.finish().into());
    go_on(turn, leg)
}

/// The leg ends: an offer of the peer gets 487 (15.1.2), ours is not made any more.
pub(crate) fn abandon(turn: &mut Turn<'_>, leg: &mut Leg) {
    leg.media.wanted = None;
    if let Some(reliable) = &mut leg.reliable {
        reliable.queued = None;
        reliable.answer = None;
    }
    reject(turn, leg, 487);
}

pub(super) fn take_theirs(turn: &mut Turn<'_>, leg: &mut Leg) -> Option<Theirs> {
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

/// The 2xx to a re-INVITE, an UPDATE or a PRACK, with our answer if there was an offer.
pub(super) fn agree(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    request: &Message,
    flow: Flow,
    text: Option<&[u8]>,
) {
    if request.method() == Some(Method::Invite) {
        return succeed(turn, leg, id, request, flow, text, Carries::Answer);
    }
    let mut writer = turn.response(request, &flow, 200, Some(&leg.tag));
    if request.method() == Some(Method::Update) {
        writer.header(Header::Contact, turn.core.contact(&flow, &leg.tag));
        writer.header(Header::Allow, ALLOW);
        writer.header(Header::Supported, SUPPORTED_IN_DIALOG);
        // RFC 4028 8: before the answer there is no session that could run out.
        if matches!(leg.phase, Phase::Up(_)) {
            session_timer::grant(turn, leg, request, &mut writer);
        }
    }
    let bytes = match text {
        Some(text) => writer.finish_with(SDP, text),
        None => writer.finish(),
    };
    turn.respond(id, 200, bytes.into());
}

/// What a response carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Carries {
    /// No description.
    Nothing,
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
    text: Option<&[u8]>,
    carries: Carries,
) {
    let mut writer: Writer = turn.response(request, &flow, 200, Some(&leg.tag));
    writer.header(Header::Contact, turn.core.contact(&flow, &leg.tag));
    writer.header(Header::Allow, ALLOW);
    writer.header(Header::Supported, SUPPORTED_IN_DIALOG);
    session_timer::grant(turn, leg, request, &mut writer);
    display::write(turn, leg, &mut writer);
    let bytes: Bytes = match text {
        Some(text) => turn.core.sealed(writer.finish_with(SDP, text)),
        None => turn.core.sealed(writer.finish()),
    };
    turn.respond(id, 200, bytes.clone());
    leg.unacked = Some(Unacked {
        cseq: request.cseq().map(|c| c.number).unwrap_or(0),
        bytes,
        flow: turn.reply_flow(request, &flow),
        interval: T1,
        repeat: leg.start(turn, T1, LegTimer::Answer),
        lost: leg.start(turn, T1_64, LegTimer::AnswerLost),
        first: false,
        offer: carries == Carries::Offer,
        ending: None,
    });
}

/// The peer's re-INVITE, UPDATE or PRACK with an offer. Its CSeq was found right.
pub(crate) fn request(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: Flow,
    cell: &mut Option<Message>,
) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    let is_invite = message.method() == Some(Method::Invite);
    if let Some(status) = glare::collision(turn, leg, message) {
        let wait_s = owed::offer_retry_after(turn);
        turn.answer(message, &flow, Some(&leg.tag), status, |w| {
            if status == 500 {
                // 14.2, RFC 3311 5.2: a random wait of 0 to 10 seconds.
                w.header(Header::RetryAfter, wait_s);
            }
        });
        return Fate::Lives;
    }
    let offered = match description(message).and_then(|d| d.map(usable).transpose()) {
        Ok(_) if session_timer::is_too_small(message) => Err(422),
        Ok(offered) => Ok(offered),
        Err(bad) => Err(bad.status),
    };
    let offered = match offered {
        Ok(offered) => offered,
        Err(status) => {
            turn.answer(message, &flow, Some(&leg.tag), status, |w| owed::write(w, status));
            return Fate::Lives;
        }
    };
    if (is_invite || offered.is_some())
        && let Pending::Waiting(..) = leg.media.pending
        && let Pending::Waiting(timer, session) =
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
    refresh_target(leg, message);
    if message.method() != Some(Method::Prack) {
        leg.able.learn(message);
    }
    let same = |d: &Description| {
        leg.media.remote.as_deref() == Some(&d.session)
            && leg.media.shape.as_deref() == Some(&d.shape)
    };
    match offered {
        None if !is_invite => agree(turn, leg, id, message, flow, None),
        // 14.2: no offer, so ours is owed in the 2xx. It is what we have, in the direction that
        // we ourselves want: a peer that ends its hold so must not stay held.
        None => {
            let Some(mut session) = leg.media.local.clone() else { return Fate::Lives };
            session.direction = leg.media.own;
            let shape = leg.media.shape.clone();
            let text = leg.media.describe(turn, &flow, &session, shape.as_deref());
            leg.media.local = Some(session);
            succeed(turn, leg, id, message, flow, Some(&text), Carries::Offer);
        }
        // A refresh: answered as before, with the same version.
        Some(d) if same(&d) && leg.media.local.is_some() => {
            let Some(session) = leg.media.local.clone() else { return Fate::Lives };
            let text = leg.media.describe(turn, &flow, &session, Some(&d.shape));
            agree(turn, leg, id, message, flow, Some(&text));
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
