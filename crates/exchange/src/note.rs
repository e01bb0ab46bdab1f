//! What an event of a leg says of it, noted before its step hears of it.

use leg::LegEvent;

use crate::call::{Leg, LegState};

/// Notes in the facts of a leg what an event says, before its step hears of it.
pub(crate) fn note(leg: &mut Leg, event: &LegEvent) {
    match event {
        LegEvent::Progress { early, .. } => {
            if leg.state == LegState::Dialling {
                leg.state = LegState::Ringing;
            }
            if let Some(early) = early {
                describe(leg, early);
            }
        }
        LegEvent::Answered { answer, capabilities } => {
            leg.state = LegState::Up;
            leg.capabilities = *capabilities;
            if let Some(answer) = answer {
                describe(leg, answer);
            }
        }
        LegEvent::Offer(offer) => leg.offered = Some(offer.clone()),
        LegEvent::Answer(answer) => {
            leg.asked = false;
            describe(leg, answer);
        }
        LegEvent::OfferRejected { .. } => leg.asked = false,
        LegEvent::Incoming(_)
        | LegEvent::Redirected(_)
        | LegEvent::Acknowledged
        | LegEvent::Digit(_)
        | LegEvent::Refer { .. }
        | LegEvent::Ended { .. } => {}
    }
}

/// The peer has described itself; a new place means that its source is learned again.
fn describe(leg: &mut Leg, session: &leg::Session) {
    if leg.remote.as_ref().is_none_or(|r| (r.address, r.port) != (session.address, session.port)) {
        leg.negotiation += 1;
    }
    leg.remote = Some(Box::new(session.clone()));
}
