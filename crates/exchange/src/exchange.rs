//! [`Exchange`]: the one owner of a tenant's calls.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use leg::{CallFlow, Incoming, LegEvent, LegId, MediaCommand, MediaEvent, MediaEventKind, Refusal};
use model::{CallApiId, CallId, CallUuid, EndReason, Mono, NodeAddress, Now, Snapshot, TenantId};

use crate::apply::{Bench, Gift, Part, drop_timers};
use crate::audio;
use crate::call::{BranchId, Call, Leg, LegState, StepId};
use crate::caller::Caller;
use crate::check;
use crate::conversation::{Conversation, ConversationId};
use crate::interface::{Effect, Facilities, Input};
use crate::lamps;
use crate::note::note;
use crate::ports::PortSlice;
use crate::step::routing::{self, Routed};
use crate::step::{self, Accepted, Action, Actions, Facts, Next, Numbers, Step, StepInput};
use crate::tables::Tables;

mod commands;
mod endings;
mod joining;
mod keeping;
mod recording;
mod replaced;

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
    gifts: Vec<Gift>,
    /// Steps that follow a leg that is over.
    news: Vec<(StepId, LegId)>,
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
            gifts: Vec::new(),
            news: Vec::new(),
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
        if self.tables.legs.get(&leg) != Some(&event.call) {
            return;
        }
        self.with_call(now, event.call, facilities, effects, |call| {
            Some((call.legs.get(leg)?.owner, input))
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

    /// A new call: its caller's leg and branch, then whatever routing says.
    fn begin_call(
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
        let of = Conversation::new(conversation, api_id, now, caller.dialled, caller.party);
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

    fn end_call(
        &mut self,
        now: Now,
        id: CallId,
        reason: EndReason,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        // Each step ends what it owns; the call is gone with its last step. One that waits for a
        // recording waits on.
        let steps: Vec<StepId> =
            self.calls.get(&id).map_or(Vec::new(), |c| c.steps.keys().collect());
        for step in steps {
            self.with_call(now, id, facilities, effects, |_| {
                Some((step, StepInput::EndAll(reason)))
            });
        }
    }

    /// Legs that could not be begun have ended before they were anything.
    fn bury_stillborn(
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

    fn facts<'a>(&'a self, now: Now, call: &'a Call, ports: &PortSlice) -> Facts<'a> {
        let (snapshot, tables) = (&self.snapshot, &self.tables);
        let calls = &self.calls;
        Facts { now, call, calls, snapshot, tables, ports_left: ports.left() }
    }

    fn fresh_actions(&mut self, acting: StepId) -> Actions {
        let list = core::mem::take(&mut self.actions);
        Actions { list, numbers: self.numbers, acting, answer: None }
    }

    fn bench<'a, 'f>(
        &'a mut self,
        now: Now,
        snapshot: &'a Snapshot,
        facilities: &'a mut Facilities<'f>,
        effects: &'a mut Vec<Effect>,
    ) -> Bench<'a, 'f> {
        let (tables, stillborn, gifts) = (&mut self.tables, &mut self.stillborn, &mut self.gifts);
        Bench { node: self.node, now, snapshot, tables, facilities, effects, stillborn, gifts }
    }

    /// Takes a call out, lets one of its steps handle one input, and puts it back. What the step
    /// says to an order comes back.
    ///
    /// `pick` notes facts in the call and says which step gets which input.
    fn with_call<'i>(
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
    fn step(
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
                call.steps.insert(id, step);
                call.unsaved = true;
            }
            Next::Done => drop_timers(&mut self.tables, call, |s, _| s == id),
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
    fn apply(
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
    }

    /// Tells the other steps what concerns them, removes what is over, declares audio anew, puts
    /// the call back. `start`: where the effects of this input begin.
    fn settle(
        &mut self,
        now: Now,
        mut call: Box<Call>,
        start: usize,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) {
        loop {
            self.remove_ended_legs(now, &mut call, facilities.ports);
            let told = if let Some(gift) = self.gifts.pop() {
                call = self.absorb(call, gift.call, facilities.ports, effects);
                let Some((step, leg, given)) = gift.told else { continue };
                (step, StepInput::Given { leg, given })
            } else if let Some((step, leg)) = self.news.pop() {
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

/// A defect of a step.
struct Panicked;
