//! A conversation: what `call_api_id` names.
//!
//! A [`Call`](crate::call::Call) is what is handled together, and may hold several of them: an
//! extension that consults somebody has two, and a supervisor who listens has one of his own.

use leg::Identity;
use model::{CallApiId, ExtensionId, Now, Number, TraceEntry};
use serde::{Deserialize, Serialize};

use crate::outside::CameBy;

/// Number of a conversation inside its tenant; never used again while a call lasts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ConversationId(pub u64);

/// What programs name, and what events and records are of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conversation {
    /// Its number.
    pub id: ConversationId,
    /// The handle that programs use.
    pub api_id: CallApiId,
    /// The older one with which it was joined: it is listed under that one's handle, and its own
    /// goes on to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<ConversationId>,
    /// When it began.
    pub began: Now,
    /// What was dialled.
    pub dialled: Number,
    /// Who has begun it.
    pub party: Party,
    /// The extension to which the number led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_extension: Option<ExtensionId>,
    /// Number of the event written last.
    pub event_sequence: u32,
    /// Why it went where it went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceEntry>,
}

impl Conversation {
    /// One that begins.
    pub fn new(
        id: ConversationId,
        api_id: CallApiId,
        began: Now,
        dialled: Number,
        party: Party,
    ) -> Conversation {
        Conversation {
            id,
            api_id,
            joined: None,
            began,
            dialled,
            party,
            called_extension: None,
            event_sequence: 0,
            trace: Vec::new(),
        }
    }
}

/// Who is shown as calling, and with whose rights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Party {
    /// What is shown.
    pub identity: Identity,
    /// The calling extension; `None`: the outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
    /// By what it came from the outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_by: Option<CameBy>,
}
