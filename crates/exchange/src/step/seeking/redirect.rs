//! A phone sends the call on (302): a forward by its user, with that extension's rights. Only the
//! number counts, never the host; devices that are rung without rules may not. Or a program does.

use core::time::Duration;

use leg::{DiversionReason, LegId, Refusal};
use model::limits::{HOPS_MAX, RING_TIMEOUT_S_DEFAULT};
use model::{EndReason, ExtensionId, Line, Number, Skipped};
use route::Lead;

use super::node::{Failure, Group, Kind, NodeId, Wait};
use super::purpose::Wanted;
use super::{After, Seeking, Work};
use crate::call::BranchId;
use crate::step::sending::{self, Sent};
use crate::step::{Action, Timer};

impl Seeking {
    /// A device names another number. Its leg is about to end.
    pub(super) fn note_redirect(&mut self, node: NodeId, number: &Number) {
        let parent = self.nodes.get(node).and_then(|n| n.parent);
        let runs_rules = match parent.and_then(|p| self.nodes.get(p)).map(|n| &n.kind) {
            Some(Kind::Forward(forward)) => forward.runs_rules,
            Some(Kind::Visit(_)) => true,
            Some(Kind::Group(_) | Kind::Outside(_) | Kind::Machine(_)) | None => false,
        };
        if let Some(Kind::Group(group)) = self.nodes.get_mut(node).map(|n| &mut n.kind)
            && group.branch.is_none()
            && runs_rules
        {
            group.redirect = Some(number.clone());
        }
    }

    /// A program sends a call on that rings at an extension: what was tried there stops, and the
    /// number is tried in its place.
    pub(super) fn ring_through(
        &mut self,
        branch: BranchId,
        number: &Number,
        work: &mut Work<'_, '_>,
    ) -> After {
        match self.may_ring_through(branch, number, work) {
            Ok((node, extension)) => {
                work.actions.accept();
                let node = self.cleared(node, extension, work);
                if let Some(Kind::Group(group)) = self.nodes.get_mut(node).map(|n| &mut n.kind) {
                    group.sends_on = true;
                }
                self.is_sent_on_by(extension, work.facts);
                self.follow_redirect(node, number.clone(), work)
            }
            Err(refusal) => {
                work.actions.refuse(refusal);
                After::Seeking
            }
        }
    }

    /// The node of a part in the call from which the number can be reached, and whose part it is.
    fn may_ring_through(
        &self,
        branch: BranchId,
        number: &Number,
        work: &Work<'_, '_>,
    ) -> Result<(NodeId, ExtensionId), Refusal> {
        let mut nodes = self.nodes.iter();
        let found = nodes.find(|(_, node)| node.branch() == Some(branch));
        let (node, extension) = match found.map(|(id, node)| (id, &node.kind)) {
            Some((id, Kind::Visit(visit))) => (id, visit.extension),
            Some((id, Kind::Group(group))) => (id, group.extension),
            _ => return Err(Refusal::NotAnswered),
        };
        if self.caller.is_none() {
            return Err(Refusal::NotAnswered);
        }
        match sending::sent(number, extension, work.facts)? {
            Sent::Rung(Wanted::Extension(target)) => {
                if target.id == extension || self.path(node).any(|id| id == target.id) {
                    return Err(Refusal::BadNumber);
                }
                if self.path(node).count() >= HOPS_MAX {
                    return Err(Refusal::Full);
                }
            }
            // Only who was answered can be parked.
            Sent::Slot(_) => return Err(Refusal::NotAnswered),
            Sent::Rung(Wanted::Outside(_)) | Sent::At(_) => {}
        }
        Ok((node, extension))
    }

    /// Ends what is tried at an extension; the group that stands there then.
    fn cleared(&mut self, node: NodeId, extension: ExtensionId, work: &mut Work<'_, '_>) -> NodeId {
        if let Some(below) = self.below(node) {
            self.remove(below, EndReason::Cancelled, None, work);
        }
        match self.nodes.get(node).map(|n| &n.kind) {
            Some(Kind::Visit(_)) => {
                let group = Group::new(extension, None, Vec::new());
                self.add(Some(node), Kind::Group(group))
            }
            _ => node,
        }
    }

    /// The leg of a device that has named another number has ended: the other devices stop
    /// ringing, and that number is tried in their place.
    pub(super) fn follow_redirect(
        &mut self,
        node: NodeId,
        number: Number,
        work: &mut Work<'_, '_>,
    ) -> After {
        let Some(Kind::Group(group)) = self.nodes.get_mut(node).map(|n| &mut n.kind) else {
            return After::Seeking;
        };
        let extension = group.extension;
        let others: Vec<LegId> = core::mem::take(&mut group.legs);
        for leg in others {
            if self.early == Some(leg) {
                self.early = None;
            }
            self.end_screen(leg, work);
            work.actions.push(Action::End { leg, reason: EndReason::Cancelled });
        }
        // The time of the devices is over; the new number has its own.
        work.actions.push(Action::DropTimers(node));
        let parent = self.nodes.get(node).and_then(|n| n.parent);
        if let Some(Kind::Visit(_)) = parent.and_then(|p| self.nodes.get(p)).map(|n| &n.kind) {
            let after = Duration::from_secs(RING_TIMEOUT_S_DEFAULT.into());
            let timer = Timer::Node(node, Wait::Ring);
            work.actions.push(Action::Timer { timer, after });
        }
        let mark = work.actions.list.len();
        let own = work.facts.snapshot.extension(extension).map(|e| &**e);
        let begun = match route::lead(work.facts.snapshot, own, number.as_str()) {
            Err(why) => Err(why),
            Ok(Lead::Room(of)) => {
                self.begin_room(node, of);
                Ok(None)
            }
            Ok(Lead::Slot(wanted)) => self.begin_slot(node, wanted, work.facts).map(|()| None),
            Ok(Lead::Extension(target)) if target.id == extension => Err(Skipped::Loop),
            Ok(Lead::Extension(target)) => self.begin_target(node, &target, own, true, work),
            Ok(_) if self.has_no_room(work) => Err(Skipped::TooMany),
            Ok(Lead::Outside(outside) | Lead::Barred(outside)) => {
                let by = Some((extension, DiversionReason::Deflection));
                Ok(self.begin_outside(Some(node), by, &outside, work))
            }
        };
        match begun {
            Ok(None) => {
                self.trace_at(mark, node, Line::NumberRings { number }, work);
                After::Seeking
            }
            Ok(Some(failure)) => {
                self.trace_failed(mark, node, number, &failure, work);
                self.fail(node, redirected(failure, work), work)
            }
            Err(reason) => {
                self.trace(node, Line::NumberSkipped { number, reason }, work);
                let failure = Failure::of(EndReason::Refused, Some(302), work.facts);
                self.fail(node, failure, work)
            }
        }
    }
}

/// The phone was there, even when whom it named was not.
pub(super) fn redirected(failure: Failure, work: &Work<'_, '_>) -> Failure {
    match failure.is_unreachable() {
        true => Failure::of(EndReason::NoAnswer, failure.status, work.facts),
        false => failure,
    }
}
