//! What an input means for a leg that is a step's own, whatever the step is about: it is kept up,
//! or it is over.

use leg::LegEvent;
use model::EndReason;

use super::{Action, Actions, Facts, StepInput, reason_for};

/// What is left to do for the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// Nothing: it stays as it is.
    Done,
    /// The leg is over, or is to be, and with it the step.
    Over(EndReason),
}

/// Keeps up the one leg that a step has. `None`: the input is about something else.
pub(super) fn of(
    input: &StepInput<'_>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Option<Upkeep> {
    match input {
        StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
            Some(Upkeep::Over(reason_for(facts, *leg, *reason)))
        }
        StepInput::Leg(leg, LegEvent::Offer(_)) => {
            actions.push(Action::AnswerOffer { leg: *leg });
            Some(Upkeep::Done)
        }
        // It was asked whether it is still there, and no way leads to it any more.
        StepInput::Leg(_, LegEvent::OfferRejected { status: 408 }) => {
            Some(Upkeep::Over(EndReason::MediaLost))
        }
        StepInput::Silent(leg) => {
            actions.push(Action::Refresh { leg: *leg });
            Some(Upkeep::Done)
        }
        StepInput::HangUp { reason, .. } | StepInput::EndAll(reason) => Some(Upkeep::Over(*reason)),
        _ => None,
    }
}
