//! How transfers begin in a talk: by an order, or by REFER.

use leg::{CallFlow, LegId, ReferId, ReferTo, Refusal};
use model::{ExtensionId, Number};
use route::{Destination, Feature};

use super::consulting::{Consultation, Consulting};
use super::parked::{self, Departure, Parking};
use super::seeking::Seeking;
use super::seeking::consult::converse;
use super::seeking::transfer::{Plan, Sender, checked};
use super::talking::Talking;
use super::{Action, Actions, Facts, Next, Step, entering, replacing};
use crate::call::BranchId;

/// The far party of `leg` is to be sent on to a number, on behalf of a part in the call.
pub(super) fn order(
    talk: Talking,
    leg: LegId,
    branch: BranchId,
    number: &Number,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let Some(by) = facts.call.branches.get(branch).and_then(|b| b.extension) else {
        actions.refuse(Refusal::NoSuchCall);
        return Next::Stay(Step::Talking(talk));
    };
    if let Some(room) = entering::target(number, by, facts) {
        actions.accept();
        return entering::send_on(talk.other(leg), (leg, None), room, facts, actions);
    }
    if let Some(slot) = slot_to_park_in(number, by, facts) {
        let parking = Parking { parker: leg, branch, far: talk.other(leg) };
        let done = parked::park(parking, slot, Departure::AtOnce, facts, actions);
        return talk.or_stays(done, actions);
    }
    let wanted = match checked(number, by, facts) {
        Ok(wanted) => wanted,
        Err(refusal) => {
            actions.refuse(refusal);
            return Next::Stay(Step::Talking(talk));
        }
    };
    actions.accept();
    Seeking::send_on(plan(talk, leg, by, None), &wanted, facts, actions)
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
    if let Some(room) = entering::target(number, by, facts) {
        return entering::send_on(talk.other(leg), (leg, Some(refer)), room, facts, actions);
    }
    if let Some(slot) = slot_to_park_in(number, by, facts) {
        return park(talk, (leg, refer), slot, facts, actions);
    }
    match checked(number, by, facts) {
        Ok(wanted) => Seeking::send_on(plan(talk, leg, by, Some(refer)), &wanted, facts, actions),
        Err(refusal) => {
            let status = if refusal == Refusal::Forbidden { FORBIDDEN } else { DECLINED };
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
    let own = facts.leg(leg).map(|l| l.branch);
    let (Some(by), Some(branch)) = (part.and_then(|b| b.extension), own) else {
        actions.refuse(Refusal::NoSuchCall);
        return Next::Stay(Step::Talking(talk));
    };
    let wanted = match checked(number, by, facts) {
        Ok(wanted) => wanted,
        Err(refusal) => {
            actions.refuse(refusal);
            return Next::Stay(Step::Talking(talk));
        }
    };
    actions.accept();
    let Some(conversing) = converse(number, by, facts, actions) else {
        return Next::Stay(Step::Talking(talk));
    };
    let own = actions.fresh_branch();
    actions.push(Action::Join {
        branch: own,
        conversation: conversing.0,
        party: None,
        extension: Some(by),
        flow: CallFlow::Out,
        forwards_to: None,
    });
    actions.push(Action::PartOf { leg, branch: own });
    let talk = Talking { tone: None, ..talk };
    let far = talk.other(leg);
    let consultation = Consultation { origin: actions.acting, far, leg, branch, own };
    let step = Seeking::consult(consultation, conversing, &wanted, facts, actions);
    Next::Become(Step::Consulting(Consulting { far, leg, branch, by, step, talk }))
}

/// Whether who is sent to a number is parked there: in which slot, if not in the next free one.
fn slot_to_park_in(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Option<Option<u8>> {
    let by = facts.snapshot.extension(by).map(|e| &**e);
    match route::target(facts.snapshot, by, number.as_str()) {
        Ok(Destination::Feature(Feature::Retrieve(slot))) => Some(slot),
        _ => None,
    }
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
    actions.push(Action::ReferRefused { leg, refer, status: DECLINED });
}

/// RFC 3261 21.4.4.
const FORBIDDEN: u16 = 403;
/// RFC 3261 21.6.2.
const DECLINED: u16 = 603;

/// With whose rights the peer of a leg may send its far party on; `None`: it may not.
fn may_refer(leg: LegId, facts: &Facts<'_>) -> Option<ExtensionId> {
    let (at, branch) = facts.leg(leg).zip(facts.branch_of(leg))?;
    let may = at.line.is_none() || branch.may_transfer;
    branch.extension.filter(|_| may)
}

fn plan(talk: Talking, leg: LegId, by: ExtensionId, refer: Option<ReferId>) -> Plan {
    let far = talk.other(leg);
    let talk = Talking { tone: None, ..talk };
    Plan { far, by, from: Some(Sender { leg, refer, told: false, talk }) }
}
