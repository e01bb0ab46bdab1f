//! Seeded chance instead of a fuzzer: the same functions, on stable, in every test run.

use media::measure::{Coding, Wav, sine};
use media::rtcp::{Goodbye, Report};
use media::rtp::Header;
use media::{Counters, Dropped, fuzzing};
use model::{Chance, Codec};

use crate::stage;

fn bytes(chance: &mut Chance, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    chance.fill(&mut bytes);
    bytes
}

/// Flips, cuts and repeats a few bytes of a good input.
fn mutated(chance: &mut Chance, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..chance.below(6) {
        if bytes.is_empty() {
            break;
        }
        let at = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
        match chance.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, 0xFF),
            2 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][usize::try_from(chance.below(5)).unwrap()],
            _ => bytes[at] ^= 1 << chance.below(8),
        }
    }
    bytes
}

#[test]
fn the_plane_keeps_its_invariants_whatever_comes() {
    let mut all: Vec<Counters> = Vec::new();
    for seed in 0..500 {
        let mut chance = Chance::from_number(seed);
        let length = 200 + chance.below(8_000);
        let data = bytes(&mut chance, length);
        all.push(fuzzing::plane(&data));
    }
    // Chance has tried everything that there is to be counted.
    let sum = |count: fn(&Counters) -> u64| all.iter().map(count).sum::<u64>();
    let counts = [
        sum(|c| c.received),
        sum(|c| c.relayed),
        sum(|c| c.mixed),
        sum(|c| c.recorded),
        sum(|c| c.comfort_noise),
        sum(|c| c.digits_received),
        sum(|c| c.digits_sent),
        sum(|c| c.reports_received),
        sum(|c| c.reports_sent),
        sum(|c| c.moved),
    ];
    assert!(counts.iter().all(|n| *n > 300), "{counts:?}");
    let never: Vec<_> = Dropped::ALL
        .into_iter()
        .filter(|why| all.iter().map(|c| c.dropped(*why)).sum::<u64>() < 20)
        .collect();
    assert_eq!(never, [], "{counts:?}");
}

#[test]
fn the_jitter_buffer_keeps_its_bounds_whatever_comes() {
    for seed in 0..300 {
        let mut chance = Chance::from_number(seed);
        fuzzing::jitter(&bytes(&mut chance, 1_500));
    }
}

#[test]
fn broken_packets_and_files_never_panic() {
    let mut chance = Chance::from_number(9);
    let header = Header { marker: true, payload_type: 101, sequence: 1, timestamp: 2, ssrc: 3 };
    let mut rtp = header.to_bytes().to_vec();
    rtp[0] |= 0x30;
    rtp.extend([0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 3]);
    let mut rtcp = Vec::new();
    let cname = b"abcdefghijklmnop";
    Report { ssrc: 1, cname, sender: None, block: None, goodbye: Goodbye::Yes }.write(&mut rtcp);
    let wav = Wav::mono(sine(440.0, -10.0, 50));
    let files = [wav.write(Coding::Linear), wav.write(Coding::G711(Codec::Pcmu))];
    for _ in 0..20_000 {
        fuzzing::rtp(&mutated(&mut chance, &rtp));
        fuzzing::rtcp(&mutated(&mut chance, &rtcp));
        files.iter().for_each(|file| fuzzing::wav(&mutated(&mut chance, file)));
    }
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    // The plane has no clock, no chance and no hash order of its own.
    let run = |seed| {
        let mut stage = stage::Stage::talking();
        let mut chance = Chance::from_number(seed);
        let mut seen = Vec::new();
        for _ in 0..40 {
            let music = (leg::Source::Player(leg::Player::HoldMusic), leg::Gain::UNITY);
            match chance.below(3) {
                0 => stage.hear(&[(0, &[stage::voice(1)]), (1, &[stage::voice(0)])]),
                1 => stage.hear(&[(0, &[music]), (1, &[music])]),
                _ => stage.hear(&[(0, &[stage::voice(1), stage::voice(0)])]),
            }
            stage.run_for(chance.below(300));
        }
        stage
            .phones
            .iter()
            .for_each(|phone| seen.extend(phone.datagrams.iter().flatten().copied()));
        seen
    };
    let (first, again, other) = (run(1), run(1), run(2));
    assert!(first.len() > 10_000);
    assert_eq!(first, again);
    assert_ne!(first, other);
}
