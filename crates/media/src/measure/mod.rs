//! Measuring sound, so that tests need no ears: level, pitch, gaps, and WAV files.
//!
//! Levels are in dBFS with a full-scale sine as 0 dB. Samples are 16-bit at 8 kHz unless a
//! function takes the rate.

mod ear;
mod mp3;
mod ogg;

use core::f64::consts::TAU;
use core::ops::Range;

pub use self::mp3::hear_mp3_file;
pub use self::ogg::{Page, hear_opus_file, ogg_pages};
pub use ear::{Ear, Heard, Mouth};

pub use crate::wav::{Coding, Wav, WavError};

/// What silence measures.
pub const SILENCE_DBFS: f64 = -120.0;
const RATE_HZ: f64 = 8_000.0;
/// The longest part that the pitch is looked for in: 1 s and a bit, a power of two.
const SPECTRUM_MAX: usize = 8_192;

/// The level of all that is heard.
pub fn level_dbfs(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    decibels(2.0 * power / samples.len().max(1) as f64)
}

/// The level of the part at one frequency (Goertzel), as sharp as the samples are many.
pub fn strength_dbfs(samples: &[i16], hz: f64) -> f64 {
    strength_at_rate_dbfs(samples, hz, RATE_HZ)
}

/// [`strength_dbfs`] for samples of another rate.
pub fn strength_at_rate_dbfs(samples: &[i16], hz: f64, rate_hz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hz / rate_hz).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        (before, last) = (last, f64::from(*sample) + coefficient * last - before);
    }
    let power = last * last + before * before - coefficient * last * before;
    let length = samples.len().max(1) as f64;
    decibels(4.0 * power.max(0.0) / (length * length))
}

/// The strongest frequency between 50 Hz and 3.95 kHz; `None` in silence or under 32 ms.
pub fn pitch_hz(samples: &[i16]) -> Option<f64> {
    pitch_at_rate_hz(samples, RATE_HZ)
}

/// [`pitch_hz`] for samples of another rate.
pub fn pitch_at_rate_hz(samples: &[i16], rate_hz: f64) -> Option<f64> {
    let length = samples.len().min(SPECTRUM_MAX);
    if length < 256 || level_dbfs(samples) < -70.0 {
        return None;
    }
    // Padded with as many zeros again, so that the peak has neighbours to be placed between.
    let size = (2 * length).next_power_of_two();
    let mut wave: Vec<(f64, f64)> = samples
        .iter()
        .take(length)
        .enumerate()
        .map(|(n, s)| {
            // A Hann window: without it a loud tone's skirts hide its neighbours.
            let window = 0.5 - 0.5 * (TAU * n as f64 / length as f64).cos();
            (f64::from(*s) * window, 0.0)
        })
        .collect();
    wave.resize(size, (0.0, 0.0));
    transform(&mut wave);
    let bin_hz = rate_hz / size as f64;
    let (low, high) = ((50.0 / bin_hz) as usize, ((rate_hz / 2.0 - 50.0) / bin_hz) as usize);
    let strength = |n: usize| wave.get(n).map_or(0.0, |(re, im)| (re * re + im * im).sqrt());
    let peak = (low.max(1)..high).max_by(|a, b| strength(*a).total_cmp(&strength(*b)))?;
    let (left, top, right) = (strength(peak - 1), strength(peak), strength(peak + 1));
    let curve = left - 2.0 * top + right;
    let shift = if curve == 0.0 { 0.0 } else { 0.5 * (left - right) / curve };
    Some((peak as f64 + shift) * bin_hz)
}

/// A stretch without sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First silent sample.
    pub start: usize,
    /// How many.
    pub samples: usize,
}

/// The stretches in which no sample is louder than `floor`, of at least 2 ms: shorter ones are the
/// zero crossings of any sound.
pub fn gaps(samples: &[i16], floor: u16) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut start = None;
    let ends = samples.iter().map(|s| s.unsigned_abs() > floor).chain([true]);
    for (n, loud) in ends.enumerate() {
        match (loud, start) {
            (false, None) => start = Some(n),
            (true, Some(from)) => {
                if n - from >= 16 {
                    gaps.push(Gap { start: from, samples: n - from });
                }
                start = None;
            }
            (false, Some(_)) | (true, None) => {}
        }
    }
    gaps
}

/// The longest of [`gaps`], in samples; 0 without any.
pub fn longest_gap(samples: &[i16], floor: u16) -> usize {
    gaps(samples, floor).iter().map(|gap| gap.samples).max().unwrap_or(0)
}

/// What a part of a recording is expected to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The strongest frequency.
    pub hz: f64,
    /// Its level.
    pub dbfs: f64,
    /// How far both may be off: as many hertz, as many decibels.
    pub tolerance: (f64, f64),
}

/// Why a recording does not hold what is expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unexpected {
    /// It ends before the part does.
    #[error("the recording has {have} samples, the part ends at {end}")]
    Short {
        /// Its length.
        have: usize,
        /// The end of the part.
        end: usize,
    },
    /// Another frequency, or none.
    #[error("the pitch is {found:?} Hz, expected {hz} Hz")]
    Pitch {
        /// The strongest; `None`: silence.
        found: Option<f64>,
        /// What was expected.
        hz: f64,
    },
    /// Another level.
    #[error("the level is {found:.1} dBFS, expected {dbfs} dBFS")]
    Level {
        /// At the expected frequency.
        found: f64,
        /// What was expected.
        dbfs: f64,
    },
    /// A stretch without sound.
    #[error("silence of {samples} samples at {start}")]
    Gap {
        /// Its beginning in the recording.
        start: usize,
        /// Its length.
        samples: usize,
    },
}

/// Checks that a part of a recording, in samples, holds one steady tone and no gap over 40 ms.
pub fn holds(samples: &[i16], part: Range<usize>, expected: Expected) -> Result<(), Unexpected> {
    let short = Unexpected::Short { have: samples.len(), end: part.end };
    let sound = samples.get(part.clone()).ok_or(short)?;
    let found = pitch_hz(sound);
    if !found.is_some_and(|hz| (hz - expected.hz).abs() <= expected.tolerance.0) {
        return Err(Unexpected::Pitch { found, hz: expected.hz });
    }
    if let Some(gap) = gaps(sound, 64).into_iter().find(|gap| gap.samples > 320) {
        return Err(Unexpected::Gap { start: part.start + gap.start, samples: gap.samples });
    }
    let found = strength_dbfs(sound, found.unwrap_or(expected.hz));
    if (found - expected.dbfs).abs() > expected.tolerance.1 {
        return Err(Unexpected::Level { found, dbfs: expected.dbfs });
    }
    Ok(())
}

/// `samples` of a sine, beginning at phase 0.
pub fn sine(hz: f64, dbfs: f64, samples: usize) -> Vec<i16> {
    sine_at_rate(hz, dbfs, samples, 8_000)
}

/// [`sine`] at another rate.
pub fn sine_at_rate(hz: f64, dbfs: f64, samples: usize, rate_hz: u32) -> Vec<i16> {
    let peak = 32_767.0 * 10f64.powf(dbfs / 20.0);
    let angle = |n: usize| TAU * hz * n as f64 / f64::from(rate_hz);
    (0..samples).map(|n| (peak * angle(n).sin()).round() as i16).collect()
}

/// Twice the mean square against that of a full-scale sine.
fn decibels(twice_mean_square: f64) -> f64 {
    (10.0 * (twice_mean_square / (32_767.0 * 32_767.0)).log10()).max(SILENCE_DBFS)
}

/// The discrete Fourier transform in place; the length is a power of two.
fn transform(wave: &mut [(f64, f64)]) {
    let size = wave.len();
    let mut reversed = 0;
    for n in 1..size {
        let mut bit = size >> 1;
        while reversed & bit != 0 {
            reversed ^= bit;
            bit >>= 1;
        }
        reversed |= bit;
        if n < reversed {
            wave.swap(n, reversed);
        }
    }
    let mut half = 1;
    while half < size {
        for block in wave.chunks_exact_mut(2 * half) {
            let (lower, upper) = block.split_at_mut(half);
            for (n, (a, b)) in lower.iter_mut().zip(upper).enumerate() {
                let (sin, cos) = (-TAU * n as f64 / (2 * half) as f64).sin_cos();
                let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                (*a, *b) = ((a.0 + turned.0, a.1 + turned.1), (a.0 - turned.0, a.1 - turned.1));
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pitch_and_level_of_a_sine_are_those_it_was_made_with() {
        for hz in [100.0, 425.0, 440.0, 999.5, 1_000.0, 2_713.0, 3_800.0] {
            for dbfs in [-3.0, -12.0, -40.0] {
                for samples in [800, 1_600, 8_000, 20_000] {
                    let sound = sine(hz, dbfs, samples);
                    let found = pitch_hz(&sound).unwrap();
                    assert!((found - hz).abs() < 2.0, "{hz} {dbfs} {samples}: {found}");
                    assert!((level_dbfs(&sound) - dbfs).abs() < 0.3);
                    assert!((strength_dbfs(&sound, hz) - dbfs).abs() < 0.3);
                    assert!(strength_dbfs(&sound, hz + 200.0) < dbfs - 15.0);
                }
            }
        }
        assert_eq!(pitch_hz(&[0; 1_000]), None);
        assert_eq!(level_dbfs(&[0; 1_000]), SILENCE_DBFS);
    }

    #[test]
    fn the_stronger_of_two_tones_is_the_pitch() {
        let mixed: Vec<i16> = sine(440.0, -20.0, 4_000)
            .iter()
            .zip(sine(1_000.0, -14.0, 4_000))
            .map(|(a, b)| a + b)
            .collect();
        assert!((pitch_hz(&mixed).unwrap() - 1_000.0).abs() < 1.0);
        assert!((strength_dbfs(&mixed, 440.0) + 20.0).abs() < 0.3);
    }

    #[test]
    fn gaps_are_found_and_zero_crossings_are_not() {
        let mut sound = sine(440.0, -12.0, 4_000);
        sound[1_000..1_300].fill(0);
        sound[3_900..].fill(3);
        let found = gaps(&sound, 20);
        assert_eq!(found.len(), 2);
        assert!(found[0].start.abs_diff(1_000) < 3 && found[0].samples.abs_diff(300) < 6);
        assert_eq!(found[1].start + found[1].samples, 4_000);
        assert!(longest_gap(&sound, 20) >= 300);
    }

    #[test]
    fn a_recording_holds_what_it_holds_and_nothing_else() {
        let mut sound = vec![0; 8_000];
        sound.extend(sine(440.0, -12.0, 24_000));
        let expected = Expected { hz: 440.0, dbfs: -12.0, tolerance: (2.0, 1.0) };
        assert_eq!(holds(&sound, 8_000..32_000, expected), Ok(()));
        let short = holds(&sound, 8_000..32_001, expected);
        assert!(matches!(short, Err(Unexpected::Short { .. })));
        let silent = holds(&sound, 0..8_000, expected);
        assert!(matches!(silent, Err(Unexpected::Pitch { found: None, .. })));
        let other = holds(&sound, 8_000..32_000, Expected { hz: 450.0, ..expected });
        assert!(matches!(other, Err(Unexpected::Pitch { .. })));
        let loud = holds(&sound, 8_000..32_000, Expected { dbfs: -9.0, ..expected });
        assert!(matches!(loud, Err(Unexpected::Level { .. })));
        sound[20_000..20_400].fill(0);
        let holed = holds(&sound, 8_000..32_000, expected);
        assert!(matches!(holed, Err(Unexpected::Gap { start: 19_990..20_010, .. })));
    }
}
