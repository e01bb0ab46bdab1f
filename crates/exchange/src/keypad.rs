//! The keypad of one leg during a call: which keys are a code for the switch, and which go on to
//! the other side.
//!
//! Keys are held back while they may be a code, and passed on in their order once they cannot.
//! Nothing is held longer than [`NEXT_KEY`] after the last key. Keys that were heard in the sound
//! form codes too, but the other side has them already, so they are never passed on.
//!
//! A value without a clock: [`Heard::wait`] says how long to wait before [`Keypad::waited`].

use core::time::Duration;

use model::limits::NUMBER_BYTES_MAX;
use model::{CodeMoment, CodeName, Digit, FeatureCodes, Number};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// How long after its first key the second key of a code may come: whoever presses one key for
/// somebody's menu shall not wait longer for it to be heard.
pub const SECOND_KEY: Duration = Duration::from_secs(1);
/// How long after a key each further one may come.
pub const NEXT_KEY: Duration = Duration::from_secs(3);

/// The most keys that are held: a number that is as long as numbers are, and its code.
const HELD_MAX: usize = NUMBER_BYTES_MAX;

/// Keys in the order in which they were pressed.
pub type Keys = SmallVec<[Key; 4]>;

/// One key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Which.
    pub digit: Digit,
    /// For how long.
    pub duration_ms: u32,
    /// How we have heard of it.
    pub source: KeySource,
}

/// How a key was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// As an event of RFC 4733.
    Event,
    /// By SIP INFO.
    Info,
    /// In the sound itself, as the other side has.
    Sound,
}

/// What a keypad is listened to for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Every code of a call.
    Talking,
    /// Only the way back from a consultation; all else is for whom one asks.
    Consulting,
}

/// A code that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InCall {
    /// The other side is sent on to this number.
    Transfer(Number),
    /// The other side waits while one talks to this number.
    Attended(Number),
    /// Back from there.
    AttendedBack,
    /// The other side is parked; without a slot in a free one.
    Park(Option<u8>),
}

/// What comes of a key or of waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What the other side gets now, in this order.
    pub pass: Keys,
    /// The code that is complete.
    pub code: Option<InCall>,
    /// Keys are held: how long to wait for the next. Takes the place of what was waited for before;
    /// `None`: nothing is held, nothing is waited for.
    pub wait: Option<Duration>,
}

/// The keypad of one leg.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keypad {
    /// No key is held.
    #[default]
    Idle,
    /// These begin a code.
    Code {
        /// At least one, fewer than the code has.
        keys: Keys,
    },
    /// These are a code that a number follows.
    Number {
        /// Which.
        code: NumberCode,
        /// The code and what follows.
        keys: Keys,
        /// How many of them are the code.
        prefix: usize,
    },
    /// These are the code to park, which a slot may follow.
    Slot {
        /// The code.
        keys: Keys,
    },
}

/// A code that a number follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberCode {
    /// To send the other side on.
    Transfer,
    /// To ask first.
    Attended,
}

impl Keypad {
    /// Whether no key is held.
    pub fn is_idle(&self) -> bool {
        *self == Keypad::Idle
    }

    /// How long to wait for the next key, if some are held.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Keypad::Idle => None,
            Keypad::Code { keys } if keys.len() < 2 => Some(SECOND_KEY),
            Keypad::Code { .. } | Keypad::Number { .. } | Keypad::Slot { .. } => Some(NEXT_KEY),
        }
    }

    /// A key was pressed, and let go.
    pub fn pressed(&mut self, key: Key, codes: &FeatureCodes, listening: Listening) -> Heard {
        let digit = key.digit.as_char();
        match core::mem::take(self) {
            Keypad::Idle => self.begin(SmallVec::new(), key, codes, listening),
            Keypad::Code { keys } => self.begin(keys, key, codes, listening),
            Keypad::Number { code, keys, prefix } => match digit {
                '#' if keys.len() > prefix => complete(code.with(&keys, prefix), keys),
                '0'..='9' | '*' if keys.len() < HELD_MAX => {
                    let keys = with(keys, key);
                    self.hold(Keypad::Number { code, keys, prefix }, NEXT_KEY)
                }
                // No number has such a key, none is empty and none so long.
                _ => self.anew(keys, key, codes, listening),
            },
            Keypad::Slot { keys } => match slot_of(digit) {
                Some(slot) => complete(Some(InCall::Park(Some(slot))), keys),
                None if digit == '#' => complete(Some(InCall::Park(None)), keys),
                None => self.anew(keys, key, codes, listening),
            },
        }
    }

    /// [`Heard::wait`] has passed since the last key.
    pub fn waited(&mut self) -> Heard {
        match core::mem::take(self) {
            Keypad::Idle => Heard::default(),
            Keypad::Code { keys } => passed(keys),
            Keypad::Number { code, keys, prefix } if keys.len() > prefix => {
                complete(code.with(&keys, prefix), keys)
            }
            Keypad::Number { keys, .. } => passed(keys),
            Keypad::Slot { keys } => complete(Some(InCall::Park(None)), keys),
        }
    }

    /// Codes are listened to no more: what is held goes on.
    pub fn given_up(&mut self) -> Heard {
        match core::mem::take(self) {
            Keypad::Idle => Heard::default(),
            Keypad::Code { keys } | Keypad::Number { keys, .. } | Keypad::Slot { keys } => {
                passed(keys)
            }
        }
    }

    /// A further key of what may be a code.
    fn begin(&mut self, keys: Keys, key: Key, codes: &FeatureCodes, listening: Listening) -> Heard {
        let text: String = keys.iter().chain([&key]).map(|key| key.digit.as_char()).collect();
        let heard = |name: &CodeName| match listening {
            Listening::Talking => true,
            Listening::Consulting => *name == CodeName::AttendedTransfer,
        };
        let mut begun = codes
            .in_use(CodeMoment::InCall)
            .filter(|(name, code)| heard(name) && code.as_str().starts_with(&text));
        let Some((name, code)) = begun.next() else {
            return match keys.is_empty() {
                true => passed(with(keys, key)),
                false => self.anew(keys, key, codes, listening),
            };
        };
        let is_whole = code.as_str() == text;
        let wait = if keys.is_empty() { SECOND_KEY } else { NEXT_KEY };
        let prefix = text.len();
        let keys = with(keys, key);
        if !is_whole {
            return self.hold(Keypad::Code { keys }, wait);
        }
        let number = |code| Keypad::Number { code, keys: keys.clone(), prefix };
        let next = match (name, listening) {
            (CodeName::AttendedTransfer, Listening::Consulting) => {
                return complete(Some(InCall::AttendedBack), keys);
            }
            (CodeName::AttendedTransfer, Listening::Talking) => number(NumberCode::Attended),
            (CodeName::Transfer, _) => number(NumberCode::Transfer),
            (CodeName::ParkInCall, _) => Keypad::Slot { keys },
            // These are dialled, and not among the codes of a call.
            (
                CodeName::Pickup
                | CodeName::Eavesdrop
                | CodeName::Whisper
                | CodeName::Barge
                | CodeName::Room
                | CodeName::Replace
                | CodeName::Park
                | CodeName::Voicemail
                | CodeName::Agent,
                _,
            ) => return passed(keys),
        };
        self.hold(next, NEXT_KEY)
    }

    /// What was held is no code; the key that shows it may begin one.
    fn anew(&mut self, held: Keys, key: Key, codes: &FeatureCodes, listening: Listening) -> Heard {
        let mut first = passed(held);
        let then = self.begin(SmallVec::new(), key, codes, listening);
        first.pass.extend(then.pass);
        Heard { pass: first.pass, ..then }
    }

    fn hold(&mut self, next: Keypad, wait: Duration) -> Heard {
        *self = next;
        Heard { wait: Some(wait), ..Heard::default() }
    }
}

impl NumberCode {
    /// The code with the number behind it.
    fn with(self, keys: &[Key], prefix: usize) -> Option<InCall> {
        let number: String = keys.iter().skip(prefix).map(|key| key.digit.as_char()).collect();
        let number = Number::parse(&number).ok()?;
        Some(match self {
            NumberCode::Transfer => InCall::Transfer(number),
            NumberCode::Attended => InCall::Attended(number),
        })
    }
}

fn with(mut keys: Keys, key: Key) -> Keys {
    keys.push(key);
    keys
}

/// These keys were a code; if they were none after all, nothing of them is lost.
fn complete(code: Option<InCall>, keys: Keys) -> Heard {
    match code {
        Some(code) => Heard { code: Some(code), ..Heard::default() },
        None => passed(keys),
    }
}

fn passed(keys: Keys) -> Heard {
    let pass = keys.into_iter().filter(|key| key.source != KeySource::Sound).collect();
    Heard { pass, ..Heard::default() }
}

fn slot_of(digit: char) -> Option<u8> {
    digit.to_digit(10).filter(|n| *n > 0).and_then(|n| u8::try_from(n).ok())
}

#[cfg(test)]
mod tests;
