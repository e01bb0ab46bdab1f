//! Whose a leg to the outside is when those who have led the call there are out of it.
//!
//! While an extension talks with the outside, its own part is the record of that. When it is out
//! and the outside party goes on in its place, a part of the extension begins that has that leg
//! alone: the extension is listed by it, commands it, and it is what is written down of that time.

use std::sync::Arc;

use leg::{CallFlow, LegId};
use model::{ExtensionId, Number};

use super::replacing::is_same_extension;
use super::seeking::transfer::sent_on;
use super::{Action, Actions, Facts};
use crate::call::{Branch, BranchId};
use crate::conversation::{ConversationId, Party};
use crate::display;
use crate::place::Place;
use crate::records;

/// A part of an extension that begins for somebody of the outside.
#[derive(Debug)]
pub(super) struct Led {
    /// In which conversation.
    pub(super) conversation: ConversationId,
    /// Who is shown as calling.
    pub(super) party: Option<Arc<Party>>,
    /// Whose it is.
    pub(super) by: ExtensionId,
    /// What number was called.
    pub(super) number: Number,
}

impl Led {
    /// A leg is this part from now on, and no more what it was.
    pub(super) fn begin(
        self,
        leg: LegId,
        was: Option<BranchId>,
        actions: &mut Actions,
    ) -> BranchId {
        let Led { conversation, party, by, number } = self;
        let branch = actions.fresh_branch();
        actions.push(Action::Join {
            branch,
            conversation,
            party,
            extension: Some(by),
            flow: CallFlow::Out,
            forwards_to: Some(number),
        });
        actions.push(Action::PartOf { leg, branch });
        if let Some(branch) = was {
            let (reason, status) = (model::EndReason::Transferred, None);
            actions.push(Action::Leave { branch, reason, status });
        }
        branch
    }
}

/// An extension has connected two and is out of it: `target` is whom it has found for `far`. Those
/// whom it has called outside are parts of it from now on, where nobody of the client is at the
/// other end or it was called for that; of two who have called themselves, the first.
pub(super) fn joined(
    (target, far): (LegId, LegId),
    by: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    if !is_outside(far, facts) && is_dialled(target, facts) {
        return is_led((target, far), by, facts, actions);
    }
    if !is_outside(target, facts) || !is_outside(far, facts) {
        return;
    }
    let nobody_was_called = !is_dialled(target, facts) && !is_dialled(far, facts);
    // The first of the two is the one that is listed.
    if is_dialled(target, facts) || nobody_was_called {
        is_led((target, far), by, facts, actions);
    }
    if is_dialled(far, facts) {
        is_led((far, target), by, facts, actions);
    }
}

/// An extension has sent `far` on to whom it has called outside, and is out of it: if it has called
/// that one outside too, what that goes on to cost is the extension's.
pub(super) fn sent(
    (target, far): (LegId, LegId),
    by: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let is_inside = facts.branch_of(target).and_then(Branch::itself).is_some();
    if !is_inside && is_dialled(far, facts) {
        is_led((far, target), by, facts, actions);
    }
}

/// An extension has put `leg` where nobody is at its other end, in a room or at a service, and is
/// out of it: who is of the outside is a part of it from now on, however it has come.
pub(super) fn placed(
    leg: LegId,
    place: Place,
    by: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    if !is_outside(leg, facts) {
        return;
    }
    let came_by = display::party_at(leg, facts).and_then(|party| party.came_by);
    let party = place.party(facts.snapshot).map(|party| Arc::new(Party { came_by, ..party }));
    begins(leg, party, by, facts, actions);
}

/// Whether somebody of the outside is on a leg who is nobody's part.
fn is_outside(leg: LegId, facts: &Facts<'_>) -> bool {
    facts.branch_of(leg).is_some_and(|branch| branch.extension.is_none())
}

/// The same of somebody who was called.
fn is_dialled(leg: LegId, facts: &Facts<'_>) -> bool {
    is_outside(leg, facts) && facts.branch_of(leg).is_some_and(Branch::is_called)
}

/// A leg is a part of who has led the call to it, and talks with another one.
fn is_led((leg, with): (LegId, LegId), by: ExtensionId, facts: &Facts<'_>, actions: &mut Actions) {
    begins(leg, sent_on(with, by, facts), by, facts, actions);
}

/// A leg is a part of who has led the call to it, with this party at its other end.
fn begins(
    leg: LegId,
    party: Option<Arc<Party>>,
    by: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let Some(was) = facts.branch_of(leg) else { return };
    let Some(number) = reached_by(was, leg, facts) else { return };
    let led = Led { conversation: was.conversation, party, by, number };
    let branch = led.begin(leg, Some(was.id), actions);
    actions.push(Action::Connect { branch, says_so: true });
}

/// The number by which somebody of the outside is reached: what was dialled; of who has called, its
/// own, or the one that it has called where it hides that.
fn reached_by(branch: &Branch, leg: LegId, facts: &Facts<'_>) -> Option<Number> {
    if branch.is_called() {
        return Some(records::dialled(facts.call.conversation_of(branch)?, branch).clone());
    }
    let party = display::party_at(leg, facts)?;
    let own = party.identity.number.filter(|_| !party.identity.private);
    own.or_else(|| party.came_by.map(|came| came.did))
}

/// A leg takes the place of another one. If it is the same extension's, those whose rules have led
/// to that one have led to this one; but who has come to it itself has led nobody there any more.
pub(super) fn follow(from: LegId, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    let (Some(was), Some(is)) = (facts.branch_of(from), facts.branch_of(leg)) else { return };
    if !is_same_extension(from, leg, facts) {
        return;
    }
    for part in facts.call.branches.values() {
        if part.led_to == Some(was.id) && part.extension != is.extension {
            actions.push(Action::Lead { branch: part.id, to: is.id });
        }
    }
}
