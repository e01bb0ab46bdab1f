//! Talks that are recorded: when a recording begins, and when it is over.

use leg::{CallFlow, LegId};
use model::Now;

use super::Exchange;
use super::stepping::Panicked;
use crate::call::{Call, StepId};
use crate::interface::{Effect, Facilities};
use crate::records;
use crate::step::recording::{self, Due, Phase, Recording};
use crate::step::{self, Step, StepInput};

impl Exchange {
    /// Recordings whose extension is out are told so; talks that are to be recorded are from now
    /// on. Called when something of a call has changed.
    pub(super) fn record(
        &mut self,
        now: Now,
        call: &mut Call,
        facilities: &mut Facilities<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Panicked> {
        while let Some((step, leg)) = over(call) {
            self.step(now, call, step, &StepInput::Gone(leg), facilities, effects)?;
        }
        while let Some(due) = recording::due(call, &self.snapshot) {
            if self.begin_recording(now, call, due).is_none() {
                break;
            }
        }
        Ok(())
    }

    fn begin_recording(&mut self, now: Now, call: &mut Call, due: Due) -> Option<()> {
        let part = call.branches.get(due.branch)?;
        let (extension, of) = (part.extension?, call.conversation_of(part)?);
        let id = StepId(step::next(&mut self.numbers.step));
        let mut actions = self.fresh_actions(id);
        let recorder = actions.fresh_recorder();
        (self.numbers, self.actions) = (actions.numbers, actions.list);
        let file = records::file_of(part, recorder);
        let recording = Recording {
            branch: part.id,
            extension,
            leg: due.leg,
            recorder,
            file,
            conversation: of.api_id.uuid,
            sub_call_id: records::sub_call_id(part),
            began: now.wall,
            since: Some(now.mono),
            channels: due.channels,
            format: due.format,
            flow: if part.is_called() { CallFlow::In } else { CallFlow::Out },
            phase: Phase::Recording,
            named: false,
        };
        call.branches.get_mut(due.branch)?.recording = Some(file);
        call.steps.insert(id, Step::Recording(recording));
        call.unsaved = true;
        Some(())
    }
}

/// A recording whose extension is out, with the leg by which media knows it.
fn over(call: &Call) -> Option<(StepId, LegId)> {
    call.steps.iter().find_map(|(id, step)| match step {
        Step::Recording(r) if r.phase == Phase::Recording && r.is_over(call) => Some((id, r.leg)),
        _ => None,
    })
}
