//! What programs are shown of a call.

use std::sync::{Arc, OnceLock};

use leg::{CallFlow, CallView, ExtensionRef};
use model::{ExtensionId, ExtensionKind, Snapshot};

use crate::call::{Branch, Call};
use crate::place::Place;
use crate::records;

/// One view for each phone extension that takes part in a conversation, in the order in which they
/// joined: `(extension_id, call_api_id)` names one side of it (decision 7).
pub fn views(call: &Call, snapshot: &Snapshot) -> Vec<Arc<CallView>> {
    call.branches
        .values()
        .filter(|b| {
            let extension = b.extension.and_then(|id| snapshot.extension(id));
            extension.is_some_and(|e| e.kind == ExtensionKind::Phone)
        })
        .filter(|b| is_listed(call, b))
        .filter_map(|b| view(call, b, snapshot).map(Arc::new))
        .collect()
}

/// Whether it is by this part that its extension is listed.
fn is_listed(call: &Call, branch: &Branch) -> bool {
    let root = call.root(branch.conversation);
    let listed = branch.extension.and_then(|extension| call.part_of(extension, root));
    listed.is_some_and(|part| part.id == branch.id)
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
    // Who is rung for somebody who was sent on, or to take a call, was not dialled by its caller.
    let own = branch.itself().filter(|_| branch.flow == CallFlow::In && branch.party.is_some());
    let own_number = own.and_then(|id| snapshot.extension(id)).map(|e| e.name.to_string());
    let caller = from.unwrap_or(party);
    let reference = |id: ExtensionId| reference(snapshot, id);
    let called = match branch.flow {
        CallFlow::In if branch.party.is_some() => branch.extension,
        // It is a number of the outside that is called in its name.
        CallFlow::Out if branch.transferred => None,
        CallFlow::In | CallFlow::Out => to.map_or(of.called_extension, |place| place.extension),
    };
    // What is said in its name is recorded in the part to which it has led the call.
    let led_to = branch.led_to.and_then(|to| call.branches.get(to));
    let own = led_to.filter(|b| b.extension == branch.extension);
    let recorded = Some(branch).filter(|b| b.recording.is_some()).or(own);
    // Until the answer an extension is shown the time when the call began to concern it.
    Some(CallView {
        call_api_id: Some(listed.api_id),
        extension: branch.extension.and_then(reference),
        flow: Some(branch.flow),
        called_number: own_number.unwrap_or_else(|| {
            called_number.unwrap_or_else(|| records::dialled(of, branch)).to_string()
        }),
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
        record_uuid: recorded.and_then(records::record_uuid).map(|id| id.to_string()),
        // Whom it has led the call to talks, not itself, also with whom that one consults.
        real_call: call.legs_of(branch.id).any(|leg| leg.line.is_none()),
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
