//! Telling: who has dialled a code hears whether it was done, and the call is over.

use leg::{LegEvent, LegId, Piece, Player, Refusal, Source, Tone};
use model::EndReason;
use serde::{Deserialize, Serialize};

use super::sounds::{Saying, Scene, Sounds};
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer, reason_for};
use crate::attempts::NEUTRAL;
use crate::limits;

/// A tone says whether it was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// Who is told.
    pub leg: LegId,
    /// What.
    pub told: Told,
}

/// Whether it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// Two short tones.
    Done(Saying),
    /// The one tone for everything that may not be done, so that nobody learns why.
    Refused,
}

impl Telling {
    /// Answers, and says that it was done.
    pub fn done(leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Telling {
        let tone = || Piece::Tone(Tone::Test, limits::TOLD_TONE_MS);
        let pieces = vec![tone(), Piece::Silence(limits::TOLD_TONE_MS), tone()];
        let told = Told::Done(Saying { clip: actions.fresh_clip(), pieces });
        Telling::begin(leg, told, facts, actions)
    }

    /// Answers, and says that it was not.
    pub fn refused(leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Telling {
        Telling::begin(leg, Told::Refused, facts, actions)
    }

    /// Says that it was not to who was answered already.
    pub fn refuses(leg: LegId, actions: &mut Actions) -> Telling {
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::TOLD });
        Telling { leg, told: Told::Refused }
    }

    fn begin(leg: LegId, told: Told, facts: &Facts<'_>, actions: &mut Actions) -> Telling {
        if let Some(caller) = facts.leg(leg) {
            actions.push(Action::Connect { branch: caller.branch, says_so: true });
        }
        actions.push(Action::Answer { leg, codec: None });
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::TOLD });
        Telling { leg, told }
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match input {
            StepInput::Leg(leg, LegEvent::Offer(_)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                Next::Stay(Step::Telling(self))
            }
            StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
                let reason = reason_for(facts, *leg, *reason);
                self.over(reason, facts, actions)
            }
            StepInput::Timer(_) => {
                let reason = match self.told {
                    Told::Done(_) => EndReason::ServiceDone,
                    Told::Refused => NEUTRAL,
                };
                self.over(reason, facts, actions)
            }
            StepInput::HangUp { reason, .. } | StepInput::EndAll(reason) => {
                self.over(*reason, facts, actions)
            }
            // Nobody is at the other end.
            StepInput::Order(order) => {
                actions.refuse(Refusal::no_far_party(&order.action));
                Next::Stay(Step::Telling(self))
            }
            // It is over in a moment, whatever is pressed or heard.
            StepInput::Leg(..)
            | StepInput::Digit { .. }
            | StepInput::Silent(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => Next::Stay(Step::Telling(self)),
        }
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::End { leg: self.leg, reason });
        if let Some(branch) = facts.leg(self.leg).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        Next::Done
    }

    /// The tone; nothing while the caller holds.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        match &self.told {
            Told::Done(saying) => to.say(scene, self.leg, saying),
            Told::Refused if scene.is_held(self.leg) => {}
            Told::Refused => to.hear(self.leg, Source::Player(Player::Tone(Tone::Congestion))),
        }
    }
}
