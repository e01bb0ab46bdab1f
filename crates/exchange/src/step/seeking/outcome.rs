//! How a search ends other than by failing.

use leg::LegId;
use model::{EndReason, ExtensionId, Line};

use super::node::{Kind, Node, NodeId};
use super::{ROOT, Seeking, Work};
use crate::display;
use crate::place::Place;
use crate::session;
use crate::step::consulting::Consultation;
use crate::step::talking::Talking;
use crate::step::voicemail::Voicemail;
use crate::step::{Action, Actions, Facts, Next, Step, sending};

impl Seeking {
    /// A leg has answered, and has taken the call where it was asked to.
    pub(super) fn connect(mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let mut work = Work { facts, actions };
        let Some(winner) = self.owner(leg) else { return Next::Stay(Step::Seeking(self)) };
        self.leave_only(winner, Some(leg), &mut work);
        if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
            work.actions.push(Action::Connect { branch, says_so: true });
        }
        self.trace(winner, Line::Ended { end: model::End::Answered }, &mut work);
        let Some(caller) = self.caller else { return Next::Stay(Step::Seeking(self)) };
        let shown = self.was_rung_through() && self.sent_by().is_none();
        if shown {
            display::show(caller, leg, facts, actions);
        }
        connect_caller(caller, leg, facts, actions);
        self.transferred(leg, facts, actions);
        let consults = self.consultation().map(|of| Consultation { shown, ..*of });
        let talking = Talking { consults, ..Talking::begin(caller, leg, actions) };
        Next::Become(Step::Talking(talking))
    }

    /// A machine has the call and takes a message.
    pub(super) fn take_message(
        mut self,
        machine: NodeId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut work = Work { facts, actions };
        self.trace(machine, Line::Ended { end: model::End::Answered }, &mut work);
        let visit = self.nodes.get(machine).and_then(|n| n.parent);
        let branch = visit.and_then(|v| self.nodes.get(v)).and_then(Node::branch);
        let (Some(branch), Some(Node { kind: Kind::Machine(machine), .. })) =
            (branch, self.nodes.remove(machine))
        else {
            return Next::Stay(Step::Seeking(self));
        };
        let (greeting, at_most) = (machine.pieces, machine.at_most);
        let Some(caller) = self.caller else { return Next::Done };
        self.sender_is_done(facts, actions);
        if let Some(Kind::Visit(visit)) = visit.and_then(|v| self.nodes.get(v)).map(|n| &n.kind) {
            self.shows_place(Place::At(visit.extension), facts, actions);
        }
        let voicemail = Voicemail::begin(caller, branch, greeting, at_most, actions);
        Next::Become(Step::Voicemail(voicemail))
    }

    /// A service has the call.
    pub(super) fn served_by(
        mut self,
        node: NodeId,
        service: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let line = Line::Ended { end: model::End::Answered };
        self.trace(node, line, &mut Work { facts, actions });
        let Some(caller) = self.caller else { return Next::Done };
        self.sender_is_done(facts, actions);
        self.shows_place(Place::At(service), facts, actions);
        let called = sending::Called { conversation: self.conversation, party: self.party };
        sending::serve(caller, service, called, facts, actions)
    }

    /// Who was sent on is shown where it has come to; who has called knows what it has dialled.
    pub(super) fn shows_place(&self, place: Place, facts: &Facts<'_>, actions: &mut Actions) {
        // Who consults comes back, and is shown nothing but whom it talks with.
        let is_rung_through = || self.was_rung_through() && self.consultation().is_none();
        let is_moved = self.last.is_some() || self.sent_by().is_some() || is_rung_through();
        if let Some(caller) = self.caller.filter(|_| is_moved) {
            display::show_place(caller, place, facts, actions);
        }
    }

    /// Somebody who was not called takes the call.
    pub(super) fn picked_up(
        mut self,
        leg: LegId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut work = Work { facts, actions };
        self.remove(ROOT, EndReason::AnsweredElsewhere, None, &mut work);
        let Some(caller) = self.caller else { return Next::Done };
        if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
            actions.push(Action::Connect { branch, says_so: true });
        }
        display::introduce(caller, leg, facts, actions);
        let codec = facts.leg(caller).and_then(session::codec_towards);
        actions.push(Action::Answer { leg, codec });
        actions.push(Action::Unite { one: caller, other: leg });
        connect_caller(caller, leg, facts, actions);
        self.sender_is_done(facts, actions);
        let consults = self.consultation().map(|of| Consultation { shown: true, ..*of });
        let talking = Talking { consults, ..Talking::begin(caller, leg, actions) };
        Next::Become(Step::Talking(talking))
    }

    /// The caller is out: everything stops ringing.
    pub(super) fn caller_gone(
        mut self,
        reason: EndReason,
        told: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let legs: Vec<LegId> = self.nodes.values().flat_map(|n| n.legs().iter().copied()).collect();
        for leg in legs {
            actions.push(Action::End { leg, reason: told });
        }
        self.remove(ROOT, reason, None, &mut Work { facts, actions });
        self.end_sender(reason, facts, actions);
        self.end_caller(reason, None, facts, actions);
        Next::Done
    }

    pub(super) fn end_caller(
        &self,
        reason: EndReason,
        status: Option<u16>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        let Some(leg) = self.caller else { return };
        actions.push(Action::End { leg, reason });
        if let Some(branch) = self.caller_branch(facts) {
            actions.push(Action::Leave { branch, reason, status });
        }
    }

    /// A node has the call: all others are out, those whose rules led to it stay in the call, but
    /// do not talk in it. `leg`: the one of its legs that has answered.
    pub(super) fn leave_only(
        &mut self,
        winner: NodeId,
        leg: Option<LegId>,
        work: &mut Work<'_, '_>,
    ) {
        let way: Vec<NodeId> = self.way_up(winner).map(|(id, _)| id).collect();
        if let (Some(leg), Some(node)) = (leg, self.nodes.get_mut(winner)) {
            node.keep_only(leg, work.actions);
        }
        let lost: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|(id, n)| !way.contains(id) && n.parent.is_none_or(|p| way.contains(&p)))
            .map(|(id, _)| id)
            .collect();
        for node in lost {
            self.remove(node, EndReason::AnsweredElsewhere, None, work);
        }
        let talks = leg.and_then(|leg| work.facts.leg(leg)).map(|l| l.branch);
        // The last rule on the way has forwarded to whom it reached.
        let rule = way.iter().find_map(|id| match self.nodes.get(*id).map(|n| &n.kind) {
            Some(Kind::Forward(forward)) => Some(forward.lets_transfer),
            _ => None,
        });
        if let (Some(branch), Some(true)) = (talks, rule) {
            work.actions.push(Action::Entitle { branch });
        }
        for id in way.iter().rev() {
            if let Some(branch) = self.nodes.get(*id).and_then(Node::branch)
                && Some(branch) != talks
            {
                work.actions.push(Action::Connect { branch, says_so: false });
                if let Some(to) = talks {
                    work.actions.push(Action::Lead { branch, to });
                }
            }
        }
    }
}

/// Who waited is connected with who has answered.
fn connect_caller(caller: LegId, with: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    if let Some(branch) = facts.leg(caller).map(|l| l.branch) {
        actions.push(Action::Connect { branch, says_so: true });
    }
    let codec = facts.leg(with).and_then(session::codec_towards);
    actions.push(Action::Answer { leg: caller, codec });
}
