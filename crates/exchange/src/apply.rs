//! Applying the actions of a step to the call, to the shared tables, and as effects.

mod legs;

use core::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;

use leg::{
    CallFlow, Dial, EventKind, LegCommand, LegId, MediaCommand, MessageChange, Record,
    ReplacementChange,
};
use model::limits::TRACE_LINES_MAX;
use model::{
    CallApiId, CallId, CallUuid, EndReason, ExtensionId, Mono, NodeAddress, Now, Number, Snapshot,
};
use smallvec::SmallVec;

use crate::call::{Branch, BranchId, Call, Leg, LegState, StepId};
use crate::conversation::{Conversation, ConversationId, Party};
use crate::interface::{Effect, Facilities};
use crate::pins::Count;
use crate::records::{self, Ending};
use crate::session;
use crate::slots::Slot;
use crate::step::voicemail::Left;
use crate::step::{Action, Given, Outside, Timer, recording};
use crate::tables::Tables;

/// What applying needs besides the call.
pub struct Bench<'a, 'f> {
    /// The node's address, for the handles of conversations.
    pub node: NodeAddress,
    /// The time.
    pub now: Now,
    /// The newest configuration.
    pub snapshot: &'a Snapshot,
    /// What the calls share.
    pub tables: &'a mut Tables,
    /// What the shard lends.
    pub facilities: &'a mut Facilities<'f>,
    /// Where effects go.
    pub effects: &'a mut Vec<Effect>,
    /// Legs that could not be begun: each is told to its step as ended.
    pub stillborn: &'a mut Vec<LegId>,
    /// Legs that were given to another step, which is to be told.
    pub gifts: &'a mut VecDeque<Gift>,
}

/// Something that was given to a step, maybe of another call.
#[derive(Clone, Copy, Debug)]
pub struct Gift {
    /// The call of the step, which takes in the call of who gives.
    pub call: CallId,
    /// The step that is to be told, of which leg, and what for.
    pub told: Option<(StepId, LegId, Given)>,
}

/// A part in a call that begins.
#[derive(Debug)]
pub struct Part {
    /// Number of its branch.
    pub branch: BranchId,
    /// Of what it is a part.
    pub conversation: ConversationId,
    /// Who is shown as calling, if not who has begun the conversation.
    pub party: Option<Arc<Party>>,
    /// Whose it is.
    pub extension: Option<ExtensionId>,
    /// Whether the extension is called.
    pub flow: CallFlow,
    /// What it dials itself.
    pub forwards_to: Option<Number>,
}

impl Bench<'_, '_> {
    fn replaced(&mut self, change: ReplacementChange) {
        self.effects.push(Effect::Record(Record::Replacement(change)));
    }

    fn counted(&mut self, counts: &[Count]) {
        let (tenant, now) = (self.snapshot.tenant.id, self.now);
        let written = counts.iter().map(|count| Record::WrongPins(count.written(tenant, now)));
        self.effects.extend(written.map(Effect::Record));
    }

    /// Applies one action on behalf of `step`.
    pub fn apply(&mut self, call: &mut Call, step: StepId, action: Action) {
        match action {
            Action::Join { branch, conversation, party, extension, flow, forwards_to } => {
                let (conversation, party) = call.goes_on_as(conversation, party);
                if let Some(of) = call.conversations.get_mut(conversation)
                    && flow == CallFlow::In
                    && of.called_extension.is_none()
                {
                    of.called_extension = extension;
                }
                let part = Part { branch, conversation, party, extension, flow, forwards_to };
                self.join(call, part);
            }
            Action::Dial { leg, branch, target, peer, identity, codecs, max_forwards, outside } => {
                let owner = (self.snapshot.tenant.id, call.id);
                let port = self.facilities.ports.take(self.now.mono, owner);
                let device = match &target {
                    leg::Target::Device { device, .. } => Some(*device),
                    leg::Target::Trunk { .. } => None,
                };
                let mut new = Leg {
                    id: leg,
                    branch,
                    owner: step,
                    device,
                    peer,
                    state: LegState::Dialling,
                    capabilities: leg::Capabilities::default(),
                    port: port.unwrap_or(0),
                    local: None,
                    remote: None,
                    offered: None,
                    negotiation: 0,
                    asked: false,
                    held: false,
                    line: outside.as_ref().map(|outside| outside.line),
                };
                if let Some(Outside { line, begins, .. }) = &outside {
                    self.tables.outside.enter(Some(*line));
                    if let (true, Some(by)) = (*begins, line.by) {
                        self.tables.outside.begins(self.now.mono, by);
                    }
                }
                let diversion = outside.and_then(|outside| outside.diversion);
                self.tables.legs.insert(leg, call.id);
                if let Some(port) = port {
                    let offer = Box::new(session::offer(port, &codecs));
                    new.local = Some(offer.clone());
                    let auto_answer = false;
                    let dial =
                        Dial { target, identity, offer, max_forwards, diversion, auto_answer };
                    self.leg(leg, LegCommand::Dial(Box::new(dial)));
                } else {
                    self.stillborn.push(leg);
                }
                call.legs.insert(leg, new);
                call.unsaved = true;
            }
            Action::Ring { leg, early } => self.ring(call, leg, early),
            Action::Answer { leg, codec } => self.answer(call, leg, codec),
            Action::Connect { branch, says_so } => self.connect(call, branch, says_so),
            Action::Lead { branch, to } => {
                if let Some(branch) = call.branches.get_mut(branch) {
                    branch.led_to = Some(to);
                    call.unsaved = true;
                }
            }
            Action::Entitle { branch } => {
                if let Some(branch) = call.branches.get_mut(branch) {
                    branch.may_transfer = true;
                }
            }
            Action::AnswerOffer { leg } => self.answer_offer(call, leg),
            Action::Refresh { leg } => {
                let Some(facts) = call.legs.get_mut(leg) else { return };
                let Some(local) = facts.local.clone().filter(|_| facts.state == LegState::Up)
                else {
                    return;
                };
                facts.asked = true;
                self.leg(leg, LegCommand::Offer(local));
            }
            Action::Digit { leg, digit, duration_ms } => {
                let Some(facts) = call.legs.get(leg) else { return };
                let as_events = facts.remote.as_ref().is_some_and(|r| r.digits.is_some());
                if !as_events && facts.capabilities.info {
                    self.leg(leg, LegCommand::Info(digit));
                } else {
                    // As an event, or for whoever takes neither as tones.
                    let command =
                        MediaCommand::SendDigit { call: call.id, leg, digit, duration_ms };
                    self.effects.push(Effect::Media(command));
                }
            }
            Action::End { leg, reason } => self.end(call, leg, reason),
            Action::Leave { branch, reason, status } => self.leave(call, branch, reason, status),
            Action::Timer { timer, after } => self.set_timer(call, step, timer, after),
            Action::DropTimers(node) => drop_timers(self.tables, call, |s, timer| {
                s == step && matches!(timer, Timer::Node(of, _) if of == node)
            }),
            Action::Save => call.unsaved = true,
            Action::DropTimer(gone) => {
                drop_timers(self.tables, call, |s, timer| s == step && timer == gone);
            }
            Action::FindRecording { leg, recorder, file } => {
                let call = call.id;
                let command = MediaCommand::FindRecording { call, leg, recorder, file };
                self.effects.push(Effect::Media(command));
            }
            Action::Message { left, length_ms } => self.message(call, &left, length_ms),
            Action::ChangeMessage { extension, file, fate } => {
                self.tables.mailboxes.change(extension, file, fate);
                self.tables.lamps.stir_messages(extension);
                let tenant = self.snapshot.tenant.id;
                let change = MessageChange { tenant, extension, file, fate };
                self.effects.push(Effect::Record(Record::MessageChanged(change)));
                call.unsaved = true;
            }
            Action::Recorded(recording) => {
                self.effects.push(Effect::Record(Record::Recording(recording)));
            }
            Action::Alert(alert) => {
                if self.tables.outside.shall_alert(self.now.mono, alert.cause) {
                    self.effects.push(Effect::Alert(alert));
                }
            }
            Action::Trace(of, entry) => {
                if let Some(of) = call.conversations.get_mut(of)
                    && of.trace.len() < TRACE_LINES_MAX
                {
                    of.trace.push(entry);
                }
            }
            // Heeded by who applies the list.
            Action::As(_) => {}
            Action::Converse { id, party, dialled } => {
                let uuid = CallUuid::new(self.now.wall, self.facilities.chance.wide_bits());
                let api_id = CallApiId { node: self.node, uuid };
                self.tables.uuids.insert(uuid, call.id);
                let new = Conversation::new(id, api_id, self.now, dialled, party);
                call.conversations.insert(id, new);
                call.unsaved = true;
            }
            Action::Unite { one, other } => {
                if let (Some(one), Some(other)) = (call.root_of_leg(one), call.root_of_leg(other)) {
                    call.unite(one, other);
                }
            }
            Action::UniteConversations { one, other } => {
                call.unite(call.root(one), call.root(other))
            }
            Action::Identify { leg, identity } => {
                self.leg(leg, LegCommand::Identify(Box::new(identity)));
            }
            Action::PartOf { leg, branch } => {
                if let Some(leg) = call.legs.get_mut(leg) {
                    leg.branch = branch;
                }
                call.unsaved = true;
            }
            Action::Hold { leg, held } => {
                if let Some(leg) = call.legs.get_mut(leg) {
                    leg.held = held;
                }
                call.unsaved = true;
            }
            Action::Referred { leg, refer, status } => {
                let command = match status {
                    Some(status) => LegCommand::ReferProgress { refer, status },
                    None => LegCommand::ReferAccepted { refer },
                };
                self.leg(leg, command);
            }
            Action::ReferRefused { leg, refer, status } => {
                self.leg(leg, LegCommand::ReferRefused { refer, status });
            }
            Action::Replace(pair) => {
                if self.tables.replaced.begin(pair) {
                    self.replaced(pair.begins(self.snapshot.tenant.id));
                }
            }
            Action::EndReplace(extension) => {
                if let Some(pair) = self.tables.replaced.end(extension) {
                    self.replaced(pair.ends(self.snapshot.tenant.id));
                }
            }
            Action::WrongPin(guess) => {
                let counts = self.tables.pins.wrong(self.now.mono, guess);
                self.counted(&counts);
            }
            Action::RightPin(guess) => {
                let forgiven = self.tables.pins.right(self.now.mono, guess);
                self.counted(forgiven.as_slice());
            }
            Action::Audit(audit) => self.effects.push(Effect::Record(Record::Audit(audit))),
            Action::Begin(id, step) => {
                call.steps.insert(id, *step);
                call.unsaved = true;
            }
            Action::Move { leg, step } => {
                if let Some(leg) = call.legs.get_mut(leg) {
                    leg.owner = step;
                }
                call.unsaved = true;
            }
            Action::Give { leg, call: to, step, given } => {
                if let Some(leg) = call.legs.get_mut(leg) {
                    leg.owner = step;
                }
                call.unsaved = true;
                self.gifts.push_back(Gift { call: to, told: Some((step, leg, given)) });
            }
            Action::Tell { step, leg, given } => {
                self.gifts.push_back(Gift { call: call.id, told: Some((step, leg, given)) });
            }
            Action::LeaveListed { branch, reason } => self.leave_listed(call, branch, reason),
            Action::Occupy { slot, leg, by } => {
                let (call, root) = (&*call, call.root_of_leg(leg));
                let Some(of) = root.and_then(|root| call.conversations.get(root)) else { return };
                let (since, conversation) = (self.now.mono, of.api_id.uuid);
                let slot_of = Slot { call: call.id, step, since, by, conversation };
                self.tables.slots.occupy(slot, slot_of);
                self.tables.lamps.stir_slot(slot);
            }
            Action::Vacate { slot } => {
                self.tables.slots.vacate(slot);
                self.tables.lamps.stir_slot(slot);
            }
            Action::Merge { call: to } => self.gifts.push_back(Gift { call: to, told: None }),
        }
    }

    /// An extension takes part: a branch, its place in the tables, its first event.
    pub fn join(&mut self, call: &mut Call, part: Part) {
        let Part { branch, conversation, party, extension, flow, forwards_to } = part;
        let new = Branch {
            id: branch,
            conversation,
            party,
            extension,
            transferred: forwards_to.is_some(),
            may_transfer: false,
            dialled: forwards_to,
            flow,
            sub_call_id: OnceCell::new(),
            sub_call: CallUuid::new(self.now.wall, self.facilities.chance.wide_bits()),
            began: self.now,
            answered: None,
            led_to: None,
            over: false,
            recording: None,
        };
        self.tables.join(extension, call.id, flow);
        let kind = match flow {
            CallFlow::In => EventKind::DialIn,
            CallFlow::Out => EventKind::DialOut,
        };
        self.event(kind, call, &new, None);
        call.branches.insert(branch, new);
        call.unsaved = true;
    }

    fn connect(&mut self, call: &mut Call, branch: BranchId, says_so: bool) {
        let now = self.now;
        let Some(facts) = call.branches.get_mut(branch) else { return };
        if facts.answered.is_some() {
            return;
        }
        facts.answered = Some(now);
        let facts = facts.clone();
        // Services have no answer event (API reference 13.4).
        let extension = facts.extension.and_then(|id| self.snapshot.extension(id));
        let is_phone = extension.is_none_or(|e| e.kind == model::ExtensionKind::Phone);
        if is_phone && says_so {
            self.event(EventKind::Answer, call, &facts, None);
        }
        call.unsaved = true;
    }

    /// A branch is over: its hangup event, its record, its place in the tables.
    pub fn leave(
        &mut self,
        call: &mut Call,
        branch: BranchId,
        reason: EndReason,
        status: Option<u16>,
    ) {
        let Some(facts) = call.branches.remove(branch) else { return };
        call.thinned = Some(reason);
        if !facts.over {
            self.tell_end(call, &facts, reason, status);
        }
        call.unsaved = true;
        self.tables.leave(facts.extension, call.id, facts.counts_as());
        // Who is hung up with whom a program has hung up may be hung up again too.
        if let (Some(extension), EndReason::ApiHangup) = (facts.extension, reason) {
            for handle in call.handles(call.root(facts.conversation)) {
                self.tables.remember_hangup(self.now.mono, handle, extension);
            }
        }
    }

    /// A branch is over, but listed until it leaves. It does not count as a call of the extension
    /// any more.
    fn leave_listed(&mut self, call: &mut Call, branch: BranchId, reason: EndReason) {
        let Some(facts) = call.branches.get_mut(branch).filter(|b| !b.over) else { return };
        let (id, before) = (call.id, facts.counts_as());
        facts.over = true;
        let (facts, after) = (facts.clone(), facts.counts_as());
        self.tables.leave(facts.extension, id, before);
        self.tables.join(facts.extension, id, after);
        call.thinned = Some(reason);
        call.unsaved = true;
        self.tell_end(call, &facts, reason, None);
    }

    /// The hangup event of a branch and its record.
    fn tell_end(
        &mut self,
        call: &mut Call,
        facts: &Branch,
        reason: EndReason,
        status: Option<u16>,
    ) {
        let recording = recording::told(facts, call, self.now);
        let ending = Ending { now: self.now, reason, status, recording };
        self.event(EventKind::Hangup, call, facts, Some(&ending));
        let Some(extension) = facts.extension else { return };
        let Some(of) = call.conversations.get(facts.conversation) else { return };
        let names = &mut self.tables.names;
        let cdr = records::cdr(of, (facts, extension), self.snapshot, names, &ending);
        self.effects.push(Effect::Record(Record::Cdr(Box::new(cdr))));
    }

    fn event(&mut self, kind: EventKind, call: &mut Call, branch: &Branch, end: Option<&Ending>) {
        let Some(extension) = branch.extension else { return };
        let Some(of) = call.conversations.get_mut(branch.conversation) else { return };
        of.event_sequence += 1;
        let names = &mut self.tables.names;
        let branch = (branch, extension);
        let event = records::event(kind, of, branch, self.snapshot, names, self.now.wall, end);
        self.effects.push(Effect::Record(Record::Event(Box::new(event))));
    }

    /// A message was left: its event and its record, in one step.
    fn message(&mut self, call: &mut Call, left: &Left, length_ms: u32) {
        let Some(extension) = left.branch.extension else { return };
        self.event(EventKind::Voicemail, call, &left.branch, None);
        let Some(of) = call.conversations.get(left.branch.conversation) else { return };
        let message = records::message(of, left, extension, length_ms, self.snapshot, {
            &mut self.tables.names
        });
        self.effects.push(Effect::Record(Record::Message(Box::new(message))));
        call.unsaved = true;
    }

    fn leg(&mut self, leg: LegId, command: LegCommand) {
        self.effects.push(Effect::Leg { leg, command });
    }

    fn set_timer(
        &mut self,
        call: &mut Call,
        step: StepId,
        timer: Timer,
        after: core::time::Duration,
    ) {
        let at = self.now.mono + after;
        drop_timers(self.tables, call, |s, t| s == step && t == timer);
        call.timers.push((at, step, timer));
        self.tables.timers.insert((at, call.id, step, timer));
    }
}

/// Removes the timers of a call that `which` picks.
pub fn drop_timers(tables: &mut Tables, call: &mut Call, which: impl Fn(StepId, Timer) -> bool) {
    let id = call.id;
    let kept: SmallVec<[(Mono, StepId, Timer); 2]> = call
        .timers
        .drain(..)
        .filter(|(at, step, timer)| {
            let goes = which(*step, *timer);
            if goes {
                tables.timers.remove(&(*at, id, *step, *timer));
            }
            !goes
        })
        .collect();
    call.timers = kept;
}
