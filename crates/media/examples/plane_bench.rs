//! What the plane costs without sockets: nanoseconds per relayed packet and per mixed frame, and
//! the processor's time that a leg takes in a second.
//!
//! `cargo run --release -p media --example plane_bench`; with two numbers, legs and seconds of
//! audio: `plane_bench 600 30`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::time::Instant;

use leg::{Audio, Format, Gain, Hears, LegId, MediaCommand, MediaLeg, Player, Source, SourceLock};
use media::codec::Encoder;
use media::measure::sine_at_rate;
use media::rtp::Header;
use media::{Effect, Effects, Plane};
use model::{CallId, Chance, Codec, Mono, Now, TenantId, Wall};

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u32>().ok());
    let legs = arguments.next().unwrap_or(600).clamp(6, 20_000) / 6 * 6;
    let seconds = arguments.next().unwrap_or(30);
    println!("{legs} legs, {seconds} s of audio");
    let talk: &Hearing = &|legs| vec![vec![legs[1]], vec![legs[0]]];
    let others: &Hearing = &|legs| {
        let others = |own: &Source| legs.iter().filter(|leg| *leg != own).copied().collect();
        legs.iter().map(others).collect()
    };
    let (law, wide, full) = (Codec::Pcma, Codec::G722, Codec::Opus);
    let measures: [(&str, &[Codec], &Hearing); 14] = [
        ("relay, one codec", &[law, law], talk),
        ("relay, two laws", &[law, Codec::Pcmu], talk),
        ("transcode, A-law and G.722", &[law, wide], talk),
        ("transcode, A-law and Opus", &[law, full], talk),
        ("transcode, G.722 and Opus", &[wide, full], talk),
        ("mix, own voice and the other's", &[law, law], &|legs| vec![legs.to_vec(); 2]),
        ("conference of 3", &[law, law, law], others),
        ("conference of 3, one in G.722", &[law, law, wide], others),
        ("conference of 3, one in Opus", &[law, law, full], others),
        ("relay with a monitor", &[law, law, law], &|legs| {
            vec![vec![legs[1]], vec![legs[0]], legs[..2].to_vec()]
        }),
        ("relay with a monitor that whispers", &[law, law, law], &|legs| {
            vec![vec![legs[1]], vec![legs[0], legs[2]], legs[..2].to_vec()]
        }),
        ("relay with a monitor in Opus", &[law, law, full], &|legs| {
            vec![vec![legs[1]], vec![legs[0]], legs[..2].to_vec()]
        }),
        ("hold music for both", &[law, law], &|_| vec![vec![MUSIC]; 2]),
        ("hold music for one, silence for the other", &[law, law], &|_| vec![vec![MUSIC], vec![]]),
    ];
    for (name, codecs, hearing) in measures {
        let mut bench = Bench::new(legs, codecs, hearing);
        bench.run(1, Load::Everything);
        bench.run(seconds, Load::Everything).print(name, legs, seconds);
    }
    let mut bench = Bench::new(legs, &[law, law], talk);
    bench.run(1, Load::Everything);
    bench.run(seconds, Load::Strangers).print("packets of strangers", legs, seconds);
}

const MUSIC: Source = Source::Player(Player::HoldMusic);

/// What each leg of a call hears.
type Hearing = dyn Fn(&[Source]) -> Vec<Vec<Source>>;

#[derive(Clone, Copy, PartialEq)]
enum Load {
    Everything,
    Strangers,
}

struct Bench {
    plane: Plane,
    now: Now,
    effects: Effects,
    legs: Vec<MediaLeg>,
    number: u16,
}

#[derive(Default)]
struct Cost {
    packets: u64,
    packet_time: Duration,
    frames: u64,
    tick_time: Duration,
    sent: u64,
    bytes: u64,
}

impl Bench {
    fn new(legs: u32, codecs: &[Codec], hearing: &Hearing) -> Bench {
        let now = Now { mono: Mono(0), wall: Wall(0) };
        let mut bench = Bench {
            plane: Plane::new(now, Chance::from_number(1)),
            now,
            effects: Effects::new(),
            legs: (0..legs).zip(codecs.iter().cycle()).map(|(n, codec)| leg(n, *codec)).collect(),
            number: 0,
        };
        for (n, call) in bench.legs.chunks(codecs.len()).enumerate() {
            let voices: Vec<Source> = call.iter().map(|leg| Source::Leg(leg.leg)).collect();
            let hears = call.iter().zip(hearing(&voices)).map(|(leg, sources)| Hears {
                listener: leg.leg,
                sources: sources.into_iter().map(|source| (source, Gain::UNITY)).collect(),
            });
            let legs = call.iter().cloned().collect();
            let audio = Audio::of(CallId(n as u64), 1, legs, hears.collect());
            let command = MediaCommand::Audio(audio);
            bench.plane.command(now, TenantId(1), command, &mut bench.effects);
            bench.effects.clear();
        }
        bench
    }

    /// The legs' packets are spread over each 20 ms; the clock is told the time before each.
    fn run(&mut self, seconds: u32, load: Load) -> Cost {
        let mut cost = Cost::default();
        let payloads = Codec::ALL.map(|codec| (codec, payload(codec)));
        let mut datagram = Vec::new();
        let frames = self.plane.counters().mixed;
        for _ in 0..seconds * 50 {
            self.number = self.number.wrapping_add(1);
            let begun = Instant::now();
            for leg in &self.legs {
                let header = Header {
                    marker: false,
                    payload_type: leg.receive[0].payload_type,
                    sequence: self.number,
                    timestamp: u32::from(self.number)
                        .wrapping_mul(leg.receive[0].codec.clock_rate_hz() / 50),
                    ssrc: u32::from(leg.port),
                };
                let codec = leg.receive[0].codec;
                let said = payloads.iter().find(|(other, _)| *other == codec);
                datagram.clear();
                datagram.extend(header.to_bytes());
                datagram.extend(said.map_or(&[][..], |(_, payload)| payload));
                let from = match load {
                    Load::Everything => leg.remote.expect("every leg of the bench has a peer"),
                    Load::Strangers => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9),
                };
                self.plane.packet(self.now, leg.port, from, &mut datagram, &mut self.effects);
                count(&mut self.effects, &datagram, &mut cost);
            }
            cost.packet_time += begun.elapsed();
            cost.packets += self.legs.len() as u64;
            self.now = self.now + Duration::from_millis(20);
            let begun = Instant::now();
            self.plane.tick(self.now, &mut self.effects);
            count(&mut self.effects, &datagram, &mut cost);
            cost.tick_time += begun.elapsed();
        }
        cost.frames = self.plane.counters().mixed - frames;
        cost
    }
}

fn count(effects: &mut Effects, datagram: &[u8], cost: &mut Cost) {
    for effect in &*effects {
        if let Effect::Send { bytes, .. } = effect {
            cost.sent += 1;
            cost.bytes += effects.bytes(datagram, *bytes).len() as u64;
        }
    }
    effects.clear();
}

impl Cost {
    fn print(&self, name: &str, legs: u32, seconds: u32) {
        let each = |time: Duration, n: u64| time.as_nanos() as f64 / n.max(1) as f64;
        let all = self.packet_time + self.tick_time;
        println!(
            "{name:<44} {:>7.1} ns per packet in, {:>7.1} ns per frame out, {:>6.1} us per leg and \
             second ({} sent, {} MB)",
            each(self.packet_time, self.packets),
            if self.frames == 0 { 0.0 } else { each(self.tick_time, self.frames) },
            each(all, u64::from(legs) * u64::from(seconds)) / 1_000.0,
            self.sent,
            self.bytes / 1_000_000,
        );
    }
}

/// 20 ms of a tone.
fn payload(codec: Codec) -> Vec<u8> {
    let rate = codec.sample_rate_hz();
    let sound = sine_at_rate(500.0, -12.0, rate as usize / 50, rate);
    let mut payload = Vec::new();
    Encoder::new(codec).encode(&sound, &mut payload);
    payload
}

fn leg(n: u32, codec: Codec) -> MediaLeg {
    let format = Format { payload_type: codec.payload_type(), codec };
    let port = 10_000 + 2 * u16::try_from(n).unwrap_or(0);
    MediaLeg {
        leg: LegId(u64::from(n)),
        port,
        remote: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port)),
        remote_rtcp: None,
        rtcp_mux: false,
        send: Some(format),
        receive: [format].into_iter().collect(),
        send_digits: None,
        receive_digits: None,
        lock: SourceLock::Described,
        negotiation: 1,
        inband_digits: false,
    }
}
