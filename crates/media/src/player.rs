//! Built-in sources: call-progress tones and the hold music, as functions of the sample's number.
//!
//! Everything is integer arithmetic on tables made at compile time, so every machine and every
//! listener gets the same samples.

use leg::{Player, Tone};

use crate::limits::FRAME_SAMPLES;
use crate::{music, pcm};

/// One frame of a player.
pub type Frame = [i16; FRAME_SAMPLES];

/// Samples per second.
pub const RATE_HZ: u32 = 8_000;
/// Peak of the tones: a sine of -12 dBFS, as loud as a person who speaks up.
pub const TONE_PEAK: i16 = 8_231;
/// Length of the rise and fall of a tone, 5 ms: without it each edge is a click.
const RAMP_SAMPLES: u64 = 40;

/// Fills the `n`th frame of a player, counted from its start.
pub fn fill(player: Player, n: u64, frame: &mut Frame) {
    let first = n.wrapping_mul(FRAME_SAMPLES as u64);
    match player {
        Player::HoldMusic => music::fill(first, frame),
        // A clip is no function of time alone: the plane plays it.
        Player::Clip(_) => frame.fill(0),
        Player::Tone(tone) => {
            let shape = shape(tone);
            for (at, sample) in (first..).zip(frame) {
                *sample = tone_sample(shape, at);
            }
        }
    }
}

/// Makes what is made once, the hold music and the filters between rates: 10 ms of work, which
/// would stop everybody's audio when the first caller is held. To be called before there are calls.
pub fn prepare() {
    music::music();
    pcm::banks();
}

/// Frequency and cadence of a tone.
#[derive(Clone, Copy, Debug)]
struct Shape {
    hz: u64,
    on: u64,
    off: u64,
}

const MS: u64 = RATE_HZ as u64 / 1_000;

fn shape(tone: Tone) -> Shape {
    match tone {
        Tone::Ringback => Shape { hz: 425, on: 1_000 * MS, off: 4_000 * MS },
        Tone::Busy => Shape { hz: 425, on: 500 * MS, off: 500 * MS },
        Tone::Congestion => Shape { hz: 425, on: 250 * MS, off: 250 * MS },
        Tone::Test => Shape { hz: 1_000, on: 1_000 * MS, off: 0 },
    }
}

/// A sample of a tone that lasts `length` samples: it ends, and a steady one begins, softly too.
pub(crate) fn tone_within(tone: Tone, at: u64, length: u64) -> i16 {
    let edge = at.min(length.saturating_sub(at + 1)).min(RAMP_SAMPLES);
    let sample = i64::from(tone_sample(shape(tone), at)) * i64::try_from(edge).unwrap_or(0);
    i16::try_from(sample / 40).unwrap_or(0)
}

fn tone_sample(shape: Shape, at: u64) -> i16 {
    let within = at % (shape.on + shape.off);
    if within >= shape.on {
        return 0;
    }
    let edge = match shape.off {
        0 => RAMP_SAMPLES,
        _ => within.min(shape.on - 1 - within).min(RAMP_SAMPLES),
    };
    let loudness = i64::from(TONE_PEAK) * i64::try_from(edge).unwrap_or(0);
    let step = shape.hz * (at % u64::from(RATE_HZ)) % u64::from(RATE_HZ);
    let wave = i64::from(SINE[usize::try_from(step).unwrap_or(0)]);
    i16::try_from(wave * loudness / (i64::from(i16::MAX) * 40)).unwrap_or(0)
}

/// The sine of `phase`, of which a whole turn is 2^32.
pub(crate) fn sine(phase: u32) -> i32 {
    let step = (u64::from(phase) * u64::from(RATE_HZ)) >> 32;
    i32::from(SINE[usize::try_from(step).unwrap_or(0)])
}

/// One turn in as many steps as a second has samples: every whole frequency falls on them.
static SINE: [i16; RATE_HZ as usize] = {
    let mut table = [0; RATE_HZ as usize];
    let quarter = table.len() / 4;
    let mut n = 0;
    while n <= quarter {
        let value = quarter_sine(n as f64 / quarter as f64);
        table[n] = value;
        table[2 * quarter - n] = value;
        if n > 0 {
            table[(4 * quarter - n) % table.len()] = -value;
            table[2 * quarter + n] = -value;
        }
        n += 1;
    }
    table
};

/// The sine of `x` quarter turns, by its series: exact to the last bit of 16 for `x` in 0 to 1.
const fn quarter_sine(x: f64) -> i16 {
    let angle = x * core::f64::consts::FRAC_PI_2;
    let square = angle * angle;
    let mut term = angle;
    let mut sum = angle;
    let mut n = 1.0;
    while n < 9.0 {
        term = -term * square / ((2.0 * n) * (2.0 * n + 1.0));
        sum += term;
        n += 1.0;
    }
    (sum * 32_767.0 + 0.5) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{gaps, level_dbfs, pitch_hz};

    fn seconds(player: Player, from_frame: u64, frames: u64) -> Vec<i16> {
        let mut frame = [0; FRAME_SAMPLES];
        let mut all = Vec::new();
        for n in from_frame..from_frame + frames {
            fill(player, n, &mut frame);
            all.extend(frame);
        }
        all
    }

    #[test]
    fn the_sine_table_is_a_sine() {
        for (n, value) in SINE.iter().enumerate() {
            let exact = (n as f64 * core::f64::consts::TAU / 8_000.0).sin() * 32_767.0;
            assert!((f64::from(*value) - exact).abs() < 1.0, "{n}: {value} {exact}");
        }
    }

    #[test]
    fn tones_have_their_frequency_level_and_cadence() {
        let cases = [
            (Tone::Ringback, 425.0, 8_000, 32_000),
            (Tone::Busy, 425.0, 4_000, 4_000),
            (Tone::Congestion, 425.0, 2_000, 2_000),
        ];
        for (tone, hz, on, off) in cases {
            let samples = seconds(Player::Tone(tone), 0, 500);
            assert!((pitch_hz(&samples[..on]).unwrap() - hz).abs() < 2.0, "{tone:?}");
            assert!((level_dbfs(&samples[200..on - 200]) + 12.0).abs() < 0.3, "{tone:?}");
            let silent = gaps(&samples, 100);
            let first = silent.first().unwrap();
            assert!(first.start.abs_diff(on) < 60, "{tone:?} {first:?}");
            assert!(first.samples.abs_diff(off) < 120, "{tone:?} {first:?}");
        }
    }

    #[test]
    fn tones_rise_and_fall_without_a_click() {
        let samples = seconds(Player::Tone(Tone::Busy), 0, 100);
        let edges = [&samples[..4], &samples[3_996..4_000], &samples[8_000..8_004]];
        for edge in edges {
            assert!(edge.iter().all(|s| s.unsigned_abs() < 900), "{edge:?}");
        }
        assert!(samples[40..80].iter().any(|s| *s > 8_000));
    }

    #[test]
    fn the_test_tone_is_steady() {
        let samples = seconds(Player::Tone(Tone::Test), 17, 100);
        assert!((pitch_hz(&samples).unwrap() - 1_000.0).abs() < 1.0);
        assert!((level_dbfs(&samples) + 12.0).abs() < 0.1);
        assert!(gaps(&samples, 100).iter().all(|gap| gap.samples < 8));
    }

    #[test]
    fn a_frame_is_the_same_whoever_asks_and_in_whatever_order() {
        for player in [Player::HoldMusic, Player::Tone(Tone::Busy)] {
            let all = seconds(player, 0, 1_000);
            for n in [999, 3, 800, 3] {
                assert_eq!(seconds(player, n, 1), all[n as usize * 160..][..160]);
            }
        }
    }
}
