//! What one message or packet costs inside the process: time of parsing, and allocations.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use anyhow::Result;
use leg::{Audio, Format, Gain, Hears, LegId, MediaCommand, MediaLeg, Source, SourceLock};
use media::{Effects, Plane};
use model::{CallId, Chance, Codec, Mono, Now, TenantId, Wall};
use testkit::line::{Figures, Line};

use super::place::Place;
use super::table::Row;

/// As a phone behind two proxies sends it.
const INVITE: &[u8] = include_bytes!("../../../crates/sip/tests/messages/invite.sip");
/// Messages parsed between two looks at the clock.
const ROUNDS: u32 = 2_000;
/// Calls that warm tables and buffers up, and calls whose allocations are counted.
const CALLS: u32 = 50;
/// Packets that warm up, and packets whose allocations are counted.
const PACKETS: u32 = 1_000;

/// Parsing a message, alone and with what every message is asked for.
pub(super) fn parse(place: &Place) -> Result<Vec<Row>> {
    let size = INVITE.len();
    let batches = place.count(400);
    let copy = best(batches, |bytes| drop(black_box(bytes)));
    let plain = best(batches, |bytes| drop(black_box(sip::Message::parse(bytes))));
    let typed = best(batches, |bytes| {
        let Ok(message) = sip::Message::parse(bytes) else { return };
        black_box((message.top_via().is_ok(), message.from().is_ok(), message.to().is_ok()));
        black_box((message.cseq().is_ok(), message.contact().is_ok(), message.call_id().is_ok()));
    });
    let name = |what: &str| format!("parse an INVITE of {size} bytes{what}");
    Ok(vec![
        Row::at_most(&name(""), plain - copy, 0.8, "us"),
        Row::at_most(&name(", typed"), typed - copy, 2.5, "us"),
    ])
}

/// Microseconds of one piece of work: the best of many batches is what it costs undisturbed.
fn best(batches: usize, work: impl Fn(Vec<u8>)) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..batches {
        let buffers: Vec<_> = (0..ROUNDS).map(|_| INVITE.to_vec()).collect();
        let begin = Instant::now();
        for buffer in buffers {
            work(black_box(buffer));
        }
        best = best.min(begin.elapsed());
    }
    best.as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

/// Heap allocations per SIP message of a call with digest, and per relayed packet.
pub(super) fn allocations(_: &Place) -> Result<Vec<Row>> {
    let mut line = Line::new(|work| measure(work).count_total);
    for _ in 0..CALLS {
        line.call();
    }
    line.take_figures();
    for _ in 0..CALLS {
        line.call();
    }
    let counted = line.take_figures();
    let per_message = counted.spent as f64 / counted.messages as f64;
    let per_call = counted.messages as f64 / f64::from(CALLS);
    Ok(vec![
        Row::at_most("allocations per SIP message of a call", per_message, 2.0, ""),
        Row::note("one call", format!("{per_call} messages in and out, both legs, digest")),
        Row::note("allocations per message in", steps(&counted)),
        Row::at_most("allocations per relayed packet", per_packet(), 0.0, ""),
    ])
}

/// Allocations of each step of a call.
fn steps(counted: &Figures) -> String {
    let each = |(step, sum): (&String, &u64)| format!("{step}: {}", sum / u64::from(CALLS));
    counted
        .steps
        .iter()
        .filter(|(step, _)| !step.is_empty())
        .map(each)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What writing down the steps of a call costs the shard's thread.
pub(super) fn journal(place: &Place) -> Result<Vec<Row>> {
    let mut line = Line::new(|work| {
        work();
        0
    });
    line.call();
    line.take_figures();
    line.call();
    let records = line.take_figures().records;
    let directory = tempfile::tempdir()?;
    let rounds = u32::try_from(place.count(4_000))?;
    let took = node::measure::journal_time(directory.path(), &records, rounds)?;
    let steps = records.len();
    let call = took.as_secs_f64() * 1e6 / f64::from(rounds);
    let each = call / steps as f64;
    Ok(vec![Row::note(
        "journal",
        format!("{each:.2} us per record, {steps} records a call, {call:.1} us a call"),
    )])
}

/// Allocations per packet on the relay's path, once everything has grown.
fn per_packet() -> f64 {
    let now = Now { mono: Mono(0), wall: Wall(0) };
    let mut plane = Plane::new(now, Chance::from_number(3));
    let mut effects = Effects::new();
    let at = |n: u16| SocketAddr::from(([192, 0, 2, 9], 4_000 + 2 * n));
    let leg = |n: u16| MediaLeg {
        leg: LegId(u64::from(n)),
        port: 10_000 + 2 * n,
        remote: Some(at(n)),
        remote_rtcp: None,
        rtcp_mux: false,
        send: Some(Format { payload_type: 8, codec: Codec::Pcma }),
        receive: [Format { payload_type: 8, codec: Codec::Pcma }].into_iter().collect(),
        send_digits: None,
        receive_digits: None,
        inband_digits: false,
        lock: SourceLock::Described,
        negotiation: 1,
    };
    let hears = |listener: u64, heard: u64| Hears {
        listener: LegId(listener),
        sources: [(Source::Leg(LegId(heard)), Gain::UNITY)].into_iter().collect(),
    };
    let audio = Audio {
        call: CallId(1),
        revision: 1,
        legs: [leg(0), leg(1)].into_iter().collect(),
        hears: [hears(0, 1), hears(1, 0)].into_iter().collect(),
        clips: Default::default(),
        recorders: Default::default(),
    };
    plane.command(now, TenantId(1), MediaCommand::Audio(audio), &mut effects);
    let mut datagram = [0x55; 172];
    let mut relay = |from: u32, to: u32| {
        for number in from..to {
            datagram[..12].copy_from_slice(&[0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
            datagram[2..4].copy_from_slice(&((number & 0xffff) as u16).to_be_bytes());
            datagram[4..8].copy_from_slice(&(number * 160).to_be_bytes());
            let now = now + Duration::from_millis(20 * u64::from(number));
            plane.packet(now, 10_000, at(0), &mut datagram, &mut effects);
            black_box(effects.len());
            effects.clear();
        }
    };
    relay(0, PACKETS);
    let counted = measure(|| relay(PACKETS, 2 * PACKETS));
    counted.count_total as f64 / f64::from(PACKETS)
}
