//! Keys heard as tones (ITU-T Q.23, Q.24), from phones that have no other way to say them.
//!
//! A key is two tones at once, one of a low group and one of a high one. Speech has such pairs by
//! chance now and then, but not so pure, not so steady and not so alone: that is what is asked.

use core::f32::consts::TAU;

use leg::MediaEventKind;
use model::Digit;
use smallvec::SmallVec;

use crate::limits::{INBAND_FRAMES_END, INBAND_FRAMES_MIN};
use crate::pcm::Rate;

/// The rows and columns of the keypad, Hz.
const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
const RATE_HZ: f32 = 8_000.0;

/// Softer pairs are not meant for us: each tone at least -36 dBFS.
const POWER_MIN: f32 = 1.35e5;
/// The two tones have at least this part of all that is heard: speech has half of it elsewhere.
const PURITY_MIN: f32 = 0.80;
/// One tone may be so much stronger than the other (8 dB either way, Q.24 and a long line).
const TWIST_MAX: f32 = 6.3;
/// The strongest of a group is so much above the next (8 dB).
const LEAD_MIN: f32 = 6.3;

/// Listens to one leg.
#[derive(Debug, Default)]
pub(crate) struct Inband {
    /// What the newest frames had, and how many in a row.
    candidate: Option<Digit>,
    frames: u32,
    pressed: Option<Pressed>,
}

#[derive(Debug)]
struct Pressed {
    digit: Digit,
    frames: u32,
    /// Frames in a row without it.
    missing: u32,
}

/// What one frame can tell at most: the end of one key and the beginning of the next.
pub(crate) type InbandEvents = SmallVec<[MediaEventKind; 2]>;

impl Inband {
    /// Listens to a frame of 8 kHz.
    pub(crate) fn hear(&mut self, frame: &[i16]) -> InbandEvents {
        let mut events = InbandEvents::new();
        let heard = key(frame);
        if let Some(pressed) = &mut self.pressed {
            pressed.frames += 1;
            pressed.missing = if heard == Some(pressed.digit) { 0 } else { pressed.missing + 1 };
            if pressed.missing >= INBAND_FRAMES_END {
                self.release(&mut events);
            }
        }
        self.frames = match heard {
            None => 0,
            Some(_) if heard == self.candidate => self.frames + 1,
            Some(_) => 1,
        };
        self.candidate = heard;
        if let Some(digit) = heard
            && self.frames >= INBAND_FRAMES_MIN
            && self.pressed.as_ref().is_none_or(|pressed| pressed.digit != digit)
        {
            self.release(&mut events);
            events.push(MediaEventKind::DigitStart(digit));
            self.pressed = Some(Pressed { digit, frames: self.frames, missing: 0 });
        }
        events
    }

    /// The leg is listened to no more: a pressed key ends.
    pub(crate) fn stop(&mut self) -> InbandEvents {
        let mut events = InbandEvents::new();
        self.release(&mut events);
        *self = Inband::default();
        events
    }

    fn release(&mut self, events: &mut InbandEvents) {
        if let Some(Pressed { digit, frames, missing }) = self.pressed.take() {
            let ms = frames.saturating_sub(missing).saturating_mul(20);
            let duration_ms = u16::try_from(ms).unwrap_or(u16::MAX);
            events.push(MediaEventKind::DigitEnd { digit, duration_ms });
        }
    }
}

/// The key that a frame holds.
fn key(frame: &[i16]) -> Option<Digit> {
    let energy: f32 = frame.iter().map(|s| f32::from(*s) * f32::from(*s)).sum();
    let length = frame.len() as f32;
    if energy < POWER_MIN * length {
        return None;
    }
    let (row, low) = strongest(frame, LOW_HZ)?;
    let (column, high) = strongest(frame, HIGH_HZ)?;
    let is_pair = low < high * TWIST_MAX
        && high < low * TWIST_MAX
        && low.min(high) > POWER_MIN / 2.0
        && (low + high) * length > PURITY_MIN * energy;
    let key = KEYS.get(row).and_then(|keys| keys.chars().nth(column)).filter(|_| is_pair)?;
    Digit::from_char(key)
}

/// Which of a group is heard, and its mean power; `None`: none stands out.
fn strongest(frame: &[i16], group: [f32; 4]) -> Option<(usize, f32)> {
    let powers = group.map(|hz| power(frame, hz));
    let (at, best) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = powers.iter().enumerate().filter(|(n, _)| *n != at);
    let next = others.map(|(_, power)| *power).fold(0.0, f32::max);
    (best > next * LEAD_MIN).then_some((at, best))
}

/// The mean power at a frequency (Goertzel).
fn power(frame: &[i16], hz: f32) -> f32 {
    let coefficient = 2.0 * (TAU * hz / RATE_HZ).cos();
    let (mut before, mut last) = (0f32, 0f32);
    for sample in frame {
        (before, last) = (last, f32::from(*sample) + coefficient * last - before);
    }
    let power = last * last + before * before - coefficient * last * before;
    let length = frame.len().max(1) as f32;
    2.0 * power / (length * length)
}

/// Peak of each of the two tones of a key that we press: -10 dBFS, together as loud as speech.
const KEY_PEAK: f32 = 10_000.0;
/// 5 ms: without a soft edge each key clicks.
const EDGE_MS: f32 = 5.0;

/// Sounds a frame of a key, of which `at_ms` have passed and that lasts `length_ms`.
pub(crate) fn sound(digit: Digit, at_ms: u32, length_ms: u32, rate: Rate, frame: &mut [i16]) {
    let letter = digit.as_char();
    let place = KEYS.iter().enumerate().find_map(|(row, keys)| Some((row, keys.find(letter)?)));
    let Some((row, column)) = place else { return };
    let (low, high) = (LOW_HZ[row & 3], HIGH_HZ[column & 3]);
    let step_ms = 1_000.0 / rate.hz() as f32;
    for (n, sample) in frame.iter_mut().enumerate() {
        let ms = at_ms as f32 + n as f32 * step_ms;
        let edge = ms.min(length_ms as f32 - ms).clamp(0.0, EDGE_MS) / EDGE_MS;
        let turns = ms / 1_000.0 * TAU;
        let wave = (turns * low).sin() + (turns * high).sin();
        *sample = (KEY_PEAK * edge * wave) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::sine;
    use crate::speech;

    fn press(digit: char, ms: u32) -> Vec<i16> {
        let digit = Digit::from_char(digit).unwrap();
        let mut sound_of = vec![0; ms as usize * 8];
        sound(digit, 0, ms, Rate::Narrow, &mut sound_of);
        sound_of
    }

    /// `v5` for a start, `^5` for an end, in order; and how long the last key was said to be.
    fn told(samples: &[i16]) -> (String, u16) {
        let (mut inband, mut told, mut length) = (Inband::default(), String::new(), 0);
        let frames = samples.chunks(160).map(|frame| inband.hear(frame)).collect::<Vec<_>>();
        let last = inband.stop();
        for event in frames.into_iter().flatten().chain(last) {
            match event {
                MediaEventKind::DigitStart(digit) => told.push_str(&format!("v{digit:?}")),
                MediaEventKind::DigitEnd { digit, duration_ms } => {
                    told.push_str(&format!("^{digit:?}"));
                    length = duration_ms;
                }
                other => panic!("{other:?}"),
            }
        }
        (told, length)
    }

    #[test]
    fn every_key_is_heard_at_every_phase_of_the_frames() {
        for digit in "0123456789*#ABCD".chars() {
            for shift in [0, 53, 111] {
                let samples = [vec![0; 800 + shift], press(digit, 100), vec![0; 800]].concat();
                let (events, length) = told(&samples);
                assert_eq!(events, format!("v{digit}^{digit}"), "{shift}");
                assert!((60..=120).contains(&length), "{digit} {shift}: {length}");
            }
        }
    }

    #[test]
    fn keys_in_a_row_are_told_apart_and_a_held_one_is_one() {
        let pause = vec![0; 480];
        let row: Vec<i16> =
            "1123#".chars().flat_map(|c| [press(c, 80), pause.clone()].concat()).collect();
        assert_eq!(told(&row).0, "v1^1v1^1v2^2v3^3v#^#");
        let held = [press('7', 3_000), pause].concat();
        let (events, length) = told(&held);
        assert_eq!(events, "v7^7");
        assert!((2_940..=3_020).contains(&length), "{length}");
    }

    #[test]
    fn speech_music_and_tones_are_no_keys() {
        use leg::{Player, Tone};
        use model::{Language, Spoken};
        for language in [Language::En, Language::Ru] {
            for spoken in Spoken::ALL {
                let samples = speech::samples(language, spoken);
                assert_eq!(told(&samples).0, "", "{language:?} {spoken:?}");
            }
        }
        for player in [Player::HoldMusic, Player::Tone(Tone::Busy), Player::Tone(Tone::Test)] {
            let mut frame = [0; 160];
            let mut all = Vec::new();
            for n in 0..2_000 {
                crate::player::fill(player, n, &mut frame);
                all.extend(frame);
            }
            assert_eq!(told(&all).0, "", "{player:?}");
        }
        assert_eq!(told(&sine(697.0, -10.0, 8_000)).0, "");
    }

    #[test]
    fn a_key_in_noise_or_with_one_tone_weaker_is_heard_and_beside_a_voice_it_is_not() {
        let mix = |a: &[i16], b: &[i16]| -> Vec<i16> {
            a.iter().zip(b).map(|(a, b)| a.saturating_add(*b)).collect()
        };
        let key = press('5', 200);
        let noise = sine(310.0, -32.0, key.len());
        assert_eq!(told(&mix(&key, &noise)).0, "v5^5");
        let voice = sine(310.0, -9.0, key.len());
        assert_eq!(told(&mix(&key, &voice)).0, "");
        let twisted = mix(&sine(770.0, -10.0, 1_600), &sine(1_336.0, -16.0, 1_600));
        assert_eq!(told(&twisted).0, "v5^5");
        let far = mix(&sine(770.0, -10.0, 1_600), &sine(1_336.0, -24.0, 1_600));
        assert_eq!(told(&far).0, "");
        let soft = mix(&sine(770.0, -45.0, 1_600), &sine(1_336.0, -45.0, 1_600));
        assert_eq!(told(&soft).0, "");
    }

    #[test]
    fn a_short_burst_is_no_key() {
        let burst = [vec![0; 160], press('5', 20), vec![0; 800]].concat();
        assert_eq!(told(&burst).0, "");
    }
}
