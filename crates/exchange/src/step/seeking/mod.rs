//! Seeking: somebody is looked for who takes the call.
//!
//! What is tried forms a tree of [`node::Node`]s. A *visit* runs the rules of an extension; a
//! *group* rings the devices of one; a *forward* rings the numbers of a rule, each a visit, a group
//! or a way out; a *way out* tries one trunk after the other. A node that has failed is told to its
//! parent, which goes on or fails too; when the root has failed the caller is refused. The first
//! leg that answers ends all others.
//!
//! Read in this order: `node`, this file, `group`, `visit`, `forward`, `outside`.

mod forward;
mod group;
pub mod node;
mod outside;
mod visit;

use leg::{Gain, Hears, LegEvent, LegId, Player, Source, Tone};
use model::{EndReason, ExtensionId, Line, TraceEntry};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use self::node::{Failure, Kind, Node, NodeId, Wait};
use super::talking::Talking;
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer, reason_for};
use crate::call::{BranchId, Call};
use crate::session;
use crate::small_map::SmallMap;

/// Somebody is looked for who takes the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seeking {
    /// Who calls.
    pub caller: LegId,
    /// The caller was told that it rings.
    pub told: bool,
    /// The leg whose early media the caller hears.
    pub early: Option<LegId>,
    /// Max-Forwards of what is dialled.
    pub max_forwards: u8,
    /// What is tried.
    pub nodes: SmallMap<NodeId, Node>,
    /// Number of the next node.
    pub next_node: u16,
}

/// The node that everything began with.
pub const ROOT: NodeId = NodeId(0);

/// What a node reads and writes while it works.
pub(super) struct Work<'a, 'f> {
    pub(super) facts: &'a Facts<'f>,
    pub(super) actions: &'a mut Actions,
}

/// What became of the search after an input.
enum After {
    /// It goes on.
    Seeking,
    /// This leg has answered.
    Found(LegId),
    /// The root has failed.
    Failed(Failure),
}

impl Seeking {
    /// A search for `caller` in which nothing is tried yet.
    pub fn new(caller: LegId, max_forwards: u8) -> Seeking {
        Seeking {
            caller,
            told: false,
            early: None,
            max_forwards,
            nodes: SmallMap::default(),
            next_node: ROOT.0,
        }
    }

    /// Begins with an extension: its rules run.
    pub fn visit(
        mut self,
        extension: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut work = Work { facts, actions };
        let failed = self.begin_visit(None, extension, &mut work);
        self.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions)
    }

    /// Begins with a number of the outside.
    pub fn dial_outside(
        mut self,
        outside: &route::Outside,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut work = Work { facts, actions };
        let failed = self.begin_outside(None, None, outside, &mut work);
        self.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions)
    }

    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let after = match input {
            StepInput::Leg(leg, event) if *leg == self.caller => match event {
                LegEvent::Ended { reason, .. } => {
                    let reason = reason_for(BranchId::CALLER, *reason);
                    // The called phone shows a missed call only if nobody answered elsewhere.
                    return self.caller_gone(reason, EndReason::Cancelled, facts, actions);
                }
                LegEvent::Offer(_) => {
                    // An UPDATE before the answer.
                    actions.push(Action::AnswerOffer { leg: self.caller });
                    After::Seeking
                }
                // A leg that came in and is not answered says nothing else that matters here.
                _ => After::Seeking,
            },
            StepInput::Leg(leg, event) => self.leg_event(*leg, event, &mut Work { facts, actions }),
            StepInput::Timer(Timer::Node(node, wait)) => {
                self.waited(*node, *wait, &mut Work { facts, actions })
            }
            StepInput::HangUp { branch, reason } => {
                if *branch == BranchId::CALLER {
                    return self.caller_gone(*reason, *reason, facts, actions);
                }
                self.hang_up(*branch, *reason, &mut Work { facts, actions })
            }
            StepInput::EndAll(reason) => {
                return self.caller_gone(*reason, *reason, facts, actions);
            }
            // Keys before the answer mean nothing here; nobody is missed by their silence; the
            // timer of another step cannot come to this one.
            StepInput::Digit { .. } | StepInput::Silent(_) | StepInput::Timer(_) => After::Seeking,
        };
        self.go_on(after, facts, actions)
    }

    fn go_on(self, after: After, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match after {
            After::Seeking => Next::Stay(Step::Seeking(self)),
            After::Found(leg) => self.connect(leg, facts, actions),
            After::Failed(failure) => {
                let Failure { reason, status, .. } = failure;
                actions.push(Action::End { leg: self.caller, reason });
                actions.push(Action::Leave { branch: BranchId::CALLER, reason, status });
                Next::Done
            }
        }
    }

    fn leg_event(&mut self, leg: LegId, event: &LegEvent, work: &mut Work<'_, '_>) -> After {
        let Some(node) = self.owner(leg) else { return After::Seeking };
        match event {
            LegEvent::Progress { status, early } => {
                self.progress(node, leg, *status, early.is_some(), work);
                After::Seeking
            }
            LegEvent::Answered { .. } => {
                if work.facts.leg(leg).and_then(session::codec_in_use).is_some() {
                    return After::Found(leg);
                }
                let reason = EndReason::NoCommonCodec;
                work.actions.push(Action::End { leg, reason });
                self.leg_failed(node, leg, reason, Some(488), work)
            }
            LegEvent::Ended { reason, status, .. } => {
                self.leg_failed(node, leg, *reason, *status, work)
            }
            LegEvent::Offer(_) => {
                work.actions.push(Action::AnswerOffer { leg });
                After::Seeking
            }
            // Nothing else can come from a leg that has not answered.
            _ => After::Seeking,
        }
    }

    /// The node that rings a leg.
    fn owner(&self, leg: LegId) -> Option<NodeId> {
        let mut nodes = self.nodes.iter();
        nodes.find(|(_, node)| node.legs().contains(&leg)).map(|(id, _)| id)
    }

    fn progress(
        &mut self,
        node: NodeId,
        leg: LegId,
        status: u16,
        has_session: bool,
        work: &mut Work<'_, '_>,
    ) {
        if status == 100 {
            return; // It is there, which is noted; nothing rings yet.
        }
        // The caller can hear early media only in answer to an offer of its own.
        let can_hear = work.facts.leg(self.caller).is_some_and(|c| c.remote.is_some());
        let is_alone = || self.nodes.values().map(|n| n.legs().len()).sum::<usize>() == 1;
        let heard = has_session
            && can_hear
            && self.early.is_none()
            && (status != 180 || is_alone())
            && !self.ignores_early_media(node);
        if heard {
            self.early = Some(leg);
            let codec = work.facts.leg(leg).and_then(session::codec_in_use);
            work.actions.push(Action::Ring { leg: self.caller, early: codec });
            self.told = true;
        } else if !self.told {
            work.actions.push(Action::Ring { leg: self.caller, early: None });
            self.told = true;
        }
    }

    /// Whether a rule on the way to a node keeps early media from the caller.
    fn ignores_early_media(&self, node: NodeId) -> bool {
        self.way_up(node).any(|(_, node)| match &node.kind {
            Kind::Forward(forward) => forward.ignore_early_media,
            Kind::Visit(_) | Kind::Group(_) | Kind::Outside(_) => false,
        })
    }

    /// A node and what led to it, up to the root.
    pub(super) fn way_up(&self, node: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        let mut next = Some(node);
        core::iter::from_fn(move || {
            let id = next?;
            let node = self.nodes.get(id)?;
            next = node.parent;
            Some((id, node))
        })
    }

    fn waited(&mut self, node: NodeId, wait: Wait, work: &mut Work<'_, '_>) -> After {
        match wait {
            Wait::Ring => self.rang_out(node, work),
            Wait::Response => self.drop_silent_devices(node, work),
            Wait::Join => self.join_next(node, work),
            Wait::Forward => self.tried_enough(node, work),
        }
    }

    /// The part of an extension is ended from outside of the call.
    fn hang_up(&mut self, branch: BranchId, reason: EndReason, work: &mut Work<'_, '_>) -> After {
        let node = self.nodes.iter().find(|(_, node)| node.branch() == Some(branch));
        let Some(node) = node.map(|(id, _)| id) else { return After::Seeking };
        self.fail(node, Failure::of(reason, None, work.facts), work)
    }

    /// A node has failed: what is below it ends, and its parent is told.
    fn fail(&mut self, node: NodeId, failure: Failure, work: &mut Work<'_, '_>) -> After {
        let Some(parent) = self.nodes.get(node).map(|n| n.parent) else { return After::Seeking };
        let report = self.result(node, &failure);
        self.remove(node, failure.reason, failure.status, work);
        let Some(parent) = parent else { return After::Failed(failure) };
        let failed = match self.nodes.get(parent).map(|n| &n.kind) {
            Some(Kind::Visit(_)) => self.visit_goes_on(parent, report, &failure, work),
            Some(Kind::Forward(_)) => self.target_failed(parent, node, &failure, work),
            // Groups and ways out have nothing below them.
            Some(Kind::Group(_) | Kind::Outside(_)) | None => None,
        };
        failed.map_or(After::Seeking, |failure| self.fail(parent, failure, work))
    }

    /// Takes a node and everything below it out; what rings there is ended, whose part it was
    /// leaves.
    fn remove(
        &mut self,
        node: NodeId,
        reason: EndReason,
        status: Option<u16>,
        work: &mut Work<'_, '_>,
    ) {
        let below: Vec<NodeId> =
            self.nodes.iter().filter(|(_, n)| n.parent == Some(node)).map(|(id, _)| id).collect();
        for child in below {
            self.remove(child, reason, None, work);
        }
        let Some(gone) = self.nodes.remove(node) else { return };
        for leg in gone.legs() {
            if self.early == Some(*leg) {
                self.early = None;
            }
            work.actions.push(Action::End { leg: *leg, reason });
        }
        if let Some(branch) = gone.branch() {
            work.actions.push(Action::Leave { branch, reason, status });
        }
        work.actions.push(Action::DropTimers(node));
    }

    /// A leg has answered: all others are out, those whose rules led to it stay in the call.
    fn connect(mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let mut work = Work { facts, actions };
        let Some(winner) = self.owner(leg) else { return Next::Stay(Step::Seeking(self)) };
        let way: Vec<NodeId> = self.way_up(winner).map(|(id, _)| id).collect();
        if let Some(node) = self.nodes.get_mut(winner) {
            node.keep_only(leg, work.actions);
        }
        let lost: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|(id, n)| !way.contains(id) && n.parent.is_none_or(|p| way.contains(&p)))
            .map(|(id, _)| id)
            .collect();
        for node in lost {
            self.remove(node, EndReason::AnsweredElsewhere, None, &mut work);
        }
        // Whose rules led here has a part in the call, but does not talk in it.
        let branch_of_leg = facts.leg(leg).map(|l| l.branch);
        for id in way.iter().rev() {
            if let Some(branch) = self.nodes.get(*id).and_then(Node::branch)
                && Some(branch) != branch_of_leg
            {
                work.actions.push(Action::Connect { branch, says_so: false });
            }
        }
        if let Some(branch) = branch_of_leg {
            work.actions.push(Action::Connect { branch, says_so: true });
        }
        self.trace(winner, Line::Ended { end: model::End::Answered }, &mut work);
        work.actions.push(Action::Connect { branch: BranchId::CALLER, says_so: true });
        let codec = facts.leg(leg).and_then(session::codec_in_use);
        work.actions.push(Action::Answer { leg: self.caller, codec });
        Next::Become(Step::Talking(Talking { a: self.caller, b: leg }))
    }

    /// The caller is out: everything stops ringing.
    fn caller_gone(
        mut self,
        reason: EndReason,
        told: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let legs: Vec<LegId> = self.nodes.values().flat_map(|n| n.legs().iter().copied()).collect();
        for leg in legs {
            actions.push(Action::End { leg, reason: told });
        }
        self.remove(ROOT, reason, None, &mut Work { facts, actions });
        actions.push(Action::End { leg: self.caller, reason });
        actions.push(Action::Leave { branch: BranchId::CALLER, reason, status: None });
        Next::Done
    }

    /// The moments that it remembers, to be moved when it goes on under another clock.
    pub(crate) fn moments(&mut self) -> impl Iterator<Item = &mut model::Mono> {
        self.nodes.values_mut().filter_map(|node| match &mut node.kind {
            Kind::Forward(forward) => Some(&mut forward.began),
            Kind::Visit(_) | Kind::Group(_) | Kind::Outside(_) => None,
        })
    }

    /// Adds a node.
    pub(super) fn add(&mut self, parent: Option<NodeId>, kind: Kind) -> NodeId {
        let id = NodeId(self.next_node);
        self.next_node = self.next_node.saturating_add(1);
        self.nodes.insert(id, Node { parent, kind });
        id
    }

    /// The extension at which a node is: whose rules run there.
    pub(super) fn place(&self, node: NodeId) -> Option<(NodeId, ExtensionId)> {
        self.way_up(node).find_map(|(id, node)| match &node.kind {
            Kind::Visit(visit) => Some((id, visit.extension)),
            Kind::Group(_) | Kind::Forward(_) | Kind::Outside(_) => None,
        })
    }

    /// Writes a line of the call's trace.
    pub(super) fn trace(&self, node: NodeId, line: Line, work: &mut Work<'_, '_>) {
        self.trace_at(work.actions.list.len(), node, line, work);
    }

    /// Writes a line before the actions that came of what it tells: `mark` is where they begin.
    pub(super) fn trace_at(&self, mark: usize, node: NodeId, line: Line, work: &mut Work<'_, '_>) {
        let extension = self.place(node).map(|(_, extension)| extension);
        let at = work.facts.now.wall;
        work.actions.list.insert(mark, Action::Trace(TraceEntry { at, extension, line }));
    }

    /// The caller hears the early media of one leg, else its own phone's ringback; once it has an
    /// early session and that leg is out, ringback from us.
    pub fn hears(&self, call: &Call, to: &mut Vec<Hears>) {
        let has_session = call.legs.get(self.caller).is_some_and(|l| l.local.is_some());
        if !has_session {
            return;
        }
        let source = match self.early {
            Some(leg) => Source::Leg(leg),
            None => Source::Player(Player::Tone(Tone::Ringback)),
        };
        to.push(Hears { listener: self.caller, sources: smallvec![(source, Gain::UNITY)] });
    }
}
