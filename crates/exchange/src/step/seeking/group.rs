//! A group: all devices of one extension ring, the first answer wins.

use core::time::Duration;

use leg::{Identity, LegId, Target};
use model::{Codec, EndReason, ExtensionId};

use super::node::{Failure, Group, Kind, NodeId, Ringing, Wait};
use super::{After, Seeking, Work};
use crate::call::{BranchId, Leg, LegState};
use crate::limits;
use crate::session;
use crate::step::{Action, Timer};

impl Ringing {
    fn reason(self) -> EndReason {
        match self {
            Ringing::Unreachable => EndReason::Unreachable,
            Ringing::Refused { .. } => EndReason::Refused,
            Ringing::NoCommonCodec => EndReason::NoCommonCodec,
            Ringing::NotTaken => EndReason::NoAnswer,
            Ringing::Busy => EndReason::Busy,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Ringing::Unreachable | Ringing::NotTaken => None,
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
        parent: Option<NodeId>,
        extension: ExtensionId,
        branch: BranchId,
        opened: bool,
        ring_for: Option<Duration>,
        work: &mut Work<'_, '_>,
    ) -> Result<NodeId, Failure> {
        let facts = work.facts;
        let caller = self.caller_leg(facts);
        let identity = self.party(facts).map_or_else(Identity::anonymous, |p| p.identity.clone());
        // A person who dials the own number reaches the own other devices.
        let own = caller.and_then(|c| c.device);
        let devices: Vec<_> =
            facts.tables.devices(extension).filter(|(_, device, _)| own != Some(*device)).collect();
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
        let codecs = codecs_from(caller.or_else(|| self.purpose.partner(facts)));
        let mut legs = Vec::with_capacity(devices.len());
        for (of, device, peer) in devices {
            let leg = work.actions.fresh_leg();
            work.actions.push(Action::Dial {
                leg,
                branch,
                target: Target::Device { extension: of, device },
                peer: Some(peer),
                identity: identity.clone(),
                codecs: codecs.clone(),
                max_forwards: self.max_forwards,
                outside: None,
            });
            legs.push(leg);
        }
        let branch = opened.then_some(branch);
        let node = self.add(parent, Kind::Group(Group::new(extension, branch, legs)));
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
        // Who has answered and not taken the call has not answered, however that ended.
        let was_asked = self.end_screen(leg, work);
        let (reason, status) =
            if was_asked { (EndReason::NoAnswer, None) } else { (reason, status) };
        let group = match self.nodes.get_mut(node).map(|n| &mut n.kind) {
            Some(Kind::Group(group)) => group,
            Some(Kind::Outside(_)) => return self.trunk_failed(node, reason, status, work),
            _ => return After::Seeking,
        };
        group.legs.retain(|l| *l != leg);
        if let Some(number) = group.redirect.take() {
            return self.follow_redirect(node, number, work);
        }
        if reason == EndReason::Declined {
            // The other devices of that extension stop ringing too; nobody else's do.
            return self.fail(node, Failure::of(reason, status, work.facts), work);
        }
        let outcome = match (reason, status) {
            (EndReason::Busy, _) => Ringing::Busy,
            (EndReason::NoCommonCodec, _) => Ringing::NoCommonCodec,
            _ if was_asked => Ringing::NotTaken,
            (_, Some(status)) if reason != EndReason::Unreachable => Ringing::Refused { status },
            (_, _) => Ringing::Unreachable,
        };
        group.outcome = group.outcome.max(outcome);
        self.if_empty_fail(node, work)
    }

    /// Nobody has answered in the ring timeout; for who is asked to take the call it waits.
    pub(super) fn rang_out(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        let is_left = match self.below(node) {
            Some(child) => self.prune(child, work),
            None => self.stop_ringing(node, work),
        };
        if is_left {
            return After::Seeking;
        }
        self.fail(node, Failure::of(EndReason::NoAnswer, None, work.facts), work)
    }

    /// Ends the devices of a group that still ring; `true`: others are left, which have answered.
    pub(super) fn stop_ringing(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> bool {
        let screens = &self.screens;
        let Some(Kind::Group(group)) = self.nodes.get_mut(node).map(|n| &mut n.kind) else {
            return false;
        };
        if !group.legs.iter().any(|leg| screens.get(*leg).is_some()) {
            return false;
        }
        group.legs.retain(|leg| {
            let is_asked = screens.get(*leg).is_some();
            if !is_asked {
                // One rang to the end, so that what others said does not count.
                group.outcome = Ringing::NotTaken;
                work.actions.push(Action::End { leg: *leg, reason: EndReason::NoAnswer });
            }
            is_asked
        });
        true
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

/// The codecs to offer to who is dialled: the one that an answered caller talks, then its others.
pub(super) fn codecs_from(caller: Option<&Leg>) -> Vec<Codec> {
    let mut codecs = session::codecs_towards(caller.and_then(|c| c.remote.as_deref()));
    let talks = caller.filter(|c| c.state == LegState::Up).and_then(session::codec_in_use);
    let at = talks.and_then(|codec| codecs.iter().position(|c| *c == codec));
    if let Some(first) = at.and_then(|at| codecs.get_mut(..=at)) {
        first.rotate_right(1);
    }
    codecs
}
