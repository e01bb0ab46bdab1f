//! A way out: a number of the outside is dialled, by one trunk after the other.

use leg::{Alert, AlertCause, CallFlow, Diversion, DiversionReason, Identity, LegId, Target};
use model::routing::rewritten;
use model::{DisplayName, EndReason, ExtensionId, Number, TrunkId, TrunkUse};
use route::{Calling, Outside};

use super::group::codecs_from;
use super::node::{Failure, Kind, NodeId, WayOut};
use super::visit::country_of;
use super::{After, Seeking, Work};
use crate::conversation::Party;
use crate::outside::Line;
use crate::step::led::Led;
use crate::step::{self, Action, Actions, Facts};

impl Seeking {
    /// Dials a number of the outside. `by`: the extension whose rule leads there, and why it runs;
    /// `None`: the caller dials it. `Some`: no trunk has room, or the call may not be.
    pub(super) fn begin_outside(
        &mut self,
        parent: Option<NodeId>,
        by: Option<(ExtensionId, DiversionReason)>,
        outside: &Outside,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        let branch = work.actions.fresh_branch();
        let forwards = by.map(|(extension, _)| extension);
        work.actions.push(Action::Join {
            branch,
            conversation: self.conversation,
            party: self.party.clone(),
            extension: forwards,
            flow: if by.is_some() { CallFlow::Out } else { CallFlow::In },
            forwards_to: by.map(|_| outside.number.clone()),
        });
        let way = WayOut {
            branch,
            number: outside.number.clone(),
            trunks: outside.trunks.iter().rev().copied().collect(),
            leg: LegId(0),
            by: forwards.or(self.by).or_else(|| self.party(work.facts)?.extension),
            diverted: by.map(|(_, reason)| reason),
            emergency: outside.emergency,
        };
        match self.begin_way(way, work) {
            Ok(way) => {
                self.add(parent, Kind::Outside(Box::new(way)));
                None
            }
            Err(failure) => {
                let Failure { reason, status, .. } = failure;
                work.actions.push(Action::Leave { branch, reason, status });
                Some(failure)
            }
        }
    }

    /// Who has dialled what is tried is out, and the caller waits for it in the name of an
    /// extension: what was dialled outside is that one's from now on.
    pub(super) fn leads_outside(
        &mut self,
        by: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        for node in self.nodes.values_mut() {
            let Kind::Outside(way) = &mut node.kind else { continue };
            let was = facts.call.branches.get(way.branch).filter(|b| b.extension.is_none());
            let Some(was) = was else { continue };
            let (conversation, party) = (was.conversation, self.party.clone());
            let led = Led { conversation, party, by, number: way.number.clone() };
            way.branch = led.begin(way.leg, Some(was.id), actions);
        }
    }

    fn begin_way(&self, mut way: WayOut, work: &mut Work<'_, '_>) -> Result<WayOut, Failure> {
        if let Err(reason) = may_begin(&way, work) {
            let cause = match reason {
                EndReason::OutsideNotAllowed => AlertCause::OutsideNotAllowed,
                _ => AlertCause::OutsideLimit,
            };
            work.actions.push(Action::Alert(Alert { cause, extension: way.by }));
            return Err(Failure::of(reason, None, work.facts));
        }
        if way.emergency {
            let cause = AlertCause::Emergency;
            work.actions.push(Action::Alert(Alert { cause, extension: way.by }));
        }
        self.dial_trunk(&mut way, true, work)?;
        Ok(way)
    }

    /// Dials by the next trunk that is still there and has a channel left.
    fn dial_trunk(
        &self,
        way: &mut WayOut,
        begins: bool,
        work: &mut Work<'_, '_>,
    ) -> Result<(), Failure> {
        let facts = work.facts;
        if facts.ports_left == 0 {
            return Err(Failure::of(EndReason::NodeLimit, None, facts));
        }
        let party = self.party(facts);
        let mut reason = EndReason::Unreachable;
        while let Some(trunk) = way.trunks.pop() {
            let plan = facts.snapshot.routing.trunks.get(&trunk);
            let Some(plan) = plan.filter(|plan| plan.trunk.enabled) else { continue };
            if !way.emergency && is_full(trunk, plan, work) {
                reason = EndReason::OutsideLimit;
                continue;
            }
            let leg = work.actions.fresh_leg();
            let number = rewritten(&way.number, &plan.rewrite_out);
            work.actions.push(Action::Dial {
                leg,
                branch: way.branch,
                target: Target::Trunk { trunk, number },
                peer: None,
                identity: party.map_or_else(Identity::anonymous, |p| shown(way, plan, p, facts)),
                codecs: codecs_from(self.caller_leg(facts).or_else(|| self.purpose.partner(facts))),
                max_forwards: self.max_forwards,
                outside: Some(step::Outside {
                    line: Line { trunk, by: way.by.filter(|_| !way.emergency) },
                    begins,
                    diversion: party.and_then(|p| diversion(way, plan, p)),
                }),
            });
            way.leg = leg;
            return Ok(());
        }
        Err(Failure::of(reason, None, facts))
    }

    /// The leg by one trunk has failed: the next is tried if the trunk did not take the call, and
    /// for a call for help whatever the trunk has said.
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
        let mut way = (**way).clone();
        let goes_on = reason == EndReason::Unreachable || way.emergency;
        if goes_on && self.dial_trunk(&mut way, false, work).is_ok() {
            if let Some(Kind::Outside(old)) = self.nodes.get_mut(node).map(|n| &mut n.kind) {
                **old = way;
            }
            return After::Seeking;
        }
        self.fail(node, Failure::of(reason, status, work.facts), work)
    }

    /// Why an extension on the way to a node does not take the call itself.
    pub(super) fn diversion_reason(&self, node: NodeId) -> DiversionReason {
        let last = self.way_up(node).find_map(|(_, node)| match &node.kind {
            Kind::Visit(visit) => Some(visit.last),
            Kind::Group(_) | Kind::Forward(_) | Kind::Outside(_) | Kind::Machine(_) => None,
        });
        match last.flatten() {
            None => DiversionReason::Unconditional,
            Some((EndReason::Busy | EndReason::ExtensionLimit, _)) => DiversionReason::Busy,
            Some((EndReason::Unreachable, _)) => DiversionReason::Unavailable,
            Some(_) => DiversionReason::NoAnswer,
        }
    }
}

/// Whether a call to the outside may be: what a stolen password can do ends here.
fn may_begin(way: &WayOut, work: &Work<'_, '_>) -> Result<(), EndReason> {
    if way.emergency {
        return Ok(());
    }
    let settings = &work.facts.snapshot.routing.settings;
    if !route::is_allowed(settings, way.number.as_str()) {
        return Err(EndReason::OutsideNotAllowed);
    }
    let Some(by) = way.by else { return Ok(()) };
    // Those of this very step are in no table yet.
    let begun = || lines(work).filter(|line| line.by.is_some());
    let fresh = (begun().filter(|line| line.by == Some(by)).count(), begun().count());
    let outside = &work.facts.tables.outside;
    outside.may_begin(work.facts.now.mono, by, fresh, &settings.outside_limits)
}

/// The lines that this step has taken.
fn lines(work: &Work<'_, '_>) -> impl Iterator<Item = Line> {
    work.actions.list.iter().filter_map(|action| match action {
        Action::Dial { outside, .. } => outside.as_ref().map(|outside| outside.line),
        _ => None,
    })
}

/// Whether a trunk has no channel left.
fn is_full(trunk: TrunkId, plan: &TrunkUse, work: &Work<'_, '_>) -> bool {
    let fresh = lines(work).filter(|line| line.trunk == trunk).count();
    let taken = u64::from(work.facts.tables.outside.channels(trunk));
    let taken = taken.saturating_add(u64::try_from(fresh).unwrap_or(u64::MAX));
    plan.channels.is_some_and(|channels| taken >= u64::from(channels))
}

/// Who is shown to a trunk.
fn shown(way: &WayOut, plan: &TrunkUse, party: &Party, facts: &Facts<'_>) -> Identity {
    let (caller, snapshot) = (&party.identity, facts.snapshot);
    let extension = |id: Option<ExtensionId>| snapshot.extension(id?).map(|e| &**e);
    let calling = match (&party.came_by, extension(party.extension)) {
        (None, Some(extension)) => Calling::Extension(extension),
        (came_by, _) => Calling::Outside {
            number: caller.number.as_ref(),
            country: country_of(party, facts),
            did: came_by.as_ref().map(|came| &came.digits),
            by: extension(way.by),
        },
    };
    let shown = route::shown_outside(snapshot, plan, calling);
    Identity {
        number: shown.number,
        name: if shown.is_callers { caller.name.clone() } else { DisplayName::default() },
        private: shown.is_callers && caller.private,
        asserted: None,
        diverted_by: caller.diverted_by.clone(),
    }
}

/// Which number of ours has forwarded a call of the outside to the outside.
fn diversion(way: &WayOut, plan: &TrunkUse, party: &Party) -> Option<Diversion> {
    let digits: &Number = &party.came_by.as_ref()?.digits;
    Some(Diversion { by: rewritten(digits, &plan.rewrite_out), reason: way.diverted? })
}
