//! What went in is what a player plays.

use super::*;
use crate::measure::{
    Wav, hear_mp3_file, level_dbfs, pitch_at_rate_hz, sine_at_rate, strength_at_rate_dbfs,
};
use crate::resample;
use crate::speech;

/// A file of these channels, given in pieces of so many samples.
fn file_of(wav: &Wav, piece: usize) -> Vec<u8> {
    let channels = u16::try_from(wav.channels.len()).unwrap();
    let mut file = Mp3File::begin(wav.rate_hz, channels).unwrap();
    let samples: Vec<i16> = (0..wav.channels[0].len())
        .flat_map(|n| wav.channels.iter().map(move |channel| channel[n]))
        .collect();
    let mut bytes = Vec::new();
    for part in samples.chunks(piece) {
        file.add(part).unwrap();
        bytes.extend(file.take());
    }
    let Ended { rest, first } = file.end();
    bytes.extend(rest);
    bytes[..first.len()].copy_from_slice(&first);
    bytes
}

fn tones(rate_hz: u32, samples: usize, hz: &[f64]) -> Wav {
    let channels = hz.iter().map(|hz| sine_at_rate(*hz, -12.0, samples, rate_hz)).collect();
    Wav { rate_hz, channels }
}

/// What is said by a voice of ours, and a second of nothing.
fn speech_at(rate_hz: u32) -> Vec<i16> {
    let said = speech::samples(model::Language::En, model::Spoken::LeaveMessage);
    let mut samples = resample::convert(&said, 8_000, rate_hz);
    samples.extend(vec![0; rate_hz as usize]);
    samples
}

/// How much softer than the sound its difference from what was heard is, in dB.
fn fidelity_db(said: &[i16], heard: &[i16]) -> f64 {
    let error: Vec<i16> = said.iter().zip(heard).map(|(a, b)| a.saturating_sub(*b)).collect();
    level_dbfs(said) - level_dbfs(&error)
}

#[test]
fn each_channel_has_its_tone_as_loud_as_it_was_and_not_the_others() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let (rate, second) = (f64::from(rate_hz), rate_hz as usize);
        let heard = hear_mp3_file(&file_of(&tones(rate_hz, 2 * second, &[440.0, 1_300.0]), 3_200));
        let heard = heard.unwrap();
        assert_eq!((heard.rate_hz, heard.channels.len()), (rate_hz, 2));
        for (channel, own, other) in [(0, 440.0, 1_300.0), (1, 1_300.0, 440.0)] {
            let middle = &heard.channels[channel][second / 4..second * 7 / 4];
            let found = pitch_at_rate_hz(middle, rate).unwrap();
            assert!((found - own).abs() < 3.0, "{rate_hz}, {channel}: {found}");
            let level = level_dbfs(middle);
            assert!((level + 12.0).abs() < 0.5, "{rate_hz}, {channel}: {level}");
            let crossed = strength_at_rate_dbfs(middle, other, rate);
            assert!(crossed < -60.0, "{rate_hz}, {channel}: {crossed}");
        }
        let heard = hear_mp3_file(&file_of(&tones(rate_hz, 2 * second, &[700.0]), 1_600)).unwrap();
        assert_eq!(heard.channels.len(), 1);
        let found = pitch_at_rate_hz(&heard.channels[0][second / 4..], rate).unwrap();
        assert!((found - 700.0).abs() < 3.0, "{rate_hz}: {found}");
    }
}

#[test]
fn speech_is_what_was_said_and_lies_where_it_lay() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let said = speech_at(rate_hz);
        let other: Vec<i16> = said.iter().rev().copied().collect();
        for channels in [vec![said.clone()], vec![said, other]] {
            let wav = Wav { rate_hz, channels };
            let heard = hear_mp3_file(&file_of(&wav, 3_200)).unwrap();
            // Sample by sample, which a shift of a few would spoil.
            for (said, heard) in wav.channels.iter().zip(&heard.channels) {
                let fidelity = fidelity_db(said, heard);
                assert!(fidelity > 25.0, "{rate_hz}, {}: {fidelity}", wav.channels.len());
            }
        }
    }
}

#[test]
fn one_side_s_silence_stays_silent_while_the_other_speaks() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let said = speech_at(rate_hz);
        let silence = vec![0; said.len()];
        for (channels, silent) in
            [(vec![said.clone(), silence.clone()], 1), (vec![silence, said], 0)]
        {
            let heard = hear_mp3_file(&file_of(&Wav { rate_hz, channels }, 3_200)).unwrap();
            let level = level_dbfs(&heard.channels[silent]);
            assert!(level < -70.0, "{rate_hz}: {level}");
        }
    }
}

#[test]
fn a_file_is_as_long_as_its_sound_to_the_sample_however_it_was_given() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let frame = if rate_hz == 48_000 { 1_152 } else { 576 };
        for samples in [0, 1, 80, frame - 1, frame, frame + 1, 20 * frame + 7] {
            let mut files = [1, 2 * frame - 1, 2 * frame, 64_000]
                .map(|piece| file_of(&tones(rate_hz, samples, &[440.0, 600.0]), piece));
            let heard = hear_mp3_file(&files[0]).unwrap();
            let lengths: Vec<_> = heard.channels.iter().map(Vec::len).collect();
            assert_eq!(lengths, [samples; 2], "{samples} at {rate_hz}");
            files.sort();
            assert_eq!(files[0], files[3], "{samples} at {rate_hz}");
        }
    }
}

#[test]
fn frames_leave_as_soon_as_they_are_full() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let wav = tones(rate_hz, 10 * rate_hz as usize, &[440.0]);
        let mut file = Mp3File::begin(rate_hz, 1).unwrap();
        let (mut taken, mut most) = (0, 0);
        for part in wav.channels[0].chunks(rate_hz as usize) {
            file.add(part).unwrap();
            let bytes = file.take().len();
            (taken, most) = (taken + bytes, most.max(bytes));
        }
        let rest = file.end().rest.len();
        assert!(
            taken > 30_000 && most < 10_000 && rest < 3_000,
            "{rate_hz}: {taken} {most} {rest}"
        );
    }
}

#[test]
fn a_second_takes_no_more_than_its_channels_may() {
    // What is hardest to code: noise as loud as speech.
    let mut state = 1u32;
    let mut noise = |samples: usize| {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 / 4
        };
        (0..samples).map(next).collect::<Vec<i16>>()
    };
    for (rate_hz, each) in [(8_000, 32_000), (16_000, 48_000), (48_000, 48_000)] {
        for channels in [1, 2] {
            let wav = Wav {
                rate_hz,
                channels: (0..channels).map(|_| noise(10 * rate_hz as usize)).collect(),
            };
            let bits = file_of(&wav, 3_200).len() * 8 / 10;
            assert!(bits <= channels * each * 11 / 10, "{rate_hz}, {channels}: {bits}");
        }
        let silence = Wav { rate_hz, channels: vec![vec![0; 10 * rate_hz as usize]; 2] };
        let bits = file_of(&silence, 3_200).len() * 8 / 10;
        assert!(bits < 2 * each * 3 / 4, "{rate_hz}: silence takes {bits}");
    }
}

#[test]
fn the_loudest_and_the_sharpest_sounds_are_coded_too() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let samples = rate_hz as usize;
        let square = (0..samples).map(|n| if n / 9 % 2 == 0 { i16::MAX } else { i16::MIN });
        let clicks = (0..samples).map(|n| if n % 1_000 == 0 { i16::MIN } else { 0 });
        let steps = (0..samples).map(|n| if n % 1_000 < 500 { i16::MAX } else { 0 });
        let channels = vec![square.collect(), clicks.collect()];
        for channels in [channels, vec![steps.collect()]] {
            let wav = Wav { rate_hz, channels };
            let heard = hear_mp3_file(&file_of(&wav, 3_200)).unwrap();
            assert!(heard.channels.iter().all(|channel| channel.len() == samples), "{rate_hz}");
            let fidelity = fidelity_db(&wav.channels[0], &heard.channels[0]);
            assert!(fidelity > 10.0, "{rate_hz}: {fidelity}");
        }
    }
}

#[test]
fn what_the_format_does_not_know_is_refused() {
    let refused = |rate_hz, channels| Mp3File::begin(rate_hz, channels).unwrap_err();
    for rate_hz in [0, 8_001, 96_000] {
        assert!(matches!(refused(rate_hz, 1), Mp3FileError::Rate { .. }), "{rate_hz}");
    }
    for channels in [0, 3] {
        assert!(matches!(refused(8_000, channels), Mp3FileError::Channels { .. }), "{channels}");
    }
}
