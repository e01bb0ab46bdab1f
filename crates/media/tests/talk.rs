//! Who hears whom, measured: tones in; frequency, level, gaps and the order of the stream out.

mod stage;

use leg::{Gain, Player, Source, Tone};
use media::Dropped;
use media::measure::{Expected, Heard, gaps, holds, level_dbfs, longest_gap, strength_dbfs};
use media::rtp::Packet;
use model::Codec;

use stage::{Stage, leg_id, player, tone_hz, voice};

/// The `n`th phone's voice as it left.
fn speech(n: usize) -> Expected {
    Expected { hz: tone_hz(n), dbfs: -12.0, tolerance: (1.0, 0.5) }
}

const MUSIC: (Source, Gain) = (Source::Player(Player::HoldMusic), Gain::UNITY);
const TEST_TONE: (Source, Gain) = (Source::Player(Player::Tone(Tone::Test)), Gain::UNITY);
/// 40 ms, the longest gap that a change may cost.
const GAP_MAX: usize = 320;

#[test]
fn two_phones_hear_each_other_whole() {
    let mut stage = Stage::talking();
    stage.run_for(1_000);
    for n in [0, 1] {
        let heard = stage.heard(n);
        assert_eq!(heard.len(), 8_000);
        holds(&heard, 0..8_000, speech(1 - n)).unwrap();
        let expected = Heard { packets: 50, markers: 1, ..Heard::default() };
        assert_eq!(stage.phones[n].ear.heard, expected);
    }
    assert_eq!(stage.plane.counters().relayed, 100);
    assert_eq!(stage.plane.counters().mixed, 0);
}

#[test]
fn a_phone_that_hears_itself_gets_an_echo() {
    let mut stage = Stage::new(&[Codec::Pcmu]);
    stage.hear(&[(0, &[voice(0)])]);
    stage.run_for(500);
    holds(&stage.heard(0), 0..4_000, speech(0)).unwrap();
    assert_eq!(stage.plane.counters().mixed, 0);
}

#[test]
fn phones_of_different_laws_hear_each_other_without_the_mixer() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcmu]);
    stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
    stage.run_for(1_000);
    for n in [0, 1] {
        holds(&stage.heard(n), 0..8_000, speech(1 - n)).unwrap();
        assert_eq!(stage.phones[n].ear.heard.others, []);
    }
    assert_eq!(stage.plane.counters().mixed, 0);
}

#[test]
fn a_payload_type_is_rewritten_to_what_the_listener_knows() {
    let mut stage = Stage::talking();
    stage.phones[1].leg.send = Some(leg::Format { payload_type: 96, codec: Codec::Pcma });
    stage.apply();
    stage.listen_anew(1);
    stage.run_for(500);
    holds(&stage.heard(1), 0..4_000, speech(0)).unwrap();
}

/// Talk, hold music, talk: the listener's stream never breaks and no gap is longer than 40 ms.
#[test]
fn hold_and_back_costs_no_more_than_40_ms() {
    // At every phase of the phones against the mixing clock.
    for phase in 0..20 {
        let mut stage = Stage::talking();
        stage.phones[1].phase_ms = phase;
        stage.run_for(1_000 + phase * 7);
        stage.heard(0);
        stage.run_for(100);
        stage.hear(&[(0, &[MUSIC])]);
        stage.run_for(1_000);
        stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
        stage.run_for(500);
        let heard = stage.heard(0);
        assert!(longest_gap(&heard, 8) <= GAP_MAX, "{phase}: {:?}", gaps(&heard, 8));
        let music = &heard[heard.len() - 8_000..heard.len() - 5_000];
        assert!(strength_dbfs(music, tone_hz(1)) < -25.0);
        assert!((-35.0..-12.0).contains(&level_dbfs(music)));
        holds(&heard, heard.len() - 3_600..heard.len(), speech(1)).unwrap();
        let noticed = &stage.phones[0].ear.heard;
        assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
        assert_eq!(noticed.markers, 3, "one for each beginning");
        assert!(noticed.jumps <= 2, "the time of a change may be longer than a packet");
    }
}

#[test]
fn every_change_of_source_keeps_the_stream_of_the_listener() {
    let mut stage = Stage::new(&[Codec::Pcma; 3]);
    let half = Gain(128);
    let relations: [&[(Source, Gain)]; 8] = [
        &[voice(1)],
        &[voice(2)],
        &[voice(1), voice(2)],
        &[voice(2)],
        &[TEST_TONE],
        &[(Source::Leg(leg_id(1)), half)],
        &[voice(0)],
        &[MUSIC, voice(1)],
    ];
    for relation in relations.into_iter().chain(relations) {
        stage.hear(&[(0, relation)]);
        stage.run_for(333);
    }
    let heard = stage.heard(0);
    let noticed = &stage.phones[0].ear.heard;
    assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
    assert_eq!(noticed.markers, 16);
    assert!(longest_gap(&heard, 8) <= GAP_MAX, "{:?}", gaps(&heard, 8));
    // The stream's time is the clock's: 16 changes have not made it run ahead by as many frames.
    let real = 16 * 333 * 8;
    assert!(heard.len().abs_diff(real) < 16 * 160, "{} for {real}", heard.len());
    // The sequence numbers and timestamps wrapped on the way in.
    assert!(stage.phones[1].mouth.next.sequence < 1_000);
}

#[test]
fn a_mix_is_the_sum_of_its_sources_at_their_gains() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcmu, Codec::Pcma]);
    let half = (Source::Leg(leg_id(2)), Gain(128));
    stage.hear(&[(0, &[voice(1), half]), (1, &[voice(0), TEST_TONE])]);
    stage.run_for(2_000);
    let heard = stage.heard(0);
    let late = &heard[1_600..];
    assert!((strength_dbfs(late, tone_hz(1)) + 12.0).abs() < 0.5);
    assert!((strength_dbfs(late, tone_hz(2)) + 18.0).abs() < 0.5);
    assert!(strength_dbfs(late, tone_hz(0)) < -50.0);
    let heard = stage.heard(1);
    let late = &heard[1_600..];
    assert!((strength_dbfs(late, tone_hz(0)) + 12.0).abs() < 0.5);
    assert!((strength_dbfs(late, 1_000.0) + 12.0).abs() < 0.5);
    assert_eq!(stage.phones[0].ear.heard.jumps, 0);
}

#[test]
fn a_conference_of_three_hears_the_others_and_not_itself() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma, Codec::Pcmu]);
    stage.hear(&[
        (0, &[voice(1), voice(2)]),
        (1, &[voice(0), voice(2)]),
        (2, &[voice(0), voice(1)]),
    ]);
    stage.run_for(1_500);
    for n in 0..3 {
        let heard = stage.heard(n);
        let late = &heard[2_000..];
        for other in 0..3 {
            let level = strength_dbfs(late, tone_hz(other));
            if other == n {
                assert!(level < -45.0, "{n} hears itself at {level}");
            } else {
                assert!((level + 12.0).abs() < 0.5, "{n} hears {other} at {level}");
            }
        }
        assert!(longest_gap(late, 8) < 160);
    }
}

#[test]
fn loud_sums_are_clipped_not_wrapped() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    let loud = (Source::Leg(leg_id(1)), Gain(u16::MAX));
    stage.hear(&[(0, &[loud, loud, loud])]);
    stage.run_for(500);
    let heard = stage.heard(0);
    // A tone driven far over the top is a square wave: twice the power of a full-scale sine.
    assert!(level_dbfs(&heard[1_000..]) > 1.5);
    assert!(strength_dbfs(&heard[1_000..], tone_hz(1)) > 0.0);
}

#[test]
fn listeners_of_one_player_hear_the_same_moment() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.hear(&[(0, &[MUSIC])]);
    stage.run_for(777);
    stage.hear(&[(0, &[MUSIC]), (1, &[MUSIC])]);
    stage.run_for(40);
    stage.heard(0);
    stage.phones.iter_mut().for_each(|phone| phone.datagrams.clear());
    stage.run_for(400);
    let payloads = |n: usize| -> Vec<Vec<u8>> {
        stage.phones[n].datagrams.iter().map(|d| d[12..].to_vec()).collect()
    };
    assert!(payloads(0).len() >= 19);
    assert_eq!(payloads(0), payloads(1));
}

#[test]
fn a_tone_begins_with_its_cadence() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    stage.run_for(1_234);
    stage.hear(&[(0, &[player(Player::Tone(Tone::Ringback))])]);
    stage.run_for(5_000);
    let heard = stage.heard(0);
    let expected = Expected { hz: 425.0, dbfs: -12.0, tolerance: (2.0, 0.5) };
    holds(&heard, 40..7_900, expected).unwrap();
    let silence = gaps(&heard, 30);
    assert!(silence.iter().any(|gap| gap.start.abs_diff(8_000) < 50 && gap.samples > 30_000));
}

#[test]
fn loss_disorder_and_copies_pass_the_relay_as_they_came() {
    let mut stage = Stage::talking();
    stage.phones[0].talks = false;
    let (port, from) = (stage.phones[0].leg.port, stage.phones[0].at);
    let packets: Vec<Vec<u8>> = (0..12).map(|_| stage.phones[0].mouth.say()).collect();
    let order = [0, 1, 2, 4, 3, 5, 5, 8, 9, 11, 10];
    for n in order {
        stage.arrive(port, from, packets[n].clone());
        stage.run_for(20);
    }
    let told = |datagram: &Vec<u8>| {
        let header = Packet::parse(datagram).unwrap().header;
        (header.sequence, header.timestamp)
    };
    let out: Vec<_> = stage.phones[1].datagrams.iter().map(told).collect();
    assert_eq!(out.len(), order.len());
    for (n, (sequence, timestamp)) in order.iter().zip(&out) {
        let n = u16::try_from(*n).unwrap();
        assert_eq!(sequence.wrapping_sub(out[0].0), n);
        assert_eq!(timestamp.wrapping_sub(out[0].1), u32::from(n) * 160);
    }
    let payload = |datagram: &Vec<u8>| datagram[12..].to_vec();
    let said: Vec<_> = order.iter().map(|n| payload(&packets[*n])).collect();
    assert_eq!(stage.phones[1].datagrams.iter().map(payload).collect::<Vec<_>>(), said);
}

#[test]
fn a_source_that_begins_a_new_stream_does_not_break_the_listeners() {
    let mut stage = Stage::talking();
    stage.run_for(300);
    let next = &mut stage.phones[0].mouth.next;
    (next.ssrc, next.sequence, next.timestamp) = (99, 17, 123_456);
    stage.run_for(300);
    // And the same SSRC with numbers that began anew.
    let next = &mut stage.phones[0].mouth.next;
    (next.sequence, next.timestamp) = (40_000, 5);
    stage.run_for(300);
    let noticed = &stage.phones[1].ear.heard;
    assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
    assert_eq!(stage.plane.counters().dropped(Dropped::WildSequence), 1);
    assert!(longest_gap(&stage.heard(1), 8) <= GAP_MAX);
}

#[test]
fn a_source_that_begins_a_new_stream_is_mixed_on_at_once() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.hear(&[(0, &[voice(1), (Source::Leg(leg_id(0)), Gain(1))])]);
    stage.run_for(500);
    // Its time begins a little earlier than the old one's ended.
    let next = &mut stage.phones[1].mouth.next;
    (next.ssrc, next.timestamp) = (99, next.timestamp.wrapping_sub(1_700));
    stage.run_for(500);
    let heard = stage.heard(0);
    assert!(longest_gap(&heard[1_000..], 64) <= GAP_MAX, "{:?}", gaps(&heard, 64));
}

#[test]
fn a_source_that_moves_to_another_port_begins_a_new_run() {
    let mut stage = Stage::talking();
    stage.run_for(200);
    stage.phones[0].leg.port = 20_010;
    let next = &mut stage.phones[0].mouth.next;
    (next.sequence, next.timestamp) =
        (next.sequence.wrapping_add(500), next.timestamp.wrapping_add(80_000));
    stage.apply();
    stage.run_for(200);
    let noticed = &stage.phones[1].ear.heard;
    assert_eq!((noticed.new_streams, noticed.missing, noticed.markers), (0, 0, 2));
}

#[test]
fn numbers_and_times_wrap_unnoticed_for_hours() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    stage.hear(&[(0, &[voice(0)])]);
    stage.phones[0].talks = false;
    stage.phones[0].mouth.packet_samples = 80;
    let (mut plane, mut effects) = (stage.plane, media::Effects::new());
    let phone = &mut stage.phones[0];
    // 25 wraps of the sequence number; the timestamp begins a second before its own.
    let mut before = None;
    for n in 0..25 * 65_536u64 {
        let now = stage.now + core::time::Duration::from_millis(10 * n);
        let mut datagram = phone.mouth.next.to_bytes().to_vec();
        datagram.extend([0x55; 80]);
        phone.mouth.lose();
        plane.packet(now, phone.leg.port, phone.at, &mut datagram, &mut effects);
        effects.clear();
        let header = Packet::parse(&datagram).unwrap().header;
        let this = (header.sequence, header.timestamp);
        let expected = before.map_or(this, |(sequence, timestamp): (u16, u32)| {
            (sequence.wrapping_add(1), timestamp.wrapping_add(80))
        });
        assert_eq!(this, expected, "{n}");
        before = Some(this);
    }
    let stats = plane.leg_stats(stage::TENANT, stage::CALL, leg_id(0)).unwrap();
    assert_eq!((stats.received, stats.lost, stats.sent), (25 * 65_536, 0, 25 * 65_536));
}

#[test]
fn extensions_and_padding_of_the_source_are_not_passed_on() {
    let mut stage = Stage::talking();
    let plain = stage.phones[0].mouth.say();
    let mut dressed = plain[..12].to_vec();
    dressed[0] |= 0x10 | 0x20 | 1;
    dressed.extend([1, 2, 3, 4]);
    dressed.extend([0xBE, 0xDE, 0, 1, 5, 6, 7, 8]);
    dressed.extend(&plain[12..]);
    dressed.extend([0, 0, 0, 4]);
    let (port, from) = (stage.phones[0].leg.port, stage.phones[0].at);
    stage.arrive(port, from, dressed);
    let got = &stage.phones[1].datagrams[0];
    assert_eq!((got[0], got.len()), (0x80, 172));
    assert_eq!(got[12..], plain[12..]);
}

#[test]
fn comfort_noise_and_pauses_are_no_loss_to_the_listener() {
    for relayed in [true, false] {
        let mut stage = Stage::talking();
        if !relayed {
            stage.hear(&[(1, &[voice(0), (Source::Leg(leg_id(1)), Gain(1))])]);
        }
        stage.run_for(500);
        // A pause: one packet of comfort noise, then nothing; the timestamp goes on.
        let noise = media::rtp::Header { payload_type: 13, ..stage.phones[0].mouth.next };
        let mut datagram = noise.to_bytes().to_vec();
        datagram.push(60);
        let (port, from) = (stage.phones[0].leg.port, stage.phones[0].at);
        stage.arrive(port, from, datagram);
        stage.phones[0].talks = false;
        let next = &mut stage.phones[0].mouth.next;
        next.sequence = next.sequence.wrapping_add(1);
        next.timestamp = next.timestamp.wrapping_add(8_000);
        stage.run_for(1_000);
        stage.phones[0].mouth.next.marker = true;
        stage.phones[0].talks = true;
        stage.run_for(500);
        assert_eq!(stage.plane.counters().comfort_noise, 1);
        let noticed = stage.phones[1].ear.heard.clone();
        assert_eq!((noticed.missing, noticed.disorder, noticed.others.len()), (0, 0, 0));
        let heard = stage.heard(1);
        holds(&heard, heard.len() - 3_000..heard.len(), speech(0)).unwrap();
    }
}

#[test]
fn unknown_payloads_are_counted_and_leave_no_hole() {
    let mut stage = Stage::talking();
    stage.run_for(200);
    stage.phones[0].mouth.next.payload_type = 97;
    stage.run_for(60);
    stage.phones[0].mouth.next.payload_type = 8;
    stage.run_for(200);
    assert_eq!(stage.plane.counters().dropped(Dropped::UnknownPayload), 3);
    assert_eq!(stage.phones[1].ear.heard.missing, 0);
    assert_eq!(stage.phones[1].ear.heard.jumps, 1);
}

#[test]
fn the_old_payload_type_is_taken_until_the_first_packet_of_the_new() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    let new = leg::Format { payload_type: 0, codec: Codec::Pcmu };
    stage.phones[0].leg.receive = [new].into_iter().collect();
    stage.apply();
    stage.run_for(100);
    assert_eq!(stage.plane.counters().dropped(Dropped::UnknownPayload), 0);
    let mouth = &mut stage.phones[0].mouth;
    (mouth.codec, mouth.next.payload_type) = (Codec::Pcmu, 0);
    stage.run_for(100);
    let mouth = &mut stage.phones[0].mouth;
    (mouth.codec, mouth.next.payload_type) = (Codec::Pcma, 8);
    stage.run_for(100);
    assert_eq!(stage.plane.counters().dropped(Dropped::UnknownPayload), 5);
    assert_eq!(longest_gap(&stage.heard(1)[..2_000], 8), 0);
}

#[test]
fn packets_of_any_length_are_mixed() {
    for packet_samples in [80, 240, 320, 480] {
        let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
        stage.hear(&[(0, &[voice(1), (Source::Leg(leg_id(0)), Gain(1))])]);
        stage.phones[1].talks = false;
        stage.phones[1].mouth.packet_samples = packet_samples;
        let packet_ms = packet_samples as u64 / 8;
        for _ in 0..2_000 / packet_ms {
            stage.say(1);
            stage.run_for(packet_ms);
        }
        let heard = stage.heard(0);
        holds(&heard, 4_000..14_000, speech(1)).unwrap();
    }
}

#[test]
fn disorder_and_jitter_are_healed_for_the_mixer() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.hear(&[(0, &[voice(1), (Source::Leg(leg_id(0)), Gain(1))])]);
    stage.phones[1].talks = false;
    let (port, from) = (stage.phones[1].leg.port, stage.phones[1].at);
    for n in 0..50 {
        // Pairs in the wrong order, and up to 15 ms late.
        let (first, second) = (stage.phones[1].mouth.say(), stage.phones[1].mouth.say());
        let late = n * 7 % 15;
        stage.run_for(late);
        stage.arrive(port, from, second);
        stage.arrive(port, from, first);
        stage.run_for(40 - late);
    }
    let heard = stage.heard(0);
    holds(&heard, 4_000..15_000, speech(1)).unwrap();
}

#[test]
fn loss_towards_the_mixer_is_a_repeat_and_then_silence() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.hear(&[(0, &[voice(1), (Source::Leg(leg_id(0)), Gain(1))])]);
    stage.run_for(500);
    stage.phones[1].mouth.lose();
    stage.run_for(480);
    let heard = stage.heard(0);
    assert!(longest_gap(&heard[1_000..], 64) < 160, "one lost packet is hidden");
    stage.phones[1].talks = false;
    (0..5).for_each(|_| stage.phones[1].mouth.lose());
    stage.run_for(100);
    stage.phones[1].talks = true;
    stage.run_for(500);
    let heard = stage.heard(0);
    let gap = longest_gap(&heard, 64);
    assert!((300..900).contains(&gap), "five are not: {gap}");
    holds(&heard, heard.len() - 2_400..heard.len(), speech(1)).unwrap();
}

#[test]
fn a_late_clock_catches_up_without_drift_and_without_a_burst() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    stage.hear(&[(0, &[TEST_TONE])]);
    stage.run_for(1_000);
    let before = stage.phones[0].datagrams.len();
    stage.stall(50);
    assert!(stage.phones[0].datagrams.len() - before <= 3);
    assert_eq!(stage.plane.counters().dropped(Dropped::FramesSkipped), 0);
    stage.run_for(1_000);
    let before = stage.phones[0].datagrams.len();
    stage.stall(10_000);
    assert_eq!(stage.phones[0].datagrams.len() - before, 3);
    stage.run_for(950);
    // Time went on as if nothing had been: 13 s of sound, the tone in phase.
    let heard = stage.heard(0);
    assert!(heard.len().abs_diff(13_000 * 8) <= 160, "{}", heard.len());
    assert_eq!(stage.phones[0].ear.heard.missing, 0);
    assert_eq!(stage.phones[0].ear.heard.jumps, 1);
    let late = &heard[heard.len() - 7_000..];
    holds(late, 0..7_000, Expected { hz: 1_000.0, dbfs: -12.0, tolerance: (1.0, 0.5) }).unwrap();
}

#[test]
fn a_clock_is_wanted_only_while_something_is_mixed() {
    let mut stage = Stage::talking();
    let period = |stage: &Stage| stage.plane.deadline().unwrap().since(stage.now.mono);
    assert!(period(&stage).as_secs() >= 4);
    stage.hear(&[(0, &[MUSIC])]);
    assert!(period(&stage).as_millis() <= 20);
    let from_start = stage.plane.deadline().unwrap().since(model::Mono(3_000_007));
    assert_eq!(from_start.as_micros() % 20_000, 0);
    stage.hear(&[(0, &[voice(1)])]);
    assert!(period(&stage).as_secs() >= 4);
    stage.end();
    assert_eq!(stage.plane.deadline(), None);
}

#[test]
fn nothing_is_sent_to_who_hears_nothing_or_is_nowhere() {
    let mut stage = Stage::talking();
    stage.phones[1].leg.remote = None;
    stage.hear(&[(1, &[voice(0)])]);
    stage.run_for(200);
    stage.hear(&[(1, &[MUSIC])]);
    stage.run_for(200);
    assert_eq!(stage.phones[1].datagrams.len() + stage.phones[0].datagrams.len(), 0);
    stage.phones[1].leg.remote = Some(stage.phones[1].at);
    stage.phones[1].leg.send = None;
    stage.apply();
    stage.run_for(200);
    assert_eq!(stage.phones[1].datagrams.len(), 0);
    assert_eq!(stage.plane.counters().mixed, 0);
}

#[test]
fn a_source_at_no_gain_or_that_does_not_exist_costs_no_mixing() {
    let mut stage = Stage::new(&[Codec::Pcma; 3]);
    let mute = (Source::Leg(leg_id(2)), Gain(0));
    stage.hear(&[(0, &[voice(1), mute, voice(9)]), (1, &[mute, voice(9)])]);
    stage.run_for(500);
    holds(&stage.heard(0), 0..4_000, speech(1)).unwrap();
    assert_eq!(stage.phones[1].datagrams.len(), 0);
    assert_eq!(stage.plane.counters().mixed, 0);
}

#[test]
fn one_voice_reaches_several_listeners_of_both_laws() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    stage.hear(&[(1, &[voice(0)]), (2, &[voice(0)]), (3, &[voice(0)])]);
    stage.run_for(500);
    for n in 1..4 {
        holds(&stage.heard(n), 0..4_000, speech(0)).unwrap();
    }
    assert_eq!(stage.plane.counters().mixed, 0);
}
