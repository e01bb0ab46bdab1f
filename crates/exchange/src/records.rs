//! Events in their final form, and call records.

use std::sync::Arc;

use leg::{
    CallFlow, CallStatus, CallTrace, CdrFlow, CdrLeg, Event, EventKind, Message, RecorderId,
};
use model::{
    EndReason, Extension, ExtensionId, ExtensionKind, FileId, Now, Number, Snapshot, Wall,
};

use crate::call::Branch;
use crate::conversation::{Conversation, Party};
use crate::names::Names;
use crate::step::voicemail::Left;

/// How a branch ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When.
    pub now: Now,
    /// Why.
    pub reason: EndReason,
    /// The peer's final status, where it refused.
    pub status: Option<u16>,
    /// The recording that is told with it.
    pub recording: Option<Arc<str>>,
}

/// An event of a branch. `ending` exactly for [`EventKind::Hangup`].
pub fn event(
    kind: EventKind,
    of: &Conversation,
    (branch, extension): (&Branch, ExtensionId),
    snapshot: &Snapshot,
    names: &mut Names,
    time: Wall,
    ending: Option<&Ending>,
) -> Event {
    let party = party(of, branch);
    let caller_number = shown_caller(party, snapshot, names);
    let mut address = |id: ExtensionId| {
        let name = names.of(snapshot, id);
        name.exists.then_some((name.address, id))
    };
    // Who forwards a call to the outside calls there.
    let caller = if branch.transferred { Some(extension) } else { party.extension };
    let caller_extension = caller.and_then(&mut address);
    let called_extension = match branch.flow {
        CallFlow::In => address(extension),
        CallFlow::Out => None,
    };
    Event {
        tenant: snapshot.tenant.id,
        extension,
        kind,
        time,
        sequence: of.event_sequence,
        call: of.api_id,
        sub_call_id: sub_call_id(branch),
        incoming: branch.flow == CallFlow::In,
        status: match (kind, ending) {
            (EventKind::DialIn | EventKind::DialOut, _) => CallStatus::Calling,
            (EventKind::Answer | EventKind::Voicemail, _) => CallStatus::Answer,
            (EventKind::Hangup, ending) => call_status(branch, ending.map(|e| e.reason)),
        },
        caller_number,
        caller_name: party.identity.name.shared(),
        called_number: match branch.flow {
            CallFlow::In => names.of(snapshot, extension).full,
            CallFlow::Out => dialled(of, branch).shared(),
        },
        transferred: branch.transferred,
        called_did: party.came_by.as_ref().map(|came| came.did.shared()),
        caller_extension,
        called_extension,
        duration_us: ending.map(|e| micros(e.now.mono.since(branch.began.mono))),
        bridged_us: ending.map(|e| talk_us(branch, e.now)),
        reason: ending.map(|e| e.reason),
        record: ending.and_then(|e| e.recording.clone()),
    }
}

/// The record of a branch that has ended.
pub fn cdr(
    of: &Conversation,
    (branch, extension): (&Branch, ExtensionId),
    snapshot: &Snapshot,
    names: &mut Names,
    ending: &Ending,
) -> CdrLeg {
    let party = party(of, branch);
    let domain = names.domain(snapshot);
    let kind = snapshot.extension(extension).map_or("phone", |e| kind_name(e));
    let caller_number = shown_caller(party, snapshot, names);
    CdrLeg {
        tenant: snapshot.tenant.id,
        call: of.api_id.uuid,
        sub_call_id: sub_call_id(branch),
        extension,
        extension_name: names.of(snapshot, extension).address,
        extension_kind: kind.into(),
        flow: match branch.flow {
            CallFlow::In => CdrFlow::In,
            CallFlow::Out => CdrFlow::Out,
        },
        reason: ending.reason,
        status: ending.status,
        init_time: branch.began.wall,
        answer_time: branch.answered.map(|a| a.wall),
        hangup_time: ending.now.wall,
        talk_us: talk_us(branch, ending.now),
        from: (caller_number, Arc::clone(&domain), party.identity.name.shared()),
        to: (dialled(of, branch).shared(), domain),
        did_number: party.came_by.as_ref().map(|came| came.did.shared()),
        asserted: party.identity.asserted.as_ref().map(Number::shared),
    }
}

/// The record of a message that was left in a branch, which may be over.
pub fn message(
    of: &Conversation,
    left: &Left,
    extension: ExtensionId,
    length_ms: u32,
    snapshot: &Snapshot,
    names: &mut Names,
) -> Message {
    let party = party(of, &left.branch);
    Message {
        tenant: snapshot.tenant.id,
        extension,
        file: left.file,
        length_ms,
        call: of.api_id.uuid,
        sub_call_id: sub_call_id(&left.branch),
        caller_number: shown_caller(party, snapshot, names),
        caller_name: party.identity.name.shared(),
        did: party.came_by.as_ref().map(|came| came.did.shared()),
        time: left.began,
    }
}

/// The file of a recording in a branch: named after both, so that no two have one.
pub fn file_of(branch: &Branch, recorder: RecorderId) -> FileId {
    FileId(branch.sub_call.0 ^ u128::from(recorder.0))
}

/// `<extension_id>-<32 HEX>`: names the recording of a part, whose file may not be complete yet.
pub fn record_uuid(branch: &Branch) -> Option<Arc<str>> {
    Some(leg::record_uuid(branch.extension?, branch.recording?).into())
}

/// Why a conversation that is over went where it went; its lines leave it. `None`: nothing was to
/// be decided.
pub fn trace(of: &mut Conversation, snapshot: &Snapshot) -> Option<CallTrace> {
    let lines = core::mem::take(&mut of.trace);
    if lines.is_empty() {
        return None;
    }
    let party = &of.party;
    let caller = Some(caller_number(party, snapshot)).filter(|number| !number.is_empty());
    let is_hidden = party.extension.is_none() && party.identity.private;
    Some(CallTrace {
        tenant: snapshot.tenant.id,
        call: of.api_id.uuid,
        did: party.came_by.as_ref().map(|came| came.did.shared()),
        caller: caller.filter(|_| !is_hidden).map(Arc::from),
        began: of.began.wall,
        lines,
    })
}

/// What was dialled in a branch: by the caller, or by the rule or transfer that led to it.
pub fn dialled<'a>(of: &'a Conversation, branch: &'a Branch) -> &'a Number {
    branch.dialled.as_ref().unwrap_or(&of.dialled)
}

/// Who is shown as calling in a branch.
fn party<'a>(of: &'a Conversation, branch: &'a Branch) -> &'a Party {
    branch.party.as_deref().unwrap_or(&of.party)
}

/// `<extension_id>-<32 hex>`: names one extension's part in one call.
pub fn sub_call_id(branch: &Branch) -> Arc<str> {
    let id = branch.extension.map_or(0, |e| e.0);
    let made = || format!("{id}-{:032x}", branch.sub_call.0).into();
    Arc::clone(branch.sub_call_id.get_or_init(made))
}

/// The caller's number as programs are shown it: `0003*100` for an extension.
pub fn caller_number(party: &Party, snapshot: &Snapshot) -> String {
    match (party.extension.and_then(|id| snapshot.extension(id)), &party.identity.number) {
        (Some(extension), _) => snapshot.full_name(extension),
        (None, Some(number)) => number.to_string(),
        (None, None) => String::new(),
    }
}

/// The same from the names that were made already.
fn shown_caller(party: &Party, snapshot: &Snapshot, names: &mut Names) -> Arc<str> {
    let extension = party.extension.map(|id| names.of(snapshot, id));
    match (extension.filter(|name| name.exists), &party.identity.number) {
        (Some(name), _) => name.full,
        (None, Some(number)) => number.shared(),
        (None, None) => Arc::default(),
    }
}

/// The type of an extension as programs are shown it.
pub fn kind_name(extension: &Extension) -> &'static str {
    match extension.kind {
        ExtensionKind::Phone => "phone",
        ExtensionKind::Queue => "queue",
        ExtensionKind::Ivr => "ivr",
        ExtensionKind::Service(_) => "service",
    }
}

fn talk_us(branch: &Branch, now: Now) -> u64 {
    branch.answered.map_or(0, |a| micros(now.mono.since(a.mono)))
}

fn micros(d: core::time::Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

/// `CallStatus` of a hangup (API reference 13.3).
fn call_status(branch: &Branch, reason: Option<EndReason>) -> CallStatus {
    let Some(reason) = reason.filter(|_| branch.answered.is_none()) else {
        return CallStatus::Answer;
    };
    match reason {
        EndReason::Busy | EndReason::BusyByRule | EndReason::ExtensionLimit => CallStatus::Busy,
        EndReason::NoAnswer | EndReason::Declined | EndReason::HangupByRule => CallStatus::NoAnswer,
        EndReason::Cancelled
        | EndReason::CallerHungUp
        | EndReason::AnsweredElsewhere
        | EndReason::AlreadyAnswered
        | EndReason::Transferred
        | EndReason::ApiHangup => CallStatus::Cancel,
        EndReason::Unreachable | EndReason::ExtensionBlocked => CallStatus::ChanUnavail,
        EndReason::CalleeHungUp
        | EndReason::Refused
        | EndReason::NotFound
        | EndReason::Forbidden
        | EndReason::DialogOver
        | EndReason::TenantBlocked
        | EndReason::TenantLimit
        | EndReason::OutsideLimit
        | EndReason::OutsideNotAllowed
        | EndReason::NodeLimit
        | EndReason::NoCommonCodec
        | EndReason::ProtocolError
        | EndReason::TransportLost
        | EndReason::MediaLost
        | EndReason::SessionExpired
        | EndReason::ServiceDone
        | EndReason::Parked
        | EndReason::Bridged
        | EndReason::Replaced
        | EndReason::ParkExpired
        | EndReason::NotTakenBack
        | EndReason::MonitorOver
        | EndReason::Drained
        | EndReason::Restart
        | EndReason::Internal => CallStatus::Congestion,
    }
}
