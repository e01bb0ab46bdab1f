//! A visit: the call is at an extension and its rules run.

use core::time::Duration;

use leg::CallFlow;
use model::{EndReason, ExtensionId, ExtensionKind, IncomingRule, Outcome, RuleKind};
use route::rules;
use route::{Caller, Report};

use super::node::{Failure, Kind, NodeId, Visit};
use super::{Seeking, Work, keep_telling};
use crate::conversation::Party;
use crate::limits;
use crate::step::{Action, Facts};

impl Seeking {
    /// The call reaches an extension. `Some`: nothing came of it, and nothing is left of it.
    pub(super) fn begin_visit(
        &mut self,
        parent: Option<NodeId>,
        extension: ExtensionId,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        let facts = work.facts;
        let incoming = work.incoming(extension);
        let branch = work.actions.fresh_branch();
        work.actions.push(Action::Join {
            branch,
            conversation: self.conversation,
            party: self.party.clone(),
            extension: Some(extension),
            flow: CallFlow::In,
            forwards_to: None,
        });
        let phone = facts.snapshot.extension(extension).and_then(|e| e.phone.as_ref());
        let limit = phone.and_then(|p| p.incoming_limit);
        let visit = Visit {
            rules: facts.snapshot.rules_of(extension),
            is_full: limit.is_some_and(|max| incoming >= max),
            ..Visit::new(extension, branch)
        };
        // Without rules the extension rings no longer than its ring timeout.
        let rings = phone.map_or(0, |p| p.ring_timeout_s());
        let is_long = !visit.rules.0.is_empty() || limits::TELL_AGAIN.as_secs() < rings.into();
        if parent.is_none() && is_long {
            keep_telling(work);
        }
        let node = self.add(parent, Kind::Visit(Box::new(visit)));
        let failure = self.run_rules(node, work)?;
        self.remove(node, failure.reason, failure.status, work);
        Some(failure)
    }

    /// What was tried at an extension has failed: its rules go on.
    pub(super) fn visit_goes_on(
        &mut self,
        node: NodeId,
        report: Report,
        failure: Option<&Failure>,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        self.report(node, report, failure, work);
        self.run_rules(node, work)
    }

    /// Tells the rules of a visit what came of the last step; a sound that was played fails not.
    pub(super) fn report(
        &mut self,
        node: NodeId,
        report: Report,
        failure: Option<&Failure>,
        work: &mut Work<'_, '_>,
    ) {
        self.with_rules(node, work, |visit, facts, lines| {
            visit.last = failure.map(|f| (f.reason, f.status)).or(visit.last);
            visit.registers.report(report, facts, Some(lines));
        });
    }

    /// Takes steps until one lasts. `Some`: the rules have ended without an answer.
    fn run_rules(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> Option<Failure> {
        loop {
            let step = self.with_rules(node, work, |visit, facts, lines| {
                let rules = std::sync::Arc::clone(&visit.rules);
                match rules::next(&rules, facts, &mut visit.registers, Some(lines)) {
                    rules::Next::Ring => Planned::Ring,
                    rules::Next::Fire(rule) => Planned::Fire(Box::new(rule.clone())),
                    rules::Next::Finish(outcome) => Planned::Finish(outcome),
                }
            })?;
            let failed = match step {
                Planned::Ring => self.ring_own(node, work).err(),
                Planned::Fire(rule) => match rule.kind {
                    RuleKind::Busy => {
                        return Some(Failure::of(EndReason::BusyByRule, None, work.facts));
                    }
                    RuleKind::Hangup => {
                        return Some(Failure::of(EndReason::HangupByRule, None, work.facts));
                    }
                    RuleKind::Transfer
                    | RuleKind::SimpleTransfer
                    | RuleKind::Cascade
                    | RuleKind::SimpleCascade => {
                        // What came of it is reported there: the own number may have been in it.
                        if !self.begin_forward(node, &rule, work) {
                            return None;
                        }
                        continue;
                    }
                    RuleKind::Playfile | RuleKind::Voicemail => {
                        if self.begin_machine(node, &rule, work) {
                            return None;
                        }
                        self.report(node, Report::played(), None, work);
                        continue;
                    }
                },
                Planned::Finish(outcome) => return Some(self.finished(node, outcome, work.facts)),
            };
            let failure = failed?;
            let report = Report::rang(failure.outcome, failure.is_unreachable());
            self.report(node, report, Some(&failure), work);
        }
    }

    fn ring_own(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> Result<NodeId, Failure> {
        let Some(Kind::Visit(visit)) = self.nodes.get(node).map(|n| &n.kind) else {
            return Err(Failure::of(EndReason::Internal, None, work.facts));
        };
        let (extension, branch) = (visit.extension, visit.branch);
        if visit.is_full {
            return Err(Failure::of(EndReason::ExtensionLimit, None, work.facts));
        }
        let phone = work.facts.snapshot.extension(extension).and_then(|e| e.phone.as_ref());
        let seconds = visit.rules.ring_timeout_s(phone.and_then(|p| p.ring_timeout_s));
        let ring_for = Some(Duration::from_secs(seconds.into()));
        self.begin_group(Some(node), extension, branch, false, ring_for, work)
    }

    /// The end of the rules: how the last thing ended says why, as far as the caller may hear it.
    fn finished(&self, node: NodeId, outcome: Outcome, facts: &Facts<'_>) -> Failure {
        let Some(Kind::Visit(visit)) = self.nodes.get(node).map(|n| &n.kind) else {
            return Failure::of(EndReason::NoAnswer, None, facts);
        };
        let last = visit.last.map(|(reason, status)| Failure::of(reason, status, facts));
        // With rules the caller gets 486 or 480 and nothing else.
        let plain =
            |f: &Failure| visit.rules.0.is_empty() || matches!(f.reason.sip_status(), 480 | 486);
        match last.filter(|f| f.outcome == outcome && plain(f)) {
            Some(failure) => failure,
            None if outcome == Outcome::Busy => Failure::of(EndReason::Busy, None, facts),
            None => Failure::of(EndReason::NoAnswer, None, facts),
        }
    }

    /// Lets `work` happen on a visit with what rules read; the lines go into the trace.
    fn with_rules<T>(
        &mut self,
        node: NodeId,
        work: &mut Work<'_, '_>,
        with: impl FnOnce(&mut Visit, &route::Facts<'_>, &mut Vec<model::Line>) -> T,
    ) -> Option<T> {
        let facts = work.facts;
        let is_free = matches!(self.nodes.get(node).map(|n| &n.kind),
            Some(Kind::Visit(visit)) if visit.rules.0.is_empty());
        let party = self.party(facts).filter(|_| !is_free);
        let caller = party.map_or_else(Caller::default, |party| caller(party, facts));
        let Some(Kind::Visit(visit)) = self.nodes.get_mut(node).map(|n| &mut n.kind) else {
            return None;
        };
        let extension = facts.snapshot.extension(visit.extension);
        let is_phone = extension.is_none_or(|e| e.kind == ExtensionKind::Phone);
        let of_rules = route::Facts {
            caller: &caller,
            intervals: &facts.snapshot.routing.intervals,
            wall: facts.now.wall,
            registered: !is_phone || facts.tables.devices(visit.extension).next().is_some(),
            voicemail: extension
                .and_then(|e| e.phone.as_ref())
                .is_some_and(|phone| phone.shown.vm_enabled),
        };
        let mut lines = Vec::new();
        let done = with(visit, &of_rules, &mut lines);
        // Without rules there is nothing to explain.
        if !visit.rules.0.is_empty() {
            for line in lines {
                self.trace(node, line, work);
            }
        }
        Some(done)
    }
}

/// What the rules want next.
enum Planned {
    Ring,
    Fire(Box<IncomingRule>),
    Finish(Outcome),
}

/// The caller as rules see it.
fn caller(party: &Party, facts: &Facts<'_>) -> Caller {
    if party.identity.private {
        return Caller::hidden();
    }
    if let Some(extension) = party.extension.and_then(|id| facts.snapshot.extension(id)) {
        let prefix = facts.snapshot.tenant.prefix.as_str();
        return Caller::internal(prefix, extension.name.as_str(), true);
    }
    match &party.identity.number {
        Some(number) => Caller::external(number.as_str(), country_of(party, facts)),
        None => Caller::hidden(),
    }
}

/// The country in whose form a caller's number came.
pub(super) fn country_of(party: &Party, facts: &Facts<'_>) -> Option<route::Country> {
    let routing = &facts.snapshot.routing;
    let trunk = party.came_by.as_ref().and_then(|came| routing.trunks.get(&came.trunk));
    let country = trunk.map_or(&routing.settings.country, |plan| &plan.country);
    route::Country::of(country)
}
