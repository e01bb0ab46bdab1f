//! A new call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use leg::{CallFlow, Incoming, LegEvent, LegId};
use model::{CallApiId, CallId, CallUuid, EndReason, ExtensionId, Now, Number};

use super::Exchange;
use crate::apply::Part;
use crate::call::{BranchId, Call, Leg, LegState, StepId};
use crate::caller::Caller;
use crate::conversation::{Conversation, ConversationId, Party};
use crate::interface::{Effect, Facilities};
use crate::records;
use crate::step::routing::{self, Routed};
use crate::step::{self, Action};

impl Exchange {
    /// A new call: its caller's leg and branch, then whatever routing says.
    pub(super) fn begin_call(
        &mut self,
        now: Now,
        leg: LegId,
        incoming: &Incoming,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let incoming = &*self.served(incoming);
        let id = CallId(self.next_call);
        self.next_call += 1;
        let uuid = CallUuid::new(now.wall, facilities.chance.wide_bits());
        let port = facilities.ports.take(now.mono, (self.tenant(), id));
        let caller = Caller::of(&self.snapshot, incoming);
        let (extension, line) = (caller.party.extension, caller.line());
        let step = StepId(step::next(&mut self.numbers.step));
        let branch = BranchId(step::next(&mut self.numbers.branch));
        let conversation = ConversationId(step::next(&mut self.numbers.conversation));
        let mut call = Box::new(Call::new(id));
        let api_id = CallApiId { node: self.node, uuid };
        let replaced = incoming.replaces.map(|replaced| replaced.leg);
        let replaced = replaced.and_then(|of| self.dialled_by(of, extension?));
        let mut of = Conversation::new(conversation, api_id, now, caller.dialled, caller.party);
        if let Some((dialled, called)) = replaced {
            (of.dialled, of.called_extension) = (dialled, called);
        }
        call.conversations.insert(conversation, of);
        call.legs.insert(
            leg,
            Leg {
                id: leg,
                branch,
                owner: step,
                device: incoming.device,
                // A trunk's audio comes from where it says.
                peer: extension.map(|_| incoming.peer),
                state: LegState::Calling,
                capabilities: incoming.capabilities,
                port: port.unwrap_or(0),
                local: None,
                remote: incoming.offer.clone(),
                offered: None,
                negotiation: 0,
                asked: false,
                held: false,
                line,
            },
        );
        self.tables.outside.enter(line);
        self.tables.calls += 1;
        self.tables.legs.insert(leg, id);
        self.tables.uuids.insert(uuid, id);
        let snapshot = Arc::clone(&self.snapshot);
        let (flow, forwards_to) = (CallFlow::Out, None);
        let part = Part { branch, conversation, party: None, extension, flow, forwards_to };
        self.bench(now, &snapshot, facilities, effects).join(&mut call, part);
        let closed = port.is_none().then_some(EndReason::NodeLimit);
        let start = effects.len();
        let mut actions = self.fresh_actions(step);
        let routed = match closed {
            Some(reason) => Ok(Routed::Refused(reason)),
            None => {
                let facts = self.facts(now, &call, facilities.ports);
                catch_unwind(AssertUnwindSafe(|| {
                    routing::route(leg, incoming, &facts, &mut actions)
                }))
            }
        };
        let Ok(routed) = routed else {
            self.crashed(now, call, facilities, effects);
            return;
        };
        self.numbers = actions.numbers;
        match routed {
            Routed::To(first) => {
                call.steps.insert(step, first);
            }
            Routed::Joins { call: other, as_step } => {
                call.steps.insert(step, as_step);
                actions.push(Action::Merge { call: other });
            }
            Routed::Given { call: other, step, given } => {
                actions.push(Action::Give { leg, call: other, step, given });
            }
            Routed::Refused(reason) => {
                actions.push(Action::End { leg, reason });
                actions.push(Action::Leave { branch, reason, status: None });
            }
            Routed::Over => {}
        }
        self.apply(now, &mut call, step, actions.list, facilities, effects);
        self.settle(now, call, start, facilities, effects);
    }

    /// What was dialled on a leg of an extension that another of its phones takes the place of, and
    /// where that led; on one that was called, whoever has called.
    fn dialled_by(&self, leg: LegId, by: ExtensionId) -> Option<(Number, Option<ExtensionId>)> {
        let call = self.calls.get(self.tables.legs.get(&leg)?)?;
        let facts = call.legs.get(leg).filter(|l| l.state == LegState::Up && l.line.is_none())?;
        let branch = call.branches.get(facts.branch).filter(|b| b.extension == Some(by))?;
        if branch.is_called() {
            let Party { identity, extension, .. } = call.party(branch)?;
            let number = identity.number.clone().filter(|_| !identity.private)?;
            return Some((number, *extension));
        }
        let of = call.conversation_of(branch)?;
        Some((records::dialled(of, branch).clone(), of.called_extension))
    }

    /// Legs that could not be begun have ended before they were anything.
    pub(super) fn bury_stillborn(
        &mut self,
        now: Now,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        while let Some(leg) = self.stillborn.pop() {
            let event =
                LegEvent::Ended { reason: EndReason::NodeLimit, status: None, elsewhere: false };
            self.leg_event(now, leg, event, facilities, effects);
        }
    }
}
