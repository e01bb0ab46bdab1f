//! Sending: where a number leads to which a far party is sent on, and what takes it there at once.
//!
//! A room, a slot and a service take who is sent there without anybody being rung: who sends it is
//! out in the same moment. Whom somebody is rung for is in [`super::seeking::transfer`].

use std::sync::Arc;

use leg::{CallFlow, LegId, ReferId, Refusal};
use model::limits::CALL_BRANCHES_MAX;
use model::{EndReason, ExtensionId, ExtensionKind, Number, Service};
use route::{Destination, Feature, NoTarget};

use super::departing::Departing;
use super::seeking::purpose::{self, Wanted};
use super::seeking::transfer::{checked, sent_on};
use super::serving::Serving;
use super::{Action, Actions, Facts, Next, Step, entering, led};
use crate::conversation::{ConversationId, Party};
use crate::display;
use crate::place::Place;

/// Where a number leads.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    /// To where it is taken at once.
    At(At),
    /// Into a slot, if not into the next free one.
    Slot(Option<u8>),
    /// To somebody who is rung.
    Rung(Wanted),
}

/// Where nobody has to be rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In the conference room of an extension.
    Room(ExtensionId),
    /// At a service.
    Service(ExtensionId),
}

/// Where a number leads if an extension may send somebody there. Nothing has been done yet.
pub(super) fn sent(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Result<Sent, Refusal> {
    if let Some(room) = entering::target(number, by, facts) {
        return is_active(by, facts).then_some(Sent::At(At::Room(room))).ok_or(Refusal::Forbidden);
    }
    if let Some(slot) = slot(number, by, facts) {
        return Ok(Sent::Slot(slot));
    }
    let Some(service) = service(number, by, facts) else {
        return checked(number, by, facts).map(Sent::Rung);
    };
    if !is_active(by, facts) {
        return Err(Refusal::Forbidden);
    }
    let is_full = facts.call.branches.len() >= CALL_BRANCHES_MAX;
    if is_full { Err(Refusal::Full) } else { Ok(Sent::At(At::Service(service))) }
}

/// Where the client's last resort for who was parked, or sent on in vain, leads.
#[derive(Clone, Debug)]
pub(super) enum Fallback {
    /// To where it is taken at once.
    At(At),
    /// To somebody who is rung.
    Rung(Wanted),
}

/// Where the fallback of the client leads with the rights of an extension, if anywhere: wherever
/// that may send somebody, but not into a slot, from which the way would lead back.
pub(super) fn fallback(by: ExtensionId, facts: &Facts<'_>) -> Option<Fallback> {
    let number = facts.snapshot.routing.settings.shown.park_fallback.as_ref()?;
    match sent(number, by, facts).ok()? {
        Sent::At(at) => Some(Fallback::At(at)),
        Sent::Rung(wanted) => Some(Fallback::Rung(wanted)),
        Sent::Slot(_) => None,
    }
}

/// Whether nobody has blocked who sends somebody on.
fn is_active(by: ExtensionId, facts: &Facts<'_>) -> bool {
    !purpose::is_blocked(by, facts)
}

/// The slot that a number means when somebody is sent there, if not the next free one.
pub(super) fn slot(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Option<Option<u8>> {
    let by = facts.snapshot.extension(by).map(|e| &**e);
    match route::target(facts.snapshot, by, number.as_str()) {
        Ok(Destination::Feature(Feature::Retrieve(slot))) => Some(slot),
        _ => None,
    }
}

/// The service that a number means.
pub(super) fn service(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Option<ExtensionId> {
    let by = facts.snapshot.extension(by).map(|e| &**e);
    match route::destination(facts.snapshot, by, number.as_str()) {
        Ok(Destination::Extension(service))
            if service.kind == ExtensionKind::Service(Service::Echo) =>
        {
            Some(service.id)
        }
        _ => None,
    }
}

/// The status that a phone is refused with which has asked for a transfer by REFER. None of them
/// tells it that its own call is gone (RFC 5057 5.1).
pub(super) fn status(refusal: Refusal, number: &Number, by: ExtensionId, facts: &Facts<'_>) -> u16 {
    let own = facts.snapshot.extension(by).map(|e| &**e);
    let is_code = || {
        let target = route::target(facts.snapshot, own, number.as_str());
        matches!(target, Err(NoTarget::FeatureCode))
    };
    if refusal == Refusal::Forbidden || is_code() { FORBIDDEN } else { DECLINED }
}

/// RFC 3261 21.4.4.
const FORBIDDEN: u16 = 403;
/// RFC 3261 21.6.2.
pub(super) const DECLINED: u16 = 603;

/// Who has sent its far party on is out, since that is there already; by REFER it hangs up itself.
pub(super) fn leaves(
    (leg, far): (LegId, LegId),
    refer: Option<ReferId>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let reason = EndReason::Transferred;
    match refer {
        Some(refer) => {
            actions.push(Action::Referred { leg, refer, status: None });
            actions.push(Action::Referred { leg, refer, status: Some(200) });
            Departing::begin((leg, far), reason, None, facts, actions);
        }
        None => {
            actions.push(Action::End { leg, reason });
            if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
                actions.push(Action::Leave { branch, reason, status: None });
            }
        }
    }
}

/// A leg that was sent there has come, and is shown where it is; it is the acting step's, and what
/// becomes of that is told.
pub(super) fn arrives(
    leg: LegId,
    at: At,
    by: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let place = match at {
        At::Room(room) => Place::Room(room),
        At::Service(service) => Place::At(service),
    };
    display::show_place(leg, place, facts, actions);
    led::placed(leg, place, by, facts, actions);
    match at {
        At::Room(room) => entering::begin(leg, room, facts, actions),
        At::Service(service) => {
            let called = Called {
                conversation: facts.call.root_of_leg(leg).unwrap_or_default(),
                party: sent_on(leg, by, facts),
            };
            serve(leg, service, called, facts, actions)
        }
    }
}

/// As what a service is called.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// In this conversation.
    pub(super) conversation: ConversationId,
    /// By whom, if not by who has begun that.
    pub(super) party: Option<Arc<Party>>,
}

/// A service serves a leg, which is the acting step's; what becomes of that is told.
pub(super) fn serve(
    leg: LegId,
    service: ExtensionId,
    called: Called,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let Called { conversation, party } = called;
    let (branch, extension, flow) = (actions.fresh_branch(), Some(service), CallFlow::In);
    let forwards_to = None;
    actions.push(Action::Join { branch, conversation, party, extension, flow, forwards_to });
    Next::Become(Step::Serving(Serving::begin(leg, branch, facts, actions)))
}
