//! Steps and timers as earlier versions wrote them down, and what they are now.

use leg::LegId;
use model::ExtensionId;
use serde::Deserialize;

use super::clearing::Clearing;
use super::seeking::node::{Group, Kind, Node, NodeId, Ringing, Visit, Wait};
use super::seeking::{ROOT, Seeking};
use super::serving::Serving;
use super::talking::Talking;
use super::voicemail::Voicemail;
use super::{Step, Timer};
use crate::call::{BranchId, Call};
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
        let group = Group { extension, branch: None, legs, outcome, redirect: None };
        let mut nodes = SmallMap::default();
        nodes.insert(ROOT, Node { parent: None, kind: Kind::Visit(Box::new(visit)) });
        nodes.insert(GROUP, Node { parent: Some(ROOT), kind: Kind::Group(group) });
        let next_node = GROUP.0 + 1;
        let screens = SmallMap::default();
        Seeking { caller, told, early, max_forwards: MAX_FORWARDS, nodes, next_node, screens }
    }
}

/// Adds what an earlier version kept elsewhere.
pub(crate) fn complete(call: &mut Call) {
    let steps: Vec<_> = call.steps.keys().collect();
    for step in steps {
        let Some(Step::Seeking(seeking)) = call.steps.get_mut(step) else { continue };
        let branch = match seeking.nodes.get(ROOT).map(|n| &n.kind) {
            Some(Kind::Visit(visit)) if visit.extension == UNNAMED => visit.branch,
            _ => continue,
        };
        let named = call.branches.get(branch).and_then(|b| b.extension);
        let nodes: Vec<_> = seeking.nodes.keys().collect();
        for node in nodes {
            match seeking.nodes.get_mut(node).map(|n| &mut n.kind) {
                Some(Kind::Visit(visit)) => visit.extension = named.unwrap_or(UNNAMED),
                Some(Kind::Group(group)) => group.extension = named.unwrap_or(UNNAMED),
                _ => {}
            }
        }
    }
}
