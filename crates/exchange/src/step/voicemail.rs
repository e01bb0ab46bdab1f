//! Voicemail: a machine has taken the call, and somebody leaves a message.
//!
//! Greeting, beep, recording, and - when all legs are gone - keeping: the call lives on until the
//! file of the message is complete, so that nothing is lost.

use core::time::Duration;

use leg::{
    Gain, LegEvent, LegId, MediaEventKind, Piece, Recorder, RecorderId, Refusal, Source, Sources,
    Tone,
};
use model::{Digit, EndReason, FileId, Wall};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::sounds::{Saying, Scene, Sounds};
use super::upkeep::{self, Upkeep};
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer};
use crate::call::{Branch, BranchId};
use crate::conversation::ConversationId;
use crate::limits;
use crate::records;

/// Somebody leaves a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Voicemail {
    /// Who leaves it.
    pub leg: LegId,
    /// The part of the extension for which it is left.
    pub branch: BranchId,
    /// How far it has come.
    pub phase: Phase,
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// The greeting sounds.
    Greeting(Saying),
    /// The tone sounds after which one speaks.
    Beep(Saying),
    /// What is said is recorded.
    Recording {
        /// Its number.
        recorder: RecorderId,
        /// When it began.
        began: Wall,
    },
    /// The call is over; the message is about to be complete.
    Keeping(Box<Left>),
}

/// A message that is about to be complete, with what remains of the call to tell of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The part of the extension for which it was left, which is over.
    pub branch: Branch,
    /// Number of its recording.
    pub recorder: RecorderId,
    /// Its sound.
    pub file: FileId,
    /// When the recording began.
    pub began: Wall,
    /// It ends with so much silence, milliseconds.
    pub silence_ms: u32,
}

impl Voicemail {
    /// Begins with the greeting. The caller is answered already, or is being answered.
    pub fn begin(
        leg: LegId,
        branch: BranchId,
        greeting: Vec<Piece>,
        at_most: Duration,
        actions: &mut Actions,
    ) -> Voicemail {
        let saying = Saying { clip: actions.fresh_clip(), pieces: greeting };
        actions.push(Action::Timer { timer: Timer::Phase, after: at_most });
        Voicemail { leg, branch, phase: Phase::Greeting(saying) }
    }

    /// The conversation of which there is something to write down when it is over.
    pub fn conversation(&self) -> Option<ConversationId> {
        match &self.phase {
            Phase::Keeping(left) => Some(left.branch.conversation),
            Phase::Greeting(_) | Phase::Beep(_) | Phase::Recording { .. } => None,
        }
    }

    /// What is said to the caller.
    pub fn saying(&self) -> Option<&Saying> {
        match &self.phase {
            Phase::Greeting(saying) | Phase::Beep(saying) => Some(saying),
            Phase::Recording { .. } | Phase::Keeping(_) => None,
        }
    }

    /// The recording whose end it waits for.
    pub fn recorder(&self) -> Option<RecorderId> {
        match &self.phase {
            Phase::Greeting(_) | Phase::Beep(_) => None,
            Phase::Recording { recorder, .. } => Some(*recorder),
            Phase::Keeping(left) => Some(left.recorder),
        }
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if let Phase::Keeping(left) = &self.phase {
            if left.is_settled_by(input, actions) {
                return Next::Done;
            }
            if matches!(input, StepInput::EndAll(EndReason::Restart)) {
                left.is_sought(self.leg, actions);
            }
            return self.stays();
        }
        match upkeep::of(input, facts, actions) {
            Some(Upkeep::Over(reason)) => return self.over(reason, 0, facts, actions),
            Some(Upkeep::Done) => return self.stays(),
            None => {}
        }
        match input {
            StepInput::Leg(_, LegEvent::Digit(digit)) | StepInput::Digit { digit, .. } => {
                self.key(*digit, facts, actions)
            }
            StepInput::Sound(kind) => self.sound(*kind, facts, actions),
            // Media has not said that it is over, which it is.
            StepInput::Timer(Timer::Phase) => self.goes_on(facts, actions),
            // Nobody is at the other end.
            StepInput::Order(order) => {
                actions.refuse(Refusal::no_far_party(&order.action));
                self.stays()
            }
            // Sessions and acknowledgements are facts of the leg; it has no other timers.
            // The leg is kept up already.
            StepInput::Leg(..)
            | StepInput::Silent(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_)
            | StepInput::Timer(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => self.stays(),
        }
    }

    fn stays(self) -> Next {
        Next::Stay(Step::Voicemail(self))
    }

    fn becomes(self, phase: Phase) -> Next {
        Next::Become(Step::Voicemail(Voicemail { phase, ..self }))
    }

    fn key(self, digit: Digit, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match (&self.phase, digit.as_char()) {
            (Phase::Greeting(_) | Phase::Recording { .. }, '#') => self.goes_on(facts, actions),
            // Nothing else is asked for, and the tone is soon over.
            _ => self.stays(),
        }
    }

    fn sound(self, kind: MediaEventKind, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match (kind, &self.phase) {
            (MediaEventKind::ClipDone(clip), Phase::Greeting(saying) | Phase::Beep(saying))
                if saying.clip == clip =>
            {
                self.goes_on(facts, actions)
            }
            (MediaEventKind::RecorderSilent(of), Phase::Recording { recorder, .. })
                if of == *recorder =>
            {
                self.over(EndReason::ServiceDone, limits::MESSAGE_SILENCE_MS, facts, actions)
            }
            (
                MediaEventKind::RecorderFull(of) | MediaEventKind::RecordingFailed(of),
                Phase::Recording { recorder, .. },
            ) if of == *recorder => self.over(EndReason::ServiceDone, 0, facts, actions),
            // It was full, and is complete already.
            (
                MediaEventKind::Recorded { recorder: of, length_ms },
                Phase::Recording { recorder, .. },
            ) if of == *recorder => {
                let left = self.left(0, facts);
                self.leave(EndReason::ServiceDone, facts, actions);
                if let Some(left) = left {
                    left.is_complete(length_ms, actions);
                }
                Next::Done
            }
            // A greeting that is damaged is left out; the rest is of a phase that is over.
            _ => self.stays(),
        }
    }

    /// The present phase is over: the next one.
    fn goes_on(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match &self.phase {
            Phase::Greeting(_) => {
                let pieces = vec![Piece::Tone(Tone::Test, limits::BEEP_MS)];
                let beep = Saying { clip: actions.fresh_clip(), pieces };
                let after = Duration::from_millis(limits::BEEP_MS.into()) + limits::CLIP_GRACE;
                actions.push(Action::Timer { timer: Timer::Phase, after });
                self.becomes(Phase::Beep(beep))
            }
            Phase::Beep(_) => {
                let recorder = actions.fresh_recorder();
                let after =
                    Duration::from_millis(limits::MESSAGE_MAX_MS.into()) + limits::CLIP_GRACE;
                actions.push(Action::Timer { timer: Timer::Phase, after });
                self.becomes(Phase::Recording { recorder, began: facts.now.wall })
            }
            Phase::Recording { .. } | Phase::Keeping(_) => {
                self.over(EndReason::ServiceDone, 0, facts, actions)
            }
        }
    }

    /// The call is over; if something was recorded, it waits for the file.
    fn over(
        self,
        reason: EndReason,
        silence_ms: u32,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let left = self.left(silence_ms, facts);
        self.leave(reason, facts, actions);
        let Some(left) = left else { return Next::Done };
        if reason == EndReason::Restart {
            left.is_sought(self.leg, actions);
        } else {
            actions.push(Action::Timer { timer: Timer::Phase, after: limits::MESSAGE_KEPT });
        }
        self.becomes(Phase::Keeping(Box::new(left)))
    }

    /// What was recorded so far.
    fn left(&self, silence_ms: u32, facts: &Facts<'_>) -> Option<Left> {
        let Phase::Recording { recorder, began } = self.phase else { return None };
        let branch = facts.call.branches.get(self.branch)?.clone();
        let file = records::file_of(&branch, recorder);
        Some(Left { branch, recorder, file, began, silence_ms })
    }

    /// Everybody is out but who has sent the caller here by REFER, and is about to hang up itself.
    fn leave(&self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) {
        actions.push(Action::End { leg: self.leg, reason });
        let Some(root) = facts.call.root_of_leg(self.leg) else { return };
        let is_elsewhere = |id| facts.call.legs_of(id).any(|leg| leg.id != self.leg);
        for branch in facts.call.branches_under(root).filter(|b| !is_elsewhere(b.id)) {
            actions.push(Action::Leave { branch: branch.id, reason, status: None });
        }
    }

    /// What is said to the caller, then what the caller says.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        match &self.phase {
            Phase::Greeting(saying) | Phase::Beep(saying) => to.say(scene, self.leg, saying),
            Phase::Recording { recorder, .. } => {
                let Some(branch) = scene.call.branches.get(self.branch) else { return };
                let caller: Sources = smallvec![(Source::Leg(self.leg), Gain::UNITY)];
                to.recorders.push(Recorder {
                    id: *recorder,
                    leg: self.leg,
                    file: records::file_of(branch, *recorder),
                    channels: smallvec![caller],
                    silence_ms: Some(limits::MESSAGE_SILENCE_MS),
                    max_ms: limits::MESSAGE_MAX_MS,
                });
            }
            Phase::Keeping(_) => {}
        }
    }
}

impl Left {
    /// The process that recorded it is gone: what it left tells whoever looks.
    fn is_sought(&self, leg: LegId, actions: &mut Actions) {
        let Left { recorder, file, .. } = *self;
        actions.push(Action::FindRecording { leg, recorder, file });
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::MESSAGE_KEPT });
    }

    /// Waits for the file and for nothing else, whatever else happens to the call.
    fn is_settled_by(&self, input: &StepInput<'_>, actions: &mut Actions) -> bool {
        match input {
            StepInput::Sound(MediaEventKind::Recorded { recorder, length_ms })
                if *recorder == self.recorder =>
            {
                self.is_complete(*length_ms, actions);
                true
            }
            StepInput::Sound(MediaEventKind::RecordingFailed(recorder)) => {
                *recorder == self.recorder
            }
            // Nobody tells what became of it.
            StepInput::Timer(_) => true,
            _ => false,
        }
    }

    /// The file is complete: it is a message if somebody has said something.
    fn is_complete(&self, length_ms: u32, actions: &mut Actions) {
        if length_ms >= limits::MESSAGE_MIN_MS + self.silence_ms {
            actions.push(Action::Message { left: Box::new(self.clone()), length_ms });
        }
    }
}
