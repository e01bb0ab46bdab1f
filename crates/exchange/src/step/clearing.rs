//! Clearing: nobody takes the call, and its caller, who was answered already, hears so; or somebody
//! came too late to take one.

use leg::{LegEvent, LegId, Player, Refusal, Source, Tone};
use model::EndReason;
use serde::{Deserialize, Serialize};

use super::sounds::{Scene, Sounds};
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer};
use crate::limits;

/// The busy tone sounds to the caller for a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clearing {
    /// The caller.
    pub leg: LegId,
    /// Why nobody took the call.
    pub reason: EndReason,
    /// The peer's final status, where it refused.
    pub status: Option<u16>,
}

impl Clearing {
    /// Begins with the tone.
    pub fn begin(
        leg: LegId,
        reason: EndReason,
        status: Option<u16>,
        actions: &mut Actions,
    ) -> Clearing {
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::CLEARING_TONE });
        Clearing { leg, reason, status }
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match input {
            StepInput::Leg(leg, LegEvent::Offer(_)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                Next::Stay(Step::Clearing(self))
            }
            // Whoever ends it now: the call was over before, and that is why.
            StepInput::Leg(_, LegEvent::Ended { .. })
            | StepInput::Timer(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_) => {
                let Clearing { leg, reason, status } = self;
                actions.push(Action::End { leg, reason });
                if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
                    actions.push(Action::Leave { branch, reason, status });
                }
                Next::Done
            }
            StepInput::Order(_) => {
                actions.refuse(Refusal::NotAnswered);
                Next::Stay(Step::Clearing(self))
            }
            // Keys and silence mean nothing to somebody who is about to be hung up.
            StepInput::Leg(..)
            | StepInput::Digit { .. }
            | StepInput::Silent(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => Next::Stay(Step::Clearing(self)),
        }
    }

    /// The busy tone; nothing while the caller holds.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if !scene.is_held(self.leg) {
            to.hear(self.leg, Source::Player(Player::Tone(Tone::Busy)));
        }
    }
}
