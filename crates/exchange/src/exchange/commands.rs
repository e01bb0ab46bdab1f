//! What programs ask of the calls.

use std::sync::Arc;

use leg::{AuditProgram, CallAction, CallView, Command, Refusal, Reply};
use model::{CallApiId, CallId, EndReason, ExtensionId, Now, Snapshot};

use super::Exchange;
use crate::call::{BranchId, Call, StepId};
use crate::control::Order;
use crate::conversation::ConversationId;
use crate::interface::{Effect, Facilities};
use crate::step::{Accepted, Step, StepInput};
use crate::view;

impl Exchange {
    pub(super) fn command(
        &mut self,
        now: Now,
        command: Command,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        match command {
            Command::ListCalls { extension: None } => {
                let snapshot = Arc::clone(&self.snapshot);
                let calls = self.calls.values_mut();
                Reply::Calls(calls.flat_map(|c| shown(c, &snapshot).to_vec()).collect())
            }
            Command::ListCalls { extension: Some(extension) } => {
                let ids = self.tables.calls_of(extension).to_vec();
                Reply::Calls(self.views_of(ids, extension))
            }
            Command::ShowCall { extension, call } => {
                match self.call_named(call).and_then(|(id, of)| self.view(id, of, extension)) {
                    Some(view) => Reply::Call(view),
                    None => Reply::Refused(Refusal::NoSuchCall),
                }
            }
            Command::Hangup { extension, call } => {
                self.hang_up(now, extension, call, facilities, effects)
            }
            Command::Control { extension, call, action, program } => {
                let wanted = (action, Some(program));
                self.control(now, extension, call, wanted, facilities, effects)
            }
            Command::ListSlots { slot: None } => {
                Reply::Slots(self.tables.slots.free(&self.snapshot).collect())
            }
            Command::ListSlots { slot: Some(slot) } => {
                if !crate::slots::numbers(&self.snapshot).any(|number| number == slot) {
                    return Reply::Refused(Refusal::NoSuchSlot);
                }
                Reply::Slot(self.tables.slots.holder(slot).map(|slot| slot.conversation))
            }
            Command::NoteMessages { extension, new, old, messages } => {
                self.tables.mailboxes.note(extension, (new, old), messages);
                self.tables.lamps.stir_messages(extension);
                Reply::Done
            }
            Command::ListReplaced => Reply::Replaced(self.pairs_shown()),
            Command::EndReplace { extension, program } => {
                self.end_replace(now, extension, &program, effects)
            }
            // Registrations are the endpoint's; the shard answers before it comes here.
            Command::ListRegistrations { .. } => Reply::Registrations(Vec::new()),
        }
    }

    fn hang_up(
        &mut self,
        now: Now,
        extension: ExtensionId,
        api_id: CallApiId,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let Some(Part { call, step, branch }) = self.part_named(extension, api_id) else {
            return match self.tables.was_hung_up(now.mono, api_id, extension) {
                true => Reply::Done,
                false => Reply::Refused(Refusal::NoSuchCall),
            };
        };
        if let Some((id, of)) = self.call_named(api_id) {
            for handle in self.calls.get(&id).into_iter().flat_map(|call| call.handles(of)) {
                self.tables.remember_hangup(now.mono, handle, extension);
            }
        }
        let reason = EndReason::ApiHangup;
        self.with_call(now, call, facilities, effects, |_| {
            Some((step, StepInput::HangUp { branch, reason }))
        });
        Reply::Done
    }

    /// An action of `current_calls` or `valet_park`. It is answered when it is accepted; what comes
    /// of it is told by events.
    fn control(
        &mut self,
        now: Now,
        extension: ExtensionId,
        api_id: CallApiId,
        (action, program): (CallAction, Option<Arc<AuditProgram>>),
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let named = self.call_named(api_id);
        let part = self.part_named(extension, api_id);
        let (Some(Part { call, step, branch }), Some((_, of))) = (part, named) else {
            return Reply::Refused(Refusal::NoSuchCall);
        };
        let consults =
            self.calls.get(&call).and_then(|c| c.steps.get(step)).is_some_and(is_consulted);
        if action == CallAction::Transfer(None) && !consults {
            return Reply::Refused(Refusal::NumberMissing);
        }
        // An action may end the extension's part, which is then shown as it was.
        let before = self.view(call, of, extension);
        let order = Order { branch, action, program };
        let answer = self
            .with_call(now, call, facilities, effects, |_| Some((step, StepInput::Order(&order))));
        match answer {
            Some(Ok(Accepted { slot, parked })) => {
                let after =
                    self.call_named(api_id).and_then(|(id, of)| self.view(id, of, extension));
                match after.or(before) {
                    Some(call) => Reply::Controlled { call, slot, parked },
                    None => Reply::Refused(Refusal::NoSuchCall),
                }
            }
            Some(Err(refusal)) => Reply::Refused(refusal),
            // A defect has ended the call.
            None => Reply::Refused(Refusal::NoSuchCall),
        }
    }

    /// The call and the conversation in it that a handle names: of one that was joined with
    /// another, that one.
    fn call_named(&self, api_id: CallApiId) -> Option<(CallId, ConversationId)> {
        let id = *self.tables.uuids.get(&api_id.uuid)?;
        let call = self.calls.get(&id)?;
        let of = call.conversations.values().find(|c| c.api_id == api_id)?;
        Some((id, call.root(of.id)))
    }

    /// The part of an extension in a call, and the step that takes care of it.
    fn part_named(&self, extension: ExtensionId, api_id: CallApiId) -> Option<Part> {
        let (id, of) = self.call_named(api_id)?;
        let call = self.calls.get(&id)?;
        let part = call.part_of(extension, of)?;
        // Where a machine of theirs has the call, the caller's is meant.
        let callers = || {
            let mut legs = call.legs.values().filter(|l| call.root_of_leg(l.id) == Some(of));
            legs.next().map(|l| l.owner)
        };
        let step = call.step_of(part.id).or_else(callers)?;
        // Of a parked call that rings back the call is meant, not what rings.
        let rings_back = call.steps.get(step).and_then(Step::rings_back_for);
        let parked = rings_back.and_then(|parked| match call.steps.get(parked) {
            Some(Step::Parked(at)) if at.by == extension => Some((parked, at.branch)),
            _ => None,
        });
        let (step, branch) = parked.unwrap_or((step, part.id));
        Some(Part { call: id, step, branch })
    }

    fn view(&mut self, id: CallId, of: ConversationId, by: ExtensionId) -> Option<Arc<CallView>> {
        let snapshot = Arc::clone(&self.snapshot);
        let call = self.calls.get_mut(&id)?;
        let handle = call.conversations.get(of)?.api_id;
        let mut views = shown(call, &snapshot).iter();
        let is_it = |v: &&Arc<CallView>| is_of(v, by) && v.call_api_id == Some(handle);
        views.find(is_it).cloned()
    }

    /// The parts of an extension in these calls; a call in which it has two is named twice.
    fn views_of(&mut self, mut calls: Vec<CallId>, by: ExtensionId) -> Vec<Arc<CallView>> {
        let snapshot = Arc::clone(&self.snapshot);
        let mut views = Vec::with_capacity(calls.len());
        let mut seen = std::collections::BTreeSet::new();
        calls.retain(|id| seen.insert(*id));
        for id in calls {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            views.extend(shown(call, &snapshot).iter().filter(|v| is_of(v, by)).cloned());
        }
        views
    }
}

/// The part of an extension in a call.
struct Part {
    call: CallId,
    step: StepId,
    branch: BranchId,
}

/// Whether it is a consultation, or the far party of who consults waits in it.
fn is_consulted(step: &Step) -> bool {
    matches!(step, Step::Consulting(_)) || step.consultation().is_some()
}

fn is_of(view: &CallView, extension: ExtensionId) -> bool {
    view.extension.as_ref().is_some_and(|e| e.id == extension)
}

fn shown<'a>(call: &'a mut Call, snapshot: &Snapshot) -> &'a [Arc<CallView>] {
    if call.views.is_none() {
        call.views = Some(view::views(call, snapshot));
    }
    call.views.as_deref().unwrap_or(&[])
}
