//! Departing: whose far party was parked or sent on is still there for a moment. It hears in which
//! slot, or hangs up by itself.

use std::sync::Arc;

use leg::{LegEvent, LegId, MediaEventKind, Piece, Refusal};
use model::{EndReason, Spoken};
use serde::{Deserialize, Serialize};

use super::sounds::{Saying, Scene, Sounds};
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer};
use crate::conversation::Party;
use crate::{display, limits};

/// A leg that is out of its call and not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Departing {
    /// The leg.
    pub leg: LegId,
    /// Why it is out.
    #[serde(default = "parked")]
    pub reason: EndReason,
    /// What it hears; `None`: it is about to hang up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saying: Option<Saying>,
    /// Whom it has talked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Arc<Party>>,
}

/// Why who departs is out in what earlier releases saved.
fn parked() -> EndReason {
    EndReason::Parked
}

impl Departing {
    /// Begins beside what goes on, with a leg of the step that acts, and whom that has talked with.
    pub fn begin(
        (leg, far): (LegId, LegId),
        reason: EndReason,
        slot: Option<u8>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        let language = facts.snapshot.routing.settings.language;
        let pieces = |slot| {
            let spoken = Piece::Spoken(language, Spoken::Digit(slot));
            vec![Piece::Silence(limits::LEAD_IN_MS), spoken]
        };
        let saying = slot.map(|slot| Saying { clip: actions.fresh_clip(), pieces: pieces(slot) });
        let (acting, step) = (actions.acting, actions.fresh_step());
        let last = display::party_at(far, facts).map(Arc::new);
        let departing = Departing { leg, reason, saying, last };
        actions.push(Action::Begin(step, Box::new(Step::Departing(departing))));
        actions.push(Action::Move { leg, step });
        actions.act_as(step);
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::DEPARTING });
        actions.act_as(acting);
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match input {
            StepInput::Leg(leg, LegEvent::Offer(_)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                Next::Stay(Step::Departing(self))
            }
            // Whoever ends it now: it was out before, and that is why.
            StepInput::Leg(_, LegEvent::Ended { .. })
            | StepInput::Sound(MediaEventKind::ClipDone(_))
            | StepInput::Timer(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_) => {
                let (leg, reason) = (self.leg, self.reason);
                actions.push(Action::End { leg, reason });
                if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
                    // Its part is listed as long as its far party is parked.
                    actions.push(if facts.call.steps.values().any(|s| s.has_branch(branch)) {
                        Action::LeaveListed { branch, reason }
                    } else {
                        Action::Leave { branch, reason, status: None }
                    });
                }
                Next::Done
            }
            StepInput::Order(_) => {
                actions.refuse(match self.reason {
                    EndReason::Parked => Refusal::AlreadyParked,
                    _ => Refusal::TransferInProgress,
                });
                Next::Stay(Step::Departing(self))
            }
            // Nothing else means anything to somebody who is about to go.
            StepInput::Leg(..)
            | StepInput::Digit { .. }
            | StepInput::Silent(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => Next::Stay(Step::Departing(self)),
        }
    }

    /// What is said to it, if something is.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if let Some(saying) = &self.saying {
            to.say(scene, self.leg, saying);
        }
    }
}
