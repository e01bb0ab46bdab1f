//! Routing: what becomes of a leg that has come in. It lasts no time, so it is no state.

use std::sync::Arc;

use leg::{Incoming, LegId, Origin};
use model::{CallId, EndReason, ExtensionKind, Service, Status};
use route::{Destination, Feature, Unroutable};

use super::seeking::Seeking;
use super::sending::{self, Called};
use super::{Actions, Facts, Given, Next, Step, mailbox, pickup, replacing, swapping};
use crate::call::StepId;

/// What a new leg leads to. Made once a call and taken apart at once.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Routed {
    /// A step that owns it.
    To(Step),
    /// A step that owns it, in another call: the new one becomes a part of that.
    Joins {
        /// The other call.
        call: CallId,
        /// The step.
        as_step: Step,
    },
    /// It is given to a step of another call.
    Given {
        /// The other call.
        call: CallId,
        /// The step.
        step: StepId,
        /// What for.
        given: Given,
    },
    /// It is refused.
    Refused(EndReason),
    /// It was refused already, with all that belongs to it.
    Over,
}

fn routed(next: Next) -> Routed {
    match next {
        Next::Stay(step) | Next::Become(step) => Routed::To(step),
        Next::Done => Routed::Over,
    }
}

/// Decides what becomes of a new call whose caller's leg and branch are in place.
pub fn route(leg: LegId, incoming: &Incoming, facts: &Facts<'_>, actions: &mut Actions) -> Routed {
    if let Some(reason) = refusal(incoming, facts) {
        return Routed::Refused(reason);
    }
    if let Some(replaced) = incoming.replaces {
        return replacing::route(incoming, replaced, facts, actions);
    }
    let Some(conversation) = facts.branch_of(leg).map(|b| b.conversation) else {
        return Routed::Refused(EndReason::Internal);
    };
    let max_forwards = incoming.max_forwards.saturating_sub(1);
    let seeking = Seeking::new(Some(leg), conversation, max_forwards);
    let found = match &incoming.origin {
        Origin::Extension(id) => {
            let caller = facts.snapshot.extension(*id).map(|e| &**e);
            route::destination(facts.snapshot, caller, incoming.dialled.number.as_str())
        }
        Origin::Trunk { did, .. } => called_by_trunk(did, facts),
    };
    let called = match found {
        Ok(Destination::Extension(extension)) => extension,
        Ok(Destination::Outside(outside)) => {
            return routed(seeking.dial_outside(&outside, facts, actions));
        }
        Ok(Destination::Feature(feature)) => {
            return dialled(leg, incoming, &feature, facts, actions);
        }
        Err(Unroutable::NoSuchNumber) => {
            return Routed::Refused(EndReason::NotFound);
        }
        Err(Unroutable::Blocked) => return Routed::Refused(EndReason::ExtensionBlocked),
    };
    match called.kind {
        ExtensionKind::Phone => routed(seeking.visit(called.id, facts, actions)),
        ExtensionKind::Service(Service::Echo) => {
            let as_called = Called { conversation, party: None };
            routed(sending::serve(leg, called.id, as_called, facts, actions))
        }
        // Nothing enters a queue or a menu yet: as if nobody were there.
        ExtensionKind::Queue | ExtensionKind::Ivr => Routed::Refused(EndReason::Unreachable),
    }
}

/// Carries out what a code was dialled for.
fn dialled(
    leg: LegId,
    incoming: &Incoming,
    feature: &Feature,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let Origin::Extension(actor) = incoming.origin else {
        return Routed::Refused(EndReason::NotFound);
    };
    match feature {
        Feature::Retrieve(slot) => retrieved(*slot, facts),
        Feature::Replace { with, pin } => {
            let dialled = swapping::Dialled { leg, actor, with, pin };
            Routed::To(swapping::begin(dialled, facts, actions))
        }
        Feature::EndReplace => Routed::To(swapping::end(leg, actor, facts, actions)),
        Feature::Voicemail => mailbox::dialled(leg, actor, facts, actions),
        Feature::GroupPickup
        | Feature::Pickup(_)
        | Feature::Monitor(..)
        | Feature::Room(_)
        | Feature::Agent => {
            let done = pickup::dialled(leg, actor, feature, facts, actions);
            done.unwrap_or(Routed::Refused(EndReason::NotFound))
        }
    }
}

/// Somebody takes back who is parked.
fn retrieved(slot: Option<u8>, facts: &Facts<'_>) -> Routed {
    match facts.tables.slots.parked(slot) {
        Some((_, slot)) => {
            Routed::Given { call: slot.call, step: slot.step, given: Given::TakesParked }
        }
        None => Routed::Refused(EndReason::NotFound),
    }
}

/// To which extension a number of the outside leads.
fn called_by_trunk(did: &str, facts: &Facts<'_>) -> Result<Destination, Unroutable> {
    let did = facts.snapshot.routing.dids.get(did);
    let extension = did.and_then(|did| facts.snapshot.extension(did.extension?));
    match extension {
        Some(extension) if extension.status == Status::Active => {
            Ok(Destination::Extension(Arc::clone(extension)))
        }
        Some(_) => Err(Unroutable::Blocked),
        None => Err(Unroutable::NoSuchNumber),
    }
}

/// Whether an extension calls for help: nothing stops that.
fn is_emergency(incoming: &Incoming, facts: &Facts<'_>) -> bool {
    let numbers = &facts.snapshot.routing.settings.emergency_numbers;
    matches!(incoming.origin, Origin::Extension(_)) && numbers.contains(&incoming.dialled.number)
}

/// What stops every call but one for help.
fn stopped(incoming: &Incoming, facts: &Facts<'_>) -> Option<EndReason> {
    let tenant = &facts.snapshot.tenant;
    if tenant.status == Status::Blocked {
        return Some(EndReason::TenantBlocked);
    }
    if let Origin::Extension(caller) = incoming.origin {
        match facts.snapshot.extension(caller) {
            Some(caller) if caller.status == Status::Active => {}
            _ => return Some(EndReason::Forbidden),
        }
    }
    // The call itself is already counted.
    (facts.tables.calls > tenant.calls_max as usize).then_some(EndReason::TenantLimit)
}

/// Why the call may not begin at all.
fn refusal(incoming: &Incoming, facts: &Facts<'_>) -> Option<EndReason> {
    if !is_emergency(incoming, facts)
        && let Some(reason) = stopped(incoming, facts)
    {
        return Some(reason);
    }
    if incoming.offer.as_ref().is_some_and(|o| o.formats.is_empty() || o.port == 0) {
        return Some(EndReason::NoCommonCodec);
    }
    None
}
