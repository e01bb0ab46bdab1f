//! Pickup: somebody takes a call that rings elsewhere, or the far party of one that was answered.
//!
//! A call rings at an extension from its arrival until somebody answers, also while the rules of
//! the extension ring elsewhere. It is claimed when the taker is there, never before: who comes
//! second finds the next call, or none.

use core::cmp::Reverse;
use std::sync::Arc;

use leg::{LegId, Refusal};
use model::limits::CALL_BRANCHES_MAX;
use model::{CallUuid, ControlAction, EndReason, ExtensionId, Mono, Number};
use route::{Feature, Named};

use super::routing::Routed;
use super::seeking::Seeking;
use super::seeking::purpose::{self, Purpose, Wanted};
use super::{Action, Actions, Facts, Given, Step, asking, entering, led, monitoring, upkeep};
use crate::attempts::{Attempted, NEUTRAL};
use crate::call::{Branch, BranchId, Call, Leg, LegState, StepId};
use crate::control::Order;

/// What an extension has dialled to do something with another's call. `None`: it is something else.
pub fn dialled(
    leg: LegId,
    actor: ExtensionId,
    feature: &Feature,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Option<Routed> {
    match feature {
        Feature::GroupPickup => Some(of_groups(actor, facts, actions)),
        Feature::Pickup(named) => Some(of_extension(actor, named, facts, actions)),
        Feature::Monitor(mode, named) => {
            Some(monitoring::dialled(leg, actor, *mode, named, facts, actions))
        }
        Feature::Room(named) => Some(entering::dialled(leg, named, facts, actions)),
        _ => None,
    }
}

/// A call that rings at an extension.
#[derive(Clone, Copy, Debug)]
struct Ringing {
    began: (Mono, BranchId),
    at: ExtensionId,
    /// Who calls, of the tenant's extensions.
    by: Option<ExtensionId>,
    step: StepId,
    uuid: Option<CallUuid>,
}

/// What rings in a call.
fn ringing_in(call: &Call) -> impl Iterator<Item = Ringing> {
    call.steps.iter().flat_map(move |(step, of)| {
        // Whom: who waits there, or for whom somebody is rung who takes it from where it waits.
        let seeking = match of {
            Step::Seeking(seeking) => {
                let here = seeking.caller.map(|caller| (step, caller));
                here.or_else(|| seeking.purpose.waits()).map(|waits| (seeking, waits))
            }
            _ => None,
        };
        seeking.into_iter().flat_map(move |(seeking, (step, caller))| {
            let by = call.legs.get(caller).and_then(|leg| call.branches.get(leg.branch));
            let by = by.and_then(|b| b.extension);
            let parts = call.branches.values().filter(|b| b.is_called() && !b.transferred);
            parts.filter(|b| seeking.has_branch(b.id)).filter_map(move |b| {
                let root = call.conversations.get(call.root(b.conversation));
                let uuid = root.map(|c| c.api_id.uuid);
                Some(Ringing { began: (b.began.mono, b.id), at: b.extension?, by, step, uuid })
            })
        })
    })
}

/// The call that has rung longest of those that `which` picks.
fn oldest(
    facts: &Facts<'_>,
    calls: impl Iterator<Item = model::CallId>,
    which: impl Fn(&Ringing) -> bool,
) -> Option<(model::CallId, Ringing)> {
    let calls = calls.filter_map(|id| facts.calls.get(&id));
    let all = calls.flat_map(|call| ringing_in(call).map(move |ringing| (call.id, ringing)));
    all.filter(|(_, ringing)| which(ringing)).min_by_key(|(_, ringing)| ringing.began)
}

/// The call that has rung longest in the groups of an extension is taken; its own, and those that
/// it has placed, are not.
fn of_groups(actor: ExtensionId, facts: &Facts<'_>, actions: &mut Actions) -> Routed {
    let action = ControlAction::GroupPickup;
    let is_near = |ringing: &Ringing| {
        ringing.at != actor
            && ringing.by != Some(actor)
            && facts.snapshot.control.may(actor, action, ringing.at).is_allowed
    };
    let found = oldest(facts, facts.calls.keys().copied(), is_near);
    let attempted = match found {
        Some((_, ringing)) => Attempted::on(ringing.at, action, ringing.uuid),
        None => Attempted { action, target: None, name: Arc::default(), call: None },
    };
    claim(attempted, actor, found, facts, actions)
}

/// The call is taken that has rung longest at an extension.
fn of_extension(
    actor: ExtensionId,
    named: &Named,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let action = ControlAction::Pickup;
    let target = match named {
        Named::Extension(target) => *target,
        Named::Unknown(name) => {
            let name = name.as_str().into();
            let attempted = Attempted { action, target: None, name, call: None };
            return claim(attempted, actor, None, facts, actions);
        }
    };
    let calls = facts.tables.calls_of(target).iter().copied();
    let found = oldest(facts, calls, |ringing| ringing.at == target && ringing.by != Some(actor));
    directed(actor, target, found, facts, actions)
}

/// The call is taken that rings on a leg which we dialled, and no other that rings there: what an
/// INVITE with Replaces of an early dialog asks for (RFC 3891 3).
pub fn of_leg(
    actor: ExtensionId,
    rings: LegId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let call = facts.tables.legs.get(&rings).and_then(|id| facts.calls.get(id));
    let branch = call.and_then(|call| call.branches.get(call.legs.get(rings)?.branch));
    let (Some(call), Some(branch)) = (call, branch) else { return Routed::Refused(NEUTRAL) };
    let Some(target) = branch.extension else { return Routed::Refused(NEUTRAL) };
    let found = oldest(facts, core::iter::once(call.id), |ringing| {
        ringing.began.1 == branch.id && ringing.by != Some(actor)
    });
    directed(actor, target, found, facts, actions)
}

fn directed(
    actor: ExtensionId,
    target: ExtensionId,
    found: Option<(model::CallId, Ringing)>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let uuid = found.and_then(|(_, ringing)| ringing.uuid);
    let attempted = Attempted::on(target, ControlAction::Pickup, uuid);
    claim(attempted, actor, found, facts, actions)
}

fn claim(
    attempted: Attempted,
    actor: ExtensionId,
    found: Option<(model::CallId, Ringing)>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let (is_allowed, row) = attempted.by_phone(actor, facts);
    actions.push(row);
    match found.filter(|_| is_allowed) {
        Some((call, Ringing { step, .. })) => Routed::Given { call, step, given: Given::PicksUp },
        None => Routed::Refused(NEUTRAL),
    }
}

/// A program has somebody rung who takes a call, or the far party of one: whom, once it was
/// checked. `far`: who waits to be taken.
pub fn ordered(
    number: &Number,
    by: ExtensionId,
    far: LegId,
    order: &Order,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Result<Wanted, Refusal> {
    let wanted = purpose::found(number, by, facts)?;
    // It would talk with itself.
    let own = facts.branch_of(far).and_then(Branch::itself);
    if own.is_some() && own == wanted.extension() {
        return Err(Refusal::OwnNumber);
    }
    let attempted = Attempted::on(by, ControlAction::Pickup, monitoring::uuid_of(far, facts));
    let (is_allowed, row) = attempted.by_program(order.program.as_ref(), &wanted, facts);
    actions.push(row);
    if !is_allowed {
        return Err(Refusal::Forbidden);
    }
    if facts.call.branches.len() >= CALL_BRANCHES_MAX || facts.ports_left == 0 {
        return Err(Refusal::Full);
    }
    Ok(wanted)
}

/// Somebody is to be rung who takes `far`, the far party of `leg`, which stands for the extension
/// whose part the order is about.
pub fn order_far(
    number: &Number,
    (leg, far): (LegId, LegId),
    order: &Order,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let part = facts.call.branches.get(order.branch);
    let (Some(part), Some(by)) = (part, part.and_then(|b| b.extension)) else {
        return actions.refuse(Refusal::NoSuchCall);
    };
    let wanted = match ordered(number, by, far, order, facts, actions) {
        Ok(wanted) => wanted,
        Err(refusal) => return actions.refuse(refusal),
    };
    actions.accept();
    let purpose = Purpose::TakeOver { from: leg, far: Some(far) };
    let party = crate::display::party_at(far, facts).map(Arc::new);
    Seeking::fetch(purpose, &wanted, by, part.conversation, party, facts, actions);
}

/// Whether a leg still talks with somebody whom another can take.
pub fn can_take_over(from: LegId, facts: &Facts<'_>) -> bool {
    let step = facts.leg(from).and_then(|l| facts.call.steps.get(l.owner));
    matches!(step, Some(Step::Talking(_)))
}

/// Who takes the far party of a leg is there.
pub fn take_over(leg: LegId, from: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    let Some(step) = facts.leg(from).map(|l| l.owner) else { return };
    let given = Given::TakesOver { from };
    actions.push(Action::Give { leg, call: facts.call.id, step, given });
}

/// The place of a leg in a talk was taken by another one.
pub fn taken_over(
    from: LegId,
    (leg, far): (LegId, LegId),
    reason: EndReason,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    actions.push(Action::End { leg: from, reason });
    if let Some(branch) = facts.leg(from).map(|l| l.branch) {
        actions.push(Action::Leave { branch, reason, status: None });
    }
    upkeep::passes_hold(from, leg, facts, actions);
    led::follow(from, leg, facts, actions);
    monitoring::follow(from, leg, facts, actions);
    crate::display::introduce(leg, far, facts, actions);
    // One that came in for that is answered now.
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Connect { branch, says_so: true });
    }
    let codec = facts.leg(far).and_then(crate::session::codec_towards);
    actions.push(Action::Answer { leg, codec });
    actions.push(Action::Unite { one: far, other: leg });
}

/// The answered call of an extension that it does not hold, else the newest, with its leg: in a
/// talk, or waiting while somebody is consulted or is to take its far party.
pub fn talk_of<'a>(extension: ExtensionId, facts: &Facts<'a>) -> Option<(&'a Call, LegId)> {
    let calls = facts.tables.calls_of(extension).iter().filter_map(|id| facts.calls.get(id));
    let talks = calls.flat_map(|call| {
        call.legs.values().filter(|leg| leg.state == LegState::Up).filter_map(move |leg| {
            let branch = call.branches.get(leg.branch)?;
            let is_held = is_held(leg, call)? || leg.holds();
            // Who consults is answered there only when somebody is found.
            let since = branch.answered.unwrap_or(branch.began).mono;
            let is_its = branch.extension == Some(extension);
            is_its.then_some(((is_held, Reverse(since)), &**call, leg.id))
        })
    });
    talks.min_by_key(|(order, ..)| *order).map(|(_, call, leg)| (call, leg))
}

/// Whether a leg's talk is interrupted, since its far party does something else; `None`: it has
/// none.
fn is_held(leg: &Leg, call: &Call) -> Option<bool> {
    match call.steps.get(leg.owner)? {
        Step::Talking(_) => Some(false),
        Step::Seeking(seeking) => {
            seeking.has_talked(leg.id).then_some(seeking.consultation().is_none())
        }
        Step::Consulting(_) => Some(true),
        _ => asking::of(leg.id, call).map(|_| false),
    }
}
