//! What a listener hears changes, or its source does: its stream goes on.

use leg::{Gain, Source};
use media::Dropped;
use media::measure::{gaps, holds, level_dbfs, longest_gap, strength_dbfs};
use model::Codec;

use super::{GAP_MAX, MUSIC, TEST_TONE, speech};
use crate::stage::{Stage, leg_id, tone_hz, voice};

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
