//! Codecs and digits.

use core::fmt;

use serde::{Deserialize, Serialize};

/// An audio codec that we can decode and encode; others are never offered nor kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 µ-law, 8 kHz, static payload type 0 (RFC 3551).
    Pcmu,
    /// G.711 A-law, 8 kHz, static payload type 8 (RFC 3551).
    Pcma,
    /// G.722, 7 kHz of sound; its RTP clock says 8,000 though it has 16,000 samples a second, an
    /// old mistake that stays (RFC 3551 4.5.2). Static payload type 9.
    G722,
    /// Opus (RFC 6716, RFC 7587), up to 20 kHz of sound, dynamic payload type.
    Opus,
}

impl Codec {
    /// All codecs, in the order in which we offer them: those that every phone knows first.
    pub const ALL: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

    /// The name in SDP.
    pub fn encoding(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The payload type that RFC 3551 assigns for ever.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The payload type under which we offer it.
    pub fn payload_type(self) -> u8 {
        self.static_payload_type().unwrap_or(OPUS_PAYLOAD_TYPE)
    }

    /// The RTP clock rate, Hz.
    pub fn clock_rate_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
            Codec::Opus => 48_000,
        }
    }

    /// Samples of sound in a second, Hz.
    pub fn sample_rate_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
        }
    }

    /// The channels that SDP names behind the rate; `None`: it names none. Opus always says two,
    /// whatever is sent (RFC 7587 7).
    pub fn sdp_channels(self) -> Option<u8> {
        (self == Codec::Opus).then_some(2)
    }
}

/// The dynamic payload type that most phones use for Opus.
const OPUS_PAYLOAD_TYPE: u8 = 107;

/// A key of a telephone, with the event codes of RFC 4733 3.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digit(u8);

impl Digit {
    /// The digit of an RFC 4733 event code: 0 to 9, `*` 10, `#` 11, A to D 12 to 15.
    pub fn from_event(code: u8) -> Option<Digit> {
        (code < 16).then_some(Digit(code))
    }

    /// The digit written as `0`-`9`, `*`, `#` or `A`-`D`.
    pub fn from_char(c: char) -> Option<Digit> {
        let code = match c {
            '0'..='9' => c as u8 - b'0',
            '*' => 10,
            '#' => 11,
            'A'..='D' => 12 + (c as u8 - b'A'),
            _ => return None,
        };
        Some(Digit(code))
    }

    /// The RFC 4733 event code.
    pub fn event(self) -> u8 {
        self.0
    }

    /// The character on the key.
    pub fn as_char(self) -> char {
        char::from(b"0123456789*#ABCD"[usize::from(self.0 & 15)])
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_read_as_they_print() {
        for code in 0..16 {
            let digit = Digit::from_event(code).unwrap();
            assert_eq!(Digit::from_char(digit.as_char()), Some(digit));
        }
        assert_eq!(Digit::from_event(16), None);
    }
}
