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
}

impl Codec {
    /// All codecs, in the order in which we offer them.
    pub const ALL: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

    /// The name in SDP.
    pub fn encoding(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The payload type that RFC 3551 assigns for ever.
    pub fn static_payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The RTP clock rate, Hz.
    pub fn clock_rate_hz(self) -> u32 {
        8_000
    }
}

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
