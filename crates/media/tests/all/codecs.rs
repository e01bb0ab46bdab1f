//! Every pair of codecs, both ways, through the plane; and what is mixed at which rate.

use core::time::Duration;

use leg::{Clip, ClipId, Gain, LegId, Player, Recorder, RecorderId, Source};
use media::measure::{gaps, level_dbfs, pitch_at_rate_hz, sine_at_rate, strength_at_rate_dbfs};
use media::pcm::Rate;
use media::{Dropped, Sound};
use model::{Codec, FileId};

use crate::stage::{self, Stage, leg_id, tone_hz, voice};

fn rate(codec: Codec) -> f64 {
    f64::from(codec.sample_rate_hz())
}

#[test]
fn each_codec_is_heard_in_each_other_at_its_pitch_and_level() {
    for (a, b) in Codec::ALL.into_iter().flat_map(|a| Codec::ALL.map(|b| (a, b))) {
        let mut stage = Stage::new(&[a, b]);
        stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
        stage.run_for(1_500);
        for (n, codec) in [(0, a), (1, b)] {
            let heard = stage.heard(n);
            // The stream is whole and in time.
            let noticed = &stage.phones[n].ear.heard;
            assert_eq!(
                (noticed.missing, noticed.jumps, noticed.new_streams),
                (0, 0, 0),
                "{a:?} {b:?}"
            );
            assert!(noticed.packets >= 73, "{a:?} {b:?}: {}", noticed.packets);
            let steady = &heard[heard.len() / 5..];
            let said = tone_hz(1 - n);
            let found = pitch_at_rate_hz(steady, rate(codec)).unwrap();
            assert!((found - said).abs() < 2.0, "{a:?} {b:?}: {found} for {said}");
            let level = strength_at_rate_dbfs(steady, said, rate(codec));
            assert!((level + 12.0).abs() < 1.0, "{a:?} {b:?}: {level}");
            assert!(gaps(steady, 64).is_empty(), "{a:?} {b:?}: {:?}", gaps(steady, 64));
        }
        let relayed = media::g711::converts(a, b);
        assert_eq!(stage.plane.counters().relayed > 0, relayed, "{a:?} {b:?}");
        assert_eq!(stage.plane.counters().mixed > 0, !relayed, "{a:?} {b:?}");
    }
}

#[test]
fn a_conference_of_all_codecs_hears_the_others_and_not_itself() {
    let mut stage = Stage::new(&Codec::ALL);
    let others = |n: usize| (0..4).filter(|m| *m != n).map(voice).collect::<Vec<_>>();
    let heard: Vec<_> = (0..4).map(|n| (n, others(n))).collect();
    let relation: Vec<_> = heard.iter().map(|(n, others)| (*n, others.as_slice())).collect();
    stage.hear(&relation);
    stage.run_for(1_500);
    for (n, codec) in Codec::ALL.into_iter().enumerate() {
        let heard = stage.heard(n);
        let steady = &heard[heard.len() / 4..];
        for other in 0..4 {
            let level = strength_at_rate_dbfs(steady, tone_hz(other), rate(codec));
            if other == n {
                assert!(level < -40.0, "{codec:?} hears itself at {level}");
            } else {
                assert!((level + 12.0).abs() < 1.2, "{codec:?} hears {other} at {level}");
            }
        }
    }
}

#[test]
fn mixing_costs_a_frame_and_the_jitter_buffer() {
    for (a, b) in
        [(Codec::Pcma, Codec::Pcma), (Codec::Pcma, Codec::G722), (Codec::G722, Codec::Pcmu)]
    {
        for phase in [0, 6, 13, 19] {
            let mut stage = Stage::new(&[a, b]);
            stage.phones[1].phase_ms = phase;
            stage.phones[1].talks = false;
            // Two sources, so that it is mixed in one codec too.
            let music = (Source::Player(Player::Clip(ClipId(7))), Gain::UNITY);
            stage.clips =
                vec![Clip { id: ClipId(7), leg: LegId(1), pieces: vec![], repeats: true }];
            stage.hear(&[(0, &[voice(1), music])]);
            stage.run_for(500);
            stage.phones[0].datagrams.clear();
            stage.heard(0);
            let before = stage.now.mono;
            stage.phones[1].talks = true;
            let mut said = None;
            let mut heard = None;
            for _ in 0..200 {
                stage.run_for(1);
                let now = stage.now.mono;
                if said.is_none() && now.0 / 1_000 % 20 == phase && now > before {
                    said = Some(now);
                }
                let samples = stage.heard(0);
                if heard.is_none() && samples.iter().any(|s| s.unsigned_abs() > 1_500) {
                    heard = Some(now);
                }
            }
            // A packet is said when its sound is over: its own 20 ms are the frame.
            let delay = heard.unwrap().since(said.unwrap());
            assert!(delay <= Duration::from_millis(45), "{a:?} {b:?} {phase}: {delay:?}");
        }
    }
}

#[test]
fn wide_listeners_hear_wide_sounds_and_narrow_ones_what_they_can() {
    let mut stage = Stage::new(&[Codec::G722, Codec::Pcma]);
    let file = FileId(1);
    let sound = |hz| sine_at_rate(hz, -15.0, 16_000, 16_000);
    let samples: Vec<i16> = sound(1_000.0).iter().zip(sound(5_500.0)).map(|(a, b)| a + b).collect();
    stage.files.insert(file, Sound { rate: Rate::Wide, samples: samples.into() });
    let pieces = vec![leg::Piece::File(file)];
    stage.clips = vec![Clip { id: ClipId(1), leg: leg_id(0), pieces, repeats: true }];
    let clip = (Source::Player(Player::Clip(ClipId(1))), Gain::UNITY);
    stage.hear(&[(0, &[clip]), (1, &[clip])]);
    stage.run_for(1_000);
    let (wide, narrow) = (stage.heard(0), stage.heard(1));
    assert!((strength_at_rate_dbfs(&wide[3_200..], 1_000.0, 16_000.0) + 15.0).abs() < 0.7);
    assert!((strength_at_rate_dbfs(&wide[3_200..], 5_500.0, 16_000.0) + 15.0).abs() < 1.5);
    assert!((level_dbfs(&narrow[1_600..]) + 15.0).abs() < 0.5, "nothing is folded back");
}

#[test]
fn a_recording_of_a_wide_voice_is_wide() {
    for (codec, hz) in [(Codec::Pcma, 8_000), (Codec::G722, 16_000), (Codec::Opus, 16_000)] {
        let mut stage = Stage::new(&[codec, Codec::Pcma]);
        let tape = FileId(2);
        stage.recorders = vec![Recorder {
            id: RecorderId(1),
            leg: leg_id(0),
            file: tape,
            channels: [0, 1].map(|n| [voice(n)].into_iter().collect()).into_iter().collect(),
            silence_ms: None,
            max_ms: 60_000,
        }];
        stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
        stage.run_for(1_000);
        stage.end();
        assert_eq!(stage.recorded[&tape].0.rate_hz, hz, "{codec:?}");
        for n in [0, 1] {
            let channel = stage.channel(tape, n);
            assert_eq!(channel.len(), hz as usize);
            let found = pitch_at_rate_hz(&channel[hz as usize / 4..], f64::from(hz)).unwrap();
            assert!((found - tone_hz(n)).abs() < 3.0, "{codec:?} {n}: {found}");
        }
    }
}

#[test]
fn a_peer_that_changes_its_codec_is_heard_on() {
    let mut stage = Stage::new(&[Codec::Pcma, Codec::G722]);
    // The second phone may speak both; the first understands one.
    let both = [Codec::G722, Codec::Pcma].map(stage::format);
    stage.phones[1].leg.receive = both.into_iter().collect();
    stage.hear(&[(0, &[voice(1)])]);
    stage.run_for(600);
    assert_eq!(stage.plane.counters().relayed, 0);
    let next = stage.phones[1].mouth.next;
    stage.phones[1].mouth = media::measure::Mouth::new(
        Codec::Pcma,
        media::rtp::Header { payload_type: 8, ..next },
        sine_at_rate(tone_hz(1), -12.0, 8_000, 8_000),
    );
    stage.run_for(600);
    assert!(stage.plane.counters().relayed > 25, "now it needs no decoding");
    let heard = stage.heard(0);
    assert!((strength_at_rate_dbfs(&heard[1_000..4_000], tone_hz(1), 8_000.0) + 12.0).abs() < 1.0);
    assert!((strength_at_rate_dbfs(&heard[6_000..9_000], tone_hz(1), 8_000.0) + 12.0).abs() < 1.0);
    assert_eq!(stage.phones[0].ear.heard.new_streams, 0);
    assert_eq!(stage.plane.counters().dropped(Dropped::UnknownPayload), 0);
}

/// What a tone of this pitch and level has become after G.722, there and back: its level, and that
/// of everything else (noise, images, distortion), in dBFS.
fn through_g722(hz: f64, dbfs: f64) -> (f64, f64) {
    let sound = sine_at_rate(hz, dbfs, 16_000, 16_000);
    let mut encoder = media::codec::Encoder::new(Codec::G722);
    let mut decoder = media::codec::Decoder::new(Codec::G722);
    let mut heard = Vec::new();
    for frame in sound.chunks_exact(320) {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        assert_eq!(payload.len(), 160, "64 kbit/s");
        decoder.decode(&payload, &mut heard);
    }
    // Without the time in which its steps adapt, in whole periods.
    let steady = &heard[3_200..16_000];
    let tone = strength_at_rate_dbfs(steady, hz, 16_000.0);
    let power = |dbfs: f64| 10f64.powf(dbfs / 10.0);
    let rest = (power(level_dbfs(steady)) - power(tone)).max(1e-12);
    (tone, 10.0 * rest.log10())
}

#[test]
fn g722_passes_tones_of_its_band_at_every_level() {
    // Pitch; how far its level may be off; how far below it everything else lies at least.
    let pitches = [(100.0, 24.0), (300.0, 30.0), (1_000.0, 30.0), (2_500.0, 25.0), (6_000.0, 13.0)];
    for dbfs in [-3.0, -9.0, -15.0, -21.0, -27.0, -33.0, -39.0, -45.0] {
        for (hz, ratio) in pitches {
            let (tone, rest) = through_g722(hz, dbfs);
            assert!((tone - dbfs).abs() < 1.0, "{hz} Hz at {dbfs}: {tone}");
            assert!(tone - rest > ratio, "{hz} Hz at {dbfs}: {} dB", tone - rest);
        }
    }
}
