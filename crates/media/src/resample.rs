//! From one sample rate to another, a whole sound at a time.
//!
//! A windowed sinc, computed once for each of the places at which a new sample can lie between two
//! old ones: for any pair of rates, with nothing audible added above half the lower rate.

use core::f64::consts::PI;

/// Zero crossings of the filter on each side.
const CROSSINGS: f64 = 16.0;
/// The filter begins to fall here, as a part of half the lower rate.
const CUTOFF: f64 = 0.94;

/// A sound of `from_hz` samples a second as one of `to_hz`; as long, to a sample.
pub fn convert(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz || from_hz == 0 || to_hz == 0 {
        return samples.to_vec();
    }
    let divisor = greatest_common_divisor(from_hz, to_hz);
    let (step, phases) = (u64::from(from_hz / divisor), u64::from(to_hz / divisor));
    let bank = Bank::new(from_hz, to_hz, phases);
    let length = samples.len() as u64 * phases / step;
    (0..length)
        .map(|n| {
            let place = n * step;
            let first = usize::try_from(place / phases).unwrap_or(usize::MAX);
            bank.sample(samples, first, usize::try_from(place % phases).unwrap_or(0))
        })
        .collect()
}

/// The filter at each place between two samples.
#[derive(Debug)]
pub(crate) struct Bank {
    taps: Vec<f32>,
    /// Taps of one place.
    width: usize,
}

impl Bank {
    /// The filter between two rates in lowest terms.
    pub(crate) fn between(from_hz: u32, to_hz: u32) -> Bank {
        let divisor = greatest_common_divisor(from_hz, to_hz).max(1);
        Bank::new(from_hz, to_hz, u64::from(to_hz / divisor))
    }

    /// Samples that one new sample is made of.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Places between two samples.
    pub(crate) fn phases(&self) -> usize {
        (self.taps.len() / self.width.max(1)).max(1)
    }

    /// The new sample at a place, of the window that begins `window`.
    pub(crate) fn filter(&self, window: &[f32], phase: usize) -> i16 {
        let taps = self.taps.get(phase * self.width..(phase + 1) * self.width).unwrap_or(&[]);
        // Eight sums side by side, which the compiler makes one instruction of.
        let mut sums = [0f32; 8];
        let (taps, rest) = taps.as_chunks::<8>();
        let (heard, _) = window.as_chunks::<8>();
        for (taps, heard) in taps.iter().zip(heard) {
            for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(heard) {
                *sum += tap * sample;
            }
        }
        let last = window.get(taps.len() * 8..).unwrap_or(&[]);
        let rest: f32 = rest.iter().zip(last).map(|(tap, sample)| tap * sample).sum();
        let sum = sums.iter().sum::<f32>() + rest;
        sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    }

    fn new(from_hz: u32, to_hz: u32, phases: u64) -> Bank {
        let ratio = (f64::from(to_hz) / f64::from(from_hz)).min(1.0) * CUTOFF;
        let half = (CROSSINGS / ratio).ceil() as usize;
        let width = 2 * half;
        let phases = usize::try_from(phases).unwrap_or(1);
        let mut taps = Vec::with_capacity(width * phases);
        for phase in 0..phases {
            let between = phase as f64 / phases as f64;
            let at = |n: usize| (n as f64 - (half as f64 - 1.0)) - between;
            let tap = |x: f64| {
                let window = 0.5 + 0.5 * (PI * x / half as f64).cos();
                if x.abs() >= half as f64 { 0.0 } else { sinc(ratio * x) * window }
            };
            let sum: f64 = (0..width).map(|n| tap(at(n))).sum();
            // Each place passes a steady value as it is.
            taps.extend((0..width).map(|n| (tap(at(n)) / sum) as f32));
        }
        Bank { taps, width }
    }

    /// The sample at a place after `first`.
    fn sample(&self, samples: &[i16], first: usize, phase: usize) -> i16 {
        let taps = self.taps.get(phase * self.width..(phase + 1) * self.width).unwrap_or(&[]);
        let before = self.width / 2 - 1;
        let skipped = before.saturating_sub(first);
        let from = first.saturating_sub(before);
        let heard = samples.get(from..).unwrap_or(&[]);
        let sum: f32 =
            taps.iter().skip(skipped).zip(heard).map(|(tap, s)| tap * f32::from(*s)).sum();
        sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{level_dbfs, pitch_at_rate_hz};

    fn sine(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        let angle = |n: usize| core::f64::consts::TAU * hz * n as f64 / f64::from(rate);
        (0..samples).map(|n| (angle(n).sin() * 8_000.0).round() as i16).collect()
    }

    #[test]
    fn tones_keep_their_pitch_level_and_length_at_every_rate() {
        for (from, to) in [
            (8_000, 16_000),
            (16_000, 8_000),
            (44_100, 8_000),
            (44_100, 16_000),
            (22_050, 8_000),
            (11_025, 8_000),
            (48_000, 16_000),
            (32_000, 8_000),
        ] {
            for hz in [100.0, 1_000.0, 3_300.0] {
                let sound = sine(hz, from, from as usize);
                let converted = convert(&sound, from, to);
                assert!(converted.len().abs_diff(to as usize) <= 1, "{from} to {to}");
                let middle = &converted[200..converted.len() - 200];
                let found = pitch_at_rate_hz(middle, f64::from(to)).unwrap();
                assert!((found - hz).abs() < 3.0, "{from} to {to}: {hz} became {found}");
                let (before, after) = (level_dbfs(&sound), level_dbfs(middle));
                assert!((before - after).abs() < 0.2, "{from} to {to}, {hz}: {before} {after}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone_and_not_folded_back() {
        for (from, to, hz) in
            [(16_000, 8_000, 5_000.0), (44_100, 8_000, 9_000.0), (48_000, 16_000, 10_000.0)]
        {
            let converted = convert(&sine(hz, from, from as usize), from, to);
            let level = level_dbfs(&converted[200..converted.len() - 200]);
            assert!(level < -70.0, "{hz} at {from} to {to}: {level}");
        }
    }

    #[test]
    fn a_rate_that_stays_changes_nothing() {
        assert_eq!(convert(&[1, 2, 3], 8_000, 8_000), [1, 2, 3]);
        assert_eq!(convert(&[], 44_100, 8_000), []);
        assert_eq!(convert(&[5; 400], 16_000, 8_000)[60..140], [5; 80]);
    }
}
