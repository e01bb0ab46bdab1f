//! What programs are shown of a call.

use std::sync::{Arc, OnceLock};

use leg::{CallFlow, CallView, ExtensionRef};
use model::{ExtensionId, ExtensionKind, Snapshot};

use crate::call::{Branch, BranchId, Call};
use crate::records;

/// One view for each phone extension that takes part, in the order in which they joined.
pub fn views(call: &Call, snapshot: &Snapshot) -> Vec<Arc<CallView>> {
    call.branches
        .values()
        .filter(|b| {
            let extension = b.extension.and_then(|id| snapshot.extension(id));
            extension.is_some_and(|e| e.kind == ExtensionKind::Phone)
        })
        .map(|b| Arc::new(view(call, b, snapshot)))
        .collect()
}

fn view(call: &Call, branch: &Branch, snapshot: &Snapshot) -> CallView {
    let reference = |id: ExtensionId| {
        let extension = snapshot.extension(id)?;
        Some(ExtensionRef {
            id,
            client_id: snapshot.tenant.id,
            name: snapshot.full_name(extension),
            kind: records::kind_name(extension),
            group: extension.group,
        })
    };
    // Until the answer an extension is shown the time when the call began to concern it.
    CallView {
        call_api_id: Some(call.api_id),
        extension: branch.extension.and_then(reference),
        flow: Some(branch.flow),
        called_number: call.dialled.to_string(),
        called_did: None,
        caller_id_number: records::caller_number(call, snapshot),
        caller_id_name: call.caller.name.to_string(),
        caller_extension: call.caller_extension.and_then(reference),
        called_extension: call.called_extension.and_then(reference),
        init_time: match branch.flow {
            CallFlow::In => branch.began.wall,
            CallFlow::Out => call.began.wall,
        },
        answer_time: branch.answered.map(|a| a.wall),
        record_uuid: None,
        real_call: branch.id == BranchId::CALLER || call.legs_of(branch.id).next().is_some(),
        subcall_id: records::sub_call_id(branch).to_string(),
        callback_id: None,
        rendered: OnceLock::new(),
    }
}
