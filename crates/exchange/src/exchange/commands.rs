//! What programs ask of the calls.

use std::sync::Arc;

use leg::{CallView, Command, Refusal, Reply};
use model::{CallApiId, CallId, EndReason, ExtensionId, Now, Snapshot};

use super::Exchange;
use crate::call::Call;
use crate::interface::{Effect, Facilities};
use crate::step::StepInput;
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
                let views = ids.into_iter().filter_map(|id| self.view(id, extension));
                Reply::Calls(views.collect())
            }
            Command::ShowCall { extension, call } => {
                match self.call_named(call).and_then(|id| self.view(id, extension)) {
                    Some(view) => Reply::Call(view),
                    None => Reply::Refused(Refusal::NoSuchCall),
                }
            }
            Command::Hangup { extension, call } => {
                self.hang_up(now, extension, call, facilities, effects)
            }
            Command::Control { .. } => Reply::Refused(Refusal::NoSuchCall),
            Command::ListSlots { slot: None } => {
                Reply::Slots((1..=self.snapshot.routing.settings.shown.valet_park_slots).collect())
            }
            Command::ListSlots { slot: Some(_) } => Reply::Slot(None),
            Command::ListReplaced => Reply::Replaced(Vec::new()),
            Command::EndReplace { .. } => Reply::Refused(Refusal::NotReplaced),
            // Registrations are the endpoint's; the shard answers before it comes here.
            Command::ListRegistrations { .. } => Reply::Registrations(Vec::new()),
        }
    }

    pub(super) fn hang_up(
        &mut self,
        now: Now,
        extension: ExtensionId,
        api_id: CallApiId,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let part = self.call_named(api_id).and_then(|id| {
            let call = self.calls.get(&id)?;
            let branch = call.branch_of(extension)?.id;
            let step =
                call.steps.iter().find(|(_, s)| s.has_branch(call, branch)).map(|(id, _)| id)?;
            Some((id, step, branch))
        });
        let Some((id, step, branch)) = part else {
            return if self.tables.has_ended(now.mono, api_id, extension) {
                Reply::Done
            } else {
                Reply::Refused(Refusal::NoSuchCall)
            };
        };
        let reason = EndReason::ApiHangup;
        self.with_call(now, id, facilities, effects, |_| {
            Some((step, StepInput::HangUp { branch, reason }))
        });
        Reply::Done
    }

    pub(super) fn call_named(&self, api_id: CallApiId) -> Option<CallId> {
        let id = self.tables.uuids.get(&api_id.uuid).copied()?;
        self.calls.get(&id).is_some_and(|c| c.api_id == api_id).then_some(id)
    }

    pub(super) fn view(&mut self, id: CallId, extension: ExtensionId) -> Option<Arc<CallView>> {
        let snapshot = Arc::clone(&self.snapshot);
        let call = self.calls.get_mut(&id)?;
        let of = |v: &&Arc<CallView>| v.extension.as_ref().is_some_and(|e| e.id == extension);
        shown(call, &snapshot).iter().find(of).cloned()
    }
}

fn shown<'a>(call: &'a mut Call, snapshot: &Snapshot) -> &'a [Arc<CallView>] {
    if call.views.is_none() {
        call.views = Some(view::views(call, snapshot));
    }
    call.views.as_deref().unwrap_or(&[])
}
