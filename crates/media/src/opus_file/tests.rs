//! What went in is what a player plays.

use super::*;
use crate::measure::{
    Wav, hear_opus_file, level_dbfs, ogg_pages, pitch_at_rate_hz, sine_at_rate,
    strength_at_rate_dbfs,
};

/// A file of these channels, given in pieces of so many samples.
fn file_of(wav: &Wav, piece: usize) -> Vec<u8> {
    let channels = u16::try_from(wav.channels.len()).unwrap();
    let mut file = OpusFile::begin(wav.rate_hz, channels, 0x1234_5678).unwrap();
    let samples: Vec<i16> = (0..wav.channels[0].len())
        .flat_map(|n| wav.channels.iter().map(move |channel| channel[n]))
        .collect();
    let mut bytes = Vec::new();
    for part in samples.chunks(piece) {
        file.add(part).unwrap();
        bytes.extend(file.take());
    }
    bytes.extend(file.end().unwrap());
    bytes
}

fn tones(rate_hz: u32, samples: usize, hz: &[f64]) -> Wav {
    let channels = hz.iter().map(|hz| sine_at_rate(*hz, -12.0, samples, rate_hz)).collect();
    Wav { rate_hz, channels }
}

#[test]
fn each_channel_has_its_tone_as_loud_as_it_was_and_not_the_others() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let wav = tones(rate_hz, 2 * rate_hz as usize, &[440.0, 1_300.0]);
        let heard = hear_opus_file(&file_of(&wav, 3_200)).unwrap();
        for (channel, own, other) in [(0, 440.0, 1_300.0), (1, 1_300.0, 440.0)] {
            let middle = &heard.channels[channel][9_600..86_400];
            let found = pitch_at_rate_hz(middle, 48_000.0).unwrap();
            assert!((found - own).abs() < 3.0, "{rate_hz}, {channel}: {found}");
            let level = level_dbfs(middle);
            assert!((level + 12.0).abs() < 0.5, "{rate_hz}, {channel}: {level}");
            let crossed = strength_at_rate_dbfs(middle, other, 48_000.0);
            assert!(crossed < -40.0, "{rate_hz}, {channel}: {crossed}");
        }
        let mono = tones(rate_hz, 2 * rate_hz as usize, &[700.0]);
        let heard = hear_opus_file(&file_of(&mono, 1_600)).unwrap();
        assert_eq!(heard.channels.len(), 1);
        let found = pitch_at_rate_hz(&heard.channels[0][9_600..86_400], 48_000.0).unwrap();
        assert!((found - 700.0).abs() < 3.0, "{rate_hz}: {found}");
    }
}

#[test]
fn one_side_s_silence_stays_silent_while_the_other_speaks() {
    let mut wav = tones(8_000, 16_000, &[440.0, 0.0]);
    wav.channels[1].fill(0);
    let heard = hear_opus_file(&file_of(&wav, 3_200)).unwrap();
    let level = level_dbfs(&heard.channels[1][9_600..86_400]);
    assert!(level < -50.0, "{level}");
}

#[test]
fn a_file_is_as_long_as_its_sound_to_the_sample_however_it_was_given() {
    for (rate_hz, units) in [(8_000, 6), (16_000, 3), (48_000, 1)] {
        let packet = rate_hz as usize / 50;
        for samples in [0, 1, packet - 1, packet, packet + 1, 50 * packet, 51 * packet + 7] {
            let mut files = [1, 2 * packet - 2, 2 * packet, 64_000]
                .map(|piece| file_of(&tones(rate_hz, samples, &[440.0, 600.0]), piece));
            let heard = hear_opus_file(&files[0]).unwrap();
            let lengths: Vec<_> = heard.channels.iter().map(Vec::len).collect();
            assert_eq!(lengths, [samples * units; 2], "{samples} at {rate_hz}");
            files.sort();
            assert_eq!(files[0], files[3], "{samples} at {rate_hz}");
        }
    }
}

#[test]
fn a_sound_lies_where_it_lay() {
    // A click in the middle of silence, after a second and at the very end.
    let mut wav = tones(8_000, 12_000, &[0.0]);
    for at in [8_000, 11_960] {
        wav.channels[0][at..at + 40].copy_from_slice(&sine_at_rate(1_000.0, -6.0, 40, 8_000));
    }
    let heard = &hear_opus_file(&file_of(&wav, 1_600)).unwrap().channels[0];
    for at in [48_000, 71_760] {
        let first = (at - 4_800..heard.len()).find(|n| heard[*n].unsigned_abs() > 4_000).unwrap();
        assert!(first.abs_diff(at) < 48, "{first} is not {at}");
    }
}

#[test]
fn pages_are_a_second_each_and_count_at_48_khz() {
    let bytes = file_of(&tones(16_000, 16_000 * 5 / 2, &[440.0]), 3_200);
    let pages = ogg_pages(&bytes).unwrap();
    let counted: Vec<_> = pages.iter().map(|p| (p.granule, p.packets.len())).collect();
    // 6.5 ms of the encoder's are skipped, 104 samples of 16 kHz.
    assert_eq!(counted, [(0, 1), (0, 1), (48_000, 50), (96_000, 50), (120_312, 26)]);
    let head = &pages[0].packets[0];
    assert_eq!(head[..], *b"OpusHead\x01\x01\x38\x01\x80\x3e\0\0\0\0\0");
    let tags = &pages[1].packets[0];
    assert!(tags.starts_with(b"OpusTags") && tags.ends_with(&[0; 4]), "{tags:?}");
    // Another program agrees, sums included.
    let mut reader = ogg::PacketReader::new(std::io::Cursor::new(&bytes));
    let packets = core::iter::from_fn(|| reader.read_packet().unwrap()).collect::<Vec<_>>();
    let ours: Vec<_> = pages.iter().flat_map(|page| &page.packets).collect();
    assert_eq!(packets.iter().map(|packet| &packet.data).collect::<Vec<_>>(), ours);
    assert!(packets[0].first_in_stream() && packets.last().unwrap().last_in_stream());
    assert!(packets.iter().all(|packet| packet.stream_serial() == 0x1234_5678));
}

#[test]
fn speech_takes_as_many_bytes_as_was_said() {
    // What is hardest to code: noise as loud as speech.
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 4
    };
    for (channels, bits) in [(1, 24_000), (2, 40_000)] {
        let sound = || (0..80_000).map(|_| 0).collect::<Vec<i16>>();
        let mut wav = Wav { rate_hz: 8_000, channels: vec![sound(); channels] };
        for channel in &mut wav.channels {
            channel.iter_mut().for_each(|sample| *sample = noise());
        }
        let bytes = file_of(&wav, 3_200).len() as u64;
        assert!(bytes * 8 / 10 < bits * 13 / 10, "{bytes} bytes in 10 s");
    }
}

#[test]
fn what_the_encoder_does_not_take_is_refused() {
    let refused = |rate_hz, channels| OpusFile::begin(rate_hz, channels, 1).unwrap_err();
    for rate_hz in [0, 8_001, 44_100] {
        assert!(matches!(refused(rate_hz, 1), OpusFileError::Rate { .. }), "{rate_hz}");
    }
    for channels in [0, 3] {
        assert!(matches!(refused(8_000, channels), OpusFileError::Channels { .. }), "{channels}");
    }
}
