//! Calls written down, and carried on: after a restart, or elsewhere.

use leg::{LegId, MediaCommand};
use model::{CallId, Now};
use smallvec::SmallVec;

use super::Exchange;
use crate::audio;
use crate::interface::Effect;
use crate::ports::PortSlice;
use crate::saved::{self, Unreadable};
use crate::slots::Slot;
use crate::step::Step;
use crate::step::parked::Parked;

impl Exchange {
    /// Takes the numbers of the calls that must be written down, with their state and legs.
    pub fn take_unsaved(&mut self, now: Now, mut each: impl FnMut(CallId, Vec<u8>, &[LegId])) {
        for id in self.unsaved.drain(..) {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            call.unsaved = false;
            call.saved = true;
            let legs: SmallVec<[LegId; 4]> = call.legs.keys().collect();
            each(id, saved::save(call, now), &legs);
        }
    }

    /// Carries a call on that was written down, under its old number. Its ports must be free.
    pub fn load(
        &mut self,
        now: Now,
        bytes: &[u8],
        ports: &mut PortSlice,
    ) -> Result<CallId, Unreadable> {
        let mut call = saved::load(bytes, now)?;
        let id = call.id;
        if self.calls.contains_key(&id) {
            return Err(Unreadable::Damaged(format!("call {id} is there already")));
        }
        let keys: Vec<LegId> = call.legs.keys().collect();
        let numbers = &mut self.numbers;
        for key in keys {
            let Some(leg) = call.legs.get_mut(key) else { continue };
            self.tables.legs.insert(key, id);
            self.tables.outside.enter(leg.line);
            let owner = (self.snapshot.tenant.id, id);
            if leg.port != 0 && !ports.claim(leg.port, owner) {
                leg.port = 0; // The range was changed: the leg goes on without audio of its own.
            }
            if !key.is_incoming() {
                numbers.leg = numbers.leg.max((key.0 >> 1) + 1);
            }
        }
        for branch in call.branches.values() {
            self.tables.join(branch.extension, id, branch.counts_as());
            numbers.branch = numbers.branch.max(branch.id.0 + 1);
        }
        for (at, step, timer) in &call.timers {
            self.tables.timers.insert((*at, id, *step, *timer));
        }
        for (step, state) in call.steps.iter() {
            numbers.step = numbers.step.max(step.0 + 1);
            if let Some(recorder) = state.recorder() {
                numbers.sound = numbers.sound.max(recorder.0.wrapping_add(1));
            }
            if let Step::Parked(Parked { slot, leg, since, by, .. }) = state
                && let Some(of) = call.root_of_leg(*leg).and_then(|of| call.conversations.get(of))
            {
                let (since, by, conversation) = (*since, *by, of.api_id.uuid);
                let parked = Slot { call: id, step, since, by, conversation };
                self.tables.slots.occupy(*slot, parked);
            }
        }
        for of in call.conversations.values() {
            self.tables.uuids.insert(of.api_id.uuid, id);
            numbers.conversation = numbers.conversation.max(of.id.0 + 1);
        }
        self.tables.calls += 1;
        self.next_call = self.next_call.max(id.0 + 1);
        call.saved = true;
        self.calls.insert(id, Box::new(call));
        Ok(id)
    }

    /// Writes every call down and forgets them all: they go on elsewhere.
    pub fn export(&mut self, now: Now, ports: &mut PortSlice) -> Vec<Vec<u8>> {
        let calls = core::mem::take(&mut self.calls);
        let mut exported = Vec::with_capacity(calls.len());
        for call in calls.into_values() {
            exported.push(saved::save(&call, now));
            for branch in call.branches.values() {
                self.tables.leave(branch.extension, call.id, branch.counts_as());
            }
            self.forget(now, &call, ports);
        }
        exported
    }

    /// Declares the audio of every call anew, since media knows nothing of calls that were loaded.
    pub(super) fn resume(&mut self, effects: &mut Vec<Effect>) {
        for call in self.calls.values_mut().filter(|c| c.audio.is_none()) {
            let desired = audio::desired(call, &self.snapshot);
            call.audio_revision = desired.revision;
            call.audio = Some(Box::new(desired.clone()));
            call.unsaved = true;
            self.unsaved.push(call.id);
            effects.push(Effect::Media(MediaCommand::Audio(desired)));
        }
    }
}
