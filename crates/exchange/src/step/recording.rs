//! Recording: an extension's talk is written to a file, beside the talk itself.
//!
//! A recording owns no leg. It is one extension's: it begins with its first talk, records what the
//! extension and its far party say to each other, whoever that is, and is over with the
//! extension's part. Then it waits until the file is complete. Who begins and ends one is
//! [`crate::exchange`], after every input; what it hears is asked for when all steps but the
//! monitors have said who hears whom, so that no whisper is in it.

use core::time::Duration;
use std::sync::Arc;

use leg::{
    CallFlow, Gain, LegId, MediaEventKind, MonitorMode, Recorder, RecorderId, Refusal, Source,
    Sources,
};
use model::{CallUuid, EndReason, ExtensionId, FileFormat, FileId, Mono, Now, Snapshot, Wall};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::monitoring::Monitoring;
use super::sounds::{Scene, Sounds};
use super::talking::Talking;
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer};
use crate::call::{Branch, BranchId, Call};
use crate::limits;
use crate::records;

/// An extension's talk is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The part in whose record it is named.
    pub branch: BranchId,
    /// Whose talk it is.
    pub extension: ExtensionId,
    /// The leg with which it began: media names it in events.
    pub leg: LegId,
    /// Its number.
    pub recorder: RecorderId,
    /// Its sound.
    pub file: FileId,
    /// The conversation of the part.
    pub conversation: CallUuid,
    /// `SubCallID` of the part.
    pub sub_call_id: Arc<str>,
    /// When it began.
    pub began: Wall,
    /// The same moment by the clock that nobody sets; `None`: an earlier version began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Mono>,
    /// How many channels it has.
    pub channels: Channels,
    /// What its file is to become.
    #[serde(default)]
    pub format: FileFormat,
    /// Whether the extension has called.
    pub flow: CallFlow,
    /// How far it has come.
    pub phase: Phase,
    /// It was long enough when it was over: events name it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub named: bool,
}

/// How many channels a recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channels {
    /// One: both speak in it.
    Mixed,
    /// Two: who has called is on the left.
    Stereo,
}

/// How far a recording has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// What is said is recorded.
    Recording,
    /// The part is over; the file is about to be complete.
    Keeping,
}

/// A talk that is to be recorded from now on.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// The part whose extension wants it.
    pub branch: BranchId,
    /// That extension's leg in the talk, or the one that its rules have led to.
    pub leg: LegId,
    /// How many channels it wants.
    pub channels: Channels,
    /// What it wants the file to be.
    pub format: FileFormat,
}

/// A talk that is to be recorded and is not: one of the two is an extension that wants it, who has
/// called before who was called, or a rule of such an extension has led to who was called.
pub fn due(call: &Call, snapshot: &Snapshot) -> Option<Due> {
    talks(call).find_map(|talk| due_in(talk, call, snapshot))
}

fn due_in(talk: &Talking, call: &Call, snapshot: &Snapshot) -> Option<Due> {
    let of = |leg: LegId| call.branches.get(call.legs.get(leg)?.branch);
    let own = [talk.a, talk.b].into_iter().filter_map(|leg| Some((of(leg)?, leg)));
    let forwarded = [talk.b, talk.a].into_iter().flat_map(|leg| {
        let root = call.root_of_leg(leg).filter(|_| of(leg).is_some_and(Branch::is_called));
        let parts = root.into_iter().flat_map(|root| call.branches_under(root));
        parts.filter(|part| has_led_on(part, call)).map(move |part| (part, leg))
    });
    let mut found = None;
    for (part, leg) in own.chain(forwarded) {
        // It is recorded, or was for as long as can be.
        if part.recording.is_some() {
            return None;
        }
        if found.is_none()
            && let Some((channels, format)) = wanted(part, part.id != of(leg)?.id, snapshot)
        {
            found = Some(Due { branch: part.id, leg, channels, format });
        }
    }
    let due = found?;
    let is_in_it = |leg: LegId| leg == talk.a || leg == talk.b;
    let is_recorded = running(call).any(|r| r.own_leg(call).is_some_and(is_in_it));
    (!is_recorded).then_some(due)
}

/// How the extension of a part wants its talks recorded, if at all.
fn wanted(part: &Branch, has_led_on: bool, snapshot: &Snapshot) -> Option<(Channels, FileFormat)> {
    let extension = snapshot.extension(part.extension?)?;
    let shown = &extension.phone.as_ref()?.shown;
    let is_forwarded = has_led_on || part.transferred;
    let is_wanted = shown.record_enabled && (shown.record_transfer || !is_forwarded);
    let channels = if shown.record_stereo { Channels::Stereo } else { Channels::Mixed };
    is_wanted.then_some((channels, shown.record_format.file()))
}

/// Whether a part is of an extension that was called and whose rules have led to somebody else.
fn has_led_on(part: &Branch, call: &Call) -> bool {
    part.flow == CallFlow::In && !part.over && call.legs_of(part.id).next().is_none()
}

fn talks(call: &Call) -> impl Iterator<Item = &Talking> {
    call.steps.values().filter_map(|step| match step {
        Step::Talking(talking) => Some(talking),
        _ => None,
    })
}

/// The recordings of a call that are not over.
pub fn running(call: &Call) -> impl Iterator<Item = &Recording> {
    recordings(call).filter(|r| r.phase == Phase::Recording)
}

fn recordings(call: &Call) -> impl Iterator<Item = &Recording> {
    call.steps.values().filter_map(|step| match step {
        Step::Recording(recording) => Some(recording),
        _ => None,
    })
}

/// The recording that the hangup event of a part names: none that is too short to be kept.
pub fn told(part: &Branch, call: &Call, now: Now) -> Option<Arc<str>> {
    let is_short = |r: &Recording| match r.phase {
        Phase::Recording => !r.is_long(now),
        Phase::Keeping => !r.named,
    };
    let is_dropped = recordings(call).any(|r| r.branch == part.id && is_short(r));
    records::record_uuid(part).filter(|_| !is_dropped)
}

impl Recording {
    /// Whether nothing will be said any more that belongs into it.
    pub fn is_over(&self, call: &Call) -> bool {
        let is_there = |part: &Branch| {
            let is_its = part.id == self.branch || part.extension == Some(self.extension);
            let mut owners = call.legs_of(part.id).filter_map(|leg| call.steps.get(leg.owner));
            let has_leg = call.legs_of(part.id).next().is_some();
            is_its && !part.over && (!has_leg || owners.any(may_talk_again))
        };
        !call.branches.values().any(is_there)
    }

    /// The extension's leg in its talk, or the one that its rules have led to.
    fn own_leg(&self, call: &Call) -> Option<LegId> {
        let part = |leg: &LegId| call.branches.get(call.legs.get(*leg)?.branch);
        let legs = || talks(call).flat_map(|talk| [talk.a, talk.b]);
        let in_part = || legs().find(|leg| part(leg).is_some_and(|b| b.id == self.branch));
        let of_extension =
            |leg: &LegId| part(leg).and_then(|b| b.extension) == Some(self.extension);
        let led_to = || {
            let own = call.branches.get(self.branch).filter(|own| has_led_on(own, call))?;
            let root = call.root(own.conversation);
            let is_led_to = |leg: &LegId| {
                call.root_of_leg(*leg) == Some(root) && part(leg).is_some_and(Branch::is_called)
            };
            legs().find(is_led_to)
        };
        in_part().or_else(|| legs().find(of_extension)).or_else(led_to)
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match (self.phase, input) {
            (_, StepInput::Sound(MediaEventKind::Recorded { recorder, length_ms }))
                if *recorder == self.recorder =>
            {
                self.is_complete(*length_ms, facts, actions);
                Next::Done
            }
            // There may be a file of it: what was recorded before its call came to this process.
            (Phase::Recording, StepInput::Sound(MediaEventKind::RecordingFailed(recorder)))
                if *recorder == self.recorder =>
            {
                self.looks_for_file(facts, actions)
            }
            (Phase::Keeping, StepInput::Sound(MediaEventKind::RecordingFailed(recorder)))
                if *recorder == self.recorder =>
            {
                Next::Done
            }
            // Nobody tells what became of it.
            (Phase::Keeping, StepInput::Timer(_)) => Next::Done,
            // The process that recorded it is gone: what it left tells whoever looks.
            (_, StepInput::EndAll(EndReason::Restart)) => self.looks_for_file(facts, actions),
            (Phase::Recording, StepInput::Gone(_)) => self.becomes_kept(facts, actions),
            (_, StepInput::Order(_)) => {
                actions.refuse(Refusal::NoSuchCall);
                Next::Stay(Step::Recording(self))
            }
            // It owns no leg, and ends with the part of its extension and not before.
            (
                _,
                StepInput::Leg(..)
                | StepInput::Digit { .. }
                | StepInput::Silent(_)
                | StepInput::Sound(_)
                | StepInput::Timer(_)
                | StepInput::HangUp { .. }
                | StepInput::EndAll(_)
                | StepInput::Given { .. }
                | StepInput::Gone(_),
            ) => Next::Stay(Step::Recording(self)),
        }
    }

    /// It waits for its file and for nothing else.
    fn becomes_kept(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::MESSAGE_KEPT });
        let named = self.is_long(facts.now);
        Next::Become(Step::Recording(Recording { phase: Phase::Keeping, named, ..self }))
    }

    fn looks_for_file(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let Recording { leg, recorder, file, .. } = self;
        actions.push(Action::FindRecording { leg, recorder, file });
        self.becomes_kept(facts, actions)
    }

    /// Whether it will be kept if its part is over now, however few frames were written meanwhile.
    pub fn is_long(&self, now: Now) -> bool {
        let min = Duration::from_millis(u64::from(limits::RECORDING_MIN_MS));
        self.since.is_none_or(|since| now.mono.since(since) >= min)
    }

    /// The moments that a saved one has of its clock.
    pub fn moments(&mut self) -> impl Iterator<Item = &mut Mono> {
        self.since.iter_mut()
    }

    /// The file is complete: it is a recording if there is something in it.
    fn is_complete(&self, length_ms: u32, facts: &Facts<'_>, actions: &mut Actions) {
        // What was named is kept: the sound is a little shorter than the time that it took.
        let least = if self.named { 1 } else { limits::RECORDING_MIN_MS };
        if length_ms < least {
            return;
        }
        actions.push(Action::Recorded(Box::new(leg::Recording {
            tenant: facts.snapshot.tenant.id,
            extension: self.extension,
            file: self.file,
            length_ms,
            call: self.conversation,
            sub_call_id: Arc::clone(&self.sub_call_id),
            time: self.began,
            format: self.format,
        })));
    }

    /// What it hears of what its extension says and is said to: voices, no music and no tones, and
    /// nothing that nobody hears.
    fn recorder(&self, monitors: &[&Monitoring], scene: &Scene<'_>, talk: &Sounds) -> Recorder {
        let mut own = SmallVec::<[LegId; 4]>::new();
        let mut far = SmallVec::<[LegId; 4]>::new();
        if let Some(leg) = self.own_leg(scene.call) {
            let hears = |listener: LegId| {
                let of = talk.hears.iter().filter(move |h| h.listener == listener);
                of.flat_map(|h| &h.sources).filter_map(|(source, _)| match source {
                    Source::Leg(leg) => Some(*leg),
                    Source::Player(_) => None,
                })
            };
            let mut others = talk.hears.iter().map(|h| h.listener).filter(|l| *l != leg);
            if others.any(|other| hears(other).any(|heard| heard == leg)) {
                own.push(leg);
            }
            far.extend(hears(leg).filter(|heard| *heard != leg));
            let joined = |m: &&&Monitoring| {
                let is_near = m.follows == leg || hears(leg).any(|heard| heard == m.follows);
                m.mode == MonitorMode::Conference && is_near && !scene.is_held(m.leg)
            };
            for monitor in monitors.iter().filter(joined) {
                own.push(monitor.leg);
                far.push(monitor.leg);
            }
        }
        let sources = |legs: &[LegId]| -> Sources {
            legs.iter().map(|leg| (Source::Leg(*leg), Gain::UNITY)).collect()
        };
        let channels = match (self.channels, self.flow) {
            (Channels::Stereo, CallFlow::Out) => smallvec![sources(&own), sources(&far)],
            (Channels::Stereo, CallFlow::In) => smallvec![sources(&far), sources(&own)],
            (Channels::Mixed, _) => {
                let rest: SmallVec<[LegId; 4]> =
                    far.iter().copied().filter(|leg| !own.contains(leg)).collect();
                own.extend(rest);
                smallvec![sources(&own)]
            }
        };
        Recorder {
            id: self.recorder,
            leg: self.leg,
            file: self.file,
            channels,
            silence_ms: None,
            max_ms: limits::RECORDING_MAX_MS,
        }
    }
}

/// Whether who is in a step may talk with its far party later on.
fn may_talk_again(step: &Step) -> bool {
    match step {
        Step::Talking(_)
        | Step::Seeking(_)
        | Step::Parked(_)
        | Step::Departing(_)
        | Step::Consulting(_) => true,
        Step::Serving(_)
        | Step::Voicemail(_)
        | Step::Clearing(_)
        | Step::Monitoring(_)
        | Step::Entering(_)
        | Step::Room(_)
        | Step::Telling(_)
        | Step::Mailbox(_)
        | Step::Recording(_) => false,
    }
}

/// What is recorded of what the other steps of a call have declared; monitors have not yet.
pub fn sounds(monitors: &[&Monitoring], scene: &Scene<'_>, to: &mut Sounds) {
    for recording in running(scene.call) {
        let recorder = recording.recorder(monitors, scene, to);
        to.recorders.push(recorder);
    }
}
