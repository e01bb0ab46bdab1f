//! A call and its parts: facts only. What may happen to them is in [`crate::step`].

use core::cell::OnceCell;
use core::net::IpAddr;
use std::sync::Arc;

use leg::{Audio, CallFlow, CallView, Capabilities, LegId, Revision, Session};
use model::{
    CallApiId, CallId, CallUuid, DeviceId, EndReason, ExtensionId, FileId, Mono, Now, Number,
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::conversation::{Conversation, ConversationId, Party};
use crate::outside::Line;
use crate::small_map::SmallMap;
use crate::step::{Step, Timer};

/// Number of a step inside its tenant; never used again while a call lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepId(pub u64);

/// Number of a branch inside its tenant; never used again while a call lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BranchId(pub u64);

/// What is handled together: legs that may hear each other, and what goes on between them.
///
/// Conversations that meet (a parked party is taken back, a consultation is completed) become one
/// call; a call is never split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Internal number.
    pub id: CallId,
    /// What its branches are parts of.
    pub conversations: SmallMap<ConversationId, Conversation>,
    /// Who takes part and is not over yet.
    pub branches: SmallMap<BranchId, Branch>,
    /// Its legs.
    pub legs: SmallMap<LegId, Leg>,
    /// What goes on in it; every leg has exactly one of them as owner.
    pub steps: SmallMap<StepId, Step>,
    /// Timers of the steps, also in the exchange's timer table.
    pub timers: SmallVec<[(Mono, StepId, Timer); 2]>,
    /// Revision of the audio declared last.
    pub audio_revision: Revision,
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
    /// Something has left it in the present input, for this reason.
    #[serde(skip)]
    pub thinned: Option<EndReason>,
}

/// The part that one extension plays in a call: the leg that events and call records speak of.
///
/// Several devices of one extension are one branch: one dial-in, one hangup, one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Its number.
    pub id: BranchId,
    /// Of which conversation it is a part: events and records name that one, also if it is joined
    /// with another later.
    #[serde(default)]
    pub conversation: ConversationId,
    /// Who is shown as calling in it, if not who has begun the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Arc<Party>>,
    /// Whose; `None`: an outside party's, which has neither events nor records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
    /// A rule of the extension has forwarded the call to the outside by it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub transferred: bool,
    /// That rule lets whom it dials transfer the call.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub may_transfer: bool,
    /// What that rule or a transfer dials; `None`: what the caller dialled.
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
    /// The part to which the rules of its extension have led: it is over with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_to: Option<BranchId>,
    /// Its hangup event and its record are written; it is only listed.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub over: bool,
    /// The file in which its extension is recorded, or was, complete or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<FileId>,
}

impl Branch {
    /// As what it counts: who is only listed is not called any more.
    pub fn counts_as(&self) -> CallFlow {
        if self.over { CallFlow::Out } else { self.flow }
    }

    /// The extension, where it takes part itself and not somebody of the outside in its name, who
    /// has none of its rights.
    pub fn itself(&self) -> Option<ExtensionId> {
        self.extension.filter(|_| !self.transferred)
    }

    /// Whether its leg was dialled: of who is called, or of whom a rule forwards to.
    pub fn is_called(&self) -> bool {
        self.flow == CallFlow::In || self.transferred
    }
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
    /// A program holds the call for it: it hears nobody, and whom it talks with hears music. It
    /// goes with the leg wherever that is sent on to.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub held: bool,
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

    /// Whether it holds the call: its peer does, or a program for it.
    pub fn holds(&self) -> bool {
        self.held || self.is_held_by_peer()
    }

    /// Whether the peer's keys are tones in its sound, to be heard there and sent so: it knows no
    /// other way. Whoever has described nothing yet may still offer one.
    pub fn keys_are_tones(&self) -> bool {
        self.remote.as_ref().is_some_and(|r| r.digits.is_none()) && !self.capabilities.info
    }
}

impl Call {
    /// A call in which nothing is yet.
    pub fn new(id: CallId) -> Call {
        Call {
            id,
            conversations: SmallMap::default(),
            branches: SmallMap::default(),
            legs: SmallMap::default(),
            steps: SmallMap::default(),
            timers: SmallVec::new(),
            audio_revision: 0,
            audio: None,
            unsaved: true,
            saved: false,
            views: None,
            thinned: None,
        }
    }

    /// The conversation under whose handle one is listed: itself, or the one it was joined with.
    pub fn root(&self, conversation: ConversationId) -> ConversationId {
        let mut at = conversation;
        // One is joined with an older one only, so that this ends.
        while let Some(older) = self.conversations.get(at).and_then(|c| c.joined) {
            at = older;
        }
        at
    }

    /// As what a part begins that was to begin in a conversation, with this party for its caller:
    /// in the one with which that was joined, whose handle is the one that survives.
    pub fn goes_on_as(
        &self,
        conversation: ConversationId,
        party: Option<Arc<Party>>,
    ) -> (ConversationId, Option<Arc<Party>>) {
        let root = self.root(conversation);
        let begun_by = || self.conversations.get(conversation).map(|of| Arc::new(of.party.clone()));
        (root, if root == conversation { party } else { party.or_else(begun_by) })
    }

    /// Joins two conversations, both listed under their own handles so far: the older one's stays.
    pub fn unite(&mut self, one: ConversationId, other: ConversationId) {
        let began = |id| self.conversations.get(id).map(|c| (c.began.mono, c.id));
        let (Some(first), Some(second)) = (began(one), began(other)) else { return };
        let (older, younger) = if first <= second { (one, other) } else { (other, one) };
        if older != younger
            && let Some(joined) = self.conversations.get_mut(younger)
        {
            joined.joined = Some(older);
            self.unsaved = true;
        }
    }

    /// The conversation of a branch.
    pub fn conversation_of(&self, branch: &Branch) -> Option<&Conversation> {
        self.conversations.get(branch.conversation)
    }

    /// All handles by which what is listed under a conversation is known.
    pub fn handles(&self, root: ConversationId) -> impl Iterator<Item = CallApiId> {
        self.conversations.values().filter(move |c| self.root(c.id) == root).map(|c| c.api_id)
    }

    /// Under which conversation a leg is listed.
    pub fn root_of_leg(&self, leg: LegId) -> Option<ConversationId> {
        let branch = self.branches.get(self.legs.get(leg)?.branch)?;
        Some(self.root(branch.conversation))
    }

    /// Who is shown as calling in a branch.
    pub fn party<'a>(&'a self, branch: &'a Branch) -> Option<&'a Party> {
        branch.party.as_deref().or_else(|| self.conversation_of(branch).map(|c| &c.party))
    }

    /// The legs of a branch.
    pub fn legs_of(&self, branch: BranchId) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(move |l| l.branch == branch)
    }

    /// The branches that are listed under a conversation.
    pub fn branches_under(&self, root: ConversationId) -> impl Iterator<Item = &Branch> {
        self.branches.values().filter(move |b| self.root(b.conversation) == root)
    }

    /// The part of an extension in a conversation, by which it is listed and commanded: the one
    /// that it has itself before one that is dialled in its name, what goes on before what is only
    /// listed, and one with a leg before one without.
    pub fn part_of(&self, extension: ExtensionId, root: ConversationId) -> Option<&Branch> {
        let parts = self.branches_under(root).filter(|b| b.extension == Some(extension));
        let has_leg = |b: &Branch| self.legs_of(b.id).next().is_some();
        parts.min_by_key(|b| (b.transferred, b.over, !has_leg(b)))
    }

    /// Who takes care of a part: whoever has its leg, or that of the one to which its rules have
    /// led; a step that keeps it without a leg.
    pub fn step_of(&self, branch: BranchId) -> Option<StepId> {
        let led_to = self.branches.get(branch).and_then(|b| b.led_to);
        let owner = |of: BranchId| self.legs_of(of).next().map(|leg| leg.owner);
        let kept =
            |of: BranchId| self.steps.iter().find(|(_, s)| s.has_branch(of)).map(|(id, _)| id);
        let of = |of: BranchId| owner(of).or_else(|| kept(of));
        of(branch).or_else(|| of(led_to?))
    }
}
