//! Keys that we press towards a peer: RFC 4733 events, one after the other, in time with the
//! 20 ms clock.

use std::collections::VecDeque;

use model::{Digit, Mono};

use crate::limits::{
    DIGIT_END_PACKETS, DIGIT_GAP_FRAMES, DIGIT_MS_MAX, DIGIT_MS_MIN, DIGIT_QUEUE_MAX,
};
use crate::sent::{First, Sent, Stamp};

/// Units of the event clock in a frame.
const FRAME_UNITS: u16 = 160;
/// Units of the event clock in a millisecond.
const UNITS_PER_MS: u16 = 8;
/// Power level of the tone in -dBm0 (RFC 4733 2.3.2), as phones send it.
const VOLUME: u8 = 10;

/// Frames of silence between two keys that are sounded: 80 ms, twice what Q.24 asks.
const TONE_GAP_FRAMES: u8 = 4;

/// The digits that wait for one leg, and the one being sent.
#[derive(Debug, Default)]
pub struct Presses {
    queue: VecDeque<Press>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    units: u16,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Audio flows.
    #[default]
    Idle,
    /// The key is down for so many units.
    Down { press: Press, units: u16 },
    /// The key is up; its end is repeated so many times more.
    Up { press: Press, left: u8 },
    /// Silence before the next key or the audio.
    Gap { frames: u8 },
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Presses {
    /// Queues a digit.
    pub fn push(&mut self, digit: Digit, duration_ms: u16) -> Result<(), Full> {
        if self.queue.len() >= DIGIT_QUEUE_MAX {
            return Err(Full);
        }
        let units = duration_ms.clamp(DIGIT_MS_MIN, DIGIT_MS_MAX) * UNITS_PER_MS;
        self.queue.push_back(Press { digit, units });
        Ok(())
    }

    /// Whether digits have the line, so that audio must wait.
    pub fn busy(&self) -> bool {
        !self.queue.is_empty() || !matches!(self.state, State::Idle)
    }

    /// Forgets everything, the digit being sent included.
    pub fn clear(&mut self) {
        *self = Presses::default();
    }

    /// Digits that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// What is sent in the frame at `at`: a stamp and the event's four bytes.
    pub fn frame(&mut self, at: Mono, sent: &mut Sent) -> Option<(Stamp, [u8; 4])> {
        let (first, press, units, end);
        (self.state, first, press, units, end) = match self.state {
            State::Gap { frames } if frames > 1 => {
                self.state = State::Gap { frames: frames - 1 };
                return None;
            }
            State::Gap { .. } => {
                self.state = State::Idle;
                return None;
            }
            State::Idle => {
                let press = self.queue.pop_front()?;
                sent.begin_digit(at);
                (State::Down { press, units: FRAME_UNITS }, First::Yes, press, FRAME_UNITS, End::No)
            }
            State::Down { press, units } => match units.saturating_add(FRAME_UNITS) {
                units if units >= press.units => {
                    let left = DIGIT_END_PACKETS - 1;
                    (State::Up { press, left }, First::No, press, press.units, End::Yes)
                }
                units => (State::Down { press, units }, First::No, press, units, End::No),
            },
            State::Up { press, left } => {
                let next = match left {
                    0 | 1 => State::Gap { frames: DIGIT_GAP_FRAMES },
                    _ => State::Up { press, left: left - 1 },
                };
                (next, First::No, press, press.units, End::Yes)
            }
        };
        let [d1, d0] = units.to_be_bytes();
        let flags = VOLUME | if end == End::Yes { 0x80 } else { 0 };
        Some((sent.digit(first), [press.digit.event(), flags, d1, d0]))
    }
}

/// A frame's part of a key that is sounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// The key.
    pub digit: Digit,
    /// How long it has sounded already.
    pub at_ms: u32,
    /// How long it sounds in all.
    pub length_ms: u32,
}

impl Presses {
    /// What is sounded in this frame, for a peer that takes tones; `None`: the pause after a key.
    pub fn tone(&mut self) -> Option<Tone> {
        let (press, units) = match self.state {
            State::Gap { frames } if frames > 1 => {
                self.state = State::Gap { frames: frames - 1 };
                return None;
            }
            State::Gap { .. } | State::Up { .. } => {
                self.state = State::Idle;
                return None;
            }
            State::Idle => (self.queue.pop_front()?, 0),
            State::Down { press, units } => (press, units),
        };
        let after = units.saturating_add(FRAME_UNITS);
        self.state = if after >= press.units {
            State::Gap { frames: TONE_GAP_FRAMES }
        } else {
            State::Down { press, units: after }
        };
        Some(Tone {
            digit: press.digit,
            at_ms: u32::from(units / UNITS_PER_MS),
            length_ms: u32::from(press.units / UNITS_PER_MS),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Chance;

    /// One line per frame: marker, digit, duration, `.` at the end; `-` for none.
    fn frames(presses: &mut Presses, sent: &mut Sent, count: u64) -> Vec<String> {
        let frame = |n: u64| match presses.frame(Mono(n * 20_000), sent) {
            None => String::from("-"),
            Some((stamp, [code, flags, d1, d0])) => {
                sent.count(4);
                let marker = if stamp.marker { "M" } else { "" };
                let end = if flags & 0x80 != 0 { "." } else { "" };
                format!("{marker}{code}:{}{end}", u16::from_be_bytes([d1, d0]))
            }
        };
        (0..count).map(frame).collect()
    }

    #[test]
    fn durations_rise_and_the_end_comes_three_times() {
        let mut presses = Presses::default();
        let mut sent = Sent::new(&mut Chance::from_number(1));
        presses.push(Digit::from_char('5').unwrap(), 100).unwrap();
        presses.push(Digit::from_char('#').unwrap(), 1).unwrap();
        let expected = [
            "M5:160", "5:320", "5:480", "5:640", "5:800.", "5:800.", "5:800.", "-", "-", //
            "M11:160", "11:320.", "11:320.", "11:320.", "-", "-",
        ];
        assert!(presses.busy());
        assert_eq!(frames(&mut presses, &mut sent, 15), expected);
        assert!(!presses.busy());
    }

    #[test]
    fn numbers_run_on_and_each_key_has_one_timestamp() {
        let mut presses = Presses::default();
        let mut sent = Sent::new(&mut Chance::from_number(1));
        presses.push(Digit::from_char('1').unwrap(), 40).unwrap();
        presses.push(Digit::from_char('2').unwrap(), 40).unwrap();
        let mut stamps = Vec::new();
        for n in 0..12 {
            if let Some((stamp, _)) = presses.frame(Mono(n * 20_000), &mut sent) {
                sent.count(4);
                stamps.push(stamp);
            }
        }
        let (number, time) = (stamps[0].sequence, stamps[0].timestamp);
        let shown: Vec<_> = stamps
            .iter()
            .map(|s| (s.sequence.wrapping_sub(number), s.timestamp.wrapping_sub(time)))
            .collect();
        // The second key begins in the 7th frame, 6 * 160 units later.
        assert_eq!(shown, [(0, 0), (1, 0), (2, 0), (3, 0), (4, 960), (5, 960), (6, 960), (7, 960)]);
    }

    #[test]
    fn the_queue_has_a_bound() {
        let mut presses = Presses::default();
        let digit = Digit::from_char('0').unwrap();
        for _ in 0..DIGIT_QUEUE_MAX {
            assert_eq!(presses.push(digit, u16::MAX), Ok(()));
        }
        assert_eq!(presses.push(digit, 100), Err(Full));
        presses.clear();
        assert!(!presses.busy());
    }
}
