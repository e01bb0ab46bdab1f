//! The one stream that a leg's peer hears: its SSRC stays, its numbers and times run on, whoever
//! the sound comes from.

use model::{Chance, Mono};

use crate::limits::MISORDER_MAX;
use crate::rtp::{Header, sequence_after, units_of_micros};

/// The stream that goes out on one leg.
///
/// What is sent without a break from one origin is a *run*: the origin's numbers plus a constant.
/// A new run begins right after the last packet sent, at the time that has passed, with a marker.
#[derive(Debug)]
pub struct Sent {
    ssrc: u32,
    /// Of the newest packet; before the first one: what lies before it.
    sequence: u16,
    timestamp: u32,
    /// When the newest packet was sent.
    at: Mono,
    /// How much time the newest packet covers, in units of the clock.
    span: u32,
    packets: u32,
    octets: u32,
    begun: bool,
    run: Option<Run>,
    /// Units of the timestamps in a second.
    clock_hz: u32,
}

#[derive(Debug)]
struct Run {
    origin: Origin,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The origin's newest number.
    newest: u16,
    /// How many numbers before the newest belong to the run, at most [`MISORDER_MAX`].
    reach: u16,
}

/// Where the packets of a run come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A stream that is relayed.
    Stream {
        /// The slot of its leg in the plane.
        leg: usize,
        /// Its SSRC.
        ssrc: u32,
    },
    /// Our own mixer; its timestamps are those of the mixing clock.
    Mixer,
}

/// What changes in the header of a packet on its way to the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Set on the first packet of a run.
    pub marker: bool,
    /// The listener's sequence number.
    pub sequence: u16,
    /// The listener's timestamp.
    pub timestamp: u32,
}

impl Sent {
    /// A stream with a random SSRC and random beginnings (RFC 3550 5.1).
    pub fn new(chance: &mut Chance) -> Sent {
        let bits = chance.wide_bits();
        let part = |shift: u32| u32::try_from((bits >> shift) & u128::from(u32::MAX)).unwrap_or(0);
        Sent {
            ssrc: part(0),
            // The upper bit is clear, so that an SRTP receiver cannot miss the first wrap.
            sequence: u16::try_from(part(32) & 0x7FFF).unwrap_or(0),
            timestamp: part(64),
            at: Mono::default(),
            span: 0,
            packets: 0,
            octets: 0,
            begun: false,
            run: None,
            clock_hz: 8_000,
        }
    }

    /// Who we are to the peer.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload bytes so far, in the circle of 32 bits (RFC 3550 6.4.1).
    pub fn totals(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// The timestamp that this moment has (for sender reports).
    pub fn timestamp_at(&self, now: Mono) -> u32 {
        self.timestamp.wrapping_add(self.passed(now))
    }

    /// Whether anything was sent.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// The stream goes on in a codec with this clock.
    pub fn set_clock(&mut self, clock_hz: u32) {
        if clock_hz != self.clock_hz {
            self.clock_hz = clock_hz;
            self.run = None;
        }
    }

    /// The next packet begins a new run.
    pub fn break_run(&mut self) {
        self.run = None;
    }

    /// Stamps a relayed packet that covers `span` units. Gaps and disorder of the origin stay as
    /// they are. `None`: the packet is from before the run and must be dropped.
    pub fn relay(
        &mut self,
        now: Mono,
        origin: Origin,
        header: &Header,
        span: u32,
    ) -> Option<Stamp> {
        let due = self.due(now);
        let (begins, run) = match &mut self.run {
            Some(run) if run.origin == origin => (false, run),
            run => {
                let run = run.insert(Run {
                    origin,
                    sequence_offset: self.sequence.wrapping_add(1).wrapping_sub(header.sequence),
                    timestamp_offset: due.wrapping_sub(header.timestamp),
                    newest: header.sequence,
                    reach: 0,
                });
                (true, run)
            }
        };
        let ahead = sequence_after(header.sequence, run.newest);
        if ahead < 0 && ahead.unsigned_abs() > run.reach {
            return None;
        }
        let stamp = Stamp {
            marker: header.marker || begins,
            sequence: header.sequence.wrapping_add(run.sequence_offset),
            timestamp: header.timestamp.wrapping_add(run.timestamp_offset),
        };
        if ahead > 0 || begins {
            run.reach = run.reach.saturating_add(ahead.unsigned_abs()).min(MISORDER_MAX);
            run.newest = header.sequence;
            self.sequence = stamp.sequence;
            self.timestamp = stamp.timestamp;
            (self.at, self.span) = (now, span);
        }
        Some(stamp)
    }

    /// A packet of the origin is kept from the listener, who must not take it for lost.
    pub fn skip(&mut self, origin: Origin, sequence: u16) {
        let Some(run) = self.run.as_mut().filter(|run| run.origin == origin) else { return };
        if sequence_after(sequence, run.newest) > 0 {
            run.newest = sequence;
            run.sequence_offset = run.sequence_offset.wrapping_sub(1);
            // Late packets from before the skipped one would get numbers already given.
            run.reach = 0;
        }
    }

    /// Stamps a frame of the mixer, by the number of the tick.
    pub fn frame(&mut self, at: Mono, tick: u64) -> Stamp {
        let clock =
            u32::try_from(tick & u64::from(u32::MAX)).unwrap_or(0).wrapping_mul(self.clock_hz / 50);
        let due = self.due(at);
        let (marker, offset) = match &self.run {
            Some(run) if run.origin == Origin::Mixer => (false, run.timestamp_offset),
            _ => (true, due.wrapping_sub(clock)),
        };
        self.run = Some(Run {
            origin: Origin::Mixer,
            sequence_offset: 0,
            timestamp_offset: offset,
            newest: 0,
            reach: 0,
        });
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = clock.wrapping_add(offset);
        (self.at, self.span) = (at, self.clock_hz / 50);
        Stamp { marker, sequence: self.sequence, timestamp: self.timestamp }
    }

    /// Begins a digit: its packets all have this moment's timestamp.
    pub fn begin_digit(&mut self, at: Mono) {
        self.timestamp = self.due(at);
        (self.at, self.span) = (at, 0);
        self.run = None;
    }

    /// Stamps one packet of the digit that was begun; the first has the marker.
    pub fn digit(&mut self, first: First) -> Stamp {
        self.sequence = self.sequence.wrapping_add(1);
        Stamp { marker: first == First::Yes, sequence: self.sequence, timestamp: self.timestamp }
    }

    /// Counts a packet that was sent.
    pub fn count(&mut self, payload_bytes: usize) {
        self.begun = true;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload_bytes).unwrap_or(0));
    }

    /// The timestamp of a run that begins now: after what was sent, and after what has passed.
    fn due(&self, now: Mono) -> u32 {
        if self.begun {
            self.timestamp.wrapping_add(self.passed(now).max(self.span))
        } else {
            self.timestamp
        }
    }

    fn passed(&self, now: Mono) -> u32 {
        if self.begun { units_of_micros(now.0.saturating_sub(self.at.0), self.clock_hz) } else { 0 }
    }
}

/// Whether a packet is the first of its digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It is.
    Yes,
    /// It repeats or goes on.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Origin = Origin::Stream { leg: 0, ssrc: 10 };
    const B: Origin = Origin::Stream { leg: 1, ssrc: 20 };

    fn sent() -> Sent {
        Sent::new(&mut Chance::from_number(1))
    }

    fn at(ms: u64) -> Mono {
        Mono(5_000_000 + ms * 1_000)
    }

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 0 }
    }

    /// Relays and shows (marker, number after the base, time after the base).
    fn relayed(
        sent: &mut Sent,
        base: (u16, u32),
        ms: u64,
        origin: Origin,
        packet: (u16, u32),
    ) -> Option<(bool, u16, u32)> {
        let stamp = sent.relay(at(ms), origin, &header(packet.0, packet.1), 160)?;
        sent.count(160);
        let (sequence, timestamp) = base;
        Some((
            stamp.marker,
            stamp.sequence.wrapping_sub(sequence),
            stamp.timestamp.wrapping_sub(timestamp),
        ))
    }

    #[test]
    fn gaps_disorder_and_copies_of_the_origin_stay() {
        let mut sent = sent();
        let base = (sent.sequence, sent.timestamp);
        let mut go = |ms, packet| relayed(&mut sent, base, ms, A, packet);
        assert_eq!(go(0, (65_534, 1_000)), Some((true, 1, 0)));
        assert_eq!(go(20, (65_535, 1_160)), Some((false, 2, 160)));
        assert_eq!(go(80, (2, 1_640)), Some((false, 5, 640)));
        assert_eq!(go(81, (0, 1_320)), Some((false, 3, 320)));
        assert_eq!(go(82, (0, 1_320)), Some((false, 3, 320)));
        assert_eq!(go(100, (3, 1_800)), Some((false, 6, 800)));
    }

    #[test]
    fn a_new_origin_goes_on_right_after_the_old_one() {
        let mut sent = sent();
        let base = (sent.sequence, sent.timestamp);
        relayed(&mut sent, base, 0, A, (100, 0));
        relayed(&mut sent, base, 20, A, (101, 160));
        // A copy that comes late does not turn the stream back.
        assert_eq!(relayed(&mut sent, base, 21, A, (100, 0)), Some((false, 1, 0)));
        // 5 ms later: not before the end of what was sent.
        assert_eq!(relayed(&mut sent, base, 25, B, (7, 99)), Some((true, 3, 320)));
        assert_eq!(relayed(&mut sent, base, 45, B, (8, 259)), Some((false, 4, 480)));
        // What comes late from before the change has no number left.
        assert_eq!(relayed(&mut sent, base, 46, B, (6, 0)), None);
        // A second later: at the time that has passed.
        assert_eq!(relayed(&mut sent, base, 1_045, A, (102, 320)), Some((true, 5, 8_480)));
    }

    #[test]
    fn a_skipped_packet_leaves_no_gap_and_a_lost_one_does() {
        let mut sent = sent();
        let base = (sent.sequence, sent.timestamp);
        relayed(&mut sent, base, 0, A, (100, 0));
        sent.skip(A, 101);
        sent.skip(A, 101);
        assert_eq!(relayed(&mut sent, base, 40, A, (102, 320)), Some((false, 2, 320)));
        sent.skip(A, 104);
        assert_eq!(relayed(&mut sent, base, 80, A, (105, 800)), Some((false, 4, 800)));
        assert_eq!(relayed(&mut sent, base, 81, A, (103, 480)), None);
    }

    #[test]
    fn frames_follow_the_ticks_even_when_some_were_skipped() {
        let mut sent = sent();
        let base = (sent.sequence, sent.timestamp);
        relayed(&mut sent, base, 0, A, (100, 0));
        let mut frame = |ms, tick| {
            let stamp = sent.frame(at(ms), tick);
            let time = stamp.timestamp.wrapping_sub(base.1);
            (stamp.marker, stamp.sequence.wrapping_sub(base.0), time)
        };
        assert_eq!(frame(10, 50), (true, 2, 160));
        assert_eq!(frame(30, 51), (false, 3, 320));
        assert_eq!(frame(90, 54), (false, 4, 800));
    }

    #[test]
    fn a_digit_keeps_its_timestamp_and_audio_goes_on_after_its_time() {
        let mut sent = sent();
        let base = (sent.sequence, sent.timestamp);
        relayed(&mut sent, base, 0, A, (100, 0));
        sent.begin_digit(at(20));
        let stamps: Vec<_> = (0..3)
            .map(|n| sent.digit(if n == 0 { First::Yes } else { First::No }))
            .map(|s| (s.marker, s.sequence.wrapping_sub(base.0), s.timestamp.wrapping_sub(base.1)))
            .collect();
        assert_eq!(stamps, [(true, 2, 160), (false, 3, 160), (false, 4, 160)]);
        assert_eq!(relayed(&mut sent, base, 120, A, (105, 800)), Some((true, 5, 960)));
    }
}
