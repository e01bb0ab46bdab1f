//! What programs are shown of a call.

use std::sync::{Arc, OnceLock};

use leg::{CallFlow, CallView, ExtensionRef};
use model::{ExtensionId, ExtensionKind, Snapshot};

use crate::call::{Branch, Call};
use crate::place::Place;
use crate::records;

/// One view for each phone extension that takes part, in the order in which they joined.
pub fn views(call: &Call, snapshot: &Snapshot) -> Vec<Arc<CallView>> {
    call.branches
        .values()
        .filter(|b| {
            let extension = b.extension.and_then(|id| snapshot.extension(id));
            extension.is_some_and(|e| e.kind == ExtensionKind::Phone)
        })
        .filter(|b| !b.over || !has_leg_elsewhere(call, b))
        .filter_map(|b| view(call, b, snapshot).map(Arc::new))
        .collect()
}

/// Whether the extension of a part that is only listed has another part by now.
fn has_leg_elsewhere(call: &Call, branch: &Branch) -> bool {
    let root = call.root(branch.conversation);
    let mut others = call.branches_under(root).filter(|b| b.extension == branch.extension);
    others.any(|b| call.legs_of(b.id).next().is_some())
}

fn view(call: &Call, branch: &Branch, snapshot: &Snapshot) -> Option<CallView> {
    let of = call.conversation_of(branch)?;
    let listed = call.conversations.get(call.root(of.id))?;
    let party = call.party(branch)?;
    // Nobody talks with who was sent to a room or a service: that is what it is shown to talk with.
    let place = Place::listed(branch, call, snapshot);
    let (from, to) = match branch.flow {
        CallFlow::In => (place.as_ref(), None),
        CallFlow::Out => (None, place.as_ref()),
    };
    let called_number = to.and_then(|place| place.identity.number.as_ref());
    let caller = from.unwrap_or(party);
    let reference = |id: ExtensionId| reference(snapshot, id);
    let called = match branch.flow {
        CallFlow::In if branch.party.is_some() => branch.extension,
        CallFlow::In | CallFlow::Out => to.map_or(of.called_extension, |place| place.extension),
    };
    // Until the answer an extension is shown the time when the call began to concern it.
    Some(CallView {
        call_api_id: Some(listed.api_id),
        extension: branch.extension.and_then(reference),
        flow: Some(branch.flow),
        called_number: called_number.unwrap_or_else(|| records::dialled(of, branch)).to_string(),
        called_did: party.came_by.as_ref().map(|came| came.did.to_string()),
        caller_id_number: records::caller_number(caller, snapshot),
        caller_id_name: caller.identity.name.to_string(),
        caller_extension: caller.extension.and_then(reference),
        called_extension: called.and_then(reference),
        init_time: match branch.flow {
            CallFlow::In => branch.began.wall,
            CallFlow::Out => of.began.wall,
        },
        answer_time: branch.answered.map(|a| a.wall),
        record_uuid: records::record_uuid(branch).map(|id| id.to_string()),
        real_call: call.legs_of(branch.id).next().is_some(),
        subcall_id: records::sub_call_id(branch).to_string(),
        callback_id: None,
        rendered: OnceLock::new(),
    })
}

/// An extension as calls show it.
pub fn reference(snapshot: &Snapshot, id: ExtensionId) -> Option<ExtensionRef> {
    let extension = snapshot.extension(id)?;
    Some(ExtensionRef {
        id,
        client_id: snapshot.tenant.id,
        name: snapshot.full_name(extension),
        kind: records::kind_name(extension),
        group: extension.group,
    })
}
