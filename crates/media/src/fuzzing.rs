//! What fuzzers call: any bytes in, and nothing but a broken promise panics.

mod any;
mod world;

use model::{Codec, Mono};

use self::world::World;
use crate::counters::Counters;
use crate::jitter::Jitter;
use crate::limits::{JITTER_DEPTH, PACKET_BYTES_MAX, PACKET_SOUND};
use crate::measure::{Coding, Wav};
use crate::rtp::Packet;

/// Any datagram: a packet that reads lies within it, and its header reads back.
pub fn rtp(data: &[u8]) {
    if let Ok(packet) = Packet::parse(data) {
        assert!(packet.start >= 12 && packet.start <= packet.end && packet.end <= data.len());
        let written = packet.header.to_bytes();
        assert_eq!(Packet::parse(&written).map(|p| p.header), Ok(packet.header));
    }
}

/// Any datagram as RTCP.
pub fn rtcp(data: &[u8]) {
    let mut told = 0;
    let read = crate::rtcp::read(data, |_| told += 1);
    assert!(read.is_ok() || told == 0, "a broken datagram says nothing");
}

/// Any file: one that reads is written and read the same.
pub fn wav(data: &[u8]) {
    if let Ok(wav) = Wav::read(data) {
        assert_eq!(Wav::read(&wav.write(Coding::Linear)), Ok(wav));
    }
}

/// Packets and pulls in any order: the delay stays within its bound.
pub fn jitter(data: &[u8]) {
    let mut bytes = Choices(data);
    let mut jitter = Jitter::default();
    let (mut timestamp, mut now) = (0u32, 0);
    while !bytes.0.is_empty() {
        if bytes.below(3) == 0 {
            let (rate, frame) = jitter.pull();
            assert_eq!(frame.len(), rate.frame());
            now += 20_000;
            continue;
        }
        let length = [0, 1, 80, 160, 240, 480, 1_000, PACKET_BYTES_MAX][bytes.index(8)];
        timestamp = match bytes.below(8) {
            0 => timestamp.wrapping_sub(u32::from(bytes.next()) * 40),
            1 => timestamp.wrapping_add(u32::from(bytes.next()) * 40),
            2 => u32::from_be_bytes([bytes.next(), bytes.next(), bytes.next(), bytes.next()]),
            _ => timestamp.wrapping_add(160),
        };
        let codec = Codec::ALL[[0, 0, 0, 0, 0, 1, 2, 3][bytes.index(8)]];
        let payload: Vec<u8> = (0..length).map(|n| bytes.0.get(n).copied().unwrap_or(7)).collect();
        let times = (Mono(now + u64::from(bytes.below(20)) * 1_000), Mono(now + 20_000));
        let _ = jitter.insert(times, timestamp, codec, &payload);
        let most = JITTER_DEPTH + 2 * PACKET_SOUND;
        assert!(jitter.depth() <= most, "{:?}", jitter.depth());
    }
}

/// Commands, packets and ticks in any order: the plane keeps its invariants, and what it asks of
/// the sockets is possible. What was counted tells a test how much of it was tried.
pub fn plane(data: &[u8]) -> Counters {
    let mut bytes = Choices(data);
    let mut world = World::new();
    while !bytes.0.is_empty() {
        match bytes.below(32) {
            0 | 1 => world.command_audio(&mut bytes),
            2 => world.command_digit(&mut bytes),
            3 => world.garbage(&mut bytes),
            4 => world.report(&mut bytes),
            5..=9 => world.tick(&mut bytes),
            10 => world.answer(&mut bytes),
            11 if bytes.below(6) == 0 => world.merge(&mut bytes),
            _ => world.speak(&mut bytes),
        }
        if let Err(broken) = world.plane.check() {
            panic!("{broken}");
        }
    }
    world.end_all();
    world.plane.counters().clone()
}

/// Choices made by the fuzzer's bytes; when they run out, all are 0.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.next() % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::from(self.next()) % bound
    }

    fn yes(&mut self) -> bool {
        self.next() % 2 == 1
    }
}
