//! Who waits, and what it is told meanwhile.

use leg::LegId;
use model::Codec;

use super::node::{Kind, NodeId};
use super::{Seeking, Work};
use crate::call::{BranchId, Leg, LegState};
use crate::conversation::Party;
use crate::limits;
use crate::session;
use crate::step::{Action, Facts, Timer};

impl Seeking {
    pub(super) fn progress(
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
        let can_hear = self.caller_leg(work.facts).is_some_and(|c| c.remote.is_some());
        let is_alone = || self.nodes.values().map(|n| n.legs().len()).sum::<usize>() == 1;
        let heard = has_session
            && can_hear
            && self.early.is_none()
            && (status != 180 || is_alone())
            && !self.ignores_early_media(node);
        if heard {
            self.early = Some(leg);
            let codec = work.facts.leg(leg).and_then(session::codec_in_use);
            self.ring_caller(codec, work);
            self.told = true;
        } else if !self.told {
            self.ring_caller(None, work);
            self.told = true;
        }
    }

    /// The caller is told that it still rings.
    pub(super) fn tell_again(&self, work: &mut Work<'_, '_>) {
        if self.is_answered(work.facts) {
            return;
        }
        // What it was answered early it is answered again.
        let caller = self.caller_leg(work.facts);
        let early = caller.filter(|c| c.remote.is_some()).and_then(session::codec_in_use);
        self.ring_caller(early, work);
        keep_telling(work);
    }

    /// Whether a rule on the way to a node keeps early media from the caller.
    fn ignores_early_media(&self, node: NodeId) -> bool {
        self.way_up(node).any(|(_, node)| match &node.kind {
            Kind::Forward(forward) => forward.ignore_early_media,
            _ => false,
        })
    }

    /// Whether the caller was answered, by a machine.
    pub(super) fn is_answered(&self, facts: &Facts<'_>) -> bool {
        self.caller_leg(facts).is_some_and(|l| l.state == LegState::Up)
    }

    /// Who waits.
    pub(super) fn caller_leg<'a>(&self, facts: &Facts<'a>) -> Option<&'a Leg> {
        facts.leg(self.caller?)
    }

    /// Its part here. Who consults has one of its own, which its leg has only when the input in
    /// which it began is handled.
    pub(super) fn caller_branch(&self, facts: &Facts<'_>) -> Option<BranchId> {
        let leg = self.caller_leg(facts)?;
        Some(self.consultation().map_or(leg.branch, |of| of.own))
    }

    /// Who is shown as calling.
    pub(super) fn party<'a>(&'a self, facts: &Facts<'a>) -> Option<&'a Party> {
        let own = self.party.as_deref();
        own.or_else(|| facts.call.conversations.get(self.conversation).map(|c| &c.party))
    }

    /// Whether a program has sent the caller on from where it rang.
    pub(super) fn was_rung_through(&self) -> bool {
        self.nodes.values().any(|node| matches!(&node.kind, Kind::Group(g) if g.sends_on))
    }

    pub(super) fn ring_caller(&self, early: Option<Codec>, work: &mut Work<'_, '_>) {
        if let Some(leg) = self.caller {
            work.actions.push(Action::Ring { leg, early });
        }
    }
}

/// The caller will be told that it still rings.
pub(in crate::step) fn keep_telling(work: &mut Work<'_, '_>) {
    work.actions.push(Action::Timer { timer: Timer::Tell, after: limits::TELL_AGAIN });
}
