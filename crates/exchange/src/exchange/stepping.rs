//! One input to one step, and everything that follows from it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use leg::{LegEvent, LegId, MediaCommand, Refusal};
use model::{CallId, EndReason, Now, Snapshot};

use super::Exchange;
use crate::apply::{Bench, Gift, drop_timers};
use crate::audio;
use crate::call::{Call, LegState, StepId};
use crate::interface::{Effect, Facilities};
use crate::ports::PortSlice;
use crate::step::{Accepted, Action, Actions, Facts, Given, Next, Step, StepInput};

impl Exchange {
    /// Takes a call out, lets one of its steps handle one input, and puts it back. What the step
    /// says to an order comes back.
    ///
    /// `pick` notes facts in the call and says which step gets which input.
    pub(super) fn with_call<'i>(
        &mut self,
        now: Now,
        id: CallId,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
        pick: impl FnOnce(&mut Call) -> Option<(StepId, StepInput<'i>)>,
    ) -> Option<Result<Accepted, Refusal>> {
        let mut call = self.calls.remove(&id)?;
        let start = effects.len();
        let Some((step, input)) = pick(&mut call).filter(|(s, _)| call.steps.get(*s).is_some())
        else {
            self.calls.insert(id, call);
            return None;
        };
        match self.step(now, &mut call, step, &input, facilities, effects) {
            Ok(answer) => {
                self.settle(now, call, start, facilities, effects);
                answer
            }
            Err(Panicked) => {
                self.crashed(now, call, facilities, effects);
                None
            }
        }
    }

    /// One step handles one input, and what it wants is applied.
    pub(super) fn step(
        &mut self,
        now: Now,
        call: &mut Call,
        id: StepId,
        input: &StepInput<'_>,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Result<Accepted, Refusal>>, Panicked> {
        let Some(step) = call.steps.remove(id) else { return Ok(None) };
        let mut actions = self.fresh_actions(id);
        let faulty = self.takes_fault(&step);
        let facts = self.facts(now, call, facilities.ports);
        let next = catch_unwind(AssertUnwindSafe(|| {
            assert!(!faulty, "injected fault");
            step.handle(input, &facts, &mut actions)
        }));
        let next = next.map_err(|_| Panicked)?;
        self.numbers = actions.numbers;
        match next {
            Next::Stay(step) => {
                call.steps.insert(id, step);
            }
            Next::Become(step) => {
                drop_timers(&mut self.tables, call, |s, _| s == id);
                if !step.can_be_picked_up() {
                    let rung = rung_for(call, id).map(|(step, leg)| Gift {
                        call: call.id,
                        told: Some((step, leg, Given::TakenElsewhere)),
                    });
                    self.gifts.extend(rung);
                }
                call.steps.insert(id, step);
                call.unsaved = true;
            }
            Next::Done => {
                drop_timers(&mut self.tables, call, |s, _| s == id);
                self.news.extend(rung_for(call, id));
                // It may have been all that something was kept for.
                call.thinned.get_or_insert(EndReason::Internal);
            }
        }
        if let StepInput::Leg(leg, LegEvent::Ended { .. }) = input {
            // Whatever the step wanted of it, nothing more can be done with it.
            if let Some(leg) = call.legs.get_mut(*leg) {
                leg.state = LegState::Over;
            }
        }
        let answer = actions.answer;
        self.apply(now, call, id, actions.list, facilities, effects);
        Ok(answer)
    }

    /// Applies what a step wants.
    pub(super) fn apply(
        &mut self,
        now: Now,
        call: &mut Call,
        mut step: StepId,
        mut list: Vec<Action>,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let snapshot = Arc::clone(&self.snapshot);
        let mut bench = self.bench(now, &snapshot, facilities, effects);
        for action in list.drain(..) {
            if let Action::As(other) = action {
                step = other;
            }
            bench.apply(call, step, action);
        }
        self.actions = list;
        // A step that was over before it had begun has no use for what it had set.
        let is_there = |call: &Call, step: StepId| call.steps.get(step).is_some();
        while let Some((_, of, _)) = call.timers.iter().find(|t| !is_there(call, t.1)).copied() {
            drop_timers(&mut self.tables, call, |s, _| s == of);
        }
    }

    /// Tells the other steps what concerns them, removes what is over, declares audio anew, puts
    /// the call back. `start`: where the effects of this input begin.
    pub(super) fn settle(
        &mut self,
        now: Now,
        mut call: Box<Call>,
        start: usize,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        loop {
            self.remove_ended_legs(now, &mut call, facilities.ports);
            let told = if let Some(gift) = self.gifts.pop_front() {
                call = self.absorb(call, gift.call, facilities.ports, effects);
                let Some((step, leg, given)) = gift.told else { continue };
                (step, StepInput::Given { leg, given })
            } else if let Some((step, leg)) = self.news.pop_front() {
                (step, StepInput::Gone(leg))
            } else {
                break;
            };
            let (step, input) = told;
            if self.step(now, &mut call, step, &input, facilities, effects).is_err() {
                self.crashed(now, call, facilities, effects);
                return;
            }
        }
        if let Some(reason) = call.thinned.take() {
            self.end_orphans(now, &mut call, reason, facilities, effects);
        }
        if call.unsaved && self.record(now, &mut call, facilities, effects).is_err() {
            self.crashed(now, call, facilities, effects);
            return;
        }
        call.views = None;
        self.stir_lamps(&call);
        if call.steps.is_empty() {
            self.close(now, call, start, facilities, effects);
            return;
        }
        let desired = audio::desired(&call, &self.snapshot);
        let is_news = match &call.audio {
            Some(last) => !audio::is_same(last, &desired),
            None => !desired.legs.is_empty(),
        };
        if is_news {
            call.audio_revision = desired.revision;
            call.audio = Some(Box::new(desired.clone()));
            // Audio is queued before the SIP that announces it.
            effects.insert(start, Effect::Media(MediaCommand::Audio(desired)));
        }
        if call.unsaved && self.unsaved.last() != Some(&call.id) {
            self.unsaved.push(call.id);
        }
        self.calls.insert(call.id, call);
    }

    /// Something has happened in a call that who watches its extensions may be shown.
    fn stir_lamps(&mut self, call: &Call) {
        if self.tables.lamps.is_dark() {
            return;
        }
        for extension in call.branches.values().filter_map(|b| b.extension) {
            self.tables.lamps.stir(extension);
        }
        for step in call.steps.values() {
            if let Step::Parked(parked) = step {
                self.tables.lamps.stir_slot(parked.slot);
            }
        }
    }

    pub(super) fn facts<'a>(&'a self, now: Now, call: &'a Call, ports: &PortSlice) -> Facts<'a> {
        let (snapshot, tables) = (&self.snapshot, &self.tables);
        let calls = &self.calls;
        Facts { now, call, calls, snapshot, tables, ports_left: ports.left(now.mono) }
    }

    pub(super) fn fresh_actions(&mut self, acting: StepId) -> Actions {
        let list = core::mem::take(&mut self.actions);
        Actions { list, numbers: self.numbers, acting, answer: None }
    }

    pub(super) fn bench<'a, 'f>(
        &'a mut self,
        now: Now,
        snapshot: &'a Snapshot,
        facilities: &'a mut Facilities<'f>,
        effects: &'a mut Vec<Effect>,
    ) -> Bench<'a, 'f> {
        let (tables, stillborn, gifts) = (&mut self.tables, &mut self.stillborn, &mut self.gifts);
        Bench { node: self.node, now, snapshot, tables, facilities, effects, stillborn, gifts }
    }

    #[cfg(feature = "faults")]
    fn takes_fault(&mut self, step: &Step) -> bool {
        let hit = self.fault == Some(step.kind());
        if hit {
            self.fault = None;
        }
        hit
    }

    #[cfg(not(feature = "faults"))]
    #[allow(clippy::unused_self)] // The other one needs it.
    fn takes_fault(&mut self, _: &Step) -> bool {
        false
    }
}

/// The steps that ring somebody who would take whoever waits in this one, and that one's leg.
fn rung_for(call: &Call, waits: StepId) -> impl Iterator<Item = (StepId, LegId)> {
    call.steps.iter().filter_map(move |(step, of)| match of {
        Step::Seeking(seeking) => {
            let (at, leg) = seeking.purpose.waits()?;
            (at == waits).then_some((step, leg))
        }
        _ => None,
    })
}

/// A defect of a step.
pub(super) struct Panicked;
