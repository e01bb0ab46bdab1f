//! The ends of legs and calls, the good and the bad ones.

use std::sync::Arc;

use leg::{Audio, LegCommand, MediaCommand, Record};
use model::{CallId, EndReason, Now};

use super::Exchange;
use crate::apply::drop_timers;
use crate::call::{BranchId, Call, LegState, StepId};
use crate::interface::{Effect, Facilities};
use crate::ports::PortSlice;
use crate::records;
use crate::small_map::SmallMap;
use crate::step::StepInput;

impl Exchange {
    pub(super) fn end_call(
        &mut self,
        now: Now,
        id: CallId,
        reason: EndReason,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        // Each step ends what it owns; the call is gone with its last step. One that waits for a
        // recording waits on.
        let steps = self.calls.get(&id).map(|call| &call.steps);
        let mut steps: Vec<(bool, StepId)> = steps
            .into_iter()
            .flat_map(|steps| steps.iter().map(|(id, step)| (!step.is_about_another(), id)))
            .collect();
        // What is about somebody else's leg first: it ends for this reason, not with that one.
        steps.sort_unstable();
        for (_, step) in steps {
            self.with_call(now, id, facilities, effects, |_| {
                Some((step, StepInput::EndAll(reason)))
            });
        }
    }

    /// What is over leaves the call; the steps that follow it are to be told.
    pub(super) fn remove_ended_legs(&mut self, now: Now, call: &mut Call, ports: &mut PortSlice) {
        let first_over = |call: &Call| {
            call.legs.values().find(|l| l.state == LegState::Over).map(|l| (l.id, l.port))
        };
        while let Some(over) = first_over(call) {
            let gone = call.legs.remove(over.0);
            self.tables.outside.leave(now.mono, gone.and_then(|leg| leg.line));
            call.unsaved = true;
            call.thinned.get_or_insert(EndReason::Internal);
            self.tables.legs.remove(&over.0);
            ports.free(now.mono, over.1);
            let followers = call.steps.iter().filter(|(_, step)| step.follows(over.0));
            self.news.extend(followers.map(|(step, _)| (step, over.0)));
        }
    }

    /// The call is over: nothing of it stays in the tables.
    pub(super) fn close(
        &mut self,
        now: Now,
        mut call: Box<Call>,
        start: usize,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        debug_assert!(call.legs.is_empty(), "a step that is done has ended its legs");
        debug_assert!(call.branches.is_empty(), "a step that is done has let its branches leave");
        self.end_rest(now, &mut call, EndReason::Internal, facilities, effects);
        if call.audio.as_ref().is_some_and(|a| !a.legs.is_empty()) {
            let (legs, hears) = Default::default();
            let silence = Audio::of(call.id, call.audio_revision + 1, legs, hears);
            effects.insert(start, Effect::Media(MediaCommand::Audio(silence)));
        }
        self.forget(now, &call, facilities.ports);
        for of in call.conversations.values_mut() {
            if let Some(trace) = records::trace(of, &self.snapshot) {
                effects.push(Effect::Record(Record::Trace(Box::new(trace))));
            }
        }
        if call.saved {
            let (tenant, call) = (self.tenant(), call.id);
            effects.push(Effect::Record(Record::CallGone { tenant, call }));
        }
    }

    /// Ends whatever legs and branches a call still has.
    pub(super) fn end_rest(
        &mut self,
        now: Now,
        call: &mut Call,
        reason: EndReason,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let snapshot = Arc::clone(&self.snapshot);
        for leg in call.legs.values().filter(|l| l.state != LegState::Over) {
            let command = LegCommand::End { reason, retry_after_s: None };
            effects.push(Effect::Leg { leg: leg.id, command });
        }
        let branches: Vec<BranchId> = call.branches.keys().collect();
        for branch in branches {
            self.bench(now, &snapshot, facilities, effects).leave(call, branch, reason, None);
        }
    }

    /// A defect: the call is ended, everything else goes on.
    pub(super) fn crashed(
        &mut self,
        now: Now,
        mut call: Box<Call>,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        self.panics += 1;
        self.gifts.clear();
        self.news.clear();
        let start = effects.len();
        self.end_rest(now, &mut call, EndReason::Internal, facilities, effects);
        for leg in call.legs.values() {
            self.tables.legs.remove(&leg.id);
            self.tables.outside.leave(now.mono, leg.line);
        }
        // What the step had taken but not yet said is found by the owner.
        facilities.ports.forget(now.mono, (self.tenant(), call.id));
        call.legs = SmallMap::default();
        call.steps = SmallMap::default();
        drop_timers(&mut self.tables, &mut call, |_, _| true);
        self.close(now, call, start, facilities, effects);
    }

    pub(super) fn forget(&mut self, now: Now, call: &Call, ports: &mut PortSlice) {
        for leg in call.legs.values() {
            self.tables.legs.remove(&leg.id);
            self.tables.outside.leave(now.mono, leg.line);
            ports.free(now.mono, leg.port);
        }
        for (at, step, timer) in &call.timers {
            self.tables.timers.remove(&(*at, call.id, *step, *timer));
        }
        for of in call.conversations.values() {
            self.tables.uuids.remove(&of.api_id.uuid);
        }
        for slot in self.tables.slots.forget(call.id) {
            self.tables.lamps.stir_slot(slot);
        }
        self.tables.calls -= 1;
    }
}
