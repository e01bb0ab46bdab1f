//! Monitors come, whisper, join in and leave; parties are held and let go: what each hears of it.

use leg::{Gain, Player, Source};
use media::Way;
use media::measure::{longest_gap, strength_at_rate_dbfs, strength_dbfs};
use media::rtp::Header;
use model::Codec;

use crate::stage::{self, Stage, leg_id, player, tone_hz, voice};

const MUSIC: (Source, Gain) = (Source::Player(Player::HoldMusic), Gain::UNITY);

/// Who hears whom: 0 is the far party, 1 the extension, 2 the monitor.
type Relation<'a> = &'a [(usize, &'a [(Source, Gain)])];

fn ways(stage: &Stage) -> Vec<Option<Way>> {
    let way = |port| stage.plane.outlets().find(|o| o.port == port).map(|o| o.way);
    stage.phones.iter().map(|phone| way(phone.leg.port)).collect()
}

/// The largest step between two samples, over that of all tones that are heard together. Where no
/// packet was sent there is no sample (the ear has 0 there, which A-law has not): phones fill that.
fn roughness(samples: &[i16], phones: &[usize]) -> f64 {
    let sent = |w: &&[i16]| w.iter().all(|sample| *sample != 0);
    let steps = samples.windows(2).filter(sent);
    let steps = steps.map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
    let hz: f64 = phones.iter().map(|n| tone_hz(*n)).sum();
    let tones = 8_231.0 * core::f64::consts::TAU * hz / 8_000.0;
    f64::from(steps.max().unwrap_or(0)) / tones
}

/// Whether each tone below `phones` is in the last 200 ms.
fn voices(samples: &[i16], rate: u32, phones: usize) -> Vec<usize> {
    let last = &samples[samples.len() - rate as usize / 5..];
    let strong = |n: &usize| strength_at_rate_dbfs(last, tone_hz(*n), rate.into()) > -20.0;
    (0..phones).filter(strong).collect()
}

const RELAYED: Option<Way> = Some(Way::Relayed);
const MIXED: Option<Way> = Some(Way::Mixed);

#[test]
fn a_monitor_comes_and_goes_and_nobody_hears_a_gap_or_a_click() {
    let (both, far_and_monitor) = ([voice(0), voice(1)], [voice(0), voice(2)]);
    let ext_and_monitor = [voice(1), voice(2)];
    let talk: Relation = &[(0, &[voice(1)]), (1, &[voice(0)])];
    let eavesdrop: Relation = &[(0, &[voice(1)]), (1, &[voice(0)]), (2, &both)];
    let whisper: Relation = &[(0, &[voice(1)]), (1, &far_and_monitor), (2, &both)];
    let conference: Relation = &[(0, &ext_and_monitor), (1, &far_and_monitor), (2, &both)];
    let steps: [(Relation, [Option<Way>; 3]); 8] = [
        (eavesdrop, [RELAYED, RELAYED, MIXED]),
        (whisper, [RELAYED, MIXED, MIXED]),
        (conference, [MIXED, MIXED, MIXED]),
        (whisper, [RELAYED, MIXED, MIXED]),
        (eavesdrop, [RELAYED, RELAYED, MIXED]),
        (conference, [MIXED, MIXED, MIXED]),
        (talk, [RELAYED, RELAYED, None]),
        (eavesdrop, [RELAYED, RELAYED, MIXED]),
    ];
    for phase in 0..20 {
        let mut stage = Stage::new(&[Codec::Pcma; 3]);
        stage.phones[1].phase_ms = phase;
        stage.phones[0].phase_ms = (phase * 7 + 3) % 20;
        stage.hear(talk);
        stage.run_for(500);
        (0..3).for_each(|n| stage.listen_anew(n));
        for (relation, expected) in &steps {
            stage.hear(relation);
            stage.run_for(311);
            assert_eq!(ways(&stage), expected);
        }
        for n in 0..2 {
            let heard = stage.heard(n);
            assert!(longest_gap(&heard, 8) <= 320, "{phase}: {n} has a gap");
            let rough = roughness(&heard, &[1 - n, 2]);
            assert!(rough < 1.25, "{phase}: {n} hears a click: {rough}");
            let noticed = &stage.phones[n].ear.heard;
            assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
        }
        assert_eq!(voices(&stage.heard(2), 8_000, 3), [0, 1], "{phase}");
    }
}

#[test]
fn a_call_that_is_only_listened_to_stays_a_relay() {
    let mut stage = Stage::new(&[Codec::Pcma; 3]);
    let parties: Relation = &[(0, &[voice(1)]), (1, &[voice(0)])];
    stage.hear(parties);
    stage.run_for(300);
    (0..2).for_each(|n| stage.listen_anew(n));
    stage.run_for(200);
    stage.hear(&[parties[0], parties[1], (2, &[voice(0), voice(1)])]);
    stage.run_for(300);
    stage.hear(parties);
    stage.run_for(300);
    for n in 0..2 {
        let heard = &stage.phones[n].ear.heard;
        assert_eq!(
            (heard.packets, heard.markers, heard.jumps),
            (40, 0, 0),
            "as if nobody had come"
        );
    }
    assert_eq!(ways(&stage)[..2], [RELAYED; 2]);
    let mixed = stage.plane.counters().mixed;
    stage.run_for(500);
    assert_eq!(stage.plane.counters().mixed, mixed, "the mixer rests when the last has left");
}

#[test]
fn parties_of_different_codecs_are_monitored_in_any_codec() {
    let codecs = [Codec::G722, Codec::Pcmu, Codec::Opus];
    for rotation in 0..3 {
        let codecs = core::array::from_fn::<_, 3, _>(|n| codecs[(n + rotation) % 3]);
        let mut stage = Stage::new(&codecs);
        stage.hear(&[(0, &[voice(1)]), (1, &[voice(0), voice(2)]), (2, &[voice(0), voice(1)])]);
        stage.run_for(1_500);
        let expected = [vec![1], vec![0, 2], vec![0, 1]];
        for (n, expected) in expected.into_iter().enumerate() {
            let heard = stage.heard(n);
            assert_eq!(voices(&heard, codecs[n].sample_rate_hz(), 3), expected, "{codecs:?}: {n}");
        }
    }
}

#[test]
fn a_whisper_is_heard_whatever_the_far_party_does() {
    #[derive(Debug, PartialEq)]
    enum Far {
        /// It sends nothing at all.
        Mute,
        /// It has sent its noise and then nothing (RFC 3389).
        Dtx,
        /// It sends silence.
        Quiet,
        /// It is on hold: it hears music, and the extension hears nobody but the monitor.
        Held,
        /// It has hung up.
        Gone,
    }
    for far in [Far::Mute, Far::Dtx, Far::Quiet, Far::Held, Far::Gone] {
        for codecs in [[Codec::Pcma; 3], [Codec::Pcma, Codec::Pcma, Codec::Opus]] {
            let mut stage = Stage::new(&codecs);
            let whisper: Relation =
                &[(0, &[voice(1)]), (1, &[voice(0), voice(2)]), (2, &[voice(0), voice(1)])];
            stage.hear(whisper);
            stage.run_for(400);
            match far {
                Far::Mute => stage.phones[0].talks = false,
                Far::Dtx => {
                    stage.phones[0].talks = false;
                    let next = stage.phones[0].mouth.next;
                    let noise = Header { payload_type: 13, ..next };
                    let datagram = [&noise.to_bytes()[..], &[70]].concat();
                    let (port, from) = (stage.phones[0].leg.port, stage.phones[0].at);
                    stage.arrive(port, from, datagram);
                }
                Far::Quiet => drop(stage.phones[0].mouth.change(vec![0; 160])),
                Far::Held => {
                    let held: Relation =
                        &[(0, &[MUSIC]), (1, &[voice(2)]), (2, &[voice(0), voice(1)])];
                    stage.hear(held);
                }
                Far::Gone => {
                    stage.hears.clear();
                    let gone: Relation =
                        &[(0, &[]), (1, &[voice(0), voice(2)]), (2, &[voice(0), voice(1)])];
                    stage.phones[0].talks = false;
                    stage.hear(gone);
                }
            }
            stage.run_for(300);
            stage.heard(1);
            stage.run_for(1_000);
            let heard = stage.heard(1);
            assert!(heard.len() >= 7_800, "{far:?}: only {} samples", heard.len());
            assert!(longest_gap(&heard, 100) < 80, "{far:?} {codecs:?}");
            let level = strength_dbfs(&heard[..4_000], tone_hz(2));
            assert!((level + 12.0).abs() < 1.0, "{far:?} {codecs:?}: {level}");
            if far != Far::Held && far != Far::Gone {
                stage.phones[0].talks = true;
                let next = &mut stage.phones[0].mouth.next;
                next.sequence = next.sequence.wrapping_add(3);
                next.timestamp = next.timestamp.wrapping_add(12_800);
                stage.run_for(500);
            }
        }
    }
}

#[test]
fn twenty_monitors_of_one_call_all_hear_it() {
    let mut stage = Stage::new(&[Codec::Pcma; 22]);
    let sources = [voice(0), voice(1)];
    let relation: Vec<(usize, &[(Source, Gain)])> = (2..22)
        .map(|n| (n, &sources[..]))
        .chain([(0, &sources[1..]), (1, &sources[..1])])
        .collect();
    stage.hear(&relation);
    // What monitors say is nobody's.
    stage.run_for(1_000);
    assert_eq!(ways(&stage)[..2], [RELAYED; 2]);
    let first = stage.heard(2);
    assert_eq!(voices(&first, 8_000, 22), [0, 1]);
    for n in 3..22 {
        assert_eq!(stage.heard(n), first, "they hear the same");
    }
    for n in 0..2 {
        assert_eq!(voices(&stage.heard(n), 8_000, 22), [1 - n]);
    }
    let decoded = stage.plane.counters().mixed;
    stage.run_for(20);
    assert_eq!(
        stage.plane.counters().mixed - decoded,
        20,
        "a frame for each, none for the parties"
    );
}

#[test]
fn hold_and_back_have_no_gap_and_no_click() {
    for phase in 0..20 {
        let mut stage = Stage::new(&[Codec::Pcma; 2]);
        stage.phones[1].phase_ms = phase;
        let talk: Relation = &[(0, &[voice(1)]), (1, &[voice(0)])];
        let held: Relation = &[(0, &[MUSIC]), (1, &[])];
        stage.hear(talk);
        stage.run_for(400);
        stage.listen_anew(0);
        for _ in 0..3 {
            stage.hear(held);
            stage.run_for(333);
            assert_eq!(ways(&stage), [MIXED, None]);
            stage.hear(talk);
            stage.run_for(297);
            assert_eq!(ways(&stage), [RELAYED; 2]);
        }
        let heard = stage.heard(0);
        assert!(longest_gap(&heard, 8) <= 320, "{phase}");
        // The music is the rougher of the two.
        let rough = roughness(&heard, &[2]);
        assert!(rough < 1.6, "{phase}: {rough}; the music's own is 1.597");
        let noticed = &stage.phones[0].ear.heard;
        assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
    }
}

#[test]
fn a_monitor_that_hears_one_silent_party_is_sent_silence_in_time() {
    let mut stage = Stage::new(&[Codec::Pcma; 3]);
    stage.phones[0].talks = false;
    stage.phones[1].talks = false;
    stage.hear(&[(2, &[voice(0), voice(1)])]);
    stage.run_for(1_000);
    let heard = &stage.phones[2].ear.heard;
    assert_eq!((heard.packets, heard.jumps, heard.markers), (50, 0, 1));
    let tone = player(Player::Tone(leg::Tone::Test));
    stage.hear(&[(2, &[voice(0), voice(1), tone]), (0, &[]), (1, &[])]);
    stage.run_for(400);
    let heard = stage.heard(2);
    assert!(strength_dbfs(&heard[heard.len() - 1_600..], 1_000.0) > -13.0);
    assert_eq!(
        stage.plane.leg_stats(stage::TENANT, stage::CALL, leg_id(2)).map(|s| s.sent),
        Some(70)
    );
}
