//! The tree of what is tried: ways in it, and how something in it ends.

use leg::LegId;
use model::{EndReason, ExtensionId};

use super::node::{Failure, Kind, Node, NodeId};
use super::{After, Seeking, Work, redirect};
use crate::call::BranchId;
use crate::step::Action;

impl Seeking {
    /// The node that rings a leg.
    pub(super) fn owner(&self, leg: LegId) -> Option<NodeId> {
        let mut nodes = self.nodes.iter();
        nodes.find(|(_, node)| node.legs().contains(&leg)).map(|(id, _)| id)
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

    /// Whether the time of a rule on the way to a node is over.
    pub(super) fn is_closed(&self, node: NodeId) -> bool {
        let is_closed = |n: &Node| matches!(&n.kind, Kind::Forward(f) if f.is_closed);
        self.is_late() || self.way_up(node).any(|(_, n)| is_closed(n))
    }

    /// The extension at which a node is: whose rules run there.
    pub(super) fn place(&self, node: NodeId) -> Option<(NodeId, ExtensionId)> {
        self.way_up(node).find_map(|(id, node)| match &node.kind {
            Kind::Visit(visit) => Some((id, visit.extension)),
            _ => None,
        })
    }

    /// Adds a node.
    pub(super) fn add(&mut self, parent: Option<NodeId>, kind: Kind) -> NodeId {
        let id = NodeId(self.next_node);
        self.next_node = self.next_node.saturating_add(1);
        self.nodes.insert(id, Node { parent, kind });
        id
    }

    /// Whether a branch belongs to what is tried.
    pub(crate) fn has_branch(&self, branch: BranchId) -> bool {
        self.nodes.values().any(|node| node.branch() == Some(branch))
    }

    /// The part of an extension is ended from outside of the call.
    pub(super) fn hang_up(
        &mut self,
        branch: BranchId,
        reason: EndReason,
        work: &mut Work<'_, '_>,
    ) -> After {
        let node = self.nodes.iter().find(|(_, node)| node.branch() == Some(branch));
        let Some(node) = node.map(|(id, _)| id) else { return After::Seeking };
        self.fail(node, Failure::of(reason, None, work.facts), work)
    }

    /// A node has failed: what is below it ends, and its parent is told.
    pub(super) fn fail(
        &mut self,
        node: NodeId,
        failure: Failure,
        work: &mut Work<'_, '_>,
    ) -> After {
        let Some(parent) = self.nodes.get(node).map(|n| n.parent) else { return After::Seeking };
        let report = self.result(node, &failure);
        self.remove(node, failure.reason, failure.status, work);
        let Some(parent) = parent else { return After::Failed(failure) };
        let failed = match self.nodes.get(parent).map(|n| &n.kind) {
            // The time of the rule that led here is over: nothing more begins.
            Some(Kind::Visit(_)) if self.is_closed(parent) => Some(failure),
            Some(Kind::Visit(_)) => self.visit_goes_on(parent, report, Some(&failure), work),
            Some(Kind::Forward(_)) => self.target_failed(parent, node, &failure, work),
            // Below a group is what a phone of it has named.
            Some(Kind::Group(_)) => Some(redirect::redirected(failure, work)),
            // Nothing else has something below it.
            Some(Kind::Outside(_) | Kind::Machine(_)) | None => None,
        };
        failed.map_or(After::Seeking, |failure| self.fail(parent, failure, work))
    }

    /// Takes a node and everything below it out; what rings there is ended, whose part it was
    /// leaves.
    pub(super) fn remove(
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
            self.end_screen(*leg, work);
            work.actions.push(Action::End { leg: *leg, reason });
        }
        if let Some(branch) = gone.branch() {
            work.actions.push(Action::Leave { branch, reason, status });
        }
        work.actions.push(Action::DropTimers(node));
    }
}
