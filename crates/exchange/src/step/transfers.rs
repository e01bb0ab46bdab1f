//! How transfers begin in a talk: by an order, or by REFER.

use std::sync::Arc;

use leg::{CallFlow, LegId, ReferId, ReferTo, Refusal};
use model::limits::CALL_BRANCHES_MAX;
use model::{EndReason, ExtensionId, Number};

use super::consulting::{Consultation, Consulting};
use super::parked::{self, Departure, Parking};
use super::seeking::Seeking;
use super::seeking::consult::converse;
use super::seeking::purpose::Wanted;
use super::seeking::transfer::{Plan, Sender, checked};
use super::sending::{self, Called, Sent};
use super::talking::Talking;
use super::{Action, Actions, Facts, Given, Next, Step, entering, replacing};
use crate::call::{BranchId, StepId};
use crate::display;
use crate::keypad::Keypad;
use crate::slots::Slot;

/// The far party of `leg` is to be sent on to a number, on behalf of a part in the call. `parks`:
/// how that is out if the number is a slot.
pub(super) fn order(
    talk: Talking,
    leg: LegId,
    (branch, parks): (BranchId, Departure),
    number: &Number,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let Some(by) = facts.call.branches.get(branch).and_then(|b| b.extension) else {
        actions.refuse(Refusal::NoSuchCall);
        return Next::Stay(Step::Talking(talk));
    };
    let part = part_beside(branch, leg, facts);
    let far = talk.other(leg);
    let leaves = |actions: &mut Actions| {
        actions.accept();
        if let Some(branch) = part {
            let reason = EndReason::Transferred;
            actions.push(Action::Leave { branch, reason, status: None });
        }
        sending::leaves((leg, far), None, facts, actions);
    };
    match sending::sent(number, by, facts) {
        Ok(Sent::At(at)) => {
            leaves(actions);
            sending::arrives(far, at, by, facts, actions)
        }
        Ok(Sent::Slot(slot)) => {
            let parking = Parking { parker: leg, branch, far };
            let done = parked::park(parking, slot, parks, facts, actions);
            talk.or_stays(done, actions)
        }
        Ok(Sent::Rung(wanted)) => {
            actions.accept();
            let plan = plan(talk, (leg, part), (by, None), facts);
            Seeking::send_on(plan, &wanted, facts, actions)
        }
        Err(refusal) => {
            actions.refuse(refusal);
            Next::Stay(Step::Talking(talk))
        }
    }
}

/// A phone asks by REFER to send its far party on.
pub(super) fn refer(
    talk: Talking,
    leg: LegId,
    refer: ReferId,
    to: &ReferTo,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let Some(by) = may_refer(leg, facts) else {
        refused(leg, refer, actions);
        return Next::Stay(Step::Talking(talk));
    };
    let number = match to {
        ReferTo::Number(number) => number,
        ReferTo::Replace(with) => {
            let joined = replacing::refer(&talk, (leg, refer), *with, by, facts, actions);
            return joined.unwrap_or_else(|| {
                refused(leg, refer, actions);
                Next::Stay(Step::Talking(talk))
            });
        }
    };
    let far = talk.other(leg);
    match sending::sent(number, by, facts) {
        Ok(Sent::At(at)) => {
            sending::leaves((leg, far), Some(refer), facts, actions);
            sending::arrives(far, at, by, facts, actions)
        }
        Ok(Sent::Slot(slot)) => park(talk, (leg, refer), slot, facts, actions),
        Ok(Sent::Rung(wanted)) => {
            let plan = plan(talk, (leg, None), (by, Some(refer)), facts);
            Seeking::send_on(plan, &wanted, facts, actions)
        }
        Err(refusal) => {
            let status = sending::status(refusal, number, by, facts);
            actions.push(Action::ReferRefused { leg, refer, status });
            Next::Stay(Step::Talking(talk))
        }
    }
}

/// The far party of `leg` is to wait while that talks to a number, on behalf of a part in the call.
pub(super) fn consult(
    talk: Talking,
    leg: LegId,
    branch: BranchId,
    number: &Number,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let part = facts.call.branches.get(branch);
    let (Some(by), Some(own)) = (part.and_then(|b| b.extension), facts.branch_of(leg)) else {
        actions.refuse(Refusal::NoSuchCall);
        return Next::Stay(Step::Talking(talk));
    };
    // Where another stands for the extension it is that one who talks, in a call of its own.
    let consults = own.extension.unwrap_or(by);
    let (part, branch) = (part_beside(branch, leg, facts), own.id);
    let asked = match asked(number, by, facts) {
        Ok(asked) => asked,
        Err(refusal) => {
            actions.refuse(refusal);
            return Next::Stay(Step::Talking(talk));
        }
    };
    actions.accept();
    let Some(conversing) = converse(number, consults, facts, actions) else {
        return Next::Stay(Step::Talking(talk));
    };
    let own = actions.fresh_branch();
    actions.push(Action::Join {
        branch: own,
        conversation: conversing.0,
        party: None,
        extension: Some(consults),
        flow: CallFlow::Out,
        forwards_to: None,
    });
    actions.push(Action::PartOf { leg, branch: own });
    let talk = Talking { tone: None, ..talk };
    let far = talk.other(leg);
    let consultation =
        Consultation { origin: actions.acting, far, leg, branch, own, slot: None, shown: false };
    let step = match asked {
        Asked::Wanted(wanted) => {
            Seeking::consult(consultation, conversing, by, &wanted, facts, actions)
        }
        Asked::Parked(number, slot) => {
            let given = Given::AsksParked(Consultation { slot: Some(number), ..consultation });
            actions.push(Action::Give { leg, call: slot.call, step: slot.step, given });
            slot.step
        }
        Asked::Room(of) => {
            actions.push(Action::Connect { branch: own, says_so: true });
            beside(leg, actions, |actions| entering::begin(leg, of, facts, actions))
        }
        Asked::Service(service) => {
            actions.push(Action::Connect { branch: own, says_so: true });
            let called = Called { conversation: conversing.0, party: None };
            beside(leg, actions, |actions| sending::serve(leg, service, called, facts, actions))
        }
    };
    // Nobody holds whom it consults.
    let held = facts.leg(leg).is_some_and(|l| l.held);
    actions.push(Action::Hold { leg, held: false });
    let (keypad, has_moved) = (Keypad::Idle, false);
    talk.waits_for_keys(actions);
    let far_keypad = Keypad::Idle;
    let waits =
        Consulting { far, leg, branch, by, step, talk, part, keypad, far_keypad, has_moved, held };
    Next::Become(Step::Consulting(waits))
}

/// Whom, or what, somebody consults.
enum Asked {
    /// An extension, or a number of the outside.
    Wanted(Wanted),
    /// Who is parked in a slot.
    Parked(u8, Slot),
    /// Those in the conference room of an extension.
    Room(ExtensionId),
    /// A service.
    Service(ExtensionId),
}

/// Whom a number means to who consults. Nothing has been done yet.
fn asked(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Result<Asked, Refusal> {
    let is_full = facts.call.branches.len() + 1 >= CALL_BRANCHES_MAX;
    let room = |asked| if is_full { Err(Refusal::Full) } else { Ok(asked) };
    if let Some(of) = entering::target(number, by, facts) {
        return room(Asked::Room(of));
    }
    if let Some(slot) = sending::slot(number, by, facts) {
        let parked = facts.tables.slots.parked(slot);
        let (number, slot) = parked.ok_or(Refusal::NothingParked)?;
        return room(Asked::Parked(number, *slot));
    }
    match sending::service(number, by, facts) {
        Some(service) => room(Asked::Service(service)),
        None => checked(number, by, facts).map(Asked::Wanted),
    }
}

/// Who consults is in a step of its own, or in one that is there already, beside what goes on.
fn beside(leg: LegId, actions: &mut Actions, begin: impl FnOnce(&mut Actions) -> Next) -> StepId {
    let (acting, step) = (actions.acting, actions.fresh_step());
    actions.push(Action::Move { leg, step });
    actions.act_as(step);
    if let Next::Stay(begun) | Next::Become(begun) = begin(actions) {
        actions.push(Action::Begin(step, Box::new(begun)));
    }
    actions.act_as(acting);
    step
}

/// A phone parks its far party by REFER.
fn park(
    talk: Talking,
    (leg, refer): (LegId, ReferId),
    slot: Option<u8>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let parked = facts.leg(leg).map(|l| l.branch).and_then(|branch| {
        let parking = Parking { parker: leg, branch, far: talk.other(leg) };
        parked::park(parking, slot, Departure::Itself, facts, actions).ok()
    });
    match parked {
        Some((next, _)) => {
            actions.push(Action::Referred { leg, refer, status: None });
            actions.push(Action::Referred { leg, refer, status: Some(200) });
            next
        }
        None => {
            refused(leg, refer, actions);
            Next::Stay(Step::Talking(talk))
        }
    }
}

/// A phone may not transfer now.
pub(super) fn refused(leg: LegId, refer: ReferId, actions: &mut Actions) {
    actions.push(Action::ReferRefused { leg, refer, status: sending::DECLINED });
}

/// With whose rights the peer of a leg may send its far party on; `None`: it may not.
fn may_refer(leg: LegId, facts: &Facts<'_>) -> Option<ExtensionId> {
    let (at, branch) = facts.leg(leg).zip(facts.branch_of(leg))?;
    let may = at.line.is_none() || branch.may_transfer;
    branch.extension.filter(|_| may)
}

/// A part in whose name something is done with a leg, where that is not its own.
fn part_beside(part: BranchId, leg: LegId, facts: &Facts<'_>) -> Option<BranchId> {
    let own = facts.leg(leg).map(|l| l.branch);
    (own != Some(part)).then_some(part)
}

fn plan(
    talk: Talking,
    (leg, part): (LegId, Option<BranchId>),
    (by, refer): (ExtensionId, Option<ReferId>),
    facts: &Facts<'_>,
) -> Plan {
    let far = talk.other(leg);
    let talk = Talking { tone: None, ..talk };
    let last = display::party_at(leg, facts).map(Arc::new);
    Plan { far, by, from: Some(Sender { leg, part, refer, told: false, talk }), last }
}
