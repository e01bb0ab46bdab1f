//! A slot: a rule, or a phone by 302, parks the caller.
//!
//! It is a machine like a room: the caller is parked when nobody is left who may still answer.
//! Whose rule it is has parked it, so that it rings back there. Until then the slot is nobody's;
//! where another call has come before, the number has failed.

use leg::Refusal;
use model::{EndReason, Line, Skipped};

use super::node::{Does, Failure, Kind, Node, NodeId, TargetState};
use super::{After, Seeking, Work};
use crate::step::{Actions, Facts, Next, Step, parked};

impl Seeking {
    /// A number is a place to park. `Err`: nobody could be parked there.
    pub(super) fn begin_slot(
        &mut self,
        parent: NodeId,
        wanted: Option<u8>,
        facts: &Facts<'_>,
    ) -> Result<(), Skipped> {
        self.free_slot(wanted, facts)?;
        self.begin_place(parent, Does::Park(wanted));
        Ok(())
    }

    /// The slot in which the caller can be parked now.
    fn free_slot(&self, wanted: Option<u8>, facts: &Facts<'_>) -> Result<u8, Skipped> {
        // Who consults has a far party to go back to.
        let caller = self.caller.filter(|_| self.consultation().is_none());
        let caller = caller.ok_or(Skipped::NotParked)?;
        parked::may_wait(caller, wanted, facts).map_err(|refusal| match refusal {
            Refusal::SlotFull => Skipped::SlotTaken,
            Refusal::NoFreeSlot => Skipped::NoFreeSlot,
            Refusal::NoSuchSlot => Skipped::NoSuchNumber,
            _ => Skipped::NotParked,
        })
    }

    /// The slot in which a machine that parks would park the caller now.
    pub(super) fn slot_of(&self, machine: NodeId, facts: &Facts<'_>) -> Option<u8> {
        self.free_slot(self.parks_in(machine)?, facts).ok()
    }

    fn parks_in(&self, machine: NodeId) -> Option<Option<u8>> {
        match self.nodes.get(machine).map(|n| &n.kind) {
            Some(Kind::Machine(machine)) => match machine.does {
                Does::Park(wanted) => Some(wanted),
                _ => None,
            },
            _ => None,
        }
    }

    /// The caller can not be parked any more where it could be when its number was tried: that has
    /// failed. `None`: it can, or the machine is none that parks.
    pub(super) fn slot_is_lost(
        &mut self,
        machine: NodeId,
        work: &mut Work<'_, '_>,
    ) -> Option<After> {
        let reason = self.free_slot(self.parks_in(machine)?, work.facts).err()?;
        let parent = self.nodes.get(machine).and_then(|n| n.parent);
        let of = parent.and_then(|parent| self.nodes.get(parent)).map(|n| &n.kind);
        if let Some(Kind::Forward(forward)) = of {
            let is_it = |state| state == TargetState::Active(machine);
            let target = forward.targets.iter().find(|target| is_it(target.state));
            if let Some(number) = target.map(|target| target.number.clone()) {
                self.trace(machine, Line::NumberSkipped { number, reason }, work);
            }
        }
        let failure = Failure::of(EndReason::NoAnswer, None, work.facts);
        Some(self.fail(machine, failure, work))
    }

    /// The caller is parked, in the name of whose rule it is.
    pub(super) fn parks_caller(
        mut self,
        node: NodeId,
        slot: u8,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let line = Line::Ended { end: model::End::Answered };
        self.trace(node, line, &mut Work { facts, actions });
        let place = self.place(node);
        let branch = place.and_then(|(visit, _)| self.nodes.get(visit)).and_then(Node::branch);
        let (Some(caller), Some((_, by)), Some(branch)) = (self.caller, place, branch) else {
            return Next::Stay(Step::Seeking(self));
        };
        self.sender_is_done(facts, actions);
        // Its phone is not told: it goes on showing whom it has called, or talked with.
        let parked = parked::by_rule(caller, slot, (by, branch), self.last, facts, actions);
        Next::Become(Step::Parked(parked))
    }
}
