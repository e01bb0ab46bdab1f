//! The list that a step writes its actions to, with the numbers for what they make.

use leg::{ClipId, LegId, RecorderId, Refusal};
use model::CallUuid;

use super::Action;
use crate::call::{BranchId, StepId};
use crate::conversation::ConversationId;

/// The numbers that are given next in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Of a leg that is dialled.
    pub leg: u64,
    /// Of a branch.
    pub branch: u64,
    /// Of a step.
    pub step: u64,
    /// Of a conversation.
    pub conversation: u64,
    /// Of a clip or recording. It may come round: no call lasts that long.
    pub sound: u32,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers { leg: 1, branch: 1, step: 1, conversation: 1, sound: 1 }
    }
}

/// The list of actions of one step, with the numbers for what they make.
#[derive(Debug)]
pub struct Actions {
    /// The actions, in order.
    pub list: Vec<Action>,
    /// The numbers that are free.
    pub numbers: Numbers,
    /// Whose actions are added now.
    pub acting: StepId,
    /// What the step says to [`StepInput::Order`](super::StepInput::Order).
    pub answer: Option<Result<Accepted, Refusal>>,
}

/// An order is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The slot that it concerned.
    pub slot: Option<u8>,
    /// The conversation that is, or was, in it.
    pub parked: Option<CallUuid>,
}

impl Actions {
    /// Adds an action.
    pub fn push(&mut self, action: Action) {
        self.list.push(action);
    }

    /// What is added from now on is this step's.
    pub fn act_as(&mut self, step: StepId) {
        self.acting = step;
        self.push(Action::As(step));
    }

    /// An order is carried out.
    pub fn accept(&mut self) {
        self.answer = Some(Ok(Accepted::default()));
    }

    /// An order is not carried out; the step changes nothing.
    pub fn refuse(&mut self, refusal: Refusal) {
        let is_row = |action: &Action| matches!(action, Action::Audit(_));
        debug_assert!(self.list.iter().all(is_row), "a refused order changes nothing");
        self.answer = Some(Err(refusal));
    }

    /// A number for a leg to dial.
    pub fn fresh_leg(&mut self) -> LegId {
        LegId::outgoing(next(&mut self.numbers.leg))
    }

    /// A number for a branch to open.
    pub fn fresh_branch(&mut self) -> BranchId {
        BranchId(next(&mut self.numbers.branch))
    }

    /// A number for a step to begin.
    pub fn fresh_step(&mut self) -> StepId {
        StepId(next(&mut self.numbers.step))
    }

    /// A number for a conversation to begin.
    pub fn fresh_conversation(&mut self) -> ConversationId {
        ConversationId(next(&mut self.numbers.conversation))
    }

    /// A number for a clip to play.
    pub fn fresh_clip(&mut self) -> ClipId {
        ClipId(self.fresh_sound())
    }

    /// A number for a recording.
    pub fn fresh_recorder(&mut self) -> RecorderId {
        RecorderId(self.fresh_sound())
    }

    fn fresh_sound(&mut self) -> u32 {
        let number = self.numbers.sound;
        self.numbers.sound = number.wrapping_add(1);
        number
    }
}

/// The present number; the next one is next.
pub(crate) fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number - 1
}
