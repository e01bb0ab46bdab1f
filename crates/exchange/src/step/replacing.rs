//! Replaces: one dialog takes the place of another one, by an INVITE (RFC 3891) or by a REFER that
//! names it (RFC 5589 7).

use leg::{Incoming, LegId, Origin, ReferId, Replaced};
use model::{CallId, EndReason, ExtensionId};

use super::departing::Departing;
use super::routing::Routed;
use super::talking::Talking;
use super::{Action, Actions, Facts, Given, Next, Step, asking, pickup};
use crate::call::{Call, Leg, LegState, StepId};

/// What becomes of a new leg that wants to take the place of another one: it takes it in a talk of
/// its own extension, and takes the call that rings at another one.
pub(super) fn route(
    incoming: &Incoming,
    replaced: Replaced,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let refused = Routed::Refused(EndReason::Forbidden);
    let Origin::Extension(actor) = incoming.origin else { return refused };
    let from = replaced.leg;
    let Some((call, leg)) = found(from, facts) else { return refused };
    match leg.state {
        LegState::Dialling | LegState::Ringing => pickup::of_leg(actor, from, facts, actions),
        LegState::Up if is_of(call, leg, actor) => {
            let step = leg.owner;
            match call.steps.get(step) {
                Some(at) if can_move(at, from, call) => {
                    Routed::Given { call: call.id, step, given: Given::TakesOver { from } }
                }
                _ => refused,
            }
        }
        LegState::Up | LegState::Calling | LegState::Over => refused,
    }
}

fn found<'a>(leg: LegId, facts: &Facts<'a>) -> Option<(&'a Call, &'a Leg)> {
    if let Some(here) = facts.leg(leg) {
        return Some((facts.call, here));
    }
    let call = facts.calls.get(facts.tables.legs.get(&leg)?)?;
    Some((call, call.legs.get(leg)?))
}

/// Whether another phone can take the place of a leg.
fn can_move(at: &Step, from: LegId, call: &Call) -> bool {
    match at {
        Step::Talking(_) | Step::Voicemail(_) => true,
        Step::Seeking(seeking) => seeking.consultation().is_some_and(|of| of.leg == from),
        Step::Consulting(waits) => waits.far == from,
        // Who consults hears that nothing comes of it and is about to be back; for all others the
        // call is over.
        Step::Clearing(_) => asking::of(from, call).is_some(),
        machine => asking::can_exchange(machine),
    }
}

/// Whether a leg is a phone's of an extension.
fn is_of(call: &Call, leg: &Leg, extension: ExtensionId) -> bool {
    let branch = call.branches.get(leg.branch);
    leg.line.is_none() && branch.and_then(|b| b.extension) == Some(extension)
}

/// What a phone has besides the talk in which it asks for a transfer.
enum Second {
    /// It talks, or is where nobody is a far party: in a room, at a service.
    Talks(CallId, StepId),
    /// Somebody is rung for it.
    Rings(CallId, StepId),
}

/// A phone has two dialogs and wants its far parties to be connected: `None`: it may not, and
/// nothing has changed.
pub(super) fn refer(
    talk: &Talking,
    (leg, refer): (LegId, ReferId),
    with: LegId,
    by: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Option<Next> {
    let far = talk.other(leg);
    if [leg, far].contains(&with) {
        return None;
    }
    match second_of(with, by, facts)? {
        Second::Talks(call, step) => {
            actions.push(Action::Referred { leg, refer, status: None });
            actions.push(Action::Give { leg: far, call, step, given: Given::Joins { from: with } });
            actions.push(Action::Referred { leg, refer, status: Some(200) });
            Departing::begin(leg, EndReason::Transferred, None, facts, actions);
        }
        Second::Rings(call, step) => {
            // The talk is begun anew if nothing comes of it.
            let mut talk = talk.clone();
            [leg, far].into_iter().for_each(|of| talk.gives_up(of, actions));
            let given = Given::SentOnBy { leg, refer, by, held: talk.held_by(leg) };
            actions.push(Action::Give { leg: far, call, step, given });
            actions.push(Action::Move { leg, step });
        }
    }
    Some(Next::Done)
}

fn second_of(with: LegId, by: ExtensionId, facts: &Facts<'_>) -> Option<Second> {
    let (call, leg) = found(with, facts)?;
    if !is_of(call, leg, by) {
        return None;
    }
    match call.steps.get(leg.owner)? {
        Step::Talking(talking) if talking.consults.is_none() => {
            Some(Second::Talks(call.id, leg.owner))
        }
        machine if asking::can_exchange(machine) && asking::of(with, call).is_none() => {
            Some(Second::Talks(call.id, leg.owner))
        }
        Step::Seeking(seeking) if seeking.looks_for(with) => {
            Some(Second::Rings(call.id, leg.owner))
        }
        _ => None,
    }
}
