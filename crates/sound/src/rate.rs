//! Changing the sample rate: a low pass of windowed sincs, one for each place between two samples
//! that the result can fall on (a polyphase filter).
//!
//! With the rates in lowest terms, `out / in = L / M`, the n-th sample of the result stands at
//! `n M / L` of what came in, so there are L such places. The filter lets pass what is below 0.85
//! of half the lower rate and stops what would come back mirrored: 78 dB down or more, measured.

use core::f64::consts::PI;

/// Samples of the lower rate on each side of the middle that a filter reaches.
const REACH: f64 = 56.0;
/// The middle of its slope, in halves of the lower rate: what it stops begins at 1.
const CUTOFF: f64 = 0.93;
/// Rates are taken to the nearest multiple of this: nobody hears the difference, and the number of
/// filters stays below 640 for whatever rate a file claims to have.
const STEP_HZ: u32 = 25;
/// Samples of the past that are dropped together.
const DROPPED: usize = 1 << 16;

/// Changes the rate of a sound that comes in pieces.
#[derive(Debug)]
pub(crate) struct Resampler {
    /// L and M.
    up: usize,
    down: usize,
    /// Samples on each side that a filter reads.
    half: usize,
    /// L filters of `2 * half` taps each.
    taps: Vec<f32>,
    /// What came in and is still needed; silence before it.
    input: Vec<f32>,
    /// Samples that were dropped from the front of `input`.
    dropped: usize,
    /// Samples that came in, the silence before them not counted.
    taken: usize,
    output: Vec<i16>,
}

impl Resampler {
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Resampler {
        let from_hz = from_hz.saturating_add(STEP_HZ / 2) / STEP_HZ * STEP_HZ;
        let shared = gcd(from_hz, to_hz);
        let up = usize::try_from(to_hz / shared).unwrap_or(1);
        let down = usize::try_from(from_hz / shared).unwrap_or(1);
        // In samples of what comes in.
        let lower = f64::from(to_hz.min(from_hz)) / f64::from(from_hz);
        let reach = REACH / lower;
        let half = reach.ceil() as usize;
        let taps = if up == down { Vec::new() } else { filters(up, half, reach, lower * CUTOFF) };
        let input = vec![0.0; half];
        Resampler { up, down, half, taps, input, dropped: 0, taken: 0, output: Vec::new() }
    }

    /// Takes samples, full scale at 1.
    pub(crate) fn take(&mut self, samples: &[f32]) {
        self.taken += samples.len();
        if self.up == self.down {
            self.output.extend(samples.iter().map(|sample| rounded(*sample)));
            return;
        }
        self.input.extend_from_slice(samples);
        self.filter();
        // Everything before the next sample's filter was used for the last time.
        let used = (self.output.len() * self.down / self.up).saturating_sub(self.dropped);
        if used > DROPPED {
            self.input.drain(..used);
            self.dropped += used;
        }
    }

    /// The whole sound at the new rate.
    pub(crate) fn finish(mut self) -> Vec<i16> {
        if self.up != self.down {
            self.input.extend(core::iter::repeat_n(0.0, self.half + 1));
            self.filter();
            self.output.truncate((self.taken * self.up).div_ceil(self.down));
        }
        self.output
    }

    /// Makes all samples whose filters have what they need.
    fn filter(&mut self) {
        loop {
            let place = self.output.len() * self.down;
            let (whole, phase) = (place / self.up, place % self.up);
            // With `half` samples of silence in front, the filter around `whole` begins there.
            let first = whole + 1 - self.dropped;
            let Some(input) = self.input.get(first..first + 2 * self.half) else { return };
            let Some(taps) = self.taps.get(phase * 2 * self.half..) else { return };
            self.output.push(rounded(product(input, taps)));
        }
    }
}

/// For each place between two samples the weights of `2 * half` samples around it.
fn filters(phases: usize, half: usize, reach: f64, cutoff: f64) -> Vec<f32> {
    let mut taps = Vec::with_capacity(phases * 2 * half);
    for phase in 0..phases {
        let middle = half as f64 - 1.0 + phase as f64 / phases as f64;
        let of_phase = (0..2 * half).map(|n| {
            let distance = n as f64 - middle;
            cutoff * sinc(cutoff * distance) * window(distance / reach)
        });
        let first = taps.len();
        taps.extend(of_phase.map(|tap| tap as f32));
        // What stands still stays as loud as it is.
        let sum: f32 = taps[first..].iter().sum();
        taps[first..].iter_mut().for_each(|tap| *tap /= sum);
    }
    taps
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Blackman and Harris, four terms: its sidelobes are 92 dB down. From -1 to 1.
fn window(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    let term = |n: f64| (PI * n * x).cos();
    0.358_75 + 0.488_29 * term(1.0) + 0.141_28 * term(2.0) + 0.011_68 * term(3.0)
}

/// The sum of products, eight side by side.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, _) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest = a_rest.iter().zip(b.get(a.len() - a_rest.len()..).unwrap_or_default());
    sums.iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
}

/// To 16 bits; what is too loud is cut.
fn rounded(sample: f32) -> i16 {
    // `as` keeps within bounds and makes 0 of what is no number.
    (sample * 32_768.0).round() as i16
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces of uneven size.
    fn resampled(from_hz: u32, samples: &[f32]) -> Vec<i16> {
        let mut resampler = Resampler::new(from_hz, 16_000);
        let mut rest = samples;
        for size in (1..).map(|n| n * 37 % 1_001) {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            resampler.take(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        resampler.finish()
    }

    fn tone(hz: f64, rate_hz: u32, seconds: f64) -> Vec<f32> {
        let samples = (seconds * f64::from(rate_hz)) as u32;
        let turn = 2.0 * PI * hz / f64::from(rate_hz);
        (0..samples).map(|n| (0.5 * (turn * f64::from(n)).sin()) as f32).collect()
    }

    /// What is left of a sound when the best tone of this frequency is taken out of it, and that
    /// tone, both in dB below a tone of half the full scale. Its edges are left out.
    fn parts(samples: &[i16], hz: f64) -> (f64, f64) {
        let middle = &samples[1_600..samples.len() - 1_600];
        let turn = 2.0 * PI * hz / 16_000.0;
        let waves = |n: usize| (turn * n as f64).sin_cos();
        let (mut s, mut c, mut power) = (0.0, 0.0, 0.0);
        for (n, sample) in middle.iter().enumerate() {
            let (sin, cos) = waves(n);
            let sample = f64::from(*sample) / 16_384.0;
            (s, c, power) = (s + sample * sin, c + sample * cos, power + sample * sample);
        }
        let length = middle.len() as f64;
        let (a, b) = (2.0 * s / length, 2.0 * c / length);
        let tone = (a * a + b * b) / 2.0;
        let rest = (power / length - tone).max(1e-12);
        let decibels = |power: f64| 10.0 * (2.0 * power).log10();
        (decibels(tone), decibels(rest))
    }

    #[test]
    fn a_tone_in_the_band_keeps_its_level_and_nothing_comes_with_it() {
        for rate_hz in [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
            let half_hz = f64::from(rate_hz.min(16_000)) / 2.0;
            for hz in [200.0, 0.25 * half_hz, 0.85 * half_hz] {
                // Whole periods in a second, so that a tone's power is its own.
                let hz = f64::round(hz / 10.0) * 10.0;
                let (tone, rest) = parts(&resampled(rate_hz, &tone(hz, rate_hz, 0.7)), hz);
                assert!(tone.abs() < 0.1, "{hz} Hz at {rate_hz}: {tone:.2} dB");
                assert!(rest < -75.0, "{hz} Hz at {rate_hz}: the rest has {rest:.1} dB");
            }
        }
    }

    #[test]
    fn what_does_not_fit_into_the_new_rate_does_not_come_back_mirrored() {
        for rate_hz in [22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
            for hz in [8_050.0, 9_000.0, 10_500.0, 0.49 * f64::from(rate_hz)] {
                let samples = resampled(rate_hz, &tone(hz, rate_hz, 0.5));
                // At most the last bit.
                let loudest = samples[1_600..6_400].iter().map(|s| s.unsigned_abs()).max();
                assert!(loudest <= Some(2), "{hz} Hz at {rate_hz}: {loudest:?}");
            }
        }
    }

    #[test]
    fn the_result_is_as_long_as_what_came_in() {
        for rate_hz in [4_000, 7_925, 8_000, 16_000, 44_100, 47_975, 48_000] {
            for samples in [1, 2, 100, 4_000] {
                let made = resampled(rate_hz, &vec![0.5; samples]).len();
                let expected = (samples * 16_000).div_ceil(rate_hz as usize);
                assert_eq!(made, expected, "{samples} at {rate_hz}");
            }
        }
    }

    #[test]
    fn sound_keeps_its_place_in_time_after_the_past_was_dropped() {
        // One loud sample after long silence, so that pieces of the past were dropped.
        let mut samples = vec![0.0; 480_000];
        samples[450_000] = 1.0;
        let made = resampled(48_000, &samples);
        let loudest = (0..made.len()).max_by_key(|n| made[*n].unsigned_abs());
        assert_eq!(loudest, Some(150_000));
    }

    #[test]
    fn no_rate_needs_more_filters_than_a_megabyte_holds() {
        for rate_hz in [4_001, 11_127, 44_099, 47_999, 191_999] {
            let taps = Resampler::new(rate_hz, 16_000).taps.len();
            assert!(taps < 1_000_000, "{taps} for {rate_hz}");
        }
    }

    #[test]
    fn a_sound_of_the_right_rate_is_kept_to_the_bit() {
        let samples = [-32_768i16, -1, 0, 1, 255, 32_767];
        let made = resampled(16_000, &samples.map(|s| f32::from(s) / 32_768.0));
        assert_eq!(made, samples);
    }

    #[test]
    fn what_is_too_loud_is_cut_and_not_turned_over() {
        assert_eq!(resampled(16_000, &[2.0, -2.0, f32::NAN]), [i16::MAX, i16::MIN, 0]);
    }
}
