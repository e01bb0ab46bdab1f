//! What programs ask of a tenant's calls, and what they are shown.

use core::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use model::{
    CallApiId, CallUuid, DeviceId, EndReason, ExtensionGroupId, ExtensionId, Number, TenantId, Wall,
};
use serde::{Deserialize, Serialize};

pub use model::MonitorMode;

use crate::audit::AuditProgram;
use crate::record::KnownMessage;

/// A request of the HTTP API to the owner of a tenant's calls. Checked completely before anything
/// is done; a refused command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The calls of one extension, or of all.
    ListCalls {
        /// `None`: all phone extensions of the tenant.
        extension: Option<ExtensionId>,
    },
    /// One call of an extension.
    ShowCall {
        /// Whose side of it.
        extension: ExtensionId,
        /// Which.
        call: CallApiId,
    },
    /// Hang up the extension's leg, and the call if two parties remain. Repeated within 60 s of
    /// the end: done again.
    Hangup {
        /// Whose side of it.
        extension: ExtensionId,
        /// Which.
        call: CallApiId,
    },
    /// Do something with a call of an extension.
    Control {
        /// Whose side of it.
        extension: ExtensionId,
        /// Which.
        call: CallApiId,
        /// What.
        action: CallAction,
        /// Who asks, for the audit.
        program: Arc<AuditProgram>,
    },
    /// Which slots are free to park calls in, or what is parked in one.
    ListSlots {
        /// `None`: the free ones.
        slot: Option<u8>,
    },
    /// What lies in the voicemail of an extension, for who watches it or listens to it.
    NoteMessages {
        /// Whose voicemail.
        extension: ExtensionId,
        /// Not listened to.
        new: u32,
        /// Listened to.
        old: u32,
        /// New ones, then old ones, each the earliest first; the first
        /// [`model::limits::KNOWN_MESSAGES_MAX`] of them.
        messages: Vec<KnownMessage>,
    },
    /// Who serves whom (`phone_replace`).
    ListReplaced,
    /// An extension serves another one no more, nor is it served.
    EndReplace {
        /// Either of the two.
        extension: ExtensionId,
        /// Who asks, for the audit.
        program: Arc<AuditProgram>,
    },
    /// The registered contacts of one extension, or of all.
    ListRegistrations {
        /// `None`: all phone extensions of the tenant.
        extension: Option<ExtensionId>,
    },
}

/// What a program may do with a call: the actions of `current_calls` and `valet_park`
/// (API reference 10 and 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAction {
    /// The far party is sent on. Without a number: a consultation is completed.
    Transfer(Option<Number>),
    /// The far party waits while the extension talks to this number.
    AttendedTransfer(Number),
    /// This number is rung; who answers hears the call, and is heard as the mode says.
    Monitor(MonitorMode, Number),
    /// The far party hears music.
    Hold,
    /// It does no more; with a consultation: that is given up.
    Offhold,
    /// The far party waits in a slot; without a number in the lowest free one.
    Park(Option<u8>),
    /// The far party is joined with who is parked; without a slot with who was parked first.
    Bridge(Option<u8>),
    /// This number is rung; who answers takes the ringing call, or the far party of an answered
    /// one.
    Pickup(Number),
}

/// The answer to a [`Command`].
#[derive(Clone, Debug)]
pub enum Reply {
    /// The calls, oldest first.
    Calls(Vec<Arc<CallView>>),
    /// The call.
    Call(Arc<CallView>),
    /// The call after an action was accepted, and the slot that it concerned.
    Controlled {
        /// The call, as it is listed for the extension now; of a call that ended with the action
        /// as it was.
        call: Arc<CallView>,
        /// The slot of `park` and `bridge`.
        slot: Option<u8>,
        /// The conversation that is, or was, in that slot.
        parked: Option<CallUuid>,
    },
    /// The slots that are free, rising.
    Slots(Vec<u8>),
    /// What is parked in the slot that was asked for.
    Slot(Option<CallUuid>),
    /// Who serves whom, in the order of the first.
    Replaced(Vec<ReplaceView>),
    /// The registered contacts, in the order of extension and device.
    Registrations(Vec<RegistrationView>),
    /// It is done.
    Done,
    /// It was not done.
    Refused(Refusal),
}

/// Why a command was refused. Nothing was changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such call of this extension: 404.
    NoSuchCall,
    /// Nothing is parked there: 404.
    NothingParked,
    /// Nobody is served by this extension, nor serves it: 404.
    NotReplaced,
    /// The call was not answered yet: 409.
    NotAnswered,
    /// The call is parked: 409.
    AlreadyParked,
    /// The call is being transferred: 409.
    TransferInProgress,
    /// The phone itself holds the call: 409.
    HeldByPhone,
    /// Somebody has answered the call: 409.
    AlreadyAnswered,
    /// Somebody is parked in that slot: 409.
    SlotFull,
    /// All slots are taken: 409.
    NoFreeSlot,
    /// More than two talk: 409.
    TooManyParties,
    /// Nobody is at the other end, but a service, a voicemail, an empty room: 409.
    NoFarParty,
    /// There is no such slot: 400.
    NoSuchSlot,
    /// The number leads nowhere: 400.
    BadNumber,
    /// No number was said, and there is no consultation to complete: 400.
    NumberMissing,
    /// The number is that of somebody who is in the call already: 400.
    OwnNumber,
    /// The number may not be called, or the action not be done: 403.
    Forbidden,
    /// No room: as many calls, legs or monitors as there may be: 503.
    Full,
}

impl Refusal {
    /// What is said of a call that has nobody at its other end: what parks somebody needs an
    /// answered call with a far party (decision 10).
    pub fn no_far_party(action: &CallAction) -> Refusal {
        match action {
            CallAction::Park(_) | CallAction::Bridge(_) => Refusal::NotAnswered,
            _ => Refusal::NoFarParty,
        }
    }

    /// The machine-readable `status` of the answer (decision 9).
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::NoSuchCall => "no_such_call",
            Refusal::NothingParked => "nothing_parked",
            Refusal::NotReplaced => "not_replaced",
            Refusal::NotAnswered => "not_answered",
            Refusal::AlreadyParked => "already_parked",
            Refusal::TransferInProgress => "transfer_in_progress",
            Refusal::HeldByPhone => "held_by_phone",
            Refusal::AlreadyAnswered => "already_answered",
            Refusal::SlotFull => "slot_full",
            Refusal::NoFreeSlot => "no_free_slot",
            Refusal::TooManyParties => "too_many_parties",
            Refusal::NoFarParty => "no_far_party",
            Refusal::NoSuchSlot => "no_such_slot",
            Refusal::BadNumber => "bad_number",
            Refusal::NumberMissing => "number_missing",
            Refusal::OwnNumber => "own_number",
            Refusal::Forbidden => "forbidden",
            Refusal::Full => "full",
        }
    }
}

/// Two extensions of which each serves the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaceView {
    /// Who has dialled the code.
    pub by: ExtensionRef,
    /// Whom it has named.
    pub with: ExtensionRef,
    /// Since when.
    pub since: Wall,
}

/// Which way a call goes, seen from the extension under which it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallFlow {
    /// It was called.
    In,
    /// It calls.
    Out,
}

impl CallFlow {
    /// `in` or `out`, as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            CallFlow::In => "in",
            CallFlow::Out => "out",
        }
    }
}

/// One extension's side of a call, as `current_calls` shows it. Immutable: a change of the call
/// makes a new one.
#[derive(Debug, Default)]
pub struct CallView {
    /// Handle of the call.
    pub call_api_id: Option<CallApiId>,
    /// Under which extension it is listed.
    pub extension: Option<ExtensionRef>,
    /// Which way it goes.
    pub flow: Option<CallFlow>,
    /// What was dialled; of who was sent to a room or a service, what leads there.
    pub called_number: String,
    /// The outside number that was called.
    pub called_did: Option<String>,
    /// The caller's number as shown, or what leads to where it was sent; empty when hidden.
    pub caller_id_number: String,
    /// The caller's name as shown.
    pub caller_id_name: String,
    /// The calling extension, if one of this tenant calls.
    pub caller_extension: Option<ExtensionRef>,
    /// The called extension, if one of this tenant is called.
    pub called_extension: Option<ExtensionRef>,
    /// When the call began.
    pub init_time: Wall,
    /// When it was answered.
    pub answer_time: Option<Wall>,
    /// The recording.
    pub record_uuid: Option<String>,
    /// `false`: listed under the extension, which does not talk in it.
    pub real_call: bool,
    /// `<extension_id>-<32 hex>` of the extension's leg.
    pub subcall_id: String,
    /// The callback that made it.
    pub callback_id: Option<String>,
    /// The JSON text, filled in by the API when first shown.
    pub rendered: OnceLock<Box<str>>,
}

/// An extension as calls show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionRef {
    /// Its id.
    pub id: ExtensionId,
    /// Its tenant.
    pub client_id: TenantId,
    /// `0003*100`.
    pub name: String,
    /// `phone`, `queue`, `ivr`, `service`.
    pub kind: &'static str,
    /// Its group.
    pub group: Option<ExtensionGroupId>,
}

/// One registered contact, as the API shows it. Contacts that have run out are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationView {
    /// Whose phone it is.
    pub extension: ExtensionId,
    /// Which contact of the extension.
    pub registration_id: DeviceId,
    /// What the phone calls itself: its User-Agent.
    pub device: String,
    /// Where its requests come from: the phone's side of the flow.
    pub real_address: SocketAddr,
    /// The contact URI as the phone sent it.
    pub contact_address: String,
    /// When it runs out.
    pub expires: Wall,
}

/// How a call that has just ended is remembered, so that a repeated hang-up is answered as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// Which.
    pub uuid: CallUuid,
    /// Why it ended.
    pub reason: EndReason,
}
