//! Routing: what becomes of a leg that has come in. It lasts no time, so it is no state.

use std::sync::Arc;

use leg::{CallFlow, Identity, Incoming, LegId, Target};
use model::{EndReason, Extension, ExtensionKind, Service, Status};
use route::{Destination, Unroutable};

use super::ringing::Ringing;
use super::serving::Serving;
use super::{Action, Actions, Facts, Step, Timer};
use crate::limits;
use crate::session;

/// What a new leg leads to.
#[derive(Debug)]
pub enum Routed {
    /// A step that owns it.
    To(Step),
    /// It is refused.
    Refused(EndReason),
}

/// Decides what becomes of a new call whose caller's leg and branch are in place.
pub fn route(leg: LegId, incoming: &Incoming, facts: &Facts<'_>, actions: &mut Actions) -> Routed {
    if let Some(reason) = refusal(incoming, facts) {
        return Routed::Refused(reason);
    }
    let called = match route::destination(facts.snapshot, incoming.dialled.number.as_str()) {
        Ok(Destination::Extension(extension)) => extension,
        Err(Unroutable::NoSuchNumber) => return Routed::Refused(EndReason::NotFound),
        Err(Unroutable::Blocked) => return Routed::Refused(EndReason::ExtensionBlocked),
    };
    match called.kind {
        ExtensionKind::Phone => ring(leg, incoming, &called, facts, actions),
        ExtensionKind::Service(Service::Echo) => {
            let branch = actions.fresh_branch();
            actions.push(Action::Join { branch, extension: called.id, flow: CallFlow::In });
            Routed::To(Step::Serving(Serving::begin(leg, branch, actions)))
        }
        // Nothing enters a queue or a menu yet: as if nobody were there.
        ExtensionKind::Queue | ExtensionKind::Ivr => Routed::Refused(EndReason::Unreachable),
    }
}

/// Why the call may not begin at all.
fn refusal(incoming: &Incoming, facts: &Facts<'_>) -> Option<EndReason> {
    let tenant = &facts.snapshot.tenant;
    if tenant.status == Status::Blocked {
        return Some(EndReason::TenantBlocked);
    }
    match facts.snapshot.extension(incoming.extension) {
        Some(caller) if caller.status == Status::Active => {}
        _ => return Some(EndReason::Forbidden),
    }
    // The call itself is already counted.
    if facts.tables.calls > tenant.calls_max as usize {
        return Some(EndReason::TenantLimit);
    }
    if incoming.offer.as_ref().is_some_and(|o| o.formats.is_empty() || o.port == 0) {
        return Some(EndReason::NoCommonCodec);
    }
    None
}

/// Rings every device of a phone extension.
fn ring(
    caller: LegId,
    incoming: &Incoming,
    called: &Arc<Extension>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let Some(phone) = &called.phone else { return Routed::Refused(EndReason::Unreachable) };
    let branch = actions.fresh_branch();
    actions.push(Action::Join { branch, extension: called.id, flow: CallFlow::In });
    let refuse = |actions: &mut Actions, reason| {
        actions.push(Action::Leave { branch, reason, status: None });
        Routed::Refused(reason)
    };
    if phone.incoming_limit.is_some_and(|max| facts.tables.incoming(called.id) >= max) {
        return refuse(actions, EndReason::ExtensionLimit);
    }
    // A person who dials the own number reaches the own other devices.
    let devices: Vec<_> = facts
        .tables
        .devices(called.id)
        .filter(|(device, _)| incoming.device != Some(*device))
        .collect();
    if devices.is_empty() {
        return refuse(actions, EndReason::Unreachable);
    }
    if devices.len() > facts.ports_left {
        return refuse(actions, EndReason::NodeLimit);
    }
    let codecs = session::codecs_towards(incoming.offer.as_deref());
    let mut legs = Vec::with_capacity(devices.len());
    for (device, peer) in devices {
        let leg = actions.fresh_leg();
        actions.push(Action::Dial {
            leg,
            branch,
            target: Target::Device { extension: called.id, device },
            peer,
            identity: Identity { ..facts.call.caller.clone() },
            codecs: codecs.clone(),
            max_forwards: incoming.max_forwards.saturating_sub(1),
        });
        legs.push(leg);
    }
    let ring_for = core::time::Duration::from_secs(u64::from(phone.ring_timeout_s()));
    actions.push(Action::Timer { timer: Timer::RingTimeout, after: ring_for });
    actions.push(Action::Timer { timer: Timer::NoResponse, after: limits::NO_RESPONSE });
    Routed::To(Step::Ringing(Ringing::begin(caller, branch, legs)))
}
