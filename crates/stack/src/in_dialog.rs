//! Requests inside a dialog, and the end of one: RFC 3261 12.2, 15.

use leg::{LegCommand, LegEvent};
use model::{Digit, EndReason};
use sip::{Header, Message, Method, application};

use crate::core::{ALLOW, OPTIONS, SUPPORTED, Turn};
use crate::dialog::{Fate, Leg, Phase};
use crate::interface::Flow;
use crate::limits::T2;
use crate::offer::Pending;
use crate::replaces::Named;
use crate::timers::LegTimer;
use crate::transaction::{Purpose, TransactionId};
use crate::{
    display, early, glare, keys, offer, owed, reason, refer, reliable, session_timer, trunk, uac,
    uas,
};

/// A request of the peer. It is the dialog's, and its sender was believed or proven. `named` is the
/// leg that a REFER wants to be replaced.
pub(crate) fn request(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: Flow,
    cell: &mut Option<Message>,
    named: Named,
) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    let method = message.method().unwrap_or(Method::Other);
    let Ok(cseq) = message.cseq().map(|c| c.number) else { return Fate::Lives };
    let from = message.from_tag().unwrap_or("");
    let Some(peer) = leg.peer_tagged(from) else { return Fate::Lives };
    // 12.2.2: out of order. The copies of a request are its transaction's. A PRACK says itself
    // which response it is for, so that one that was overtaken on the way is as good as ever.
    if peer.cseq.is_some_and(|last| cseq <= last) && method != Method::Prack {
        turn.answer(message, &flow, Some(&leg.tag), 500, |_| {});
        return Fate::Lives;
    }
    peer.cseq = peer.cseq.max(Some(cseq));
    leg.follow(turn, flow);
    if let Err(refusal) = check(message, method) {
        turn.answer(message, &flow, Some(&leg.tag), refusal.status(), |w| {
            owed::write_refusal(w, &refusal);
        });
        return Fate::Lives;
    }
    match method {
        _ if matches!(leg.phase, Phase::Inviting(_)) => early::request(turn, leg, flow, cell),
        Method::Invite | Method::Update => offer::request(turn, leg, flow, cell),
        Method::Prack => reliable::acknowledged(turn, leg, flow, cell),
        Method::Bye => {
            turn.answer(message, &flow, Some(&leg.tag), 200, |_| {});
            ended_by_peer(turn, leg, message)
        }
        Method::Info => {
            info(turn, leg, &flow, message);
            Fate::Lives
        }
        Method::Options => {
            turn.answer(message, &flow, Some(&leg.tag), 200, capabilities);
            Fate::Lives
        }
        Method::Refer => refer::request(turn, leg, flow, cell, named),
        Method::Subscribe => refer::subscribe(turn, leg, &flow, message),
        _ => {
            let status = if method == Method::Other { 501 } else { 405 };
            turn.answer(message, &flow, Some(&leg.tag), status, |w| owed::write(w, status));
            Fate::Lives
        }
    }
}

/// What is owed by the request alone: RFC 3261 8.2.2.3, 8.2.3.
fn check(message: &Message, method: Method) -> Result<(), application::Refusal<'_>> {
    application::check_require(message, &OPTIONS)?;
    if matches!(method, Method::Invite | Method::Update | Method::Prack) {
        application::check_body(message)?;
    }
    Ok(())
}

/// What we can do, as OPTIONS asks: RFC 3261 11.2.
pub(crate) fn capabilities(writer: &mut sip::Writer) {
    writer.header(Header::Allow, ALLOW);
    writer.header(Header::Accept, offer::SDP);
    writer.header(Header::Supported, SUPPORTED);
}

/// BYE, in whatever state: RFC 3261 15.1.2.
fn ended_by_peer(turn: &mut Turn<'_>, leg: &mut Leg, bye: &Message) -> Fate {
    let ending = leg.unacked.as_ref().is_some_and(|u| u.ending.is_some());
    match &leg.phase {
        // 15.1.2: an INVITE without a final response is answered with 487.
        Phase::Invited(_) => return uas::cancelled(turn, leg, bye),
        Phase::Seeking(_) | Phase::Inviting(_) | Phase::Up(_) => {}
    }
    offer::abandon(turn, leg);
    refer::abandon(turn, leg);
    if !ending {
        let elsewhere = reason::answered_elsewhere(bye);
        let status = reason::status(bye);
        let reason =
            if leg.id().is_incoming() { EndReason::CallerHungUp } else { EndReason::CalleeHungUp };
        turn.tell(leg.key, LegEvent::Ended { reason, status, elsewhere });
    }
    Fate::Over
}

/// A digit by INFO, as phones without RFC 4733 send it.
pub(crate) fn info(turn: &mut Turn<'_>, leg: &mut Leg, flow: &Flow, message: &Message) {
    let media = message.content_type().ok().flatten();
    let text = core::str::from_utf8(message.body()).unwrap_or("");
    let signal = match media {
        Some(m) if m.is("application", "dtmf-relay") => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        }),
        Some(m) if m.is("application", "dtmf") => Some(text),
        // 8.2.3: what it says is not understood.
        Some(_) if !message.body().is_empty() => {
            turn.answer(message, flow, Some(&leg.tag), 415, |w| {
                w.header(Header::Accept, owed::DIGITS);
            });
            return;
        }
        Some(_) | None => None,
    };
    turn.answer(message, flow, Some(&leg.tag), 200, |_| {});
    // A leg that waits for its ACK before its BYE is forgotten by the exchange.
    let ending = leg.unacked.as_ref().is_some_and(|u| u.ending.is_some());
    if let Some(digit) = signal.and_then(|s| digit(s.trim()))
        && !ending
    {
        turn.tell(leg.key, LegEvent::Digit(digit));
    }
}

/// A digit as its key or as its event code.
fn digit(text: &str) -> Option<Digit> {
    let mut letters = text.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Digit::from_char(letter.to_ascii_uppercase());
    }
    Digit::from_event(text.parse().ok()?)
}

/// An ACK. That of a 2xx of ours ends its retransmissions: 13.3.1.4.
pub(crate) fn ack(turn: &mut Turn<'_>, leg: &mut Leg, message: &Message) -> Fate {
    let cseq = message.cseq().map(|c| c.number).ok();
    if leg.unacked.is_none() || leg.unacked.as_ref().map(|u| u.cseq) != cseq {
        return Fate::Lives;
    }
    let Some(unacked) = leg.acknowledged(turn) else { return Fate::Lives };
    if let Some(reason) = unacked.ending {
        leg.bye(turn, reason);
        return Fate::Over;
    }
    if unacked.first {
        turn.tell(leg.key, LegEvent::Acknowledged);
    }
    if unacked.offer {
        // 13.2.2.4: the answer to an offer in the 2xx is owed in the ACK.
        let Ok(Some(answer)) = offer::description(message) else {
            return terminate(turn, leg, EndReason::ProtocolError, None);
        };
        leg.media.remote = Some(Box::new(answer.session.clone()));
        turn.tell(leg.key, LegEvent::Answer(Box::new(answer.session)));
    }
    keys::acknowledged(turn, leg);
    offer::pump(turn, leg);
    Fate::Lives
}

/// A command of the exchange for a leg that is there.
pub(crate) fn command(turn: &mut Turn<'_>, leg: &mut Leg, command: LegCommand) -> Fate {
    if leg.unacked.as_ref().is_some_and(|u| u.ending.is_some()) {
        // The exchange has ended it already.
        return Fate::Lives;
    }
    match command {
        LegCommand::Ring { early } => uas::ring(turn, leg, early),
        LegCommand::Answer(session) => uas::answer(turn, leg, session),
        LegCommand::Offer(session) => offer::offer(turn, leg, session),
        LegCommand::AnswerOffer(session) => offer::answer(turn, leg, session),
        LegCommand::RejectOffer { status } => offer::reject(turn, leg, status),
        LegCommand::Info(digit) => {
            keys::press(turn, leg, digit);
            Fate::Lives
        }
        LegCommand::ReferAccepted { refer } => refer::accept(turn, leg, refer),
        LegCommand::ReferRefused { refer, status } => refer::refuse(turn, leg, refer, status),
        LegCommand::ReferProgress { refer, status } => refer::progress(turn, leg, refer, status),
        LegCommand::Identify(identity) => display::identify(turn, leg, identity),
        LegCommand::End { reason, retry_after_s } => end(turn, leg, reason, retry_after_s),
        // A leg begins once.
        LegCommand::Dial(_) => Fate::Lives,
    }
}

/// The exchange ends the leg.
fn end(turn: &mut Turn<'_>, leg: &mut Leg, reason: EndReason, retry_after_s: Option<u32>) -> Fate {
    match &leg.phase {
        Phase::Invited(_) => uas::refuse(turn, leg, reason, retry_after_s),
        Phase::Seeking(_) => Fate::Over,
        Phase::Inviting(inviting) => {
            let id = inviting.transaction;
            trunk::entrust(turn, leg, id);
            turn.cancel(id, reason);
            Fate::Over
        }
        Phase::Up(_) => {
            offer::abandon(turn, leg);
            refer::abandon(turn, leg);
            if let Some(unacked) = &mut leg.unacked {
                // 15: the callee's BYE waits for the ACK, or for the end of the wait.
                unacked.ending = Some(reason);
                return Fate::Lives;
            }
            leg.bye(turn, reason);
            Fate::Over
        }
    }
}

/// Ends an answered leg from our side: BYE, and the exchange is told.
pub(crate) fn terminate(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    reason: EndReason,
    status: Option<u16>,
) -> Fate {
    let ending = leg.unacked.as_ref().is_some_and(|u| u.ending.is_some());
    refer::abandon(turn, leg);
    leg.bye(turn, reason);
    if !ending {
        turn.tell(leg.key, LegEvent::Ended { reason, status, elsewhere: false });
    }
    Fate::Over
}

/// A response to a request of ours inside the dialog that is no INVITE and no BYE.
pub(crate) fn response(turn: &mut Turn<'_>, leg: &mut Leg, response: &Message) -> Fate {
    match response.status() {
        // 12.2.1.2: the peer knows the dialog no more.
        Some(status) if glare::ends_dialog(status) && matches!(leg.phase, Phase::Up(_)) => {
            terminate(turn, leg, EndReason::TransportLost, Some(status))
        }
        _ => Fate::Lives,
    }
}

/// A request of ours found nobody, in time or at all.
pub(crate) fn unanswered(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    purpose: Purpose,
) -> Fate {
    match (&leg.phase, purpose) {
        (Phase::Inviting(inviting), Purpose::Invite) if inviting.transaction == id => {
            uac::unanswered(turn, leg)
        }
        // The caller's connection is gone while it waits for an answer.
        (Phase::Invited(invited), Purpose::Invite) if invited.transaction == id => {
            let reason = EndReason::TransportLost;
            turn.tell(leg.key, LegEvent::Ended { reason, status: None, elsewhere: false });
            Fate::Over
        }
        (Phase::Up(_), Purpose::Reinvite) if is_theirs(leg, id) => {
            // The peer's connection is gone before the exchange has answered its offer.
            leg.media.clear(turn);
            Fate::Lives
        }
        (_, Purpose::Update | Purpose::Other) if is_theirs(leg, id) => {
            leg.media.clear(turn);
            Fate::Lives
        }
        (Phase::Up(_), Purpose::Refresh) => terminate(turn, leg, EndReason::SessionExpired, None),
        (Phase::Up(_), Purpose::Reinvite | Purpose::Update) => {
            let refreshes = matches!(&leg.media.pending, Pending::Ours(_, offer::Cause::Refresh));
            let reason =
                if refreshes { EndReason::SessionExpired } else { EndReason::TransportLost };
            terminate(turn, leg, reason, None)
        }
        (_, Purpose::Referred(number)) => refer::unanswered(turn, leg, number),
        (Phase::Up(_), Purpose::Info) => terminate(turn, leg, EndReason::TransportLost, None),
        // Before the answer the INVITE itself says what becomes of the leg.
        (Phase::Invited(_) | Phase::Inviting(_), Purpose::Update) => {
            if matches!(leg.media.pending, Pending::Ours(..)) {
                leg.media.pending = Pending::Idle;
                turn.tell(leg.key, LegEvent::OfferRejected { status: 408 });
            }
            Fate::Lives
        }
        // Ignored: the leg has gone on without that transaction.
        _ => Fate::Lives,
    }
}

fn is_theirs(leg: &Leg, id: TransactionId) -> bool {
    matches!(&leg.media.pending, Pending::Theirs(theirs) if theirs.transaction() == id)
}

/// A timer of the leg has run out.
pub(crate) fn timer(turn: &mut Turn<'_>, leg: &mut Leg, timer: LegTimer) -> Fate {
    match timer {
        LegTimer::Provisional => uas::still_ringing(turn, leg),
        LegTimer::Answer => {
            let Some(mut unacked) = leg.unacked.take() else { return Fate::Lives };
            // 13.3.1.4: doubled up to T2, whatever the transport.
            unacked.interval = (unacked.interval * 2).min(T2);
            unacked.repeat = leg.start(turn, unacked.interval, LegTimer::Answer);
            if !leg.lost {
                turn.send(unacked.flow, unacked.bytes.clone());
            }
            leg.unacked = Some(unacked);
            Fate::Lives
        }
        LegTimer::AnswerLost => terminate(turn, leg, EndReason::TransportLost, None),
        LegTimer::Offer => offer::reject(turn, leg, 500),
        LegTimer::Glare => offer::glare_over(turn, leg),
        LegTimer::Reach => trunk::waited(turn, leg),
        LegTimer::Reliable => reliable::repeat(turn, leg),
        LegTimer::ReliableLost => reliable::lost(turn, leg),
        LegTimer::Session => session_timer::due(turn, leg),
        LegTimer::Refer(number) => refer::due(turn, leg, number),
        // Of no leg.
        LegTimer::Watch => Fate::Lives,
        LegTimer::Display => display::due(turn, leg),
        LegTimer::Stalled => uas::fail_leg(turn, leg, 480, EndReason::NoAnswer),
    }
}
