//! What a step wants of a leg: that it rings, is answered, gets an answer to its offer, ends.

use leg::{LegCommand, LegId};
use model::EndReason;

use super::Bench;
use crate::call::{Call, LegState};
use crate::limits;
use crate::session;

impl Bench<'_, '_> {
    pub(super) fn ring(&mut self, call: &mut Call, leg: LegId, early: Option<model::Codec>) {
        let Some(facts) = call.legs.get_mut(leg) else { return };
        if facts.state != LegState::Calling {
            return;
        }
        let described = match (early, &facts.remote) {
            (Some(codec), Some(remote)) => {
                if facts.local.is_none() {
                    facts.local = session::answer(facts.port, remote, Some(codec)).map(Box::new);
                }
                facts.local.clone()
            }
            // A caller without an offer that takes reliable responses only gets ours in the first
            // of them (RFC 3262 5).
            (_, None) if facts.capabilities.reliable_required => {
                let offer = || Box::new(session::offer(facts.port, &session::codecs_towards(None)));
                Some(facts.local.get_or_insert_with(offer).clone())
            }
            _ => None,
        };
        self.leg(leg, LegCommand::Ring { early: described });
    }

    pub(super) fn answer(&mut self, call: &mut Call, leg: LegId, codec: Option<model::Codec>) {
        let Some(facts) = call.legs.get_mut(leg) else { return };
        if facts.state != LegState::Calling {
            return;
        }
        // An early answer is final: the 200 repeats it (RFC 3261 13.2.1).
        if facts.local.is_none() {
            let described = match &facts.remote {
                Some(offer) => session::answer(facts.port, offer, codec),
                None => {
                    let mut codecs: Vec<_> = codec.into_iter().collect();
                    codecs.extend(
                        session::codecs_towards(None).iter().filter(|c| codec != Some(**c)),
                    );
                    Some(session::offer(facts.port, &codecs))
                }
            };
            facts.local = described.map(Box::new);
        }
        let Some(local) = facts.local.clone() else { return };
        facts.state = LegState::Up;
        call.unsaved = true;
        self.leg(leg, LegCommand::Answer(local));
    }

    pub(super) fn answer_offer(&mut self, call: &mut Call, leg: LegId) {
        let Some(facts) = call.legs.get_mut(leg) else { return };
        let Some(offer) = facts.offered.take() else { return };
        let prefer = session::codec_in_use(facts);
        let Some(answer) = session::answer(facts.port, &offer, prefer) else {
            self.leg(leg, LegCommand::RejectOffer { status: 488 });
            return;
        };
        let place = |s: &leg::Session| (s.address, s.port);
        if facts.remote.as_ref().is_none_or(|r| place(r) != place(&offer)) {
            facts.negotiation += 1;
        }
        facts.remote = Some(offer);
        let answer = Box::new(answer);
        facts.local = Some(answer.clone());
        call.unsaved = true;
        self.leg(leg, LegCommand::AnswerOffer(answer));
    }

    pub(super) fn end(&mut self, call: &mut Call, leg: LegId, reason: EndReason) {
        let Some(facts) = call.legs.get_mut(leg) else { return };
        if facts.state == LegState::Over {
            return;
        }
        facts.state = LegState::Over;
        let retry_after_s = (reason.sip_status() == 503).then_some(limits::RETRY_AFTER_S);
        self.leg(leg, LegCommand::End { reason, retry_after_s });
    }
}
