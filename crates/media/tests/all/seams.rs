//! Where what is heard changes: no gap, no click, one stream.

use leg::{Gain, Player, Source};
use media::measure::{gaps, longest_gap};
use model::Codec;

use crate::stage::{self, Stage, tone_hz, voice};

const MUSIC: (Source, Gain) = (Source::Player(Player::HoldMusic), Gain::UNITY);

/// The largest step between two samples, over that of the loudest that is heard.
fn roughness(samples: &[i16]) -> f64 {
    let steps = samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
    let tone = 8_231.0 * core::f64::consts::TAU * tone_hz(2) / 8_000.0;
    f64::from(steps.max().unwrap_or(0)) / tone
}

/// Runs through relations, each for a while, at every phase of the phones.
fn changes(codecs: &[Codec], relations: &[&[(Source, Gain)]]) -> (f64, usize) {
    let (mut rough, mut gap) = (0f64, 0);
    for phase in 0..20 {
        let mut stage = Stage::new(codecs);
        stage.phones[1].phase_ms = phase;
        stage.hear(&[(0, relations[0])]);
        stage.run_for(700 + phase * 3);
        stage.heard(0);
        for relation in relations.iter().chain(relations) {
            stage.hear(&[(0, relation)]);
            stage.run_for(313);
        }
        let heard = stage.heard(0);
        let noticed = &stage.phones[0].ear.heard;
        assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
        rough = rough.max(roughness(&heard));
        gap = gap.max(longest_gap(&heard, 8));
        assert!(gap <= 320, "{phase}: {:?}", gaps(&heard, 8));
    }
    (rough, gap)
}

#[test]
fn between_relay_and_mixer_nothing_clicks_and_no_gap_is_longer_than_40_ms() {
    let half = (Source::Leg(stage::leg_id(1)), Gain(128));
    let relations: [&[(Source, Gain)]; 4] = [&[voice(1)], &[MUSIC], &[voice(1), voice(2)], &[half]];
    let (rough, _) = changes(&[Codec::Pcma; 3], &relations);
    assert!(rough < 1.9, "{rough}");
}

#[test]
fn from_one_voice_to_the_other_nothing_clicks() {
    let (rough, gap) = changes(&[Codec::Pcmu; 3], &[&[voice(1)], &[voice(2)]]);
    assert!(rough < 1.6 && gap <= 160, "{rough} {gap}");
}

#[test]
fn wide_voices_come_and_go_without_a_click() {
    let codecs = [Codec::Pcma, Codec::G722, Codec::Pcma];
    let (rough, _) = changes(&codecs, &[&[voice(1)], &[MUSIC], &[voice(2)]]);
    assert!(rough < 1.9, "{rough}");
}
