//! RTP packets (RFC 3550 5.1): reading any, writing the fixed header.

use crate::limits::{PACKET_BYTES_MAX, RTP_HEADER_BYTES};

/// The fixed header of an RTP packet, as far as anybody needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The first packet of a talkspurt (RFC 3551 4.1).
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Rises by one per packet, wraps.
    pub sequence: u16,
    /// When the first sample was taken, in units of the codec's clock, wraps.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
}

/// Where the parts of a packet lie in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The header.
    pub header: Header,
    /// First byte of the payload; at least [`RTP_HEADER_BYTES`].
    pub start: usize,
    /// One past the last byte of the payload, padding excluded.
    pub end: usize,
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its header says, or than any header.
    #[error("the packet ends within its header")]
    Short,
    /// Longer than [`PACKET_BYTES_MAX`].
    #[error("the packet is longer than {PACKET_BYTES_MAX} bytes")]
    Long,
    /// Not version 2.
    #[error("not RTP version 2")]
    Version,
    /// The padding is longer than the packet, or of no length.
    #[error("the padding does not fit")]
    Padding,
}

impl Packet {
    /// Reads a packet. CSRCs, extension and padding are stepped over.
    pub fn parse(bytes: &[u8]) -> Result<Packet, Malformed> {
        if bytes.len() > PACKET_BYTES_MAX {
            return Err(Malformed::Long);
        }
        let fixed: &[u8; RTP_HEADER_BYTES] = bytes.first_chunk().ok_or(Malformed::Short)?;
        let [flags, kind, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0] = *fixed;
        if flags >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let mut start = RTP_HEADER_BYTES + 4 * usize::from(flags & 0x0F);
        if flags & 0x10 != 0 {
            let extension: &[u8; 4] =
                bytes.get(start..).and_then(<[u8]>::first_chunk).ok_or(Malformed::Short)?;
            let words = u16::from_be_bytes([extension[2], extension[3]]);
            start += 4 + 4 * usize::from(words);
        }
        let mut end = bytes.len();
        if start > end {
            return Err(Malformed::Short);
        }
        if flags & 0x20 != 0 {
            let padding = usize::from(bytes.last().copied().unwrap_or(0));
            if padding == 0 || padding > end - start {
                return Err(Malformed::Padding);
            }
            end -= padding;
        }
        let header = Header {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7F,
            sequence: u16::from_be_bytes([s1, s0]),
            timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
            ssrc: u32::from_be_bytes([c3, c2, c1, c0]),
        };
        Ok(Packet { header, start, end })
    }

    /// The payload in the datagram that was parsed.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or(&[])
    }
}

impl Header {
    /// The header's bytes: version 2, no padding, no extension, no CSRCs.
    pub fn to_bytes(self) -> [u8; RTP_HEADER_BYTES] {
        let [s1, s0] = self.sequence.to_be_bytes();
        let [t3, t2, t1, t0] = self.timestamp.to_be_bytes();
        let [c3, c2, c1, c0] = self.ssrc.to_be_bytes();
        let kind = (u8::from(self.marker) << 7) | (self.payload_type & 0x7F);
        [0x80, kind, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0]
    }
}

/// Whether a datagram on a port that carries both is RTCP (RFC 5761 4): its second byte is one of
/// the packet types 192 to 223, which as RTP would be payload types 64 to 95 with a marker.
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, kind, ..] if first >> 6 == 2 && (192..=223).contains(kind))
}

/// How far `a` is after `b` in the circle of sequence numbers; negative: before.
pub fn sequence_after(a: u16, b: u16) -> i16 {
    a.wrapping_sub(b).cast_signed()
}

/// How far `a` is after `b` in the circle of timestamps; negative: before.
pub fn timestamp_after(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

/// Microseconds in units of a clock, in the circle of timestamps.
pub fn units_of_micros(us: u64, clock_hz: u32) -> u32 {
    let units = u128::from(us) * u128::from(clock_hz) / 1_000_000;
    u32::try_from(units & u128::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 8,
        sequence: 0xFFFE,
        timestamp: 0xDEAD_BEEF,
        ssrc: 0x0102_0304,
    };

    #[test]
    fn a_written_header_reads_as_it_was() {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes.extend([1, 2, 3]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.header, HEADER);
        assert_eq!(packet.payload(&bytes), [1, 2, 3]);
    }

    #[test]
    fn csrcs_extension_and_padding_are_stepped_over() {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes[0] |= 0x10 | 0x20 | 2;
        bytes.extend([0; 8]); // two CSRCs
        bytes.extend([0xBE, 0xDE, 0, 1, 9, 9, 9, 9]); // an extension of one word
        bytes.extend([7, 7, 0, 0, 3]); // two bytes of payload, three of padding
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.payload(&bytes), [7, 7]);
    }

    #[test]
    fn what_is_no_rtp_packet_is_refused() {
        let good = HEADER.to_bytes();
        let with = |first: u8, tail: &[u8]| {
            let mut bytes = good.to_vec();
            bytes[0] = first;
            bytes.extend(tail);
            bytes
        };
        let cases: [(Vec<u8>, Malformed); 8] = [
            (vec![], Malformed::Short),
            (good[..11].to_vec(), Malformed::Short),
            (with(0x40, &[]), Malformed::Version),
            (with(0x82, &[0; 7]), Malformed::Short),
            (with(0x90, &[0, 0, 0]), Malformed::Short),
            (with(0x90, &[0, 0, 0xFF, 0xFF]), Malformed::Short),
            (with(0xA0, &[1, 0]), Malformed::Padding),
            (with(0xA0, &[1, 4]), Malformed::Padding),
        ];
        for (bytes, why) in cases {
            assert_eq!(Packet::parse(&bytes), Err(why), "{bytes:?}");
        }
        assert_eq!(Packet::parse(&with(0x80, &[0; 1_500])), Err(Malformed::Long));
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_type() {
        let told = |kind| is_rtcp(&[0x80, kind, 0, 0]);
        assert!([192, 200, 201, 202, 203, 207, 223].into_iter().all(told));
        assert!(![0, 8, 13, 101, 128, 136, 191, 224, 229].into_iter().any(told));
        assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[0, 200]));
    }

    #[test]
    fn order_survives_the_wrap() {
        assert_eq!(sequence_after(2, 0xFFFF), 3);
        assert_eq!(sequence_after(0xFFFF, 2), -3);
        assert_eq!(timestamp_after(100, u32::MAX - 59), 160);
        assert_eq!(units_of_micros(20_000, 8_000), 160);
        assert_eq!(units_of_micros(20_000, 48_000), 960);
        assert_eq!(units_of_micros(u64::from(u32::MAX) * 125 + 250, 8_000), 1);
    }
}
