//! Clips and recordings, measured.

use leg::{
    Clip, ClipId, Gain, MediaEventKind, Piece, Player, Recorder, RecorderId, Source, Sources, Tone,
};
use media::measure::{Expected, gaps, holds, longest_gap, pitch_hz, sine, strength_dbfs};
use media::{Sound, speech};
use model::{Codec, FileId, Language, Spoken};

use crate::stage::{Stage, leg_id, tone_hz, voice};

const FILE: FileId = FileId(0xF1);
const TAPE: FileId = FileId(0x7A);

fn clip(id: u32, pieces: Vec<Piece>) -> Clip {
    Clip { id: ClipId(id), leg: leg_id(0), pieces, repeats: false }
}

fn hears_clip(id: u32) -> (Source, Gain) {
    (Source::Player(Player::Clip(ClipId(id))), Gain::UNITY)
}

fn recorder(channels: &[&[(Source, Gain)]]) -> Recorder {
    Recorder {
        id: RecorderId(1),
        leg: leg_id(0),
        file: TAPE,
        channels: channels.iter().map(|channel| channel.iter().copied().collect()).collect(),
        silence_ms: None,
        max_ms: 600_000,
    }
}

fn kinds(stage: &Stage) -> Vec<MediaEventKind> {
    stage.events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_clip_goes_on_for_whoever_has_the_place_of_its_first_listener_and_its_end_is_told_of_that() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.clips = vec![clip(1, vec![Piece::Tone(Tone::Test, 1_000)])];
    stage.hear(&[(0, &[hears_clip(1)])]);
    stage.run_for(500);
    stage.clips = vec![Clip { leg: leg_id(1), ..stage.clips[0].clone() }];
    stage.hear(&[(1, &[hears_clip(1)])]);
    stage.run_for(600);
    assert_eq!(kinds(&stage), [MediaEventKind::ClipDone(ClipId(1))]);
    assert_eq!(stage.events[0].leg, leg_id(1));
    let tone = Expected { hz: 1_000.0, dbfs: -12.0, tolerance: (1.0, 0.3) };
    holds(&stage.heard(1), 100..3_900, tone).unwrap();
}

#[test]
fn a_clip_is_heard_whole_and_its_end_is_told_after_it() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    stage.files.insert(FILE, Sound::narrow(sine(700.0, -15.0, 8_000)));
    let pieces = vec![Piece::File(FILE), Piece::Tone(Tone::Test, 500)];
    stage.clips = vec![clip(1, pieces)];
    stage.hear(&[(0, &[hears_clip(1)])]);
    stage.run_for(1_500);
    assert_eq!(kinds(&stage), [], "its last frame is on the way");
    stage.run_for(40);
    assert_eq!(kinds(&stage), [MediaEventKind::ClipDone(ClipId(1))]);
    assert_eq!(stage.events[0].leg, leg_id(0));
    let heard = stage.heard(0);
    let file = Expected { hz: 700.0, dbfs: -15.0, tolerance: (1.0, 0.3) };
    let tone = Expected { hz: 1_000.0, dbfs: -12.0, tolerance: (1.0, 0.3) };
    holds(&heard, 0..8_000, file).unwrap();
    holds(&heard, 8_050..11_950, tone).unwrap();
    // It goes on with silence, a frame every 20 ms.
    stage.run_for(400);
    assert_eq!(stage.heard(0), [8; 20 * 160]);
    assert_eq!(kinds(&stage).len(), 1);
}

#[test]
fn a_clip_declared_again_goes_on_and_one_that_is_not_has_ended() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.files.insert(FILE, Sound::narrow(sine(700.0, -15.0, 16_000)));
    stage.clips = vec![clip(1, vec![Piece::File(FILE)])];
    stage.hear(&[(0, &[hears_clip(1)])]);
    stage.run_for(500);
    // Another listener hears the same moment of it.
    stage.hear(&[(0, &[hears_clip(1)]), (1, &[hears_clip(1)])]);
    stage.run_for(500);
    let heard = stage.heard(0);
    let file = Expected { hz: 700.0, dbfs: -15.0, tolerance: (1.0, 0.3) };
    holds(&heard, 0..8_000, file).unwrap();
    let both =
        [&stage.phones[0], &stage.phones[1]].map(|p| p.datagrams.last().unwrap()[12..].to_vec());
    assert_eq!(both[0], both[1]);
    stage.clips.clear();
    stage.apply();
    stage.run_for(3_000);
    assert_eq!(kinds(&stage), [], "who ended it need not be told");
    assert!(stage.heard(0).is_empty(), "what is not declared is not heard");
}

#[test]
fn a_clip_nobody_hears_ends_in_its_time() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    stage.clips = vec![clip(1, vec![Piece::Silence(300)])];
    stage.apply();
    stage.run_for(300);
    assert_eq!(kinds(&stage), []);
    stage.run_for(40);
    assert_eq!(kinds(&stage), [MediaEventKind::ClipDone(ClipId(1))]);
    assert!(stage.phones[0].datagrams.is_empty());
}

#[test]
fn a_broken_file_is_told_and_what_follows_is_heard() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    let digit = Piece::Spoken(Language::En, Spoken::Digit(3));
    stage.clips = vec![clip(1, vec![Piece::File(FILE), digit])];
    stage.hear(&[(0, &[hears_clip(1)])]);
    assert_eq!(kinds(&stage), [MediaEventKind::ClipBroken(ClipId(1))]);
    stage.run_for(1_000);
    let spoken = speech::samples(Language::En, Spoken::Digit(3));
    assert_eq!(stage.heard(0)[..spoken.len()], spoken);
    assert_eq!(kinds(&stage)[1..], [MediaEventKind::ClipDone(ClipId(1))]);
}

#[test]
fn a_clip_is_mixed_with_voices() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcmu]);
    stage.files.insert(FILE, Sound::narrow(sine(1_700.0, -20.0, 16_000)));
    stage.clips = vec![clip(1, vec![Piece::File(FILE)])];
    stage.hear(&[(0, &[voice(1), hears_clip(1)])]);
    stage.run_for(1_500);
    let heard = &stage.heard(0)[2_000..10_000];
    assert!((strength_dbfs(heard, 1_700.0) + 20.0).abs() < 0.5);
    assert!((strength_dbfs(heard, tone_hz(1)) + 12.0).abs() < 0.5);
}

#[test]
fn a_recorder_hears_both_sides_of_a_relayed_call_apart() {
    let mut stage = Stage::talking();
    stage.run_for(200);
    stage.recorders = vec![recorder(&[&[voice(0)], &[voice(1)]])];
    stage.apply();
    stage.run_for(2_000);
    assert_eq!(stage.plane.counters().mixed, 0, "the call itself is still relayed");
    stage.recorders.clear();
    stage.apply();
    stage.run_for(100);
    let (taken, samples, ended) = &stage.recorded[&TAPE];
    assert_eq!((taken.channels, taken.rate_hz, *ended), (2, 8_000, true));
    assert_eq!(taken.length_ms(2 * samples.len() as u64), 2_000);
    for n in [0, 1] {
        let channel = stage.channel(TAPE, n);
        let said = Expected { hz: tone_hz(n), dbfs: -12.0, tolerance: (1.0, 0.5) };
        holds(&channel, 800..16_000, said).unwrap();
        assert!(strength_dbfs(&channel[800..], tone_hz(1 - n)) < -50.0);
    }
    // And the relay never noticed.
    for n in [0, 1] {
        let heard = stage.heard(n);
        let said = Expected { hz: tone_hz(1 - n), dbfs: -12.0, tolerance: (1.0, 0.5) };
        holds(&heard, 0..heard.len(), said).unwrap();
    }
}

#[test]
fn a_mixed_recorder_has_one_channel_with_everybody() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcmu]);
    stage.recorders = vec![recorder(&[&[voice(0), voice(1)]])];
    stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
    stage.run_for(1_000);
    stage.end();
    let channel = stage.channel(TAPE, 0);
    assert_eq!(channel.len(), 8_000);
    for n in [0, 1] {
        assert!((strength_dbfs(&channel[800..], tone_hz(n)) + 12.0).abs() < 0.5);
    }
    assert!(stage.recorded[&TAPE].2, "the end of the call completes it");
}

#[test]
fn a_message_is_recorded_after_its_beep_until_silence_or_its_length() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    let mut message = recorder(&[&[voice(0)]]);
    message.silence_ms = Some(1_000);
    message.max_ms = 3_000;
    stage.recorders = vec![message];
    stage.apply();
    stage.run_for(500);
    stage.phones[0].talks = false;
    stage.run_for(900);
    assert_eq!(kinds(&stage), []);
    stage.run_for(300);
    assert_eq!(kinds(&stage), [MediaEventKind::RecorderSilent(RecorderId(1))]);
    stage.run_for(5_000);
    assert_eq!(kinds(&stage)[1..], [MediaEventKind::RecorderFull(RecorderId(1))]);
    let (taken, samples, ended) = &stage.recorded[&TAPE];
    assert!(*ended);
    assert_eq!(taken.length_ms(2 * samples.len() as u64), 3_000);
    assert_eq!(
        stage.plane.deadline().map(|at| at.since(stage.now.mono).as_secs() < 1),
        Some(false)
    );
}

#[test]
fn a_recording_whose_file_failed_goes_silent_and_the_call_goes_on() {
    let mut stage = Stage::talking();
    stage.recorders = vec![recorder(&[&[voice(0)]])];
    stage.recorders[0].silence_ms = Some(100);
    stage.apply();
    stage.run_for(500);
    stage.plane.recording_failed(stage.now, media::Recording(0));
    stage.phones[0].talks = false;
    stage.run_for(1_000);
    assert_eq!(kinds(&stage), []);
    assert!(!stage.recorded[&TAPE].2, "nothing completes what has failed");
    let heard = stage.heard(0);
    assert!(longest_gap(&heard, 8) == 0 && pitch_hz(&heard).is_some(), "{:?}", gaps(&heard, 8));
}

#[test]
fn what_is_recorded_follows_the_relation() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
    stage.recorders = vec![recorder(&[&[voice(0)]])];
    stage.apply();
    stage.run_for(1_000);
    stage.recorders[0].channels = [Sources::from_iter([voice(1)])].into_iter().collect();
    stage.apply();
    stage.run_for(1_000);
    let channel = stage.channel(TAPE, 0);
    assert!(strength_dbfs(&channel[1_000..7_000], tone_hz(0)) > -13.0);
    assert!(strength_dbfs(&channel[9_000..], tone_hz(1)) > -13.0);
    assert!(strength_dbfs(&channel[9_000..], tone_hz(0)) < -50.0);
}

#[test]
fn all_who_hear_a_repeating_sound_hear_the_same_moment_of_it() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma, Codec::Pcmu, Codec::G722]);
    stage.files.insert(FILE, Sound::narrow(sine(700.0, -15.0, 4_000)));
    stage.clips = vec![Clip { repeats: true, ..clip(1, vec![Piece::File(FILE)]) }];
    stage.hear(&[(0, &[hears_clip(1)])]);
    stage.run_for(1_730);
    // The others join in the middle of a turn.
    let all = [hears_clip(1)];
    stage.hear(&[(0, &all), (1, &all), (2, &all), (3, &all)]);
    stage.run_for(100);
    (0..4).for_each(|n| drop(stage.heard(n)));
    stage.run_for(1_000);
    let heard: Vec<Vec<i16>> = (0..4).map(|n| stage.heard(n)).collect();
    assert_eq!(heard[0], heard[1]);
    let near = heard[0].iter().zip(&heard[2]).all(|(a, b)| a.abs_diff(*b) < 400);
    assert!(near, "the other law rounds otherwise");
    assert!((pitch_hz(&heard[0]).unwrap() - 700.0).abs() < 2.0);
    let wide = heard[3].iter().step_by(2).copied().collect::<Vec<_>>();
    assert!((pitch_hz(&wide).unwrap() - 700.0).abs() < 2.0);
    assert_eq!(kinds(&stage), [], "it has no end");
    // Who leaves and comes back hears it where it is then, not from its beginning.
    stage.hear(&[(0, &all)]);
    stage.run_for(330);
    stage.hear(&[(0, &all), (1, &all)]);
    stage.run_for(40);
    (0..2).for_each(|n| drop(stage.heard(n)));
    stage.run_for(500);
    assert_eq!(stage.heard(0), stage.heard(1));
}
