//! What a packet and a frame cost in memory: nothing.

use core::net::SocketAddr;
use core::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use leg::{Audio, Gain, Hears, MediaCommand, MediaLeg, Player, Source, SourceLock};
use media::measure::sine;
use media::{Effects, Plane, g711};
use model::{CallId, Chance, Codec, Digit, Mono, Now, TenantId, Wall};

const TENANT: TenantId = TenantId(1);

struct Line {
    plane: Plane,
    now: Now,
    effects: Effects,
    datagram: Vec<u8>,
    buffer: Vec<u8>,
    numbers: [u16; 2],
}

fn at(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4_000))
}

fn leg(n: u8, codec: Codec) -> MediaLeg {
    let format = leg::Format { payload_type: codec.payload_type(), codec };
    MediaLeg {
        leg: leg::LegId(u64::from(n)),
        port: 10_000 + 2 * u16::from(n),
        remote: Some(at(n)),
        remote_rtcp: None,
        rtcp_mux: false,
        send: Some(format),
        receive: [format].into_iter().collect(),
        send_digits: Some(101),
        receive_digits: Some(101),
        lock: SourceLock::Described,
        negotiation: 1,
        inband_digits: false,
    }
}

type Relation<'a> = &'a [&'a [Source]];

impl Line {
    /// Two legs of both laws that hear what is given, warmed up.
    fn new(relation: Relation) -> Line {
        let now = Now { mono: Mono(0), wall: Wall(0) };
        let mut line = Line {
            plane: Plane::new(now, Chance::from_number(3)),
            now,
            effects: Effects::new(),
            datagram: Vec::new(),
            buffer: Vec::new(),
            numbers: [0; 2],
        };
        let speech = sine(400.0, -10.0, 160);
        line.datagram.resize(12, 0);
        line.datagram.extend(speech.iter().map(|s| g711::encode(Codec::Pcma, *s)));
        let hears = relation.iter().enumerate().map(|(n, sources)| Hears {
            listener: leg::LegId(n as u64),
            sources: sources.iter().map(|source| (*source, Gain::UNITY)).collect(),
        });
        let legs = [leg(0, Codec::Pcma), leg(1, Codec::Pcmu)].into_iter().collect();
        let audio = Audio::of(CallId(1), 1, legs, hears.collect());
        line.command(MediaCommand::Audio(audio));
        // Until every kind of thing was sent once, and the buffers have grown.
        line.command(MediaCommand::SendDigit {
            call: CallId(1),
            leg: leg::LegId(0),
            digit: Digit::from_event(5).unwrap(),
            duration_ms: 100,
        });
        line.run(600);
        line
    }

    fn command(&mut self, command: MediaCommand) {
        self.plane.command(self.now, TENANT, command, &mut self.effects);
        self.effects.clear();
    }

    /// Twenty milliseconds, so many times: a packet each way, and the clock.
    fn run(&mut self, rounds: u32) {
        for _ in 0..rounds {
            self.now = self.now + Duration::from_millis(20);
            for n in [0, 1u8] {
                let number = &mut self.numbers[usize::from(n)];
                *number = number.wrapping_add(1);
                let codec = if n == 0 { Codec::Pcma } else { Codec::Pcmu };
                let header = media::rtp::Header {
                    marker: false,
                    payload_type: codec.payload_type(),
                    sequence: *number,
                    timestamp: u32::from(*number).wrapping_mul(160),
                    ssrc: u32::from(n),
                };
                self.buffer.clear();
                self.buffer.extend(&self.datagram);
                self.buffer[..12].copy_from_slice(&header.to_bytes());
                let port = 10_000 + 2 * u16::from(n);
                self.plane.packet(self.now, port, at(n), &mut self.buffer, &mut self.effects);
                self.effects.clear();
            }
            self.plane.tick(self.now, &mut self.effects);
            self.effects.clear();
        }
    }

    /// What 12 s cost, reports included.
    fn cost(&mut self) -> AllocationInfo {
        measure(|| self.run(600))
    }
}

const A: Source = Source::Leg(leg::LegId(0));
const B: Source = Source::Leg(leg::LegId(1));
const MUSIC: Source = Source::Player(Player::HoldMusic);

fn assert_free(cost: &AllocationInfo, what: &str) {
    assert_eq!((cost.count_total, cost.bytes_total), (0, 0), "{what}");
}

#[test]
fn a_relayed_packet_allocates_nothing() {
    let mut line = Line::new(&[&[B], &[A]]);
    let before = line.plane.counters().relayed;
    assert_free(&line.cost(), "relay");
    assert_eq!(line.plane.counters().relayed - before, 1_200);
}

#[test]
fn a_packet_for_two_listeners_allocates_nothing() {
    let mut line = Line::new(&[&[A], &[A]]);
    assert_free(&line.cost(), "relay to two");
}

#[test]
fn a_mixed_frame_allocates_nothing() {
    let mut line = Line::new(&[&[A, B], &[A, B, MUSIC]]);
    let before = line.plane.counters().mixed;
    assert_free(&line.cost(), "mix");
    assert_eq!(line.plane.counters().mixed - before, 1_200);
}

#[test]
fn a_played_frame_allocates_nothing() {
    let mut line = Line::new(&[&[MUSIC], &[MUSIC]]);
    assert_free(&line.cost(), "music");
}

#[test]
fn a_packet_of_a_digit_allocates_nothing() {
    let mut line = Line::new(&[&[B], &[A]]);
    for _ in 0..5 {
        line.command(MediaCommand::SendDigit {
            call: CallId(1),
            leg: leg::LegId(0),
            digit: Digit::from_event(5).unwrap(),
            duration_ms: 100,
        });
    }
    let before = line.plane.counters().digits_sent;
    assert_free(&line.cost(), "digits");
    assert_eq!(line.plane.counters().digits_sent - before, 35);
}

#[test]
fn the_counter_counts() {
    let mut line = Line::new(&[&[B], &[A]]);
    let cost = measure(|| {
        line.run(1);
        let mut grown = std::hint::black_box(Vec::new());
        grown.push(line.now.mono.0);
    });
    assert_eq!(cost.count_total, 1);
}

/// 20 kB per call are all that signalling and media may take together.
#[test]
fn a_call_of_two_legs_takes_less_than_5_kb() {
    let mut line = Line::new(&[&[B], &[A]]);
    let cost = measure(|| {
        for n in 1..=100u8 {
            let mut legs = [leg(2 * n, Codec::Pcma), leg(2 * n + 1, Codec::Pcmu)];
            // Near the ports that are known, so that their table does not grow.
            legs.iter_mut().for_each(|leg| leg.port -= 2_000);
            let hears = [(0, 1), (1, 0)].map(|(listener, source): (usize, usize)| Hears {
                listener: legs[listener].leg,
                sources: [(Source::Leg(legs[source].leg), Gain::UNITY)].into_iter().collect(),
            });
            let (legs, hears) = (legs.into_iter().collect(), hears.into_iter().collect());
            let audio = Audio::of(CallId(100 + u64::from(n)), 1, legs, hears);
            line.command(MediaCommand::Audio(audio));
        }
    });
    assert_eq!(line.plane.calls(), 101);
    let per_call = cost.bytes_current / 100;
    assert!((1_000..5_000).contains(&per_call), "{per_call}");
}
