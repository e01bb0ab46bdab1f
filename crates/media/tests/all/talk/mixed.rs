//! Mixed sound: sums and levels, players, what heals loss and jitter, and the clock of it.

use leg::{Gain, Player, Source, Tone};
use media::Dropped;
use media::measure::{Expected, gaps, holds, level_dbfs, longest_gap, strength_dbfs};
use model::Codec;

use super::{MUSIC, TEST_TONE, speech};
use crate::stage::{Stage, leg_id, player, tone_hz, voice};

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
fn a_source_at_no_gain_or_that_does_not_exist_costs_no_mixing() {
    let mut stage = Stage::new(&[Codec::Pcma; 3]);
    let mute = (Source::Leg(leg_id(2)), Gain(0));
    stage.hear(&[(0, &[voice(1), mute, voice(9)]), (1, &[mute, voice(9)])]);
    stage.run_for(500);
    holds(&stage.heard(0), 0..4_000, speech(1)).unwrap();
    assert_eq!(stage.phones[1].datagrams.len(), 0);
    assert_eq!(stage.plane.counters().mixed, 0);
}
