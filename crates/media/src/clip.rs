//! Clips: pieces of sound one after the other, each of which may have to be fetched first.

use std::sync::Arc;

use leg::{Clip, ClipId, MediaEventKind, Piece};
use model::{Codec, FileId};
use smallvec::SmallVec;

use crate::g711;
use crate::limits::{FILE_WAIT_FRAMES, FRAME_SAMPLES, PIECES_PER_CLIP_MAX};
use crate::pcm::{Feed, Rate, Rates};
use crate::player;
use crate::speech;

/// A sound file that was read: one channel. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// How many samples there are in a second.
    pub rate: Rate,
    /// The samples.
    pub samples: Arc<[i16]>,
}

impl Sound {
    /// A sound of 8,000 samples a second.
    pub fn narrow(samples: impl Into<Arc<[i16]>>) -> Sound {
        Sound { rate: Rate::Narrow, samples: samples.into() }
    }
}

/// What a clip has to tell after a frame.
pub(crate) type ClipEvents = SmallVec<[MediaEventKind; 2]>;

/// Samples in a millisecond.
const MS: u64 = player::RATE_HZ as u64 / 1_000;

/// A clip that is played.
#[derive(Debug)]
pub(crate) struct ClipPlaying {
    clip: Clip,
    /// The tick before which nothing is played.
    first_tick: u64,
    files: Vec<(FileId, File)>,
    state: State,
    /// The rate of the newest frame: that of the piece it began with.
    rate: Rate,
    frame: Vec<i16>,
    feed: Feed,
}

#[derive(Debug)]
enum File {
    /// Asked for; how many frames were waited for it.
    Awaited(u32),
    Here(Sound),
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next sample is this one of that piece.
    At { piece: usize, sample: u64 },
    /// It has ended, and its end was told.
    Done,
}

/// A piece as far as it is known.
enum Stretch<'a> {
    Samples(Rate, &'a [i16]),
    Codes(&'static [u8]),
    Tone(leg::Tone, u64),
    Silence(u64),
    Awaited,
    Missing,
}

impl ClipPlaying {
    /// A clip of at most [`PIECES_PER_CLIP_MAX`] pieces; `None`: it has more.
    pub(crate) fn new(clip: Clip, first_tick: u64) -> Option<ClipPlaying> {
        if clip.pieces.len() > PIECES_PER_CLIP_MAX {
            return None;
        }
        let mut files: Vec<(FileId, File)> = Vec::new();
        for piece in &clip.pieces {
            if let Piece::File(file) = piece
                && files.iter().all(|(known, _)| known != file)
            {
                files.push((*file, File::Awaited(0)));
            }
        }
        let state = State::At { piece: 0, sample: 0 };
        Some(ClipPlaying {
            clip,
            first_tick,
            files,
            state,
            rate: Rate::Narrow,
            frame: vec![0; FRAME_SAMPLES],
            feed: Feed::default(),
        })
    }

    pub(crate) fn id(&self) -> ClipId {
        self.clip.id
    }

    /// Whether this is what a call names.
    pub(crate) fn is(&self, wants: &Clip) -> bool {
        self.clip == *wants
    }

    /// Whose owner is told.
    pub(crate) fn leg(&self) -> leg::LegId {
        self.clip.leg
    }

    /// Another leg's owner is told from now on: who has the place of the first one.
    pub(crate) fn pass_on(&mut self, leg: leg::LegId) {
        self.clip.leg = leg;
    }

    /// The files that it is made of.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileId> {
        self.files.iter().map(|(file, _)| *file)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Done
    }

    /// The piece at which it is; `None`: it has ended, or is silent here.
    pub(crate) fn piece(&self) -> Option<Piece> {
        let State::At { piece, .. } = self.state else { return None };
        // Behind the last piece of one that repeats comes the first.
        let is_behind = self.clip.repeats && piece >= self.clip.pieces.len();
        let piece = if is_behind { 0 } else { piece };
        let sounds = match stretch(&self.clip.pieces, &self.files, piece) {
            Stretch::Samples(..) | Stretch::Codes(_) | Stretch::Tone(..) => true,
            Stretch::Silence(_) | Stretch::Awaited | Stretch::Missing => false,
        };
        self.clip.pieces.get(piece).copied().filter(|_| sounds)
    }

    /// The frame that was played last.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// A file has come, or cannot be had. Whether it was waited for, and what there is to tell.
    pub(crate) fn take(&mut self, file: FileId, sound: Option<&Sound>) -> Option<MediaEventKind> {
        let (_, state) = self.files.iter_mut().find(|(known, _)| *known == file)?;
        if !matches!(state, File::Awaited(_)) {
            return None;
        }
        *state = sound.map_or(File::Missing, |sound| File::Here(sound.clone()));
        let broken = sound.is_none() && !self.is_over();
        broken.then_some(MediaEventKind::ClipBroken(self.clip.id))
    }

    /// Plays the frame of a tick, at the rates that are wanted.
    pub(crate) fn play(&mut self, tick: u64, wanted: Rates, events: &mut ClipEvents) {
        if let State::At { piece, .. } = self.state {
            self.rate = stretch(&self.clip.pieces, &self.files, piece).rate().unwrap_or(self.rate);
        }
        self.frame.clear();
        self.frame.resize(self.rate.frame(), 0);
        if tick >= self.first_tick {
            self.fill(events);
        }
        self.feed.set(self.rate, &self.frame, wanted);
    }

    fn fill(&mut self, events: &mut ClipEvents) {
        let mut filled = 0;
        // Pieces may be empty, and a clip may be made of such alone.
        let mut looked_at = 0;
        while filled < self.frame.len() && looked_at <= self.clip.pieces.len() {
            let State::At { piece, sample } = self.state else { return };
            if piece >= self.clip.pieces.len() {
                if self.clip.repeats {
                    self.state = State::At { piece: 0, sample: 0 };
                    looked_at += 1;
                } else if filled > 0 {
                    // Its end is told when nothing of it is left to be sent.
                    return;
                } else {
                    self.state = State::Done;
                    events.push(MediaEventKind::ClipDone(self.clip.id));
                    return;
                }
                continue;
            }
            let stretch = stretch(&self.clip.pieces, &self.files, piece);
            if matches!(stretch, Stretch::Awaited) {
                return self.wait(piece, events);
            }
            if stretch.rate().is_some_and(|rate| rate != self.rate) {
                // A frame has one rate: this piece begins with the next.
                if filled > 0 {
                    return;
                }
                self.rate = stretch.rate().unwrap_or_default();
                self.frame.resize(self.rate.frame(), 0);
                continue;
            }
            let room = self.frame.get_mut(filled..).unwrap_or(&mut []);
            let (laid, length) = stretch.lay(sample, room);
            if self.clip.repeats && matches!(stretch, Stretch::Samples(..)) {
                let edges = Edges {
                    first: piece == 0,
                    last: piece + 1 == self.clip.pieces.len(),
                    fade: self.rate.frame() as u64 / 4,
                };
                edges.soften(sample, length, room.get_mut(..laid).unwrap_or(&mut []));
            }
            filled += laid;
            let sample = sample + laid as u64;
            if sample >= length {
                self.state = State::At { piece: piece + 1, sample: 0 };
                looked_at = if length == 0 { looked_at + 1 } else { 0 };
            } else {
                self.state = State::At { piece, sample };
            }
        }
    }

    /// The file at hand is not here yet.
    fn wait(&mut self, piece: usize, events: &mut ClipEvents) {
        let Some(Piece::File(file)) = self.clip.pieces.get(piece) else { return };
        let Some((_, state)) = self.files.iter_mut().find(|(known, _)| known == file) else {
            return;
        };
        if let File::Awaited(frames) = state {
            *frames += 1;
            if *frames >= FILE_WAIT_FRAMES {
                *state = File::Missing;
                events.push(MediaEventKind::ClipBroken(self.clip.id));
            }
        }
    }
}

/// Where a clip that repeats begins and ends: its last sample need not lead to its first.
struct Edges {
    first: bool,
    last: bool,
    /// Samples of 5 ms.
    fade: u64,
}

impl Edges {
    /// Makes the samples from `at` on of a piece of `length` softer towards the edges that it has.
    fn soften(&self, at: u64, length: u64, samples: &mut [i16]) {
        let fade = self.fade.min(length / 2);
        for (place, sample) in (at..).zip(samples) {
            let from_begin = if self.first { place } else { fade };
            let to_end = if self.last { length.saturating_sub(place + 1) } else { fade };
            let near = from_begin.min(to_end);
            if near < fade {
                let softer = i64::from(*sample) * near.cast_signed() / fade.cast_signed();
                *sample = i16::try_from(softer).unwrap_or(0);
            }
        }
    }
}

fn stretch<'a>(pieces: &[Piece], files: &'a [(FileId, File)], piece: usize) -> Stretch<'a> {
    match pieces.get(piece) {
        Some(Piece::File(file)) => match files.iter().find(|(known, _)| known == file) {
            Some((_, File::Here(sound))) => Stretch::Samples(sound.rate, &sound.samples),
            Some((_, File::Awaited(_))) => Stretch::Awaited,
            Some((_, File::Missing)) | None => Stretch::Missing,
        },
        Some(Piece::Spoken(language, spoken)) => Stretch::Codes(speech::codes(*language, *spoken)),
        Some(Piece::Tone(tone, ms)) => Stretch::Tone(*tone, u64::from(*ms) * MS),
        Some(Piece::Silence(ms)) => Stretch::Silence(u64::from(*ms) * MS),
        None => Stretch::Missing,
    }
}

impl Stretch<'_> {
    /// Its rate; `None`: any will do.
    fn rate(&self) -> Option<Rate> {
        match self {
            Stretch::Samples(rate, _) => Some(*rate),
            Stretch::Codes(_) | Stretch::Tone(..) | Stretch::Silence(_) => Some(Rate::Narrow),
            Stretch::Awaited | Stretch::Missing => None,
        }
    }

    /// Lays what comes from `sample` on into `room`; how many samples that were, and how long the
    /// whole piece is.
    fn lay(&self, sample: u64, room: &mut [i16]) -> (usize, u64) {
        let from = usize::try_from(sample).unwrap_or(usize::MAX);
        let length = match self {
            Stretch::Samples(_, samples) => samples.len() as u64,
            Stretch::Codes(codes) => codes.len() as u64,
            Stretch::Tone(_, length) | Stretch::Silence(length) => *length,
            Stretch::Awaited | Stretch::Missing => 0,
        };
        let left = usize::try_from(length.saturating_sub(sample)).unwrap_or(usize::MAX);
        let laid = left.min(room.len());
        let room = room.iter_mut().take(laid);
        match self {
            Stretch::Samples(_, samples) => {
                for (to, sample) in room.zip(samples.iter().skip(from)) {
                    *to = *sample;
                }
            }
            Stretch::Codes(codes) => {
                for (to, code) in room.zip(codes.iter().skip(from)) {
                    *to = g711::decode(Codec::Pcma, *code);
                }
            }
            Stretch::Tone(tone, length) => {
                for (at, to) in (sample..).zip(room) {
                    *to = player::tone_within(*tone, at, *length);
                }
            }
            Stretch::Silence(_) | Stretch::Awaited | Stretch::Missing => {
                room.for_each(|to| *to = 0)
            }
        }
        (laid, length)
    }
}

#[cfg(test)]
mod tests {
    use leg::{LegId, Tone};
    use model::{Language, Spoken};

    use super::*;
    use crate::measure::{level_dbfs, pitch_hz};

    const A: FileId = FileId(1);
    const B: FileId = FileId(2);

    fn clip(pieces: Vec<Piece>, repeats: bool) -> ClipPlaying {
        ClipPlaying::new(Clip { id: ClipId(3), leg: LegId(2), pieces, repeats }, 1).unwrap()
    }

    fn sound(value: i16, samples: usize) -> Sound {
        Sound::narrow(vec![value; samples])
    }

    /// Plays so many frames: the samples, and in which frame what was told.
    fn played(clip: &mut ClipPlaying, frames: u64) -> (Vec<i16>, Vec<(u64, MediaEventKind)>) {
        let (mut samples, mut told) = (Vec::new(), Vec::new());
        for tick in 1..=frames {
            let mut events = ClipEvents::new();
            clip.play(tick, Rates::default(), &mut events);
            samples.extend(&clip.frame);
            told.extend(events.into_iter().map(|event| (tick, event)));
        }
        (samples, told)
    }

    const DONE: MediaEventKind = MediaEventKind::ClipDone(ClipId(3));
    const BROKEN: MediaEventKind = MediaEventKind::ClipBroken(ClipId(3));

    #[test]
    fn pieces_follow_each_other_without_a_gap_and_the_end_is_told_once() {
        let mut clip = clip(vec![Piece::File(A), Piece::File(B), Piece::File(A)], false);
        assert_eq!(clip.files().collect::<Vec<_>>(), [A, B]);
        assert_eq!(clip.take(A, Some(&sound(5, 100))), None);
        assert_eq!(clip.take(B, Some(&sound(7, 250))), None);
        let (samples, told) = played(&mut clip, 8);
        let expected: Vec<i16> = [vec![5; 100], vec![7; 250], vec![5; 100], vec![0; 830]].concat();
        assert_eq!(samples, expected);
        assert_eq!(told, [(4, DONE)], "450 samples are three frames");
        assert!(clip.is_over());
    }

    #[test]
    fn a_file_that_comes_late_is_waited_for() {
        let mut clip = clip(vec![Piece::Silence(20), Piece::File(A)], false);
        let (samples, told) = played(&mut clip, 5);
        assert!(samples.iter().all(|s| *s == 0) && told.is_empty());
        assert_eq!(clip.take(A, Some(&sound(9, 160))), None);
        let (samples, told) = played(&mut clip, 2);
        assert_eq!((samples[0], samples[159], samples[160]), (9, 9, 0));
        assert_eq!(told, [(2, DONE)]);
    }

    #[test]
    fn a_file_that_is_missing_is_told_once_and_left_out() {
        let mut clip = clip(vec![Piece::File(A), Piece::Silence(20), Piece::File(A)], false);
        assert_eq!(clip.take(A, None), Some(BROKEN));
        assert_eq!(clip.take(A, None), None);
        assert_eq!(played(&mut clip, 3).1, [(2, DONE)]);
    }

    #[test]
    fn a_file_that_never_comes_is_missing_after_5_s() {
        let mut clip = clip(vec![Piece::File(A), Piece::Silence(20)], false);
        let frames = u64::from(FILE_WAIT_FRAMES);
        assert_eq!(played(&mut clip, frames + 4).1, [(frames, BROKEN), (frames + 2, DONE)]);
        assert_eq!(clip.take(A, Some(&sound(1, 1))), None);
    }

    #[test]
    fn a_clip_that_repeats_has_no_end_and_no_click() {
        let mut clip = clip(vec![Piece::File(A)], true);
        // Whole periods and a half: at its end it is far from where it begins.
        let sine = crate::measure::sine(250.0, -6.0, 2_024);
        let loud: Vec<i16> = sine.iter().skip(8).copied().collect();
        clip.take(A, Some(&Sound::narrow(loud.clone())));
        let (samples, told) = played(&mut clip, 200);
        assert_eq!(told, []);
        let steps = samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
        assert!(steps.max() < Some(3_400), "a step of the tone itself is 3,225");
        for turn in samples.chunks_exact(2_016) {
            assert_eq!(turn[40..1_976], loud[40..1_976], "all but 5 ms at either end is as it was");
            assert_eq!((turn[0], turn[2_015]), (0, 0));
        }
        assert!(crate::measure::longest_gap(&samples, 300) < 40);
    }

    #[test]
    fn a_clip_of_several_pieces_repeats_as_a_whole() {
        let mut clip = clip(vec![Piece::File(A), Piece::File(B)], true);
        clip.take(A, Some(&sound(900, 200)));
        clip.take(B, Some(&sound(700, 200)));
        let (samples, _) = played(&mut clip, 50);
        for turn in samples.chunks_exact(400) {
            assert_eq!((turn[0], turn[399]), (0, 0));
            assert!(turn[40..200].iter().all(|s| *s == 900), "between pieces nothing is softened");
            assert!(turn[200..360].iter().all(|s| *s == 700));
        }
    }

    #[test]
    fn a_clip_of_nothing_ends_at_once_or_plays_silence_for_ever() {
        for pieces in
            [vec![], vec![Piece::Silence(0), Piece::Spoken(Language::En, Spoken::Digit(77))]]
        {
            assert_eq!(played(&mut clip(pieces.clone(), false), 3).1, [(1, DONE)]);
            let (samples, told) = played(&mut clip(pieces, true), 100);
            assert!(samples.iter().all(|s| *s == 0) && told.is_empty());
        }
    }

    #[test]
    fn speech_and_tones_are_what_they_are_named_after() {
        let ru = (Language::Ru, Spoken::Digit(4));
        let pieces = vec![Piece::Spoken(ru.0, ru.1), Piece::Tone(Tone::Test, 500)];
        let (samples, told) = played(&mut clip(pieces, false), 100);
        let spoken = speech::samples(ru.0, ru.1);
        assert_eq!(samples[..spoken.len()], spoken);
        let tone = &samples[spoken.len()..][..4_000];
        assert!((pitch_hz(tone).unwrap() - 1_000.0).abs() < 2.0);
        assert!((level_dbfs(tone) + 12.0).abs() < 0.5);
        let edges = [&tone[..3], &tone[3_997..]];
        assert!(edges.iter().all(|edge| edge.iter().all(|s| s.unsigned_abs() < 1_000)), "no click");
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn a_piece_of_another_rate_begins_with_a_frame() {
        let mut clip = clip(vec![Piece::Silence(30), Piece::File(A), Piece::Silence(20)], false);
        clip.take(A, Some(&Sound { rate: Rate::Wide, samples: vec![6; 400].into() }));
        let (samples, told) = played(&mut clip, 6);
        let expected: Vec<i16> = [vec![0; 320], vec![6; 400], vec![0; 240 + 160 + 160]].concat();
        assert_eq!(samples, expected);
        assert_eq!(told, [(6, DONE)]);
    }

    #[test]
    fn too_many_pieces_are_refused() {
        let pieces = vec![Piece::Silence(1); PIECES_PER_CLIP_MAX + 1];
        let clip = Clip { id: ClipId(1), leg: LegId(1), pieces, repeats: false };
        assert!(ClipPlaying::new(clip, 0).is_none());
    }
}
