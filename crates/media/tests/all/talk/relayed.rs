//! Relayed sound: packets reach their listeners whole, rewritten and never mixed.

use leg::{Gain, Source};
use media::Dropped;
use media::measure::{Heard, holds, longest_gap};
use media::rtp::Packet;
use model::Codec;

use super::{MUSIC, speech};
use crate::stage::{self, Stage, leg_id, voice};

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
fn one_voice_reaches_several_listeners_of_both_laws() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    stage.hear(&[(1, &[voice(0)]), (2, &[voice(0)]), (3, &[voice(0)])]);
    stage.run_for(500);
    for n in 1..4 {
        holds(&stage.heard(n), 0..4_000, speech(0)).unwrap();
    }
    assert_eq!(stage.plane.counters().mixed, 0);
}
