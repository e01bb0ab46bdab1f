//! Recorders: one more listener, whose ear is a file.

use leg::{MediaEventKind, Recorder};
use model::{CallId, TenantId};
use smallvec::SmallVec;

use crate::effects::{Effect, Effects, Recording, Taken};
use crate::limits::{FRAME, RECORD_BATCH_FRAMES, VOICE_DBFS, VOICE_FRAMES, WAV_CHANNELS_MAX};
use crate::pcm::{Mixed, Rate};

/// What a recorder has to tell after a frame.
pub(crate) type RecorderEvents = SmallVec<[MediaEventKind; 2]>;

/// A recording under way.
#[derive(Debug)]
pub(crate) struct RecorderRunning {
    wants: Recorder,
    call: CallId,
    recording: Recording,
    rate: Rate,
    state: State,
    /// The channels in turn, up to [`RECORD_BATCH_FRAMES`] of them.
    samples: Vec<i16>,
    frames: u64,
    quiet: Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// Full, or its file failed: it records nothing until it is declared no more.
    Over,
}

/// How long nobody has spoken.
#[derive(Debug, Default)]
struct Quiet {
    frames: u64,
    /// Frames in a row that were loud.
    loud: u32,
    told: bool,
}

impl RecorderRunning {
    /// Begins a recording; `None`: it has no channel, or too many.
    pub(crate) fn start(
        wants: Recorder,
        recording: Recording,
        (tenant, call): (TenantId, CallId),
        rate: Rate,
        effects: &mut Effects,
    ) -> Option<RecorderRunning> {
        let channels = u16::try_from(wants.channels.len()).ok()?;
        if !(1..=WAV_CHANNELS_MAX).contains(&channels) {
            return None;
        }
        let taken = Taken {
            tenant,
            call,
            leg: wants.leg,
            recorder: wants.id,
            file: wants.file,
            rate_hz: rate.hz(),
            channels,
        };
        effects.push(Effect::RecordStart { recording, taken });
        Some(RecorderRunning {
            wants,
            call,
            recording,
            rate,
            state: State::Running,
            samples: Vec::new(),
            frames: 0,
            quiet: Quiet::default(),
        })
    }

    pub(crate) fn wants(&self) -> &Recorder {
        &self.wants
    }

    /// What is declared now; the file and the channels' number stay those of the beginning. It is
    /// declared in `call`, which need not be the one that it came from.
    pub(crate) fn declare(&mut self, wants: &Recorder, call: CallId, effects: &mut Effects) {
        let has_moved = self.call != call || self.wants.leg != wants.leg;
        (self.call, self.wants.leg) = (call, wants.leg);
        if has_moved && !self.is_over() {
            let (recording, leg) = (self.recording, wants.leg);
            effects.push(Effect::RecordMoved { recording, call, leg });
        }
        if wants.channels.len() == self.wants.channels.len() {
            self.wants.channels.clone_from(&wants.channels);
        }
        self.wants.silence_ms = wants.silence_ms;
        self.wants.max_ms = wants.max_ms;
    }

    pub(crate) fn recording(&self) -> Recording {
        self.recording
    }

    /// The rate of its file.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Takes a frame of each channel.
    pub(crate) fn take(
        &mut self,
        channels: &[Mixed],
        effects: &mut Effects,
        events: &mut RecorderEvents,
    ) {
        if self.is_over() {
            return;
        }
        for n in 0..self.rate.frame() {
            self.samples.extend(channels.iter().map(|channel| channel.get(n).unwrap_or(&0)));
        }
        self.frames += 1;
        let loud = channels.iter().any(|channel| is_loud(channel));
        let silence = self.wants.silence_ms.map(|ms| frames_of(u64::from(ms)));
        if self.quiet.is_told(loud, silence) {
            events.push(MediaEventKind::RecorderSilent(self.wants.id));
        }
        if self.frames.is_multiple_of(u64::from(RECORD_BATCH_FRAMES)) {
            self.flush(effects);
        }
        if self.frames >= frames_of(u64::from(self.wants.max_ms)) {
            events.push(MediaEventKind::RecorderFull(self.wants.id));
            self.end(effects);
        }
    }

    /// The recording is complete.
    pub(crate) fn end(&mut self, effects: &mut Effects) {
        if !self.is_over() {
            self.flush(effects);
            effects.push(Effect::RecordEnd { recording: self.recording });
            self.state = State::Over;
        }
    }

    /// Its file cannot be written: whoever said so has told the owner.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Over;
    }

    fn flush(&mut self, effects: &mut Effects) {
        if !self.samples.is_empty() {
            effects.record(self.recording, &self.samples);
            self.samples.clear();
        }
    }
}

impl Quiet {
    /// Whether the silence has just become long enough to be told.
    fn is_told(&mut self, loud: bool, silence: Option<u64>) -> bool {
        self.loud = if loud { self.loud + 1 } else { 0 };
        self.frames += 1;
        if self.loud >= VOICE_FRAMES {
            (self.frames, self.told) = (0, false);
        }
        let due = !self.told && silence.is_some_and(|silence| self.frames >= silence);
        self.told |= due;
        due
    }
}

/// Whether a frame has a voice in it.
fn is_loud(frame: &[i16]) -> bool {
    let power: u64 = frame.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
    power > LOUD_POWER * frame.len() as u64
}

/// The mean square of a sine of [`VOICE_DBFS`].
const LOUD_POWER: u64 = {
    assert!(VOICE_DBFS == -45, "the next line is made for it");
    // 32,767^2 / 2 * 10^-4.5
    16_976
};

fn frames_of(ms: u64) -> u64 {
    let frame_ms = u64::try_from(FRAME.as_millis()).unwrap_or(1);
    ms.div_ceil(frame_ms).max(1)
}

#[cfg(test)]
mod tests {
    use leg::{LegId, RecorderId};
    use model::FileId;

    use super::*;
    use crate::limits::FRAME_SAMPLES;
    use crate::measure::sine;

    type Frame = [i16; FRAME_SAMPLES];

    fn running(
        channels: usize,
        silence_ms: Option<u32>,
        max_ms: u32,
    ) -> (RecorderRunning, Effects) {
        let mut effects = Effects::new();
        let wants = Recorder {
            id: RecorderId(4),
            leg: LegId(2),
            file: FileId(77),
            channels: core::iter::repeat_n(leg::Sources::new(), channels).collect(),
            silence_ms,
            max_ms,
        };
        let of = (TenantId(1), CallId(2));
        let running =
            RecorderRunning::start(wants, Recording(9), of, Rate::Narrow, &mut effects).unwrap();
        (running, effects)
    }

    fn tone(dbfs: f64) -> Frame {
        sine(400.0, dbfs, FRAME_SAMPLES).try_into().unwrap()
    }

    /// Frames by letters: `v` voice, `n` noise of -50 dBFS, `c` a click, `.` silence; a number
    /// repeats. The frames, counted from 1, in which something was told.
    fn told(running: &mut RecorderRunning, effects: &mut Effects, script: &str) -> Vec<u64> {
        let mut told = Vec::new();
        let mut click = [0; FRAME_SAMPLES];
        click[3..9].fill(30_000);
        let mut frames = 0;
        for word in script.split_whitespace() {
            let (letter, count) = word.split_at(1);
            let frame = match letter {
                "v" => tone(-30.0),
                "n" => tone(-50.0),
                "c" => click,
                _ => [0; FRAME_SAMPLES],
            };
            for _ in 0..count.parse().unwrap_or(1) {
                frames += 1;
                let mut events = RecorderEvents::new();
                running.take(&[Mixed::from(&frame[..])], effects, &mut events);
                told.extend(events.iter().map(|_| frames));
            }
        }
        told
    }

    #[test]
    fn silence_is_told_once_and_again_after_a_voice() {
        let cases = [
            ("from the beginning", ".60", vec![50]),
            ("after a voice", "v30 .60", vec![80]),
            ("noise is silence", "v3 n70", vec![53]),
            ("a click is no voice", "v3 .20 c .20 c2 .60", vec![53]),
            ("told again", ".60 v10 .60", vec![50, 120]),
            ("never", "v30 .47 v3 .47 v3", vec![]),
        ];
        for (what, script, expected) in cases {
            let (mut running, mut effects) = running(1, Some(1_000), 60_000);
            assert_eq!(told(&mut running, &mut effects, script), expected, "{what}");
        }
        let (mut running, mut effects) = running(1, None, 60_000);
        assert_eq!(told(&mut running, &mut effects, ".500"), []);
    }

    #[test]
    fn channels_lie_in_turn_and_nothing_is_lost_at_the_end() {
        let (mut running, mut effects) = running(2, None, 60_000);
        let mut events = RecorderEvents::new();
        for n in 0..13 {
            let channels = [n, -n].map(|value| Mixed::from(&[value; FRAME_SAMPLES][..]));
            running.take(&channels, &mut effects, &mut events);
        }
        running.end(&mut effects);
        running.end(&mut effects);
        let mut samples = Vec::new();
        let (mut starts, mut ends, mut parts) = (0, 0, 0);
        for effect in &effects {
            match *effect {
                Effect::RecordStart { recording, taken } => {
                    assert_eq!(
                        (recording, taken.channels, taken.file),
                        (Recording(9), 2, FileId(77))
                    );
                    starts += 1;
                }
                Effect::Record { bytes, .. } => {
                    parts += 1;
                    let bytes = effects.bytes(&[], bytes);
                    samples.extend(bytes.chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])));
                }
                Effect::RecordEnd { .. } => ends += 1,
                ref other => panic!("{other:?}"),
            }
        }
        assert_eq!((starts, parts, ends), (1, 2, 1));
        let expected: Vec<i16> = (0..13).flat_map(|n| [n, -n].repeat(FRAME_SAMPLES)).collect();
        assert_eq!(samples, expected);
    }

    #[test]
    fn a_full_recording_ends_by_itself() {
        let (mut running, mut effects) = running(1, None, 210);
        assert_eq!(told(&mut running, &mut effects, "v30"), [11]);
        assert!(running.is_over());
        let ends = effects.iter().filter(|e| matches!(e, Effect::RecordEnd { .. })).count();
        assert_eq!(ends, 1);
    }

    #[test]
    fn a_recording_has_one_channel_or_two() {
        for (channels, taken) in [(0, false), (1, true), (2, true), (3, false)] {
            let wants = Recorder {
                id: RecorderId(4),
                leg: LegId(2),
                file: FileId(77),
                channels: core::iter::repeat_n(leg::Sources::new(), channels).collect(),
                silence_ms: None,
                max_ms: 1,
            };
            let mut effects = Effects::new();
            let of = (TenantId(1), CallId(2));
            let started =
                RecorderRunning::start(wants, Recording(1), of, Rate::Narrow, &mut effects);
            assert_eq!((started.is_some(), !effects.is_empty()), (taken, taken), "{channels}");
        }
    }
}
