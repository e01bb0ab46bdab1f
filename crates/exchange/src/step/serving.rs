//! Serving: an internal service has answered a leg. So far there is one, the echo.

use leg::{LegId, Player, Refusal, Source, Tone};
use model::EndReason;
use serde::{Deserialize, Serialize};

use super::sounds::{Scene, Sounds};
use super::upkeep::{self, Upkeep};
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer};
use crate::call::BranchId;
use crate::limits;

/// An internal service serves a leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    /// Who is served.
    pub leg: LegId,
    /// The branch of the service's extension, which has no leg.
    pub branch: BranchId,
    /// What it does now.
    pub phase: Phase,
}

/// What the echo service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// A tone, so that one hears that the line works.
    Tone,
    /// Back goes what comes.
    Echo,
}

impl Serving {
    /// Answers `leg` and begins with the tone.
    pub fn begin(
        leg: LegId,
        branch: BranchId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Serving {
        if let Some(caller) = facts.leg(leg) {
            actions.push(Action::Connect { branch: caller.branch, says_so: true });
        }
        actions.push(Action::Answer { leg, codec: None });
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::ECHO_TONE });
        Serving { leg, branch, phase: Phase::Tone }
    }

    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        match upkeep::of(input, facts, actions) {
            Some(Upkeep::Over(reason)) => return self.over(reason, facts, actions),
            Some(Upkeep::Done) => return Next::Stay(Step::Serving(self)),
            None => {}
        }
        match input {
            StepInput::Digit { leg, digit, duration_ms } => {
                let (leg, digit, duration_ms) = (*leg, *digit, *duration_ms);
                actions.push(Action::Digit { leg, digit, duration_ms });
                Next::Stay(Step::Serving(self))
            }
            StepInput::Timer(Timer::Phase) => match self.phase {
                Phase::Tone => {
                    self.phase = Phase::Echo;
                    let after = limits::ECHO_MAX;
                    actions.push(Action::Timer { timer: Timer::Phase, after });
                    Next::Stay(Step::Serving(self))
                }
                Phase::Echo => self.over(EndReason::ServiceDone, facts, actions),
            },
            // Nobody but the service is at the other end.
            StepInput::Order(order) => {
                actions.refuse(Refusal::no_far_party(&order.action));
                Next::Stay(Step::Serving(self))
            }
            // Nothing else concerns the service; it has no other timers.
            // The leg is kept up already.
            StepInput::Leg(..)
            | StepInput::Silent(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_)
            | StepInput::Timer(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => Next::Stay(Step::Serving(self)),
        }
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::Leave { branch: self.branch, reason, status: None });
        actions.push(Action::End { leg: self.leg, reason });
        if let Some(branch) = facts.leg(self.leg).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        Next::Done
    }

    /// First the tone, then itself; nothing while it holds.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if scene.is_held(self.leg) {
            return;
        }
        let source = match self.phase {
            Phase::Tone => Source::Player(Player::Tone(Tone::Test)),
            Phase::Echo => Source::Leg(self.leg),
        };
        to.hear(self.leg, source);
    }
}
