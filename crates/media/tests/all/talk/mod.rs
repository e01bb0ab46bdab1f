//! Who hears whom, measured: tones in; frequency, level, gaps and the order of the stream out.

mod changes;
mod mixed;
mod relayed;

use leg::{Gain, Player, Source, Tone};
use media::measure::Expected;

use crate::stage::tone_hz;

/// The `n`th phone's voice as it left.
fn speech(n: usize) -> Expected {
    Expected { hz: tone_hz(n), dbfs: -12.0, tolerance: (1.0, 0.5) }
}

const MUSIC: (Source, Gain) = (Source::Player(Player::HoldMusic), Gain::UNITY);
const TEST_TONE: (Source, Gain) = (Source::Player(Player::Tone(Tone::Test)), Gain::UNITY);

/// 40 ms, the longest gap that a change may cost.
const GAP_MAX: usize = 320;
