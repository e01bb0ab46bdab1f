//! Steps and timers as earlier versions wrote them down, and what they are now.

use core::cell::OnceCell;

use leg::{CallFlow, Identity, LegId, Revision};
use model::{CallApiId, CallId, CallUuid, ExtensionId, Mono, Now, Number, TraceEntry};
use serde::Deserialize;
use smallvec::SmallVec;

use super::clearing::Clearing;
use super::consulting::Consulting;
use super::departing::Departing;
use super::entering::Entering;
use super::mailbox::Mailbox;
use super::monitoring::Monitoring;
use super::parked::Parked;
use super::recording::Recording;
use super::room::Room;
use super::seeking::node::{Group, Kind, Node, NodeId, Ringing, Visit, Wait};
use super::seeking::purpose::Purpose;
use super::seeking::{ROOT, Seeking};
use super::serving::Serving;
use super::talking::Talking;
use super::telling::Telling;
use super::voicemail::{Phase, Voicemail};
use super::{Step, Timer};
use crate::call::{Branch, BranchId, Call, Leg, StepId};
use crate::conversation::{Conversation, ConversationId, Party};
use crate::outside::CameBy;
use crate::small_map::SmallMap;

/// A step in saved state of any version.
#[derive(Deserialize)]
pub(crate) enum SavedStep {
    /// Version 1: the devices of one extension ring.
    Ringing(RingingV1),
    Seeking(Seeking),
    Talking(Talking),
    Serving(Serving),
    Voicemail(Voicemail),
    Clearing(Clearing),
    Monitoring(Monitoring),
    Entering(Entering),
    Room(Room),
    Parked(Parked),
    Departing(Departing),
    Consulting(Consulting),
    Telling(Telling),
    Mailbox(Mailbox),
    Recording(Recording),
}

/// A timer in saved state of any version.
#[derive(Deserialize)]
pub(crate) enum SavedTimer {
    /// Version 1.
    RingTimeout,
    /// Version 1.
    NoResponse,
    Node(NodeId, Wait),
    Phase,
    Screen(LegId),
    Keys(LegId),
    Tell,
}

#[derive(Deserialize)]
pub(crate) struct RingingV1 {
    caller: LegId,
    branch: BranchId,
    devices: Vec<LegId>,
    told: bool,
    early: Option<LegId>,
    outcome: Ringing,
}

/// The group of what was a ringing.
const GROUP: NodeId = NodeId(1);
/// Stands for the extension that a ringing did not name, until [`complete`].
const UNNAMED: ExtensionId = ExtensionId(0);
/// Max-Forwards was not kept: nothing more was dialled. RFC 3261 8.1.1.6 recommends this.
const MAX_FORWARDS: u8 = 70;

impl From<SavedStep> for Step {
    fn from(saved: SavedStep) -> Step {
        match saved {
            SavedStep::Ringing(ringing) => Step::Seeking(ringing.into()),
            SavedStep::Seeking(seeking) => Step::Seeking(seeking),
            SavedStep::Talking(talking) => Step::Talking(talking),
            SavedStep::Serving(serving) => Step::Serving(serving),
            SavedStep::Voicemail(voicemail) => Step::Voicemail(voicemail),
            SavedStep::Clearing(clearing) => Step::Clearing(clearing),
            SavedStep::Monitoring(monitoring) => Step::Monitoring(monitoring),
            SavedStep::Entering(entering) => Step::Entering(entering),
            SavedStep::Room(room) => Step::Room(room),
            SavedStep::Parked(parked) => Step::Parked(parked),
            SavedStep::Departing(departing) => Step::Departing(departing),
            SavedStep::Consulting(consulting) => Step::Consulting(consulting),
            SavedStep::Telling(telling) => Step::Telling(telling),
            SavedStep::Mailbox(mailbox) => Step::Mailbox(mailbox),
            SavedStep::Recording(recording) => Step::Recording(recording),
        }
    }
}

impl From<SavedTimer> for Timer {
    fn from(saved: SavedTimer) -> Timer {
        match saved {
            SavedTimer::RingTimeout => Timer::Node(GROUP, Wait::Ring),
            SavedTimer::NoResponse => Timer::Node(GROUP, Wait::Response),
            SavedTimer::Node(node, wait) => Timer::Node(node, wait),
            SavedTimer::Phase => Timer::Phase,
            SavedTimer::Screen(leg) => Timer::Screen(leg),
            SavedTimer::Keys(leg) => Timer::Keys(leg),
            SavedTimer::Tell => Timer::Tell,
        }
    }
}

impl From<RingingV1> for Seeking {
    fn from(ringing: RingingV1) -> Seeking {
        let RingingV1 { caller, branch, devices, told, early, outcome } = ringing;
        let mut visit = Visit::new(UNNAMED, branch);
        visit.registers = route::Registers::ringing();
        let (extension, legs) = (UNNAMED, devices);
        let group = Group { outcome, ..Group::new(extension, None, legs) };
        let mut nodes = SmallMap::default();
        nodes.insert(ROOT, Node { parent: None, kind: Kind::Visit(Box::new(visit)) });
        nodes.insert(GROUP, Node { parent: Some(ROOT), kind: Kind::Group(group) });
        let next_node = GROUP.0 + 1;
        let screens = SmallMap::default();
        let (caller, conversation, party) = (Some(caller), ConversationId::default(), None);
        let max_forwards = MAX_FORWARDS;
        Seeking {
            purpose: Purpose::Connect,
            by: None,
            last: None,
            caller,
            conversation,
            party,
            told,
            early,
            max_forwards,
            nodes,
            next_node,
            screens,
            keypad: crate::keypad::Keypad::Idle,
            late: Vec::new(),
        }
    }
}

/// A call of version 1 or 2: one conversation, whose steps and branches are numbered in the call.
#[derive(Deserialize)]
pub(crate) struct CallV2 {
    id: CallId,
    api_id: CallApiId,
    began: Now,
    dialled: Number,
    caller: Identity,
    #[serde(default)]
    caller_extension: Option<ExtensionId>,
    #[serde(default)]
    came_by: Option<CameBy>,
    #[serde(default)]
    called_extension: Option<ExtensionId>,
    branches: SmallMap<BranchId, BranchV2>,
    legs: SmallMap<LegId, Leg>,
    steps: SmallMap<StepId, Step>,
    timers: SmallVec<[(Mono, StepId, Timer); 2]>,
    audio_revision: Revision,
    event_sequence: u32,
    #[serde(default)]
    trace: Vec<TraceEntry>,
}

#[derive(Deserialize)]
struct BranchV2 {
    id: BranchId,
    #[serde(default)]
    extension: Option<ExtensionId>,
    #[serde(default)]
    transferred: bool,
    #[serde(default)]
    dialled: Option<Number>,
    flow: CallFlow,
    sub_call: CallUuid,
    began: Now,
    #[serde(default)]
    answered: Option<Now>,
}

impl BranchV2 {
    fn into_branch(self, conversation: ConversationId) -> Branch {
        Branch {
            led_to: None,
            id: self.id,
            conversation,
            party: None,
            extension: self.extension,
            transferred: self.transferred,
            may_transfer: false,
            dialled: self.dialled,
            flow: self.flow,
            sub_call: self.sub_call,
            sub_call_id: OnceCell::new(),
            began: self.began,
            over: false,
            answered: self.answered,
            recording: None,
        }
    }
}

impl From<CallV2> for Call {
    fn from(old: CallV2) -> Call {
        let id = ConversationId(old.id.0);
        let mut call = Call::new(old.id);
        let party =
            Party { identity: old.caller, extension: old.caller_extension, came_by: old.came_by };
        let mut of = Conversation::new(id, old.api_id, old.began, old.dialled, party);
        of.called_extension = old.called_extension;
        of.event_sequence = old.event_sequence;
        of.trace = old.trace;
        call.conversations.insert(id, of);
        for (key, branch) in old.branches {
            call.branches.insert(key, branch.into_branch(id));
        }
        (call.legs, call.steps, call.timers) = (old.legs, old.steps, old.timers);
        call.audio_revision = old.audio_revision;
        call.unsaved = false;
        complete(&mut call, id);
        renumber(call)
    }
}

/// Numbers of one call never reach so far.
const ROOM: u64 = 1 << 16;

/// Branches and steps are numbered in the tenant: each call has its own range.
fn renumber(mut call: Call) -> Call {
    let base = call.id.0.saturating_mul(ROOM);
    let branch = |id: &mut BranchId| id.0 = id.0.saturating_add(base);
    let step = |id: &mut StepId| id.0 = id.0.saturating_add(base);
    let branches = core::mem::take(&mut call.branches);
    for (mut id, mut of) in branches {
        branch(&mut id);
        of.id = id;
        call.branches.insert(id, of);
    }
    for leg in call.legs.values_mut() {
        branch(&mut leg.branch);
        step(&mut leg.owner);
    }
    for (_, owner, _) in &mut call.timers {
        step(owner);
    }
    let steps = core::mem::take(&mut call.steps);
    for (mut id, mut of) in steps {
        step(&mut id);
        match &mut of {
            Step::Seeking(seeking) => {
                for node in seeking.nodes.values_mut() {
                    match &mut node.kind {
                        Kind::Visit(visit) => branch(&mut visit.branch),
                        Kind::Group(group) => group.branch.iter_mut().for_each(branch),
                        Kind::Outside(way) => branch(&mut way.branch),
                        Kind::Forward(_) | Kind::Machine(_) => {}
                    }
                }
            }
            Step::Serving(serving) => branch(&mut serving.branch),
            Step::Voicemail(voicemail) => {
                branch(&mut voicemail.branch);
                if let Phase::Keeping(left) = &mut voicemail.phase {
                    branch(&mut left.branch.id);
                }
            }
            _ => {}
        }
        call.steps.insert(id, of);
    }
    call
}

/// Adds what an earlier version kept elsewhere.
fn complete(call: &mut Call, conversation: ConversationId) {
    let Call { steps, branches, .. } = call;
    for step in steps.values_mut() {
        if let Step::Voicemail(voicemail) = step
            && let Phase::Keeping(left) = &mut voicemail.phase
        {
            left.branch.conversation = conversation;
        }
        let Step::Seeking(seeking) = step else { continue };
        seeking.conversation = conversation;
        let branch = match seeking.nodes.get(ROOT).map(|n| &n.kind) {
            Some(Kind::Visit(visit)) if visit.extension == UNNAMED => visit.branch,
            _ => continue,
        };
        let named = branches.get(branch).and_then(|b| b.extension);
        for node in seeking.nodes.values_mut() {
            match &mut node.kind {
                Kind::Visit(visit) => visit.extension = named.unwrap_or(UNNAMED),
                Kind::Group(group) => group.extension = named.unwrap_or(UNNAMED),
                Kind::Forward(_) | Kind::Outside(_) | Kind::Machine(_) => {}
            }
        }
    }
}
