//! The files of the simulated node: sounds that are there, recordings that are made.

use core::time::Duration;
use std::collections::BTreeMap;

use leg::{MediaEvent, MediaEventKind};
use media::pcm::Rate;
use media::{Effect, Effects, Recording, Sound, Taken};
use model::FileId;

use super::{Event, World};

/// Time that the disk takes to complete a file.
const COMPLETING: Duration = Duration::from_millis(30);

/// What outlives the process.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// What a clip can play, complete recordings included.
    pub(crate) sounds: BTreeMap<FileId, Sound>,
    /// Complete recordings, by channel.
    pub(crate) recordings: BTreeMap<FileId, Vec<Vec<i16>>>,
    /// Whether it takes nothing.
    pub(crate) is_full: bool,
    /// Recordings under way, by media plane.
    open: BTreeMap<(usize, Recording), (Taken, Vec<i16>)>,
}

impl World {
    /// Carries out what concerns files; `needed` gets what the plane waits for.
    pub(super) fn disk(
        &mut self,
        shard: usize,
        effect: Effect,
        effects: &Effects,
        needed: &mut Vec<FileId>,
    ) {
        match effect {
            Effect::NeedFile { file } => needed.push(file),
            Effect::RecordStart { recording, taken } => {
                self.disk.open.insert((shard, recording), (taken, Vec::new()));
                if self.disk.is_full {
                    self.recording_fails(shard, recording);
                }
            }
            Effect::Record { recording, bytes } => {
                if let Some((_, samples)) = self.disk.open.get_mut(&(shard, recording)) {
                    let pairs = effects.bytes(&[], bytes).chunks_exact(2);
                    samples.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
                }
                if self.disk.is_full {
                    self.recording_fails(shard, recording);
                }
            }
            Effect::FindRecording(sought) => {
                let found = self.disk.recordings.get(&sought.file);
                let samples = found.and_then(|channels| channels.first()).map(Vec::len);
                let length_ms = samples.and_then(|n| u32::try_from(n / 8).ok());
                let (tenant, event) = (sought.tenant, sought.found(length_ms));
                self.queue.push(self.now + COMPLETING, Event::Media { shard, tenant, event });
            }
            Effect::RecordMoved { recording, call, leg } => {
                if let Some((taken, _)) = self.disk.open.get_mut(&(shard, recording)) {
                    (taken.call, taken.leg) = (call, leg);
                }
            }
            Effect::RecordEnd { recording } => {
                let Some((taken, samples)) = self.disk.open.remove(&(shard, recording)) else {
                    return;
                };
                let length_ms = taken.length_ms(2 * samples.len() as u64);
                self.disk.complete(&taken, &samples);
                let recorder = taken.recorder;
                self.tell_owner(shard, &taken, MediaEventKind::Recorded { recorder, length_ms });
            }
            _ => self.fail("an effect that concerns no file"),
        }
    }

    /// Gives a plane the files that it waits for.
    pub(super) fn answer_files(&mut self, shard: usize, needed: &[FileId], effects: &mut Effects) {
        let Some(node) = &mut self.node else { return };
        for file in needed {
            node.planes[shard].file(*file, self.disk.sounds.get(file), effects);
        }
    }

    /// The process has died: what it was recording is found by the next one.
    pub(super) fn find_leftovers(&mut self) {
        for (_, (taken, samples)) in core::mem::take(&mut self.disk.open) {
            if taken.length_ms(2 * samples.len() as u64) >= 1_000 {
                self.disk.complete(&taken, &samples);
            }
        }
    }

    fn recording_fails(&mut self, shard: usize, recording: Recording) {
        let Some((taken, _)) = self.disk.open.remove(&(shard, recording)) else { return };
        let wall = self.wall();
        if let Some(node) = &mut self.node {
            let own = node.clock(self.now, wall);
            node.planes[shard].recording_failed(own, recording);
        }
        self.tell_owner(shard, &taken, MediaEventKind::RecordingFailed(taken.recorder));
    }

    fn tell_owner(&mut self, shard: usize, taken: &Taken, kind: MediaEventKind) {
        let event = MediaEvent { call: taken.call, leg: taken.leg, kind };
        let event = Event::Media { shard, tenant: taken.tenant, event };
        self.queue.push(self.now + COMPLETING, event);
    }
}

impl Disk {
    fn complete(&mut self, taken: &Taken, samples: &[i16]) {
        let channels = usize::from(taken.channels.max(1));
        let channel = |n: usize| samples.iter().skip(n).step_by(channels).copied().collect();
        let mono: Vec<i16> = samples
            .chunks(channels)
            .map(|frame| {
                let sum: i32 = frame.iter().map(|s| i32::from(*s)).sum();
                i16::try_from(sum / frame.len() as i32).unwrap_or(0)
            })
            .collect();
        let rate = Rate::ALL.into_iter().find(|rate| rate.hz() == taken.rate_hz);
        let sound = Sound { rate: rate.unwrap_or_default(), samples: mono.into() };
        self.sounds.insert(taken.file, sound);
        self.recordings.insert(taken.file, (0..channels).map(channel).collect());
    }
}
