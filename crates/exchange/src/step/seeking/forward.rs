//! A forward: the numbers of a rule are rung, at once or one after the other.

use leg::CallFlow;
use model::limits::{CALL_BRANCHES_MAX, HOPS_MAX};
use model::{
    EndReason, Extension, ExtensionId, ExtensionKind, IncomingRule, Line, Outcome, Service, Skipped,
};
use route::{Lead, Own, Report};

use super::node::{Failure, Forward, ForwardTarget, Kind, NodeId, TargetState, Wait};
use super::{After, Seeking, Work};
use crate::call::LegState;
use crate::step::{Action, Timer};

impl Seeking {
    /// Begins to ring the numbers of a rule. `true`: all have failed at once, which was reported
    /// to the rules, and nothing is left of it.
    pub(super) fn begin_forward(
        &mut self,
        visit: NodeId,
        rule: &IncomingRule,
        work: &mut Work<'_, '_>,
    ) -> bool {
        let targets = rule.targets().into_iter().map(|(after, number)| ForwardTarget {
            number: number.clone(),
            is_own: false,
            after,
            state: TargetState::Waiting,
        });
        let forward = Forward {
            targets: targets.collect(),
            runs_rules: rule.kind.runs_rules_of_targets(),
            ignore_early_media: rule.ignore_early_media,
            own: None,
            was_busy: false,
            began: work.facts.now.mono,
            screens: rule.enable_call_screening && rule.kind.can_screen(),
            lets_transfer: rule.allow_public_transfer,
            is_closed: false,
        };
        let node = self.add(Some(visit), Kind::Forward(Box::new(forward)));
        let timer = Timer::Node(node, Wait::Forward);
        work.actions.push(Action::Timer { timer, after: rule.transfer_timeout() });
        let Some(failure) = self.start_due(node, work) else { return false };
        let report = self.result(node, &failure);
        self.remove(node, failure.reason, failure.status, work);
        self.report(visit, report, Some(&failure), work);
        true
    }

    /// Starts every number whose time has come, and the next one early when nothing is tried.
    /// `Some`: all have failed.
    pub(super) fn start_due(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> Option<Failure> {
        loop {
            let Some(Kind::Forward(forward)) = self.nodes.get(node).map(|n| &n.kind) else {
                return None;
            };
            let passed = work.facts.now.mono.since(forward.began);
            let is_idle = !self.may_answer(forward);
            let waiting = forward
                .targets
                .iter()
                .enumerate()
                .filter(|(_, t)| t.state == TargetState::Waiting)
                .min_by_key(|(_, t)| t.after);
            let Some((at, target)) = waiting else {
                // A machine that is ready is taken when nobody else is left in the whole call.
                let is_tried = forward.targets.iter().any(|t| t.state.is_active());
                return (!is_tried).then(|| forward.failure(work));
            };
            // No dead air: when everything that was started has failed, the next starts at once.
            if target.after > passed && !is_idle {
                let after = target.after.saturating_sub(passed);
                let timer = Timer::Node(node, Wait::Join);
                work.actions.push(Action::Timer { timer, after });
                return None;
            }
            self.start(node, at, work);
        }
    }

    /// Starts one number.
    fn start(&mut self, node: NodeId, at: usize, work: &mut Work<'_, '_>) {
        let Some(Kind::Forward(forward)) = self.nodes.get(node).map(|n| &n.kind) else { return };
        let runs_rules = forward.runs_rules;
        let Some(number) = forward.targets.get(at).map(|t| t.number.clone()) else { return };
        // While it is started it counts as failed, which it is if it does not last.
        self.set(node, at, TargetState::Failed);
        let next = NodeId(self.next_node);
        let mark = work.actions.list.len();
        let place = self.place(node);
        let own = place.and_then(|(_, id)| work.facts.snapshot.extension(id));
        let own = own.map(|e| &**e);
        let failed = match route::lead(work.facts.snapshot, own, number.as_str()) {
            Err(why) => Err(why),
            Ok(Lead::Room(of)) => {
                self.begin_room(node, of);
                Ok(None)
            }
            Ok(Lead::Slot(wanted)) => self.begin_slot(node, wanted, work.facts).map(|()| None),
            Ok(Lead::Extension(target)) => {
                self.set_own(node, at, own.is_some_and(|own| own.id == target.id));
                self.begin_target(node, &target, own, runs_rules, work)
            }
            Ok(_) if self.has_no_room(work) => Err(Skipped::TooMany),
            Ok(Lead::Outside(outside) | Lead::Barred(outside)) => {
                let by = place.map(|(_, id)| (id, self.diversion_reason(node)));
                Ok(self.begin_outside(Some(node), by, &outside, work))
            }
        };
        match failed {
            Ok(None) => {
                self.set(node, at, TargetState::Active(next));
                self.trace_at(mark, node, Line::NumberRings { number }, work);
            }
            Ok(Some(failure)) => {
                self.note(node, at, &failure);
                self.trace_failed(mark, node, number, &failure, work);
            }
            Err(reason) => self.trace(node, Line::NumberSkipped { number, reason }, work),
        }
    }

    /// Begins with an extension: its own devices, another's rules, or another's devices.
    pub(super) fn begin_target(
        &mut self,
        node: NodeId,
        target: &Extension,
        own: Option<&Extension>,
        runs_rules: bool,
        work: &mut Work<'_, '_>,
    ) -> Result<Option<Failure>, Skipped> {
        match target.kind {
            ExtensionKind::Phone => {}
            ExtensionKind::Service(Service::Echo) if self.has_no_room(work) => {
                return Err(Skipped::TooMany);
            }
            ExtensionKind::Service(Service::Echo) => {
                self.begin_service(node, target.id);
                return Ok(None);
            }
            // Nothing enters a queue or a menu yet.
            ExtensionKind::Queue | ExtensionKind::Ivr => return Err(Skipped::NotServed),
        }
        if own.is_some_and(|own| own.id == target.id) {
            return Ok(self.ring_own_in_forward(node, work));
        }
        if self.has_no_room(work) {
            return Err(Skipped::TooMany);
        }
        if !runs_rules {
            return Ok(self.ring_devices_of(node, target, work));
        }
        if self.path(node).any(|extension| extension == target.id) {
            return Err(Skipped::Loop);
        }
        if self.path(node).count() >= HOPS_MAX {
            return Err(Skipped::TooDeep);
        }
        Ok(self.begin_visit(Some(node), target.id, work))
    }

    /// The extensions whose rules have led to a node; who has sent the caller on is the first.
    pub(super) fn path(&self, node: NodeId) -> impl Iterator<Item = ExtensionId> {
        let visits = self.way_up(node).filter_map(|(_, n)| match &n.kind {
            Kind::Visit(visit) => Some(visit.extension),
            _ => None,
        });
        visits.chain(self.sent_by())
    }

    /// The extension's own number in one of its rules: its devices, without its rules, for as long
    /// as the rule tries.
    fn ring_own_in_forward(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> Option<Failure> {
        let (visit, _) = self.place(node)?;
        let Some(Kind::Visit(visit)) = self.nodes.get(visit).map(|n| &n.kind) else { return None };
        let (extension, branch) = (visit.extension, visit.branch);
        if visit.is_full {
            return Some(Failure::of(EndReason::ExtensionLimit, None, work.facts));
        }
        self.begin_group(Some(node), extension, branch, false, None, work).err()
    }

    /// The devices of another extension, without its rules.
    fn ring_devices_of(
        &mut self,
        node: NodeId,
        target: &Extension,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        let incoming = work.incoming(target.id);
        let branch = work.actions.fresh_branch();
        work.actions.push(Action::Join {
            branch,
            conversation: self.conversation,
            party: self.party.clone(),
            extension: Some(target.id),
            flow: CallFlow::In,
            forwards_to: None,
        });
        let limit = target.phone.as_ref().and_then(|p| p.incoming_limit);
        if limit.is_some_and(|max| incoming >= max) {
            let reason = EndReason::ExtensionLimit;
            work.actions.push(Action::Leave { branch, reason, status: None });
            return Some(Failure::of(reason, None, work.facts));
        }
        self.begin_group(Some(node), target.id, branch, true, None, work).err()
    }

    pub(super) fn has_no_room(&self, work: &Work<'_, '_>) -> bool {
        let opened = |a: &Action| matches!(a, Action::Join { .. });
        let fresh = work.actions.list.iter().filter(|a| opened(a)).count();
        work.facts.call.branches.len() + fresh >= CALL_BRANCHES_MAX
    }

    fn set(&mut self, node: NodeId, at: usize, state: TargetState) {
        if let Some(Kind::Forward(forward)) = self.nodes.get_mut(node).map(|n| &mut n.kind)
            && let Some(target) = forward.targets.get_mut(at)
        {
            target.state = state;
        }
    }

    fn set_own(&mut self, node: NodeId, at: usize, is_own: bool) {
        if let Some(Kind::Forward(forward)) = self.nodes.get_mut(node).map(|n| &mut n.kind)
            && let Some(target) = forward.targets.get_mut(at)
        {
            target.is_own = is_own;
        }
    }

    /// Notes what came of one number.
    fn note(&mut self, node: NodeId, at: usize, failure: &Failure) {
        if let Some(Kind::Forward(forward)) = self.nodes.get_mut(node).map(|n| &mut n.kind) {
            forward.was_busy |= failure.outcome == Outcome::Busy;
            if forward.targets.get(at).is_some_and(|target| target.is_own) {
                let unreachable = failure.is_unreachable();
                forward.own = Some(Own { outcome: failure.outcome, unreachable });
            }
        }
    }

    /// One number has failed: the others go on, the next may start. `Some`: it was the last.
    pub(super) fn target_failed(
        &mut self,
        node: NodeId,
        child: NodeId,
        failure: &Failure,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        let Some(Kind::Forward(forward)) = self.nodes.get(node).map(|n| &n.kind) else {
            return None;
        };
        let at = forward.targets.iter().position(|t| t.state == TargetState::Active(child))?;
        let number = forward.targets.get(at)?.number.clone();
        self.set(node, at, TargetState::Failed);
        self.note(node, at, failure);
        self.trace(node, Line::NumberFailed { number, result: failure.outcome }, work);
        self.start_due(node, work)
    }

    /// The time of the next number of a cascade has come.
    pub(super) fn join_next(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        match self.start_due(node, work) {
            Some(failure) => self.fail(node, failure, work),
            None => After::Seeking,
        }
    }

    /// The rule's time is over: whoever still rings does not answer. Who has answered and is asked
    /// to take the call may still do so, and a machine that is ready may be taken.
    pub(super) fn tried_enough(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        self.note_own_rang_out(node, work);
        if self.close(node, work) {
            return After::Seeking;
        }
        self.fail(node, Failure::of(EndReason::NoAnswer, None, work.facts), work)
    }

    /// An own device that has responded is there; one that has not said a word by now is not.
    fn note_own_rang_out(&mut self, node: NodeId, work: &mut Work<'_, '_>) {
        let own = self.nodes.iter().find_map(|(id, n)| match &n.kind {
            Kind::Group(group) if n.parent == Some(node) && group.branch.is_none() => {
                Some((id, group.legs.clone()))
            }
            _ => None,
        });
        let Some((group, legs)) = own else { return };
        let state = |leg| work.facts.leg(leg).map(|l| l.state);
        let unreachable = !legs.is_empty()
            && legs.iter().all(|l| state(*l) == Some(LegState::Dialling))
            && work.facts.now.mono.since(self.began(node)) >= crate::limits::NO_RESPONSE;
        let failure = Failure::of(EndReason::NoAnswer, None, work.facts);
        let Some(Kind::Forward(forward)) = self.nodes.get(node).map(|n| &n.kind) else { return };
        let is_it = |t: &ForwardTarget| t.state == TargetState::Active(group);
        let Some(at) = forward.targets.iter().position(is_it) else { return };
        self.note(node, at, &failure);
        if let Some(Kind::Forward(forward)) = self.nodes.get_mut(node).map(|n| &mut n.kind)
            && let Some(own) = &mut forward.own
        {
            own.unreachable = unreachable;
        }
    }

    /// Ends what rings below a forward and lets nothing more begin there. `false`: nothing is left
    /// that could take the call, and it has failed.
    fn close(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> bool {
        let Some(Kind::Forward(forward)) = self.nodes.get_mut(node).map(|n| &mut n.kind) else {
            return false;
        };
        forward.is_closed = true;
        let mut rang = false;
        let mut active = Vec::new();
        for (at, target) in forward.targets.iter_mut().enumerate() {
            match target.state {
                TargetState::Waiting => target.state = TargetState::Failed,
                TargetState::Active(child) => active.push((at, child, target.number.clone())),
                TargetState::Failed => {}
            }
        }
        let mut is_left = false;
        for (at, child, number) in active {
            if self.prune(child, work) {
                is_left = true;
                continue;
            }
            rang = true;
            self.set(node, at, TargetState::Failed);
            self.remove(child, EndReason::NoAnswer, None, work);
            let result = Outcome::NoAnswer;
            self.trace(node, Line::NumberFailed { number, result }, work);
        }
        // One rang to the end: what others said does not count.
        if rang && let Some(Kind::Forward(forward)) = self.nodes.get_mut(node).map(|n| &mut n.kind)
        {
            forward.was_busy = false;
        }
        let timers = [Wait::Join, Wait::Forward].map(|wait| Timer::Node(node, wait));
        if is_left {
            timers.into_iter().for_each(|timer| work.actions.push(Action::DropTimer(timer)));
        }
        is_left
    }

    /// Ends what rings below a node; `true`: somebody there is asked to take the call, or a machine
    /// is ready.
    pub(super) fn prune(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> bool {
        match self.nodes.get(node).map(|n| &n.kind) {
            Some(Kind::Group(_)) => match self.below(node) {
                Some(child) => self.prune(child, work),
                None => self.stop_ringing(node, work),
            },
            Some(Kind::Outside(way)) => self.screens.get(way.leg).is_some(),
            Some(Kind::Machine(_)) => true,
            Some(Kind::Forward(_)) => self.close(node, work),
            Some(Kind::Visit(_)) => {
                let below = self.below(node);
                below.is_some_and(|child| self.prune(child, work))
            }
            None => false,
        }
    }

    fn began(&self, node: NodeId) -> model::Mono {
        match self.nodes.get(node).map(|n| &n.kind) {
            Some(Kind::Forward(forward)) => forward.began,
            _ => model::Mono::default(),
        }
    }

    /// What something that has failed tells the rules above it.
    pub(super) fn result(&self, node: NodeId, failure: &Failure) -> Report {
        match self.nodes.get(node).map(|n| &n.kind) {
            Some(Kind::Forward(forward)) => {
                Report { outcome: Some(failure.outcome), own: forward.own }
            }
            _ => Report::rang(failure.outcome, failure.is_unreachable()),
        }
    }
}

impl TargetState {
    pub(super) fn is_active(self) -> bool {
        matches!(self, TargetState::Active(_))
    }
}

impl Forward {
    /// Of several: busy if one was busy and none is still ringing.
    fn failure(&self, work: &Work<'_, '_>) -> Failure {
        let reason = if self.was_busy { EndReason::Busy } else { EndReason::NoAnswer };
        Failure::of(reason, None, work.facts)
    }
}
