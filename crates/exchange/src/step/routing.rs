//! Routing: what becomes of a leg that has come in. It lasts no time, so it is no state.

use leg::{CallFlow, Incoming, LegId};
use model::{EndReason, ExtensionKind, Service, Status};
use route::{Destination, Unroutable};

use super::seeking::Seeking;
use super::serving::Serving;
use super::{Action, Actions, Facts, Next, Step};

/// What a new leg leads to.
#[derive(Debug)]
pub enum Routed {
    /// A step that owns it.
    To(Step),
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
    let caller = facts.snapshot.extension(incoming.extension).map(|e| &**e);
    let number = incoming.dialled.number.as_str();
    let seeking = Seeking::new(leg, incoming.max_forwards.saturating_sub(1));
    let called = match route::destination(facts.snapshot, caller, number) {
        Ok(Destination::Extension(extension)) => extension,
        Ok(Destination::Outside(outside)) => {
            return routed(seeking.dial_outside(&outside, facts, actions));
        }
        Err(Unroutable::NoSuchNumber) => return Routed::Refused(EndReason::NotFound),
        Err(Unroutable::Blocked) => return Routed::Refused(EndReason::ExtensionBlocked),
    };
    match called.kind {
        ExtensionKind::Phone => routed(seeking.visit(called.id, facts, actions)),
        ExtensionKind::Service(Service::Echo) => {
            let branch = actions.fresh_branch();
            let (extension, flow) = (Some(called.id), CallFlow::In);
            actions.push(Action::Join { branch, extension, flow, forwards_to: None });
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
