//! A session description without its text: what one side of a leg wants to send and receive.

use core::net::IpAddr;

use model::Codec;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Audio as one side describes it (RFC 8866, RFC 3264), from that side's point of view.
///
/// Only codecs of [`model::Codec`] are in it: `sip::sdp` leaves out what we cannot decode and
/// encode. Other media of the same description are refused by the stack alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Where the describing side receives. `None`, from us: the address that the peer reaches us
    /// at, which the stack fills in; from a peer: nowhere (`c=IN IP4 0.0.0.0`, an old hold).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The RTP port at which the describing side receives; 0 refuses the audio.
    pub port: u16,
    /// The RTCP port, if it is neither multiplexed nor the next one (RFC 3605).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_port: Option<u16>,
    /// RTCP comes on the RTP port (RFC 5761).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub rtcp_mux: bool,
    /// Codecs in order of preference; empty when the sides share none.
    pub formats: SmallVec<[Format; 2]>,
    /// Payload type of RFC 4733 telephone events at 8 kHz, if offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u8>,
    /// Which way the audio goes, as the describing side says it.
    pub direction: Direction,
    /// Milliseconds of audio per packet that the describing side wishes to receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ptime_ms: Option<u16>,
}

/// One codec with the payload type that the describing side wants to receive it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// The codec.
    pub codec: Codec,
}

/// Direction of the audio from the describing side's point of view (RFC 3264 5.1, 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// It sends and receives.
    SendRecv,
    /// It only sends: the other side is on hold.
    SendOnly,
    /// It only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether the describing side will send.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the describing side wants to receive.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The direction with these two halves.
    pub fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The widest answer to an offer with this direction (RFC 3264 6.1).
    pub fn answer(self) -> Direction {
        Direction::of(self.receives(), self.sends())
    }
}

impl Session {
    /// The format with this codec.
    pub fn format(&self, codec: Codec) -> Option<Format> {
        self.formats.iter().copied().find(|f| f.codec == codec)
    }
}
