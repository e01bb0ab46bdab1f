//! Asking: who consults is in a conference room, at a service, or speaks to a voicemail, while its
//! far party waits ([`super::consulting`]).
//!
//! Those steps know nothing of it: here is all that is different. What would end the leg lets it
//! go back to its far party, so does the code; who is out of a room or of a service has put the
//! far party there in its own place. Nobody is put before a voicemail that somebody else speaks to.

use leg::{LegEvent, LegId, Refusal};
use model::EndReason;

use super::consulting::{Consultation, Tone};
use super::replacing::exchange;
use super::{Action, Actions, Facts, Given, Next, Step, StepInput, led};
use crate::call::Call;
use crate::keypad::KeySource;
use crate::place::Place;

/// What a leg consults, if it does. Told by who waits for it, so that no step has to carry it.
pub(super) fn of(leg: LegId, call: &Call) -> Option<Consultation> {
    let own = call.legs.get(leg)?.branch;
    call.steps.iter().find_map(|(origin, step)| match step {
        Step::Consulting(waits) if waits.leg == leg => {
            let (far, branch) = (waits.far, waits.branch);
            Some(Consultation { origin, far, leg, branch, own, slot: None, shown: false })
        }
        _ => None,
    })
}

/// Whether somebody may be in a step who consults, for whom the step does not care itself.
pub(super) fn may_concern(step: &Step) -> bool {
    can_exchange(step) || matches!(step, Step::Voicemail(_) | Step::Clearing(_))
}

/// Whether another leg can have the place of one of a step's.
pub(super) fn can_exchange(step: &Step) -> bool {
    matches!(step, Step::Room(_) | Step::Serving(_) | Step::Entering(_))
}

/// One input of such a step.
pub(super) fn handle(
    step: Step,
    input: &StepInput<'_>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let call = facts.call;
    if let StepInput::Given { leg, given: Given::Joins { from } } = input
        && can_exchange(&step)
    {
        return joins(step, (*leg, *from), facts, actions);
    }
    let asks = leg_of(input, call).and_then(|leg| of(leg, call));
    let mark = actions.list.len();
    let next = match (asks, input) {
        (Some(asks), StepInput::Given { given: Given::GivesUp, .. }) => {
            let (branch, reason) = (asks.own, EndReason::Cancelled);
            step.proceed(&StepInput::HangUp { branch, reason }, facts, actions)
        }
        (
            Some(asks),
            StepInput::Given { given: Given::IsOut, .. }
            | StepInput::Leg(_, LegEvent::Ended { .. }),
        ) if can_exchange(&step) => return completes(step, asks, facts, actions),
        (Some(_), StepInput::Order(_)) => {
            actions.refuse(Refusal::TransferInProgress);
            return Next::Stay(step);
        }
        (asks, _) => {
            if let Some((asks, given)) = asks.zip(pressed(input)) {
                actions.push(Action::Tell { step: asks.origin, leg: asks.leg, given });
            }
            step.proceed(input, facts, actions)
        }
    };
    if !matches!(input, StepInput::EndAll(_)) {
        bring_back(mark, input, facts, actions);
    }
    next
}

/// The leg that an input is about.
fn leg_of(input: &StepInput<'_>, call: &Call) -> Option<LegId> {
    match input {
        StepInput::Leg(leg, _) | StepInput::Digit { leg, .. } | StepInput::Given { leg, .. } => {
            Some(*leg)
        }
        StepInput::Order(order) => call.legs_of(order.branch).next().map(|leg| leg.id),
        _ => None,
    }
}

/// A key, for who listens for the way back.
fn pressed(input: &StepInput<'_>) -> Option<Given> {
    match input {
        StepInput::Digit { digit, .. } => Some((*digit, KeySource::Event)),
        StepInput::Leg(_, LegEvent::Digit(digit)) => Some((*digit, KeySource::Info)),
        _ => None,
    }
    .map(|(digit, source)| Given::Pressed { digit, source })
}

/// Who consults is out, and its far party is there in its place.
fn completes(step: Step, asks: Consultation, facts: &Facts<'_>, actions: &mut Actions) -> Next {
    let Consultation { origin, far, leg, own, .. } = asks;
    let reason = EndReason::Transferred;
    actions.push(Action::Unite { one: far, other: leg });
    actions.push(Action::Move { leg: far, step: actions.acting });
    actions.push(Action::End { leg, reason });
    actions.push(Action::Leave { branch: own, reason, status: None });
    actions.push(Action::Tell { step: origin, leg: far, given: Given::IsTakenIn });
    is_placed(&step, (leg, far), facts, actions);
    exchange(step, (leg, far), facts, actions)
}

/// A phone has sent its far party to where another of its legs is.
fn joins(
    step: Step,
    (leg, from): (LegId, LegId),
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    actions.push(Action::Unite { one: leg, other: from });
    leaves(from, EndReason::Transferred, facts, actions);
    is_placed(&step, (from, leg), facts, actions);
    exchange(step, (from, leg), facts, actions)
}

/// Whoever was on `from` has put `leg` there.
fn is_placed(step: &Step, (from, leg): (LegId, LegId), facts: &Facts<'_>, actions: &mut Actions) {
    let by = facts.branch_of(from).and_then(|branch| branch.extension);
    if let Some((place, by)) = Place::in_step(step, facts.call).zip(by) {
        led::placed(leg, place, by, facts, actions);
    }
}

/// Whoever is on a leg is out.
pub(super) fn leaves(leg: LegId, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) {
    actions.push(Action::End { leg, reason });
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Leave { branch, reason, status: None });
    }
}

/// Whoever is put out and consults goes back to its far party; who has hung up is out.
fn bring_back(mark: usize, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) {
    let is_lost = |leg: LegId| match input {
        StepInput::Leg(of, LegEvent::Ended { .. } | LegEvent::OfferRejected { status: 408 }) => {
            *of == leg
        }
        _ => false,
    };
    let call = facts.call.id;
    let mut at = mark;
    while let Some(action) = actions.list.get_mut(at) {
        at += 1;
        let Action::End { leg, reason } = *action else { continue };
        let Some(asks) = of(leg, facts.call).filter(|_| !is_lost(leg)) else { continue };
        let tone = match reason {
            EndReason::Cancelled | EndReason::ApiHangup | EndReason::ServiceDone => Tone::None,
            _ => Tone::Error,
        };
        *action = Action::PartOf { leg, branch: asks.branch };
        let (step, given) = (asks.origin, Given::ComesBack { tone });
        actions.push(Action::Give { leg, call, step, given });
    }
}
