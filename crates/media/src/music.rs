//! The built-in hold music: sixteen seconds of plucked chords with a melody, made from a score.
//!
//! Each note is a decaying tone with two overtones; the tails of the last bar ring on into the
//! first, so the loop has no seam. Rendered once, kept for the life of the process.

use std::sync::OnceLock;

use crate::player::Frame;
use crate::player::sine;

/// Samples of a quaver: at 8 kHz, 120 crotchets a minute.
const QUAVER: usize = 2_000;
const QUAVERS_PER_BAR: usize = 8;
/// Samples of the whole loop, a multiple of the frame.
const LOOP_SAMPLES: usize = BARS.len() * QUAVERS_PER_BAR * QUAVER;
/// A note rises for 8 ms and then loses 1/4096 of itself per sample: half a second to a third.
const ATTACK_SAMPLES: i64 = 64;
const DECAY_SHIFT: u32 = 12;
/// Where the tail of a note is left off, of 2^16.
const FADED: i64 = 24;
/// The loudest sample, -10 dBFS: below speech, and far from the clipping of a mixed conversation.
const PEAK: i32 = 10_362;

/// Semitones above C3 (130.8 Hz).
type Pitch = usize;

/// One bar: a chord in four voices, and a melody by quavers (`R` holds or rests).
struct Bar {
    chord: [Pitch; 4],
    melody: [Pitch; QUAVERS_PER_BAR],
}

/// No new note on this quaver.
const R: Pitch = usize::MAX;
/// In which order the voices of a chord are plucked.
const ARPEGGIO: [usize; QUAVERS_PER_BAR] = [0, 2, 1, 3, 2, 1, 3, 2];

const C_MAJOR: [Pitch; 4] = [12, 16, 19, 24];
const A_MINOR: [Pitch; 4] = [9, 16, 21, 24];
const F_MAJOR: [Pitch; 4] = [5, 12, 21, 24];
const G_MAJOR: [Pitch; 4] = [7, 14, 19, 23];
const E_MINOR: [Pitch; 4] = [4, 16, 19, 23];
const D_MINOR: [Pitch; 4] = [2, 14, 17, 21];

const BARS: [Bar; 8] = [
    Bar { chord: C_MAJOR, melody: [31, R, R, 28, R, R, 26, 24] },
    Bar { chord: E_MINOR, melody: [28, R, R, R, 26, R, R, R] },
    Bar { chord: A_MINOR, melody: [24, R, R, 21, R, R, 24, 26] },
    Bar { chord: F_MAJOR, melody: [28, R, R, R, R, R, R, R] },
    Bar { chord: D_MINOR, melody: [29, R, R, 28, R, R, 26, 24] },
    Bar { chord: G_MAJOR, melody: [26, R, R, R, 23, R, R, R] },
    Bar { chord: A_MINOR, melody: [24, R, R, 28, R, R, 33, 31] },
    Bar { chord: G_MAJOR, melody: [31, R, R, R, R, R, 29, 26] },
];

/// The notes of one octave from C3, in thousandths of a hertz (equal temperament, A4 = 440 Hz).
const OCTAVE_MHZ: [u32; 12] = [
    130_813, 138_591, 146_832, 155_563, 164_814, 174_614, 184_997, 195_998, 207_652, 220_000,
    233_082, 246_942,
];

/// All of it. Whoever asks first has it composed, which takes as long as half a packet lasts.
pub(crate) fn music() -> &'static [i16] {
    static MUSIC: OnceLock<Box<[i16]>> = OnceLock::new();
    MUSIC.get_or_init(render)
}

/// Copies the music that begins at sample number `first` of an endless repetition.
pub(crate) fn fill(first: u64, frame: &mut Frame) {
    let music = music();
    let at = usize::try_from(first % LOOP_SAMPLES as u64).unwrap_or(0);
    for (to, from) in frame.iter_mut().zip(music.iter().cycle().skip(at)) {
        *to = *from;
    }
}

fn render() -> Box<[i16]> {
    let mut sum = vec![0i32; LOOP_SAMPLES];
    for (n, bar) in BARS.iter().enumerate() {
        let start = n * QUAVERS_PER_BAR * QUAVER;
        pluck(&mut sum, start, bar.chord[0], 5);
        for (quaver, (voice, melody)) in ARPEGGIO.iter().zip(bar.melody).enumerate() {
            let at = start + quaver * QUAVER;
            pluck(&mut sum, at, bar.chord[*voice] + 12, 3);
            if melody != R {
                pluck(&mut sum, at, melody, 7);
            }
        }
    }
    let loudest = sum.iter().map(|s| s.abs()).max().unwrap_or(1).max(1);
    let scaled = |s: i32| i64::from(s) * i64::from(PEAK) / i64::from(loudest);
    sum.into_iter().map(|s| i16::try_from(scaled(s)).unwrap_or(0)).collect()
}

/// Adds one note, `weight` loud; its tail goes round the end of the loop.
fn pluck(sum: &mut [i32], at: usize, pitch: Pitch, weight: i64) {
    let hz_thousandths = u64::from(OCTAVE_MHZ[pitch % 12]) << (pitch / 12);
    let turn = u32::try_from((hz_thousandths << 32) / 8_000_000).unwrap_or(0);
    let (mut phase, mut loudness) = (0u32, 0i64);
    let mut rising = ATTACK_SAMPLES;
    let places = (0..sum.len()).cycle().skip(at);
    for place in places {
        if rising > 0 {
            rising -= 1;
            loudness = (1 << 16) * (ATTACK_SAMPLES - rising) / ATTACK_SAMPLES;
        } else {
            loudness -= (loudness >> DECAY_SHIFT).max(1);
            if loudness < FADED {
                return;
            }
        }
        let tone = 6 * sine(phase) + 2 * sine(phase.wrapping_mul(2)) + sine(phase.wrapping_mul(3));
        let value = (i64::from(tone) * loudness * weight) >> 20;
        sum[place] += i32::try_from(value).unwrap_or(0);
        phase = phase.wrapping_add(turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FRAME_SAMPLES;
    use crate::measure::{level_dbfs, strength_dbfs};

    #[test]
    fn the_loop_is_whole_frames_without_silence_clipping_or_seam() {
        let music = render();
        assert_eq!(music.len() % FRAME_SAMPLES, 0);
        assert!(music.chunks(1_600).all(|part| (-32.0..-12.0).contains(&level_dbfs(part))));
        assert_eq!(music.iter().map(|s| i32::from(*s).abs()).max(), Some(PEAK));
        let step = |a: i16, b: i16| (i32::from(a) - i32::from(b)).abs();
        let largest = music.windows(2).map(|w| step(w[0], w[1])).max().unwrap();
        assert!(step(music[0], music[music.len() - 1]) <= largest);
    }

    #[test]
    fn the_chords_are_in_it() {
        let music = render();
        // The first bar is C major: its C4, E4 and G4 stand out from the semitones between.
        let bar = &music[..16_000];
        for (hz, beside) in [(523.25, 554.37), (659.26, 622.25), (783.99, 739.99)] {
            assert!(strength_dbfs(bar, hz) > strength_dbfs(bar, beside) + 12.0, "{hz}");
        }
    }

    #[test]
    fn it_is_the_same_on_every_machine() {
        let hash = render().iter().fold(0xCBF2_9CE4_8422_2325u64, |hash, sample| {
            (hash ^ u64::from(sample.cast_unsigned())).wrapping_mul(0x0100_0000_01B3)
        });
        assert_eq!(hash, 0x7C42_CC47_AFBA_FBF1);
    }
}
