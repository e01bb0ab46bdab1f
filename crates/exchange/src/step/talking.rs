//! Talking: two legs hear each other.

use leg::{LegEvent, LegId, Player, Source};
use model::EndReason;
use serde::{Deserialize, Serialize};

use super::sounds::Sounds;
use super::{Action, Actions, Facts, Next, Step, StepInput, reason_for};
use crate::call::{BranchId, Call};
use crate::limits;

/// Two legs talk; hold is a direction of their sessions, not a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Talking {
    /// The one that called.
    pub a: LegId,
    /// The one that answered.
    pub b: LegId,
}

impl Talking {
    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match input {
            StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
                let ended = facts.leg(*leg);
                let reason = match (ended.is_some_and(|l| l.asked), reason) {
                    // It sent no audio, and did not answer when it was asked.
                    (true, EndReason::TransportLost) => EndReason::MediaLost,
                    (_, reason) => *reason,
                };
                let branch = ended.map_or(BranchId::CALLER, |l| l.branch);
                self.over(reason_for(branch, reason), facts, actions)
            }
            StepInput::Leg(leg, LegEvent::Offer(_)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                Next::Stay(Step::Talking(self))
            }
            // It was asked whether it is still there, and no way leads to it any more.
            StepInput::Leg(_, LegEvent::OfferRejected { status: 408 }) => {
                self.over(EndReason::MediaLost, facts, actions)
            }
            StepInput::Leg(leg, LegEvent::Digit(digit)) => {
                let (leg, digit) = (self.other(*leg), *digit);
                actions.push(Action::Digit { leg, digit, duration_ms: limits::DIGIT_MS });
                Next::Stay(Step::Talking(self))
            }
            StepInput::Digit { leg, digit, duration_ms } => {
                let (leg, digit, duration_ms) = (self.other(*leg), *digit, *duration_ms);
                actions.push(Action::Digit { leg, digit, duration_ms });
                Next::Stay(Step::Talking(self))
            }
            StepInput::Silent(leg) => {
                actions.push(Action::Refresh { leg: *leg });
                Next::Stay(Step::Talking(self))
            }
            StepInput::HangUp { reason, .. } | StepInput::EndAll(reason) => {
                self.over(*reason, facts, actions)
            }
            // Sessions and acknowledgements are facts of the leg, already noted; this step has no
            // timers and declares no clips.
            StepInput::Leg(..) | StepInput::Timer(_) | StepInput::Sound(_) => {
                Next::Stay(Step::Talking(self))
            }
        }
    }

    fn other(&self, leg: LegId) -> LegId {
        if leg == self.a { self.b } else { self.a }
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        for leg in [self.a, self.b] {
            actions.push(Action::End { leg, reason });
            if let Some(leg) = facts.leg(leg) {
                actions.push(Action::Leave { branch: leg.branch, reason, status: None });
            }
        }
        // Whose rules led to one of them is out with them.
        for branch in facts.call.branches.keys() {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        Next::Done
    }

    /// Each hears the other; who is held hears music, and who holds hears nothing.
    pub fn sounds(&self, call: &Call, to: &mut Sounds) {
        let held = |leg| call.legs.get(leg).is_some_and(|l| l.is_held_by_peer());
        for (listener, speaker) in [(self.a, self.b), (self.b, self.a)] {
            let source = match (held(listener), held(speaker)) {
                (true, _) => continue,
                (false, true) => Source::Player(Player::HoldMusic),
                (false, false) => Source::Leg(speaker),
            };
            to.hear(listener, source);
        }
    }
}
