//! Two calls become one, and parts that nobody has any more end.

use leg::{Audio, MediaCommand, Record};
use model::{CallId, EndReason, Now};

use super::Exchange;
use crate::call::{BranchId, Call};
use crate::interface::{Effect, Facilities};
use crate::ports::PortSlice;
use crate::records;

impl Exchange {
    /// A call becomes part of another one, in which what it has goes on under the same numbers. It
    /// stays as it is when there is no other, or when that is itself.
    pub(super) fn absorb(
        &mut self,
        call: Box<Call>,
        into: CallId,
        ports: &mut PortSlice,
        effects: &mut Vec<Effect>,
    ) -> Box<Call> {
        if call.id == into {
            return call;
        }
        let Some(mut host) = self.calls.remove(&into) else { return call };
        let (from, tenant) = (call.id, self.tenant());
        let Call { conversations, branches, legs, steps, timers, audio, saved, .. } = *call;
        for (id, leg) in legs {
            self.tables.legs.insert(id, into);
            ports.pass_on(leg.port, (tenant, into));
            host.legs.insert(id, leg);
        }
        for (id, branch) in branches {
            self.tables.move_part(branch.extension, from, into);
            host.branches.insert(id, branch);
        }
        for (id, conversation) in conversations {
            self.tables.uuids.insert(conversation.api_id.uuid, into);
            host.conversations.insert(id, conversation);
        }
        for (id, step) in steps {
            host.steps.insert(id, step);
        }
        for (at, step, timer) in timers {
            self.tables.timers.remove(&(at, from, step, timer));
            self.tables.timers.insert((at, into, step, timer));
            host.timers.push((at, step, timer));
        }
        if let Some(audio) = audio.filter(|a| !a.legs.is_empty()) {
            let (legs, hears) = Default::default();
            let gone = Audio::of(from, audio.revision + 1, legs, hears);
            effects.push(Effect::Media(MediaCommand::Audio(gone)));
        }
        if saved {
            effects.push(Effect::Record(Record::CallGone { tenant, call: from }));
        }
        self.tables.slots.pass_on(from, into);
        self.tables.calls -= 1;
        host.unsaved = true;
        host
    }

    /// Parts without a leg end when nothing is left of their conversation; so do conversations in
    /// which nobody takes part.
    pub(super) fn end_orphans(
        &mut self,
        now: Now,
        call: &mut Call,
        reason: EndReason,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let snapshot = std::sync::Arc::clone(&self.snapshot);
        while let Some(orphan) = orphan(call) {
            self.bench(now, &snapshot, facilities, effects).leave(call, orphan, reason, None);
        }
        let is_over = |call: &Call, id| {
            let root = call.root(id);
            call.branches_under(root).next().is_none() && !call.steps.values().any(|s| s.needs(id))
        };
        let over = |call: &Call| call.conversations.keys().find(|id| is_over(call, *id));
        while let Some(id) = over(call) {
            let Some(mut of) = call.conversations.remove(id) else { return };
            self.tables.uuids.remove(&of.api_id.uuid);
            if let Some(trace) = records::trace(&mut of, &snapshot) {
                effects.push(Effect::Record(Record::Trace(Box::new(trace))));
            }
        }
    }
}

/// A part that has no leg, that no step takes care of, and of which nobody is left: neither whom
/// its rules have led to nor, without such a one, anybody of its conversation.
fn orphan(call: &Call) -> Option<BranchId> {
    let is_orphan = |id: &BranchId| {
        let Some(branch) = call.branches.get(*id) else { return false };
        if call.legs_of(*id).next().is_some() || call.steps.values().any(|s| s.has_branch(*id)) {
            return false;
        }
        if branch.led_to.is_some_and(|to| call.branches.get(to).is_none()) {
            return true;
        }
        let root = call.root(branch.conversation);
        !call.legs.keys().any(|leg| call.root_of_leg(leg) == Some(root))
    };
    call.branches.keys().find(is_orphan)
}
