//! What programs ask of a tenant's calls, and what they are shown.

use core::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use model::{
    CallApiId, CallUuid, DeviceId, EndReason, ExtensionGroupId, ExtensionId, TenantId, Wall,
};
use serde::{Deserialize, Serialize};

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
    /// The registered contacts of one extension, or of all.
    ListRegistrations {
        /// `None`: all phone extensions of the tenant.
        extension: Option<ExtensionId>,
    },
}

/// The answer to a [`Command`].
#[derive(Clone, Debug)]
pub enum Reply {
    /// The calls, oldest first.
    Calls(Vec<Arc<CallView>>),
    /// The call.
    Call(Arc<CallView>),
    /// The registered contacts, in the order of extension and device.
    Registrations(Vec<RegistrationView>),
    /// It is done.
    Done,
    /// It was not done.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such call of this extension: 404.
    NoSuchCall,
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
    /// What was dialled.
    pub called_number: String,
    /// The outside number that was called.
    pub called_did: Option<String>,
    /// The caller's number as shown; empty when hidden.
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
