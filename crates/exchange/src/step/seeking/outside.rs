//! A way out: a number of the outside is dialled, by one trunk after the other.

use leg::{CallFlow, Target};
use model::routing::rewritten;
use model::{EndReason, ExtensionId};
use smallvec::SmallVec;

use super::group::codecs_from;
use super::node::{Failure, Kind, NodeId, WayOut};
use super::{After, Seeking, Work};
use crate::call::BranchId;
use crate::step::Action;

impl Seeking {
    /// Dials a number of the outside. `by`: the extension whose rule leads there; `None`: the
    /// caller dials it. `Some`: no trunk has room.
    pub(super) fn begin_outside(
        &mut self,
        parent: Option<NodeId>,
        by: Option<ExtensionId>,
        outside: &route::Outside,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        let branch = work.actions.fresh_branch();
        work.actions.push(Action::Join {
            branch,
            extension: by,
            flow: if by.is_some() { CallFlow::Out } else { CallFlow::In },
            forwards_to: by.map(|_| outside.number.clone()),
        });
        let mut trunks: SmallVec<_> = outside.trunks.iter().rev().copied().collect();
        let way = |leg, trunks| WayOut { branch, number: outside.number.clone(), trunks, leg };
        match self.dial_trunk(branch, &outside.number, &mut trunks, work) {
            Ok(leg) => {
                self.add(parent, Kind::Outside(Box::new(way(leg, trunks))));
                None
            }
            Err(failure) => {
                let Failure { reason, status, .. } = failure;
                work.actions.push(Action::Leave { branch, reason, status });
                Some(failure)
            }
        }
    }

    /// Dials by the next trunk that is still there.
    fn dial_trunk(
        &mut self,
        branch: BranchId,
        number: &model::Number,
        trunks: &mut SmallVec<[model::TrunkId; 2]>,
        work: &mut Work<'_, '_>,
    ) -> Result<leg::LegId, Failure> {
        let facts = work.facts;
        if facts.ports_left == 0 {
            return Err(Failure::of(EndReason::NodeLimit, None, facts));
        }
        let plans = &facts.snapshot.routing.trunks;
        while let Some(trunk) = trunks.pop() {
            let Some(plan) = plans.get(&trunk).filter(|plan| plan.trunk.enabled) else { continue };
            let leg = work.actions.fresh_leg();
            work.actions.push(Action::Dial {
                leg,
                branch,
                target: Target::Trunk { trunk, number: rewritten(number, &plan.rewrite_out) },
                peer: None,
                identity: facts.call.caller.clone(),
                codecs: codecs_from(facts.leg(self.caller)),
                max_forwards: self.max_forwards,
            });
            return Ok(leg);
        }
        Err(Failure::of(EndReason::Unreachable, None, facts))
    }

    /// The leg by one trunk has failed: the next is tried if the trunk did not take the call.
    pub(super) fn trunk_failed(
        &mut self,
        node: NodeId,
        reason: EndReason,
        status: Option<u16>,
        work: &mut Work<'_, '_>,
    ) -> After {
        let Some(Kind::Outside(way)) = self.nodes.get(node).map(|n| &n.kind) else {
            return After::Seeking;
        };
        let (branch, number, mut trunks) = (way.branch, way.number.clone(), way.trunks.clone());
        if reason == EndReason::Unreachable
            && let Ok(leg) = self.dial_trunk(branch, &number, &mut trunks, work)
        {
            if let Some(Kind::Outside(way)) = self.nodes.get_mut(node).map(|n| &mut n.kind) {
                (way.leg, way.trunks) = (leg, trunks);
            }
            return After::Seeking;
        }
        self.fail(node, Failure::of(reason, status, work.facts), work)
    }
}
