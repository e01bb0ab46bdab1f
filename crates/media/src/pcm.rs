//! Frames of sound at the three rates that are mixed, and the way between the rates.

use std::sync::LazyLock;

use model::Codec;

use crate::limits::{FRAME_SAMPLES, FRAME_SAMPLES_MAX};
use crate::resample::Bank;

/// A rate at which sound is mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz: G.711, players, built-in speech.
    #[default]
    Narrow,
    /// 16 kHz: G.722.
    Wide,
    /// 48 kHz: Opus.
    Full,
}

impl Rate {
    /// All, from the lowest.
    pub const ALL: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    /// The rate of a codec's sound.
    pub fn of(codec: Codec) -> Rate {
        match codec {
            Codec::Pcma | Codec::Pcmu => Rate::Narrow,
            Codec::G722 => Rate::Wide,
            Codec::Opus => Rate::Full,
        }
    }

    /// Samples in a second.
    pub fn hz(self) -> u32 {
        8_000 * u32::try_from(self.factor()).unwrap_or(1)
    }

    /// Samples of a frame.
    pub fn frame(self) -> usize {
        FRAME_SAMPLES * self.factor()
    }

    /// How many times the lowest rate it is.
    pub fn factor(self) -> usize {
        match self {
            Rate::Narrow => 1,
            Rate::Wide => 2,
            Rate::Full => 6,
        }
    }
}

/// Which rates are wanted of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates([bool; 3]);

impl Rates {
    pub(crate) fn add(&mut self, rate: Rate) {
        self.0[rate as usize] = true;
    }

    fn has(self, rate: Rate) -> bool {
        self.0[rate as usize]
    }
}

/// A frame of any rate, where no memory need be asked for.
#[derive(Clone, Copy)]
pub(crate) struct Mixed {
    samples: [i16; FRAME_SAMPLES_MAX],
    length: usize,
}

impl Mixed {
    pub(crate) fn silence(rate: Rate) -> Mixed {
        Mixed { samples: [0; FRAME_SAMPLES_MAX], length: rate.frame() }
    }
}

impl From<&[i16]> for Mixed {
    fn from(samples: &[i16]) -> Mixed {
        let length = samples.len().min(FRAME_SAMPLES_MAX);
        let mut mixed = Mixed { samples: [0; FRAME_SAMPLES_MAX], length };
        for (to, sample) in mixed.iter_mut().zip(samples) {
            *to = *sample;
        }
        mixed
    }
}

impl core::ops::Deref for Mixed {
    type Target = [i16];
    fn deref(&self) -> &[i16] {
        self.samples.get(..self.length).unwrap_or(&[])
    }
}

impl core::ops::DerefMut for Mixed {
    fn deref_mut(&mut self) -> &mut [i16] {
        self.samples.get_mut(..self.length).unwrap_or(&mut [])
    }
}

/// What a source sounds like in this frame, at its own rate and at those that listeners want.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    rate: Rate,
    own: Vec<i16>,
    /// One for each rate that was ever wanted besides its own.
    others: Vec<Converted>,
}

#[derive(Debug)]
struct Converted {
    rate: Rate,
    converter: Converter,
    samples: Vec<i16>,
}

impl Feed {
    /// The next frame of the source.
    pub(crate) fn set(&mut self, rate: Rate, samples: &[i16], wanted: Rates) {
        if rate != self.rate {
            self.others.clear();
            self.rate = rate;
        }
        self.own.clear();
        self.own.extend_from_slice(samples);
        for to in Rate::ALL.into_iter().filter(|to| *to != rate) {
            let known = self.others.iter().position(|other| other.rate == to);
            match (wanted.has(to), known) {
                (true, None) => {
                    let converter = Converter::new(rate, to);
                    self.others.push(Converted { rate: to, converter, samples: Vec::new() });
                }
                // One that pauses would begin anew with an old sound.
                (false, Some(n)) => {
                    self.others.swap_remove(n);
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        for other in &mut self.others {
            other.converter.convert(&self.own, &mut other.samples);
        }
    }

    /// The frame at a rate; empty if it was not wanted.
    pub(crate) fn at(&self, rate: Rate) -> &[i16] {
        if rate == self.rate {
            return &self.own;
        }
        self.others.iter().find(|other| other.rate == rate).map_or(&[], |other| &other.samples)
    }
}

/// From one rate to another, frame by frame, without a seam; about 2 ms late.
#[derive(Debug)]
pub(crate) struct Converter {
    from: Rate,
    to: Rate,
    /// The end of what came before, and the frame.
    heard: Vec<f32>,
}

impl Converter {
    pub(crate) fn new(from: Rate, to: Rate) -> Converter {
        let bank = bank(from, to);
        Converter { from, to, heard: vec![0.0; bank.width().saturating_sub(1)] }
    }

    /// Converts a frame; `out` is replaced.
    pub(crate) fn convert(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        out.clear();
        let bank = bank(self.from, self.to);
        let (up, down) = (self.to.factor(), self.from.factor());
        self.heard.extend(samples.iter().map(|sample| f32::from(*sample)));
        let count = samples.len() * up / down;
        let phases = bank.phases();
        // In lowest terms: every factor divides the largest.
        let step = (phases * down).checked_div(up).unwrap_or(1).max(1);
        out.extend((0..count).map(|n| {
            let place = n * step;
            let window = self.heard.get(place / phases..).unwrap_or(&[]);
            bank.filter(window, place % phases)
        }));
        let keep = bank.width().saturating_sub(1);
        let gone = self.heard.len().saturating_sub(keep);
        self.heard.drain(..gone);
    }
}

/// How sound of each rate becomes sound of each other one. Made by whoever asks first.
pub(crate) fn banks() -> &'static [Bank; 9] {
    static BANKS: LazyLock<[Bank; 9]> = LazyLock::new(|| {
        core::array::from_fn(|n| {
            let rate = |n: usize| Rate::ALL.get(n).copied().unwrap_or_default();
            Bank::between(rate(n / 3).hz(), rate(n % 3).hz())
        })
    });
    &BANKS
}

fn bank(from: Rate, to: Rate) -> &'static Bank {
    &banks()[from as usize * 3 + to as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{level_dbfs, pitch_at_rate_hz, strength_at_rate_dbfs};

    fn sine(hz: f64, rate: Rate, frames: usize) -> Vec<i16> {
        let angle = |n: usize| core::f64::consts::TAU * hz * n as f64 / f64::from(rate.hz());
        (0..frames * rate.frame()).map(|n| (angle(n).sin() * 8_000.0).round() as i16).collect()
    }

    fn converted(sound: &[i16], from: Rate, to: Rate) -> Vec<i16> {
        let mut converter = Converter::new(from, to);
        let (mut all, mut out) = (Vec::new(), Vec::new());
        for frame in sound.chunks(from.frame()) {
            converter.convert(frame, &mut out);
            assert_eq!(out.len(), to.frame());
            all.extend_from_slice(&out);
        }
        all
    }

    #[test]
    fn a_tone_passes_every_pair_of_rates_without_a_seam() {
        for (from, to) in Rate::ALL.into_iter().flat_map(|a| Rate::ALL.map(|b| (a, b))) {
            for hz in [200.0, 1_000.0, 3_100.0] {
                let sound = converted(&sine(hz, from, 50), from, to);
                let middle = &sound[to.frame()..];
                let rate = f64::from(to.hz());
                assert!((pitch_at_rate_hz(middle, rate).unwrap() - hz).abs() < 3.0);
                assert!((level_dbfs(middle) + 12.24).abs() < 0.2, "{from:?} {to:?} {hz}");
                // What is not the tone: seams, images and aliases, all 50 dB below it.
                let tone = strength_at_rate_dbfs(middle, hz, rate);
                let power = 10f64.powf(level_dbfs(middle) / 10.0) - 10f64.powf(tone / 10.0);
                assert!(10.0 * power.max(1e-12).log10() < -50.0, "{from:?} {to:?} {hz}: {power}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_not_folded_back() {
        for (from, to, hz) in
            [(Rate::Wide, Rate::Narrow, 5_000.0), (Rate::Full, Rate::Wide, 11_000.0)]
        {
            let sound = converted(&sine(hz, from, 20), from, to);
            assert!(level_dbfs(&sound[to.frame()..]) < -65.0, "{from:?}");
        }
    }

    #[test]
    fn a_feed_has_the_rates_that_are_wanted() {
        let mut feed = Feed::default();
        let mut wanted = Rates::default();
        wanted.add(Rate::Narrow);
        wanted.add(Rate::Full);
        feed.set(Rate::Wide, &[0; 320], wanted);
        let lengths = Rate::ALL.map(|rate| feed.at(rate).len());
        assert_eq!(lengths, [160, 320, 960]);
        feed.set(Rate::Wide, &[0; 320], Rates::default());
        assert_eq!(Rate::ALL.map(|rate| feed.at(rate).len()), [0, 320, 0]);
    }
}
