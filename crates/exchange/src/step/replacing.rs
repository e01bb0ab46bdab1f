//! Replaces: one dialog takes the place of another one, by an INVITE (RFC 3891) or by a REFER that
//! names it (RFC 5589 7).

use leg::{Incoming, LegId, Origin, ReferId, Replaced};
use model::{CallId, EndReason, ExtensionId};

use super::clearing::Clearing;
use super::departing::Departing;
use super::monitoring::Monitoring;
use super::routing::Routed;
use super::serving::Serving;
use super::talking::Talking;
use super::telling::Telling;
use super::voicemail::Voicemail;
use super::{
    Action, Actions, Facts, Given, Next, Step, asking, entering, led, monitoring, pickup, upkeep,
};
use crate::attempts::NEUTRAL;
use crate::call::{Branch, Call, Leg, LegState, StepId};
use crate::display;
use crate::place::Place;

/// What becomes of a new leg that wants to take the place of another one: it takes it in a talk of
/// its own extension, and takes the call that rings at another one.
pub(super) fn route(
    incoming: &Incoming,
    replaced: Replaced,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let refused = Routed::Refused(NEUTRAL);
    let Origin::Extension(actor) = incoming.origin else { return refused };
    let from = replaced.leg;
    let Some((call, leg)) = found(from, facts) else { return refused };
    if matches!(leg.state, LegState::Dialling | LegState::Ringing) {
        return pickup::of_leg(actor, from, facts, actions);
    }
    if !is_of(call, leg, actor) {
        return refused;
    }
    let step = leg.owner;
    match call.steps.get(step) {
        Some(Step::Seeking(seeking)) if seeking.is_asked(from) => {
            pickup::of_leg(actor, from, facts, actions)
        }
        Some(Step::Monitoring(monitoring))
            if !may_listen(monitoring, actor, call, facts, actions) =>
        {
            refused
        }
        Some(at) if leg.state == LegState::Up && can_move(at, from) => {
            Routed::Given { call: call.id, step, given: Given::TakesOver { from } }
        }
        _ => Routed::Refused(EndReason::DialogOver),
    }
}

/// Whether who listens to a call may go on at another phone.
fn may_listen(
    monitoring: &Monitoring,
    actor: ExtensionId,
    call: &Call,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> bool {
    monitoring.may_move(actor, &Facts { call, ..*facts }, actions)
}

fn found<'a>(leg: LegId, facts: &Facts<'a>) -> Option<(&'a Call, &'a Leg)> {
    if let Some(here) = facts.leg(leg) {
        return Some((facts.call, here));
    }
    let call = facts.calls.get(facts.tables.legs.get(&leg)?)?;
    Some((call, call.legs.get(leg)?))
}

/// Whether another phone can take the place of a leg: wherever it is, but who is out and is about
/// to hang up.
fn can_move(at: &Step, from: LegId) -> bool {
    match at {
        Step::Talking(_) => true,
        Step::Seeking(seeking) => seeking.can_move(from),
        Step::Consulting(waits) => waits.far == from,
        alone => is_alone(alone),
    }
}

/// Whether each leg of a step is there without a far party that the step would have to tell.
pub(super) fn is_alone(step: &Step) -> bool {
    match step {
        Step::Room(_)
        | Step::Serving(_)
        | Step::Entering(_)
        | Step::Voicemail(_)
        | Step::Mailbox(_)
        | Step::Monitoring(_)
        | Step::Parked(_)
        | Step::Clearing(_)
        | Step::Telling(_) => true,
        Step::Talking(_)
        | Step::Seeking(_)
        | Step::Consulting(_)
        | Step::Departing(_)
        | Step::Recording(_) => false,
    }
}

/// Another phone of the extension goes on in the place of one, also for who waits for that.
pub(super) fn takes_over(
    step: Step,
    (leg, from): (LegId, LegId),
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    if let Some(asks) = asking::of(from, facts.call) {
        asks.moves_to(leg, facts, actions);
    }
    answers_for(leg, from, facts, actions);
    exchange(step, (from, leg), facts, actions)
}

/// Another phone is answered in the place of one, which is out.
pub(super) fn answers_for(leg: LegId, from: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Connect { branch, says_so: true });
    }
    actions.push(Action::Answer { leg, codec: None });
    actions.push(Action::Unite { one: from, other: leg });
    upkeep::passes_hold(from, leg, facts, actions);
    asking::leaves(from, EndReason::Replaced, facts, actions);
    led::follow(from, leg, facts, actions);
    monitoring::follow(from, leg, facts, actions);
}

/// Puts a leg in the place of another one, which is out.
pub(super) fn exchange(
    step: Step,
    (from, leg): (LegId, LegId),
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    if let Some(place) = Place::in_step(&step, facts.call) {
        display::show_place(leg, place, facts, actions);
    }
    let step = match step {
        Step::Room(room) => return room.exchange(from, leg, facts, actions),
        Step::Mailbox(mailbox) => return mailbox.exchange(leg, facts, actions),
        Step::Monitoring(monitoring) => return monitoring.exchange(leg, facts, actions),
        Step::Parked(parked) => return parked.exchange(leg, facts, actions),
        // Who comes now has said no code.
        Step::Entering(entering) if is_same_extension(from, leg, facts) => {
            return entering::again(entering, leg, facts, actions);
        }
        Step::Entering(entering) => return entering::begin(leg, entering.of, facts, actions),
        Step::Serving(serving) => Step::Serving(Serving { leg, ..serving }),
        Step::Voicemail(voicemail) => Step::Voicemail(Voicemail { leg, ..voicemail }),
        Step::Clearing(clearing) => Step::Clearing(Clearing { leg, ..clearing }),
        Step::Telling(telling) => Step::Telling(Telling { leg, ..telling }),
        other => other,
    };
    actions.push(Action::Save);
    Next::Stay(step)
}

/// Whether an extension itself is on a leg that has another one's place, which was its too.
pub(super) fn is_same_extension(from: LegId, leg: LegId, facts: &Facts<'_>) -> bool {
    let before = facts.branch_of(from).and_then(|branch| branch.extension);
    before.is_some() && before == facts.branch_of(leg).and_then(Branch::itself)
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
            Departing::begin((leg, far), EndReason::Transferred, None, facts, actions);
        }
        Second::Rings(call, step) => {
            // The talk is begun anew if nothing comes of it.
            let mut talk = talk.clone();
            [leg, far].into_iter().for_each(|of| talk.gives_up(of, actions));
            let given = Given::SentOnBy { leg, refer, by };
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
