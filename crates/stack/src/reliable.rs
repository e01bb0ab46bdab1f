//! Reliable provisional responses of ours: RFC 3262 3 and 5, the callee's side.
//!
//! One at a time is under way. What the exchange wants said meanwhile waits, the newest wins; so
//! does its answer while a description that belongs to it has not arrived.

use core::time::Duration;

use leg::{LegEvent, Session};
use model::EndReason;
use sip::{Header, Message, Method};

use crate::core::{ALLOW, SUPPORTED_IN_DIALOG, Turn};
use crate::dialog::{Fate, Leg, Phase, Wanted};
use crate::interface::{Bytes, Flow};
use crate::limits::{T1, T1_64};
use crate::offer::{self, Carries, Pending};
use crate::timers::{LegTimer, TimerId};
use crate::{owed, uas};

/// Our reliable provisional responses to one INVITE.
#[derive(Debug)]
pub(crate) struct Reliable {
    /// The CSeq number of the INVITE.
    pub(crate) cseq: u32,
    /// The RSeq of the one that was sent last.
    pub(crate) rseq: u32,
    /// How far the offer and the answer of the INVITE are.
    pub(crate) agreed: Agreed,
    /// The one whose PRACK has not come.
    pub(crate) open: Option<Open>,
    /// What the exchange wants said next.
    pub(crate) queued: Option<Ring>,
    /// The exchange's answer, which waits.
    pub(crate) answer: Option<Box<Session>>,
}

/// A reliable provisional response whose PRACK has not come.
#[derive(Debug)]
pub(crate) struct Open {
    /// The response.
    pub(crate) bytes: Bytes,
    /// Its status.
    pub(crate) status: u16,
    /// What it describes.
    pub(crate) carries: Carries,
    /// Until it is sent again.
    pub(crate) interval: Duration,
    /// Repeats it.
    pub(crate) repeat: TimerId,
    /// Ends the wait.
    pub(crate) lost: TimerId,
}

/// What the exchange wants told to the caller.
pub(crate) type Ring = Option<Box<Session>>;

/// Whether both sides have described themselves reliably before the INVITE is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Agreed {
    /// No.
    No,
    /// Yes: offers may go both ways from here on (RFC 3311 5).
    Yes,
}

impl Reliable {
    /// Nothing was sent yet.
    fn new(turn: &mut Turn<'_>, invite: &Message) -> Reliable {
        Reliable {
            cseq: invite.cseq().map(|c| c.number).unwrap_or(0),
            // 3: the first is at most 2^31 - 1; a small one leaves room to count.
            rseq: u32::try_from(turn.core.chance.below(1 << 16)).unwrap_or(0),
            agreed: Agreed::No,
            open: None,
            queued: None,
            answer: None,
        }
    }

    /// The timers that run.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerId> {
        self.open.iter().flat_map(|o| [o.repeat, o.lost])
    }

    /// Stops what runs; a PRACK that comes late is still known by its number.
    pub(crate) fn stop(&mut self, turn: &mut Turn<'_>) {
        if let Some(open) = self.open.take() {
            turn.core.timers.stop(open.repeat);
            turn.core.timers.stop(open.lost);
        }
        self.queued = None;
        self.answer = None;
    }

    /// 3: a 2xx must wait while a description has not arrived.
    fn holds_answer(&self) -> bool {
        self.open.as_ref().is_some_and(|o| o.carries != Carries::Nothing)
    }
}

/// Whether the next provisional response shall be reliable: when the caller requires it, and when
/// it carries our answer to a caller that knows how, so that early media is not heard in vain.
pub(crate) fn is_wanted(leg: &Leg, early: &Ring) -> bool {
    match leg.able.reliable {
        Wanted::Required => true,
        Wanted::Possible => {
            leg.reliable.is_some() || (early.is_some() && leg.media.shape.is_some())
        }
        Wanted::Never => false,
    }
}

/// Whether offers may be made before the INVITE is answered.
pub(crate) fn is_agreed(leg: &Leg) -> bool {
    leg.reliable.as_ref().is_some_and(|r| r.agreed == Agreed::Yes)
}

/// The exchange lets it ring.
pub(crate) fn ring(turn: &mut Turn<'_>, leg: &mut Leg, early: Ring) -> Fate {
    let Phase::Invited(invited) = &leg.phase else { return Fate::Lives };
    let mut reliable = match leg.reliable.take() {
        Some(reliable) => reliable,
        None => Box::new(Reliable::new(turn, &invited.request)),
    };
    if reliable.open.is_some() {
        // 3: not before the one before it is acknowledged.
        let before = reliable.queued.take().flatten();
        reliable.queued = Some(early.or(before));
        leg.reliable = Some(reliable);
        return Fate::Lives;
    }
    let offered = leg.media.shape.is_some() && leg.media.remote.is_some();
    let carries = match (&early, reliable.agreed, offered) {
        (Some(_), Agreed::No, true) => Carries::Answer,
        (Some(_), Agreed::No, false) => Carries::Offer,
        (None, Agreed::No, false) => {
            // RFC 3261 13.2.1: the first reliable response to an INVITE without an offer makes
            // one, and there is none to make. The caller hears nothing until there is.
            leg.reliable = Some(reliable);
            return Fate::Lives;
        }
        (None, Agreed::No, true) | (_, Agreed::Yes, _) => Carries::Nothing,
    };
    reliable.rseq = reliable.rseq.saturating_add(1);
    // An offer of ours is no early media yet.
    let status = if early.is_some() && carries != Carries::Offer { 183 } else { 180 };
    let (source, tag) = (invited.source, leg.tag.clone());
    let mut writer = turn.response(&invited.request, &source, status, Some(&tag));
    writer.header(Header::Contact, turn.core.contact(&source, &tag));
    writer.header(Header::Allow, ALLOW);
    writer.header(Header::Supported, SUPPORTED_IN_DIALOG);
    writer.header(Header::Require, "100rel");
    writer.header(Header::RSeq, reliable.rseq);
    let bytes: Bytes = match early.filter(|_| carries != Carries::Nothing) {
        Some(session) => {
            let shape = leg.media.shape.clone().filter(|_| carries == Carries::Answer);
            let text = leg.media.describe(turn, &source, &session, shape.as_deref());
            leg.media.own = session.direction;
            leg.media.local = Some(session);
            writer.finish_with(offer::SDP, &text).into()
        }
        None => writer.finish().into(),
    };
    turn.respond(invited.transaction, status, bytes.clone());
    reliable.open = Some(Open {
        bytes: bytes.clone(),
        status,
        carries,
        interval: T1,
        repeat: leg.start(turn, T1, LegTimer::Reliable),
        lost: leg.start(turn, T1_64, LegTimer::ReliableLost),
    });
    leg.reliable = Some(reliable);
    uas::keep_ringing(turn, leg, bytes);
    Fate::Lives
}

/// The time until the next copy is over: RFC 3262 3 doubles it without an upper bound.
pub(crate) fn repeat(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let Some(mut reliable) = leg.reliable.take() else { return Fate::Lives };
    if let (Some(open), Phase::Invited(invited)) = (&mut reliable.open, &leg.phase) {
        open.interval *= 2;
        open.repeat = leg.start(turn, open.interval, LegTimer::Reliable);
        turn.respond(invited.transaction, open.status, open.bytes.clone());
    }
    leg.reliable = Some(reliable);
    Fate::Lives
}

/// No PRACK came: 3 wants the INVITE refused.
pub(crate) fn lost(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    uas::fail_leg(turn, leg, 504, EndReason::TransportLost)
}

/// A PRACK. Its CSeq is not looked at: which response it is for says its RAck alone.
pub(crate) fn acknowledged(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: Flow,
    cell: &mut Option<Message>,
) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    let rack = message.rack().ok().flatten();
    let named = rack.filter(|r| r.cseq.method == Method::Invite);
    let known = leg.reliable.as_deref_mut().filter(|reliable| {
        named.is_some_and(|r| r.rseq == reliable.rseq && r.cseq.number == reliable.cseq)
    });
    let Some(reliable) = known else {
        turn.answer(message, &flow, Some(&leg.tag), 481, |_| {});
        return Fate::Lives;
    };
    if reliable.open.is_none() && !matches!(leg.phase, Phase::Up(_)) {
        // Acknowledged before, in another transaction.
        turn.answer(message, &flow, Some(&leg.tag), 481, |_| {});
        return Fate::Lives;
    }
    // After a 2xx that did not wait for it, it is answered and changes nothing (3).
    let carried = reliable.open.take().map_or(Carries::Nothing, |open| {
        turn.core.timers.stop(open.repeat);
        turn.core.timers.stop(open.lost);
        open.carries
    });
    match carried {
        Carries::Offer => answered(turn, leg, flow, message),
        Carries::Answer => {
            reliable.agreed = Agreed::Yes;
            accept(turn, leg, flow, cell)
        }
        Carries::Nothing => accept(turn, leg, flow, cell),
    }
}

/// A PRACK that brings the answer to our offer.
fn answered(turn: &mut Turn<'_>, leg: &mut Leg, flow: Flow, message: &Message) -> Fate {
    let answer = match offer::description(message) {
        Ok(Some(answer)) => answer,
        other => {
            let status = other.err().map_or(400, |bad| bad.status);
            turn.answer(message, &flow, Some(&leg.tag), status, |w| owed::write(w, status));
            return uas::fail_leg(turn, leg, status, EndReason::ProtocolError);
        }
    };
    turn.answer(message, &flow, Some(&leg.tag), 200, |_| {});
    if let Some(reliable) = &mut leg.reliable {
        reliable.agreed = Agreed::Yes;
    }
    leg.media.remote = Some(Box::new(answer.session.clone()));
    turn.tell(leg.key, LegEvent::Answer(Box::new(answer.session)));
    proceed(turn, leg)
}

/// Any other PRACK; it may bring an offer of its own (RFC 3262 5).
fn accept(turn: &mut Turn<'_>, leg: &mut Leg, flow: Flow, cell: &mut Option<Message>) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    if !message.body().is_empty() {
        let fate = offer::request(turn, leg, flow, cell);
        return if fate == Fate::Over { fate } else { proceed(turn, leg) };
    }
    turn.answer(message, &flow, Some(&leg.tag), 200, |_| {});
    proceed(turn, leg)
}

/// What waited goes on: the answer first, then what was to be said, then an offer of ours.
pub(crate) fn proceed(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let theirs = matches!(leg.media.pending, Pending::Theirs(_));
    let Some(reliable) = &mut leg.reliable else { return Fate::Lives };
    if reliable.open.is_some() || theirs || !matches!(leg.phase, Phase::Invited(_)) {
        return Fate::Lives;
    }
    if let Some(session) = reliable.answer.take() {
        return uas::answer(turn, leg, session);
    }
    if let Some(early) = reliable.queued.take() {
        return ring(turn, leg, early);
    }
    offer::pump(turn, leg);
    Fate::Lives
}

/// Keeps the exchange's answer if it has to wait; gives it back if not.
pub(crate) fn hold_answer(leg: &mut Leg, session: Box<Session>) -> Option<Box<Session>> {
    let theirs = matches!(leg.media.pending, Pending::Theirs(_));
    match &mut leg.reliable {
        Some(reliable) if theirs || reliable.holds_answer() => {
            reliable.answer = Some(session);
            reliable.queued = None;
            None
        }
        _ => Some(session),
    }
}
