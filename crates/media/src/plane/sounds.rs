//! Clips and recorders of a call: begun and ended as commanded, fed with files.

use ::leg::{Clip, LegId, MediaEvent, MediaEventKind, Recorder, Source};
use model::{FileId, Now};
use slab::Slab;

use crate::clip::{ClipPlaying, Sound};
use crate::counters::Dropped;
use crate::effects::{Effect, Effects, Recording};
use crate::limits::{CLIPS_PER_CALL_MAX, RECORDERS_PER_CALL_MAX};
use crate::pcm::Rate;
use crate::recorder::RecorderRunning;

use super::leg::{Leg, Voice};
use super::{Call, CallKey, Plane};

/// A recorder with what its channels hear, resolved.
pub(super) struct Ear {
    pub(super) running: RecorderRunning,
    pub(super) channels: Vec<Vec<(Voice, ::leg::Gain)>>,
}

impl Plane {
    /// A file that [`Effect::NeedFile`] asked for is here, or cannot be had. Files that nobody
    /// waits for are passed over.
    pub fn file(&mut self, file: FileId, sound: Option<&Sound>, effects: &mut Effects) {
        for (_, call) in &mut self.calls {
            for n in 0..call.clips.len() {
                let Some(clip) = call.clips.get_mut(n) else { continue };
                let leg = clip.leg();
                if let Some(kind) = clip.take(file, sound) {
                    effects.push(call.event(leg, kind));
                }
            }
        }
        self.file_for_parted(file, sound, effects);
    }

    /// A recording's file cannot be written. Nothing is told: who says so here tells its owner.
    pub fn recording_failed(&mut self, now: Now, recording: Recording) {
        let find = |ear: &&mut Ear| ear.running.recording() == recording;
        let mut calls = self.calls.iter_mut();
        let found = calls.find_map(|(key, call)| Some((key, call.ears.iter_mut().find(find)?)));
        if let Some((key, ear)) = found {
            ear.running.give_up();
            self.watch_clock(now, CallKey(key));
        } else {
            self.parted_recording_failed(recording);
        }
    }

    /// Begins the clips that are new and ends those that are declared no more.
    pub(super) fn set_clips(
        &mut self,
        now: Now,
        key: CallKey,
        clips: Vec<Clip>,
        left: &[CallKey],
        effects: &mut Effects,
    ) {
        let next_tick = self.next_tick(now, key);
        self.park_clips(now, key, &clips, effects);
        for clip in clips {
            let Some(call) = self.calls.get_mut(key.0) else { return };
            if let Some(playing) = call.clips.iter_mut().find(|playing| playing.id() == clip.id) {
                playing.pass_on(clip.leg);
                continue;
            }
            let (tenant, has_room) = (call.tenant, call.clips.len() < CLIPS_PER_CALL_MAX);
            let moved = has_room.then(|| self.claim_clip(tenant, &clip, left)).flatten();
            let Some(call) = self.calls.get_mut(key.0) else { return };
            if let Some(moved) = moved {
                call.clips.push(moved);
                continue;
            }
            let playing = (call.clips.len() < CLIPS_PER_CALL_MAX)
                .then(|| ClipPlaying::new(clip, next_tick))
                .flatten();
            let Some(playing) = playing else {
                self.counters.drop_one(Dropped::ClipRefused);
                continue;
            };
            for file in playing.files() {
                effects.push(Effect::NeedFile { file });
            }
            call.clips.push(playing);
        }
    }

    /// Begins the recorders that are new and completes those that are declared no more.
    pub(super) fn set_recorders(
        &mut self,
        now: Now,
        key: CallKey,
        recorders: &[Recorder],
        left: &[CallKey],
        effects: &mut Effects,
    ) {
        self.park_ears(now, key, recorders, effects);
        for wants in recorders {
            let Some(call) = self.calls.get_mut(key.0) else { return };
            if let Some(ear) = call.ears.iter_mut().find(|ear| ear.running.wants().id == wants.id) {
                ear.running.declare(wants, call.id, effects);
                continue;
            }
            let (tenant, id) = (call.tenant, call.id);
            let has_room = call.ears.len() < RECORDERS_PER_CALL_MAX;
            let moved = has_room.then(|| self.claim_ear(tenant, wants, left)).flatten();
            let Some(call) = self.calls.get_mut(key.0) else { return };
            if let Some(mut ear) = moved {
                ear.running.declare(wants, id, effects);
                call.ears.push(ear);
                continue;
            }
            let recording = Recording(self.recordings);
            let of = (tenant, id);
            let rate = rate_of(wants, call, &self.legs);
            let running = (call.ears.len() < RECORDERS_PER_CALL_MAX)
                .then(|| RecorderRunning::start(wants.clone(), recording, of, rate, effects))
                .flatten();
            let Some(running) = running else {
                self.counters.drop_one(Dropped::RecorderRefused);
                continue;
            };
            self.recordings += 1;
            call.ears.push(Ear { running, channels: Vec::new() });
        }
    }

    /// Resolves what the recorders hear.
    pub(super) fn resolve_recorders(&mut self, key: CallKey) {
        let Some(call) = self.calls.get(key.0) else { return };
        let heard: Vec<Vec<_>> = call
            .ears
            .iter()
            .map(|ear| {
                let channels = &ear.running.wants().channels;
                channels.iter().map(|sources| self.voices(call, sources).into_vec()).collect()
            })
            .collect();
        let Some(call) = self.calls.get_mut(key.0) else { return };
        for (ear, channels) in call.ears.iter_mut().zip(heard) {
            ear.channels = channels;
        }
    }
}

/// 16 kHz as soon as one of the sources has so much to say: a recording is for speech.
fn rate_of(wants: &Recorder, call: &Call, legs: &Slab<Leg>) -> Rate {
    let is_wide = |source: &Source| {
        let Source::Leg(id) = source else { return false };
        let leg = call.legs.iter().filter_map(|key| legs.get(key.0)).find(|leg| leg.id == *id);
        leg.and_then(Leg::speaks).is_some_and(|codec| Rate::of(codec) > Rate::Narrow)
    };
    let sources = wants.channels.iter().flatten().map(|(source, _)| source);
    if sources.into_iter().any(is_wide) { Rate::Wide } else { Rate::Narrow }
}

impl Call {
    pub(super) fn event(&self, leg: LegId, kind: MediaEventKind) -> Effect {
        Effect::Event { tenant: self.tenant, event: MediaEvent { call: self.id, leg, kind } }
    }

    /// Whether the 20 ms clock has a clip or a recorder of this call to serve.
    pub(super) fn sounds_run(&self) -> bool {
        self.clips.iter().any(|clip| !clip.is_over())
            || self.ears.iter().any(|ear| !ear.running.is_over())
    }

    /// What the recorders hear, also those that are over and still declared.
    pub(super) fn recorded(&self) -> impl Iterator<Item = Voice> {
        self.ears.iter().flat_map(|ear| ear.channels.iter().flatten().map(|(voice, _)| *voice))
    }
}
