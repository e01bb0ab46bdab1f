//! What an input means for a leg that is a step's own, whatever the step is about: it is kept up,
//! or it is over.

use leg::{CallAction, LegEvent, LegId};
use model::EndReason;

use super::{Action, Actions, Facts, StepInput, reason_for};
use crate::control::Order;

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

/// A program that holds the call for a leg holds it no more, wherever that waits now. `false`: the
/// order is about something else.
pub(super) fn releases(
    leg: LegId,
    order: &Order,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> bool {
    let is_held = facts.leg(leg).is_some_and(|l| l.held && l.branch == order.branch);
    let releases = is_held && matches!(order.action, CallAction::Offhold);
    if releases {
        actions.accept();
        actions.push(Action::Hold { leg, held: false });
    }
    releases
}

/// What a program holds for a leg it holds for another one of the same extension, which has its
/// place.
pub(super) fn passes_hold(from: LegId, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    let held = facts.leg(from).is_some_and(|l| l.held);
    if held && super::replacing::is_same_extension(from, leg, facts) {
        actions.push(Action::Hold { leg, held });
    }
}
