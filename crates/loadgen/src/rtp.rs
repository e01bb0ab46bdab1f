//! RTP streams by the hundred: sent evenly, received with the kernel's stamps.
//!
//! Each packet carries its stream, its number and the moment of its sending in its payload, so
//! that whatever relays it untouched can be measured: delay, loss, and whether it was untouched.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::socket::{Socket, drops, wall_ns};
use crate::usage::percentile;

/// Audio of one packet (RFC 3551 4.2).
const PACKET_MS: u64 = 20;
/// Bytes of one packet of G.711.
const PAYLOAD: usize = 160;
const HEADER: usize = 12;
/// Payload type of G.711 A-law, the first that the phones offer.
const PCMA: u8 = 8;
/// Begins the payload of our packets.
const MARK: &[u8; 8] = b"loadgen1";
/// How often the sockets are read while nothing is due: rarely enough not to disturb who sends
/// to them, often enough that their buffers never fill.
const READ_GAP: Duration = Duration::from_millis(1);
/// How often what else the caller has to do is done.
const IDLE_GAP: Duration = Duration::from_millis(20);

/// Sockets for audio, each with its RTCP socket on the next port, which nobody reads.
#[derive(Debug)]
pub struct Streams {
    sockets: Vec<Socket>,
    rtcp: Vec<Socket>,
    ports: Vec<u16>,
    /// Number of every stream's next packet: it rises from one run to the next, as a phone's does.
    sequence: u64,
    pace: Pace,
}

/// How the moment of the next packet is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// To the microsecond, with a whole core.
    Exact,
    /// To the millisecond, asleep: where audio has to be there and is not what is measured.
    Asleep,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct RtpReport {
    /// Sent while it was measured.
    pub sent: u64,
    /// Of those, received untouched.
    pub received: u64,
    /// Received, but not what was sent: decoded on the way, or somebody else's.
    pub foreign: u64,
    /// One-way delays in nanoseconds, sorted.
    pub delays_ns: Vec<u64>,
    /// From the first packet to the last.
    pub elapsed: Duration,
    /// How far behind its plan a packet was sent, at worst.
    pub late: Duration,
    /// Packets that the kernel dropped because the generator did not read in time.
    pub kernel_drops: u64,
}

impl RtpReport {
    /// One-way delay, microseconds, below which `per_mille` thousandths of the packets lie.
    pub fn delay_us(&self, per_mille: usize) -> f64 {
        percentile(&self.delays_ns, per_mille) as f64 / 1e3
    }

    /// Lost, in thousandths of what was sent.
    pub fn lost_per_mille(&self) -> f64 {
        let lost = self.sent.saturating_sub(self.received);
        lost as f64 * 1e3 / (self.sent.max(1)) as f64
    }
}

impl Streams {
    /// Binds `count` pairs of ports.
    pub fn new(count: usize) -> Result<Streams> {
        let mut streams = Streams {
            sockets: Vec::new(),
            rtcp: Vec::new(),
            ports: Vec::new(),
            sequence: 0,
            pace: Pace::Exact,
        };
        // A free even port whose neighbour is free too; most are.
        for _ in 0..count * 50 {
            if streams.sockets.len() == count {
                break;
            }
            let socket = Socket::bind(0)?;
            let port = socket.port()?;
            if port % 2 == 0
                && let Ok(rtcp) = Socket::bind(port + 1)
            {
                streams.sockets.push(socket);
                streams.rtcp.push(rtcp);
                streams.ports.push(port);
            }
        }
        if streams.sockets.len() < count {
            bail!("no {count} free pairs of ports");
        }
        Ok(streams)
    }

    /// The same streams, waiting in another way.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Streams {
        Streams { pace, ..self }
    }

    /// The even ports, in order.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Sends 50 packets a second from socket `legs[i].0` to `legs[i].1` for every `i`, for
    /// `length`; meanwhile `idle` is called now and then. Every packet is expected back on one of
    /// the sockets.
    pub fn run(
        &mut self,
        legs: &[(usize, SocketAddr)],
        length: Duration,
        mut idle: impl FnMut() -> Result<()>,
    ) -> Result<RtpReport> {
        if legs.is_empty() {
            bail!("there are no legs to send on");
        }
        let drops_before = drops(&self.ports)?;
        let legs_count = u64::try_from(legs.len())?;
        let gap = Duration::from_millis(PACKET_MS) / u32::try_from(legs.len())?;
        let total = u64::try_from(length.as_nanos() / gap.as_nanos().max(1))?;
        let mut report = RtpReport::default();
        report.delays_ns.reserve(usize::try_from(total)?);
        let begin = Instant::now();
        let (mut read, mut idled) = (begin, begin);
        for number in 0..total {
            let due = begin + gap.mul_f64(number as f64);
            loop {
                let now = Instant::now();
                if now.duration_since(read) >= READ_GAP {
                    read = now;
                    self.receive(&mut report)?;
                }
                if now.duration_since(idled) >= IDLE_GAP {
                    idled = now;
                    idle()?;
                }
                if now >= due {
                    report.late = report.late.max(now - due);
                    break;
                }
                match self.pace {
                    Pace::Exact => std::hint::spin_loop(),
                    Pace::Asleep => std::thread::sleep((due - now).min(READ_GAP)),
                }
            }
            let leg = number % legs_count;
            let &(socket, to) = legs.get(usize::try_from(leg)?).context("a leg")?;
            let from = self.sockets.get(socket).context("a leg without a socket")?;
            let packet = packet(u32::try_from(leg)?, self.sequence + number / legs_count);
            if from.send(&packet, to) {
                report.sent += 1;
            }
        }
        self.sequence += total.div_ceil(legs_count);
        report.elapsed = begin.elapsed();
        let until = Instant::now() + Duration::from_millis(500);
        while report.received < report.sent && Instant::now() < until {
            self.receive(&mut report)?;
        }
        report.delays_ns.sort_unstable();
        report.kernel_drops = drops(&self.ports)?.saturating_sub(drops_before);
        Ok(report)
    }

    /// Takes all that has come.
    fn receive(&mut self, report: &mut RtpReport) -> Result<()> {
        let mut buffer = [0; 2048];
        for socket in &mut self.sockets {
            while let Some(arrival) = socket.receive(&mut buffer)? {
                let bytes = buffer.get(..arrival.length).unwrap_or(&[]);
                match sent_ns(bytes) {
                    Some(sent) => {
                        report.received += 1;
                        report.delays_ns.push(arrival.time_ns.saturating_sub(sent));
                    }
                    None => report.foreign += 1,
                }
            }
        }
        Ok(())
    }
}

/// One packet of a stream.
fn packet(stream: u32, sequence: u64) -> [u8; HEADER + PAYLOAD] {
    let mut bytes = [0x55; HEADER + PAYLOAD];
    let low16 = (sequence & 0xffff) as u16;
    let low32 = (sequence.wrapping_mul(160) & 0xffff_ffff) as u32;
    bytes[0] = 0x80;
    bytes[1] = PCMA;
    bytes[2..4].copy_from_slice(&low16.to_be_bytes());
    bytes[4..8].copy_from_slice(&low32.to_be_bytes());
    bytes[8..12].copy_from_slice(&(0x1000_0000 + stream).to_be_bytes());
    bytes[12..20].copy_from_slice(MARK);
    bytes[20..28].copy_from_slice(&wall_ns().to_be_bytes());
    bytes
}

/// When one of our packets was sent; `None`: it is none of ours, or was decoded on its way.
fn sent_ns(bytes: &[u8]) -> Option<u64> {
    if bytes.len() != HEADER + PAYLOAD || bytes.get(12..20)? != MARK {
        return None;
    }
    Some(u64::from_be_bytes(bytes.get(20..28)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_tells_when_it_was_sent() {
        let before = wall_ns();
        let bytes = packet(3, 70_000);
        assert!((before..=wall_ns()).contains(&sent_ns(&bytes).unwrap()));
        assert_eq!(bytes[2..4], 4464_u16.to_be_bytes());
        assert_eq!(sent_ns(&bytes[..100]), None);
        assert_eq!(sent_ns(&[0; HEADER + PAYLOAD]), None);
    }

    #[test]
    fn packets_sent_to_each_other_are_all_received() {
        let mut streams = Streams::new(2).unwrap();
        let to = |n: usize| SocketAddr::from(([127, 0, 0, 1], streams.ports()[n]));
        let legs = [(0, to(1)), (1, to(0))];
        let mut idled = 0;
        let idle = || {
            idled += 1;
            Ok(())
        };
        let report = streams.run(&legs, Duration::from_millis(400), idle).unwrap();
        assert_eq!((report.sent, report.received, report.foreign), (40, 40, 0));
        assert_eq!(report.delays_ns.len(), 40);
        assert!(idled > 0);
        assert_eq!(streams.sequence, 20, "the next run goes on where this one ended");
    }
}
