//! What no call names any more, kept for a moment.
//!
//! When two calls become one, each has its own command, and nobody says which comes first. What
//! the one names no more may be named by the other next: it waits here as it is, and goes on
//! there. A leg keeps its port, its lock and its streams; a clip its place, a recording its file.
//! What nobody names in time is ended.

use std::collections::VecDeque;

use ::leg::{Clip, MediaEvent, Player, Recorder};
use model::{CallId, FileId, Mono, Now, TenantId};
use smallvec::SmallVec;

use crate::clip::{ClipPlaying, Sound};
use crate::effects::{Effect, Effects, Recording};
use crate::limits::{PARTED_FRAMES, PARTED_MAX};

use super::leg::{Expectation, Hearing, Voice};
use super::sounds::Ear;
use super::{CallKey, LegKey, Plane};

/// What waits, the oldest first.
#[derive(Default)]
pub(super) struct Parted(VecDeque<Entry>);

struct Entry {
    until: Mono,
    what: Remains,
}

enum Remains {
    Leg(LegKey),
    Clip { tenant: TenantId, call: CallId, clip: ClipPlaying },
    Ear { tenant: TenantId, ear: Ear },
}

/// What a leg heard in the call that it has left.
pub(super) struct Past {
    /// The legs among it, as they were then: their slots may be others' by now.
    legs: SmallVec<[(LegKey, u64); 1]>,
    /// The players among it, and the tick with which each began.
    players: SmallVec<[(Player, u64); 1]>,
}

impl Plane {
    /// Takes a leg out of its call. What it heard is not resolved anew: it may go on.
    pub(super) fn depart(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get(key.0) else { return };
        let mut past = Past { legs: SmallVec::new(), players: SmallVec::new() };
        for voice in leg.hearing.voices() {
            match voice {
                Voice::Leg(source) => {
                    let serial = self.legs.get(source.0).map(|leg| leg.serial);
                    past.legs.extend(serial.map(|serial| (source, serial)));
                }
                Voice::Player(player) => {
                    let call = leg.call.and_then(|call| self.calls.get(call.0));
                    let began = call.and_then(|call| call.player_began(player));
                    past.players.extend(began.map(|tick| (player, tick)));
                }
            }
        }
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        leg.past = Some(Box::new(past));
        leg.relayed_to.clear();
        if let Some(call) = leg.call.take().and_then(|call| self.calls.get_mut(call.0)) {
            call.legs.retain(|other| *other != key);
        }
    }

    /// Makes a leg one of a call. The call is to be resolved anew.
    pub(super) fn join(&mut self, key: LegKey, to: CallKey) {
        let (Some(leg), Some(call)) = (self.legs.get_mut(key.0), self.calls.get_mut(to.0)) else {
            return;
        };
        self.counters.moved += u64::from(leg.call_id != call.id);
        (leg.call, leg.call_id) = (Some(to), call.id);
        call.legs.push(key);
    }

    /// Legs that have just joined a call hear on only what is still there; when their music began.
    pub(super) fn settle(&mut self, call: CallKey) -> SmallVec<[(Player, u64); 1]> {
        let mut began = SmallVec::new();
        let Some(call) = self.calls.get(call.0) else { return began };
        for key in &call.legs {
            let Some(past) = self.legs.get_mut(key.0).and_then(|leg| leg.past.take()) else {
                continue;
            };
            began.extend(past.players);
            let is_there = |(key, serial): &(LegKey, u64)| {
                self.legs.get(key.0).map(|l| l.serial) == Some(*serial)
            };
            if !past.legs.iter().all(is_there)
                && let Some(leg) = self.legs.get_mut(key.0)
            {
                leg.hearing = Hearing::Nothing;
                leg.seam.open();
                leg.sent.break_run();
            }
        }
        began
    }

    /// A leg that its call names no more waits for another to name it.
    pub(super) fn park_leg(&mut self, now: Now, key: LegKey, effects: &mut Effects) {
        self.depart(key);
        if let Some(leg) = self.legs.get_mut(key.0) {
            leg.watch.expect(now.mono, Expectation::NeedNot);
        }
        self.arm(key);
        self.park(now, Remains::Leg(key), effects);
    }

    pub(super) fn park_clips(
        &mut self,
        now: Now,
        key: CallKey,
        stays: &[Clip],
        effects: &mut Effects,
    ) {
        let Some(call) = self.calls.get_mut(key.0) else { return };
        let (tenant, id) = (call.tenant, call.id);
        let gone = |clip: &mut ClipPlaying| stays.iter().all(|wants| wants.id != clip.id());
        let gone: Vec<ClipPlaying> = call.clips.extract_if(.., gone).collect();
        for clip in gone {
            self.park(now, Remains::Clip { tenant, call: id, clip }, effects);
        }
    }

    pub(super) fn park_ears(
        &mut self,
        now: Now,
        key: CallKey,
        stays: &[Recorder],
        effects: &mut Effects,
    ) {
        let Some(call) = self.calls.get_mut(key.0) else { return };
        let tenant = call.tenant;
        let gone = |ear: &mut Ear| stays.iter().all(|wants| wants.id != ear.running.wants().id);
        let gone: Vec<Ear> = call.ears.extract_if(.., gone).collect();
        for ear in gone {
            self.park(now, Remains::Ear { tenant, ear }, effects);
        }
    }

    fn park(&mut self, now: Now, what: Remains, effects: &mut Effects) {
        if self.parted.0.len() >= PARTED_MAX
            && let Some(oldest) = self.parted.0.pop_front()
        {
            self.end_parted(now, oldest.what, effects);
        }
        // On every fifth tick, so that what parts meanwhile costs one waking.
        let tick = self.tick_at(now.mono).next_multiple_of(PARTED_FRAMES);
        let until = self.time_of(tick + PARTED_FRAMES);
        self.parted.0.push_back(Entry { until, what });
    }

    /// A leg waits no more. Whoever asks ends it or gives it to a call.
    pub(super) fn unpark_leg(&mut self, key: LegKey) {
        let is = |entry: &Entry| matches!(entry.what, Remains::Leg(parted) if parted == key);
        if let Some(place) = self.parted.0.iter().position(is) {
            self.parted.0.remove(place);
        }
    }

    /// The clip that a call names, if another had it until now: one of those that it took legs
    /// from, or one whose command came first.
    pub(super) fn claim_clip(
        &mut self,
        of: TenantId,
        wants: &Clip,
        left: &[CallKey],
    ) -> Option<ClipPlaying> {
        let is = |clip: &ClipPlaying| clip.is(wants);
        for key in left {
            let Some(call) = self.calls.get_mut(key.0) else { continue };
            if let Some(place) = call.clips.iter().position(is) {
                return Some(call.clips.remove(place));
            }
        }
        let is = |entry: &Entry| match &entry.what {
            Remains::Clip { tenant, clip, .. } => *tenant == of && is(clip),
            _ => false,
        };
        let place = self.parted.0.iter().position(is)?;
        match self.parted.0.remove(place)?.what {
            Remains::Clip { clip, .. } => Some(clip),
            _ => None,
        }
    }

    /// The same of a recorder.
    pub(super) fn claim_ear(
        &mut self,
        of: TenantId,
        wants: &Recorder,
        left: &[CallKey],
    ) -> Option<Ear> {
        let is = |ear: &Ear| {
            let has = ear.running.wants();
            (has.id, has.file) == (wants.id, wants.file)
        };
        for key in left {
            let Some(call) = self.calls.get_mut(key.0) else { continue };
            if let Some(place) = call.ears.iter().position(is) {
                return Some(call.ears.remove(place));
            }
        }
        let is = |entry: &Entry| match &entry.what {
            Remains::Ear { tenant, ear } => *tenant == of && is(ear),
            _ => false,
        };
        let place = self.parted.0.iter().position(is)?;
        match self.parted.0.remove(place)?.what {
            Remains::Ear { ear, .. } => Some(ear),
            _ => None,
        }
    }

    /// Ends what has waited long enough.
    pub(super) fn expire_parted(&mut self, now: Now, effects: &mut Effects) {
        while let Some(entry) = self.parted.0.pop_front_if(|entry| entry.until <= now.mono) {
            self.end_parted(now, entry.what, effects);
        }
    }

    fn end_parted(&mut self, now: Now, what: Remains, effects: &mut Effects) {
        match what {
            Remains::Leg(key) => self.remove_leg(now, key, effects),
            Remains::Clip { .. } => {}
            Remains::Ear { mut ear, .. } => ear.running.end(effects),
        }
    }

    /// A file has come that a clip among these may wait for.
    pub(super) fn file_for_parted(
        &mut self,
        file: FileId,
        sound: Option<&Sound>,
        effects: &mut Effects,
    ) {
        for entry in &mut self.parted.0 {
            if let Remains::Clip { tenant, call, clip } = &mut entry.what
                && let Some(kind) = clip.take(file, sound)
            {
                let event = MediaEvent { call: *call, leg: clip.leg(), kind };
                effects.push(Effect::Event { tenant: *tenant, event });
            }
        }
    }

    /// A recording among these cannot be written.
    pub(super) fn parted_recording_failed(&mut self, recording: Recording) {
        for entry in &mut self.parted.0 {
            if let Remains::Ear { ear, .. } = &mut entry.what
                && ear.running.recording() == recording
            {
                ear.running.give_up();
            }
        }
    }
}

impl Parted {
    /// When the oldest is ended.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.0.front().map(|entry| entry.until)
    }

    /// The legs among it.
    pub(super) fn legs(&self) -> impl Iterator<Item = LegKey> {
        self.0.iter().filter_map(|entry| match &entry.what {
            Remains::Leg(key) => Some(*key),
            _ => None,
        })
    }

    pub(super) fn is_in_order(&self) -> bool {
        self.0.iter().map(|entry| entry.until).is_sorted() && self.0.len() <= PARTED_MAX
    }
}
