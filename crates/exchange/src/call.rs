//! A call and its parts: facts only. What may happen to them is in [`crate::step`].

use core::cell::OnceCell;
use core::net::IpAddr;
use std::sync::Arc;

use leg::{Audio, CallFlow, CallView, Capabilities, Identity, LegId, Revision, Session};
use model::{CallApiId, CallId, CallUuid, DeviceId, ExtensionId, Mono, Now, Number, TraceEntry};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::outside::{CameBy, Line};
use crate::small_map::SmallMap;
use crate::step::{Step, Timer};

/// Number of a step inside its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepId(pub u32);

/// Number of a branch inside its call; branch 0 is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BranchId(pub u32);

impl BranchId {
    /// The branch of who began the call.
    pub const CALLER: BranchId = BranchId(0);
}

/// A conversation: what `call_api_id` names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Internal number.
    pub id: CallId,
    /// The handle that programs use.
    pub api_id: CallApiId,
    /// When it began.
    pub began: Now,
    /// When somebody first answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Now>,
    /// What was dialled.
    pub dialled: Number,
    /// Who is shown as calling.
    pub caller: Identity,
    /// The calling extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_extension: Option<ExtensionId>,
    /// By what it came from the outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_by: Option<CameBy>,
    /// The extension to which the number led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_extension: Option<ExtensionId>,
    /// Who takes part and is not over yet.
    pub branches: SmallMap<BranchId, Branch>,
    /// Its legs.
    pub legs: SmallMap<LegId, Leg>,
    /// What goes on in it; every leg has exactly one of them as owner.
    pub steps: SmallMap<StepId, Step>,
    /// Timers of the steps, also in the exchange's timer table.
    pub timers: SmallVec<[(Mono, StepId, Timer); 2]>,
    /// Number of the next branch.
    pub next_branch: u32,
    /// Revision of the audio declared last.
    pub audio_revision: Revision,
    /// Number of the event written last.
    pub event_sequence: u32,
    /// Number of the next clip or recording.
    #[serde(default)]
    pub next_sound: u32,
    /// Why it went where it went.
    #[serde(default)]
    pub trace: Vec<TraceEntry>,
    /// The audio declared last.
    #[serde(skip)]
    pub audio: Option<Box<Audio>>,
    /// Something changed that a restart must not lose.
    #[serde(skip)]
    pub unsaved: bool,
    /// It was written down at least once.
    #[serde(skip)]
    pub saved: bool,
    /// What programs are shown, made when first asked for after a change.
    #[serde(skip)]
    pub views: Option<Vec<Arc<CallView>>>,
}

/// The part that one extension plays in a call: the leg that events and call records speak of.
///
/// Several devices of one extension are one branch: one dial-in, one hangup, one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Its number.
    pub id: BranchId,
    /// Whose; `None`: an outside party's, which has neither events nor records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
    /// A rule of the extension has forwarded the call to the outside by it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub transferred: bool,
    /// What that rule dials; `None`: what the caller dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialled: Option<Number>,
    /// `In`: the extension is called; `Out`: it calls.
    pub flow: CallFlow,
    /// Second half of `SubCallID`.
    pub sub_call: CallUuid,
    /// `SubCallID`, once it was needed.
    #[serde(skip)]
    pub sub_call_id: OnceCell<Arc<str>>,
    /// When it began.
    pub began: Now,
    /// When the extension was connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Now>,
}

/// How far a leg has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegState {
    /// It came in and has no final response.
    Calling,
    /// We dialled and have heard nothing.
    Dialling,
    /// We dialled and the peer has responded.
    Ringing,
    /// It was answered.
    Up,
    /// It has ended; it is gone when the input is handled.
    Over,
}

/// One SIP dialog of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leg {
    /// Its number.
    pub id: LegId,
    /// Whose part it is.
    pub branch: BranchId,
    /// Who decides what happens to it.
    pub owner: StepId,
    /// The device at the other end, where it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// Where its signalling comes from; `None`: its audio comes from where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// How far it has come.
    pub state: LegState,
    /// What the peer can do.
    pub capabilities: Capabilities,
    /// Our RTP port.
    pub port: u16,
    /// How we described our side last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Box<Session>>,
    /// How the peer described its side last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Box<Session>>,
    /// What the peer has offered and we have not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Box<Session>>,
    /// Rises when a session was agreed on anew.
    pub negotiation: u32,
    /// We asked whether it is still alive, since no audio came.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub asked: bool,
    /// What it takes of the bounds of calls with the outside; of a leg to or from a trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
}

impl Leg {
    /// Whether the peer has put us on hold: it wants to hear nothing.
    pub fn is_held_by_peer(&self) -> bool {
        self.state == LegState::Up
            && self
                .remote
                .as_ref()
                .is_some_and(|r| r.port != 0 && (!r.direction.receives() || r.address.is_none()))
    }
}

impl Call {
    /// The branch of an extension, the caller's first.
    pub fn branch_of(&self, extension: ExtensionId) -> Option<&Branch> {
        self.branches.values().find(|b| b.extension == Some(extension))
    }

    /// The legs of a branch.
    pub fn legs_of(&self, branch: BranchId) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(move |l| l.branch == branch)
    }
}
