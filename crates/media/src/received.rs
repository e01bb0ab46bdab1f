//! What is known of the stream that a peer sends: order, loss, jitter (RFC 3550 A.1, A.3, A.8).

use model::Mono;

use crate::limits::{DROPOUT_MAX, MISORDER_MAX};
use crate::rtcp::Block;
use crate::rtp::{Header, sequence_after, units_of_micros};

/// The stream that comes in on one leg.
#[derive(Debug, Default)]
pub struct Received {
    stream: Option<Stream>,
    last_report: Option<SenderReport>,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    first: u16,
    newest: u16,
    cycles: u32,
    packets: u64,
    /// The only sequence number with which a jump is believed: the one after the jump's first.
    jump: Option<u16>,
    transit: Option<u32>,
    /// 16 times the jitter, so that the filter needs no fractions.
    jitter16: u32,
    /// As they were at the last report.
    expected_before: u64,
    packets_before: u64,
}

#[derive(Clone, Copy, Debug)]
struct SenderReport {
    ssrc: u32,
    /// Middle 32 bits of the NTP time.
    ntp_middle: u32,
    at: Mono,
}

/// Where a packet stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first of a new stream: another SSRC, or numbers that began anew.
    First,
    /// Newer than all before; some may be missing between.
    Next,
    /// Late, or a copy.
    Late,
    /// So far off that it is believed only if the next one follows it.
    Wild,
}

impl Received {
    /// Takes note of a packet; `timed`: its timestamp tells when it was sampled, which that of a
    /// digit does not.
    pub fn note(&mut self, now: Mono, header: &Header, timed: Timed) -> Arrival {
        let arrival = match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc => stream.arrival(header.sequence),
            _ => Arrival::First,
        };
        match (arrival, &mut self.stream) {
            (Arrival::First, stream) => *stream = Some(Stream::new(header)),
            (Arrival::Next | Arrival::Late, Some(stream)) => {
                stream.packets += 1;
                if arrival == Arrival::Next {
                    if header.sequence < stream.newest {
                        stream.cycles += 1;
                    }
                    stream.newest = header.sequence;
                }
            }
            (Arrival::Next | Arrival::Late | Arrival::Wild, _) => {}
        }
        if arrival != Arrival::Wild
            && let Timed::Yes { clock_hz } = timed
            && let Some(stream) = &mut self.stream
        {
            stream.measure_jitter(now, header.timestamp, clock_hz);
        }
        arrival
    }

    /// Who sends.
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|s| s.ssrc)
    }

    /// Packets that came, copies included.
    pub fn packets(&self) -> u64 {
        self.stream.as_ref().map_or(0, |s| s.packets)
    }

    /// Packets that never came; negative when there were more copies than losses.
    pub fn lost(&self) -> i64 {
        self.stream.as_ref().map_or(0, Stream::lost)
    }

    /// Mean deviation of the transit time, in units of the RTP clock.
    pub fn jitter(&self) -> u32 {
        self.stream.as_ref().map_or(0, |s| s.jitter16 >> 4)
    }

    /// Takes note of a sender report of the peer.
    pub fn note_report(&mut self, now: Mono, ssrc: u32, ntp: u64) {
        let ntp_middle = u32::try_from((ntp >> 16) & u64::from(u32::MAX)).unwrap_or(0);
        self.last_report = Some(SenderReport { ssrc, ntp_middle, at: now });
    }

    /// The report block of this stream (RFC 3550 6.4.1), and the beginning of the next interval.
    pub fn report(&mut self, now: Mono) -> Option<Block> {
        let last = self.last_report;
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let expected_now = expected - stream.expected_before;
        let packets_now = stream.packets - stream.packets_before;
        let lost_now = expected_now.saturating_sub(packets_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        (stream.expected_before, stream.packets_before) = (expected, stream.packets);
        let last = last.filter(|report| report.ssrc == stream.ssrc);
        let delay = last.map_or(0, |report| {
            let us = now.since(report.at).as_micros();
            u32::try_from((us << 16) / 1_000_000).unwrap_or(u32::MAX)
        });
        let lost = stream.lost().clamp(-0x80_0000, 0x7F_FFFF);
        Some(Block {
            ssrc: stream.ssrc,
            fraction: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(lost).unwrap_or(0),
            highest: (stream.cycles << 16) | u32::from(stream.newest),
            jitter: stream.jitter16 >> 4,
            last_report: last.map_or(0, |report| report.ntp_middle),
            delay,
        })
    }
}

/// Whether a packet's timestamp is the time at which its sound was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// Audio.
    Yes {
        /// Units of the timestamp in a second.
        clock_hz: u32,
    },
    /// A digit: its timestamp is that of the key's press.
    No,
}

impl Stream {
    fn new(header: &Header) -> Stream {
        Stream {
            ssrc: header.ssrc,
            first: header.sequence,
            newest: header.sequence,
            cycles: 0,
            packets: 1,
            jump: None,
            transit: None,
            jitter16: 0,
            expected_before: 0,
            packets_before: 0,
        }
    }

    fn arrival(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence_after(sequence, self.newest);
        if ahead > 0 && ahead.unsigned_abs() < DROPOUT_MAX {
            Arrival::Next
        } else if ahead <= 0 && ahead.unsigned_abs() <= MISORDER_MAX {
            Arrival::Late
        } else if self.jump.replace(sequence.wrapping_add(1)) == Some(sequence) {
            Arrival::First
        } else {
            Arrival::Wild
        }
    }

    fn expected(&self) -> u64 {
        let highest = (u64::from(self.cycles) << 16) + u64::from(self.newest);
        highest + 1 - u64::from(self.first)
    }

    fn lost(&self) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(self.expected()) - signed(self.packets)
    }

    fn measure_jitter(&mut self, now: Mono, timestamp: u32, clock_hz: u32) {
        let transit = units_of_micros(now.0, clock_hz).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // A pause with a timestamp that stands still would count as jitter of seconds.
            let deviation =
                transit.wrapping_sub(before).cast_signed().unsigned_abs().min(0x00FF_FFFF);
            self.jitter16 = self.jitter16 + deviation - ((self.jitter16 + 8) >> 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Timed = Timed::Yes { clock_hz: 8_000 };
    const T0: Mono = Mono(1_000_000);

    fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 8, sequence, timestamp, ssrc }
    }

    fn arrivals(numbers: &[u16]) -> Vec<Arrival> {
        let mut received = Received::default();
        numbers.iter().map(|n| received.note(T0, &header(1, *n, 0), Timed::No)).collect()
    }

    #[test]
    fn order_is_judged_as_appendix_a_1_says() {
        use Arrival::{First, Late, Next, Wild};
        let cases: [(&[u16], &[Arrival]); 6] = [
            (&[10, 11, 13, 12, 12], &[First, Next, Next, Late, Late]),
            (&[65_535, 0, 65_535], &[First, Next, Late]),
            (&[10, 3_009, 5], &[First, Next, Wild]),
            (&[10, 3_010, 11], &[First, Wild, Next]),
            (&[10, 40_000, 40_001, 40_002], &[First, Wild, First, Next]),
            (&[200, 100, 99, 100], &[First, Late, Wild, Late]),
        ];
        for (numbers, expected) in cases {
            assert_eq!(arrivals(numbers), expected, "{numbers:?}");
        }
    }

    #[test]
    fn loss_is_counted_over_the_wrap_and_per_interval() {
        let mut received = Received::default();
        for n in [65_530u16, 65_531, 65_534, 2, 3] {
            received.note(T0, &header(7, n, 0), Timed::No);
        }
        let block = received.report(T0).unwrap();
        assert_eq!((block.lost, block.highest), (5, 0x1_0003));
        assert_eq!(block.fraction, 128);
        received.note(T0, &header(7, 4, 0), Timed::No);
        let block = received.report(T0).unwrap();
        assert_eq!((block.lost, block.fraction), (5, 0));
    }

    #[test]
    fn jitter_follows_the_deviation_of_transit() {
        let mut received = Received::default();
        // Every second packet comes 10 ms late: the deviation is 80 units each time.
        for n in 0..400u16 {
            let late = u64::from(n % 2) * 10_000;
            let now = Mono(T0.0 + u64::from(n) * 20_000 + late);
            received.note(now, &header(7, n, u32::from(n) * 160), YES);
        }
        assert!((78..=80).contains(&received.jitter()), "{}", received.jitter());
    }

    #[test]
    fn digits_with_their_standing_timestamps_are_no_jitter() {
        let mut received = Received::default();
        for n in 0..100u16 {
            let now = Mono(T0.0 + u64::from(n) * 20_000);
            let (timestamp, timed) = match n {
                40..60 => (6_400, Timed::No),
                _ => (u32::from(n) * 160, YES),
            };
            received.note(now, &header(7, n, timestamp), timed);
        }
        assert_eq!(received.jitter(), 0);
    }

    #[test]
    fn a_report_names_the_peers_last_report_and_its_age() {
        let mut received = Received::default();
        received.note(T0, &header(7, 1, 0), YES);
        assert_eq!(received.report(T0).map(|b| (b.last_report, b.delay)), Some((0, 0)));
        received.note_report(T0, 7, 0x0001_0203_0405_0607);
        let block = received.report(Mono(T0.0 + 1_500_000)).unwrap();
        assert_eq!((block.last_report, block.delay), (0x0203_0405, 0x1_8000));
        received.note(T0, &header(8, 1, 0), YES);
        assert_eq!(received.report(T0).map(|b| b.last_report), Some(0));
    }
}
