//! [`Exchange`]: the one owner of a tenant's calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use leg::{LegEvent, LegId, MediaEvent, MediaEventKind};
use model::{CallId, Mono, NodeAddress, Now, Snapshot, TenantId};

use crate::apply::Gift;
use crate::call::{Call, StepId};
use crate::check;
use crate::interface::{Effect, Facilities, Input};
use crate::lamps;
use crate::note::note;
use crate::ports::PortSlice;
use crate::step::{Numbers, Step, StepInput};
use crate::tables::Tables;

mod beginning;
mod commands;
mod endings;
mod joining;
mod keeping;
mod pins;
mod recording;
mod replaced;
mod stepping;

/// One tenant's calls.
#[derive(Debug)]
pub struct Exchange {
    node: NodeAddress,
    snapshot: Arc<Snapshot>,
    calls: BTreeMap<CallId, Box<Call>>,
    tables: Tables,
    next_call: u64,
    numbers: Numbers,
    /// Calls with something to write down.
    unsaved: Vec<CallId>,
    /// Calls that a defect has ended.
    panics: u64,
    /// Reused between inputs.
    actions: Vec<crate::step::Action>,
    stillborn: Vec<LegId>,
    /// First in, first out: a step hears of what was done in the order in which it was done.
    gifts: VecDeque<Gift>,
    /// Steps that follow a leg that is over; they are told behind all gifts.
    news: VecDeque<(StepId, LegId)>,
    /// Makes the next input of a step of this kind panic.
    #[cfg(feature = "faults")]
    fault: Option<&'static str>,
}

impl Exchange {
    /// A tenant without calls.
    pub fn new(node: NodeAddress, snapshot: Arc<Snapshot>) -> Exchange {
        Exchange {
            node,
            snapshot,
            calls: BTreeMap::new(),
            tables: Tables::default(),
            next_call: 1,
            numbers: Numbers::default(),
            unsaved: Vec::new(),
            panics: 0,
            actions: Vec::new(),
            stillborn: Vec::new(),
            gifts: VecDeque::new(),
            news: VecDeque::new(),
            #[cfg(feature = "faults")]
            fault: None,
        }
    }

    /// One input; effects are appended in the order in which they shall be carried out.
    pub fn handle(
        &mut self,
        now: Now,
        input: Input,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        match input {
            Input::Snapshot(snapshot) => self.configure(snapshot, effects),
            Input::Leg { leg, event } => self.leg_event(now, leg, event, facilities, effects),
            Input::Lamp(event) => {
                let (calls, tables) = (&self.calls, &mut self.tables);
                effects.extend(lamps::handle(event, &self.snapshot, calls, tables));
            }
            Input::DeviceUp { extension, device, address } => {
                self.tables.device_up(extension, device, address);
            }
            Input::DeviceDown { extension, device } => {
                self.tables.device_down(extension, device);
            }
            Input::Media(event) => self.media_event(now, event, facilities, effects),
            Input::Command { ticket, command } => {
                let reply = self.command(now, command, facilities, effects);
                effects.push(Effect::Reply { ticket, reply });
            }
            Input::Replaced(pairs) => self.restore_replaced(&pairs, effects),
            Input::WrongPins(counts) => self.restore_wrong_pins(now, &counts, effects),
            Input::Resume => self.resume(effects),
            Input::EndAll(reason) => {
                let calls: Vec<CallId> = self.calls.keys().copied().collect();
                for call in calls {
                    self.end_call(now, call, reason, facilities, effects);
                }
            }
            Input::EndCall { call, reason } => {
                self.end_call(now, call, reason, facilities, effects);
            }
            Input::Tick => self.tick(now, facilities, effects),
        }
        self.bury_stillborn(now, facilities, effects);
        lamps::show(&self.snapshot, &self.calls, &mut self.tables, effects);
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Mono> {
        self.tables.timers.first().map(|(at, ..)| *at)
    }

    /// The calls, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().map(|c| &**c)
    }

    /// What the calls share.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// How something that can be watched is now.
    pub fn lamp(&self, resource: lamps::Resource) -> leg::LampState {
        lamps::state(resource, &self.snapshot, &self.calls, &self.tables)
    }

    /// Whose calls these are.
    pub fn tenant(&self) -> TenantId {
        self.snapshot.tenant.id
    }

    /// The configuration in use.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// How many calls a defect has ended.
    pub fn panics(&self) -> u64 {
        self.panics
    }

    /// Checks that everything adds up.
    pub fn check(&self, ports: &PortSlice) -> Result<(), String> {
        check::check(self, ports)
    }

    /// Makes the next input of a step of this kind panic, to prove that one call pays for it.
    #[cfg(feature = "faults")]
    pub fn inject_panic(&mut self, step_kind: &'static str) {
        self.fault = Some(step_kind);
    }

    /// Whether it has not come yet.
    #[cfg(feature = "faults")]
    pub fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    fn configure(&mut self, snapshot: Arc<Snapshot>, effects: &mut Vec<Effect>) {
        self.snapshot = snapshot;
        lamps::configure(&self.snapshot, &mut self.tables, effects);
        self.tables.names.forget();
        self.end_pairs_of_the_gone(effects);
        for call in self.calls.values_mut() {
            call.views = None;
        }
    }

    fn leg_event(
        &mut self,
        now: Now,
        leg: LegId,
        event: LegEvent,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        if let LegEvent::Incoming(incoming) = event {
            self.begin_call(now, leg, &incoming, facilities, effects);
            return;
        }
        // A leg that is gone: its end and this event have crossed.
        let Some(id) = self.tables.legs.get(&leg).copied() else { return };
        let start = effects.len();
        self.with_call(now, id, facilities, effects, |call| {
            let facts = call.legs.get_mut(leg)?;
            let owner = facts.owner;
            note(facts, &event);
            Some((owner, StepInput::Leg(leg, &event)))
        });
        if let LegEvent::Refer { refer, .. } = event {
            crate::transfers::answer(leg, refer, start, effects);
        }
    }

    fn media_event(
        &mut self,
        now: Now,
        event: MediaEvent,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let leg = event.leg;
        let input = match event.kind {
            MediaEventKind::DigitEnd { digit, duration_ms } => {
                StepInput::Digit { leg, digit, duration_ms }
            }
            MediaEventKind::Silent => StepInput::Silent(leg),
            // A digit is passed on when it is complete; nothing waits for sound to come back.
            MediaEventKind::DigitStart(_) | MediaEventKind::Audible => return,
            kind @ (MediaEventKind::ClipDone(_)
            | MediaEventKind::ClipBroken(_)
            | MediaEventKind::RecorderSilent(_)
            | MediaEventKind::RecorderFull(_)) => StepInput::Sound(kind),
            // The leg may be gone by now, with all that it had to say.
            kind @ (MediaEventKind::Recorded { recorder, .. }
            | MediaEventKind::RecordingFailed(recorder)) => {
                let id = self.call_of_recorder(event.call, recorder);
                self.with_call(now, id, facilities, effects, |call| {
                    let (step, _) = call.steps.iter().find(|(_, s)| s.has_recorder(recorder))?;
                    Some((step, StepInput::Sound(kind)))
                });
                return;
            }
        };
        if self.tables.legs.get(&leg).is_some_and(|call| *call != event.call) {
            return;
        }
        self.with_call(now, event.call, facilities, effects, |call| {
            Some((call.legs.get(leg).map(|l| l.owner).or_else(|| goes_on(call, &input))?, input))
        });
    }

    /// The call in which a recorder is waited for: the one in which it has ended, or the one into
    /// which that was merged meanwhile.
    fn call_of_recorder(&self, ended_in: CallId, recorder: leg::RecorderId) -> CallId {
        let waits = |call: &Call| call.steps.values().any(|step| step.has_recorder(recorder));
        if self.calls.get(&ended_in).is_some_and(|call| waits(call)) {
            return ended_in;
        }
        self.calls.values().find(|call| waits(call)).map_or(ended_in, |call| call.id)
    }

    fn tick(&mut self, now: Now, facilities: &mut Facilities<'_>, effects: &mut Vec<Effect>) {
        while let Some(&(at, call, step, timer)) = self.tables.timers.first() {
            if at > now.mono {
                return;
            }
            self.tables.timers.pop_first();
            self.with_call(now, call, facilities, effects, |call| {
                call.timers.retain(|t| *t != (at, step, timer));
                Some((step, StepInput::Timer(timer)))
            });
            self.bury_stillborn(now, facilities, effects);
        }
    }
}

/// The step that waits for the end of a sound whose leg is gone: another has its place by now.
fn goes_on(call: &Call, input: &StepInput<'_>) -> Option<StepId> {
    let StepInput::Sound(kind) = input else { return None };
    let waits = |step: &Step| match kind {
        MediaEventKind::ClipDone(clip) | MediaEventKind::ClipBroken(clip) => step.plays(*clip),
        MediaEventKind::RecorderSilent(of) | MediaEventKind::RecorderFull(of) => {
            step.has_recorder(*of)
        }
        _ => false,
    };
    call.steps.iter().find(|(_, step)| waits(step)).map(|(id, _)| id)
}
