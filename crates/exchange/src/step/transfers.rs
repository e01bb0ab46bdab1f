//! How transfers begin in a talk: by an order, or by REFER.

use leg::{CallFlow, LegId, ReferId, ReferTo, Refusal};
use model::{ExtensionId, Number};

use super::consulting::{Consultation, Consulting};
use super::seeking::Seeking;
use super::seeking::consult::converse;
use super::seeking::transfer::{Plan, Sender, checked};
use super::talking::Talking;
use super::{Action, Actions, Facts, Next, Step, entering};
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
    let refused = |status, actions: &mut Actions| {
        actions.push(Action::ReferRefused { leg, refer, status });
    };
    let ReferTo::Number(number) = to else {
        refused(DECLINED, actions);
        return Next::Stay(Step::Talking(talk));
    };
    let by = may_refer(leg, facts);
    if let Some(room) = by.and_then(|by| entering::target(number, by, facts)) {
        return entering::send_on(talk.other(leg), (leg, Some(refer)), room, facts, actions);
    }
    let wanted = match by {
        Some(by) => checked(number, by, facts).map(|wanted| (by, wanted)),
        None => Err(Refusal::BadNumber),
    };
    match wanted {
        Ok((by, wanted)) => {
            Seeking::send_on(plan(talk, leg, by, Some(refer)), &wanted, facts, actions)
        }
        Err(refusal) => {
            let status = if refusal == Refusal::Forbidden { FORBIDDEN } else { DECLINED };
            refused(status, actions);
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
