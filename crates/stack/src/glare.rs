//! Two offers at once: RFC 3261 14.1 and 14.2, RFC 3311 5.2, RFC 3264 4; and requests of ours that
//! arrive in another order than they were sent in.

use core::time::Duration;

use leg::LegEvent;
use sip::{Header, Message, Method};

use crate::core::Turn;
use crate::dialog::{Leg, Phase};
use crate::keys;
use crate::limits::OFFER_RETRY_AFTER_MAX_S;
use crate::offer::Pending;
use crate::reliable;

/// The status owed when an offer of the peer cannot be taken now.
pub(crate) fn collision(turn: &mut Turn<'_>, leg: &mut Leg, message: &Message) -> Option<u16> {
    let offers = !message.body().is_empty();
    let is_invite = message.method() == Some(Method::Invite);
    if !is_invite && !offers {
        return None;
    }
    match &leg.phase {
        // 14.2: its first INVITE has no final response, so a second one comes too early.
        Phase::Invited(_) if is_invite => return Some(500),
        // RFC 3311 5.2: the offer of its INVITE has no answer that it is sure to have.
        Phase::Invited(_) if !reliable::is_agreed(leg) => return Some(500),
        // 12.2: no INVITE inside a dialog that our INVITE has not made yet.
        Phase::Inviting(_) if is_invite => return Some(491),
        // RFC 3311 5.2: our INVITE has offered, and nothing has answered it reliably.
        Phase::Inviting(inviting) => {
            let tag = message.from_tag().unwrap_or("");
            if !inviting.early.iter().any(|e| *e.peer.tag == *tag && e.is_agreed()) {
                return Some(491);
            }
        }
        Phase::Seeking(_) | Phase::Invited(_) | Phase::Up(_) => {}
    }
    match &leg.unacked {
        Some(unacked) if unacked.ending.is_some() => return Some(481),
        Some(unacked) if unacked.offer => return Some(491),
        // The peer goes on, so our 2xx has arrived and only its ACK was lost.
        Some(_) if is_invite => {
            if leg.acknowledged(turn).is_some_and(|u| u.first) {
                turn.tell(leg.key, LegEvent::Acknowledged);
                keys::acknowledged(turn, leg);
            }
        }
        Some(_) | None => {}
    }
    match &leg.media.pending {
        Pending::Ours(..) => Some(491),
        Pending::Theirs(_) => Some(500),
        Pending::Idle | Pending::Waiting(..) => None,
    }
}

/// How long our offer waits after it was refused for now; `None`: it was refused for good.
pub(crate) fn wait(
    turn: &mut Turn<'_>,
    leg: &Leg,
    status: u16,
    response: &Message,
) -> Option<Duration> {
    let chance = &mut turn.core.chance;
    match status {
        // 14.1: both offered at once. Who made the Call-ID waits longer.
        491 => {
            let units =
                if leg.id().is_incoming() { chance.below(201) } else { 210 + chance.below(191) };
            Some(Duration::from_millis(10 * units))
        }
        500 if is_overtaken(leg, response) => Some(Duration::ZERO),
        // 14.2, RFC 3311 5.2: the peer has one of its own to answer first.
        500 => {
            let seconds = response.retry_after().ok().flatten()?.seconds;
            let jitter = Duration::from_millis(chance.below(500));
            (seconds <= OFFER_RETRY_AFTER_MAX_S)
                .then(|| Duration::from_secs(u64::from(seconds)) + jitter)
        }
        _ => None,
    }
}

/// Whether a request of ours was refused since a later one has arrived before it: 12.2.2. A peer
/// that has work of its own to do first says for how long.
pub(crate) fn is_overtaken(leg: &Leg, response: &Message) -> bool {
    let is_late = || response.cseq().is_ok_and(|cseq| cseq.number < leg.cseq);
    response.status() == Some(500) && response.text(Header::RetryAfter).is_none() && is_late()
}

/// Whether this answer to a request inside a dialog says that the peer has no such dialog: RFC
/// 3261 12.2.1.2, RFC 5057 5.1. Others refuse the request alone.
pub(crate) fn ends_dialog(status: u16) -> bool {
    matches!(status, 404 | 408 | 410 | 416 | 481..=485 | 502 | 604)
}
