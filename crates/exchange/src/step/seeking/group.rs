//! A group: all devices of one extension ring, the first answer wins.

use core::time::Duration;

use leg::{LegId, Target};
use model::{EndReason, ExtensionId};

use super::node::{Failure, Group, Kind, NodeId, Ringing, Wait};
use super::{After, Seeking, Work};
use crate::call::{BranchId, LegState};
use crate::limits;
use crate::session;
use crate::step::{Action, Timer};

impl Ringing {
    fn reason(self) -> EndReason {
        match self {
            Ringing::Unreachable => EndReason::Unreachable,
            Ringing::Refused { .. } => EndReason::Refused,
            Ringing::NoCommonCodec => EndReason::NoCommonCodec,
            Ringing::Busy => EndReason::Busy,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Ringing::Unreachable => None,
            Ringing::Refused { status } => Some(status),
            Ringing::NoCommonCodec => Some(488),
            Ringing::Busy => Some(486),
        }
    }
}

impl Seeking {
    /// Rings the devices of an extension. `branch`: its part in the call; `opened`: it is to end
    /// with the group. `ring_for`: no longer than this, if the extension's own time counts.
    pub(super) fn begin_group(
        &mut self,
        parent: NodeId,
        extension: ExtensionId,
        branch: BranchId,
        opened: bool,
        ring_for: Option<Duration>,
        work: &mut Work<'_, '_>,
    ) -> Result<NodeId, Failure> {
        let facts = work.facts;
        let caller = facts.leg(self.caller);
        // A person who dials the own number reaches the own other devices.
        let own = caller.and_then(|c| c.device);
        let devices: Vec<_> =
            facts.tables.devices(extension).filter(|(device, _)| own != Some(*device)).collect();
        let refused = if devices.is_empty() {
            Some(EndReason::Unreachable)
        } else if devices.len() > facts.ports_left {
            Some(EndReason::NodeLimit)
        } else {
            None
        };
        if let Some(reason) = refused {
            if opened {
                work.actions.push(Action::Leave { branch, reason, status: None });
            }
            return Err(Failure::of(reason, None, facts));
        }
        let codecs = session::codecs_towards(caller.and_then(|c| c.remote.as_deref()));
        let mut legs = Vec::with_capacity(devices.len());
        for (device, peer) in devices {
            let leg = work.actions.fresh_leg();
            work.actions.push(Action::Dial {
                leg,
                branch,
                target: Target::Device { extension, device },
                peer: Some(peer),
                identity: facts.call.caller.clone(),
                codecs: codecs.clone(),
                max_forwards: self.max_forwards,
            });
            legs.push(leg);
        }
        let branch = opened.then_some(branch);
        let outcome = Ringing::Unreachable;
        let node = self.add(Some(parent), Kind::Group(Group { extension, branch, legs, outcome }));
        if let Some(after) = ring_for {
            work.actions.push(Action::Timer { timer: Timer::Node(node, Wait::Ring), after });
        }
        let timer = Timer::Node(node, Wait::Response);
        work.actions.push(Action::Timer { timer, after: limits::NO_RESPONSE });
        Ok(node)
    }

    /// A leg has ended without an answer.
    pub(super) fn leg_failed(
        &mut self,
        node: NodeId,
        leg: LegId,
        reason: EndReason,
        status: Option<u16>,
        work: &mut Work<'_, '_>,
    ) -> After {
        if self.early == Some(leg) {
            self.early = None;
        }
        let group = match self.nodes.get_mut(node).map(|n| &mut n.kind) {
            Some(Kind::Group(group)) => group,
            Some(Kind::Outside(_)) => return self.trunk_failed(node, reason, status, work),
            _ => return After::Seeking,
        };
        group.legs.retain(|l| *l != leg);
        if reason == EndReason::Declined {
            // The other devices of that extension stop ringing too; nobody else's do.
            return self.fail(node, Failure::of(reason, status, work.facts), work);
        }
        let outcome = match (reason, status) {
            (EndReason::Busy, _) => Ringing::Busy,
            (EndReason::NoCommonCodec, _) => Ringing::NoCommonCodec,
            (_, Some(status)) if reason != EndReason::Unreachable => Ringing::Refused { status },
            (_, _) => Ringing::Unreachable,
        };
        group.outcome = group.outcome.max(outcome);
        self.if_empty_fail(node, work)
    }

    /// Nobody has answered in the ring timeout.
    pub(super) fn rang_out(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        self.fail(node, Failure::of(EndReason::NoAnswer, None, work.facts), work)
    }

    /// Devices that have not responded at all are unreachable.
    pub(super) fn drop_silent_devices(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        let Some(Kind::Group(group)) = self.nodes.get_mut(node).map(|n| &mut n.kind) else {
            return After::Seeking;
        };
        group.legs.retain(|leg| {
            let is_silent = work.facts.leg(*leg).is_none_or(|l| l.state == LegState::Dialling);
            if is_silent {
                let reason = EndReason::Unreachable;
                work.actions.push(Action::End { leg: *leg, reason });
            }
            !is_silent
        });
        self.if_empty_fail(node, work)
    }

    /// The group has failed when its last device has.
    fn if_empty_fail(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        match self.nodes.get(node).map(|n| &n.kind) {
            Some(Kind::Group(group)) if group.legs.is_empty() => {
                let outcome = group.outcome;
                let failure = Failure::of(outcome.reason(), outcome.status(), work.facts);
                self.fail(node, failure, work)
            }
            _ => After::Seeking,
        }
    }
}
