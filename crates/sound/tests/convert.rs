//! Files as people upload them: what they become, or what their owners are told.

use sound::{BadSound, Converted, convert, limits};

const STEREO: &[u8] = include_bytes!("files/tone_44100_stereo.mp3");
const MONO: &[u8] = include_bytes!("files/tone_22050_mono.mp3");
const VARIABLE: &[u8] = include_bytes!("files/tone_48000_mono_vbr.mp3");

/// How a test's WAV file is made.
struct Form {
    format: u16,
    channels: u16,
    rate_hz: u32,
    bits: u16,
}

fn linear(bits: u16, channels: u16, rate_hz: u32) -> Form {
    Form { format: 1, channels, rate_hz, bits }
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend(body);
    bytes.extend((body.len() % 2 == 1).then_some(0));
    bytes
}

fn fmt(form: &Form) -> Vec<u8> {
    let frame = form.channels * form.bits.div_ceil(8);
    let mut body = Vec::new();
    body.extend(form.format.to_le_bytes());
    body.extend(form.channels.to_le_bytes());
    body.extend(form.rate_hz.to_le_bytes());
    body.extend((form.rate_hz * u32::from(frame)).to_le_bytes());
    body.extend(frame.to_le_bytes());
    body.extend(form.bits.to_le_bytes());
    chunk(b"fmt ", &body)
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    body.extend(chunks.concat());
    chunk(b"RIFF", &body)
}

fn file(form: &Form, data: &[u8]) -> Vec<u8> {
    riff(&[fmt(form), chunk(b"data", data)])
}

/// A sine of half the full scale, from -1 to 1.
fn tone(hz: f64, rate_hz: u32, seconds: f64) -> Vec<f64> {
    let turn = std::f64::consts::TAU * hz / f64::from(rate_hz);
    let samples = (seconds * f64::from(rate_hz)) as u32;
    (0..samples).map(|n| 0.5 * (turn * f64::from(n)).sin()).collect()
}

/// The tone in each of so many channels.
fn coded(form: &Form, tone: &[f64]) -> Vec<u8> {
    let mut data = Vec::new();
    for sample in tone {
        let bytes = match (form.format, form.bits) {
            (1, 8) => vec![(sample * 127.0 + 128.0) as u8],
            (1, 16) => ((sample * 32_767.0) as i16).to_le_bytes().to_vec(),
            (1, 24) => ((sample * 8_388_607.0) as i32).to_le_bytes()[..3].to_vec(),
            (1, 32) => ((sample * 2_147_483_647.0) as i32).to_le_bytes().to_vec(),
            (6, 8) => vec![g711(*sample, alaw)],
            (7, 8) => vec![g711(*sample, ulaw)],
            other => panic!("{other:?}"),
        };
        for _ in 0..form.channels {
            data.extend(&bytes);
        }
    }
    data
}

/// The code whose meaning is nearest: slow, and independent of how one is computed.
fn g711(sample: f64, meaning: fn(u8) -> i32) -> u8 {
    let sample = (sample * 32_768.0) as i32;
    (0..=255).min_by_key(|code| (meaning(*code) - sample).abs()).unwrap()
}

/// The tables of ITU-T G.711, by segments.
fn alaw(code: u8) -> i32 {
    let code = code ^ 0x55;
    let (segment, step) = (i32::from(code >> 4 & 7), i32::from(code & 15));
    let size = match segment {
        0 => step * 16 + 8,
        n => (step * 16 + 264) * 2i32.pow(n as u32 - 1),
    };
    if code >= 128 { size } else { -size }
}

fn ulaw(code: u8) -> i32 {
    let code = 255 - code;
    let (segment, step) = (u32::from(code >> 4 & 7), i32::from(code & 15));
    let size = (step * 8 + 132) * 2i32.pow(segment) - 132;
    if code >= 128 { -size } else { size }
}

/// The samples of a result, with its header checked.
fn samples(converted: &Converted) -> Vec<i16> {
    let (head, data) = converted.wav.split_at(44);
    let length = u32::try_from(data.len()).unwrap();
    let mut expected = b"RIFF".to_vec();
    expected.extend((length + 36).to_le_bytes());
    expected.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    expected.extend(length.to_le_bytes());
    assert_eq!(head, expected);
    let samples: Vec<i16> =
        data.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    assert_eq!(u32::try_from(samples.len()).unwrap() / 16, converted.length_ms);
    samples
}

/// The level of a tone, and of all else, in dB below half the full scale; the edges left out.
fn measured(samples: &[i16], hz: f64) -> (f64, f64) {
    let middle = &samples[1_600..samples.len() - 1_600];
    let turn = std::f64::consts::TAU * hz / 16_000.0;
    let (mut s, mut c, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in middle.iter().enumerate() {
        let (sin, cos) = (turn * n as f64).sin_cos();
        let sample = f64::from(*sample) / 16_384.0;
        (s, c, power) = (s + sample * sin, c + sample * cos, power + sample * sample);
    }
    let length = middle.len() as f64;
    let tone = ((2.0 * s / length).powi(2) + (2.0 * c / length).powi(2)) / 2.0;
    let rest = (power / length - tone).max(1e-12);
    (10.0 * (2.0 * tone).log10(), 10.0 * (2.0 * rest).log10())
}

#[test]
fn every_coding_of_wav_becomes_the_same_tone() {
    // The noise that the coding itself makes, dB.
    let table = [
        (linear(8, 1, 8_000), -35.0),
        (linear(8, 2, 44_100), -35.0),
        (linear(16, 1, 8_000), -70.0),
        (linear(16, 2, 44_100), -70.0),
        (linear(16, 6, 48_000), -70.0),
        (linear(24, 1, 48_000), -70.0),
        (linear(24, 2, 96_000), -70.0),
        (linear(32, 1, 16_000), -70.0),
        (linear(32, 2, 22_050), -70.0),
        (Form { format: 6, channels: 1, rate_hz: 8_000, bits: 8 }, -30.0),
        (Form { format: 7, channels: 1, rate_hz: 8_000, bits: 8 }, -30.0),
    ];
    for (form, noise) in table {
        let name = format!("{} {} {} {}", form.format, form.bits, form.channels, form.rate_hz);
        let data = coded(&form, &tone(1_000.0, form.rate_hz, 0.6));
        let converted = convert(&file(&form, &data)).unwrap();
        assert!((599..=600).contains(&converted.length_ms), "{name}: {}", converted.length_ms);
        let (tone, rest) = measured(&samples(&converted), 1_000.0);
        assert!(tone.abs() < 0.2 && rest < noise, "{name}: {tone:.2} dB, rest {rest:.1} dB");
    }
}

#[test]
fn mp3_becomes_the_tone_that_was_put_in() {
    for (name, file, ms) in
        [("stereo", STEREO, 1_000), ("mono", MONO, 1_000), ("variable", VARIABLE, 500)]
    {
        let converted = convert(file).unwrap();
        // An encoder fills up its last frames, some 50 ms.
        assert!(
            (ms - 5..ms + 120).contains(&converted.length_ms),
            "{name}: {} ms",
            converted.length_ms
        );
        let all = samples(&converted);
        let (tone, rest) = measured(&all[..all.len().min(16 * ms as usize)], 1_000.0);
        // They were squeezed hard.
        assert!(tone.abs() < 0.5 && rest < -25.0, "{name}: {tone:.2} dB, rest {rest:.1} dB");
    }
}

#[test]
fn the_two_ears_of_a_stereo_file_are_mixed() {
    let form = linear(16, 2, 16_000);
    let data: Vec<u8> =
        [10_000i16, -2_000].repeat(100).into_iter().flat_map(i16::to_le_bytes).collect();
    let converted = convert(&file(&form, &data)).unwrap();
    assert_eq!(samples(&converted), [4_000; 100]);
}

#[test]
fn headers_are_read_as_programs_write_them() {
    let form = linear(16, 1, 16_000);
    let data = [0, 0x10].repeat(160);
    let sound = convert(&file(&form, &data)).unwrap();
    // Other chunks before, between and behind, one of odd length.
    let list = chunk(b"LIST", b"odd");
    let other = riff(&[list.clone(), fmt(&form), list.clone(), chunk(b"data", &data), list]);
    assert_eq!(convert(&other).unwrap(), sound);
    // The true format behind a GUID.
    let mut guid = fmt(&Form { format: 0xFFFE, ..linear(16, 1, 16_000) })[8..].to_vec();
    guid.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 0xAA, 0, 56]);
    guid.extend([155, 113]);
    let extensible = riff(&[chunk(b"fmt ", &guid), chunk(b"data", &data)]);
    assert_eq!(convert(&extensible).unwrap(), sound);
    // Written into a pipe: nobody knew the length.
    for unknown in [[0xFF; 4], [0, 0xF0, 0xFF, 0x7F]] {
        let mut piped = file(&form, &data);
        piped[40..44].copy_from_slice(&unknown);
        assert_eq!(convert(&piped).unwrap(), sound);
    }
}

#[test]
fn a_file_that_is_no_sound_of_ours_is_refused_with_what_is_wrong() {
    let good = linear(16, 1, 8_000);
    let second = vec![1; 16_000];
    let float = Form { format: 3, bits: 32, ..linear(32, 1, 8_000) };
    let adpcm = Form { format: 2, bits: 4, ..linear(8, 1, 8_000) };
    let mut cut = file(&good, &second);
    cut.truncate(1_000);
    let table: [(&str, Vec<u8>, &str); 15] = [
        ("nothing", vec![], "the file is empty"),
        ("large", vec![0; limits::BYTES_MAX + 1], "the file is larger than 10 MB"),
        ("text", b"hello".to_vec(), "the file is neither a WAV nor an MP3 file"),
        ("ogg", b"OggS\0\x02".repeat(100), "the file is neither a WAV nor an MP3 file"),
        ("long", file(&linear(8, 1, 8_000), &vec![7; 4_800_001]), "longer than 10 minutes"),
        ("float", file(&float, &second), "has floating point samples; save it with 16-bit"),
        ("adpcm", file(&adpcm, &second), "is coded in format 2 with 4 bits"),
        ("12 bits", file(&linear(12, 1, 8_000), &second), "is coded in format 1 with 12 bits"),
        ("no channel", file(&linear(16, 0, 8_000), &second), "has 0 channels; 1 to 8 can be"),
        ("9 channels", file(&linear(16, 9, 8_000), &second), "has 9 channels; 1 to 8 can be"),
        ("slow", file(&linear(16, 1, 100), &second), "has 100 samples a second; 4000 to 192000"),
        ("headless", riff(&[chunk(b"data", &second)]), "does not tell its format"),
        ("no sound", riff(&[fmt(&good)]), "there is no sound in the file"),
        ("empty sound", file(&good, &[]), "there is no sound in the file"),
        ("cut", cut, "is cut short: its header says 16000 bytes of sound, 956 follow"),
    ];
    for (name, bytes, expected) in table {
        let said = convert(&bytes).unwrap_err().to_string();
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn an_mp3_that_changes_its_rate_is_refused_with_the_place() {
    let both = [STEREO, MONO].concat();
    assert_eq!(convert(&both), Err(BadSound::Changes { seconds: 1 }));
}

#[test]
fn an_mp3_of_an_hour_costs_no_more_than_its_bound() {
    // Frames of 32 kbit/s that say nothing: ten megabytes are more than forty minutes.
    let frame = &MONO[MONO.len() - 104..];
    let silence = [MONO, &frame.repeat(80_000)].concat();
    assert!(silence.len() <= limits::BYTES_MAX);
    assert_eq!(convert(&silence), Err(BadSound::TooLong));
}
