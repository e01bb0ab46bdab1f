//! RTCP packets (RFC 3550 6): reading what a peer reports, writing our own.
//!
//! Ours are always compound: a report, the CNAME, and at the end a BYE.

use model::Wall;

use crate::limits::RTCP_PACKETS_MAX;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// Seconds from 1900 (NTP) to 1970.
const NTP_EPOCH_S: i64 = 2_208_988_800;

/// A report block: what one side received of a stream (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Of the stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction: u8,
    /// Lost in all, 24 bits with sign.
    pub lost: i32,
    /// The highest sequence number, with the number of wraps above it.
    pub highest: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0: none came.
    pub last_report: u32,
    /// How long ago that came, in 1/65536 s.
    pub delay: u32,
}

/// What we send.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Ours.
    pub ssrc: u32,
    /// Random, for this leg alone (RFC 7022): it links no two calls.
    pub cname: &'a [u8; 16],
    /// With it a sender report, without a receiver report.
    pub sender: Option<Sender>,
    /// What we received, if anything.
    pub block: Option<Block>,
    /// Whether this is the last one.
    pub goodbye: Goodbye,
}

/// The sender's part of a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// NTP time.
    pub ntp: u64,
    /// The same moment in the stream's time.
    pub timestamp: u32,
    /// Packets so far.
    pub packets: u32,
    /// Payload bytes so far.
    pub octets: u32,
}

/// Whether a report ends with a BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// The stream goes on.
    No,
    /// The stream is over.
    Yes,
}

impl Report<'_> {
    /// Appends the datagram.
    pub fn write(&self, to: &mut Vec<u8>) {
        let blocks = u8::from(self.block.is_some());
        let kind = if self.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        let words = 1 + 5 * u16::from(self.sender.is_some()) + 6 * u16::from(blocks);
        write_head(to, blocks, kind, words);
        to.extend(self.ssrc.to_be_bytes());
        if let Some(sender) = self.sender {
            to.extend(sender.ntp.to_be_bytes());
            for word in [sender.timestamp, sender.packets, sender.octets] {
                to.extend(word.to_be_bytes());
            }
        }
        if let Some(block) = self.block {
            let [_, l2, l1, l0] = block.lost.to_be_bytes();
            to.extend(block.ssrc.to_be_bytes());
            to.extend([block.fraction, l2, l1, l0]);
            for word in [block.highest, block.jitter, block.last_report, block.delay] {
                to.extend(word.to_be_bytes());
            }
        }
        // One chunk: SSRC, CNAME item of 2 + 16 bytes, zeros to the next word (RFC 3550 6.5).
        write_head(to, 1, DESCRIPTION, 6);
        to.extend(self.ssrc.to_be_bytes());
        to.extend([1, 16]);
        to.extend(self.cname);
        to.extend([0, 0]);
        if self.goodbye == Goodbye::Yes {
            write_head(to, 1, GOODBYE, 1);
            to.extend(self.ssrc.to_be_bytes());
        }
    }
}

/// `words`: how many follow the first one.
fn write_head(to: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    let [w1, w0] = words.to_be_bytes();
    to.extend([0x80 | count, kind, w1, w0]);
}

/// NTP time of the wall clock (RFC 5905 6).
pub fn ntp(wall: Wall) -> u64 {
    let seconds = u64::try_from(wall.seconds() + NTP_EPOCH_S).unwrap_or(0);
    let us = u64::try_from(wall.0.rem_euclid(1_000_000)).unwrap_or(0);
    (seconds << 32) | ((us << 32) / 1_000_000)
}

/// One thing that a peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It sends (RFC 3550 6.4.1).
    Sender {
        /// Who.
        ssrc: u32,
        /// NTP time and counts.
        sender: Sender,
    },
    /// It received.
    Block(Block),
    /// A stream of its is over.
    Goodbye,
}

/// The datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a compound of whole RTCP packets")]
pub struct Malformed;

/// Hands every statement of a datagram to `told`; SDES, APP, feedback and extended reports are
/// stepped over. The whole datagram is checked first: a broken one says nothing.
pub fn read(bytes: &[u8], mut told: impl FnMut(Told)) -> Result<(), Malformed> {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        rest = split(rest)?.rest;
        count += 1;
        if count > RTCP_PACKETS_MAX {
            return Err(Malformed);
        }
    }
    if count == 0 {
        return Err(Malformed);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let packet = split(rest)?;
        rest = packet.rest;
        packet.tell(&mut told);
    }
    Ok(())
}

struct Split<'a> {
    count: usize,
    kind: u8,
    body: &'a [u8],
    rest: &'a [u8],
}

fn split(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    let ([flags, kind, w1, w0], rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    if flags >> 6 != 2 || !(192..=223).contains(kind) {
        return Err(Malformed);
    }
    let length = 4 * usize::from(u16::from_be_bytes([*w1, *w0]));
    let (body, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
    let padding = match body.last() {
        Some(padding) if flags & 0x20 != 0 => usize::from(*padding),
        _ => 0,
    };
    let body = body.len().checked_sub(padding).and_then(|n| body.get(..n)).ok_or(Malformed)?;
    Ok(Split { count: usize::from(flags & 0x1F), kind: *kind, body, rest })
}

impl Split<'_> {
    fn tell(&self, told: &mut impl FnMut(Told)) {
        let mut words = self.body.chunks_exact(4).map(|w| match *w {
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        });
        match self.kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                let Some(ssrc) = words.next() else { return };
                if self.kind == SENDER_REPORT {
                    let [Some(high), Some(low), Some(timestamp), Some(packets), Some(octets)] =
                        [(); 5].map(|()| words.next())
                    else {
                        return;
                    };
                    let ntp = (u64::from(high) << 32) | u64::from(low);
                    told(Told::Sender { ssrc, sender: Sender { ntp, timestamp, packets, octets } });
                }
                for _ in 0..self.count {
                    let Some(block) = read_block(&mut words) else { return };
                    told(Told::Block(block));
                }
            }
            GOODBYE => told(Told::Goodbye),
            _ => {}
        }
    }
}

fn read_block(words: &mut impl Iterator<Item = u32>) -> Option<Block> {
    let ssrc = words.next()?;
    let losses = words.next()?;
    let [fraction, ..] = losses.to_be_bytes();
    Some(Block {
        ssrc,
        fraction,
        // The shifts carry the sign of the 24 bits.
        lost: (losses << 8).cast_signed() >> 8,
        highest: words.next()?,
        jitter: words.next()?,
        last_report: words.next()?,
        delay: words.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block {
        ssrc: 0xAABB_CCDD,
        fraction: 13,
        lost: -2,
        highest: 0x0001_0002,
        jitter: 33,
        last_report: 0x1234_5678,
        delay: 0x0001_8000,
    };
    const SENDER: Sender =
        Sender { ntp: 0x0102_0304_0506_0708, timestamp: 9, packets: 10, octets: 1_600 };

    fn written(sender: Option<Sender>, block: Option<Block>, goodbye: Goodbye) -> Vec<u8> {
        let mut bytes = Vec::new();
        let cname = b"abcdefghijkmnpqr";
        Report { ssrc: 77, cname, sender, block, goodbye }.write(&mut bytes);
        bytes
    }

    fn told(bytes: &[u8]) -> Result<Vec<Told>, Malformed> {
        let mut all = Vec::new();
        read(bytes, |t| all.push(t)).map(|()| all)
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let bytes = written(Some(SENDER), Some(BLOCK), Goodbye::Yes);
        assert_eq!(
            told(&bytes).unwrap(),
            [Told::Sender { ssrc: 77, sender: SENDER }, Told::Block(BLOCK), Told::Goodbye]
        );
        assert_eq!(bytes.len(), 28 + 24 + 28 + 8);
        let bytes = written(None, None, Goodbye::No);
        assert_eq!(told(&bytes).unwrap(), []);
        assert_eq!(bytes[..8], [0x80, 201, 0, 1, 0, 0, 0, 77]);
    }

    #[test]
    fn a_datagram_cut_anywhere_says_nothing() {
        let bytes = written(Some(SENDER), Some(BLOCK), Goodbye::Yes);
        let whole = [52, 80, 88];
        for cut in 0..bytes.len() {
            let ok = told(&bytes[..cut]).is_ok();
            assert_eq!(ok, whole.contains(&cut), "{cut}");
        }
    }

    #[test]
    fn counts_and_padding_that_lie_do_no_harm() {
        let mut bytes = written(Some(SENDER), None, Goodbye::No);
        bytes[0] |= 31;
        assert_eq!(told(&bytes).unwrap(), [Told::Sender { ssrc: 77, sender: SENDER }]);
        let mut bytes = written(None, None, Goodbye::No);
        bytes[0] |= 0x20;
        bytes[7] = 200;
        assert_eq!(told(&bytes), Err(Malformed));
        let many: Vec<u8> = [0x80, 202, 0, 0].repeat(RTCP_PACKETS_MAX + 1);
        assert_eq!(told(&many), Err(Malformed));
    }

    #[test]
    fn ntp_time_counts_from_1900() {
        assert_eq!(ntp(Wall(0)), 2_208_988_800 << 32);
        assert_eq!(ntp(Wall(1_500_000)) & 0xFFFF_FFFF, 0x8000_0000);
    }
}
